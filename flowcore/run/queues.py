"""What may start next, in order: asking for the first few is cheap however many there are, and takes nothing out."""

from bisect import insort
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Final, TypeVar

from typing_extensions import override

_LOW: Final = 64
_HIGH: Final = 128
"""How many entries are kept sorted at the front: at most so many, and at least `_LOW` while there are more."""

_Entry = TypeVar("_Entry", bound=tuple[float, ...])


class ReadyQueue:
    """A priority queue of (step index, item index); item -1 is the step itself.

    The first ones are kept sorted, all others in a heap. A run asks in every turn for as many as it may start, and a
    heap gives those up only by being taken apart.

    Attributes:
        front: The first ones, sorted; empty only when there are none at all. Read it, never change it.
    """

    __slots__ = ("_rest", "front")

    def __init__(self, entries: Iterable[tuple[int, int]] = ()) -> None:
        """Hold *entries*, in any order."""
        self._rest = list(entries)
        heapify(self._rest)
        self.front: list[tuple[int, int]] = []
        self._refill()

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.front) + len(self._rest)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the entries in their order."""
        return chain(self.front, in_order(self._rest)) if self._rest else iter(self.front)

    @override
    def __eq__(self, other: object) -> bool:
        """Return whether *other* is a queue of the same entries, wherever each keeps them."""
        return isinstance(other, ReadyQueue) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # it changes

    @override
    def __repr__(self) -> str:
        """Return the entries in their order."""
        return f"ReadyQueue({list(self)})"

    def push(self, entry: tuple[int, int]) -> None:
        """Add *entry*; one that is there already is there twice then, next to itself."""
        front = self.front
        if self._rest and entry > front[-1]:
            heappush(self._rest, entry)
            return
        insort(front, entry)
        if len(front) > _HIGH:
            heappush(self._rest, front.pop())

    def drop(self) -> None:
        """Take the first entry out."""
        del self.front[0]
        if self._rest and len(self.front) < _LOW:
            self._refill()

    def _refill(self) -> None:
        front, rest = self.front, self._rest
        while rest and len(front) < _HIGH:
            front.append(heappop(rest))


def in_order(heap: list[_Entry]) -> Iterator[_Entry]:
    """Yield the entries of *heap* in their order.

    The next entry of a heap is always a child of one already seen, so *n* entries cost O(n log n) whatever its size.
    """
    frontier = [(entry, 0) for entry in heap[:1]]
    while frontier:
        first, place = heappop(frontier)
        yield first
        child = 2 * place + 1
        for entry in heap[child : child + 2]:
            heappush(frontier, (entry, child))
            child += 1
