"""The live events, in the order of the log: contract executions, section 7."""

from collections.abc import Mapping

import attrs
import pytest

from flowcore.ids import BatchId, InstanceId, StepName
from flowcore.model import Dialect, Loop, OnError
from flowcore.run.events import (
    AwaitFailed,
    Event,
    LogLine,
    PauseCause,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    StepLogged,
    StepPaused,
)
from flowcore.values import Json
from flowcore.views.live import MOST_LINES, LiveRun, WireEvent
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
    iterated,
    joined,
    left,
    lost,
    met,
    recorded,
    resumed,
    skipped,
    started,
    step,
    stopped,
    succeeded,
    unguarded,
    unwell,
)

A, B = step("a"), step("b", "a")


def told(*events: Event, after: int = 0) -> list[tuple[str, Mapping[str, Json]]]:
    """Return what is emitted for *events*, but for the first *after* of them."""
    run = LiveRun()
    found: list[WireEvent] = []
    for number, each in enumerate(recorded(events)):
        emitted = run.evolve(each)
        assert run.version == each.version
        if number >= after:
            found.extend(emitted)
    return [(event.name, event.payload) for event in found]


def update(status: str, node: str | None = None) -> tuple[str, Mapping[str, Json]]:
    payload: dict[str, Json] = {"executionId": "exec-1", "status": status}
    return "execution-update", payload if node is None else {**payload, "currentNodeId": node}


def node(name: str, status: str) -> tuple[str, Mapping[str, Json]]:
    return "node-execution", {"nodeId": name, "nodeType": "value", "status": status, "executionId": "exec-1"}


def event(type_: str, at: float, **more: Json) -> tuple[str, Mapping[str, Json]]:
    payload = {"executionId": "exec-1", "source": "api", "type": type_, "timestamp": round(at * 1000), **more}
    return "execution-event", payload


def test_a_run_from_its_beginning_to_its_end() -> None:
    events = (*begun(A, B), started("a"), succeeded("a"), started("b", at=T1), succeeded("b"), RunSucceeded(at=T2))
    assert told(*events) == [
        update("idle"),
        event("execution_start", T0),
        update("running"),
        event("node_start", T0, nodeId="a"),
        node("a", "running"),
        update("running", "a"),
        event("node_complete", T1, nodeId="a"),
        node("a", "completed"),
        event("node_start", T1, nodeId="b"),
        node("b", "running"),
        update("running", "b"),
        event("node_complete", T1, nodeId="b"),
        node("b", "completed"),
        event("execution_complete", T2),
        update("completed"),
    ]


def test_a_failure() -> None:
    events = (*begun(A), started("a"), failed("a"), RunFailed(at=T2))
    assert told(*events, after=3) == [
        event("node_error", T1, nodeId="a", message="no", failSilently=False),
        node("a", "error"),
        event("execution_error", T2, message="no"),
        update("error", "a"),
    ]


def test_a_failure_that_is_tolerated_is_silent() -> None:
    events = (*begun(step("a", on_error=OnError.CONTINUE)), started("a"), failed("a"))
    assert told(*events, after=3) == [
        event("node_error", T1, nodeId="a", message="no", failSilently=True),
        node("a", "error"),
    ]


def test_further_attempts_are_the_same_node() -> None:
    events = (*begun(A), started("a"), failed("a", retry=T1), started("a", 2), lost("a", 2, retry=T2))
    assert told(*events, after=3) == []
    assert (
        told(*events, abandoned("a"), after=6)[0][1]["message"] == "the runner was lost while the attempt was under way"
    )
    assert told(*events, started("a", 3), succeeded("a", attempt=3), after=7) == [
        event("node_complete", T1, nodeId="a"),
        node("a", "completed"),
    ]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (unguarded("a"), "no answer"),
        (AwaitFailed(step=StepName("a"), code="late", error="it did not come", at=T1), "it did not come"),
    ],
)
def test_a_node_that_fails_without_an_attempt(failure: Event, message: str) -> None:
    assert told(*begun(A), failure, after=2) == [
        event("node_error", T1, nodeId="a", message=message, failSilently=False),
        node("a", "error"),
    ]


def test_a_stop() -> None:
    events = (*begun(A, B), started("a"), RunStopRequested(reason="enough", at=T1), stopped("a"))
    events = (*events, skipped("b", "stopped", SkipCause.RUN_STOPPED), RunStopped(at=T2))
    assert told(*events, after=3) == [
        node("a", "error"),
        node("b", "skipped"),
        event("execution_error", T2, message="Execution stopped by user"),
        update("stopped", "a"),
    ]


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (SkipCause.CONDITION, "Node skipped (unreachable branch)"),
        (SkipCause.UPSTREAM, "Node skipped"),
        (SkipCause.REQUESTED, "Node skipped"),
        (SkipCause.RUN_FAILED, None),
    ],
)
def test_a_skip(cause: SkipCause, message: str | None) -> None:
    expected = [] if message is None else [event("node_complete", T2, nodeId="a", message=message)]
    assert told(*begun(A), skipped("a", "because", cause), after=2) == [*expected, node("a", "skipped")]


def test_items_of_a_fan_out_are_not_told() -> None:
    events = (*begun(step("a", for_each=[1, 2])), fanned("a", 1, 2), started("a/0"), succeeded("a/0"), started("a/1"))
    assert told(*events, after=2) == [
        event("node_start", T0, nodeId="a"),
        node("a", "running"),
        update("running", "a"),
    ]
    assert told(*events, succeeded("a/1"), joined("a"), after=6) == [
        event("node_complete", T2, nodeId="a"),
        node("a", "completed"),
    ]
    ended = (*events, stopped("a/1"), skipped("a/1", "no"), failed("a/1"), broken("a"))
    assert told(*ended, after=6) == [
        event("node_error", T2, nodeId="a", message="item 0: no", failSilently=False),
        node("a", "error"),
    ]


def test_steps_in_a_body_are_told_and_their_iterations_are_not() -> None:
    loop = body("loop", step("click"), loop=Loop(condition=True))
    first = (iterated("loop", 0), started("loop/0/click"), succeeded("loop/0/click"), left("loop/0"))
    second = (iterated("loop", 1), started("loop/1/click"), failed("loop/1/click"), unwell("loop/1", "no"))
    names = [
        (payload["type"], payload["nodeId"])
        for name, payload in told(*begun(loop), *first, *second, broken("loop"), after=2)
        if name == "execution-event"
    ]
    assert names == [
        ("node_start", "loop"),
        ("node_start", "click"),
        ("node_complete", "click"),
        ("node_start", "click"),
        ("node_error", "click"),
        ("node_error", "loop"),
    ]


def test_a_body_that_runs_once() -> None:
    group = body("group", step("a"))
    events = (*begun(group), entered("group"), started("group/a"), succeeded("group/a"), left("group"))
    statuses = [(payload["nodeId"], payload["status"]) for name, payload in told(*events) if name == "node-execution"]
    assert statuses == [("group", "running"), ("a", "running"), ("a", "completed"), ("group", "completed")]


class TestPauses:
    """`execution_paused` when the pause begins, `breakpoint_triggered` when it is over."""

    @pytest.mark.parametrize(
        ("cause", "reason", "moment"),
        [
            (PauseCause.BREAKPOINT_PRE, "breakpoint", "pre"),
            (PauseCause.BREAKPOINT_POST, "breakpoint", "post"),
        ],
    )
    def test_a_breakpoint(self, cause: PauseCause, reason: str, moment: str) -> None:
        paused = StepPaused(instance=InstanceId("a"), cause=cause, at=T1)
        assert told(*begun(A), paused, RunContinued(at=T2), after=2) == [
            event("execution_paused", T1, nodeId="a", message=f"Execution paused: {reason}", data={"reason": reason}),
            update("running"),
            event("breakpoint_triggered", T2, nodeId="a", data={"breakpointAt": moment}),
            update("running"),
        ]

    def test_a_wait(self) -> None:
        paused = StepPaused(instance=InstanceId("a"), cause=PauseCause.WAIT, at=T1)
        assert told(*begun(A), paused, RunContinued(at=T2), after=2) == [
            event(
                "execution_paused",
                T1,
                nodeId="a",
                message="Execution paused: wait-pause",
                data={"reason": "wait-pause"},
            ),
            update("running", "a"),
            update("running", "a"),
        ]

    def test_by_hand(self) -> None:
        expected: dict[str, Json] = {"message": "Execution paused: breakpoint", "data": {"reason": "breakpoint"}}
        assert told(*begun(A), RunPaused(at=T1), RunContinued(at=T2), after=2) == [
            event("execution_paused", T1, nodeId="a", **expected),
            update("running"),
            update("running"),
        ]
        assert told(*begun(A), started("a"), RunPaused(at=T1), after=3)[0] == event("execution_paused", T1, **expected)


class TestTraceLogs:
    """The lines of the failing node are attached to its error."""

    def logged(self, name: str, *messages: str) -> StepLogged:
        lines = tuple(LogLine(at=T1, stream="trace", message=message) for message in messages)
        return StepLogged(instance=InstanceId(name), attempt=1, first=0, lines=lines, at=T1)

    def test_those_of_the_failing_node(self) -> None:
        events = (*begun(A, step("c")), started("a"), started("c"), self.logged("a", "one"), self.logged("c", "two"))
        assert told(*events, self.logged("a", "three"), failed("a"), after=7) == [
            event(
                "node_error",
                T1,
                nodeId="a",
                message="no",
                failSilently=False,
                traceLogs=[
                    "[1970-01-01T00:01:41.000Z] [TRACE] a: one",
                    "[1970-01-01T00:01:41.000Z] [TRACE] a: three",
                ],
            ),
            node("a", "error"),
        ]
        assert told(*events, succeeded("c"), after=6)[0] == event("node_complete", T1, nodeId="c")

    def test_the_last_ones_of_many(self) -> None:
        many = self.logged("a", *(str(number) for number in range(MOST_LINES + 1)))
        payload = told(*begun(A), started("a"), many, failed("a"), after=4)[0][1]
        lines = payload["traceLogs"]
        assert isinstance(lines, list)
        assert (len(lines), lines[0]) == (MOST_LINES, "[1970-01-01T00:01:41.000Z] [TRACE] a: 1")

    def test_items_are_not_told(self) -> None:
        events = (*begun(step("a", for_each=[1])), fanned("a", 1), started("a/0"), self.logged("a/0", "one"))
        assert "traceLogs" not in told(*events, failed("a/0"), broken("a"), after=6)[0][1]


def test_an_item_of_a_batch_names_it() -> None:
    first = attrs.evolve(created(A), batch=BatchId(0), labels={"source": "frontend"})
    events = (first, begun(A)[1], started("a"))
    assert told(*events, after=2) == [
        (
            "execution-event",
            {"executionId": "exec-0-1", "source": "frontend", "type": "node_start", "timestamp": 100000, "nodeId": "a"},
        ),
        (
            "node-execution",
            {
                "nodeId": "a",
                "nodeType": "value",
                "status": "running",
                "executionId": "exec-0-1",
                "batchId": "batch-0",
            },
        ),
        ("execution-update", {"executionId": "exec-0-1", "status": "running", "currentNodeId": "a"}),
    ]


def test_a_bypassed_node() -> None:
    bypassed = attrs.evolve(A, unbroken=True)
    assert told(*begun(bypassed), started("a"), succeeded("a"), after=3) == [
        event("node_complete", T1, nodeId="a", message="Node bypassed"),
        node("a", "completed"),
    ]


@pytest.mark.parametrize("name", ["%.fault", "x%.fault"])
def test_of_a_workflow_that_cannot_run_only_the_end_is_told(name: str) -> None:
    fault = attrs.evolve(step(name), kind="workflow")
    first, *rest = begun(fault)
    assert isinstance(first, RunCreated)
    flow = attrs.evolve(first.flow, dialect=Dialect.WORKFLOW)
    events = (attrs.evolve(first, flow=flow), *rest, started(name), failed(name), RunFailed(at=T2))
    assert told(*events, after=len(rest) + 1) == [event("execution_error", T2, message="no"), update("error")]


def test_what_else_happens_is_not_told() -> None:
    assert told(*begun(step("a", when=True)), met("a"), resumed(), after=2) == []


def test_whether_it_is_over() -> None:
    run = LiveRun()
    ends: list[bool] = []
    for each in recorded((*begun(), RunSucceeded(at=T1))):
        run.evolve(each)
        ends.append(run.ended)
    assert ends == [False, False, True]
