"""The machine as data: an example script for every row of its tables; a row without one fails."""

from collections.abc import Mapping
from typing import Final, TypeAlias, get_args

import pytest

from flowcore.ids import InstanceId
from flowcore.model import Loop, OnError
from flowcore.run.events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    BreakpointsDisabled,
    CallAccepted,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
    PauseCause,
    ReportRejected,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunLevelEvent,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepEvent,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
)
from flowcore.run.evolve import fold
from flowcore.run.machine import ENDED, RUN_TRANSITIONS, SETTLED, STEP_TRANSITIONS, RunStatus, StepStatus
from tests.builders import (
    T0,
    T1,
    T2,
    abandoned,
    arrived,
    begun,
    body,
    broken,
    called,
    created,
    entered,
    failed,
    fanned,
    held,
    imported,
    iterated,
    joined,
    left,
    logged,
    lost,
    met,
    missed,
    paused,
    rejected,
    resumed,
    skipped,
    started,
    step,
    stopped,
    succeeded,
    unguarded,
    unwell,
)

RunRow: TypeAlias = tuple[RunStatus, type[Event], RunStatus]
StepRow: TypeAlias = tuple[StepStatus, type[Event], StepStatus]
Script: TypeAlias = tuple[Event, ...]

STOP: Final = RunStopRequested(reason="enough", at=T1)
PAUSE: Final = RunPaused(at=T1)
LOOP: Final = begun(body("a", step("b"), loop=Loop(condition="x")))
TRACE: Final = TraceToggled(enabled=True, at=T1)
RUN_ROWS: Final = [(before, event, after) for before, row in RUN_TRANSITIONS.items() for event, after in row.items()]
STEP_ROWS: Final = [
    (before, event, after)
    for before, row in STEP_TRANSITIONS.items()
    for event, afters in row.items()
    for after in sorted(afters)
]

RUN_SCRIPTS: Final[Mapping[RunRow, Script]] = {
    (RunStatus.NEW, RunCreated, RunStatus.QUEUED): (created(),),
    (RunStatus.QUEUED, RunStarted, RunStatus.RUNNING): begun(),
    (RunStatus.QUEUED, RunStopped, RunStatus.STOPPED): (created(), RunStopped(at=T1)),
    (RunStatus.QUEUED, ArtifactArrived, RunStatus.QUEUED): (created(step("a", awaits=("e",))), arrived("e")),
    (RunStatus.QUEUED, TraceToggled, RunStatus.QUEUED): (created(), TRACE),
    (RunStatus.QUEUED, CallAccepted, RunStatus.QUEUED): (created(), called()),
    (RunStatus.RUNNING, CallAccepted, RunStatus.RUNNING): (*begun(step("a")), called()),
    (RunStatus.PAUSED, CallAccepted, RunStatus.PAUSED): (*begun(step("a")), PAUSE, called()),
    (RunStatus.SUCCEEDED, CallAccepted, RunStatus.SUCCEEDED): (*begun(), RunSucceeded(at=T2), called()),
    (RunStatus.FAILED, CallAccepted, RunStatus.FAILED): (*begun(), RunFailed(at=T2), called()),
    (RunStatus.STOPPED, CallAccepted, RunStatus.STOPPED): (created(), RunStopped(at=T1), called()),
    (RunStatus.RUNNING, ArtifactArrived, RunStatus.RUNNING): (*begun(step("a", awaits=("e",))), arrived("e")),
    (RunStatus.RUNNING, TraceToggled, RunStatus.RUNNING): (*begun(step("a")), TRACE),
    (RunStatus.RUNNING, StepPaused, RunStatus.PAUSED): (*begun(step("a", pause=True)), paused("a", PauseCause.WAIT)),
    (RunStatus.PAUSED, ArtifactArrived, RunStatus.PAUSED): (*begun(step("a", awaits=("e",))), PAUSE, arrived("e")),
    (RunStatus.PAUSED, TraceToggled, RunStatus.PAUSED): (*begun(step("a")), PAUSE, TRACE),
    (RunStatus.PAUSED, BreakpointsDisabled, RunStatus.PAUSED): (
        *begun(step("a")),
        PAUSE,
        BreakpointsDisabled(at=T2),
    ),
    (RunStatus.SUCCEEDED, TraceToggled, RunStatus.SUCCEEDED): (*begun(), RunSucceeded(at=T2), TRACE),
    (RunStatus.FAILED, TraceToggled, RunStatus.FAILED): (*begun(), RunFailed(at=T2), TRACE),
    (RunStatus.STOPPED, TraceToggled, RunStatus.STOPPED): (created(), RunStopped(at=T1), TRACE),
    (RunStatus.RUNNING, RunResumed, RunStatus.RUNNING): (*begun(step("a")), resumed()),
    (RunStatus.RUNNING, ReportRejected, RunStatus.RUNNING): (*begun(step("a")), rejected("a")),
    (RunStatus.PAUSED, RunResumed, RunStatus.PAUSED): (*begun(step("a")), PAUSE, resumed()),
    (RunStatus.PAUSED, ReportRejected, RunStatus.PAUSED): (*begun(step("a")), PAUSE, rejected("a")),
    (RunStatus.SUCCEEDED, ReportRejected, RunStatus.SUCCEEDED): (*begun(), RunSucceeded(at=T2), rejected("a")),
    (RunStatus.FAILED, ReportRejected, RunStatus.FAILED): (*begun(), RunFailed(at=T2), rejected("a")),
    (RunStatus.STOPPED, ReportRejected, RunStatus.STOPPED): (created(), RunStopped(at=T1), rejected("a")),
    (RunStatus.RUNNING, RunPaused, RunStatus.PAUSED): (*begun(step("a")), PAUSE),
    (RunStatus.RUNNING, RunStopRequested, RunStatus.RUNNING): (*begun(step("a")), STOP),
    (RunStatus.RUNNING, RunSucceeded, RunStatus.SUCCEEDED): (*begun(), RunSucceeded(at=T2)),
    (RunStatus.RUNNING, RunFailed, RunStatus.FAILED): (
        *begun(step("a")),
        started("a"),
        failed("a"),
        RunFailed(at=T2),
    ),
    (RunStatus.RUNNING, RunStopped, RunStatus.STOPPED): (
        *begun(step("a")),
        STOP,
        skipped("a", "the run was stopped: enough"),
        RunStopped(at=T2),
    ),
    (RunStatus.PAUSED, RunContinued, RunStatus.RUNNING): (*begun(step("a")), PAUSE, RunContinued(at=T2)),
    (RunStatus.PAUSED, RunStopRequested, RunStatus.RUNNING): (*begun(step("a")), PAUSE, STOP),
    (RunStatus.PAUSED, RunSucceeded, RunStatus.SUCCEEDED): (
        *begun(step("a")),
        started("a"),
        PAUSE,
        succeeded("a"),
        RunSucceeded(at=T2),
    ),
    (RunStatus.PAUSED, RunFailed, RunStatus.FAILED): (
        *begun(step("a")),
        started("a"),
        PAUSE,
        failed("a"),
        RunFailed(at=T2),
    ),
}

ONE: Final = begun(step("a", retry=2))
LOOKED_AT: Final = begun(step("a", when="x"))
FAN: Final = begun(step("a", for_each="x", on_error=OnError.CONTINUE))
STEP_SCRIPTS: Final[Mapping[StepRow, Script]] = {
    (StepStatus.PENDING, StepSkipped, StepStatus.SKIPPED): (
        *begun(step("b", on_error=OnError.SKIP), step("a", "b")),
        started("b"),
        failed("b"),
        skipped("a", "step 'b' failed"),
    ),
    (StepStatus.PENDING, StepImported, StepStatus.SUCCEEDED): (created(step("b"), step("a", "b")), imported("a")),
    (StepStatus.READY, StepImported, StepStatus.SUCCEEDED): (created(step("a")), imported("a")),
    (StepStatus.RUNNING, AttemptLost, StepStatus.RETRYING): (*ONE, started("a"), lost("a")),
    (StepStatus.RUNNING, AttemptLost, StepStatus.FAILED): (*ONE, started("a"), lost("a", retry=None)),
    (StepStatus.READY, ConditionMet, StepStatus.READY): (*LOOKED_AT, met("a")),
    (StepStatus.READY, GuardFailed, StepStatus.FAILED): (*LOOKED_AT, unguarded("a")),
    (StepStatus.READY, FanOutStarted, StepStatus.RUNNING): (*FAN, fanned("a", 1)),
    (StepStatus.READY, AttemptStarted, StepStatus.RUNNING): (*ONE, started("a")),
    (StepStatus.READY, StepSkipped, StepStatus.SKIPPED): (*LOOKED_AT, skipped("a", "its condition is not met")),
    (StepStatus.RUNNING, AttemptSucceeded, StepStatus.SUCCEEDED): (*ONE, started("a"), succeeded("a")),
    (StepStatus.RUNNING, AttemptFailed, StepStatus.RETRYING): (*ONE, started("a"), failed("a", retry=T2)),
    (StepStatus.RUNNING, AttemptFailed, StepStatus.FAILED): (*ONE, started("a"), failed("a")),
    (StepStatus.RUNNING, AttemptStopped, StepStatus.STOPPED): (*ONE, started("a"), STOP, stopped("a")),
    (StepStatus.RUNNING, FanOutSucceeded, StepStatus.SUCCEEDED): (*FAN, fanned("a"), joined("a")),
    (StepStatus.RUNNING, FanOutFailed, StepStatus.FAILED): (
        *FAN,
        fanned("a", 1),
        started("a/0"),
        failed("a/0"),
        broken("a"),
    ),
    (StepStatus.PENDING, AwaitFailed, StepStatus.FAILED): (*begun(step("a", awaits=("photo",))), missed("a")),
    (StepStatus.READY, StepPaused, StepStatus.PAUSED): (
        *begun(step("a", pause=True)),
        paused("a", PauseCause.WAIT),
    ),
    (StepStatus.READY, StepHeld, StepStatus.READY): (*ONE, held("a")),
    (StepStatus.RETRYING, StepHeld, StepStatus.RETRYING): (
        *begun(step("a", retry=2)),
        started("a"),
        failed("a", retry=T2),
        held("a"),
    ),
    (StepStatus.RUNNING, StepLogged, StepStatus.RUNNING): (*ONE, started("a"), logged("a")),
    (StepStatus.PAUSED, StepSkipped, StepStatus.SKIPPED): (
        *begun(step("a", pause=True)),
        paused("a", PauseCause.WAIT),
        STOP,
        skipped("a", "the run was stopped: enough"),
    ),
    (StepStatus.SUCCEEDED, StepPaused, StepStatus.SUCCEEDED): (
        *ONE,
        started("a"),
        succeeded("a"),
        paused("a", PauseCause.BREAKPOINT_POST),
    ),
    (StepStatus.READY, BodyStarted, StepStatus.RUNNING): (*begun(body("a", step("b"))), entered("a")),
    (StepStatus.READY, IterationStarted, StepStatus.RUNNING): (*LOOP, iterated("a", 0)),
    (StepStatus.RUNNING, IterationStarted, StepStatus.RUNNING): (
        *LOOP,
        iterated("a", 0),
        started("a/0/b"),
        succeeded("a/0/b"),
        left("a/0"),
        iterated("a", 1),
    ),
    (StepStatus.RUNNING, BodySucceeded, StepStatus.SUCCEEDED): (
        *begun(body("a", step("b"))),
        entered("a"),
        started("a/b"),
        succeeded("a/b"),
        left("a"),
    ),
    (StepStatus.RUNNING, BodyFailed, StepStatus.FAILED): (
        *begun(body("a", step("b"))),
        entered("a"),
        started("a/b"),
        failed("a/b"),
        unwell("a", "step 'b' failed: no"),
    ),
    (StepStatus.RETRYING, AttemptStarted, StepStatus.RUNNING): (
        *ONE,
        started("a"),
        failed("a", retry=T2),
        started("a", 2, at=T2),
    ),
    (StepStatus.RETRYING, RetryAbandoned, StepStatus.FAILED): (
        *ONE,
        started("a"),
        failed("a", retry=T2),
        STOP,
        abandoned("a"),
    ),
}
A: Final = InstanceId("a")


def row_name(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


@pytest.mark.parametrize(("before", "event", "after"), RUN_ROWS, ids=row_name)
def test_every_row_of_the_runs_table_has_an_example(before: RunStatus, event: type[Event], after: RunStatus) -> None:
    *history, last = RUN_SCRIPTS[before, event, after]
    assert type(last) is event
    assert fold(history).status is before
    assert fold([*history, last]).status is after


@pytest.mark.parametrize(("before", "event", "after"), STEP_ROWS, ids=row_name)
def test_every_row_of_the_steps_table_has_an_example(before: StepStatus, event: type[Event], after: StepStatus) -> None:
    *history, last = STEP_SCRIPTS[before, event, after]
    assert type(last) is event
    assert fold(history).instances[A].status is before
    assert fold([*history, last]).instances[A].status is after


def test_no_example_is_without_a_row() -> None:
    assert [row for row in RUN_SCRIPTS if row not in RUN_ROWS] == []
    assert [row for row in STEP_SCRIPTS if row not in STEP_ROWS] == []


def test_every_status_has_a_row() -> None:
    assert set(RUN_TRANSITIONS) == set(RunStatus)
    assert set(STEP_TRANSITIONS) == set(StepStatus)


def test_terminal_statuses_lead_nowhere_and_no_others_do_so() -> None:
    # What came too late is recorded there all the same, and so is tracing, which has nothing left to trace, with the
    # call that has asked for it.
    beside = {ReportRejected, TraceToggled, CallAccepted}
    assert {status for status, row in RUN_TRANSITIONS.items() if not {*row} - beside} == ENDED
    assert {RUN_TRANSITIONS[status][ReportRejected] for status in ENDED} == ENDED
    # The run may pause after a step: that is where the run stands, not the step.
    assert {status for status, row in STEP_TRANSITIONS.items() if not {*row} - {StepPaused}} == SETTLED
    assert {status for row in STEP_TRANSITIONS.values() for status in row.get(StepPaused, ())} == {
        StepStatus.PAUSED,
        StepStatus.SUCCEEDED,
    }


def test_every_event_is_in_its_table_and_in_no_other() -> None:
    # One event is about both: the run pauses at a step.
    assert {event for _, event, _ in RUN_ROWS} == {*get_args(RunLevelEvent), StepPaused}
    assert {event for _, event, _ in STEP_ROWS} == set(get_args(StepEvent))


@pytest.mark.parametrize("status", sorted(ENDED))
def test_a_run_that_has_ended_stays_as_it_is(status: RunStatus) -> None:
    script = next(script for (_, _, after), script in RUN_SCRIPTS.items() if after is status)
    more = (RunStarted(at=T0), PAUSE, RunContinued(at=T2), STOP, RunSucceeded(at=T2), RunFailed(at=T2))
    assert [fold([*script, event]).status for event in more] == [status] * len(more)
