"""JavaScript nodes."""

from flowcore.documents.workflows.references import to_text

from .node import NodeCall, Patch, unfit
from .scripts import Script, evaluate
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource


def javascript_code(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `javascriptCode` nodes."""
    return NodeSource("javascriptCode", "Runs JavaScript in a process of its own.", _run, settings)


def _run(node: NodeCall) -> Patch:
    code = to_text(node.raw("code"))
    if not code.strip():
        raise unfit("Code is required for JavaScript Code node")
    ended = evaluate(node, Script(code=code, data=node.scope.data, variables=node.scope.variables))
    data = {**ended.data, "result": ended.value} if ended.given else ended.data
    return Patch(data=data, variables=ended.variables)
