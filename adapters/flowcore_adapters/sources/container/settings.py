"""What a `container` source is told."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from flowcore.catalog import Kind
from flowcore.documents.nodes.command_lines import Words, split_command
from flowcore.documents.nodes.templates import parse_template
from flowcore.expressions import to_text
from flowcore.values import Json
from flowcore_adapters.sources.configuration import MAX_OUTPUT, bad_configuration, parameter

from .limits import DEFAULT_CORES, DEFAULT_MEMORY, DEFAULT_PIDS

MAX_ARTIFACT: Final = 10_000_000_000
"""How large an output file may be unless told, in bytes."""


@attrs.frozen(kw_only=True)
class ContainerConfiguration:
    """What a `container` source is told."""

    image: str = parameter(Kind.TEXT, "The image; it is pulled when the engine does not have it.", required=True)
    command: str | Sequence[Json] | None = parameter(
        Kind.ANY,
        "The command: words, or one text that is split as a POSIX shell splits words; with `${Name}` for flags and the"
        " paths of ports. Without it the image's own.",
    )
    flags: Mapping[str, Json] | None = parameter(Kind.MAPPING, "Values for `${Name}` and the variables `FLAG_<NAME>`.")
    env: Mapping[str, Json] | None = parameter(Kind.MAPPING, "Further environment variables.")
    spare_outputs: tuple[str, ...] = parameter(
        Kind.TEXTS, "Output ports that nobody reads: they have a path, and what is left there is dropped.", default=()
    )
    all_inputs: tuple[str, ...] = parameter(
        Kind.TEXTS,
        "All input ports that there may be, with a file or without: in this order those get a number whose files or"
        " variables would be called the same.",
        default=(),
    )
    all_outputs: tuple[str, ...] = parameter(Kind.TEXTS, "The same of output ports.", default=())
    all_flags: tuple[str, ...] = parameter(Kind.TEXTS, "The same of flags, for their variables.", default=())
    cores: float | None = parameter(
        Kind.SECONDS, f"Processor cores; the step's resources when it has some, else {DEFAULT_CORES:g}."
    )
    memory: int | None = parameter(
        Kind.INTEGER,
        f"Memory, swap included, in bytes; the step's resources when it has some, else {DEFAULT_MEMORY}.",
        at_least=6_291_456,
    )
    pids: int = parameter(
        Kind.INTEGER, "How many processes and threads there may be.", default=DEFAULT_PIDS, at_least=1
    )
    timeout: float | None = parameter(
        Kind.SECONDS, "How long it may take, in seconds; the step's `timeout` holds as well."
    )
    max_output: int = parameter(
        Kind.INTEGER, "How many bytes it may print, on both streams together.", default=MAX_OUTPUT, at_least=1
    )
    max_artifact: int = parameter(
        Kind.INTEGER, "How large a file that it leaves may be, in bytes.", default=MAX_ARTIFACT, at_least=1
    )


def words_of(configuration: ContainerConfiguration) -> Words:
    """Return the words of the command, their variables still open; none for the image's own.

    Raises:
        SourceError: It is no command.
    """
    given = configuration.command
    if given is None:
        return ()
    if isinstance(given, str):
        try:
            return split_command(given)
        except ValueError as error:
            raise bad_configuration(f"the command cannot be split into words: {error}") from None
    if isinstance(given, (Mapping, int, float)):
        raise bad_configuration("'command' must be a text or a list of words")
    return tuple(parse_template(to_text(word)) for word in given)


def texts(values: Mapping[str, Json] | None) -> dict[str, str]:
    """Return flags or environment variables as texts; null is none."""
    return {name: to_text(value) for name, value in (values or {}).items() if value is not None}
