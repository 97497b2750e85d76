"""Where a run pauses: breakpoints around steps, and steps that ask for it (contract executions, section 6)."""

from typing import Final

import attrs
import pytest

from flowcore.ids import InstanceId
from flowcore.model import Breakpoints, Moment, Step
from flowcore.run.commands import (
    ContinueRun,
    CreateRun,
    ReportGuard,
    Settle,
    SkipPaused,
    StartAttempt,
    StopRun,
    ToggleTrace,
)
from flowcore.run.effects import Consequences, Effect, Perform, Resolve, pending
from flowcore.run.events import (
    BreakpointsDisabled,
    Event,
    PauseCause,
    RunContinued,
    RunCreated,
    RunPaused,
    RunStarted,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    TraceToggled,
)
from flowcore.run.evolve import fold
from flowcore.testing import given
from tests.builders import (
    RUN,
    T0,
    T1,
    T2,
    begun,
    created,
    fanned,
    flow_of,
    joined,
    met,
    paused,
    skipped,
    started,
    step,
    succeeded,
)

POST: Final = PauseCause.BREAKPOINT_POST
WAIT: Final = PauseCause.WAIT
GO_ON: Final = RunContinued(at=T2)
SETTLE: Final = Settle(at=T2)
CONTINUE: Final = ContinueRun(at=T2)
SKIP: Final = SkipPaused(at=T2)
ALL: Final = Breakpoints(steps=None)
BY_HAND: Final = "it was skipped at its breakpoint"


def run(points: Breakpoints | None, *steps: Step) -> tuple[Event, ...]:
    return attrs.evolve(created(*steps), breakpoints=points), RunStarted(at=T0)


def doing(*events: Event) -> tuple[Effect, ...]:
    return pending(fold(events), T2)


def perform(name: str) -> Perform:
    return Perform(InstanceId(name))


CHAIN: Final = (step("a"), step("b", "a"))


def test_a_run_pauses_before_every_step() -> None:
    history = run(ALL, *CHAIN)
    assert doing(*history) == (Consequences(),)
    given(*history).when(SETTLE).then(paused("a"))
    history = (*history, paused("a"))
    assert doing(*history) == ()
    given(*history).when(CONTINUE).then(GO_ON)
    history = (*history, GO_ON)
    assert doing(*history) == (perform("a"),)
    history = (*history, started("a"), succeeded("a"))
    given(*history).when(SETTLE).then(paused("b"))


def test_a_step_that_is_held_cannot_be_tried() -> None:
    given(*run(ALL, step("a"))).when(StartAttempt(instance=InstanceId("a"), at=T2)).then_rejected("not-startable")


def test_a_run_pauses_after_every_step_the_last_one_included() -> None:
    history = run(attrs.evolve(ALL, moment=Moment.POST), step("a"))
    assert doing(*history) == (perform("a"),)
    history = (*history, started("a"), succeeded("a"))
    given(*history).when(SETTLE).then(paused("a", POST))
    history = (*history, paused("a", POST))
    assert doing(*history) == ()
    given(*history).when(SETTLE).then()
    given(*history, GO_ON).when(SETTLE).then(RunSucceeded(at=T2))


def test_both_pauses_twice_at_each_step() -> None:
    history = run(attrs.evolve(ALL, moment=Moment.BOTH), step("a"))
    given(*history).when(SETTLE).then(paused("a"))
    history = (*history, paused("a"), GO_ON, started("a"), succeeded("a"))
    given(*history).when(SETTLE).then(paused("a", POST))


def test_only_the_marked_steps_pause() -> None:
    history = run(Breakpoints(marked=True), step("a"), step("b", mark=True))
    given(*history).when(SETTLE).then(paused("b"))
    assert doing(*history, paused("b"), GO_ON) == (perform("a"), perform("b"))


def test_only_the_named_steps_pause() -> None:
    history = run(Breakpoints(steps=(step("b").name,)), *CHAIN)
    assert doing(*history) == (perform("a"),)
    given(*history, started("a"), succeeded("a")).when(SETTLE).then(paused("b"))


def test_without_breakpoints_marks_are_ignored() -> None:
    assert doing(*run(None, step("a", mark=True))) == (perform("a"),)


def test_steps_that_are_ready_together_pause_one_after_the_other() -> None:
    history = run(ALL, step("a"), step("b"))
    given(*history).when(SETTLE).then(paused("a"))
    given(*history, paused("a"), GO_ON).when(SETTLE).then(paused("b"))


class TestSkipping:
    """`skip`: at a pre breakpoint the paused node is not executed and counts as done."""

    def test_the_step_counts_as_done(self) -> None:
        history = (*run(ALL, *CHAIN), paused("a"))
        over = skipped("a", BY_HAND, SkipCause.REQUESTED)
        given(*history).when(SKIP).then(over, GO_ON)
        given(*history, over, GO_ON).when(SETTLE).then(paused("b"))

    def test_there_is_no_post_breakpoint_for_it(self) -> None:
        points = Breakpoints(moment=Moment.BOTH, steps=(step("a").name,))
        history = (*run(points, *CHAIN), paused("a"), skipped("a", BY_HAND, SkipCause.REQUESTED), GO_ON)
        assert doing(*history) == (perform("b"),)

    @pytest.mark.parametrize("cause", [POST, WAIT])
    def test_elsewhere_it_is_the_same_as_continue(self, cause: PauseCause) -> None:
        points = attrs.evolve(ALL, moment=Moment.POST)
        history = run(points, step("a", pause=cause is WAIT))
        history = (*history, started("a"), succeeded("a")) if cause is POST else history
        given(*history, paused("a", cause)).when(SKIP).then(GO_ON)

    def test_a_run_that_somebody_has_paused_goes_on(self) -> None:
        given(*begun(step("a")), RunPaused(at=T1)).when(SKIP).then(GO_ON)

    def test_a_run_that_has_not_paused_is_left_alone(self) -> None:
        given(*begun(step("a"))).when(SKIP).then()

    def test_a_run_that_is_over_refuses(self) -> None:
        given(*begun(), RunSucceeded(at=T1)).when(SKIP).then_rejected("run-ended")


class TestWithoutBreakpoints:
    """`continueWithoutBreakpoint`: resume and disable breakpoints for the rest of this run."""

    FREELY: Final = ContinueRun(at=T2, breakpoints=False)

    def test_the_rest_goes_through(self) -> None:
        history = (*run(ALL, step("a"), step("b"), step("c", "a")), paused("a"))
        given(*history).when(self.FREELY).then(BreakpointsDisabled(at=T2), GO_ON)
        history = (*history, BreakpointsDisabled(at=T2), GO_ON)
        assert doing(*history) == (perform("a"), perform("b"))
        assert doing(*history, started("a"), succeeded("a")) == (perform("b"), perform("c"))

    def test_what_has_passed_already_does_not_pause_afterwards(self) -> None:
        points = attrs.evolve(ALL, moment=Moment.POST)
        history = (*run(points, step("a"), step("b")), started("a"), started("b"), succeeded("a"), succeeded("b"))
        history = (*history, paused("a", POST), BreakpointsDisabled(at=T2), GO_ON)
        given(*history).when(SETTLE).then(RunSucceeded(at=T2))

    def test_steps_that_ask_for_a_pause_still_get_it(self) -> None:
        history = (*run(ALL, step("a"), step("b", pause=True)), paused("a"), BreakpointsDisabled(at=T2), GO_ON)
        given(*history).when(SETTLE).then(paused("b", WAIT))

    def test_where_there_are_none_it_is_the_same_as_continue(self) -> None:
        given(*begun(step("a")), RunPaused(at=T1)).when(self.FREELY).then(GO_ON)


class TestWaiting:
    """A wait node with `pause: true` pauses when it is reached; then, after continue, it waits."""

    def test_it_pauses_once(self) -> None:
        history = run(None, step("a", pause=True))
        given(*history).when(SETTLE).then(paused("a", WAIT))
        assert doing(*history, paused("a", WAIT), GO_ON) == (perform("a"),)

    def test_a_breakpoint_after_another_step_does_not_concern_it(self) -> None:
        points = Breakpoints(moment=Moment.POST, marked=True)
        history = (*run(points, step("a", pause=True), step("b", "a")), paused("a", WAIT), GO_ON)
        assert doing(*history, started("a"), succeeded("a")) == (perform("b"),)

    def test_a_breakpoint_before_it_comes_first(self) -> None:
        history = (*run(ALL, step("a", pause=True)), paused("a"), GO_ON)
        given(*history).when(SETTLE).then(paused("a", WAIT))
        assert doing(*history, paused("a", WAIT), GO_ON) == (perform("a"),)


class TestConditions:
    """Skipped nodes never pause."""

    def test_the_condition_comes_before_the_pause(self) -> None:
        history = run(ALL, step("a", when="x"))
        guard = ReportGuard(step=step("a").name, met=True, at=T2)
        assert doing(*history) == (Resolve(step("a").name),)
        given(*history).when(guard).then(paused("a"))
        history = (*history, paused("a"), GO_ON)
        assert doing(*history) == (Resolve(step("a").name),)
        given(*history).when(guard).then(attrs.evolve(met("a"), at=T2))
        assert doing(*history, met("a")) == (perform("a"),)

    def test_a_step_whose_condition_is_not_met_does_not_pause(self) -> None:
        guard = ReportGuard(step=step("a").name, met=False, at=T2)
        skip = skipped("a", "its condition is not met", SkipCause.CONDITION)
        given(*run(ALL, step("a", when="x"))).when(guard).then(skip)

    def test_a_fan_out_pauses_as_a_whole(self) -> None:
        history = run(attrs.evolve(ALL, moment=Moment.BOTH), step("a", for_each="x"))
        guard = ReportGuard(step=step("a").name, met=True, items=(1, 2), at=T0)
        given(*history).when(guard).then(attrs.evolve(paused("a"), at=T0))
        history = (*history, paused("a"), GO_ON)
        given(*history).when(guard).then(fanned("a", 1, 2))
        history = (*history, fanned("a", 1), started("a/0"), succeeded("a/0"))
        given(*history).when(SETTLE).then(joined("a"))
        given(*history, joined("a")).when(SETTLE).then(paused("a", POST))


class TestTheEnd:
    def test_a_stop_ends_a_paused_run(self) -> None:
        history = (*run(ALL, *CHAIN), paused("a"))
        stop = RunStopRequested(reason="stopped", at=T1)
        given(*history).when(StopRun(at=T1)).then(stop)
        reason = "the run was stopped: stopped"
        given(*history, stop).when(SETTLE).then(
            skipped("a", reason, SkipCause.RUN_STOPPED), skipped("b", reason, SkipCause.RUN_STOPPED)
        )
        assert fold([*history, stop]).paused_at is None

    def test_a_run_that_is_being_given_up_pauses_nowhere(self) -> None:
        history = (*run(ALL, step("a")), RunStopRequested(reason="enough", at=T1))
        given(*history).when(SETTLE).then(skipped("a", "the run was stopped: enough", SkipCause.RUN_STOPPED))

    def test_what_a_failure_gives_up_is_not_paused_any_more(self) -> None:
        points = Breakpoints(steps=(step("b").name,))
        history = (*run(points, step("a"), step("b")), paused("b"))
        over = skipped("b", "the run stopped", SkipCause.RUN_FAILED)
        assert fold([*history, over]).paused_at is None


def test_where_it_pauses_is_recorded_with_the_run() -> None:
    flow = flow_of(step("a"))
    command = CreateRun(
        run_id=RUN, flow=flow, at=T0, breakpoints=ALL, trace=True, labels={"file": "a.yaml"}, max_workers=4
    )
    given().when(command).then(
        RunCreated(run_id=RUN, flow=flow, max_workers=4, at=T0, breakpoints=ALL, trace=True, labels={"file": "a.yaml"})
    )


def test_tracing_can_be_asked_for_at_any_time() -> None:
    on, off = TraceToggled(enabled=True, at=T1), TraceToggled(enabled=False, at=T1)
    given(*begun(step("a"))).when(ToggleTrace(enabled=True, at=T1)).then(on)
    given(*begun(step("a")), on).when(ToggleTrace(enabled=False, at=T1)).then(off)
    given(*begun(step("a"))).when(ToggleTrace(enabled=False, at=T1)).then()
    given(*begun(), RunSucceeded(at=T1)).when(ToggleTrace(enabled=True, at=T1)).then(on)
    given().when(ToggleTrace(enabled=True, at=T1)).then_rejected("run-missing")
