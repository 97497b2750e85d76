"""In which order the nodes of a workflow run: one after the other, decided once, before anything runs.

Depth-first from the start: what a node depends on comes before it, and when it has had its turn the nodes that its
control edges lead to have theirs, in the order of the edges (contract executions, section 8). So the first branch is
run to its end before the second begins, a join waits for all of its branches, and a node that only gives another one a
value comes right before that one. What is not connected to the start does not run.

A node is reached from a branch while the join behind it still waits for others. What follows such a node may depend on
that join itself; then it is passed over until the join has had its turn. That is no circle: a circle is a node that
cannot be reached but through itself.

Everything here is linear in nodes and edges but for two things that have a bound: the leftovers, which are kept in a
heap, and what is passed over, which is looked at a bounded number of times. Nothing recurses.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

import attrs

_PATIENCE: Final = 16
"""How often, over all, a node is looked at in vain before what follows a dependency is left for the end."""


class CircleError(Exception):
    """Nodes depend on each other in a circle.

    Attributes:
        index: The node at which that was noticed.
    """

    def __init__(self, index: int) -> None:
        """Name the node *index*."""
        self.index = index
        super().__init__(index)


@attrs.frozen
class Links:
    """Who follows whom, by the indexes of nodes.

    Attributes:
        needs: What each node depends on: the sources of its control edges and of the values it takes.
        follow: Where the control edges of each node lead.
        users: Which nodes depend on each node, in any way.
    """

    needs: Sequence[Sequence[int]]
    follow: Sequence[Sequence[int]]
    users: Sequence[Sequence[int]]


def link(count: int, edges: Iterable[tuple[int, int, bool]], more: Iterable[tuple[int, int]] = ()) -> Links:
    """Return the links of *count* nodes.

    Args:
        count: How many there are.
        edges: Source and target of each edge, and whether control passes along it.
        more: Pairs of which the second needs the first, when it runs at all.
    """
    needs: list[dict[int, None]] = [{} for _ in range(count)]
    follow: list[dict[int, None]] = [{} for _ in range(count)]
    users: list[dict[int, None]] = [{} for _ in range(count)]
    for source, target, control in edges:
        needs[target][source] = None
        users[source][target] = None
        if control:
            follow[source][target] = None
    for source, target in more:
        needs[target][source] = None
    return Links([[*each] for each in needs], [[*each] for each in follow], [[*each] for each in users])


def execution_order(links: Links, start: int) -> tuple[int, ...]:
    """Return the nodes that run, in the order in which they do.

    Raises:
        CircleError: Some of them depend on each other in a circle.
    """
    walk = _Walk(links)
    walk.visit(start)
    walk.take_leftovers()
    return tuple(walk.order)


@attrs.define
class _Visit:
    """A node whose turn it is.

    Attributes:
        chain: The number of the chain of dependencies it belongs to: each is begun by a node that is reached forwards.
        emitted: Whether it has its place; what follows it is looked at then.
    """

    index: int
    chain: int
    left: Iterator[int]
    emitted: bool = False


class _Walk:
    def __init__(self, links: Links) -> None:
        self._links = links
        self._open: dict[int, int] = {}
        self._done = [False] * len(links.needs)
        self._chains = 0
        self._patience = _PATIENCE * (len(links.needs) + sum(map(len, links.needs)))
        self._at = -1
        self._now: list[int] = []
        self._later: list[int] = []
        self.order: list[int] = []

    def visit(self, root: int) -> None:
        """Give *root* its turn, and with it everything that it depends on and everything that follows."""
        stack = [self._begin(root)]
        while stack:
            visit = stack[-1]
            step = next(visit.left, None)
            if step is None:
                if visit.emitted:
                    stack.pop()
                else:
                    self._emit(visit)
            elif visit.emitted:
                if not self._done[step] and step not in self._open and self._may_go_on():
                    stack.append(self._begin(step))
            elif not self._done[step]:
                if step not in self._open:
                    self._open[step] = visit.chain
                    stack.append(_Visit(step, visit.chain, iter(self._links.needs[step])))
                elif self._open[step] == visit.chain:
                    raise CircleError(step)
                else:
                    self._pass_over(stack, visit.chain)

    def _begin(self, index: int) -> _Visit:
        self._chains += 1
        self._open[index] = self._chains
        return _Visit(index, self._chains, iter(self._links.needs[index]))

    def _emit(self, visit: _Visit) -> None:
        index = visit.index
        del self._open[index]
        self._done[index] = True
        self.order.append(index)
        visit.emitted = True
        visit.left = iter(self._links.follow[index])
        for user in self._links.users[index]:
            # Whoever needs this one has not had its turn.
            if user > self._at:
                heappush(self._now, user)
            else:
                self._later.append(user)

    def _pass_over(self, stack: list[_Visit], chain: int) -> None:
        """Leave the chain for later: it depends on a node that waits for the one from which it was reached."""
        while stack and stack[-1].chain == chain and not stack[-1].emitted:
            del self._open[stack.pop().index]
            self._patience -= 1

    def _may_go_on(self) -> bool:
        """Whether to look at what follows a node now; while others wait for it, only with patience left."""
        return not self._open or self._patience > 0

    def take_leftovers(self) -> None:
        """Give their turn to those that depend on a node that had it, in the order of the document, over and over."""
        while self._now or self._later:
            if not self._now:
                self._now, self._later, self._at = self._later, [], -1
                heapify(self._now)
            self._at = heappop(self._now)
            if not self._done[self._at]:
                self.visit(self._at)
