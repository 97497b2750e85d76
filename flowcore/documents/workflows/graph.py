"""The nodes of a workflow and what connects them, by index: what order, scopes and branches are read from."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import attrs

from .document import Edge, Node, Workflow
from .order import Links, link

LEFT_OUT: Final = frozenset({"comment-box.comment", "shortcut.shortcut"})
"""Node types that say something to people only."""
ORDINARY: Final = frozenset({None, "output", "source", "driver"})
"""The source handles of control edges that are no branch of a switch."""


@attrs.frozen
class Way:
    """A control edge, as it comes in at its target.

    Attributes:
        source: The index of the node that it comes from.
        handle: The handle at which it leaves that node.
    """

    source: int
    handle: str | None


class Graph:
    """The nodes that count and the edges between them; edges to nodes that are not there are passed over.

    Attributes:
        nodes: The nodes, in the order of the document; the others refer to them by their place here.
        index: The place of each, by its id.
        ways: The control edges that come in at each node, in the order of the document.
        follow: Where the control edges of each node lead, each once, in the order of the document.
    """

    def __init__(self, workflow: Workflow) -> None:
        """Look at *workflow*."""
        self.nodes: tuple[Node, ...] = tuple(node for node in workflow.nodes if node.type not in LEFT_OUT)
        self.index = {node.id: place for place, node in enumerate(self.nodes)}
        self.ways: list[list[Way]] = [[] for _ in self.nodes]
        self._edges: list[tuple[int, int, Edge]] = []
        follow: list[dict[int, None]] = [{} for _ in self.nodes]
        for edge in workflow.edges:
            source, target = self.index.get(edge.source), self.index.get(edge.target)
            if source is None or target is None:
                continue
            self._edges.append((source, target, edge))
            if edge.control:
                self.ways[target].append(Way(source, edge.source_handle))
                follow[source][target] = None
        self.follow: list[list[int]] = [[*each] for each in follow]

    @property
    def edges(self) -> Sequence[tuple[int, int, Edge]]:
        """The edges with the places of their ends, in the order of the document."""
        return self._edges

    def links(self, members: Collection[int], more: Iterable[tuple[int, int]] = ()) -> Links:
        """Return who follows whom among *members*, where the second of each pair of *more* needs the first as well."""
        drawn = (
            (source, target, edge.control)
            for source, target, edge in self._edges
            if source in members and target in members
        )
        return link(len(self.nodes), drawn, more)

    def reach(self, start: int, inside: Collection[int]) -> list[int]:
        """Return what is reached from *start* over control edges within *inside*, without *start*."""
        found = {start}
        waiting = deque([start])
        while waiting:
            for target in self.follow[waiting.popleft()]:
                if target in inside and target not in found:
                    found.add(target)
                    waiting.append(target)
        found.remove(start)
        return [*found]
