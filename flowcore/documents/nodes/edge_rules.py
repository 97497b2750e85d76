"""What may be wrong with the edges: EDGE_001 to EDGE_006, and TYPE_002.

In a flow that declares any storage a loose edge is an error, because it is most often a typing mistake. In one that
declares none the built-in store stands by, and it is a warning (contract flow-runs, section 5).
"""

import re
from itertools import islice
from typing import Final

from flowcore.errors import Path

from .edges import Edge, EdgeTable
from .media_types import ANY, MediaTypes
from .model import NodeFlow
from .report import Report

EDGE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MOST_PRODUCERS: Final = 8
"""How many producers of one edge are compared with its readers."""


def check_edges(table: EdgeTable, flow: NodeFlow, report: Report) -> None:
    """Note what is wrong with the edges."""
    for edge in table.edges.values():
        _check_name(edge.name, _path(edge), report)
        if edge.readers:
            _check_feed(edge, table, flow, report)
        if edge.producers:
            _check_kept(edge, table, flow, report)
        _check_producers(edge, report)
        _check_types(edge, table, report)
    for well in flow.wells:
        if well.edge not in table.edges:
            _check_name(well.edge, (*well.path, "Edge"), report)


def _path(edge: Edge) -> Path:
    end = (*edge.producers, *edge.readers)[0]
    return (*end.binding.path, "Edge")


def _check_name(name: str, path: Path, report: Report) -> None:
    if EDGE_NAME.fullmatch(name) is None:
        shown = f"'{name:.140}' is no name for an edge" if name else "an edge needs a name"
        hint = "1 to 128 letters, digits, dots, dashes and underscores, no dot or dash at the beginning"
        report.error("EDGE_005", path, shown, hint=hint)


def _check_feed(edge: Edge, table: EdgeTable, flow: NodeFlow, report: Report) -> None:
    if edge.producers or table.feeding_well(edge) is not None:
        return
    path = (*edge.readers[0].binding.path, "Edge")
    if flow.storage_less:
        message = f"nothing feeds the edge '{edge.name}': its readers start without it"
        hint = "a definition that declares the input asks for an upload; so does a `DefaultDataWell` with a `Source`"
        report.warn("EDGE_001", path, message, hint=hint)
        return
    produced = [other.name for other in table.edges.values() if other.producers] if report.guessing else []
    report.error(
        "EDGE_001",
        path,
        f"nothing feeds the edge '{edge.name}'",
        hint=report.guess(edge.name, produced, "bind an output to it, or give it a data well with a `Source`"),
    )


def _check_kept(edge: Edge, table: EdgeTable, flow: NodeFlow, report: Report) -> None:
    path = (*edge.producers[0].binding.path, "Edge")
    if flow.storage_less:
        message = f"no data well keeps the edge '{edge.name}': the built-in store does"
        report.warn("EDGE_004", path, message, hint="`DefaultDataWell: {Store: default}` says so")
    elif table.keeping_well(edge) is None:
        hint = "give it a data well, or the flow a `DefaultDataWell`"
        if edge.readers:
            report.error("EDGE_004", path, f"no data well keeps the edge '{edge.name}' between its nodes", hint=hint)
        else:
            report.error("EDGE_002", path, f"nobody reads or keeps the edge '{edge.name}'", hint=hint)


def _check_producers(edge: Edge, report: Report) -> None:
    ports = {(end.node, end.binding.name): end for end in edge.producers}
    if len(ports) > 1:
        second = list(ports.values())[1]
        report.error("EDGE_006", (*second.binding.path, "Edge"), f"two outputs write the edge '{edge.name}'")
    well = edge.source_well
    if ports and well is not None:
        message = f"the edge '{edge.name}' is written by a node and fed by a well"
        report.error("EDGE_006", (*well.path, "Edge"), message, hint="leave out the well's `Source`")


def _check_types(edge: Edge, table: EdgeTable, report: Report) -> None:
    if edge.producers:
        _check_pairs(edge, report)
        return
    if table.feeding_well(edge) is None:
        return
    common = ANY
    for end in edge.readers:
        common &= MediaTypes.of(end.types)
    if common.empty:
        path = (*edge.readers[-1].binding.path, "Edge")
        report.error("TYPE_002", path, f"no content type satisfies every reader of the edge '{edge.name}'")


def _check_pairs(edge: Edge, report: Report) -> None:
    # Producers and readers of one kind are looked at once, so that an edge with many of both stays cheap.
    produced = dict.fromkeys(end.types for end in edge.producers)
    accepted = {end.types: end for end in edge.readers}
    # More than one producer is an error of its own.
    for given in islice(produced, _MOST_PRODUCERS):
        offer = MediaTypes.of(given)
        for wanted, reader in accepted.items():
            accept = MediaTypes.of(wanted)
            if (offer & accept).empty:
                report.error(
                    "EDGE_003",
                    (*reader.binding.path, "Edge"),
                    f"the edge '{edge.name}' brings {offer}, but a reader accepts {accept} only",
                )
