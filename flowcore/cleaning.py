"""What comes from a source, made fit for the log: JSON and nothing but JSON, of a bounded size."""

import math
from typing import Final

from flowcore.errors import SourceError
from flowcore.values import Json, is_list, is_mapping

MAX_SIZE: Final = 30_000_000
"""How large the data of one attempt may be, in (about) bytes of JSON.

Sources stop at 10 MB of what they read (contract safety); a process that prints JSON gives it as text and parsed.
"""
MAX_BITS: Final = 4_096
"""How long a whole number may be: Python refuses to write out much longer ones."""
MAX_DEPTH: Final = 100
"""How deep data may be nested; deeper is no data that anybody meant."""


def clean(value: object, *, max_size: int = MAX_SIZE) -> tuple[Json, tuple[str, ...]]:
    """Return *value* as plain JSON data, and notes on what had to be changed for that.

    NaN and the infinities become null, lone surrogates the replacement character; tuples become lists. The result
    shares no list or mapping with *value*, so nobody can change what is recorded.

    Raises:
        SourceError: It is too large or too deep, or holds something that JSON has no word for.
    """
    cleaner = _Cleaner(max_size)
    cleaned = cleaner.clean(value, 0)
    return cleaned, tuple(cleaner.notes)


class _Cleaner:
    __slots__ = ("_left", "notes")

    def __init__(self, max_size: int) -> None:
        self._left = max_size
        self.notes: dict[str, None] = {}

    def clean(self, value: object, depth: int) -> Json:
        if isinstance(value, str):
            return self._text(value)
        self._left -= 4
        if self._left < 0:
            raise _too_large()
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if value.bit_length() > MAX_BITS:
                raise SourceError("the data holds a number of thousands of digits", code="bad-data", retryable=False)
            return value
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            self.notes["a number that JSON cannot hold (NaN or infinite) became null"] = None
            return None
        if depth >= MAX_DEPTH:
            raise SourceError(f"the data is nested deeper than {MAX_DEPTH} levels", code="bad-data", retryable=False)
        if is_mapping(value):
            return self._mapping(value, depth + 1)
        if is_list(value):
            return self._list(value, depth + 1)
        raise SourceError(
            f"the data holds a {type(value).__name__}, which is no JSON", code="bad-data", retryable=False
        )

    def _text(self, text: str) -> str:
        self._left -= len(text) + 2
        if self._left < 0:
            raise _too_large()
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            self.notes["text that is no valid Unicode was replaced"] = None
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text

    def _mapping(self, value: dict[object, object], depth: int) -> Json:
        result: dict[str, Json] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                name = type(key).__name__
                raise SourceError(f"the data has a key that is no text but a {name}", code="bad-data", retryable=False)
            result[self._text(key)] = self.clean(item, depth)
        return result

    def _list(self, value: list[object] | tuple[object, ...], depth: int) -> Json:
        return [self.clean(item, depth) for item in value]


def _too_large() -> SourceError:
    return SourceError(
        f"output too large: more than {MAX_SIZE // 1_000_000} MB", code="output-too-large", retryable=False
    )
