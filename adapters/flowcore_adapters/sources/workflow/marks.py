"""Nodes that do nothing by themselves: the start, what is bypassed, what cannot be run."""

from flowcore.documents.workflows.references import to_text

from .node import NodeCall, Patch, node_error, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource


def start(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `start` nodes."""
    return NodeSource("start", "Marks where a workflow begins.", _nothing, settings, blocking=False)


def nothing(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs bypassed nodes."""
    return NodeSource("nothing", "Does nothing: stands for a bypassed node.", _nothing, settings, blocking=False)


def fault(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what stands for a workflow, or a node, that cannot run."""
    return NodeSource("fault", "Fails, and says what is wrong with the workflow.", _fault, settings, blocking=False)


def unknown(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what stands for nodes of a type that nothing here can run."""
    return NodeSource("unknown", "Fails: stands for a node of an unknown type.", _unknown, settings, blocking=False)


def email(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `email` nodes."""
    return NodeSource("email", "Fails: mail is not sent from here.", _email, settings, blocking=False)


def _nothing(_node: NodeCall) -> Patch:
    return Patch()


def _fault(node: NodeCall) -> Patch:
    raise node_error(to_text(node.call.configuration.get("message")), code="workflow", retryable=False)


def _unknown(node: NodeCall) -> Patch:
    kind = to_text(node.call.configuration.get("type"))
    raise node_error(f"No handler found for node type: {kind}", code="unknown-node-type", retryable=False)


def _email(_node: NodeCall) -> Patch:
    raise unfit("email nodes are not supported: flowcore sends no mail; a `webhook` or an `apiRequest` node can")
