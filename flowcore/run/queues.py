"""What may start next, in order: asking for the first few is cheap however many there are, and takes nothing out."""

from bisect import bisect_left
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
    """A priority queue of (step index, item index), each there once; item -1 is the step itself.

    The first ones are kept sorted, all others in a heap. A run asks in every turn for as many as it may start, and a
    heap gives those up only by being taken apart. What is taken out of the middle of the heap stays in it and counts
    no more.

    Attributes:
        front: The first ones, sorted; empty only when there are none at all. Read it, never change it.
    """

    __slots__ = ("_heap", "_others", "front")

    def __init__(self, entries: Iterable[tuple[int, int]] = ()) -> None:
        """Hold *entries*, in any order."""
        self._others = set(entries)
        self._heap = list(self._others)
        heapify(self._heap)
        self.front: list[tuple[int, int]] = []
        self._refill()

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.front) + len(self._others)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the entries in their order."""
        return chain(self.front, self._rest()) if self._others else iter(self.front)

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
        """Add *entry*, unless it is there."""
        front, others = self.front, self._others
        if others and entry > front[-1]:
            if entry not in others:
                others.add(entry)
                heappush(self._heap, entry)
            return
        place = bisect_left(front, entry)
        if front[place : place + 1] == [entry]:
            return
        front.insert(place, entry)
        if len(front) > _HIGH:
            last = front.pop()
            others.add(last)
            heappush(self._heap, last)

    def discard(self, entry: tuple[int, int]) -> None:
        """Take *entry* out, if it is there."""
        front = self.front
        place = bisect_left(front, entry)
        if front[place : place + 1] == [entry]:
            del front[place]
            if self._others and len(front) < _LOW:
                self._refill()
        else:
            self._others.discard(entry)

    def _refill(self) -> None:
        front, heap, others = self.front, self._heap, self._others
        while others and len(front) < _HIGH:
            entry = heappop(heap)
            if entry in others:
                others.remove(entry)
                front.append(entry)
        if not others:
            heap.clear()

    def _rest(self) -> Iterator[tuple[int, int]]:
        last = None
        for entry in in_order(self._heap):
            # What was taken out and put back is there twice.
            if entry in self._others and entry != last:
                yield entry
            last = entry


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
