"""Which node of the document an instance belongs to: what the executions family shows of a step.

The id of a node is the name of its step as its document has it (see `node_ids` for those of workflows). Instances have
paths: `fetch/3` is the fourth item of `fetch`, `loop-1/3/click` the step `click` in the fourth iteration of `loop-1`. A
client that draws the document finds `click` in it and no `loop-1/3/click`, so every instance is shown as the innermost
step that it runs.
"""

from collections.abc import Mapping, Sequence

import attrs

from flowcore.model import Dialect, Flow, Step
from flowcore.node_ids import helps, node_id, stands_for_fault


@attrs.frozen
class Node:
    """A node as clients know it.

    Attributes:
        top: The step of the flow that it is, or is in.
        type: What its document calls this sort of node: the type of its source, unless it has a word of its own.
        whole: Whether the instance is the node, and not an item or an iteration of it, nor a step that only helps it.
        siblings: The steps among which it stands: those of the flow, or of a body.
        named: Whether its step is called after a node of a workflow.
    """

    step: Step
    top: str
    type: str
    whole: bool
    siblings: Sequence[Step]
    named: bool = False

    @property
    def id(self) -> str:
        """How the document calls it; what its document has no name for is called by its type."""
        if not self.named:
            return self.step.name
        found = node_id(self.step.name)
        return self.type if found is None else found


class Nodes:
    """The nodes of one flow.

    Attributes:
        faulty: Whether the flow only says what is wrong with a workflow that cannot run: none of its nodes is executed.
    """

    def __init__(self, flow: Flow) -> None:
        """Name the nodes of *flow*."""
        self._flow = flow
        self._steps: Mapping[str, Step] = {step.name: step for step in flow.steps}
        self.faulty = flow.dialect is Dialect.WORKFLOW and any(stands_for_fault(step.name) for step in flow.steps[:1])

    def find(self, path: str) -> Node:
        """Return the node that the instance with that path belongs to."""
        top = path
        while top not in self._steps:
            top = top.rpartition("/")[0]
        step, rest, siblings = self._steps[top], path[len(top) + 1 :], self._flow.steps
        while rest and step.body:
            inside = rest if step.for_each is None and step.loop is None else rest.partition("/")[2]
            child = _child(step, inside)
            if child is None:
                # An iteration, or an item, as a whole.
                break
            step, rest, siblings = child, inside[len(child.name) + 1 :], step.body
        type_ = step.kind or self._flow.sources[step.source].type if step.source in self._flow.sources else step.kind
        named = self._flow.dialect is Dialect.WORKFLOW
        return Node(step, top, type_, not rest and not (named and helps(step.name)), siblings, named)


def _child(step: Step, path: str) -> Step | None:
    """Return the step in the body of *step* at whose name *path* begins."""
    found = [child for child in step.body if path == child.name or path.startswith(f"{child.name}/")]
    return max(found, key=lambda child: len(child.name), default=None)
