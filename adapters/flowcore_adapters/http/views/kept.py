"""What is kept of what was asked for."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, so many and no more: the one that nobody has asked for longest goes first. Safe for threads."""

    def __init__(self, capacity: int) -> None:
        """Keep at most *capacity* values."""
        self._capacity = capacity
        self._lock = Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return what is kept under *key*, or None."""
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """Return what is kept under *key*; all who ask at once get the same."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                found = make()
                self._put(key, found)
            else:
                self._values.move_to_end(key)
            return found

    def put(self, key: K, value: V) -> None:
        """Keep *value* under *key*."""
        with self._lock:
            self._put(key, value)

    def drop(self, key: K) -> None:
        """Keep nothing under *key*."""
        with self._lock:
            self._values.pop(key, None)

    def _put(self, key: K, value: V) -> None:
        self._values[key] = value
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)
