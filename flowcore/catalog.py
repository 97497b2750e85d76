"""What a kind of source is called and which configuration it takes: data, declared once by its adapter.

The front ends check a flow's configuration against it (all problems at once, before anything runs), the JSON Schema for
editors is generated from it, and so is the table in the documentation. The core never sees the adapter itself.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import attrs


class Kind(StrEnum):
    """The shape of one configuration parameter."""

    TEXT = "text"
    NUMBER = "number"
    SECONDS = "seconds"
    """A number above 0."""
    INTEGER = "integer"
    BOOLEAN = "boolean"
    WORDS = "words"
    """A list of texts; one text is split as a POSIX shell splits words, and never given to a shell."""
    TEXTS = "texts"
    """A list of texts; one text counts as a list of one."""
    NAMES = "names"
    """True, False, or a list of texts."""
    MAPPING = "mapping"
    ANY = "any"


@attrs.frozen(kw_only=True)
class Parameter:
    """One configuration parameter of a source.

    Attributes:
        about: One line for people: the documentation and the editors show it.
        choices: The texts that are allowed; empty means any.
        default: What holds when it is left out, as people would write it.
        schemes: What an address may begin with, such as `https`; empty means that it is none.
        joined_to: The parameter that an address without a scheme is joined to; without it an address must have one.
        among: The list of texts, another parameter, that the texts of this one must be taken from; empty means any.
        flaw: Looks at a text, and at each of a list of texts; returns what is wrong with it, in words that go on after
            the parameter's name ("must be ..."), or None. Quick, and touches nothing. None when every text is right.
    """

    kind: Kind
    about: str
    required: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    schemes: tuple[str, ...] = ()
    joined_to: str = ""
    among: str = ""
    flaw: Callable[[str], str | None] | None = None


@attrs.frozen(kw_only=True)
class SourceType:
    """A kind of source, such as `process`.

    Attributes:
        name: What a flow writes under `type`.
        about: One line for people.
        parameters: Its configuration, by name.
        requires_any: Groups of parameters of which at least one must be given.
        payload_names: Expression roots beside the usual ones that the configuration may use under
            `template_when`: `input` and `json`.
        template_when: The parameter and the value under which `payload_names` hold: ``("pass_to", "template")``.
        blocking: False when a call never waits for anything, so that it may run on the event loop itself.
        values: True when the source's values may be read as `sources.<name>` in every expression (an `env` source).
        open: True when the configuration is not declared (a third-party source): any key is let through.
        grace_s: How long a call may go on after its deadline, or after it was cancelled, in seconds; then it is given
            up. Short where nothing can be done about it anyway.
    """

    name: str
    about: str
    parameters: Mapping[str, Parameter]
    requires_any: tuple[tuple[str, ...], ...] = ()
    payload_names: tuple[str, ...] = ()
    template_when: tuple[str, str] | None = None
    blocking: bool = True
    values: bool = False
    open: bool = False
    grace_s: float = 3.0


SLOW: Final = "slow_ms"
"""The configuration of a workflow's node that says how long to pause before it runs, in milliseconds: then it waits."""

Catalog: TypeAlias = Mapping[str, SourceType]
"""The kinds of sources that are available, by name."""
