"""A workflow as a flow: its nodes become steps that follow each other, its loops steps with a body.

There is no second engine: a chain of dependencies is the order, `when` is a switch's branch, `for_each` and `loop` are
loops, a body is a sub-flow that is run in its place. What is wrong with a workflow becomes a flow as well: its run is
recorded like any other, and ends in the error that names it (contract executions, section 4).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from flowcore.catalog import Catalog
from flowcore.documents.findings import Findings
from flowcore.errors import FlowDocumentError, Path
from flowcore.ids import StepName
from flowcore.model import NO_RETRY, Dialect, Flow, Source, Step
from flowcore.node_ids import FAULT, step_name
from flowcore.values import Json

from .branches import Branches
from .document import START, Workflow, check_structure
from .faults import Fault, FaultError
from .graph import Graph
from .loops import LOOP, DoWhile, ForEach, helping, phase_of, read_loop
from .nodes import NOTHING, SWITCH, fault_source, handles_of, inputs_of, node_source, node_step, slow_ms, source_type
from .order import Links
from .reusables import END, REUSABLE, RUN, Reusable, context_name, find_reusables
from .scopes import Arrangement, Item, ordered

MOST_STEPS: Final = 30_000
"""How many steps a workflow may come to, sub-flows counted where they are run."""


def compile_workflow(
    workflow: Workflow,
    *,
    overrides: Mapping[str, Json] | None = None,
    pauses: bool = True,
    catalog: Catalog | None = None,
) -> Flow:
    """Return *workflow* as a flow. Never raises: what cannot run gives a flow whose run errs and says why.

    Args:
        workflow: What `read_workflow` gave.
        overrides: What to merge into the data of the start node (`startNodeOverrides`).
        pauses: Whether wait nodes may pause the run; they may not in a batch.
        catalog: The kinds of sources that there are: a node of the type `x` is run by the source `workflow.x`. Without
            one, those that come with flowcore.
    """
    try:
        return _Compiler(workflow, overrides or {}, pauses=pauses, catalog=catalog).compile()
    except FaultError as error:
        return _faulty(workflow, error)


def compile_strictly(workflow: Workflow, *, catalog: Catalog | None = None) -> Flow:
    """Return *workflow* as a flow: for whoever would rather hear of what is wrong before anything runs.

    Raises:
        FlowDocumentError: It cannot run; its problems are named with their paths.
    """
    findings = Findings()
    for problem in check_structure(workflow):
        findings.add(problem.code, problem.path, problem.message)
    findings.check()
    try:
        return _Compiler(workflow, {}, pauses=True, catalog=catalog).compile()
    except FaultError as error:
        places = {node.id: node.index for node in workflow.nodes}
        for fault in error.faults:
            path: Path = ("nodes",) if fault.node is None else ("nodes", places[fault.node])
            findings.add("workflow-fault", path, fault.message)
        raise FlowDocumentError(findings.problems) from None


def _faulty(workflow: Workflow, error: FaultError) -> Flow:
    """Return the flow of one step, which fails and says what is wrong with *workflow*."""
    node = next((fault.node for fault in error.faults if fault.node is not None), None)
    name = StepName(f"%.{FAULT}") if node is None else step_name(node, FAULT)
    step = Step(name=name, source=name, kind="workflow")
    return Flow(name=workflow.name, dialect=Dialect.WORKFLOW, sources={name: fault_source(str(error))}, steps=(step,))


class _Compiler:
    def __init__(
        self, workflow: Workflow, overrides: Mapping[str, Json], *, pauses: bool, catalog: Catalog | None
    ) -> None:
        self._workflow = workflow
        self._overrides = overrides
        self._pauses = pauses
        self._catalog = catalog
        self._graph = Graph(workflow)
        self._inputs = inputs_of(self._graph)
        self._sources: dict[str, Source] = {NOTHING: Source(type="workflow.nothing")}
        self._reusables: Mapping[str, Reusable] = {}
        self._arranged: dict[str, tuple[Item, ...]] = {}
        self._slow_ms = 0.0
        self._left = MOST_STEPS

    def compile(self) -> Flow:
        start = self._check()
        self._merge_overrides(start)
        graph = self._graph
        hidden = {index for index, node in enumerate(graph.nodes) if node.type in {REUSABLE, END}}
        hidden.update(*(reusable.members for reusable in self._reusables.values()))
        members = frozenset(range(len(graph.nodes))) - hidden
        more = [(need, index) for index in sorted(members) for need in self._needs_of_run(index)]
        links = graph.links(members, more)
        items = self._arrange(links, start)
        steps = self._scope(start, items, inside=False)
        return Flow(name=self._workflow.name, dialect=Dialect.WORKFLOW, sources=self._sources, steps=steps)

    def _check(self) -> int:
        """Return the index of the start node.

        Raises:
            FaultError: Something is wrong with the workflow as a whole; everything that is, is named.
        """
        graph = self._graph
        faults: list[Fault] = []
        start = next((index for index, node in enumerate(graph.nodes) if node.type == START), None)
        if start is None:
            faults.append(Fault("Workflow must contain a Start node"))
        faults += [
            Fault(f"Duplicate node id: {node.id}", node.id)
            for index, node in enumerate(graph.nodes)
            if graph.index[node.id] != index
        ]
        self._reusables, found = find_reusables(graph)
        faults += found
        drivers = [0] * len(graph.nodes)
        for _, target, edge in graph.edges:
            drivers[target] += edge.driver
        faults += [
            Fault(
                f"Node {node.id} has multiple control flow input connections (only one driver connection allowed)",
                node.id,
            )
            for node, count in zip(graph.nodes, drivers, strict=True)
            if count > 1 and node.type != START
        ]
        if faults or start is None:
            raise FaultError(faults)
        return start

    def _merge_overrides(self, start: int) -> None:
        node = self._graph.nodes[start]
        data = {**node.data, **self._overrides}
        nodes = list(self._graph.nodes)
        nodes[start] = attrs.evolve(node, data=data)
        self._graph.nodes = tuple(nodes)
        self._slow_ms = slow_ms(data)

    def _needs_of_run(self, index: int) -> Sequence[int]:
        """Return what must run before a `runReusable` node because its sub-flow, or one below it, takes its value."""
        node = self._graph.nodes[index]
        if node.type != RUN or node.bypassed:
            return ()
        found: dict[int, None] = {}
        seen = {context_name(self._graph, index)}
        waiting = [*seen]
        while waiting:
            reusable = self._reusables[waiting.pop()]
            found.update(dict.fromkeys(reusable.needs))
            fresh = [name for name in reusable.runs if name not in seen]
            seen.update(fresh)
            waiting += fresh
        return [*found]

    def _arrange(self, links: Links, start: int) -> tuple[Item, ...]:
        order = ordered(self._graph, links, start)
        return Arrangement(self._graph, links, self._is_loop).arrange(order)

    def _is_loop(self, index: int) -> bool:
        node = self._graph.nodes[index]
        return node.type == LOOP and not node.bypassed

    def _sub_flow(self, name: str) -> tuple[Item, ...]:
        """Return the items of a sub-flow, without the marks of its beginning and its ends."""
        known = self._arranged.get(name)
        if known is None:
            reusable = self._reusables[name]
            graph = self._graph
            items = self._arrange(graph.links(reusable.members | {reusable.root}), reusable.root)
            known = self._arranged[name] = tuple(
                item for item in items if graph.nodes[item.index].type not in {REUSABLE, END}
            )
        return known

    def _scope(self, root: int, items: Sequence[Item], *, inside: bool) -> tuple[Step, ...]:
        """Return the steps of one scope: of the workflow, of a loop, of a sub-flow; each follows the one before."""

        def name(index: int) -> str:
            return step_name(self._graph.nodes[index].id, inside=inside)

        branches = Branches(root, self._handles, name)
        steps: list[Step] = []
        for item in items:
            when = branches.condition(item.index, self._graph.ways[item.index])
            self._left -= 1
            if self._left < 0:
                raise FaultError([Fault(f"The workflow comes to more than {MOST_STEPS} steps")])
            needs = (steps[-1].name,) if steps else ()
            steps.extend(self._steps(item, when, needs, inside=inside))
        return tuple(steps)

    def _handles(self, index: int) -> Sequence[str] | None:
        node = self._graph.nodes[index]
        return handles_of(node) if node.type == SWITCH and not node.bypassed else None

    def _steps(self, item: Item, when: str | None, needs: tuple[StepName, ...], *, inside: bool) -> Sequence[Step]:
        node = self._graph.nodes[item.index]
        own = not node.bypassed and node.type not in {LOOP, RUN}
        source = self._source(item.index) if own else NOTHING
        step = node_step(node, source, when, needs, pauses=self._pauses, inside=inside)
        if own or node.bypassed:
            return (step,)
        if node.type == LOOP:
            return self._loop(item, step, inside=inside)
        name = context_name(self._graph, item.index)
        return (_around(step, self._scope(self._reusables[name].root, self._sub_flow(name), inside=True)),)

    def _loop(self, item: Item, step: Step, *, inside: bool) -> Sequence[Step]:
        node = self._graph.nodes[item.index]
        loop = read_loop(node, self._inputs[item.index])
        if isinstance(loop, str):
            return (attrs.evolve(step, source=self._keep(step_name(node.id), fault_source(loop))),)
        children = self._scope(item.index, item.body, inside=True)
        if isinstance(loop, ForEach):
            if children:
                return (attrs.evolve(_around(step, children), for_each=loop.items, max_parallel=1),)
            # Nothing to run for the items; that there is a list is looked at all the same.
            return (attrs.evolve(step, source=self._source(item.index)),)
        return self._do_while(item, step, loop, children, inside=inside)

    def _do_while(
        self, item: Item, step: Step, loop: DoWhile, children: tuple[Step, ...], *, inside: bool
    ) -> Sequence[Step]:
        """Return the step that looks at the condition before the first iteration, and the loop that does after each."""
        node = self._graph.nodes[item.index]
        source = node_source(node, self._inputs[item.index], "workflow.loop", slow_ms=0.0)
        first = self._keep(step_name(node.id, "check"), phase_of(source, "check"))
        following = self._keep(step_name(node.id, "next"), phase_of(source, "next"))
        check = helping(step, step_name(node.id, "check", inside=inside), first)
        last = helping(step, step_name(node.id, "next", inside=True), following)
        needs = (children[-1].name,) if children else ()
        last = attrs.evolve(last, when=None, on_error=None, depends_on=needs)
        loop_step = attrs.evolve(
            _around(step, (*children, last)),
            when=loop.when(check.name),
            depends_on=(check.name,),
            loop=loop.again(last.name),
        )
        return check, loop_step

    def _source(self, index: int) -> str:
        """Return the key of the source of a node, which is the same wherever the node is run."""
        node = self._graph.nodes[index]
        kind = source_type(node.type, self._catalog)
        slow_ms = 0.0 if node.type == START else self._slow_ms
        return self._keep(step_name(node.id), node_source(node, self._inputs[index], kind, slow_ms=slow_ms))

    def _keep(self, key: str, source: Source) -> str:
        self._sources.setdefault(key, source)
        return key


def _around(step: Step, body: tuple[Step, ...]) -> Step:
    """Return *step* as one that runs *body* and nothing of its own."""
    return attrs.evolve(step, source=NOTHING, outputs=(), retry=NO_RETRY, body=body)
