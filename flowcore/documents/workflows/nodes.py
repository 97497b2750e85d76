"""A node as a step: its source, what it takes from others, how it is tried, and what it is told."""

from collections.abc import Mapping, Sequence
from typing import Final

from flowcore.catalog import SLOW, Catalog
from flowcore.documents.fields import LONGEST_S
from flowcore.ids import StepName
from flowcore.model import DEFAULT_TIMEOUT_S, OnError, Output, OutputType, Source, Step
from flowcore.node_ids import step_name
from flowcore.values import Json

from .document import Node
from .graph import Graph
from .numbers import number_of
from .references import to_text
from .retries import retry_policy, until_condition

SWITCH: Final = "switch.switch"
NOTHING: Final = "%.nothing"
"""The key of the source of what runs nothing by itself; no node's id gives it."""
NODE_TYPES: Final = (
    "start",
    "wait",
    "apiRequest",
    "apiCurl",
    "webhook",
    "intValue",
    "stringValue",
    "booleanValue",
    "inputValue",
    "verify",
    "loop",
    SWITCH,
    "setConfig.setConfig",
    "loadConfigFile",
    "selectConfigFile",
    "csvHandle",
    "javascriptCode",
    "slack",
    "email",
)
"""The types of nodes that have a source of their own here: `workflow.` and the type."""
PREFIX: Final = "workflow."
_UNKNOWN: Final = "workflow.unknown"
_INPUT: Final = "-input"
_NOISE: Final = frozenset(
    {
        *("label", "breakpoint", "bypass", "failSilently", "_inputConnections"),
        *("retryEnabled", "retryStrategy", "retryCount", "retryUntilCondition"),
        *("retryDelay", "retryDelayStrategy", "retryMaxDelay"),
        *("isTest", "isPinned", "width", "height", "selected", "position", "slowMo", "pause"),
    }
)
"""What sources are not told: it is the editor's, or has been taken into the step."""
_OUTPUTS: Final = tuple(Output(name=name, type=OutputType.JMESPATH, value=name) for name in ("data", "variables"))
_BRANCH: Final = (*_OUTPUTS, Output(name="branch", type=OutputType.JMESPATH, value="branch"))
_ROOM_S: Final = 60.0
"""By how much a step's time is longer than that of the request in it, in seconds."""


def handles_of(node: Node) -> Sequence[str]:
    """Return the handles of the branches of a switch."""
    cases = node.data.get("cases")
    listed = cases if isinstance(cases, (list, tuple)) else ()
    return [*(to_text(case.get("id")) for case in listed if isinstance(case, Mapping)), "default"]


def inputs_of(graph: Graph) -> Sequence[Mapping[str, str]]:
    """Return for each node the properties that take their value from another node, and the id of that node.

    A property does when it is marked so and an edge leads to it; the first of several edges counts.
    """
    found: list[dict[str, str]] = [{} for _ in graph.nodes]
    for _, target, edge in graph.edges:
        handle = edge.target_handle or ""
        if edge.control or not handle.endswith(_INPUT):
            continue
        name = handle.removesuffix(_INPUT)
        marks = graph.nodes[target].data.get("_inputConnections")
        mark = marks.get(name) if isinstance(marks, Mapping) else None
        if isinstance(mark, Mapping) and mark.get("isInput") is True:
            found[target].setdefault(name, edge.source)
    return found


def source_type(kind: str, catalog: Catalog | None) -> str:
    """Return the type of the source that runs nodes of the type *kind*."""
    known = kind in NODE_TYPES if catalog is None else f"{PREFIX}{kind}" in catalog
    return f"{PREFIX}{kind}" if known and kind else _UNKNOWN


def fault_source(message: str) -> Source:
    """Return the source of a step that fails with *message*."""
    return Source(type="workflow.fault", configuration={"message": message})


def node_source(node: Node, inputs: Mapping[str, str], kind: str, *, slow_ms: float) -> Source:
    """Return the source of *node*: what it is told is the node's id, its data and where it takes others from."""
    configuration: dict[str, Json] = {
        "node": node.id,
        "data": {key: value for key, value in node.data.items() if key not in _NOISE},
    }
    if kind == _UNKNOWN:
        configuration["type"] = node.type
    if inputs:
        configuration["inputs"] = dict(inputs)
    until = until_condition(node.data)
    if until is not None:
        configuration["until"] = until
    if slow_ms:
        configuration[SLOW] = slow_ms
    return Source(type=kind, configuration=configuration)


def node_step(
    node: Node, source: str, when: str | None, needs: tuple[StepName, ...], *, pauses: bool, inside: bool
) -> Step:
    """Return the step of *node*, which comes after *needs*."""
    data = node.data
    return Step(
        name=step_name(node.id, inside=inside),
        source=source,
        kind=node.type,
        outputs=() if node.bypassed else _BRANCH if node.type == SWITCH else _OUTPUTS,
        when=when,
        depends_on=needs,
        after_skips=True,
        on_error=OnError.CONTINUE if data.get("failSilently") is True else None,
        retry=retry_policy(data),
        timeout_s=_timeout_s(node),
        breakpoint=data.get("breakpoint") is True,
        unbroken=node.bypassed,
        pause=pauses and data.get("pause") is True and node.type == "wait" and not node.bypassed,
    )


def _timeout_s(node: Node) -> float:
    """Return how long an attempt may take: a wait as long as it says, a request longer than its own timeout."""
    if node.type == "wait":
        return LONGEST_S
    own_ms = number_of(node.data.get("timeout")) or 0.0
    return min(max(DEFAULT_TIMEOUT_S, own_ms / 1000 + _ROOM_S), LONGEST_S)


def slow_ms(data: Mapping[str, Json]) -> float:
    """Return the pause before each node that a start node with *data* asks for, in milliseconds."""
    return max(0.0, number_of(data.get("slowMo")) or 0.0)
