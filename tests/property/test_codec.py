from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import TypeAlias, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.codec import decode, encode
from flowcore.errors import EventFormatError
from flowcore.json_text import from_json, to_json
from flowcore.model import Source, Step
from flowcore.run.events import Event
from flowcore.values import Json

pytestmark = pytest.mark.property

Strategy: TypeAlias = st.SearchStrategy[object]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | st.integers() | numbers | texts
json: st.SearchStrategy[Json] = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=10
)
hostile_json: st.SearchStrategy[Json] = st.recursive(
    plain | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)

JSON_TYPE = attrs.fields(Step).input.type
"""`Json`, as the codec has resolved it."""
JSON_MAPPING = attrs.fields(Source).configuration.type


COUNTS = {
    "max_attempts": st.integers(min_value=1),
    "max_parallel": st.none() | st.integers(min_value=1),
    "max_iterations": st.integers(min_value=1),
}
"""Fields whose values are checked when the object is made."""
INNER = st.builds(Step, name=texts, source=texts)
"""The steps of a body; bodies in bodies are made of the same parts."""


def member(name: str, type_: object) -> Strategy:
    """Return what fits the field *name* of *type_*."""
    if name == "max_workers":
        return st.integers(min_value=1)
    if name == "body":
        return st.lists(INNER, max_size=2).map(tuple)
    return COUNTS[name] if name in COUNTS else strategy(type_)


@cache
def strategy(type_: object) -> Strategy:
    """Return what fits a field of *type_*: read from the annotations, so that a new field needs nothing here."""
    type_ = getattr(type_, "__supertype__", type_)  # what a NewType stands for
    simple: dict[object, Strategy] = {str: texts, int: st.integers(), float: numbers, bool: st.booleans()}
    if type_ in simple:
        return simple[type_]
    if type_ == JSON_TYPE:
        return json
    if isinstance(type_, type) and issubclass(type_, StrEnum):
        return st.sampled_from(list(type_))
    if isinstance(type_, type) and attrs.has(type_):
        return st.builds(type_, **{field.name: member(field.name, field.type) for field in attrs.fields(type_)})
    origin, arguments = get_origin(type_), get_args(type_)
    if NoneType in arguments:
        return st.none() | strategy(arguments[0])
    if origin is tuple:
        return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(strategy(arguments[0]), strategy(arguments[1]), max_size=3)
    raise NotImplementedError(type_)


events: Strategy = st.one_of([strategy(event) for event in get_args(Event)])


@given(events)
def test_every_event_comes_back_as_it_went(event: Event) -> None:
    encoded = encode(event)
    text = to_json(encoded.data)
    decoded = decode(encoded.type, encoded.schema, from_json(text))
    assert decoded == event
    assert repr(decoded) == repr(event)
    assert to_json(encode(decoded).data) == text


@given(st.sampled_from([event.__name__ for event in get_args(Event)]), st.integers(-1, 2), hostile_json)
def test_hostile_payloads_give_named_errors(type_: str, schema: int, data: Json) -> None:
    with pytest.raises(EventFormatError):
        decode(type_, schema, data)


@given(events, st.data())
def test_a_changed_payload_is_read_or_refused_by_name(event: Event, draw: st.DataObject) -> None:
    encoded = encode(event)
    key = draw.draw(st.sampled_from([*encoded.data, "more"]))
    changed = {**encoded.data, key: draw.draw(hostile_json)}
    try:
        decoded = decode(encoded.type, encoded.schema, changed)
    except EventFormatError:
        return
    assert type(decoded) is type(event)


@given(hostile_json)
def test_what_can_be_written_can_be_read(data: Json) -> None:
    try:
        text = to_json({"data": data})
    except EventFormatError:
        return
    assert from_json(text) == {"data": data}
    assert text.encode().decode() == text


@given(st.text())
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        data = from_json(text)
    except EventFormatError:
        return
    assert from_json(to_json({"data": data})) == {"data": data}
