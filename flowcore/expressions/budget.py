"""How large a value may become: measured as the tree it would be when written out, in time linear in what there is.

A value made by an expression may hold the same part many times over; 239 characters can double a list forty times.
Parts are remembered by identity, so measuring such a value costs what it occupies, not what it would unfold to.
"""

from typing import Final

from flowcore.errors import ExpressionError
from flowcore.values import is_list, is_mapping

MAX_SIZE: Final = 10_000_000
"""The size of a value in, roughly, characters of JSON (contract safety: 10 MB)."""


class Meter:
    """Measures the values of one evaluation."""

    def __init__(self) -> None:
        """Start with an empty memory."""
        self._sizes: dict[int, int] = {}
        # An id is only good as long as its object lives.
        self._kept: list[object] = []

    def check(self, value: object) -> None:
        """Refuse *value* when it is too large.

        Raises:
            ExpressionError: It is larger than `MAX_SIZE`, or nested too deeply to tell.
        """
        try:
            size = self._size(value)
        except RecursionError:
            raise ExpressionError("the value is nested too deeply") from None
        if size > MAX_SIZE:
            raise ExpressionError("the value of the expression is larger than 10 MB")

    def _size(self, value: object) -> int:
        if isinstance(value, str):
            return len(value) + 2
        known = self._sizes.get(id(value))
        if known is not None:
            return known
        if is_list(value):
            size = 2 + sum(self._size(item) + 1 for item in value)
        elif is_mapping(value):
            size = 2 + sum(len(str(key)) + 4 + self._size(item) for key, item in value.items())
        else:
            return 4
        self._sizes[id(value)] = size
        self._kept.append(value)
        return size
