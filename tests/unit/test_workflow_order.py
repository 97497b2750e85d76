"""The order of nodes: contract executions, section 8, "Order"."""

import random
import time

import pytest

from flowcore.documents.workflows.faults import FaultError
from flowcore.documents.workflows.graph import Graph
from flowcore.documents.workflows.order import CircleError, execution_order, link
from flowcore.documents.workflows.scopes import Arrangement, Item, ordered
from flowcore.values import Json
from tests.workflow_documents import edge, edges, node, start, workflow


def order(links: list[dict[str, Json]], names: str = "") -> str:
    """Return the order of the nodes that *links* connect, listed in the document as they are met, or as in *names*."""
    listed = [*dict.fromkeys([*names.split(), *(str(each[end]) for each in links for end in ("source", "target"))])]
    graph = Graph(workflow([start() if name == "start" else node(name) for name in listed], links))
    found = ordered(graph, graph.links(range(len(listed))), graph.index["start"])
    return " ".join(graph.nodes[index].id for index in found)


class TestOrder:
    """Depth-first from the first start node."""

    def test_dependencies_come_first_then_the_node_then_its_successors_in_edge_order(self) -> None:
        assert order(edges("start a b c")) == "start a b c"
        assert order(edges("start b", "start a")) == "start b a"

    def test_fan_out_runs_the_first_branch_to_its_end(self) -> None:
        assert order(edges("start a b", "start c d")) == "start a b c d"

    def test_a_join_through_input_handles_waits_for_all_its_branches(self) -> None:
        links = [*edges("start a", "start b c"), edge("a", "j", "input"), edge("c", "j", "input"), *edges("j k")]
        assert order(links) == "start a b c j k"

    def test_a_value_node_runs_before_the_node_that_takes_its_value(self) -> None:
        links = [*edges("start a b"), edge("v", "b", "url-input"), edge("u", "v", "value-input")]
        assert order(links) == "start a u v b"

    def test_nodes_that_are_not_connected_to_the_start_do_not_run(self) -> None:
        assert order([*edges("start a", "x y")]) == "start a"

    def test_leftovers_come_last_in_the_order_of_the_document(self) -> None:
        links = [*edges("start a b"), edge("a", "z", "p-input"), edge("b", "y", "p-input"), edge("z", "x", "p-input")]
        assert order(links, "x y z start") == "start a b y z x"

    def test_edges_to_unknown_nodes_are_ignored(self) -> None:
        graph = Graph(workflow([start(), node("a")], [*edges("start nowhere a"), *edges("start a")]))
        assert ordered(graph, graph.links(range(2)), 0) == (0, 1)

    def test_comments_and_shortcuts_are_left_out(self) -> None:
        nodes = [start(), node("c", "comment-box.comment"), node("s", "shortcut.shortcut"), node("a")]
        graph = Graph(workflow(nodes, edges("start c a", "start s", "start a")))
        assert [each.id for each in graph.nodes] == ["start", "a"]

    @pytest.mark.parametrize(
        ("walks", "at"), [("start a b a", "a"), ("start a a", "a"), ("start a start", "start"), ("start a b c b", "b")]
    )
    def test_a_circle_is_an_error_by_name(self, walks: str, at: str) -> None:
        with pytest.raises(FaultError, match=f"^Circular dependency detected involving node: {at}$"):
            order(edges(walks, into="input"))

    def test_a_circle_that_nothing_leads_to_does_no_harm(self) -> None:
        assert order(edges("start a", "x y x", into="input")) == "start a"

    def test_what_follows_a_branch_may_need_the_join_that_waits_for_it(self) -> None:
        links = [
            edge("start", "j", "input"),
            edge("start", "a", "input"),
            edge("a", "j", "input"),
            edge("a", "x", "input"),
            edge("j", "x", "input"),
        ]
        assert order(links) == "start a j x"

    def test_a_chain_that_was_passed_over_comes_when_the_join_has_had_its_turn(self) -> None:
        links = [
            edge("start", "j", "input"),
            edge("start", "a", "input"),
            edge("a", "j", "input"),
            edge("a", "x", "input"),
            edge("d", "x", "p-input"),
            edge("j", "d", "p-input"),
        ]
        assert order(links) == "start a j d x"


def test_ten_thousand_nodes_in_a_row_or_side_by_side() -> None:
    count = 10_000
    begun = time.process_time()
    row = execution_order(link(count, [(n, n + 1, True) for n in range(count - 1)]), 0)
    fan = execution_order(link(count, [(0, n, True) for n in range(1, count)]), 0)
    values = execution_order(link(count, [(n + 1, n, False) for n in range(count - 1)]), 0)
    assert row == fan == tuple(range(count))
    assert values == tuple(reversed(range(count)))
    assert time.process_time() - begun < 20


def test_what_is_passed_over_again_and_again_costs_no_more_than_a_bound() -> None:
    # Joins that wait for each other's branches, and many nodes behind each branch that need all of them.
    count = 300
    joins = [(0, 1 + n, True) for n in range(count)]
    chain = [(2 + n, 1 + n, False) for n in range(count - 1)]
    late = [(1 + n, 1 + count + m, True) for n in range(count) for m in range(20)]
    needs = [(1, 1 + count + m, False) for m in range(20)]
    begun = time.process_time()
    found = execution_order(link(1 + count + 20, [*joins, *chain, *late, *needs]), 0)
    assert time.process_time() - begun < 20
    assert sorted(found) == list(range(1 + count + 20))
    assert found[: count + 1] == (0, *reversed(range(1, count + 1)))


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_connected_runs_once_and_after_what_it_needs(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(2, 14)
    drawn = {(a, b, chance.random() < 0.6) for a in range(count) for b in range(a + 1, count) if chance.random() < 0.3}
    names = chance.sample(range(count), count)
    links = link(count, [(names[a], names[b], control) for a, b, control in sorted(drawn)])
    found = execution_order(links, names[0])
    place = {index: number for number, index in enumerate(found)}
    reached = {names[0]}
    grown = True
    while grown:
        more = {b for a in reached for b in links.users[a]} | {b for a in reached for b in links.needs[a]}
        grown = not more <= reached
        reached |= more
    assert sorted(found) == sorted(reached)
    for index in found:
        assert all(place[need] < place[index] for need in links.needs[index])


@pytest.mark.parametrize("seed", range(40))
def test_every_circle_is_found(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(3, 12)
    drawn = [(n, n + 1, True) for n in range(count - 1)]
    back = chance.randint(1, count - 1)
    drawn += [(back, chance.randint(1, back), chance.random() < 0.5)]
    drawn += [(a, b, True) for a in range(count) for b in range(a + 1, count) if chance.random() < 0.2]
    chance.shuffle(drawn)
    with pytest.raises(CircleError):
        execution_order(link(count, drawn), 0)


def arranged(links: list[dict[str, Json]], loops: str) -> list[object]:
    """Return the order with the bodies of *loops* as lists behind them."""
    listed = [*dict.fromkeys(str(each[end]) for each in links for end in ("source", "target"))]
    graph = Graph(workflow([start() if name == "start" else node(name) for name in listed], links))
    members = graph.links(range(len(listed)))
    marked = set(loops.split())

    def shown(items: tuple[Item, ...]) -> list[object]:
        return [
            part for item in items for part in (graph.nodes[item.index].id, *([shown(item.body)] * bool(item.body)))
        ]

    arrangement = Arrangement(graph, members, lambda index: graph.nodes[index].id in marked)
    return shown(arrangement.arrange(ordered(graph, members, graph.index["start"])))


class TestLoops:
    """Children = all nodes reachable through `output`, run as body, not again afterwards."""

    def test_what_is_reached_from_a_loop_is_its_body(self) -> None:
        assert arranged(edges("start a loop b c", "start d"), "loop") == ["start", "a", "loop", ["b", "c"], "d"]

    def test_a_join_in_a_body_is_there_once(self) -> None:
        links = [*edges("start l"), *edges("l a", "l b", "a j", "b j", into="input")]
        assert arranged(links, "l") == ["start", "l", ["a", "b", "j"]]

    def test_loops_in_loops(self) -> None:
        assert arranged(edges("start l a m b"), "l m") == ["start", "l", ["a", "m", ["b"]]]

    def test_a_value_for_a_child_is_there_before_the_loop(self) -> None:
        links = [*edges("start l a"), edge("v", "a", "p-input"), edge("u", "v", "p-input")]
        assert arranged(links, "l") == ["start", "u", "v", "l", ["a"]]

    def test_a_value_that_needs_a_child_is_made_in_the_body(self) -> None:
        links = [*edges("start l a b"), edge("a", "v", "p-input"), edge("v", "b", "p-input")]
        assert arranged(links, "l") == ["start", "l", ["a", "v", "b"]]

    def test_a_child_of_two_loops_runs_in_the_first(self) -> None:
        links = [*edges("start l", "start m"), edge("l", "x", "input"), edge("m", "x", "input")]
        assert arranged(links, "l m") == ["start", "m", ["x"], "l"]

    def test_loops_are_nested_sixteen_deep_at_most(self) -> None:
        names = [f"l{number}" for number in range(17)]
        assert arranged(edges(f"start {' '.join(names[:16])} a"), " ".join(names))
        with pytest.raises(FaultError, match=r"^Loops are nested more than 16 deep at node: l16$"):
            arranged(edges(f"start {' '.join(names)} a"), " ".join(names))
