"""JSON as text: strict both ways, for what is written once must be readable for ever."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, NoReturn

from .errors import EventFormatError
from .values import Json

MAX_DEPTH: Final = 200
"""How deep lists and mappings may be nested; far more than documents and bodies may bring (contract safety: 64).

What one thread could still write near its recursion limit, a thread with a deeper stack could no longer read.
"""


def to_json(data: Json) -> str:
    """Return *data* as compact JSON text, which `from_json` reads again.

    Raises:
        EventFormatError: It holds something that is not JSON: NaN, an infinity, a lone surrogate, an object; or it is
            nested too deeply.
    """
    try:
        text = _ENCODER.encode(data)
        if not text.isascii():
            text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EventFormatError(f"this cannot be stored as JSON: {error}") from error
    # Counting brackets is a thousandth of the work and settles nearly all texts.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise EventFormatError(f"this cannot be stored: it is nested more than {MAX_DEPTH} deep")
    return text


def from_json(text: str, *, unique: bool = False) -> Json:
    """Return the data that *text* holds.

    Args:
        unique: Whether a repeated key is refused, as in people's texts: of those one reader takes the first value, and
            the next the last. In what is recorded there is none, and looking costs time.

    Raises:
        EventFormatError: It is not JSON, holds a lone surrogate, or is nested too deeply; the message completes a
            sentence that begins with "it is".
    """
    try:
        data: Json = (_UNIQUE_DECODER if unique else _DECODER).decode(text)
        # A lone surrogate hides behind an escape.
        if "\\u" in text:
            _ENCODER.encode(data).encode()
    except ValueError as error:
        raise EventFormatError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise EventFormatError("not JSON that can be read: lists and mappings are nested too deeply in it") from error
    return data


def unique_members(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    """Return the object that *pairs* are the members of; a hook for decoders.

    Raises:
        ValueError: A key is repeated.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key[:40]!r} is there more than once")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # 1e400
        raise ValueError(f"{digits} is too large")
    return number


# Without the search for circles: one ends as a RecursionError.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_UNIQUE_DECODER: Final = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=_refuse, parse_float=_finite)


def _depth(data: Json) -> int:
    """Return how deeply lists and mappings are nested in *data*."""
    depth = 0
    level: list[Json] = [data]
    while nested := [value for value in level if isinstance(value, dict | list | tuple)]:
        depth += 1
        level = [item for value in nested for item in (value.values() if isinstance(value, dict) else value)]
    return depth
