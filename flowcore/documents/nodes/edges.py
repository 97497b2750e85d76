"""The edges of a flow: who produces, who reads, which well keeps or feeds each.

Edges are not objects of the document: an edge is the name that ports and wells share. One producer, any number of
readers (contract flow-runs, section 2).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import attrs

from .model import BUILT_IN_STORE, Binding, DataWell, Node, NodeDocument, Port
from .shapes import Shape

IMPLIED_WELL: Final = DataWell(edge="", store=BUILT_IN_STORE)
"""What keeps every produced edge of a flow that declares no storage (contract flow-runs, section 5b)."""


class Feed(StrEnum):
    """Where an edge that is read gets its content from."""

    NODE = "node"
    UPLOAD = "upload"
    WEBHOOK = "webhook"
    STATIC = "static"
    NOTHING = "nothing"
    """Nowhere: the readers start without it."""


@attrs.frozen(kw_only=True)
class End:
    """One end of an edge: a port of a node.

    Attributes:
        node: The node's index in the flow: ids may be empty or double.
        port: What the definition declares for it; None when it declares nothing of that name.
    """

    node: int
    binding: Binding
    port: Port | None

    @property
    def types(self) -> tuple[str, ...]:
        """The content types as written; none means any."""
        return () if self.port is None else self.port.types


@attrs.frozen(kw_only=True)
class Edge:
    """An edge with everything that is tied to it, in the order of the document."""

    name: str
    producers: Sequence[End] = attrs.field(factory=list[End])
    readers: Sequence[End] = attrs.field(factory=list[End])
    wells: Sequence[DataWell] = attrs.field(factory=list[DataWell])

    @property
    def source_well(self) -> DataWell | None:
        """The first of its wells that feeds it."""
        return next((well for well in self.wells if well.source is not None), None)


class EdgeTable:
    """All edges of a document, by name."""

    def __init__(self, document: NodeDocument, shapes: Mapping[str, Shape]) -> None:
        """Find them.

        Args:
            document: The flow.
            shapes: The shapes of its definitions.
        """
        flow = document.flow
        self._default = flow.default_well
        self._storage_less = flow.storage_less
        self._producers: dict[str, list[End]] = {}
        self._readers: dict[str, list[End]] = {}
        self._wells: dict[str, list[DataWell]] = {}
        for index, node in enumerate(flow.nodes):
            shape = shapes.get(node.uses)
            _tie(self._readers, index, node.inputs, None if shape is None else shape.inputs)
            _tie(self._producers, index, node.outputs, None if shape is None else shape.outputs)
        for well in flow.wells:
            self._wells.setdefault(well.edge, []).append(well)
        names = dict.fromkeys((*self._readers, *self._producers))
        self.edges: Mapping[str, Edge] = {name: self._edge(name) for name in names}

    def _edge(self, name: str) -> Edge:
        return Edge(
            name=name,
            producers=self._producers.get(name, []),
            readers=self._readers.get(name, []),
            wells=self._wells.get(name, []),
        )

    def feeding_well(self, edge: Edge) -> DataWell | None:
        """Return the well that feeds *edge*, be it the default one or an implied one; None when none does.

        A node's output comes before any default. A flow without storage implies an upload for an input that its
        definition declares (section 5c).
        """
        if edge.source_well is not None:
            return edge.source_well
        if edge.producers:
            return None
        if self._default is not None and self._default.source is not None:
            return self._default
        if self._storage_less and any(end.port is not None for end in edge.readers):
            return attrs.evolve(IMPLIED_WELL, source="upload")
        return None

    def feed(self, edge: Edge) -> Feed:
        """Return where *edge*, which is read, gets its content from."""
        if edge.producers:
            return Feed.NODE
        well = self.feeding_well(edge)
        return Feed.NOTHING if well is None or well.source is None else Feed(well.source)

    def keeping_well(self, edge: Edge) -> DataWell | None:
        """Return the well that keeps what a node produces on *edge*: its own, the default one, or the implied one."""
        if edge.wells:
            return edge.wells[0]
        if self._default is not None:
            return self._default
        return IMPLIED_WELL if self._storage_less else None

    def well_of(self, edge: Edge) -> DataWell | None:
        """Return the well that has to do with *edge*: it keeps what nodes produce, or feeds what they read."""
        return self.keeping_well(edge) if edge.producers else self.feeding_well(edge)

    def dependencies(self, nodes: Sequence[Node]) -> list[tuple[int, ...]]:
        """Return, for each of *nodes*, the indexes of those whose outputs it reads, each once."""
        return [
            tuple(dict.fromkeys(end.node for binding in node.inputs for end in self._producers.get(binding.edge, ())))
            for node in nodes
        ]


def _tie(ends: dict[str, list[End]], node: int, bindings: Sequence[Binding], ports: Mapping[str, Port] | None) -> None:
    declared = ports or {}
    for binding in bindings:
        end = End(node=node, binding=binding, port=declared.get(binding.name))
        ends.setdefault(binding.edge, []).append(end)
