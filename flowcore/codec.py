"""Events and the data that stands for them in a log: JSON, with a type and a schema version beside it.

The types on disk are the class names. What an older version wrote is brought up to date by the upcasters of its type,
one schema version at a time; what cannot be read (an unknown type, a newer schema, a broken payload) is refused, never
skipped (invariant I21). A field that has its default is left out, so **a default is part of the storage format** as a
name is: changing one needs an upcaster too.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import NoneType, UnionType
from typing import Final, Generic, NewType, TypeAlias, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.preconf.json import make_converter

from .artifacts import Artifact, ArtifactPort, Resources, Store, Well
from .batch.events import BatchEvent, BatchItem
from .errors import EventFormatError
from .maker import maker
from .model import Breakpoints, Flow, Loop, Output, RetryPolicy, Secret, Source, Step
from .run.events import AttemptStarted, AttemptSucceeded, Event, FanOutStarted, LogLine
from .values import Json

Data: TypeAlias = dict[str, Json]
Upcaster: TypeAlias = Callable[[Data], Data]
"""Turns the payload of one schema version into that of the next."""

E = TypeVar("E", bound=Event | BatchEvent)
_Encoder: TypeAlias = Callable[[E], Data]
_Decoder: TypeAlias = Callable[[Json, type[E]], E]


@attrs.frozen
class Encoded:
    """An event as data.

    Attributes:
        type: The name of its type.
        schema: The version of its payload's shape, counted from 1.
    """

    type: str
    schema: int
    data: Data


@attrs.frozen
class EventType(Generic[E]):
    """How one type of event is stored.

    Attributes:
        event: Its class, whose name is the type's name on disk.
        upcasters: The first one reads schema 1, the next schema 2, and so on.
    """

    event: type[E]
    upcasters: tuple[Upcaster, ...] = ()

    @property
    def schema(self) -> int:
        """The schema version that is written today."""
        return len(self.upcasters) + 1


UPCASTERS: Final[Mapping[type[Event | BatchEvent], tuple[Upcaster, ...]]] = {}
"""A type of event that changes its shape gets its upcasters here, oldest first."""
EVENT_TYPES: Final[Sequence[EventType[Event]]] = tuple(
    EventType(event, UPCASTERS.get(event, ())) for event in get_args(Event)
)
"""Every type of event of a run."""
BATCH_EVENT_TYPES: Final[Sequence[EventType[BatchEvent]]] = tuple(
    EventType(event, UPCASTERS.get(event, ())) for event in get_args(BatchEvent)
)
"""Every type of event of a batch."""
_PARTS: Final = (
    *(Flow, Source, Step, Output, RetryPolicy, Secret, Loop),
    *(Breakpoints, LogLine),
    *(Artifact, ArtifactPort, Resources, Store, Well),
    BatchItem,
)
"""What events are made of."""
_TOLD_PROBLEMS: Final = 5
"""How many problems of one payload are told."""


class Codec(Generic[E]):
    """Encodes and decodes the events of some types."""

    def __init__(self, types: Iterable[EventType[E]]) -> None:
        """Know *types* and no others."""
        self._types = {known.event.__name__: known for known in types}
        # Made when they are first needed: a command that runs one flow meets a few of the types.
        self._encoders: dict[type[E], tuple[str, int, _Encoder[E]]] = {}
        self._decoders: dict[str, _Decoder[E]] = {}

    def encode(self, event: E) -> Encoded:
        """Return *event* as data; it may share parts with the event, so leave it as it is.

        Raises:
            EventFormatError: The event is of a type that is not stored.
        """
        name, schema, unstructure = self._encoders.get(type(event)) or self._encoder(type(event))
        return Encoded(name, schema, unstructure(event))

    def decode(self, type: str, schema: int, data: Json) -> E:  # noqa: A002 - the word on disk
        """Return the event that was stored as *data*.

        Raises:
            EventFormatError: The type is unknown, the schema newer than this version of flowcore, or the data broken.
        """
        known = self._types.get(type)
        if known is None:
            raise EventFormatError(f"unknown event type {type!r}: a newer version of flowcore may know it")
        if not isinstance(data, dict):
            raise EventFormatError(f"broken {type}: expected a mapping")
        if schema != known.schema:
            data = _upcast(known, schema, data)
        try:
            return (self._decoders.get(type) or self._decoder(known))(data, known.event)
        except cattrs.BaseValidationError as error:
            problems = cattrs.transform_error(error, format_exception=_explain)
            raise EventFormatError(f"broken {type}: {'; '.join(problems[:_TOLD_PROBLEMS])}") from error

    def _encoder(self, event: type[E]) -> tuple[str, int, _Encoder[E]]:
        known = self._types.get(event.__name__)
        if known is None or known.event is not event:
            raise EventFormatError(f"events of type {event.__name__} are not stored")
        made = self._encoders[event] = (event.__name__, known.schema, _CONVERTER.get_unstructure_hook(event))
        return made

    def _decoder(self, known: EventType[E]) -> _Decoder[E]:
        made = self._decoders[known.event.__name__] = _CONVERTER.get_structure_hook(known.event)
        return made


def _upcast(known: EventType[E], schema: int, data: Data) -> Data:
    """Bring *data* to the present schema of its type."""
    name = known.event.__name__
    # A range, for what stands in a damaged file need not even be a number.
    if schema not in range(1, known.schema + 1):
        raise EventFormatError(
            f"{name} has schema {schema!r}, and this version of flowcore reads up to {known.schema}: use a newer one"
        )
    for upcaster in known.upcasters[schema - 1 :]:
        try:
            data = upcaster(data)
        except Exception as error:  # an upcaster may trust its input, and what it meets may be broken all the same
            raise EventFormatError(f"broken {name} of schema {schema}: {error!r}") from error
    return data


def _converter() -> cattrs.Converter:
    """Build the converter of the model and the events."""
    # `Json` names itself, so at run time it is a text, which its users' modules cannot always evaluate.
    names: dict[str, object] = {"Mapping": Mapping, "Sequence": Sequence, "Json": object}
    for stored in (*_PARTS, *get_args(Event), *get_args(BatchEvent)):
        attrs.resolve_types(stored, localns=names)
    json_type = attrs.fields(Step).input.type
    mapping_type = attrs.fields(Source).configuration.type
    tuple_type = attrs.fields(FanOutStarted).items.type

    converter = make_converter(forbid_extra_keys=True, omit_if_default=True)
    # What holds JSON is passed on as it is: it is immutable by agreement, and a copy would cost more than all the rest.
    converter.register_unstructure_hook_func(lambda type_: type_ in (json_type, mapping_type, tuple_type), _same)
    converter.register_structure_hook_factory(_is_tuple, _tuple_of)
    converter.register_structure_hook_func(lambda type_: type_ == json_type, _json)
    converter.register_structure_hook_func(lambda type_: type_ == mapping_type, _json_mapping)
    converter.register_structure_hook_func(lambda type_: type_ == tuple_type, _json_tuple)
    converter.register_structure_hook_factory(_is_optional, _optional)
    # cattrs would call `int`, `str` and `float`, which take nearly anything.
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(StrEnum, _word)  # which would be taken for the `str` that it also is
    converter.register_structure_hook_factory(_is_new_type, _renamed)
    for many in (Step, AttemptStarted, AttemptSucceeded):
        converter.register_structure_hook(many, _made(many, converter))
    return converter


def _made(cls: type[attrs.AttrsInstance], converter: cattrs.Converter) -> Callable[[Json, object], object]:
    """Return a quick hook for *cls*, of which there may be many thousands.

    Whatever it stumbles over is looked at again by the hook of cattrs, which says what is wrong and where.
    """
    make = maker(cls)
    general = converter.get_structure_hook(cls)
    types = {field.name: field.type for field in attrs.fields(cls)}
    hooks = {name: converter.get_structure_hook(type_) for name, type_ in types.items()}
    texts = frozenset(name for name, hook in hooks.items() if hook is _text)

    def structure(value: Json, type_: object) -> object:
        if not isinstance(value, dict):
            raise TypeError("expected a mapping")
        try:
            parts = {
                name: item if name in texts and type(item) is str else hooks[name](item, types[name])
                for name, item in value.items()
            }
            return make(**parts)
        except (LookupError, TypeError, ValueError, cattrs.BaseValidationError):
            return general(value, type_)

    return structure


def _same(value: Json) -> Json:
    return value


def _json(value: Json, _: object) -> Json:
    """Check that *value* is JSON through and through; without recursion, for its depth is not known."""
    rest = [value]
    while rest:
        item = rest.pop()
        if item is None or isinstance(item, (str, int)):
            continue
        if isinstance(item, dict):
            for key in item:
                if type(key) is not str:
                    raise TypeError("expected text as keys")
            rest.extend(item.values())
        elif isinstance(item, (list, tuple)):
            rest.extend(item)
        elif not isinstance(item, float):
            raise TypeError(f"{type(item).__name__} is not JSON")
        elif not math.isfinite(item):
            raise ValueError(f"{item} is not JSON")
    return value


def _json_mapping(value: Json, type_: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError("expected a mapping")
    return _json(value, type_)


def _json_tuple(value: Json, type_: object) -> tuple[Json, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError("expected a list")
    _json(value, type_)
    return tuple(value)


def _text(value: Json, _: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
    return value


def _texts(value: Json, type_: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError("expected a list")
    return tuple([item if type(item) is str else _text(item, type_) for item in value])


def _integer(value: Json, _: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("expected an integer")
    return value


def _number(value: Json, _: object) -> float:
    if not isinstance(value, (float, int)) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError("expected a number")
    return float(value)


def _truth(value: Json, _: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def _word(value: Json, type_: type[StrEnum]) -> StrEnum:
    return type_(_text(value, type_))


def _is_new_type(type_: object) -> bool:
    return isinstance(type_, NewType)


def _renamed(type_: NewType, converter: cattrs.Converter) -> Callable[[Json, object], object]:
    return converter.get_structure_hook(type_.__supertype__)


def _is_tuple(type_: object) -> bool:
    return get_origin(type_) is tuple


def _is_optional(type_: object) -> bool:
    members = get_args(type_)
    return get_origin(type_) in (Union, UnionType) and len(members) == 2 and NoneType in members  # noqa: PLR2004


def _tuple_of(type_: object, converter: cattrs.Converter) -> Callable[[Json, object], tuple[object, ...]]:
    element = get_args(type_)[0]
    structure = converter.get_structure_hook(element)
    if structure is _text:
        return _texts

    def structure_tuple(value: Json, _: object) -> tuple[object, ...]:
        if not isinstance(value, (list, tuple)):  # a text would give its characters
            raise TypeError("expected a list")
        return tuple([structure(item, element) for item in value])

    return structure_tuple


def _optional(type_: object, converter: cattrs.Converter) -> Callable[[Json, object], object]:
    (present,) = (member for member in get_args(type_) if member is not NoneType)
    structure = converter.get_structure_hook(present)

    def structure_optional(value: Json, _: object) -> object:
        return None if value is None else structure(value, present)

    return structure_optional


def _explain(error: BaseException, _: object) -> str:
    """Say what is wrong, for `cattrs.transform_error`, which adds the place."""
    match error:
        case KeyError():
            return "missing"
        case cattrs.ForbiddenExtraKeysError(extra_fields=names):
            return f"unknown keys {', '.join(sorted(names))}"
        case _:
            return str(error)


_CONVERTER: Final = _converter()
CODEC: Final = Codec(EVENT_TYPES)
"""The codec of every event of a run."""
BATCH_CODEC: Final = Codec(BATCH_EVENT_TYPES)
"""The codec of every event of a batch."""


def encode(event: Event) -> Encoded:
    """Return *event* as data (see `Codec.encode`)."""
    return CODEC.encode(event)


def decode(type: str, schema: int, data: Json) -> Event:  # noqa: A002 - the word on disk
    """Return the event of a run that was stored as *data* (see `Codec.decode`)."""
    return CODEC.decode(type, schema, data)
