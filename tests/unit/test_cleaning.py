"""What comes from a source is made fit for the log: JSON and nothing but JSON, of a bounded size."""

import math
from datetime import UTC, datetime

import pytest

from flowcore.cleaning import MAX_BITS, MAX_DEPTH, clean
from flowcore.errors import SourceError
from flowcore.values import Json

NOT_FINITE = "a number that JSON cannot hold (NaN or infinite) became null"
NOT_UNICODE = "text that is no valid Unicode was replaced"


def nested(depth: int) -> Json:
    """Return lists that are nested *depth* deep."""
    value: Json = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [None, True, False, 0, -7, 1.5, "", "text", "ünï ❤ 😀", [], {}, [1, [2]], {"a": {"b": []}}]
)
def test_json_stays_as_it_is(value: Json) -> None:
    cleaned, notes = clean(value)
    assert cleaned == value
    assert type(cleaned) is type(value)
    assert notes == ()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_cannot_hold_become_null(value: float) -> None:
    assert clean([value, value]) == ([None, None], (NOT_FINITE,))


def test_lone_surrogates_become_the_replacement_character() -> None:
    assert clean({"k\ud800": "a\udfffb"}) == ({"k\ufffd": "a\ufffdb"}, (NOT_UNICODE,))


def test_a_pair_of_surrogates_becomes_its_character() -> None:
    assert clean("\ud83d\ude00") == ("😀", (NOT_UNICODE,))


def test_each_note_is_told_once_in_the_order_of_what_was_met() -> None:
    assert clean(["\ud800", math.nan, "\ud800"]) == (["\ufffd", None, "\ufffd"], (NOT_UNICODE, NOT_FINITE))


def test_tuples_become_lists() -> None:
    assert clean((1, (2, 3))) == ([1, [2, 3]], ())


def test_the_result_shares_nothing_that_can_be_changed() -> None:
    inner: list[Json] = [1]
    value: dict[str, Json] = {"inner": inner}
    cleaned, _ = clean(value)
    inner.append(2)
    value["more"] = 3
    assert cleaned == {"inner": [1]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1: "a"}, "the data has a key that is no text but a int"),
        ({None: "a"}, "the data has a key that is no text but a NoneType"),
        ([b"bytes"], "the data holds a bytes, which is no JSON"),
        ({"a": {1, 2}}, "the data holds a set, which is no JSON"),
        (datetime(2024, 1, 1, tzinfo=UTC), "the data holds a datetime, which is no JSON"),
        (1 << MAX_BITS, "the data holds a number of thousands of digits"),
    ],
)
def test_what_json_has_no_word_for_is_refused(value: object, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        clean(value)
    assert str(caught.value) == message
    assert (caught.value.code, caught.value.retryable) == ("bad-data", False)


def test_a_number_of_just_so_many_bits_can_be_written_out() -> None:
    largest = (1 << MAX_BITS) - 1
    assert clean(largest) == (largest, ())
    assert str(largest).isdecimal()


def test_data_may_be_nested_so_deep_and_no_deeper() -> None:
    assert clean(nested(MAX_DEPTH)) == (nested(MAX_DEPTH), ())
    for too_deep in (nested(MAX_DEPTH + 1), [{"a": nested(MAX_DEPTH - 1)}]):
        with pytest.raises(SourceError, match="nested deeper than 100 levels"):
            clean(too_deep)


def test_data_that_holds_itself_is_too_deep() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(SourceError, match="nested deeper"):
        clean(circle)


@pytest.mark.parametrize("value", ["x" * 99, [0] * 30, {"x" * 99: 0}, [[] for _ in range(30)]])
def test_data_that_is_too_large_is_refused(value: object) -> None:
    with pytest.raises(SourceError, match="output too large") as caught:
        clean(value, max_size=100)
    assert (caught.value.code, caught.value.retryable) == ("output-too-large", False)


def test_data_that_just_fits_is_kept() -> None:
    assert clean("x" * 98, max_size=100) == ("x" * 98, ())
