"""Switches and sub-flows: contract executions, section 8, points 7 and 11."""

import json

import pytest

from flowcore.documents.workflows.branches import Branches, literal, quoted
from flowcore.documents.workflows.faults import FaultError
from flowcore.documents.workflows.graph import Graph, Way
from flowcore.documents.workflows.reusables import Reusable, find_reusables
from flowcore.expressions import compile_template
from flowcore.values import Json
from tests.workflow_documents import edge, edges, node, start, workflow

CASES = {1: ["a", "b", "default"], 2: ["x", "default"]}


def branches() -> Branches:
    """Return the branches of a scope that begins at 0, with two switches."""
    found = Branches(0, CASES.get, lambda index: f"s{index}")
    assert found.condition(1, [Way(0, "output")]) is None
    return found


def holds(condition: str | None, **taken: str) -> bool:
    """Return whether *condition* holds when the switches have taken these branches."""
    flows: Json = {name: {"branch": branch} for name, branch in taken.items()}
    return condition is None or bool(compile_template(condition).render({"flows": flows}))


def test_a_node_behind_a_branch_runs_when_it_is_taken() -> None:
    known = branches()
    condition = known.condition(5, [Way(1, "a")])
    assert condition == '{{ flows."s1".branch == `"a"` }}'
    assert (holds(condition, s1="a"), holds(condition, s1="b"), holds(condition)) == (True, False, False)
    assert known.condition(6, [Way(5, "output")]) == condition


def test_a_node_behind_two_branches_runs_when_either_is_taken() -> None:
    condition = branches().condition(5, [Way(1, "a"), Way(1, "b")])
    assert [holds(condition, s1=branch) for branch in ("a", "b", "default")] == [True, True, False]


def test_a_node_behind_all_branches_always_runs() -> None:
    known = branches()
    for index, handle in ((5, "a"), (6, "b"), (7, "default")):
        known.condition(index, [Way(1, handle)])
    assert known.condition(8, [Way(5, "output"), Way(6, None), Way(7, "output")]) is None


def test_a_way_past_the_switch_is_always_open() -> None:
    known = branches()
    assert known.condition(5, [Way(1, "a"), Way(0, "output")]) is None
    assert known.condition(6, [Way(1, "output")]) is None
    assert known.condition(7, []) is None
    assert known.condition(8, [Way(99, "output")]) is None


def test_switches_behind_switches() -> None:
    known = branches()
    assert known.condition(2, [Way(1, "a")]) is not None
    inner = known.condition(5, [Way(2, "x")])
    both = known.condition(6, [Way(2, "x"), Way(1, "b")])
    whole = known.condition(7, [Way(2, "x"), Way(2, "default")])
    assert (holds(inner, s1="a", s2="x"), holds(inner, s1="b")) == (True, False)
    assert [holds(both, **taken) for taken in ({"s1": "b"}, {"s1": "a", "s2": "x"}, {"s1": "a", "s2": "default"})] == [
        True,
        True,
        False,
    ]
    assert whole == known.condition(8, [Way(1, "a")])


def test_many_branches_with_long_names_still_make_expressions() -> None:
    handles = [f"case-{number}-{'x' * 200}" for number in range(40)]
    known = Branches(0, lambda index: [*handles, "default"] if index == 1 else None, lambda _index: "s1")
    known.condition(1, [Way(0, None)])
    condition = known.condition(2, [Way(1, handle) for handle in handles])
    assert all(holds(condition, s1=handle) for handle in handles)
    assert not holds(condition, s1="default")
    assert not holds(condition)


def test_conditions_that_become_too_long_together_are_a_fault() -> None:
    handles = [f"case-{number}-{'x' * 200}" for number in range(2000)]
    known = Branches(0, lambda index: [*handles, "default"] if index == 1 else None, lambda _index: "s1")
    known.condition(1, [Way(0, None)])
    ways = [Way(1, handle) for handle in handles]
    for index in range(2, 10):
        known.condition(index, ways)
    with pytest.raises(FaultError, match=r"^Too many branches of switches lead to the same nodes$"):
        known.condition(10, ways)


@pytest.mark.parametrize("text", ["plain", "it's", 'say "hi"', "back\\slash", "tick`tock", "{{ x }}", "ä"])
def test_any_id_can_stand_in_an_expression(text: str) -> None:
    template = compile_template(f"{{{{ flows.{quoted(text)}.branch == {literal(text)} }}}}")
    assert template.render({"flows": {text: {"branch": text}}}) is True
    assert json.loads(quoted(text)) == text


def found(nodes: list[dict[str, Json]], links: list[dict[str, Json]]) -> tuple[dict[str, object], list[str]]:
    """Return the sub-flows by name, with ids for indexes, and the faults."""
    graph = Graph(workflow(nodes, links))
    reusables, faults = find_reusables(graph)

    def shown(reusable: Reusable) -> object:
        members = [graph.nodes[index].id for index in sorted(reusable.members)]
        needs = [graph.nodes[index].id for index in reusable.needs]
        return (graph.nodes[reusable.root].id, members, list(reusable.runs), needs)

    return {name: shown(reusable) for name, reusable in reusables.items()}, [fault.message for fault in faults]


def reusable(name: str, context: str) -> dict[str, Json]:
    return node(name, "reusable.reusable", contextName=context)


def running(name: str, context: str, **data: Json) -> dict[str, Json]:
    return node(name, "reusable.runReusable", contextName=context, **data)


def test_a_sub_flow_is_what_lies_between_its_node_and_its_end() -> None:
    nodes = [start(), reusable("r", " login "), node("a"), node("end", "reusable.end"), node("after"), node("v")]
    links = [*edges("r a end after"), edge("v", "a", "value-input")]
    assert found(nodes, links) == ({"login": ("r", ["a", "end"], [], ["v"])}, [])


def test_a_sub_flow_inside_another_has_an_end_of_its_own() -> None:
    nodes = [
        reusable("r", "outer"),
        reusable("s", "inner"),
        node("a"),
        node("e", "reusable.end"),
        node("b"),
        node("f", "reusable.end"),
        node("after"),
    ]
    assert found(nodes, edges("r s a e b f after")) == (
        {"outer": ("r", ["s", "a", "e", "b", "f"], [], []), "inner": ("s", ["a", "e"], [], [])},
        [],
    )


def test_a_sub_flow_that_leads_back_to_its_beginning_does_not_hold_it() -> None:
    assert found([reusable("r", "x"), node("a")], edges("r a r")) == ({"x": ("r", ["a"], [], [])}, [])


def test_what_is_wrong_with_sub_flows_is_named() -> None:
    nodes = [
        reusable("r", ""),
        reusable("s", "x"),
        reusable("t", "x"),
        running("u", ""),
        running("v", "y"),
        running("w", "x"),
    ]
    assert found(nodes, [])[1] == [
        "Reusable node r must have a context name",
        'Duplicate context name "x" found in reusable nodes s and t',
        "Run Reusable node u must specify a context name",
        'Run Reusable node v references non-existent reusable flow "y"',
    ]


def test_a_sub_flow_that_runs_itself_is_refused_by_name() -> None:
    nodes = [reusable("r", "x"), running("a", "y"), reusable("s", "y"), running("b", "z"), reusable("t", "z")]
    assert found([*nodes, running("c", "y")], edges("r a", "s b", "t c"))[1] == [
        'Reusable flow "y" runs itself: y -> z -> y'
    ]
    assert found([*nodes, running("c", "y", bypass=True)], edges("r a", "s b", "t c"))[1] == []
    long = [each for n in range(20) for each in (reusable(f"r{n}", f"x{n}"), running(f"u{n}", f"x{(n + 1) % 20}"))]
    (fault,) = found(long, edges(*(f"r{n} u{n}" for n in range(20))))[1]
    assert fault == (
        'Reusable flow "x0" runs itself: x0 -> x1 -> x2 -> x3 -> x4 -> x5 -> x6 -> x7 -> x8 -> x9 -> ... -> x0'
    )


def test_sub_flows_that_run_the_same_one_are_no_circle() -> None:
    nodes = [reusable("r", "x"), running("a", "z"), reusable("s", "y"), running("b", "z"), reusable("t", "z")]
    assert found(nodes, edges("r a", "s b"))[1] == []
