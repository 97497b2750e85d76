"""Everything that is wrong with a document, in one go (contract flow-runs, section 8)."""

from typing import Final

import attrs

from flowcore.documents.findings import Findings
from flowcore.errors import Problem
from flowcore.graph import find_cycle
from flowcore.values import Json

from .definition_rules import check_definitions
from .edge_rules import check_edges
from .edges import EdgeTable
from .model import NodeDocument
from .node_rules import check_nodes
from .reading import read_document
from .report import Report
from .shapes import shapes_of
from .store_rules import check_stores
from .well_rules import check_wells

_MOST_CYCLES: Final = 20
"""How many circles of nodes are told, each node in one of them at most."""
_LONGEST_WALK: Final = 12
"""How many names of a circle are told."""


@attrs.frozen(kw_only=True)
class Checked:
    """A document, and what was found in it.

    Attributes:
        problems: Errors and warnings, in the order of the document's parts.
        sound: Whether there is no error among them.
    """

    document: NodeDocument
    problems: tuple[Problem, ...]
    sound: bool


def check_document(body: Json) -> Checked:
    """Read and validate the document ``{Flow, NodeDefs}``.

    Where a part has the wrong type only that is told: what the rest means cannot be known.

    Args:
        body: What the JSON or YAML text says.
    """
    findings = Findings()
    document = read_document(body, findings)
    if findings.sound:
        _validate(document, Report(findings))
    return Checked(document=document, problems=findings.problems, sound=findings.sound)


def _validate(document: NodeDocument, report: Report) -> None:
    shapes = shapes_of(document)
    table = EdgeTable(document, shapes)
    check_stores(document.flow, report)
    check_nodes(document.flow, shapes, report)
    check_definitions(document.flow, shapes, report)
    check_edges(table, document.flow, report)
    check_wells(table, document.flow, report)
    _check_shape(table, document, report)


def _check_shape(table: EdgeTable, document: NodeDocument, report: Report) -> None:
    nodes = document.flow.nodes
    if not nodes:
        report.error("FLOW_002", document.flow.path, "the flow has no nodes", hint="there is nothing to run")
    left = dict(enumerate(table.dependencies(nodes)))
    for _ in range(_MOST_CYCLES):
        cycle = find_cycle(left)
        if cycle is None:
            return
        left = {index: needs for index, needs in left.items() if index not in cycle}
        names = [nodes[index].id or f"Nodes[{index}]" for index in cycle]
        if len(names) > _LONGEST_WALK:
            names[_LONGEST_WALK - 2 : -1] = ["..."]
        alone = cycle[0] == cycle[1]
        message = "the node reads what it writes" if alone else "the nodes wait for each other"
        report.error("FLOW_001", nodes[cycle[0]].path, f"{message}: {' -> '.join(names)}")
