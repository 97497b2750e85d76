"""Workflows as flows: contract executions, sections 4, 6 and 8."""

import json
import time
from collections.abc import Mapping
from typing import Final

import pytest

from flowcore.catalog import SourceType
from flowcore.documents.flow_files import FlowFile
from flowcore.documents.workflows import compilation, compile_strictly, compile_workflow
from flowcore.documents.workflows.compilation import MOST_STEPS
from flowcore.documents.workflows.files import compile_workflow_file
from flowcore.documents.workflows.loops import expression, not_a_list, variable_of
from flowcore.errors import FlowDocumentError, Problem
from flowcore.model import NO_RETRY, Dialect, Flow, Loop, OnError, Source, Step
from flowcore.values import Json
from tests.workflow_documents import connected, edge, edges, node, start, workflow


def made(nodes: list[dict[str, Json]], links: list[dict[str, Json]]) -> Flow:
    """Return the flow of such a workflow."""
    return compile_workflow(workflow(nodes, links))


def shown(steps: tuple[Step, ...]) -> list[object]:
    """Return the names of *steps*, with those of their bodies as lists behind them."""
    return [part for step in steps for part in (step.name, *([shown(step.body)] * bool(step.body)))]


def one(flow: Flow, name: str) -> Step:
    """Return the step *name*."""
    return next(step for step in flow.steps if step.name == name)


def error_of(flow: Flow) -> tuple[str, Json]:
    """Return the name of the only step of *flow*, and the message that it fails with."""
    (step,) = flow.steps
    source = flow.sources[step.source]
    assert (flow.dialect, source.type, step.kind) == (Dialect.WORKFLOW, "workflow.fault", "workflow")
    return step.name, source.configuration["message"]


class TestSteps:
    """Computed once, sequential; no parallel branches inside a run."""

    def test_nodes_are_steps_that_follow_each_other(self) -> None:
        flow = made([start(), node("b"), node("a", "wait")], edges("start a b"))
        assert [(step.name, step.kind, step.depends_on) for step in flow.steps] == [
            ("start", "start", ()),
            ("a", "wait", ("start",)),
            ("b", "stringValue", ("a",)),
        ]
        assert flow.dialect is Dialect.WORKFLOW
        assert all(step.after_skips for step in flow.steps)

    def test_a_source_is_told_what_concerns_it_and_none_of_the_editors_noise(self) -> None:
        noise: dict[str, Json] = {"label": "A", "isTest": False, "isPinned": True, "width": 1, "breakpoint": True}
        flow = made([start(), node("a", "apiRequest", url="/x", own=1, **noise)], edges("start a"))
        assert flow.sources["a"] == Source(
            type="workflow.apiRequest", configuration={"node": "a", "data": {"url": "/x", "own": 1}}
        )

    def test_outputs_are_what_a_node_leaves_for_others(self) -> None:
        flow = made([start(), node("s", "switch.switch"), node("x", bypass=True)], edges("start s x"))
        assert [[(each.name, each.value) for each in step.outputs] for step in flow.steps] == [
            [("data", "data"), ("variables", "variables")],
            [("data", "data"), ("variables", "variables"), ("branch", "branch")],
            [],
        ]

    def test_the_name_of_the_workflow_is_that_of_the_flow(self) -> None:
        assert made([start()], []).name == ""

    def test_a_property_takes_its_value_from_another_node(self) -> None:
        nodes = [start(), node("v"), node("w"), node("r", "apiRequest", url="/", **connected("url", "body"))]
        links = [*edges("start r"), edge("v", "r", "url-input"), edge("w", "r", "url-input"), edge("w", "r", "x-input")]
        flow = made(nodes, links)
        assert flow.sources["r"].configuration["inputs"] == {"url": "v"}
        assert [step.name for step in flow.steps] == ["start", "v", "w", "r"]

    @pytest.mark.parametrize(
        "marks", [{}, {"_inputConnections": {"url": {"isInput": False}}}, {"_inputConnections": 1}]
    )
    def test_a_property_that_is_not_marked_takes_none(self, marks: dict[str, Json]) -> None:
        links = [*edges("start r"), edge("v", "r", "url-input")]
        flow = made([start(), node("v"), node("r", "apiRequest", **marks)], links)
        assert "inputs" not in flow.sources["r"].configuration

    def test_fail_silently_lets_the_flow_go_on(self) -> None:
        flow = made([start(), node("a", failSilently=True), node("b")], edges("start a b"))
        assert [step.on_error for step in flow.steps] == [None, OnError.CONTINUE, None]

    def test_a_bypassed_node_runs_nothing_and_pauses_nowhere(self) -> None:
        step = one(made([start(), node("a", "wait", bypass=True, pause=True)], edges("start a")), "a")
        assert (step.source, step.kind, step.pause, step.unbroken) == ("%.nothing", "wait", False, True)

    def test_breakpoints_and_pauses(self) -> None:
        nodes = [start(), node("a", breakpoint=True), node("w", "wait", pause=True), node("x", pause=True)]
        given = workflow(nodes, edges("start a w x"))
        flow = compile_workflow(given)
        assert [(step.breakpoint, step.pause) for step in flow.steps] == [
            (False, False),
            (True, False),
            (False, True),
            (False, False),
        ]
        assert not any(step.pause for step in compile_workflow(given, pauses=False).steps)

    def test_retries(self) -> None:
        until: Json = {"type": "api-status", "expectedStatus": 200, "timeout": 2000}
        nodes = [
            start(),
            node("a", retryEnabled=True, retryCount=1),
            node("b", retryEnabled=True, retryStrategy="untilCondition", retryUntilCondition=until, retryDelay=500),
        ]
        flow = made(nodes, edges("start a b"))
        assert [step.retry.max_attempts for step in flow.steps] == [1, 2, 5]
        assert flow.sources["b"].configuration["until"] == until
        assert [step.retry.within_s for step in flow.steps] == [None, None, 2.0]

    @pytest.mark.parametrize("condition", [None, {}, {"timeout": "soon"}, {"timeout": -1}])
    def test_a_node_is_tried_until_its_condition_holds_for_30_s_unless_it_says_otherwise(self, condition: Json) -> None:
        retried = node("a", retryEnabled=True, retryStrategy="untilCondition", retryUntilCondition=condition)
        flow = made([start(), retried], edges("start a"))
        assert one(flow, "a").retry.within_s == 30.0
        expected = {"timeout": 30_000.0} if isinstance(condition, dict) else {}
        assert flow.sources["a"].configuration["until"] == expected

    @pytest.mark.parametrize(
        ("kind", "data", "seconds"),
        [
            ("apiRequest", {}, 300.0),
            ("apiRequest", {"timeout": 600_000}, 660.0),
            ("javascriptCode", {"timeout": "1"}, 300.0),
            ("wait", {}, 366 * 86_400.0),
        ],
    )
    def test_a_step_has_more_time_than_what_is_in_it(self, kind: str, data: dict[str, Json], seconds: float) -> None:
        assert one(made([start(), node("a", kind, **data)], edges("start a")), "a").timeout_s == seconds

    def test_slow_motion_pauses_before_every_node(self) -> None:
        flow = made([start(slowMo="50"), node("a")], edges("start a"))
        assert "slow_ms" not in flow.sources["start"].configuration
        assert flow.sources["a"].configuration["slow_ms"] == 50.0

    def test_overrides_are_merged_into_the_start_node(self) -> None:
        given = workflow([start(a=1, b=2), node("x")], edges("start x"))
        flow = compile_workflow(given, overrides={"b": 3, "slowMo": 10})
        assert flow.sources["start"].configuration["data"] == {"a": 1, "b": 3}
        assert flow.sources["x"].configuration["slow_ms"] == 10.0

    def test_an_unknown_type_is_a_step_that_says_so(self) -> None:
        flow = made([start(), node("a", "openBrowser"), node("b", "")], edges("start a b"))
        assert flow.sources["a"] == Source(
            type="workflow.unknown", configuration={"node": "a", "data": {}, "type": "openBrowser"}
        )
        assert flow.sources["b"].type == "workflow.unknown"

    def test_a_catalog_may_know_more_types(self) -> None:
        kind = SourceType(name="workflow.mine", about="", parameters={}, open=True)
        given = workflow([start(), node("a", "mine"), node("b", "wait")], edges("start a b"))
        flow = compile_workflow(given, catalog={"workflow.mine": kind})
        assert [flow.sources[name].type for name in ("a", "b")] == ["workflow.mine", "workflow.unknown"]


class TestFaults:
    """A missing start node, a cycle, ... all answer 200 and end in `error`."""

    @pytest.mark.parametrize(
        ("nodes", "links", "name", "message"),
        [
            ([], [], "%.fault", "Workflow must contain a Start node"),
            (
                [node("a"), node("a")],
                [],
                "a%.fault",
                "Workflow must contain a Start node; Duplicate node id: a",
            ),
            (
                [start(), node("a"), node("b")],
                edges("start a b a", into="input"),
                "a%.fault",
                "Circular dependency detected involving node: a",
            ),
            (
                [start(), node("a"), node("b")],
                [*edges("start a b"), edge("start", "b", None)],
                "b%.fault",
                "Node b has multiple control flow input connections (only one driver connection allowed)",
            ),
            (
                [start(), node("a", "reusable.runReusable", contextName="login")],
                edges("start a"),
                "a%.fault",
                'Run Reusable node a references non-existent reusable flow "login"',
            ),
        ],
    )
    def test_what_cannot_run_is_a_flow_that_errs_by_name(
        self, nodes: list[dict[str, Json]], links: list[dict[str, Json]], name: str, message: str
    ) -> None:
        assert error_of(made(nodes, links)) == (name, message)

    def test_a_join_of_drivers_at_the_start_is_no_fault(self) -> None:
        links = [*edges("a start", "b start")]
        assert shown(made([node("a"), node("b"), start()], links).steps) == ["a", "b", "start"]

    def test_a_workflow_does_not_come_to_more_steps_than_a_run_can_hold(self) -> None:
        # Each sub-flow runs the next one ten times.
        nodes = [start(), node("run", "reusable.runReusable", contextName="x0")]
        links = [*edges("start run")]
        for level in range(7):
            nodes.append(node(f"r{level}", "reusable.reusable", contextName=f"x{level}"))
            inner = "reusable.runReusable" if level < 6 else "stringValue"
            names = [f"n{level}-{number}" for number in range(10)]
            nodes += [node(name, inner, contextName=f"x{level + 1}") for name in names]
            links += edges(f"r{level} {' '.join(names)}")
        assert error_of(made(nodes, links)) == ("%.fault", f"The workflow comes to more than {MOST_STEPS} steps")


_CASES: Final[Json] = [{"id": "yes", "condition": {}}, "noise", {"id": "no"}]


class TestSwitches:
    """Edges leave by handle; nodes behind other handles are skipped."""

    def test_nodes_behind_a_branch_run_when_it_is_taken(self) -> None:
        nodes = [start(), node("s", "switch.switch", cases=_CASES), node("a"), node("b"), node("j"), node("k")]
        links = [
            *edges("start s"),
            edge("s", "a", out="yes"),
            edge("s", "b", out="no"),
            edge("a", "j", "input"),
            edge("b", "j", "input"),
            edge("a", "k", "input"),
            edge("b", "k", "input"),
            edge("s", "k", "input", "default"),
        ]
        flow = made(nodes, links)
        assert {step.name: step.when for step in flow.steps} == {
            "start": None,
            "s": None,
            "a": '{{ flows."s".branch == `"yes"` }}',
            "b": '{{ flows."s".branch == `"no"` }}',
            "j": '{{ contains(`["no", "yes"]`, flows."s".branch) }}',
            "k": None,
        }

    def test_a_switch_without_cases_or_bypassed(self) -> None:
        nodes = [start(), node("s", "switch.switch"), node("t", "switch.switch", bypass=True), node("a"), node("b")]
        links = [*edges("start s"), edge("s", "t", out="default"), edge("t", "a", out="x"), edge("t", "b", out="y")]
        assert [step.when for step in made(nodes, links).steps] == [None, None, None, None, None]


class TestLoops:
    """Children run as body, not again afterwards (so nothing can follow a loop)."""

    def test_for_each(self) -> None:
        nodes = [start(), node("l", "loop", mode="forEach", arrayVariable="items"), node("a"), node("3")]
        step = one(made(nodes, edges("start l a 3")), "l")
        assert (step.kind, step.for_each, step.max_parallel) == ("loop", '{{ data."items" }}', 1)
        assert (step.source, step.outputs, step.retry, step.loop) == ("%.nothing", (), NO_RETRY, None)
        assert [(each.name, each.depends_on) for each in step.body] == [("a", ()), ("%33", ("a",))]

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("api.items", '{{ data."api"."items" }}'),
            ("${data.api.items[0].list}", '{{ data."api"."items"[0]."list" }}'),
            ("${variables.list}", '{{ variables."list" }}'),
        ],
    )
    def test_where_the_list_is(self, written: str, expected: str) -> None:
        nodes = [start(), node("l", "loop", mode="forEach", arrayVariable=written), node("a")]
        assert one(made(nodes, edges("start l a")), "l").for_each == expected

    def test_the_list_may_come_from_another_node(self) -> None:
        nodes = [start(), node("v"), node("l", "loop", mode="forEach", **connected("arrayVariable")), node("a")]
        flow = made(nodes, [*edges("start l a"), edge("v", "l", "arrayVariable-input")])
        assert one(flow, "l").for_each == '{{ variables."v" }}'
        assert expression("data", ("0", "0")) == '{{ data."0"[0] }}'
        assert variable_of(expression("data", ("users", "0", "my list"))) == "data.users[0].my list"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (None, "Variable data.x is not an array: there is none, or it is null"),
            ({"a": 1}, "Variable data.x is not an array but an object"),
            ("abc", "Variable data.x is not an array but text: abc"),
            (True, "Variable data.x is not an array but a boolean: true"),
            (5, "Variable data.x is not an array but a number: 5"),
        ],
    )
    def test_what_is_no_list_is_named_with_what_is_there(self, value: Json, message: str) -> None:
        assert not_a_list("data.x", value) == message

    def test_a_loop_without_children_only_looks_at_its_list(self) -> None:
        step = one(made([start(), node("l", "loop", mode="forEach", arrayVariable="x")], edges("start l")), "l")
        assert (step.source, step.body, step.for_each) == ("l", (), None)

    @pytest.mark.parametrize(("most", "expected"), [(None, 1000), (5, 5), ("7", 7), (0, 1000), (10**9, 1_000_000)])
    def test_do_while_looks_at_its_condition_before_each_iteration(self, most: Json, expected: int) -> None:
        data: dict[str, Json] = {"mode": "doWhile", "condition": {"type": "variable"}, "maxIterations": most}
        flow = made([start(), node("l", "loop", failSilently=True, **data), node("a")], edges("start l a"))
        assert shown(flow.steps) == ["start", "l%.check", "l", ["a", "l%.next"]]
        check, loop = one(flow, "l%.check"), one(flow, "l")
        last = loop.body[-1]
        assert loop.when == '{{ flows."l%.check".again }}'
        assert loop.loop == Loop(condition='{{ flows."l%.next".again }}', max_iterations=expected)
        assert [flow.sources[each.source].configuration["phase"] for each in (check, last)] == ["check", "next"]
        assert [each.outputs[-1].name for each in (check, last)] == ["again", "again"]
        assert (check.unbroken, loop.unbroken, last.unbroken) == (True, False, True)
        assert (check.on_error, loop.on_error, last.on_error) == (OnError.CONTINUE, OnError.CONTINUE, None)
        assert (last.when, last.depends_on, loop.depends_on) == (None, ("a",), ("l%.check",))

    def test_do_while_without_children_looks_at_its_condition_all_the_same(self) -> None:
        nodes = [start(), node("l", "loop", mode="doWhile", condition={})]
        assert shown(made(nodes, edges("start l")).steps) == ["start", "l%.check", "l", ["l%.next"]]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({}, 'Loop mode is required. Must be either "forEach" or "doWhile"'),
            ({"mode": "until"}, 'Invalid loop mode: until. Must be either "forEach" or "doWhile"'),
            ({"mode": "forEach"}, "Array variable is required for forEach mode"),
            ({"mode": "doWhile", "condition": "x < 3"}, "Condition is required for doWhile mode"),
        ],
    )
    def test_a_loop_that_makes_no_sense_is_a_step_that_says_so(self, data: dict[str, Json], message: str) -> None:
        flow = made([start(), node("l", "loop", **data), node("a")], edges("start l a"))
        assert shown(flow.steps) == ["start", "l"]
        assert flow.sources["l"] == Source(type="workflow.fault", configuration={"message": message})
        assert one(flow, "l").kind == "loop"

    def test_a_bypassed_loop_is_a_node_like_any_other(self) -> None:
        flow = made([start(), node("l", "loop", bypass=True), node("a")], edges("start l a"))
        assert shown(flow.steps) == ["start", "l", "a"]

    def test_switches_inside_loops(self) -> None:
        cases: Json = [{"id": "yes", "condition": {}}]
        nodes = [
            start(),
            node("l", "loop", mode="forEach", arrayVariable="x"),
            node("7", "switch.switch", cases=cases),
            node("a"),
            node("b"),
        ]
        links = [*edges("start l"), *edges("l 7", "l b"), edge("7", "a", out="yes"), edge("7", "b", "input", "default")]
        body = one(made(nodes, links), "l").body
        assert {step.name: step.when for step in body} == {
            "%37": None,
            "a": '{{ flows."%37".branch == `"yes"` }}',
            "b": None,
        }


class TestReusables:
    """Named sub-flow, run in place with shared data."""

    def nodes(self) -> list[dict[str, Json]]:
        return [
            start(),
            node("run", "reusable.runReusable", contextName="login", breakpoint=True),
            node("again", "reusable.runReusable", contextName="login"),
            node("end", "stringValue"),
            node("r", "reusable.reusable", contextName="login"),
            node("a"),
            node("b"),
            node("e", "reusable.end"),
            node("v"),
        ]

    def test_a_sub_flow_is_run_where_it_is_called(self) -> None:
        links = [*edges("start run again end", "r a b e"), edge("v", "b", "value-input")]
        flow = made(self.nodes(), links)
        assert shown(flow.steps) == ["start", "v", "run", ["a", "b"], "again", ["a", "b"], "end"]
        run = one(flow, "run")
        assert (run.kind, run.source, run.breakpoint) == ("reusable.runReusable", "%.nothing", True)

    def test_a_sub_flow_that_is_not_called_does_not_run(self) -> None:
        nodes = [*self.nodes(), node("x")]
        flow = made(nodes, [*edges("start x", "r a b e"), edge("start", "a", "input")])
        assert shown(flow.steps) == ["start", "x"]

    def test_sub_flows_in_sub_flows_take_their_values_from_outside(self) -> None:
        nodes = [
            *self.nodes(),
            node("s", "reusable.reusable", contextName="deep"),
            node("c"),
            node("down", "reusable.runReusable", contextName="deep"),
            node("w"),
        ]
        links = [*edges("start run", "r a down e", "s c"), edge("w", "c", "value-input"), edge("v", "a", "value-input")]
        flow = made(nodes, links)
        assert shown(flow.steps) == ["start", "v", "w", "run", ["a", "down", ["c"]]]

    def test_an_empty_or_a_bypassed_run_runs_nothing(self) -> None:
        nodes = [
            start(),
            node("run", "reusable.runReusable", contextName="login"),
            node("pass", "reusable.runReusable", contextName="login", bypass=True),
            node("r", "reusable.reusable", contextName="login"),
            node("e", "reusable.end"),
        ]
        flow = made(nodes, edges("start run pass", "r e"))
        assert [(step.name, step.source, step.body) for step in flow.steps[1:]] == [
            ("run", "%.nothing", ()),
            ("pass", "%.nothing", ()),
        ]


def test_ten_thousand_nodes_are_compiled_in_a_moment() -> None:
    names = [f"n{number}" for number in range(10_000)]
    given = workflow([start(), *(node(name) for name in names)], edges(f"start {' '.join(names)}"))
    begun = time.process_time()
    flow = compile_workflow(given)
    assert time.process_time() - begun < 30
    assert [step.name for step in flow.steps] == ["start", *names]


def test_a_flow_of_a_workflow_says_so_whatever_is_in_it() -> None:
    sources: Mapping[str, Source] = made([start()], []).sources
    assert sources["%.nothing"] == Source(type="workflow.nothing")


class TestStrictly:
    """Who would rather hear of it before anything runs is told of everything, with paths."""

    def test_what_can_run_is_the_same_flow(self) -> None:
        given = workflow([start(), node("a")], edges("start a"))
        assert compile_strictly(given) == compile_workflow(given)

    @pytest.mark.parametrize(
        ("nodes", "links", "expected"),
        [
            ([], [], ["no-nodes nodes: a workflow needs at least one node"]),
            (
                [start(), node("a"), node("b")],
                edges("start a b a", into="input"),
                ["workflow-fault nodes[1]: Circular dependency detected involving node: a"],
            ),
        ],
    )
    def test_what_cannot_is_refused(
        self, nodes: list[dict[str, Json]], links: list[dict[str, Json]], expected: list[str]
    ) -> None:
        with pytest.raises(FlowDocumentError) as caught:
            compile_strictly(workflow(nodes, links))
        assert [f"{problem.code} {problem}" for problem in caught.value.problems] == expected

    def test_a_fault_of_no_node_is_one_of_them_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compilation, "MOST_STEPS", 1)
        with pytest.raises(FlowDocumentError, match=r"^nodes: The workflow comes to more than 1 steps$"):
            compile_strictly(workflow([start(), node("a")], edges("start a")))

    def test_in_a_file_problems_have_their_lines(self) -> None:
        text = '{"nodes": [{"id": "s", "type": "start"}],\n "edges": [{"source": "s", "target": "x"}]}'
        given = FlowFile("w.json", text)
        with pytest.raises(FlowDocumentError, match=r"^w\.json:2:\d+ edges\[0\]\.target: there is no node 'x'$"):
            compile_workflow_file(given, json.loads(text), {})
        with pytest.raises(FlowDocumentError, match=r"^w\.json edges\[0\]\.target: there is no node 'x'$"):
            compile_workflow_file(FlowFile("w.json", "{\t!"), json.loads(text), {})
        sound = '{"nodes": [{"id": "s", "type": "start"}], "edges": []}'
        assert len(compile_workflow_file(FlowFile("w.json", sound), json.loads(sound), {}).steps) == 1

    def test_what_is_wrong_with_the_json_itself_is_told_with_the_rest_and_once(self) -> None:
        text = '{"nodes": [{"id": "s", "type": "start"}, {"id": 1e999}], "edges": []}'
        document: Json = {"nodes": [{"id": "s", "type": "start"}, {"id": "1e999"}], "edges": []}
        broken = Problem(
            code="yaml-value", message="too large", path=("nodes", 1, "id"), file="w.json", line=1, column=49
        )
        with pytest.raises(FlowDocumentError) as caught:
            compile_workflow_file(FlowFile("w.json", text), document, {}, [broken])
        assert [(problem.code, problem.path) for problem in caught.value.problems] == [
            ("yaml-value", ("nodes", 1, "id")),
            ("missing-key", ("nodes", 1)),
        ]
        sound: Json = {"nodes": [{"id": "s", "type": "start"}], "edges": []}
        with pytest.raises(FlowDocumentError) as caught:
            compile_workflow_file(FlowFile("w.json", text), sound, {}, [broken])
        assert caught.value.problems == (broken,)
