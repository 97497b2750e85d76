"""A run as the executions family shows it, rule by rule: contract executions, section 2."""

import json

import attrs
import pytest

from flowcore.ids import BatchId, InstanceId, RunId, StepName
from flowcore.model import Dialect, Flow, Loop, OnError
from flowcore.run.events import (
    AwaitFailed,
    Event,
    PauseCause,
    RunContinued,
    RunFailed,
    RunPaused,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepPaused,
)
from flowcore.run.machine import RunStatus
from flowcore.views.executions import (
    EXECUTION_WORDS,
    PAUSE_REASONS,
    ExecutionView,
    active_list,
    batch_id,
    encode,
    execution_id,
)
from flowcore.views.nodes import Node, Nodes
from tests.builders import (
    T0,
    T1,
    T2,
    abandoned,
    begun,
    body,
    broken,
    created,
    entered,
    failed,
    fanned,
    flow_of,
    imported,
    iterated,
    joined,
    left,
    lost,
    met,
    recorded,
    skipped,
    started,
    step,
    stopped,
    succeeded,
    unguarded,
    unwell,
)

A, B = step("a"), step("b", "a")
STOP = RunStopRequested(reason="enough", at=T1)


def viewed(*events: Event) -> ExecutionView:
    view = ExecutionView()
    for each in recorded(events):
        view.evolve(each)
    return view


def shown(*events: Event) -> dict[str, object]:
    return dict(viewed(*events).render())


def status(word: str, current: str | None = None, error: str | None = None) -> dict[str, object]:
    """Return the document of a run that is not paused."""
    document: dict[str, object] = {"executionId": "exec-1", "status": word, "pausedNodeId": None, "pauseReason": None}
    if current is not None:
        document["currentNodeId"] = current
    if error is not None:
        document["error"] = error
    return document


class TestStatus:
    """`status`: idle, running, completed, error, stopped."""

    def test_every_status_has_a_word(self) -> None:
        assert set(EXECUTION_WORDS) == set(RunStatus)
        assert set(PAUSE_REASONS) == set(PauseCause)
        assert set(EXECUTION_WORDS.values()) == {"idle", "running", "completed", "error", "stopped"}

    def test_before_the_first_event(self) -> None:
        assert ExecutionView().render() == {
            "executionId": "exec-0",
            "status": "idle",
            "pausedNodeId": None,
            "pauseReason": None,
        }

    def test_the_members_stand_in_the_order_of_the_document(self) -> None:
        error = {"executionId": "exec-1", "status": "error", "currentNodeId": "a", "error": "no"}
        expected = {**error, "pausedNodeId": None, "pauseReason": None}
        assert json.dumps(shown(*begun(A), started("a"), failed("a"), RunFailed(at=T1))) == json.dumps(expected)

    def test_a_run_in_the_queue_is_idle(self) -> None:
        assert shown(created(A)) == status("idle")

    def test_position_and_version_are_those_of_the_last_event(self) -> None:
        view = viewed(*begun(A))
        assert (view.position, view.version, view.run_id, view.ended) == (2, 2, RunId(1), False)

    def test_it_is_encoded_as_it_is_rendered(self) -> None:
        view = viewed(*begun(A), started("a"))
        assert json.loads(view.encode()) == view.render()
        assert encode(active_list([])) == b'{"totalActive":0,"executions":[]}'

    def test_the_spelling_of_an_id(self) -> None:
        assert execution_id(RunId(1733524800000)) == "exec-1733524800000"


class TestCurrentNode:
    """`currentNodeId`: the node being executed."""

    def test_none_before_the_first_node(self) -> None:
        assert shown(*begun(A)) == status("running")

    def test_the_node_being_executed(self) -> None:
        assert shown(*begun(A, B), started("a")) == status("running", "a")

    def test_between_two_nodes_it_is_the_one_before(self) -> None:
        assert shown(*begun(A, B), started("a"), succeeded("a")) == status("running", "a")

    def test_a_node_that_is_tried_again_is_still_being_executed(self) -> None:
        events = (*begun(A, step("c")), started("c"), started("a"), failed("a", retry=T2), succeeded("c"))
        assert shown(*events) == status("running", "a")
        assert shown(*events, started("a", 2), succeeded("a", attempt=2)) == status("running", "a")

    def test_of_several_it_is_the_one_that_started_last(self) -> None:
        events = (*begun(A, step("c"), step("d")), started("a"), started("c"), started("d"))
        assert shown(*events) == status("running", "d")
        assert shown(*events, succeeded("d")) == status("running", "c")
        assert shown(*events, succeeded("c"), succeeded("d")) == status("running", "a")

    def test_none_after_completion(self) -> None:
        events = (*begun(A), started("a"), succeeded("a"), RunSucceeded(at=T2))
        assert shown(*events) == status("completed")

    def test_the_last_node_of_a_run_that_was_stopped(self) -> None:
        events = (*begun(A, B), started("a"), STOP, stopped("a"), skipped("b", "stopped"), RunStopped(at=T2))
        assert shown(*events) == status("stopped", "a")

    def test_items_of_a_fan_out_are_shown_as_their_node(self) -> None:
        each = step("fetch", for_each=[1, 2])
        events = (*begun(each), fanned("fetch", 1, 2))
        assert shown(*events) == status("running", "fetch")
        events = (*events, started("fetch/0"), started("fetch/1"), succeeded("fetch/0"))
        assert shown(*events) == status("running", "fetch")
        assert shown(*events, succeeded("fetch/1"), joined("fetch"), RunSucceeded(at=T2)) == status("completed")


class TestError:
    """`error`: the cause, when the status is `error`."""

    def test_the_node_that_failed_and_why(self) -> None:
        events = (*begun(A, step("c")), started("a"), started("c"), failed("a"), succeeded("c"), RunFailed(at=T2))
        assert shown(*events[:-1]) == status("running", "c")
        assert shown(*events) == status("error", "a", "no")

    def test_a_failure_that_was_tolerated_is_not_the_cause(self) -> None:
        mild = step("a", on_error=OnError.CONTINUE)
        events = (*begun(mild, step("c")), started("a"), failed("a"), started("c"), lost("c", retry=None, error="lost"))
        assert shown(*events, RunFailed(at=T2)) == status("error", "c", "lost")

    def test_what_a_dependent_tolerates_is_not_the_cause(self) -> None:
        events = (*begun(A, step("b", "a", on_error=OnError.CONTINUE), step("c")), started("a"), failed("a"))
        assert shown(*events, started("c"), failed("c"), RunFailed(at=T2)) == status("error", "c", "no")

    def test_the_first_of_several_failures(self) -> None:
        events = (*begun(A, step("c")), started("a"), started("c"), failed("c"), failed("a"), RunFailed(at=T2))
        assert shown(*events)["currentNodeId"] == "c"

    def test_a_node_that_was_to_be_tried_again(self) -> None:
        events = (*begun(A), started("a"), failed("a", retry=T2), abandoned("a"), RunFailed(at=T2))
        assert shown(*events) == status("error", "a", "no")

    def test_a_condition_without_an_answer(self) -> None:
        events = (*begun(step("a", when="{{ nothing }}")), unguarded("a"), RunFailed(at=T2))
        assert shown(*events) == status("error", "a", "no answer")

    def test_a_fan_out(self) -> None:
        events = (*begun(step("a", for_each=[1])), fanned("a", 1), started("a/0"), failed("a/0"), broken("a"))
        assert shown(*events, RunFailed(at=T2)) == status("error", "a", "item 0: no")

    def test_an_artifact_that_did_not_come(self) -> None:
        late = AwaitFailed(step=StepName("a"), code="late", error="it did not come", at=T1)
        assert shown(*begun(A), late, RunFailed(at=T2)) == status("error", "a", "it did not come")

    def test_no_node_at_all(self) -> None:
        assert shown(*begun(), RunFailed(at=T2)) == status("error", None, "the run failed")


class TestPause:
    """A paused run is `running`, and says where and why it is paused."""

    def test_by_hand_it_is_paused_before_the_node_that_comes_next(self) -> None:
        events = (*begun(A, B), started("a"), succeeded("a"), RunPaused(at=T2))
        expected = status("running", "a") | {"pausedNodeId": "b", "pauseReason": "breakpoint"}
        assert shown(*events) == expected
        assert shown(*events, RunContinued(at=T2)) == status("running", "a")

    @pytest.mark.parametrize(
        "settled", [skipped("a", "because"), imported("a"), unguarded("a"), fanned("a"), started("a")]
    )
    def test_what_is_settled_or_under_way_does_not_come_next(self, settled: Event) -> None:
        assert shown(*begun(A, B), settled, RunPaused(at=T2))["pausedNodeId"] == "b"

    def test_when_nothing_comes_next(self) -> None:
        document = shown(*begun(A), started("a"), RunPaused(at=T2))
        assert document == status("running", "a") | {"pauseReason": "breakpoint"}

    @pytest.mark.parametrize("cause", [PauseCause.BREAKPOINT_PRE, PauseCause.BREAKPOINT_POST, PauseCause.WAIT])
    def test_at_a_node(self, cause: PauseCause) -> None:
        pause = StepPaused(instance=InstanceId("b"), cause=cause, at=T2)
        # During a breakpoint the current node is still the one before; a wait that pauses is being executed.
        current, reason = ("b", "wait-pause") if cause is PauseCause.WAIT else ("a", "breakpoint")
        view = viewed(*begun(A, B), started("a"), succeeded("a"), pause)
        assert view.render() == status("running", current) | {"pausedNodeId": "b", "pauseReason": reason}
        assert view.paused_at == ("b", cause)

    def test_by_hand_after_a_breakpoint(self) -> None:
        pause = StepPaused(instance=InstanceId("a"), cause=PauseCause.BREAKPOINT_POST, at=T1)
        view = viewed(*begun(A, B), started("a"), succeeded("a"), pause, RunContinued(at=T1), RunPaused(at=T2))
        assert (view.pause, view.paused_at) == (("b", "breakpoint"), None)

    def test_what_was_stopped_is_not_paused(self) -> None:
        assert shown(*begun(A), RunPaused(at=T1), STOP) == status("running")


LOOP = body("loop", step("click"), step("type", "click"), loop=Loop(condition=True))
EACH = body("each", step("click", on_error=OnError.CONTINUE), for_each=[1, 2])
GROUP = body("group", step("a/b"), body("inner", step("x")))


class TestBodies:
    """Steps in a body are nodes too, whatever their iteration."""

    def test_children_are_shown_and_not_their_paths(self) -> None:
        events = (*begun(LOOP, step("z", "loop")), iterated("loop", 0))
        assert shown(*events) == status("running", "loop")
        events = (*events, started("loop/0/click"))
        assert shown(*events) == status("running", "click")
        events = (*events, succeeded("loop/0/click"), started("loop/0/type"), succeeded("loop/0/type"))
        assert shown(*events) == status("running", "type")
        events = (*events, left("loop/0"), iterated("loop", 1), started("loop/1/click"))
        assert shown(*events) == status("running", "click")
        assert shown(*events, RunPaused(at=T2))["pausedNodeId"] == "z"

    def test_the_node_that_failed_is_the_one_inside(self) -> None:
        events = (*begun(LOOP), iterated("loop", 0), started("loop/0/click"), failed("loop/0/click"))
        events = (*events, unwell("loop/0", "no"), broken("loop", "iteration 0: no"), RunFailed(at=T2))
        assert shown(*events) == status("error", "click", "no")

    def test_what_is_tolerated_inside_is_not_the_cause(self) -> None:
        events = (*begun(EACH), fanned("each", 1), entered("each/0"), started("each/0/click"), failed("each/0/click"))
        events = (*events, left("each/0"), broken("each", "too late"), RunFailed(at=T2))
        assert shown(*events) == status("error", "each", "too late")

    def test_a_body_that_runs_once(self) -> None:
        events = (*begun(GROUP), entered("group"), entered("group/inner"))
        assert shown(*events) == status("running", "inner")
        events = (*events, started("group/inner/x"), failed("group/inner/x"), unwell("group/inner", "no"))
        assert shown(*events, unwell("group", "no"), RunFailed(at=T2)) == status("error", "x", "no")

    def test_a_body_that_fails_without_a_child(self) -> None:
        assert shown(*begun(GROUP), entered("group"), unwell("group", "given up"), RunFailed(at=T2)) == status(
            "error", "group", "given up"
        )

    @pytest.mark.parametrize(
        ("path", "node", "whole"),
        [
            ("loop", "loop", True),
            ("loop/3", "loop", False),
            ("loop/3/click", "click", True),
            ("each/0", "each", False),
            ("each/0/click", "click", True),
            ("group", "group", True),
            ("group/a/b", "a/b", True),
            ("group/inner", "inner", True),
            ("group/inner/x", "x", True),
            ("group/nothing", "group", False),
        ],
    )
    def test_every_path(self, path: str, node: str, whole: bool) -> None:
        found = Nodes(flow_of(LOOP, EACH, GROUP)).find(path)
        assert (found.id, found.whole) == (node, whole)

    def test_what_a_failure_means_inside(self) -> None:
        view = viewed(*begun(EACH, LOOP))
        paths = ["each/0/click", "loop/0/click", "loop/0/type"]
        assert [view.tolerates(view.nodes.find(path)) for path in paths] == [True, False, False]


class TestBatchItems:
    """Items of a batch have ids of their own, and are `queued` before they start."""

    def test_an_item(self) -> None:
        first = attrs.evolve(created(A), batch=BatchId(0), labels={"source": "mcp", "file": "a.json"})
        view = viewed(first)
        assert (view.execution_id, view.word, view.source) == ("exec-0-1", "queued", "mcp")
        assert viewed(first, begun(A)[1]).word == "running"
        assert batch_id(BatchId(17)) == "batch-17"


class TestActive:
    """An entry of the list of active runs."""

    def test_the_keys_of_the_document(self) -> None:
        view = viewed(*begun(A), started("a"))
        assert view.active() == {"executionId": "exec-1", "status": "running", "currentNodeId": "a"}
        assert viewed(created(A)).active() == {"executionId": "exec-1", "status": "idle"}

    def test_one_that_is_paused(self) -> None:
        assert viewed(*begun(A), RunPaused(at=T0)).active() == {
            "executionId": "exec-1",
            "status": "running",
            "pausedNodeId": "a",
            "pauseReason": "breakpoint",
        }

    def test_the_list(self) -> None:
        entry = viewed(created(A)).active()
        assert active_list([entry]) == {"totalActive": 1, "executions": [entry]}


def test_what_else_happens_changes_nothing() -> None:
    assert shown(*begun(step("a", when=True)), met("a")) == status("running")


def test_names_of_steps_may_look_like_paths() -> None:
    flow = flow_of(step("a"), step("a/b"), step("a/b/1"))
    nodes = Nodes(flow)
    assert [nodes.find(path).id for path in ("a", "a/0", "a/0/1", "a/b", "a/b/0", "a/b/1", "a/b/1/7")] == [
        "a",
        "a",
        "a",
        "a/b",
        "a/b",
        "a/b/1",
        "a/b/1",
    ]
    assert nodes.find("a/3") == Node(flow.steps[0], "a", "value", whole=False, siblings=flow.steps)


def test_the_nodes_of_a_workflow_are_called_as_in_its_document() -> None:
    body = (step("%33"), step("loop%.next"))
    flow = Flow(
        dialect=Dialect.WORKFLOW,
        steps=(
            step("a%2Fb"),
            step("loop%.check"),
            attrs.evolve(step("loop"), kind="loop", body=body, loop=Loop(condition=True)),
            attrs.evolve(step("%.fault"), kind="workflow"),
            attrs.evolve(step("x%.fault"), kind="workflow"),
        ),
    )
    found = {
        path: Nodes(flow).find(path) for path in ("a%2Fb", "loop%.check", "loop", "loop/0/%33", "loop/0/loop%.next")
    }
    assert {path: (node.id, node.whole) for path, node in found.items()} == {
        "a%2Fb": ("a/b", True),
        "loop%.check": ("loop", False),
        "loop": ("loop", True),
        "loop/0/%33": ("3", True),
        "loop/0/loop%.next": ("loop", False),
    }
    assert [Nodes(flow).find(path).id for path in ("%.fault", "x%.fault")] == ["workflow", "x"]
