"""The sources of nodes: one class, and a function for each type of node that runs it."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from flowcore.catalog import SLOW, SourceType
from flowcore.ports import SourceCall, SourceResult

from .node import NodeCall, Patch
from .settings import DEFAULT_SETTINGS, WorkflowSettings

Handler: TypeAlias = Callable[[NodeCall], Patch]
"""What runs a kind of node."""


class NodeSource:
    """Runs the nodes of one type."""

    def __init__(
        self,
        kind: str,
        about: str,
        handler: Handler,
        settings: WorkflowSettings = DEFAULT_SETTINGS,
        *,
        blocking: bool = True,
    ) -> None:
        """Run nodes of the type *kind* with *handler*.

        Args:
            blocking: False for a node that never waits for anything.
        """
        # Whatever an editor leaves in a node's data is let through.
        self.type = SourceType(name=f"workflow.{kind}", about=about, parameters={}, open=True, blocking=blocking)
        self._handler = handler
        self._settings = settings

    def call(self, call: SourceCall) -> SourceResult:
        """Run the node, and return ``{data, variables, ...}``: what it leaves for others."""
        node = NodeCall(call, self._settings)
        slow_ms = call.configuration.get(SLOW)
        if isinstance(slow_ms, (int, float)):
            node.pause(slow_ms / 1000)
        patch = self._handler(node)
        until = call.configuration.get("until")
        if isinstance(until, Mapping):
            # Few nodes have such a condition.
            from .truth import see_to_it

            see_to_it(node, until, patch)
        return SourceResult(data={"data": patch.data, "variables": patch.variables, **patch.more})
