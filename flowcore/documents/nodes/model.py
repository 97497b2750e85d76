"""The objects of the document, as they were written: nothing is checked here but types (contract flow-runs, section 2).

Names on the wire are in PascalCase (`MaxAttempts`). A family of ports or flags is None when the document does not
declare it, and empty when it declares that there are none: the two mean different things (section 5).
"""

from typing import Final

import attrs

from flowcore.errors import Path
from flowcore.values import Json

BUILT_IN_STORE: Final = "default"
"""The local store that is there without being declared."""
DEFAULT_TIER: Final = "c-small"
DEFAULT_ATTEMPTS: Final = 3
SOURCES: Final = ("upload", "static", "webhook")
"""What a data well may be fed by."""


@attrs.frozen(kw_only=True)
class Binding:
    """One port of a node tied to an edge.

    Attributes:
        path: Where it stands in the document, as for all objects here.
    """

    name: str
    edge: str
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class FlagValue:
    """The value that a node gives a flag; an empty one is given too."""

    name: str
    value: str
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Node:
    """A use of a definition.

    Attributes:
        uses: ``Publisher/Name`` of the definition.
    """

    id: str
    uses: str
    inputs: tuple[Binding, ...] = ()
    outputs: tuple[Binding, ...] = ()
    flags: tuple[FlagValue, ...] = ()
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Port:
    """An input or output that a definition declares.

    Attributes:
        types: The content types as written; none means any.
    """

    name: str
    required: bool = False
    types: tuple[str, ...] = ()
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Flag:
    """A flag that a definition declares."""

    name: str
    required: bool = False
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Definition:
    """What a node does: an image, its command, its ports and flags.

    Attributes:
        inputs: None when the family is open: any name is accepted, nothing is required, the type is any.
        outputs: As `inputs`.
        flags: As `inputs`.
        command: The command line as written; empty leaves it to the image.
        max_attempts: All attempts, the first included; 0 or less means 3.
    """

    publisher: str
    name: str
    image: str = ""
    inputs: tuple[Port, ...] | None = None
    outputs: tuple[Port, ...] | None = None
    flags: tuple[Flag, ...] | None = None
    command: str = ""
    tier: str = ""
    max_attempts: int = 0
    path: Path = attrs.field(default=(), eq=False, repr=False)

    @property
    def full_name(self) -> str:
        """What nodes call it."""
        return f"{self.publisher}/{self.name}"

    @property
    def attempts(self) -> int:
        """How often a node is tried, the first time included."""
        return self.max_attempts if self.max_attempts > 0 else DEFAULT_ATTEMPTS


@attrs.frozen(kw_only=True)
class Store:
    """Where objects are kept.

    Attributes:
        params: As written; None leaves them to the server's configuration. They may hold secrets: never show them.
    """

    name: str
    type: str
    params: Json = attrs.field(default=None, repr=False)
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Lifetime:
    """How long an object is kept, in seconds; None keeps it."""

    seconds: float | None = None


@attrs.frozen(kw_only=True)
class DataWell:
    """What ties an edge to a store: it keeps what nodes produce, or feeds what nodes read.

    Attributes:
        source: `upload`, `static` or `webhook` (or whatever was written); None keeps what a node produces.
        key: The template of the object's name, or None.
    """

    edge: str
    store: str
    source: str | None = None
    key: str | None = None
    lifetime: Lifetime = Lifetime()
    path: Path = attrs.field(default=(), eq=False, repr=False)


@attrs.frozen(kw_only=True)
class NodeFlow:
    """The flow: nodes tied together by the names of their edges.

    Attributes:
        default_well: What holds for every edge without a well of its own, or None.
    """

    name: str = ""
    stores: tuple[Store, ...] = ()
    default_well: DataWell | None = None
    wells: tuple[DataWell, ...] = ()
    nodes: tuple[Node, ...] = ()
    path: Path = attrs.field(default=(), eq=False, repr=False)

    @property
    def storage_less(self) -> bool:
        """Whether it declares no storage at all: the built-in store then keeps every produced edge (section 5b)."""
        return not self.stores and not self.wells and self.default_well is None


@attrs.frozen(kw_only=True)
class NodeDocument:
    """A flow and the definitions that its nodes use."""

    flow: NodeFlow
    definitions: tuple[Definition, ...] = ()
