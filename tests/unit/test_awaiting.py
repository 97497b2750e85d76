"""Artifacts that a run waits for and leaves, what attempts write, and steps that go on after skips."""

from typing import Final

import attrs

from flowcore.ids import InstanceId, StepName
from flowcore.model import Loop, OnError, Step
from flowcore.run.commands import DeliverArtifact, RefuseArtifact, ReportLines, ReportSuccess, Settle
from flowcore.run.effects import Consequences, Perform, pending, wake_at
from flowcore.run.events import (
    AwaitFailed,
    Event,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
)
from flowcore.run.evolve import fold
from flowcore.run.machine import StepStatus
from flowcore.testing import given
from flowcore.values import Instant
from tests.builders import (
    ARTIFACT,
    LINE,
    T0,
    T1,
    T2,
    arrived,
    begun,
    body,
    created,
    failed,
    iterated,
    logged,
    missed,
    skipped,
    started,
    step,
    succeeded,
)

A: Final = InstanceId("a")
SETTLE: Final = Settle(at=T2)


def limited(*steps: Step, await_s: float = 1.0) -> tuple[Event, ...]:
    """Return the beginning of a run that waits for *await_s* seconds at most."""
    first = created(*steps)
    return attrs.evolve(first, flow=attrs.evolve(first.flow, await_s=await_s)), RunStarted(at=T0)


class TestArrivals:
    def test_a_step_starts_when_the_last_of_its_artifacts_is_there(self) -> None:
        run = begun(step("a", awaits=("photo", "mask")))
        assert pending(fold(run), T1) == ()
        assert pending(fold([*run, arrived("mask")]), T1) == ()
        assert pending(fold([*run, arrived("mask"), arrived("photo")]), T1) == (Perform(A),)

    def test_it_waits_for_its_dependencies_too(self) -> None:
        run = (*begun(step("b"), step("a", "b", awaits=("photo",))), arrived("photo"))
        assert pending(fold([*run, started("b"), succeeded("b")]), T1) == (Perform(A),)

    def test_an_arrival_is_recorded_once(self) -> None:
        deliver = DeliverArtifact(edge="photo", artifact=ARTIFACT, at=T1)
        run = begun(step("a", awaits=("photo",)), step("b", awaits=("photo",)))
        given(*run).when(deliver).then(arrived("photo"))
        assert len(pending(fold([*run, arrived("photo")]), T1)) == 2

    def test_what_nobody_waits_for_is_refused(self) -> None:
        deliver = DeliverArtifact(edge="foto", artifact=ARTIFACT, at=T1)
        given(*begun(step("a", awaits=("photo",)))).when(deliver).then_rejected("artifact-unknown")

    def test_a_run_that_is_over_takes_nothing(self) -> None:
        deliver = DeliverArtifact(edge="photo", artifact=ARTIFACT, at=T1)
        run = (*begun(step("a", awaits=("photo",))), missed("a"), RunFailed(at=T2))
        given(*run).when(deliver).then_rejected("run-ended")

    def test_what_comes_for_a_step_that_will_not_run_is_kept(self) -> None:
        run = (*begun(step("b"), step("a", "b", awaits=("photo",)), on_error=OnError.SKIP), started("b"), failed("b"))
        run = (*run, skipped("a", "step 'b' failed"), arrived("photo"))
        assert fold(run).artifacts == {"photo": ARTIFACT}


def refuse(*names: str) -> RefuseArtifact:
    """Return that a photo came that is none for the steps *names*."""
    return RefuseArtifact(edge="photo", errors={StepName(name): "it is a text" for name in names}, at=T2)


def unfit(name: str) -> AwaitFailed:
    """Return that a step failed because of that."""
    return AwaitFailed(step=StepName(name), code="input-type", error="it is a text", at=T2)


class TestRefusals:
    """Contract flow-runs, section 9: "Check at upload arrival ... mismatch = node ERROR, no retry"."""

    def test_those_fail_that_wait_for_it_and_cannot_take_it(self) -> None:
        run = begun(step("a", awaits=("photo", "mask")), step("b", awaits=("photo",)), step("c", awaits=("mask",)))
        given(*run).when(refuse("a", "c")).then(unfit("a"))
        state = fold([*run, unfit("a")])
        assert state.instances[A].status is StepStatus.FAILED
        assert state.instances[A].error == "it is a text"
        assert state.artifacts == {}

    def test_a_refusal_is_recorded_once(self) -> None:
        run = (*begun(step("a", awaits=("photo",)), step("b")), unfit("a"))
        given(*run).when(refuse("a")).then()

    def test_a_step_that_has_its_artifact_takes_no_harm(self) -> None:
        run = (*begun(step("a", awaits=("photo", "mask"))), arrived("photo"))
        given(*run).when(refuse("a")).then()

    def test_nobody_waits_at_that_edge(self) -> None:
        given(*begun(step("a", awaits=("mask",)))).when(refuse("a")).then()

    def test_a_run_that_pauses_or_has_not_begun_fails_nothing(self) -> None:
        given(created(step("a", awaits=("photo",)))).when(refuse("a")).then()
        given(*begun(step("a", awaits=("photo",))), RunPaused(at=T1)).when(refuse("a")).then()

    def test_a_run_that_is_over_refuses_it(self) -> None:
        run = (*begun(step("a", awaits=("photo",))), unfit("a"), RunFailed(at=T2))
        given(*run).when(refuse("a")).then_rejected("run-ended")


class TestWaitingInVain:
    def test_a_step_fails_when_nothing_came_in_time(self) -> None:
        run = limited(step("a", awaits=("photo",)))
        state = fold(run)
        assert wake_at(state) == T1
        assert pending(state, Instant(T1 - 0.5)) == ()
        assert pending(state, T2) == (Consequences(),)
        given(*run).when(Settle(at=T0)).then()
        given(*run).when(SETTLE).then(missed("a"))
        assert fold([*run, missed("a")]).instances[A].status is StepStatus.FAILED
        given(*run, missed("a")).when(SETTLE).then(RunFailed(at=T2))

    def test_without_a_limit_it_waits_for_ever(self) -> None:
        state = fold(begun(step("a", awaits=("photo",))))
        assert wake_at(state) is None
        assert pending(state, Instant(1e12)) == ()

    def test_a_run_that_has_not_begun_does_not_wait_yet(self) -> None:
        assert fold(limited(step("a", awaits=("photo",)))[:1]).await_until is None

    def test_it_only_awaits_when_nothing_else_goes_on(self) -> None:
        run = begun(step("a", awaits=("photo",)), step("b"))
        assert not fold(run).only_awaits
        assert not fold([*run, started("b")]).only_awaits
        done = [*run, started("b"), succeeded("b")]
        assert fold(done).only_awaits
        assert not fold([*done, arrived("photo")]).only_awaits
        assert not fold([*done, RunStopRequested(at=T1, reason="enough")]).only_awaits
        assert not fold(begun(step("b"))).only_awaits

    def test_it_rests_when_it_awaits_or_is_paused(self) -> None:
        run = begun(step("a"), step("b"))
        held = (*run, RunPaused(at=T1))
        assert not fold(run).rests
        assert fold(held).rests
        assert fold(begun(step("a", awaits=("photo",)))).rests
        assert not fold([*run, started("b"), RunPaused(at=T1)]).rests
        assert not fold([*held, RunStopRequested(at=T1, reason="enough")]).rests

    def test_it_rests_when_it_is_paused_within_a_body(self) -> None:
        run = (*begun(body("l", step("a"), step("b", "a"), loop=Loop(condition="x"))), iterated("l", 0))
        held = (*run, started("l/0/a"), RunPaused(at=T1))
        assert not fold(run).rests
        assert not fold(held).rests
        assert fold([*held, succeeded("l/0/a")]).rests
        assert fold([*run, RunPaused(at=T1)]).rests

    def test_a_paused_run_gives_nothing_up(self) -> None:
        run = (*limited(step("a", awaits=("photo",))), RunPaused(at=T0))
        assert pending(fold(run), T2) == ()
        given(*run).when(SETTLE).then()

    def test_a_retry_may_be_due_before(self) -> None:
        steps = (step("a", awaits=("photo",)), step("b", retry=2))
        due = Instant(T0 + 0.25)
        run = (*limited(*steps), started("b"), failed("b", retry=due))
        assert wake_at(fold(run)) == due

    def test_a_step_that_is_to_be_skipped_is_skipped(self) -> None:
        steps = (step("b"), step("a", "b", awaits=("photo",), on_error=OnError.SKIP))
        run = (*limited(*steps), started("b"), failed("b"))
        given(*run).when(SETTLE).then(skipped("a", "step 'b' failed"))
        # In a log that says otherwise it has failed, and nothing is left to be skipped.
        assert not fold([*run, missed("a")]).doomed

    def test_a_stopped_run_says_so_instead(self) -> None:
        run = (*limited(step("a", awaits=("photo",))), RunStopRequested(reason="enough", at=T1))
        given(*run).when(SETTLE).then(skipped("a", "the run was stopped: enough", SkipCause.RUN_STOPPED))


class TestWhatStepsLeave:
    def test_artifacts_come_with_the_success(self) -> None:
        run = (*begun(step("a")), started("a"))
        report = ReportSuccess(instance=A, attempt=1, outputs={}, artifacts={"thumb": ARTIFACT}, at=T1)
        event = attrs.evolve(succeeded("a"), artifacts={"thumb": ARTIFACT})
        given(*run).when(report).then(event)
        assert fold([*run, event]).artifacts == {"thumb": ARTIFACT}

    def test_lines_of_the_attempt_under_way_are_recorded_once(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"))
        report = ReportLines(instance=A, attempt=1, first=0, lines=(LINE,), at=T1)
        given(*run).when(report).then(logged("a"))
        given(*run, logged("a")).when(report).then()
        given(*run, logged("a")).when(attrs.evolve(report, first=1)).then(logged("a", 1))
        given(*run).when(attrs.evolve(report, lines=())).then()
        given(*run).when(attrs.evolve(report, attempt=2)).then()
        again = (*run, logged("a"), failed("a", retry=T1), started("a", 2, at=T1))
        given(*again).when(attrs.evolve(report, attempt=2)).then(logged("a", attempt=2))


class TestHalting:
    def test_any_failure_may_halt_the_run(self) -> None:
        first = created(step("a"), step("b"))
        first = attrs.evolve(first, flow=attrs.evolve(first.flow, halt_on_failure=True), max_workers=1)
        run = (first, RunStarted(at=T0), started("a"), failed("a"))
        given(*run).when(SETTLE).then(
            skipped("b", "the run stopped because step 'a' failed", SkipCause.RUN_FAILED),
        )


class TestAfterSkips:
    def test_a_step_may_go_on_when_a_branch_was_not_taken(self) -> None:
        run = begun(step("a", when="x"), step("b", "a", after_skips=True), step("c", "a"))
        over = skipped("a", "its condition is not met", SkipCause.CONDITION)
        given(*run, over).when(SETTLE).then(skipped("c", "step 'a' was skipped"))
        state = fold([*run, over, skipped("c", "step 'a' was skipped")])
        assert pending(state, T2) == (Perform(InstanceId("b")),)

    def test_it_does_not_go_on_after_other_skips(self) -> None:
        steps = (step("z"), step("a", "z", on_error=OnError.SKIP), step("b", "a", after_skips=True))
        run = (*begun(*steps), started("z"), failed("z"), skipped("a", "step 'z' failed"))
        given(*run).when(SETTLE).then(skipped("b", "step 'a' was skipped"))


def test_the_run_ends_when_all_is_done() -> None:
    run = (*begun(step("a", awaits=("photo",))), arrived("photo"), started("a"), succeeded("a"))
    given(*run).when(SETTLE).then(RunSucceeded(at=T2))
