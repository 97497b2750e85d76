"""Every invariant with a history that breaks it (contract reliability, I1 to I22)."""

from typing import Final

import attrs
import pytest

from flowcore.invariants import Violation, violations
from flowcore.invariants.attempts import MAX_LOST
from flowcore.model import Loop, OnError
from flowcore.ports import Recorded
from flowcore.run import takeover
from flowcore.run.events import (
    BreakpointsDisabled,
    Event,
    PauseCause,
    RunContinued,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    TraceToggled,
)
from tests.builders import (
    RUN,
    T0,
    T1,
    T2,
    abandoned,
    arrived,
    begun,
    body,
    broken,
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
    recorded,
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

STOP: Final = RunStopRequested(reason="enough", at=T1)
PAUSE, GO_ON = RunPaused(at=T1), RunContinued(at=T1)
DONE, FAILED, STOPPED = RunSucceeded(at=T2), RunFailed(at=T2), RunStopped(at=T2)
A: Final = begun(step("a"))
AB: Final = begun(step("a"), step("b", "a"))
BRANCHES: Final = begun(step("a"), step("b", "a", on_error=OnError.CONTINUE), step("c", "a", on_error=OnError.SKIP))
LOOKED: Final = begun(step("a", when="x"))
FAN: Final = begun(step("f", for_each="x", max_parallel=2, retry=2), step("g", "f"), max_workers=3)
GROUP: Final = begun(body("g", step("a"), step("b", "a")))
BODIES: Final = begun(body("g", step("a"), for_each="x", max_parallel=2))
LOOP: Final = begun(body("l", step("a"), loop=Loop(condition="x", max_iterations=2)))
WAITS: Final = begun(step("a", awaits=("photo",)))
TOLERANT: Final = begun(step("f", for_each="x", on_error=OnError.CONTINUE))
ENOUGH, HALTED = "the run was stopped: enough", "the run stopped because step 'a' failed"


def found(*events: Event) -> list[str]:
    """Return the names of the invariants that *events* break, each with what is said."""
    return [f"{each.invariant} {each.message}" for each in violations(recorded(events))]


GOOD: Final[dict[str, tuple[Event, ...]]] = {
    "success": (*AB, started("a"), succeeded("a"), started("b"), succeeded("b"), DONE),
    "failure": (*AB, started("a"), failed("a"), skipped("b", "x", SkipCause.RUN_FAILED), FAILED),
    "tolerated": (
        *BRANCHES,
        started("a"),
        failed("a"),
        started("b"),
        skipped("c", "x"),
        succeeded("b"),
        DONE,
    ),
    "retry": (
        *begun(step("a", retry=2)),
        started("a"),
        failed("a", retry=T1),
        started("a", 2, at=T1),
        failed("a", attempt=2),
        FAILED,
    ),
    "condition": (*LOOKED, met("a"), started("a"), succeeded("a"), DONE),
    "condition not met": (
        *begun(step("a", when="x"), step("b", "a", on_error=OnError.CONTINUE)),
        skipped("a", "x", SkipCause.CONDITION),
        started("b"),
        succeeded("b"),
        DONE,
    ),
    "no answer": (*LOOKED, unguarded("a"), FAILED),
    "fan-out": (
        *FAN,
        fanned("f", 1, 2, 3),
        started("f/0"),
        started("f/1"),
        failed("f/0", retry=T1),
        succeeded("f/1"),
        started("f/2"),
        started("f/0", 2, at=T1),
        succeeded("f/0", attempt=2),
        succeeded("f/2"),
        joined("f"),
        started("g"),
        succeeded("g"),
        DONE,
    ),
    "fan-out given up": (
        *FAN,
        fanned("f", 1, 2, 3),
        started("f/0"),
        started("f/1"),
        failed("f/1", retry=T1),
        failed("f/0"),
        abandoned("f/1"),
        skipped("f/2", "x"),
        broken("f"),
        skipped("g", "x", SkipCause.RUN_FAILED),
        FAILED,
    ),
    "fan-out tolerated": (*TOLERANT, fanned("f", 1), started("f/0"), failed("f/0"), broken("f"), DONE),
    "fan-out stopped": (
        *TOLERANT,
        fanned("f", 1, 2),
        started("f/0"),
        STOP,
        skipped("f/1", "x"),
        stopped("f/0"),
        broken("f"),
        STOPPED,
    ),
    "stopped": (*AB, started("a"), STOP, skipped("b", ENOUGH, SkipCause.RUN_STOPPED), stopped("a"), STOPPED),
    "stopped while a retry waits": (
        *begun(step("a", retry=2)),
        started("a"),
        failed("a", retry=T2),
        STOP,
        abandoned("a"),
        STOPPED,
    ),
    "stopped in the queue": (created(step("a")), skipped("a", ENOUGH, SkipCause.RUN_STOPPED), STOPPED),
    "paused": (*A, PAUSE, GO_ON, started("a"), PAUSE, succeeded("a"), DONE),
    "pauses": (
        *AB,
        paused("a"),
        TraceToggled(enabled=True, at=T1),
        GO_ON,
        held("a"),
        started("a"),
        logged("a"),
        logged("a", 1),
        succeeded("a"),
        paused("a", PauseCause.BREAKPOINT_POST),
        GO_ON,
        paused("b"),
        BreakpointsDisabled(at=T1),
        skipped("b", "x", SkipCause.REQUESTED),
        GO_ON,
        DONE,
    ),
    "stopped at a pause": (*A, paused("a"), STOP, skipped("a", ENOUGH, SkipCause.RUN_STOPPED), STOPPED),
    "skipped by hand": (
        *AB,
        paused("a"),
        skipped("a", "x", SkipCause.REQUESTED),
        GO_ON,
        started("b"),
        succeeded("b"),
        DONE,
    ),
    "an artifact": (*WAITS, arrived("photo"), started("a"), succeeded("a"), DONE),
    "no artifact": (*WAITS, missed("a"), FAILED),
    "a body": (
        *GROUP,
        entered("g"),
        started("g/a"),
        succeeded("g/a"),
        started("g/b"),
        succeeded("g/b"),
        left("g"),
        DONE,
    ),
    "a body that fails": (
        *GROUP,
        entered("g"),
        started("g/a"),
        failed("g/a"),
        skipped("g/b", "x"),
        unwell("g", "x"),
        FAILED,
    ),
    "bodies for items": (
        *BODIES,
        fanned("g", 1, 2, 3),
        entered("g/0"),
        entered("g/1"),
        started("g/0/a"),
        started("g/1/a"),
        failed("g/0/a"),
        unwell("g/0", "x"),
        skipped("g/2", "x"),
        succeeded("g/1/a"),
        unwell("g/1", "x"),
        broken("g"),
        FAILED,
    ),
    "a loop": (
        *LOOP,
        iterated("l", 0),
        started("l/0/a"),
        succeeded("l/0/a"),
        left("l/0"),
        iterated("l", 1),
        started("l/1/a"),
        succeeded("l/1/a"),
        left("l/1"),
        joined("l"),
        DONE,
    ),
    "a loop that fails": (
        *LOOP,
        iterated("l", 0),
        started("l/0/a"),
        succeeded("l/0/a"),
        left("l/0"),
        broken("l"),
        FAILED,
    ),
    "a body that is stopped": (
        *GROUP,
        entered("g"),
        started("g/a"),
        STOP,
        skipped("g/b", ENOUGH, SkipCause.RUN_STOPPED),
        stopped("g/a"),
        unwell("g", ENOUGH),
        STOPPED,
    ),
    "taken over": (
        *A,
        started("a"),
        resumed(),
        lost("a"),
        rejected("a"),
        started("a", 2, at=T1),
        succeeded("a", attempt=2),
        DONE,
        rejected("a", 1, 3),
    ),
    "lost for good": (*A, started("a"), resumed(), lost("a", retry=None), FAILED),
    "taken over from a parent": (
        created(step("a"), step("b", "a")),
        imported("a"),
        *A[1:],
        started("b"),
        succeeded("b"),
        DONE,
    ),
}

BAD: Final[dict[str, tuple[tuple[Event, ...], str]]] = {
    "a step of no run": ((started("a"),), "I4 AttemptStarted before the run was created"),
    "a run created twice": ((*A, created()), "I4 RunCreated while the run is running"),
    "a start after the end": ((*begun(), DONE, RunStarted(at=T2)), "I4 RunStarted while the run is succeeded"),
    "an unknown step": ((*A, started("z")), "I18 AttemptStarted of 'z', which the flow does not have"),
    "a late report of an unknown step": ((*A, rejected("z")), "I18 ReportRejected of 'z'"),
    "too early": ((*AB, started("b")), "I5 'b' starts though 'a' is pending"),
    "after a failure that halts": (
        (*begun(step("a"), step("b", "a"), step("c")), started("a"), failed("a"), started("c")),
        "I5 'c' starts after a failure has halted the run",
    ),
    "the failure is not tolerated": (
        (*BRANCHES, started("a"), failed("a"), started("c")),
        "I5 'c' starts though 'a' is failed",
    ),
    "its condition was not looked at": ((*LOOKED, started("a")), "I5 'a' starts before its condition was looked at"),
    "no condition": ((*A, met("a")), "I4 ConditionMet: 'a' has no condition to be looked at"),
    "a condition looked at late": ((*LOOKED, unguarded("a"), met("a")), "I4 ConditionMet: 'a' is failed"),
    "a guard that is none": ((*A, unguarded("a")), "I4 GuardFailed: 'a' has nothing to be looked at"),
    "no list": ((*A, fanned("a", 1)), "I4 FanOutStarted: 'a' has no list to be looked at"),
    "two successes": ((*A, started("a"), succeeded("a"), succeeded("a")), "I6 AttemptSucceeded: 'a' is succeeded"),
    "started again": ((*A, started("a"), succeeded("a"), started("a", 2)), "I6 AttemptStarted: 'a' is succeeded"),
    "success without an attempt": ((*A, succeeded("a")), "I4 AttemptSucceeded: 'a' is pending"),
    "success of a fan-out by itself": ((*FAN, fanned("f", 1), succeeded("f")), "I4 AttemptSucceeded: 'f' is running"),
    "other outputs": ((*A, started("a"), succeeded("a", {"x": 1})), "I6 'a' left other outputs than it declares"),
    "taken over too late": ((*A, imported("a")), "I6 'a' was taken over while the run was running"),
    "another attempt": ((*A, started("a"), succeeded("a", attempt=2)), "I7 attempt 2 of 'a' ends while 1 is under way"),
    "a failure of another attempt": (
        (*A, started("a"), failed("a", attempt=2)),
        "I7 attempt 2 of 'a' ends while 1 is under way",
    ),
    "attempts with a gap": ((*A, started("a", 2)), "I7 attempt 2 of 'a' follows attempt 0"),
    "a retry too many": ((*A, started("a"), failed("a", retry=T1)), "I7 'a' shall be tried more than 1 times"),
    "an attempt too many": (
        (*A, started("a"), failed("a", retry=T1), started("a", 2, at=T1)),
        "I7 'a' is tried more than 1 times",
    ),
    "a retry too early": (
        (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2), started("a", 2)),
        "I7 'a' is tried again before its time",
    ),
    "too many at once": (
        (*begun(step("a"), step("b"), max_workers=1), started("a"), started("b")),
        "I8 2 attempts are under way, at most 1 may be",
    ),
    "too many items at once": (
        (*FAN, fanned("f", 1, 2, 3), started("f/0"), started("f/1"), started("f/2")),
        "I8 3 items of 'f' go on at once, at most 2 may",
    ),
    "two live attempts": ((*A, started("a"), started("a", 2)), "I4 AttemptStarted: 'a' is running"),
    "the end of a run that goes on": ((*A, DONE), "I9 RunSucceeded, but step 'a' is pending"),
    "an attempt under way at the end": ((*A, started("a"), DONE), "I9 RunSucceeded while 1 attempts are under way"),
    "success in spite of a failure": (
        (*A, started("a"), failed("a"), DONE),
        "I9 the run succeeded in spite of a failure",
    ),
    "failure without one": ((*begun(), FAILED), "I9 the run failed without a failure that counts"),
    "a skip for nothing": (
        (*AB, skipped("b", "x")),
        "I9 'b' was skipped (upstream), but nothing it depends on stands in its way",
    ),
    "a skip by no condition": (
        (*A, skipped("a", "x", SkipCause.CONDITION)),
        "I9 'a' was skipped (condition), but it has no condition",
    ),
    "a skip by no failure": ((*A, skipped("a", "x", SkipCause.RUN_FAILED)), "but no failure has halted the run"),
    "a skip by no stop": ((*A, skipped("a", "x", SkipCause.RUN_STOPPED)), "but nobody asked for the end"),
    "a skip of an item": ((*TOLERANT, fanned("f", 1), skipped("f/0", "x")), "but nothing has broken its fan-out"),
    "a skip of what is settled": (
        (*A, started("a"), succeeded("a"), skipped("a", "x")),
        "I6 StepSkipped: 'a' is succeeded",
    ),
    "an early join": (
        (*FAN, fanned("f", 1), started("f/0"), broken("f")),
        "I9 FanOutFailed while an item of 'f' is not settled",
    ),
    "a wrong join": (
        (*FAN, fanned("f", 1), started("f/0"), succeeded("f/0"), broken("f")),
        "I6 FanOutFailed, which is not what the items of 'f' came to",
    ),
    "a join of nothing": ((*A, joined("a")), "I4 FanOutSucceeded: 'a' has no items"),
    "a join too many": ((*FAN, fanned("f"), joined("f"), joined("f")), "I6 FanOutSucceeded: 'f' is succeeded"),
    "a second list": ((*FAN, fanned("f"), joined("f"), fanned("f", 1)), "I6 FanOutStarted: 'f' is succeeded"),
    "a second failure of a guard": ((*LOOKED, unguarded("a"), unguarded("a")), "I4 GuardFailed: 'a' is failed"),
    "nothing to abandon": ((*A, abandoned("a")), "I4 RetryAbandoned: 'a' is pending"),
    "started after the stop": ((*A, STOP, started("a")), "I11 'a' starts after the run was asked to stop"),
    "success after the stop": ((*begun(), STOP, DONE), "I11 RunSucceeded after the run was asked to stop"),
    "stopped by nobody": ((*begun(), STOPPED), "I11 the run was stopped though nobody asked for it"),
    "stopped twice": ((*A, STOP, STOP), "I11 the run is asked to stop a second time"),
    "an attempt stopped by nobody": (
        (*A, started("a"), stopped("a")),
        "I11 'a' was stopped though nobody asked for it",
    ),
    "tried again in a run that is given up": (
        (*begun(step("a", retry=2)), started("a"), STOP, failed("a", retry=T2)),
        "I11 'a' shall be tried again though the run is being given up",
    ),
    "pausing twice": ((*AB, paused("a"), paused("b")), "I13 the run pauses at 'b' while it is paused"),
    "pausing after what has not succeeded": (
        (*A, paused("a", PauseCause.BREAKPOINT_POST)),
        "I4 StepPaused: 'a' is pending",
    ),
    "skipped by hand without a pause": (
        (*A, skipped("a", "x", SkipCause.REQUESTED)),
        "I9 'a' was skipped (requested), but the run has not paused before it",
    ),
    "skipped by hand when it has gone on": (
        (*A, paused("a"), GO_ON, skipped("a", "x", SkipCause.REQUESTED)),
        "but the run has not paused before it",
    ),
    "started without its artifact": ((*WAITS, started("a")), "I5 'a' starts though 'photo' has not arrived"),
    "an artifact that comes twice": (
        (*WAITS, arrived("photo"), arrived("photo")),
        "I16 'photo' arrives a second time",
    ),
    "waiting for nothing": (
        (*WAITS, arrived("photo"), missed("a")),
        "I5 AwaitFailed: nothing that 'a' waits for is missing",
    ),
    "failing twice": ((*WAITS, missed("a"), missed("a")), "I4 AwaitFailed: 'a' is failed"),
    "holding what waits": ((*AB, held("b")), "I5 'b' starts though 'a' is pending"),
    "holding what runs": ((*A, started("a"), held("a")), "I4 StepHeld: 'a' is running"),
    "lines of no attempt": ((*A, logged("a")), "I16 StepLogged: attempt 1 of 'a' is not under way"),
    "lines told twice": ((*A, started("a"), logged("a"), logged("a")), "I16 line 0 of 'a' follows line 1"),
    "a body that is tried": ((*GROUP, started("g")), "I4 AttemptStarted: 'g' has a body instead"),
    "no body": ((*A, entered("a")), "I4 BodyStarted: 'a' has no body to be begun"),
    "a body twice": ((*GROUP, entered("g"), entered("g")), "I4 BodyStarted: 'g' is running"),
    "the end of no body": ((*GROUP, left("g")), "I4 BodySucceeded: 'g' has begun no body"),
    "an early end of a body": (
        (*GROUP, entered("g"), started("g/a"), left("g")),
        "I9 BodySucceeded while a step of 'g' is not settled",
    ),
    "a wrong end of a body": (
        (*begun(body("g", step("a"))), entered("g"), started("g/a"), succeeded("g/a"), unwell("g", "x")),
        "I6 BodyFailed, which is not what the steps of 'g' came to",
    ),
    "a second end of a body": (
        (*begun(body("g", step("a"))), entered("g"), started("g/a"), succeeded("g/a"), left("g"), left("g")),
        "I6 BodySucceeded: 'g' is succeeded",
    ),
    "an attempt of a body": ((*GROUP, entered("g"), succeeded("g")), "I4 AttemptSucceeded: 'g' is running"),
    "no loop": ((*A, iterated("a", 0)), "I4 IterationStarted: 'a' has no loop to be begun"),
    "an iteration left out": ((*LOOP, iterated("l", 1)), "I7 iteration 1 of 'l' follows 0 others"),
    "an iteration too early": (
        (*LOOP, iterated("l", 0), iterated("l", 1)),
        "I5 iteration 1 of 'l' begins before the last one has succeeded",
    ),
    "a loop that has ended": (
        (
            *LOOP,
            iterated("l", 0),
            started("l/0/a"),
            succeeded("l/0/a"),
            left("l/0"),
            joined("l"),
            iterated("l", 1),
        ),
        "I6 IterationStarted: 'l' is succeeded",
    ),
    "a start in a body that is halted": (
        (
            *begun(body("g", step("a"), step("b", "a"), step("c"))),
            entered("g"),
            started("g/a"),
            failed("g/a"),
            started("g/c"),
        ),
        "I5 'g/c' starts after a failure has halted the run",
    ),
    "a start in a body around which all is halted": (
        (
            *begun(body("g", step("c")), step("a"), step("b", "a")),
            entered("g"),
            started("a"),
            failed("a"),
            started("g/c"),
        ),
        "I5 'g/c' starts after a failure has halted the run",
    ),
    "a skip in a body for nothing": (
        (*GROUP, entered("g"), skipped("g/b", "x")),
        "I9 'g/b' was skipped (upstream), but nothing it depends on stands in its way",
    ),
    "too many bodies at once": (
        (*BODIES, fanned("g", 1, 2, 3), entered("g/0"), entered("g/1"), entered("g/2")),
        "I8 3 items of 'g' go on at once, at most 2 may",
    ),
    "started while paused": ((*A, PAUSE, started("a")), "I13 'a' starts while the run is paused"),
}


@pytest.mark.parametrize("events", GOOD.values(), ids=GOOD.keys())
def test_what_is_right_breaks_nothing(events: tuple[Event, ...]) -> None:
    assert found(*events) == []


@pytest.mark.parametrize(("events", "expected"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_named(events: tuple[Event, ...], expected: str) -> None:
    *before, _last = events
    assert not any(expected in each for each in found(*before)), "it is the last event that shows it"
    assert any(expected in each for each in found(*events)), found(*events)


def test_versions_have_no_gap_and_positions_rise() -> None:
    one, two, three = recorded([*A, started("a")])
    assert violations([one, three])[0] == Violation("I1", "version 3 follows version 1", three.position)
    assert violations([one, two, three]) == []
    back = attrs.evolve(two, position=one.position)
    assert violations([one, back]) == [Violation("I1", "position 1 follows position 1", 1)]


def test_epochs_never_go_back() -> None:
    def by(epoch: int, version: int, event: Event) -> Recorded:
        return Recorded(RUN, version, version, event, epoch)

    events = [by(0, 1, created(step("a"))), by(2, 2, RunStarted(at=T0)), by(0, 3, PAUSE), by(1, 4, GO_ON)]
    assert [str(each.message) for each in violations(events)] == ["an owner of epoch 1 appended after one of epoch 2"]


def test_a_step_is_not_lost_for_ever() -> None:
    assert MAX_LOST == takeover.MAX_LOST + 1
    history: list[Event] = [*A]
    for attempt in range(1, MAX_LOST + 1):
        history += [started("a", attempt, at=T1), lost("a", attempt)]
    assert found(*history[:-1]) == []
    assert found(*history) == [f"I7 'a' was lost {MAX_LOST} times and shall be tried again"]


def test_instances_and_names_are_what_the_flow_says() -> None:
    assert found(*FAN, fanned("f", 1), started("f/1")) == ["I18 AttemptStarted of 'f/1', which the flow does not have"]
