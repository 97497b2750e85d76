"""What runs inside what: the body of a loop, and the sub-flow that a `reusable` node names (contract executions, 8).

The children of a loop are all nodes that its output leads to; they run inside it and not again afterwards. A node that
only gives one of them a value runs before the loop, unless it takes something from a child itself: then it belongs to
the body.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

import attrs

from .faults import Fault, FaultError
from .graph import Graph
from .order import CircleError, Links, execution_order

MOST_NESTED: Final = 16
"""How deep loops may be nested."""


@attrs.frozen
class Item:
    """A node where it runs, and what runs inside it."""

    index: int
    body: tuple["Item", ...] = ()


class Arrangement:
    """Puts nodes that have an order into loops."""

    def __init__(self, graph: Graph, links: Links, is_loop: Callable[[int], bool]) -> None:
        """Arrange nodes of *graph*, some of which are loops."""
        self._graph = graph
        self._needs = links.needs
        self._is_loop = is_loop
        self._placed: set[int] = set()
        # Loops that wait for what comes before them; two that share a child would wait for each other.
        self._waiting: set[int] = set()

    def arrange(self, order: Sequence[int], depth: int = 0) -> tuple[Item, ...]:
        """Return the items of *order*, whose nodes come after what they need.

        Raises:
            FaultError: Loops are nested too deeply.
        """
        inside = frozenset(order)
        place = {index: number for number, index in enumerate(order)}
        items: list[Item] = []
        waiting = deque(order)
        while waiting:
            index = waiting.popleft()
            if index in self._placed:
                continue
            if not self._is_loop(index):
                self._placed.add(index)
                items.append(Item(index))
                continue
            if depth == MOST_NESTED:
                node = self._graph.nodes[index].id
                raise FaultError([Fault(f"Loops are nested more than {MOST_NESTED} deep at node: {node}", node)])
            body = [child for child in self._graph.reach(index, inside) if child not in self._placed]
            before, between = self._outside(index, body, inside, place)
            if before:
                # They come first, loops among them with all that they reach; then this one is looked at again.
                self._waiting.add(index)
                waiting.extendleft([index, *reversed(before)])
                continue
            self._placed.add(index)
            children = sorted([*body, *between], key=place.__getitem__)
            items.append(Item(index, self.arrange(children, depth + 1)))
        return tuple(items)

    def _outside(
        self, loop: int, body: Collection[int], inside: Collection[int], place: dict[int, int]
    ) -> tuple[list[int], list[int]]:
        """Return what the body needs of the nodes outside: what runs before the loop, and what must run inside it."""
        own = {loop, *body}
        found: set[int] = set()
        waiting = deque(body)
        while waiting:
            for need in self._needs[waiting.popleft()]:
                known = need in own or need in found or need in self._placed or need in self._waiting
                if need in inside and not known:
                    found.add(need)
                    waiting.append(need)
        before: list[int] = []
        between: list[int] = []
        for index in sorted(found, key=place.__getitem__):
            if own.isdisjoint(self._needs[index]):
                before.append(index)
            else:
                own.add(index)
                between.append(index)
        return before, between


def ordered(graph: Graph, links: Links, start: int) -> tuple[int, ...]:
    """Return the nodes that run from *start* on, in order.

    Raises:
        FaultError: They go in a circle.
    """
    try:
        return execution_order(links, start)
    except CircleError as error:
        node = graph.nodes[error.index].id
        raise FaultError([Fault(f"Circular dependency detected involving node: {node}", node)]) from None
