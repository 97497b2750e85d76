"""A sound document as the one model that all flows are run as (contract flow-runs, sections 2 to 7)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from flowcore.artifacts import ArtifactPort, Resources, Well, WellSource
from flowcore.artifacts import Store as ArtifactStore
from flowcore.ids import StepName
from flowcore.model import Dialect, Flow, OnError, RetryPolicy, Source, Step
from flowcore.values import Json

from .edges import Edge, EdgeTable, Feed
from .media_types import ANY, MediaTypes
from .model import Binding, DataWell, Definition, Flag, FlagValue, Node, NodeDocument, Port, Store
from .shapes import Shape, shapes_of
from .store_rules import STORE_TYPES, Params
from .tiers import TIERS, tier_name

CONTAINER: Final = "container"
"""The type of the source that runs nodes. What it runs them in is the operator's word, not the document's."""
DEFAULT_AWAIT_S: Final = 7 * 86_400.0
"""How long a run waits for its uploads, in seconds: every run ends."""


@attrs.frozen(kw_only=True)
class Compiled:
    """A flow that can run.

    Attributes:
        secrets: What the stores' `Params` hold that must never be recorded, by store and parameter; *flow* is without.
    """

    flow: Flow
    secrets: Mapping[str, Mapping[str, str]] = attrs.field(repr=False)


def compile_nodes(document: NodeDocument) -> Compiled:
    """Return the flow that *document* is, in which validation found no error.

    A node is a step of the type `container`, whose configuration is what its definition says: `image`, `command` (as
    written), `flags`, and `spare_outputs`, the declared outputs that nobody bound. Its ports are the step's artifacts.
    Where a family has several names, all of them are there too (`all_inputs`, `all_outputs`, `all_flags`), in the order
    of the definition: what a node is told must not be called otherwise because an optional one is left out.
    """
    shapes = shapes_of(document)
    table = EdgeTable(document, shapes)
    nodes = document.flow.nodes
    needed = table.dependencies(nodes)
    steps = [
        _step(node, shapes[node.uses], table, tuple(StepName(nodes[index].id) for index in needs))
        for node, needs in zip(nodes, needed, strict=True)
    ]
    stores: dict[str, ArtifactStore] = {}
    secrets: dict[str, Mapping[str, str]] = {}
    for store in document.flow.stores:
        stores[store.name], hidden = _store(store)
        if hidden:
            secrets[store.name] = hidden
    wells = {edge.name: well for edge in table.edges.values() if (well := _well(edge, table)) is not None}
    flow = Flow(
        name=document.flow.name,
        sources={node.id: _source(node, shapes[node.uses].definition) for node in nodes},
        steps=tuple(steps),
        on_error=OnError.FAIL,
        dialect=Dialect.NODES,
        halt_on_failure=True,
        stores=stores,
        wells=wells,
        await_s=DEFAULT_AWAIT_S,
    )
    return Compiled(flow=flow, secrets=secrets)


def _step(node: Node, shape: Shape, table: EdgeTable, needs: tuple[StepName, ...]) -> Step:
    definition = shape.definition
    # Of an input that is bound twice the last binding is the file, but "every bound input edge has an Artifact" before
    # a node starts. What is left at an output goes to every edge that it is bound to, for each of them has readers that
    # wait for it (code NODE_010; section 4).
    inputs = [(binding.name, table.edges[binding.edge]) for binding in _each_once(node.inputs)]
    outputs = dict.fromkeys((binding.name, binding.edge) for binding in node.outputs)
    fed = [(port, edge) for port, edge in inputs if table.feed(edge) is not Feed.NOTHING]
    awaited = (edge.name for _, edge in fed if table.feed(edge) is not Feed.NODE)
    return Step(
        name=StepName(node.id),
        source=node.id,
        kind=node.uses,
        depends_on=needs,
        retry=RetryPolicy(max_attempts=definition.attempts),
        awaits=tuple(dict.fromkeys(awaited)),
        artifact_inputs=tuple(_input(name, edge, shape.inputs or {}) for name, edge in fed),
        artifact_outputs=tuple(_output(name, table.edges[edge], shape.outputs or {}) for name, edge in outputs),
        resources=_resources(definition),
    )


def _each_once(bindings: Sequence[Binding]) -> list[Binding]:
    """Return *bindings*; of one that is there again, the last."""
    last = {(binding.name, binding.edge): number for number, binding in enumerate(bindings)}
    return [bindings[number] for number in sorted(last.values())]


def _input(name: str, edge: Edge, declared: Mapping[str, Port]) -> ArtifactPort:
    port = declared.get(name)
    # What nobody declared is there all the same: the flow feeds it.
    required = port is None or port.required
    return ArtifactPort(port=name, edge=edge.name, types=() if port is None else port.types, required=required)


def _output(name: str, edge: Edge, declared: Mapping[str, Port]) -> ArtifactPort:
    port = declared.get(name)
    # A reader starts when its edge has an artifact (section 4): only one that may go without can do without it.
    wanted = any(end.port is None or end.port.required for end in edge.readers)
    required = port is None or port.required or wanted
    return ArtifactPort(port=name, edge=edge.name, types=() if port is None else port.types, required=required)


def _source(node: Node, definition: Definition) -> Source:
    bound = {binding.name for binding in node.outputs}
    flags: dict[str, Json] = {flag.name: flag.value for flag in node.flags}
    spare: Sequence[Json] = [port.name for port in definition.outputs or () if port.name not in bound]
    names = {
        "all_inputs": _all_names(definition.inputs, node.inputs),
        "all_outputs": _all_names(definition.outputs, node.outputs),
        "all_flags": _all_names(definition.flags, node.flags),
    }
    return Source(
        type=CONTAINER,
        configuration={
            "image": definition.image,
            "command": definition.command,
            "flags": flags,
            "spare_outputs": spare,
            **{key: found for key, found in names.items() if len(found) > 1},
        },
    )


def _all_names(declared: Iterable[Port | Flag] | None, given: Iterable[Binding | FlagValue]) -> list[Json]:
    """Return the names of a family, first those that the definition declares, then those that only the node has."""
    names = [*(each.name for each in declared or ()), *(each.name for each in given)]
    return list(dict.fromkeys(names))


def _resources(definition: Definition) -> Resources:
    tier = TIERS[tier_name(definition.tier)]
    return Resources(
        cores=tier.cores,
        memory_bytes=tier.memory_bytes,
        storage_bytes=tier.storage_bytes,
        gpu=None if tier.gpu is None else str(tier.gpu.vendor),
        gpu_memory_bytes=0 if tier.gpu is None else tier.gpu.memory_bytes,
        tier=tier.name,
    )


def _store(store: Store) -> tuple[ArtifactStore, Mapping[str, str]]:
    """Return a store as it may be recorded, and what of its parameters may not."""
    if not isinstance(store.params, Mapping):
        return ArtifactStore(type=store.type), {}
    known: Params = STORE_TYPES[store.type]
    names = {name.casefold(): name for name in (*known.texts, *known.booleans)}
    shown: dict[str, Json] = {}
    hidden: dict[str, str] = {}
    for key, value in store.params.items():
        name = names[key.casefold()]
        if name in known.secrets and isinstance(value, str):
            hidden[name] = value
        elif value is not None:
            shown[name] = value
    return ArtifactStore(type=store.type, params=shown), hidden


def _well(edge: Edge, table: EdgeTable) -> Well | None:
    """Return where the artifact of *edge* is kept, and what feeds it; None for an edge that nobody feeds."""
    well: DataWell | None = table.well_of(edge)
    if well is None:
        return None
    types = ANY
    for end in edge.readers:
        types &= MediaTypes.of(end.types)
    return Well(
        store=well.store,
        source=None if edge.producers or well.source is None else WellSource(well.source),
        key=well.key,
        lifetime_s=well.lifetime.seconds,
        types=types.written(),
    )
