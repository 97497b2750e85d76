"""From parsed JSON or YAML to the typed document (contract flow-runs, sections 1 and 2).

Keys are matched as Go matches them, in any case, and of two that match the later one counts. Unknown keys are passed
over, and null is the same as nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from flowcore.documents.fields import LONGEST_S, type_name
from flowcore.documents.findings import Findings
from flowcore.documents.plain import check_plain
from flowcore.errors import Path, Severity
from flowcore.values import Json

from .model import Binding, DataWell, Definition, Flag, FlagValue, Lifetime, Node, NodeDocument, NodeFlow, Port, Store

T = TypeVar("T")

_LEAST_INTEGER: Final = -(2**63)
_MOST_INTEGER: Final = 2**63 - 1
_MOST_ATTEMPTS: Final = 1_000_000
_UNITS: Final = (("Seconds", 1.0), ("Days", 86_400.0))


def read_document(body: Json, findings: Findings) -> NodeDocument:
    """Return the document ``{Flow, NodeDefs}``; what has the wrong type is noted and read as if it were not there.

    Args:
        body: What the JSON or YAML text says.
        findings: Takes the problems: DOC_001 and WARN_001.
    """
    plain = Findings()
    check_plain(body, plain)
    for problem in plain.problems:
        findings.add("DOC_001", problem.path, problem.message, hint=problem.hint)
    if not plain.sound:
        return NodeDocument(flow=NodeFlow())
    top = Members(body, (), findings)
    return NodeDocument(flow=_flow(top.member("Flow")), definitions=tuple(top.each("NodeDefs", _definition) or ()))


class Members:
    """The members of one object of the document."""

    def __init__(self, value: Json, path: Path, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self._values: dict[str, tuple[str, Json]] = {}
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._values[key.casefold()] = (key, item)
        elif value is not None:
            findings.add("DOC_001", path, f"an object is wanted here, not {type_name(value)}")

    def raw(self, key: str) -> Json:
        """Return what stands under *key*, or None."""
        return self._values.get(key.casefold(), (key, None))[1]

    def place(self, key: str) -> Path:
        """Return the path of *key*, spelled as the document spells it."""
        return (*self.path, self._values.get(key.casefold(), (key, None))[0])

    def refuse(self, key: str, message: str, *, hint: str | None = None) -> None:
        """Note that what stands under *key* has the wrong type."""
        self.findings.add("DOC_001", self.place(key), message, hint=hint)

    def text(self, key: str) -> str:
        """Return the text under *key*; an empty one when there is none."""
        return self.optional_text(key) or ""

    def optional_text(self, key: str) -> str | None:
        """Return the text under *key*, or None."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, str):
            if "\0" not in value:
                return value
            self.refuse(key, f"'{key}' holds a NUL character, which no program and no store takes")
        else:
            hint = "put it in quotes" if isinstance(value, (int, float)) else None
            self.refuse(key, f"'{key}' must be text, not {type_name(value)}", hint=hint)
        return None

    def flag(self, key: str) -> bool:
        """Return the boolean under *key*; False when there is none."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.refuse(key, f"'{key}' must be true or false, not {type_name(value)}")
        return False

    def whole(self, key: str) -> int:
        """Return the whole number under *key*; 0 when there is none."""
        value = self.raw(key)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, f"'{key}' must be a whole number, not {type_name(value)}")
        elif not _LEAST_INTEGER <= value <= _MOST_ATTEMPTS:
            self.refuse(key, f"'{key}' must be at most {_MOST_ATTEMPTS}")
        else:
            return value
        return 0

    def amount(self, key: str) -> float | None:
        """Return the number under *key*, which must not be negative, or None."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(key, f"'{key}' must be a number, not {type_name(value)}")
        elif value < 0 or value > _MOST_INTEGER:
            self.refuse(key, f"'{key}' must be a number from 0 on, not {value}")
        else:
            return float(value)
        return None

    def member(self, key: str) -> "Members":
        """Return the object under *key*; an empty one when there is none."""
        return Members(self.raw(key), self.place(key), self.findings)

    def optional(self, key: str, read: "Callable[[Members], T]") -> T | None:
        """Return what *read* makes of the object under *key*, or None."""
        return None if self.raw(key) is None else read(self.member(key))

    def each(self, key: str, read: "Callable[[Members], T]") -> list[T] | None:
        """Return what *read* makes of each object of the list under *key*, or None when there is no list."""
        value = self._items(key)
        if value is None:
            return None
        place = self.place(key)
        return [read(Members(item, (*place, number), self.findings)) for number, item in enumerate(value)]

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts under *key*; an empty one when there is none."""
        value = self._items(key) or ()
        found = [item for item in value if isinstance(item, str)]
        if len(found) < len(value):
            self.refuse(key, f"'{key}' must be a list of texts")
        return tuple(found)

    def _items(self, key: str) -> list[Json] | tuple[Json, ...] | None:
        value = self.raw(key)
        if value is None or isinstance(value, (list, tuple)):
            return value
        self.refuse(key, f"'{key}' must be a list, not {type_name(value)}")
        return None

    def deprecated(self, key: str, instead: str) -> None:
        """Warn of an old field."""
        if self.raw(key) is not None:
            message = f"'{key}' means nothing any more"
            self.findings.add("WARN_001", self.place(key), message, hint=instead, severity=Severity.WARNING)


def _flow(members: Members) -> NodeFlow:
    members.deprecated("DefaultStore", "use `DefaultDataWell: {Store: ...}`")
    members.deprecated("AvailableNodes", "the definitions stand in `NodeDefs`")
    return NodeFlow(
        name=members.text("Name"),
        stores=tuple(members.each("Stores", _store) or ()),
        default_well=members.optional("DefaultDataWell", _well),
        wells=tuple(members.each("DataWells", _well) or ()),
        nodes=tuple(members.each("Nodes", _node) or ()),
        path=members.path,
    )


def _store(members: Members) -> Store:
    # What is in `Params` depends on the type, so that is for the validation to say.
    return Store(name=members.text("Name"), type=members.text("Type"), params=members.raw("Params"), path=members.path)


def _well(members: Members) -> DataWell:
    members.deprecated("Type", "`Source` says what feeds the well")
    return DataWell(
        edge=members.text("Edge"),
        store=members.text("Store"),
        source=members.optional_text("Source"),
        key=members.optional_text("Key"),
        lifetime=members.optional("Lifetime", _lifetime) or Lifetime(),
        path=members.path,
    )


def _lifetime(members: Members) -> Lifetime:
    """Return the lifetime; an empty object keeps for ever, and of both units the sum counts."""
    given = [amount * factor for key, factor in _UNITS if (amount := members.amount(key)) is not None]
    return Lifetime(seconds=min(sum(given), LONGEST_S * 100) if given else None)


def _node(members: Members) -> Node:
    members.deprecated("DefName", "`Uses` names the definition")
    return Node(
        id=members.text("ID"),
        uses=members.text("Uses"),
        inputs=tuple(members.each("Inputs", _binding) or ()),
        outputs=tuple(members.each("Outputs", _binding) or ()),
        flags=tuple(members.each("Flags", _flag_value) or ()),
        path=members.path,
    )


def _binding(members: Members) -> Binding:
    return Binding(name=members.text("Name"), edge=members.text("Edge"), path=members.path)


def _flag_value(members: Members) -> FlagValue:
    return FlagValue(name=members.text("Name"), value=members.text("Value"), path=members.path)


def _definition(members: Members) -> Definition:
    inputs = members.each("Inputs", _port)
    outputs = members.each("Outputs", _port)
    flags = members.each("Flags", _flag)
    return Definition(
        publisher=members.text("Publisher"),
        name=members.text("Name"),
        image=members.text("Image"),
        inputs=None if inputs is None else tuple(inputs),
        outputs=None if outputs is None else tuple(outputs),
        flags=None if flags is None else tuple(flags),
        command=members.member("Command").text("Exec"),
        tier=members.text("Tier"),
        max_attempts=members.whole("MaxAttempts"),
        path=members.path,
    )


def _port(members: Members) -> Port:
    return Port(
        name=members.text("Name"),
        required=members.flag("Required"),
        types=members.texts("Type"),
        path=members.path,
    )


def _flag(members: Members) -> Flag:
    return Flag(name=members.text("Name"), required=members.flag("Required"), path=members.path)
