"""Laws of node flows for documents that somebody has meddled with."""

from copy import deepcopy
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcore.documents.nodes.compilation import compile_nodes
from flowcore.documents.nodes.report import entries
from flowcore.documents.nodes.validation import check_document
from flowcore.errors import Severity
from flowcore.graph import find_cycle
from flowcore.values import Json
from tests.node_documents import BASES

pytestmark = pytest.mark.property

VALUES: Final[tuple[Json, ...]] = (
    *(None, True, 0, -1, 3.5, float("nan"), 10**30, "", "x", "\0", "\ud800", "default", "attic", "original", "middle"),
    *("${RUN_ID}", "${", "$", "*/*", "image/*", "static", "upload", "c-small", "lab/take", "'", "é" * 200),
    *(
        [],
        {},
        ["a"],
        [None],
        [{}],
        {"Name": "x"},
        {"Name": "in", "Edge": "end"},
        {"Edge": "original", "Store": "attic"},
    ),
)


def paths(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of everything in *value*."""
    found: list[tuple[str | int, ...]] = []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in members:
        found += [(*path, key), *paths(item, (*path, key))]
    return found


@st.composite
def meddled(draw: st.DrawFn) -> Json:
    """Return a document in which some values are others, some keys are in capitals, and some things are missing."""
    document: Json = deepcopy(draw(st.sampled_from(tuple(BASES.values()))))
    for _ in range(draw(st.integers(1, 6))):
        places = paths(document)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        target: Json = document
        for part in way:
            if isinstance(target, dict):
                target = target[str(part)]
            elif isinstance(target, list):
                target = target[int(part)]
        value = deepcopy(draw(st.sampled_from(VALUES)))
        remove = draw(st.booleans())
        if isinstance(target, dict):
            kept = target.pop(str(last))
            if not remove:
                target[draw(st.sampled_from((str(last), str(last).upper())))] = draw(st.sampled_from((kept, value)))
        elif isinstance(target, list):
            target[int(last) : int(last) + 1] = [] if remove else [value, target[int(last)]]
    return document


@given(meddled())
@settings(max_examples=400, deadline=None)
def test_whatever_a_document_is_it_is_told_or_it_can_run(document: Json) -> None:
    checked = check_document(document)
    told = [*entries(checked.problems, Severity.ERROR), *entries(checked.problems, Severity.WARNING)]
    assert len(told) == len(checked.problems)
    assert checked.sound == (not entries(checked.problems, Severity.ERROR))
    if not checked.sound:
        return
    flow = compile_nodes(checked.document).flow
    assert [step.name for step in flow.steps] == [node.id for node in checked.document.flow.nodes]
    assert find_cycle({step.name: step.depends_on for step in flow.steps}) is None
    for step in flow.steps:
        # Whatever is awaited, and whatever is kept, has a well.
        assert {*step.awaits, *(port.edge for port in step.artifact_outputs)} <= set(flow.wells)
