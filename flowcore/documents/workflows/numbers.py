"""Numbers as editors and people write them: as such, or as text."""

import math
import re
from typing import Final

from flowcore.values import Json

_BEGINNING: Final = re.compile(r"\s*[+-]?(?:[0-9]{1,300}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,300}")


def number_of(value: Json) -> float | None:
    """Return the number that *value* is, or that its text begins with; None when there is none.

    As JavaScript reads one: `12px` begins with 12, true is no number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return _float(value)
    if isinstance(value, str):
        found = _BEGINNING.match(value)
        return None if found is None else _float(found.group())
    return None


def _float(value: str | float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_number_of(value: Json) -> int | None:
    """Return the whole number that *value* is, or that its text begins with; None when there is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return math.floor(value) if isinstance(value, int) or math.isfinite(value) else None
    found = _WHOLE.match(value) if isinstance(value, str) else None
    return None if found is None else int(found.group())
