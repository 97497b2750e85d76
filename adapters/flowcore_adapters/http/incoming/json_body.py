"""The JSON of request bodies, strictly: what one reader takes one way and the next another way is refused."""

import json
import math
from typing import Final, NoReturn

import falcon

from flowcore.json_text import unique_members
from flowcore.values import Json, is_list, is_mapping

MAX_DEPTH: Final = 64
"""How deep lists and mappings may be nested in a body."""


def read_object(request: falcon.Request) -> dict[str, Json]:
    """Return the object that is the body of *request*; an empty one when there is no body.

    Raises:
        HTTPBadRequest: It is no JSON object, or one that not everybody reads alike: a repeated key, NaN, a number that
            is too large, a lone surrogate, more than `MAX_DEPTH` levels.
    """
    data: bytes = request.bounded_stream.read()
    return parse_object(data) if data else {}


def parse_object(data: bytes) -> dict[str, Json]:
    """Return the object that *data* spells (see `read_object`).

    Raises:
        HTTPBadRequest: It is no JSON object, or one that not everybody reads alike.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise falcon.HTTPBadRequest(title=f"the body is not UTF-8: byte {error.start}") from error
    try:
        found: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise falcon.HTTPBadRequest(title=f"the body is not JSON: {error.msg} ({where})") from error
    except ValueError as error:
        raise falcon.HTTPBadRequest(title=f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(found, dict):
        raise falcon.HTTPBadRequest(title="the body must be a JSON object")
    _check(found)
    return found


def _check(value: object) -> None:
    """See that *value* is not nested too deeply and holds no text that is not Unicode; level by level."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for each in level:
            if is_mapping(each):
                below.extend(each.keys())
                below.extend(each.values())
            elif is_list(each):
                below.extend(each)
            elif isinstance(each, str) and not each.isascii():
                _check_text(each)
        if not below:
            return
        level = below
    if any(is_mapping(each) or is_list(each) for each in level):
        raise _too_deep()
    for each in level:
        if isinstance(each, str):
            _check_text(each)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise falcon.HTTPBadRequest(title=f"the body holds a lone surrogate, in {text[:40]!r}") from error


def _too_deep() -> falcon.HTTPBadRequest:
    return falcon.HTTPBadRequest(title=f"the body is nested more than {MAX_DEPTH} levels deep")


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large")
    return number


_DECODER: Final = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=_refuse, parse_float=_finite)
