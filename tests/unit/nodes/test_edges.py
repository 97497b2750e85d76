"""What feeds an edge and what keeps it (contract flow-runs, section 5)."""

import pytest

from flowcore.documents.findings import Findings
from flowcore.documents.nodes.edges import EdgeTable, Feed
from flowcore.documents.nodes.reading import read_document
from flowcore.documents.nodes.shapes import shapes_of
from flowcore.values import Json
from tests.node_documents import BASES, changed


def table(base: str, changes: dict[str, Json]) -> EdgeTable:
    """Return the edges of a document."""
    document = read_document(changed(BASES[base], changes), Findings())
    return EdgeTable(document, shapes_of(document))


@pytest.mark.parametrize(
    ("base", "changes", "edge", "feed"),
    [
        ("photo", {}, "original", Feed.UPLOAD),
        ("photo", {"Flow.DataWells[0].Source": "webhook"}, "original", Feed.WEBHOOK),
        ("photo", {"Flow.DataWells[0].Source": "static"}, "original", Feed.STATIC),
        ("chain", {}, "middle", Feed.NODE),
        ("chain", {"Flow.DefaultDataWell.Source": "upload"}, "middle", Feed.NODE),
        ("chain", {"Flow.DataWells": [], "Flow.DefaultDataWell.Source": "webhook"}, "raw", Feed.WEBHOOK),
        ("open", {}, "input-image", Feed.NOTHING),
        ("open", {"NodeDefs[0].Inputs": [{"Name": "image"}]}, "input-image", Feed.UPLOAD),
        ("open", {"NodeDefs[0].Inputs": [{"Name": "other"}]}, "input-image", Feed.NOTHING),
    ],
)
def test_what_feeds_an_edge(base: str, changes: dict[str, Json], edge: str, feed: Feed) -> None:
    edges = table(base, changes)
    assert edges.feed(edges.edges[edge]) is feed


@pytest.mark.parametrize(
    ("base", "changes", "edge", "store"),
    [
        ("photo", {}, "small", "attic"),
        ("photo", {"Flow.DataWells": []}, "small", None),
        ("chain", {}, "middle", "attic"),
        ("chain", {"Flow.DataWells[+]": {"Edge": "middle", "Store": "default"}}, "middle", "default"),
        ("open", {}, "output-image", "default"),
    ],
)
def test_what_keeps_an_edge(base: str, changes: dict[str, Json], edge: str, store: str | None) -> None:
    edges = table(base, changes)
    well = edges.keeping_well(edges.edges[edge])
    assert (None if well is None else well.store) == store


def test_a_well_that_feeds_comes_after_a_node_that_writes() -> None:
    edges = table("chain", {"Flow.DefaultDataWell.Source": "upload"})
    assert edges.feeding_well(edges.edges["middle"]) is None
