"""What all sources share: a configuration that is declared once and read with its types, and the limit of a call.

A source declares its configuration as a frozen attrs class whose fields are made by `parameter`. `parameters` derives
from it what front ends, editors and the documentation need; a `Reader` makes an instance of a rendered configuration.
The front ends have checked every value in which no expression stood; the types of the others are known only here.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, cast

import attrs

from flowcore.catalog import Kind, Parameter, SourceType
from flowcore.errors import SourceError
from flowcore.expressions import to_text
from flowcore.ports import SourceCall
from flowcore.values import Json

_DECLARED: Final = "flowcore.parameter"
_KEPT: Final = 16
"""How many configurations a reader remembers: enough for the sources of a flow that stay as they are, and few enough
that rendered ones, which are never seen again, hold no memory worth a thought."""
_TENTH: Final = 0.1
_MEGABYTE: Final = 1_000_000
MAX_OUTPUT: Final = 10 * _MEGABYTE
"""How many bytes a source takes in unless told (contract safety)."""

_T = TypeVar("_T")


def parameter(
    kind: Kind,
    about: str,
    *,
    default: object = None,
    required: bool = False,
    choices: tuple[str, ...] = (),
    at_least: int | None = None,
    schemes: tuple[str, ...] = (),
    joined_to: str = "",
    among: str = "",
    flaw: Callable[[str], str | None] | None = None,
    late_flaw: Callable[[str], str | None] | None = None,
) -> Any:  # noqa: ANN401 - as attrs.field, so that it can stand where a field of any type is declared
    """Declare a field of a configuration class.

    The field's type follows from *kind*: text `str`, number and seconds `float`, integer `int`, boolean `bool`, words
    and texts `tuple[str, ...]`, names `bool | tuple[str, ...]`, mapping `Mapping[str, Json]`, any `Json`; or None when
    *default* is None and it is not *required*. Null in a configuration is the same as nothing.

    Args:
        late_flaw: What is wrong with a text when the source is called, where less is than when a flow is loaded.
    """
    found_late = late_flaw or flaw
    read = _READERS[kind]

    def convert(value: Json, field: "attrs.Attribute[object]") -> object:
        if value is None:
            if required:
                raise bad_configuration(f"'{field.name}' is missing")
            return default
        found = read(field.name, value)
        if choices and found not in choices:
            raise _unfit(field.name, " or ".join(choices), value)
        if at_least is not None and isinstance(found, int) and found < at_least:
            raise _unfit(field.name, f"at least {at_least}", value)
        if found_late is not None:
            _look(field.name, value, found, found_late)
        return found

    declared = Parameter(
        kind=kind,
        about=about,
        required=required,
        choices=choices,
        default=_shown(default),
        schemes=schemes,
        joined_to=joined_to,
        among=among,
        flaw=flaw,
    )
    converter = attrs.Converter(convert, takes_field=True)
    return cast("Any", attrs.field(default=None, converter=converter, metadata={_DECLARED: declared}))


def parameters(configuration: type[attrs.AttrsInstance]) -> Mapping[str, Parameter]:
    """Return what the fields of *configuration* declare, by name."""
    fields = attrs.fields(configuration)
    return MappingProxyType({field.name: field.metadata[_DECLARED] for field in fields})


class Reader(Generic[_T]):
    """Makes instances of a configuration class from rendered configurations.

    A configuration without expressions is the same object in every call; it is read once.
    """

    def __init__(self, kind: SourceType, make: Callable[..., _T]) -> None:
        """Read configurations of *kind* with *make*, the class that its parameters were derived from."""
        self._kind = kind
        self._make = make
        self._read: dict[int, tuple[Mapping[str, Json], _T]] = {}

    def __call__(self, values: Mapping[str, Json]) -> _T:
        """Return *values* with their types; *values* must not change afterwards.

        Raises:
            SourceError: A value does not fit; trying again cannot help.
        """
        known = self._read.get(id(values))
        # The id says nothing by itself: the entry holds its mapping, so as long as it is there nobody else has that id.
        if known is not None and known[0] is values:
            return known[1]
        self._check(values)
        made = self._make(**values)
        self._check_names(made)
        if len(self._read) >= _KEPT:
            self._read.clear()
        self._read[id(values)] = (values, made)
        return made

    def _check(self, values: Mapping[str, Json]) -> None:
        unknown = [name for name in values if name not in self._kind.parameters]
        if unknown:
            raise bad_configuration(f"a `{self._kind.name}` source has no '{unknown[0]}'")
        for group in self._kind.requires_any:
            if all(values.get(name) is None for name in group):
                names = " or ".join(f"'{name}'" for name in group)
                raise bad_configuration(f"a `{self._kind.name}` source needs {names}")

    def _check_names(self, made: _T) -> None:
        """Refuse names that the list they are taken from has not; only what was rendered can have them."""
        for name, declared in self._kind.parameters.items():
            if not declared.among:
                continue
            listed: tuple[str, ...] = getattr(made, declared.among)
            named: bool | tuple[str, ...] = getattr(made, name)
            if not isinstance(named, bool):
                _check_among(name, named, declared.among, listed)


def _check_among(name: str, named: Sequence[str], among: str, listed: Sequence[str]) -> None:
    known = frozenset(listed)
    strange = next((each for each in named if each not in known), None)
    if strange is not None:
        # Who never sees this does without the front end.
        from flowcore.documents.configuration import enumeration
        from flowcore.documents.findings import did_you_mean

        hint = did_you_mean(strange, listed)
        message = f"'{name}' must be of what '{among}' lists ({enumeration(listed)}), not '{strange[:80]}'"
        raise bad_configuration(message if hint is None else f"{message} ({hint})")


@attrs.frozen
class TimeLimit:
    """When a call must be over.

    Attributes:
        at: The moment, in seconds of the monotonic clock.
        shown: How long the limit is, for people: the whole of it, also when some of it was over at the start.
    """

    at: float
    shown: str

    def left(self) -> float:
        """Return the seconds that are left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    def error(self, addition: str = "") -> SourceError:
        """Return the failure of a call that did not keep to it."""
        return SourceError(f"timeout after {self.shown} s{addition}", code="timeout")


def time_limit(call: SourceCall, timeout_s: float | None = None) -> TimeLimit:
    """Return the limit of *call*: its deadline, or its source's own *timeout_s* when that is over first."""
    now = time.monotonic()
    if timeout_s is not None and now + timeout_s <= call.deadline:
        return TimeLimit(now + timeout_s, f"{timeout_s:.12g}")
    if call.timeout_s is not None:
        return TimeLimit(call.deadline, f"{call.timeout_s:.12g}")
    left = max(0.0, call.deadline - now)
    # A limit that nobody has told has lost some milliseconds on its way: 0.297 is meant to be 0.3.
    return TimeLimit(call.deadline, f"{round(left + 0.005, 1):.12g}" if left > _TENTH else f"{left:.1g}")


def bad_configuration(message: str) -> SourceError:
    """Return the failure of a call whose configuration cannot be used; trying again cannot help."""
    return SourceError(message, code="bad-configuration", retryable=False)


def too_large(limit: int) -> SourceError:
    """Return the failure of a call whose other side sends more than *limit* bytes."""
    size = f"{limit // _MEGABYTE} MB" if limit % _MEGABYTE == 0 else f"{limit} bytes"
    return SourceError(f"output too large (more than {size})", code="output-too-large", retryable=False)


def stopped() -> SourceError:
    """Return the failure of a call that nobody wants the answer of any more."""
    return SourceError("stopped", code="cancelled", retryable=False)


def read_seconds(name: str, value: Json) -> float:
    """Return *value* as a number of seconds that is 0 or more."""
    seconds = _number(name, value)
    if seconds < 0:
        raise _unfit(name, "a number of seconds", value)
    return seconds


def _unfit(name: str, wanted: str, value: Json) -> SourceError:
    return bad_configuration(f"'{name}' must be {wanted}, but it is {to_text(value)[:80]!r}")


def _look(name: str, value: Json, found: object, flaw: Callable[[str], str | None]) -> None:
    single = isinstance(found, str)
    for place, text in enumerate((str(found),) if single else _texts(name, value)):
        wrong = flaw(text)
        if wrong is not None:
            raise bad_configuration(f"'{name}' {wrong}" if single else f"'{name}[{place}]' {wrong}")


def _shown(default: object) -> str | None:
    """Return *default* as people would write it."""
    if default is None:
        return None
    return str(default).lower() if isinstance(default, bool) else "[]" if default == () else str(default)


def _text(name: str, value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # `8080` where a text stands is what people write for text.
        return to_text(value)
    raise _unfit(name, "text", value)


def _number(name: str, value: Json) -> float:
    """Return the number that *value* is, or spells: what comes from the environment is text."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise _unfit(name, "a number", value)


def _seconds(name: str, value: Json) -> float:
    seconds = _number(name, value)
    if seconds <= 0:
        raise _unfit(name, "a number of seconds above 0", value)
    return seconds


def _integer(name: str, value: Json) -> int:
    number = _number(name, value)
    if not number.is_integer():
        raise _unfit(name, "a whole number", value)
    return int(number)


def _boolean(name: str, value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise _unfit(name, "true or false", value)


def _texts(name: str, value: Json) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise _unfit(name, "a list of texts", value)
    for place, item in enumerate(value):
        if item is None:
            # An empty text in its place would be a guess, and `rm` and its like punish guesses.
            raise bad_configuration(f"'{name}[{place}]' is null; `| default('')` makes it empty text")
    return tuple(to_text(item) for item in value)


def _words(name: str, value: Json) -> tuple[str, ...]:
    words = _texts(name, value)
    if not words or not words[0]:
        raise bad_configuration(f"'{name}' is empty")
    return words


def _names(name: str, value: Json) -> bool | tuple[str, ...]:
    return value if isinstance(value, bool) else _texts(name, value)


def _mapping(name: str, value: Json) -> Mapping[str, Json]:
    if isinstance(value, Mapping):
        return value
    raise _unfit(name, "a mapping", value)


def _any(_name: str, value: Json) -> Json:
    return value


_READERS: Final[Mapping[Kind, Callable[[str, Json], object]]] = MappingProxyType(
    {
        Kind.TEXT: _text,
        Kind.NUMBER: _number,
        Kind.SECONDS: _seconds,
        Kind.INTEGER: _integer,
        Kind.BOOLEAN: _boolean,
        Kind.WORDS: _words,
        Kind.TEXTS: _texts,
        Kind.NAMES: _names,
        Kind.MAPPING: _mapping,
        Kind.ANY: _any,
    }
)
