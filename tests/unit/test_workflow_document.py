"""The shape and the structure of workflow documents: contract executions, sections 4 and 8."""

from typing import Final

import pytest

from flowcore.documents.workflows import (
    Edge,
    Node,
    Workflow,
    check_structure,
    check_workflow,
    helps,
    is_workflow,
    node_id,
    read_workflow,
    step_name,
)
from flowcore.errors import FlowDocumentError, Problem
from flowcore.values import Json
from tests.workflow_documents import document, edge, edges, node, start, workflow


def told(problems: tuple[Problem, ...] | FlowDocumentError) -> list[str]:
    found = problems.problems if isinstance(problems, FlowDocumentError) else problems
    return [f"{problem.code} {problem}" for problem in found]


def refused(given: object) -> list[str]:
    with pytest.raises(FlowDocumentError) as caught:
        read_workflow(given)
    return told(caught.value)


def test_a_document_as_an_editor_saves_it() -> None:
    given: Json = {
        "nodes": [
            {"id": "start-1", "type": "start", "position": {"x": 1, "y": 2}, "data": {"label": "Go"}, "width": 80},
            {"id": "w", "type": "wait", "data": {"value": "5"}, "selected": True, "measured": {"width": 1}},
            {"id": "bare", "type": "start", "data": None},
        ],
        "edges": [
            {"id": "e", "source": "start-1", "target": "w", "sourceHandle": "output", "targetHandle": "driver"},
            {"source": "w", "target": "bare", "sourceHandle": None, "targetHandle": "", "animated": True},
        ],
        "groups": [{"id": "g"}],
        "metadata": {"name": "Demo", "tags": []},
    }
    assert read_workflow(given) == Workflow(
        name="Demo",
        nodes=(
            Node(id="start-1", type="start", data={"label": "Go"}, index=0),
            Node(id="w", type="wait", data={"value": "5"}, index=1),
            Node(id="bare", type="start", data={}, index=2),
        ),
        edges=(
            Edge(source="start-1", target="w", source_handle="output", target_handle="driver", index=0),
            Edge(source="w", target="bare", source_handle=None, target_handle=None, index=1),
        ),
    )
    assert check_workflow(given) == ()


@pytest.mark.parametrize(("metadata", "name"), [(None, ""), ([], ""), ({"name": 7}, ""), ({"name": "x"}, "x")])
def test_the_name_is_that_of_the_metadata(metadata: Json, name: str) -> None:
    assert read_workflow({"nodes": [], "edges": [], "metadata": metadata}).name == name


_MISSHAPEN: Final[list[tuple[object, list[str]]]] = [
    ([], ["wrong-type a workflow is an object with 'nodes' and 'edges'"]),
    (
        {},
        [
            "missing-key nodes: a workflow needs 'nodes', an array",
            "missing-key edges: a workflow needs 'edges', an array",
        ],
    ),
    (
        {"nodes": {}, "edges": 1},
        [
            "wrong-type nodes: 'nodes' must be an array, not a mapping",
            "wrong-type edges: 'edges' must be an array, not a number",
        ],
    ),
    (
        {
            "nodes": ["a", {"type": "x", "data": []}, {"id": 1}, {"id": "i" * 501, "type": "x"}],
            "edges": [[], {"source": "a"}, {"source": "a", "target": "b", "sourceHandle": "h" * 501}],
        },
        [
            "wrong-type nodes[0]: a node must be an object, not text",
            "missing-key nodes[1]: 'id' is missing",
            "wrong-type nodes[1].data: 'data' must be an object, not a list",
            "wrong-type nodes[2].id: 'id' must be text, not a number",
            "missing-key nodes[2]: 'type' is missing",
            "out-of-range nodes[3].id: an id has at most 500 characters",
            "wrong-type edges[0]: an edge must be an object, not a list",
            "missing-key edges[1]: 'target' is missing",
            "out-of-range edges[2].sourceHandle: a handle has at most 500 characters",
        ],
    ),
    (
        {"nodes": [{"id": "a", "type": "x", "data": {"n": float("nan")}}], "edges": []},
        ["wrong-type nodes[0].data.n: nan is no number that JSON can hold"],
    ),
]


@pytest.mark.parametrize(("given", "expected"), _MISSHAPEN)
def test_a_wrong_shape_is_refused_with_all_its_problems(given: object, expected: list[str]) -> None:
    assert refused(given) == expected


def test_structure_problems_are_found_at_once() -> None:
    given = workflow([node("a"), node("b"), node("a")], [edge("a", "x"), edge("y", "b")])
    assert told(check_structure(given)) == [
        "no-start nodes: a workflow needs a node of the type 'start'",
        "duplicate-id nodes[2].id: the id 'a' is that of nodes[0] already",
        "unknown-node edges[0].target: there is no node 'x'",
        "unknown-node edges[1].source: there is no node 'y'",
    ]
    assert told(check_structure(workflow([], []))) == ["no-nodes nodes: a workflow needs at least one node"]
    assert check_structure(workflow([start(), node("a")], edges("start a"))) == ()


def test_shape_and_structure_are_checked_together() -> None:
    given = document([start(), {"id": "b"}], [edge("start", "c")])
    assert told(check_workflow(given)) == [
        "missing-key nodes[1]: 'type' is missing",
        "unknown-node edges[0].target: there is no node 'c'",
    ]
    assert told(check_workflow({"nodes": []})) == ["missing-key edges: a workflow needs 'edges', an array"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"nodes": 1, "edges": 2}, True), ({"nodes": []}, False), ({"flow": []}, False), ([], False)],
)
def test_a_workflow_is_known_by_its_nodes_and_edges(given: object, expected: object) -> None:
    assert is_workflow(given) is expected


@pytest.mark.parametrize(
    ("handle", "control", "driver"),
    [
        (None, True, True),
        ("driver", True, True),
        ("input", True, False),
        ("default", True, False),
        ("case-1", True, False),
        ("url-input", False, False),
        ("target", False, False),
    ],
)
def test_control_edges_are_known_by_their_target_handle(handle: str | None, control: object, driver: object) -> None:
    (found,) = workflow([start(), node("a")], [edge("start", "a", handle)]).edges
    assert (found.control, found.driver) == (control, driver)


def test_a_node_is_bypassed_when_it_says_true() -> None:
    found = workflow([node("a", bypass=True), node("b", bypass="yes"), node("c")], []).nodes
    assert [each.bypassed for each in found] == [True, False, False]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("node-1", "node-1"),
        ("a b", "a b"),
        ("Grüße", "Grüße"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("a\nb", "a%0Ab"),
        ("3", "3"),
        ("", "%"),
    ],
)
def test_step_names_can_be_turned_back(given: str, name: str) -> None:
    assert step_name(given) == name
    for shown in (name, step_name(given, inside=True), step_name(given, "check"), f"loop-1/3/{step_name(given)}"):
        if given != "3" or "/" not in shown:
            assert node_id(shown) == given
    assert not helps(name)
    assert helps(step_name(given, "check"))


def test_numbers_in_paths_are_iterations() -> None:
    assert step_name("3", inside=True) == "%33"
    assert node_id("loop/2/%33") == "3"
    assert node_id("loop/2") == "loop"
    assert node_id("12") == "12"
    assert node_id("%.fault") is None
    assert [helps(name) for name in ("loop%.check", "run/loop%.next", "a%.fault", "%.fault", "a%2Eb")] == [
        True,
        True,
        False,
        False,
        False,
    ]
