"""Reading a workflow document: nodes and edges, forgiving about an editor's leavings, strict about their shape.

The document is JSON that somebody has parsed already: ``{nodes[], edges[], metadata?, groups?}``. Of a node only `id`,
`type` and `data` count, of an edge its ends and its handles; everything else (positions, sizes, selections) is passed
over (contract executions, section 8).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from flowcore.documents.fields import type_name
from flowcore.documents.findings import Findings
from flowcore.documents.plain import check_plain
from flowcore.errors import Path, Problem
from flowcore.values import Json, is_json, is_mapping

START: Final = "start"
_CONTROL: Final = frozenset({None, "driver", "input", "default"})
"""The target handles of control edges, beside `case-*`; every other one takes a value."""
_LONGEST_ID: Final = 500
"""How long an id or a handle may be, in characters."""


@attrs.frozen(kw_only=True)
class Node:
    """A node of the document.

    Attributes:
        index: Its place in the document, counted from 0.
    """

    id: str
    type: str
    data: Mapping[str, Json]
    index: int

    @property
    def bypassed(self) -> bool:
        """Whether it is passed over: nothing of it is run."""
        return self.data.get("bypass") is True


@attrs.frozen(kw_only=True)
class Edge:
    """An edge of the document.

    Attributes:
        source_handle: Where it leaves its source; None for the ordinary output.
        target_handle: Where it enters its target; None for the ordinary input.
        index: Its place in the document, counted from 0.
    """

    source: str
    target: str
    source_handle: str | None
    target_handle: str | None
    index: int

    @property
    def control(self) -> bool:
        """Whether the target follows the source; else it only takes a value from it."""
        return self.target_handle in _CONTROL or (self.target_handle or "").startswith("case-")

    @property
    def driver(self) -> bool:
        """Whether it is of the kind of which a node may have one only."""
        return self.target_handle in {None, "driver"}


@attrs.frozen(kw_only=True)
class Workflow:
    """What a workflow document says.

    Attributes:
        name: What its metadata call it; empty when they do not.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def read_workflow(document: object) -> Workflow:
    """Return what *document*, parsed JSON, says.

    Its structure is not looked at: a workflow without a start, say, is one whose run errs (see `check_structure`).

    Raises:
        FlowDocumentError: It has not the shape of a workflow; every problem is named with its path.
    """
    workflow, findings = _read(document)
    findings.check()
    return workflow


def is_workflow(document: object) -> bool:
    """Return whether *document* means to be a workflow: whether it has nodes and edges, whatever they look like."""
    return is_mapping(document) and "nodes" in document and "edges" in document


def check_workflow(document: object) -> tuple[Problem, ...]:
    """Return everything that is wrong with the shape and the structure of *document*, parsed JSON, at once."""
    workflow, findings = _read(document)
    # What stands at the top must be there before anything can be said of what should be in it.
    top = any(len(problem.path) < _INSIDE for problem in findings.problems)
    return findings.problems if top else (*findings.problems, *check_structure(workflow))


_INSIDE: Final = 2
"""How long the path of something inside `nodes` or `edges` is at least."""


def check_structure(workflow: Workflow) -> tuple[Problem, ...]:
    """Return everything that is wrong with the structure of *workflow* (contract executions, section 4).

    There must be nodes, one of them a start; ids must be unique; edges must end at nodes that are there.
    """
    findings = Findings()
    if not workflow.nodes:
        findings.add("no-nodes", ("nodes",), "a workflow needs at least one node")
    elif all(node.type != START for node in workflow.nodes):
        findings.add("no-start", ("nodes",), "a workflow needs a node of the type 'start'")
    first: dict[str, int] = {}
    for node in workflow.nodes:
        known = first.setdefault(node.id, node.index)
        if known != node.index:
            message = f"the id '{node.id}' is that of nodes[{known}] already"
            findings.add("duplicate-id", ("nodes", node.index, "id"), message)
    for edge in workflow.edges:
        for end, there in (("source", edge.source), ("target", edge.target)):
            if there not in first:
                findings.add("unknown-node", ("edges", edge.index, end), f"there is no node '{there}'")
    return findings.problems


def _read(document: object) -> tuple[Workflow, Findings]:
    findings = Findings()
    check_plain(document, findings)
    plain: Json = document if is_json(document) else None
    if not isinstance(plain, Mapping):
        findings.add("wrong-type", (), "a workflow is an object with 'nodes' and 'edges'")
    if findings.problems or not isinstance(plain, Mapping):
        return Workflow(name="", nodes=(), edges=()), findings
    nodes = tuple(
        node
        for index, value in enumerate(_array(plain, "nodes", findings))
        if (node := _node(value, index, findings)) is not None
    )
    edges = tuple(
        edge
        for index, value in enumerate(_array(plain, "edges", findings))
        if (edge := _edge(value, index, findings)) is not None
    )
    return Workflow(name=_name(plain), nodes=nodes, edges=edges), findings


def _name(document: Mapping[str, Json]) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _array(document: Mapping[str, Json], key: str, findings: Findings) -> Sequence[Json]:
    value = document.get(key)
    if isinstance(value, (list, tuple)):
        return value
    if key not in document:
        findings.add("missing-key", (key,), f"a workflow needs '{key}', an array")
    else:
        findings.add("wrong-type", (key,), f"'{key}' must be an array, not {type_name(value)}")
    return ()


def _node(value: Json, index: int, findings: Findings) -> Node | None:
    path: Path = ("nodes", index)
    if not isinstance(value, Mapping):
        findings.add("wrong-type", path, f"a node must be an object, not {type_name(value)}")
        return None
    found = _text(value, "id", path, findings)
    kind = _text(value, "type", path, findings)
    data = value.get("data")
    if data is not None and not isinstance(data, Mapping):
        findings.add("wrong-type", (*path, "data"), f"'data' must be an object, not {type_name(data)}")
    if found is not None and len(found) > _LONGEST_ID:
        findings.add("out-of-range", (*path, "id"), f"an id has at most {_LONGEST_ID} characters")
    if found is None or kind is None:
        return None
    return Node(id=found, type=kind, data=data if isinstance(data, Mapping) else {}, index=index)


def _edge(value: Json, index: int, findings: Findings) -> Edge | None:
    path: Path = ("edges", index)
    if not isinstance(value, Mapping):
        findings.add("wrong-type", path, f"an edge must be an object, not {type_name(value)}")
        return None
    source = _text(value, "source", path, findings)
    target = _text(value, "target", path, findings)
    if source is None or target is None:
        return None
    return Edge(
        source=source,
        target=target,
        source_handle=_handle(value.get("sourceHandle"), "sourceHandle", path, findings),
        target_handle=_handle(value.get("targetHandle"), "targetHandle", path, findings),
        index=index,
    )


def _text(value: Mapping[str, Json], key: str, path: Path, findings: Findings) -> str | None:
    found = value.get(key)
    if isinstance(found, str):
        return found
    if found is None:
        findings.add("missing-key", path, f"'{key}' is missing")
    else:
        findings.add("wrong-type", (*path, key), f"'{key}' must be text, not {type_name(found)}")
    return None


def _handle(value: Json, key: str, path: Path, findings: Findings) -> str | None:
    """Return a handle; editors write null, or nothing, for the ordinary one."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) > _LONGEST_ID:
        findings.add("out-of-range", (*path, key), f"a handle has at most {_LONGEST_ID} characters")
    return value
