"""What a request body may hold (contract safety): 400, naming the place, for what not everybody reads alike."""

import json

import falcon
import pytest

from flowcore_adapters.http.incoming.json_body import MAX_DEPTH, parse_object


def nested(levels: int) -> bytes:
    """Return an object that is nested so many levels deep, itself included."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("body", ["{}", '{"executionId": "exec-1"}', '{"a": [1, 2.5, null, {"b": "ü"}]}', '{"": [[]]}'])
def test_an_object_is_taken_as_it_is(body: str) -> None:
    assert parse_object(body.encode()) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        (b'{"a": 1}\n}', "the body is not JSON: Extra data (line 2, column 1)"),
        (b'{"a": NaN}', "the body is not JSON: NaN is not JSON"),
        (b'{"a": -Infinity}', "the body is not JSON: -Infinity is not JSON"),
        (b'{"a": 1e400}', "the body is not JSON: 1e400 is too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "the body is not JSON: the key 'a' is there more than once"),
        (b'{"a": {"b": 1, "b": 1}}', "the body is not JSON: the key 'b' is there more than once"),
        (b'{"a": "\\ud800"}', "the body holds a lone surrogate, in '\\ud800'"),
        (b'{"\\ud800": 1}', "the body holds a lone surrogate, in '\\ud800'"),
        (b'{"a": "\xff"}', "the body is not UTF-8: byte 7"),
        (b"[]", "the body must be a JSON object"),
        (b'"text"', "the body must be a JSON object"),
        (b"17", "the body must be a JSON object"),
        (nested(MAX_DEPTH + 1), "the body is nested more than 64 levels deep"),
        (nested(200_000), "the body is nested more than 64 levels deep"),
    ],
)
def test_anything_else_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(falcon.HTTPBadRequest) as refused:
        parse_object(body)
    assert refused.value.title == message


def test_the_deepest_that_is_allowed() -> None:
    assert list(parse_object(nested(MAX_DEPTH))) == ["a"]


def test_a_number_of_very_many_digits() -> None:
    with pytest.raises(falcon.HTTPBadRequest, match="400"):
        parse_object(b'{"a": ' + b"9" * 10_000 + b"}")
