"""The laws of the run's decider: contract status, section 4, and the invariants of contract reliability."""

import attrs
import pytest

from flowcore.ids import InstanceId, RunId, StepName
from flowcore.model import Flow, OnError, RetryPolicy
from flowcore.run.commands import (
    ContinueRun,
    CreateRun,
    HoldStep,
    PauseRun,
    ReportGuard,
    ReportGuardFailure,
    ReportSuccess,
    Settle,
    StartAttempt,
    StartRun,
    StopRun,
)
from flowcore.run.decide import decide, retry_at
from flowcore.run.events import (
    AttemptFailed,
    AttemptStopped,
    AttemptSucceeded,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
)
from flowcore.run.evolve import fold
from flowcore.testing import given
from flowcore.values import Instant, Json
from tests.builders import T0, T1, T2, begun, created, failed, fails, held, skipped, started, step, succeeded

SETTLE = Settle(at=T2)


class TestTheRun:
    """A run is created once, started once, and ends once."""

    def test_a_run_takes_its_limit_from_the_command_then_the_flow_then_four(self) -> None:
        flow = Flow(max_workers=7)
        given().when(CreateRun(run_id=RunId(1), flow=flow, at=T0, max_workers=2)).then(
            RunCreated(run_id=RunId(1), flow=flow, max_workers=2, at=T0)
        )
        given().when(CreateRun(run_id=RunId(1), flow=flow, at=T0)).then(
            RunCreated(run_id=RunId(1), flow=flow, max_workers=7, at=T0)
        )
        given().when(CreateRun(run_id=RunId(1), flow=Flow(), at=T0)).then(
            RunCreated(run_id=RunId(1), flow=Flow(), max_workers=4, at=T0)
        )

    def test_a_run_is_created_once(self) -> None:
        given(created()).when(CreateRun(run_id=RunId(1), flow=Flow(), at=T1)).then_rejected("run-exists")

    @pytest.mark.parametrize("command", [StartRun(at=T0), PauseRun(at=T0), ContinueRun(at=T0), StopRun(at=T0)])
    def test_nothing_can_be_asked_of_a_run_that_is_not_there(
        self, command: StartRun | PauseRun | ContinueRun | StopRun
    ) -> None:
        given().when(command).then_rejected("run-missing")

    def test_a_queued_run_starts_once(self) -> None:
        given(created()).when(StartRun(at=T0)).then(RunStarted(at=T0))
        given(*begun()).when(StartRun(at=T1)).then()

    def test_an_empty_flow_succeeds_at_once(self) -> None:
        given(*begun()).when(SETTLE).then(RunSucceeded(at=T2))

    def test_a_queued_run_has_no_consequences_to_draw(self) -> None:
        given(created()).when(SETTLE).then()

    def test_a_run_pauses_and_continues_once(self) -> None:
        run = begun(step("a"))
        given(*run).when(PauseRun(at=T1)).then(RunPaused(at=T1))
        given(*run, RunPaused(at=T1)).when(PauseRun(at=T2)).then()
        given(*run, RunPaused(at=T1)).when(ContinueRun(at=T2)).then(RunContinued(at=T2))
        given(*run).when(ContinueRun(at=T2)).then()

    @pytest.mark.parametrize("command", [PauseRun(at=T2), ContinueRun(at=T2)])
    def test_an_ended_run_cannot_be_paused_or_continued(self, command: PauseRun | ContinueRun) -> None:
        given(*begun(), RunSucceeded(at=T1)).when(command).then_rejected("run-ended")


class TestAttempts:
    """Attempts are 1, 2, ... contiguous, at most the allowed number; a late or repeated report adds nothing."""

    def test_a_ready_step_starts_its_first_attempt(self) -> None:
        given(*begun(step("a"))).when(StartAttempt(instance=InstanceId("a"), at=T0)).then(started("a"))

    @pytest.mark.parametrize("name", ["b", "nobody"])
    def test_a_step_that_waits_or_is_not_there_cannot_start(self, name: str) -> None:
        given(*begun(step("a"), step("b", "a"))).when(StartAttempt(instance=InstanceId(name), at=T0)).then_rejected(
            "not-startable"
        )

    def test_no_more_than_max_workers_are_in_the_air(self) -> None:
        run = begun(step("a"), step("b"), max_workers=1)
        given(*run, started("a")).when(StartAttempt(instance=InstanceId("b"), at=T0)).then_rejected("not-startable")

    def test_a_retry_does_not_start_before_it_is_due(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2))
        given(*run).when(StartAttempt(instance=InstanceId("a"), at=T1)).then_rejected("not-startable")
        given(*run).when(StartAttempt(instance=InstanceId("a"), at=T2)).then(started("a", 2, at=T2))

    def test_an_item_of_a_fan_out_that_is_given_up_does_not_start(self) -> None:
        run = (*fan(1, 2), started("f/0"), failed("f/0"))
        given(*run).when(StartAttempt(instance=InstanceId("f/1"), at=T2)).then_rejected("not-startable")

    def test_nothing_starts_in_a_paused_or_stopping_run(self) -> None:
        run = begun(step("a"))
        start = StartAttempt(instance=InstanceId("a"), at=T2)
        given(*run, RunPaused(at=T1)).when(start).then_rejected("not-startable")
        given(*run, RunStopRequested(reason="enough", at=T1)).when(start).then_rejected("not-startable")

    @pytest.mark.parametrize("options", [{"when": "x"}, {"for_each": "x"}])
    def test_a_step_starts_only_after_its_condition_and_list_were_looked_at(self, options: dict[str, Json]) -> None:
        run = begun(step("a", when=options.get("when"), for_each=options.get("for_each")))
        given(*run).when(StartAttempt(instance=InstanceId("a"), at=T0)).then_rejected("not-startable")

    def test_a_success_brings_its_outputs_and_notes(self) -> None:
        report = ReportSuccess(instance=InstanceId("a"), attempt=1, outputs={"v": 1}, notes=("cleaned",), at=T1)
        given(*begun(step("a")), started("a")).when(report).then(
            AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs={"v": 1}, notes=("cleaned",), at=T1)
        )

    @pytest.mark.parametrize("attempt", [2, 0])
    def test_a_report_of_another_attempt_is_ignored(self, attempt: int) -> None:
        run = (*begun(step("a")), started("a"))
        given(*run).when(ReportSuccess(instance=InstanceId("a"), attempt=attempt, outputs={}, at=T1)).then()
        given(*run).when(fails("a", attempt=attempt)).then()

    def test_a_late_report_is_ignored(self) -> None:
        run = (*begun(step("a")), started("a"), succeeded("a"))
        given(*run).when(fails("a")).then()
        given(*run).when(ReportSuccess(instance=InstanceId("a"), attempt=1, outputs={"v": 2}, at=T2)).then()

    def test_a_failure_is_tried_again_until_the_last_attempt(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"))
        given(*run).when(fails("a")).then(failed("a", retry=Instant(T1 + 1.0)))
        again = (*run, failed("a", retry=T2), started("a", 2))
        given(*again).when(fails("a", attempt=2)).then(failed("a", attempt=2))

    def test_what_cannot_help_is_not_tried_again(self) -> None:
        given(*begun(step("a", retry=5)), started("a")).when(fails("a", retryable=False)).then(failed("a"))

    def test_a_run_that_is_ending_tries_nothing_again(self) -> None:
        run = begun(step("bad"), step("next", "bad"), step("a", retry=5))
        given(*run, started("bad"), started("a"), failed("bad")).when(fails("a")).then(failed("a"))


class TestRetryPlan:
    """Exponential backoff with jitter, a cap, and the other side's `Retry-After`."""

    @pytest.mark.parametrize(("attempt", "due"), [(1, 101.0), (2, 102.0), (3, 104.0), (4, 105.0), (99, 105.0)])
    def test_pauses_double_up_to_the_cap(self, attempt: int, due: float) -> None:
        policy = RetryPolicy(max_attempts=100, delay_s=1.0, factor=2.0, max_delay_s=5.0, jitter=0.0)
        assert retry_at(policy, attempt, T0) == due

    def test_the_last_attempt_has_no_next(self) -> None:
        assert retry_at(RetryPolicy(max_attempts=3), 3, T0) is None

    @pytest.mark.parametrize(("chance", "due"), [(0.0, 108.0), (0.5, 110.0), (1.0, 112.0)])
    def test_jitter_spreads_the_pause_to_both_sides(self, chance: float, due: float) -> None:
        policy = RetryPolicy(max_attempts=2, delay_s=10.0, jitter=0.2)
        assert retry_at(policy, 1, T0, chance=chance) == due

    @pytest.mark.parametrize(("asked_s", "due"), [(0.5, 101.0), (30.0, 130.0), (500.0, 160.0)])
    def test_retry_after_lengthens_a_pause_up_to_the_cap(self, asked_s: float, due: float) -> None:
        policy = RetryPolicy(max_attempts=2, jitter=0.0)
        assert retry_at(policy, 1, T0, asked_s=asked_s) == due


class TestPolicies:
    """The table of contract status, section 4: F fails, D depends on F."""

    def test_a_failure_without_any_word_stops_the_run(self) -> None:
        run = begun(step("F"), step("D", "F"), step("below", "D"), step("other"), max_workers=1)
        given(*run, started("F"), failed("F")).when(SETTLE).then(
            skipped("D", "step 'F' failed"),
            skipped("below", "the run stopped because step 'F' failed", SkipCause.RUN_FAILED),
            skipped("other", "the run stopped because step 'F' failed", SkipCause.RUN_FAILED),
        )

    def test_running_steps_are_let_finish_and_then_the_run_has_failed(self) -> None:
        run = (*begun(step("F"), step("D", "F"), step("slow")), started("F"), started("slow"), failed("F"))
        given(*run).when(SETTLE).then(skipped("D", "step 'F' failed"))
        settled = (*run, skipped("D", "step 'F' failed"))
        given(*settled).when(SETTLE).then()
        given(*settled, succeeded("slow")).when(SETTLE).then(RunFailed(at=T2))

    def test_a_dependent_that_says_skip_takes_everything_below_with_it(self) -> None:
        run = (*begun(step("F"), step("D", "F", on_error=OnError.SKIP), step("below", "D")), started("F"), failed("F"))
        given(*run).when(SETTLE).then(skipped("D", "step 'F' failed"))
        gone = skipped("D", "step 'F' failed")
        given(*run, gone).when(SETTLE).then(skipped("below", "step 'D' was skipped"))
        given(*run, gone, skipped("below", "step 'D' was skipped")).when(SETTLE).then(RunSucceeded(at=T2))

    def test_a_dependent_that_says_continue_runs_when_its_other_parents_have_ended(self) -> None:
        run = begun(step("F"), step("good"), step("D", "F", "good", on_error=OnError.CONTINUE))
        half = (*run, started("F"), started("good"), failed("F"))
        given(*half).when(StartAttempt(instance=InstanceId("D"), at=T2)).then_rejected("not-startable")
        given(*half, succeeded("good")).when(StartAttempt(instance=InstanceId("D"), at=T0)).then(started("D"))

    def test_a_failing_step_that_says_continue_lets_its_dependents_run(self) -> None:
        run = (*begun(step("F", on_error=OnError.CONTINUE), step("D", "F")), started("F"), failed("F"))
        given(*run).when(StartAttempt(instance=InstanceId("D"), at=T0)).then(started("D"))
        given(*run, started("D"), succeeded("D")).when(SETTLE).then(RunSucceeded(at=T2))

    def test_a_failing_step_that_says_skip_takes_its_dependents_with_it_and_others_go_on(self) -> None:
        run = begun(step("F", on_error=OnError.SKIP), step("D", "F"), step("other"))
        given(*run, started("F"), failed("F")).when(SETTLE).then(skipped("D", "step 'F' failed"))

    def test_a_leaf_that_fails_lets_everything_else_run_on_but_the_run_has_failed(self) -> None:
        run = (*begun(step("F"), step("other")), started("F"), failed("F"))
        given(*run).when(SETTLE).then()
        given(*run).when(StartAttempt(instance=InstanceId("other"), at=T0)).then(started("other"))
        given(*run, started("other"), succeeded("other")).when(SETTLE).then(RunFailed(at=T2))

    def test_a_leaf_that_fails_is_tolerated_when_it_says_so(self) -> None:
        for policy in (OnError.CONTINUE, OnError.SKIP):
            run = (*begun(step("F", on_error=policy)), started("F"), failed("F"))
            given(*run).when(SETTLE).then(RunSucceeded(at=T2))

    def test_one_dependent_that_says_fail_is_enough_to_stop_the_run(self) -> None:
        run = begun(
            step("F"),
            step("a", "F", on_error=OnError.SKIP),
            step("b", "F", on_error=OnError.FAIL),
            step("c", "F", on_error=OnError.CONTINUE),
        )
        given(*run, started("F"), failed("F")).when(SETTLE).then(
            skipped("a", "step 'F' failed"),
            skipped("b", "step 'F' failed"),
            skipped("c", "the run stopped because step 'F' failed", SkipCause.RUN_FAILED),
        )

    def test_the_flows_policy_holds_for_steps_that_say_nothing(self) -> None:
        run = (*begun(step("F"), step("D", "F"), on_error=OnError.CONTINUE), started("F"), failed("F"))
        given(*run).when(StartAttempt(instance=InstanceId("D"), at=T0)).then(started("D"))

    def test_a_dependent_of_two_failures_is_skipped_once(self) -> None:
        run = begun(
            step("F", on_error=OnError.SKIP), step("G", on_error=OnError.SKIP), step("D", "F", "G"), step("E", "F")
        )
        both = (*run, started("F"), started("G"), failed("F"), failed("G"))
        given(*both).when(SETTLE).then(skipped("D", "step 'F' failed"), skipped("E", "step 'F' failed"))
        gone = (skipped("D", "step 'F' failed"), skipped("E", "step 'F' failed"))
        given(*both, *gone).when(SETTLE).then(RunSucceeded(at=T2))

    def test_a_step_between_two_attempts_fails_for_good_when_the_run_stops(self) -> None:
        run = (
            *begun(step("F"), step("D", "F"), step("again", retry=3)),
            started("F"),
            started("again"),
            failed("again", retry=T2),
            failed("F"),
        )
        given(*run).when(SETTLE).then(
            skipped("D", "step 'F' failed"), RetryAbandoned(instance=InstanceId("again"), at=T2)
        )
        gone = (skipped("D", "step 'F' failed"), RetryAbandoned(instance=InstanceId("again"), at=T2))
        given(*run, *gone).when(SETTLE).then(RunFailed(at=T2))


class TestConditions:
    """`when` and `for_each` are looked at when a step's dependencies are settled."""

    def test_a_condition_that_is_met_lets_the_step_start(self) -> None:
        run = begun(step("a", when="x"))
        given(*run).when(ReportGuard(step=StepName("a"), met=True, at=T1)).then(ConditionMet(step=StepName("a"), at=T1))
        given(*run, ConditionMet(step=StepName("a"), at=T1)).when(
            ReportGuard(step=StepName("a"), met=False, at=T2)
        ).then()

    def test_a_condition_that_is_not_met_skips_the_step_and_what_is_below(self) -> None:
        run = begun(step("a", when="x"), step("b", "a"))
        gone = skipped("a", "its condition is not met", SkipCause.CONDITION, at=T1)
        given(*run).when(ReportGuard(step=StepName("a"), met=False, at=T1)).then(gone)
        given(*run, gone).when(SETTLE).then(skipped("b", "step 'a' was skipped"))
        below = (gone, skipped("b", "step 'a' was skipped"))
        given(*run, *below).when(SETTLE).then(RunSucceeded(at=T2))

    def test_a_dependent_that_says_continue_goes_on_without_the_branch_not_taken(self) -> None:
        run = begun(step("a", when="x"), step("b", "a", on_error=OnError.CONTINUE))
        gone = skipped("a", "its condition is not met", SkipCause.CONDITION, at=T1)
        given(*run, gone).when(StartAttempt(instance=InstanceId("b"), at=T0)).then(started("b"))

    def test_a_condition_without_an_answer_fails_the_step(self) -> None:
        run = begun(step("a", when="x"), step("b", "a"))
        report = ReportGuardFailure(step=StepName("a"), code="expression", error="no", at=T1)
        event = GuardFailed(step=StepName("a"), code="expression", error="no", at=T1)
        given(*run).when(report).then(event)
        given(*run, event).when(SETTLE).then(skipped("b", "step 'a' failed"))

    def test_a_report_that_comes_when_nothing_may_start_any_more_is_ignored(self) -> None:
        run = (*begun(step("F"), step("D", "F"), step("a", when="x"), step("f", for_each="x")), started("F"))
        for end in (failed("F"), RunStopRequested(reason="enough", at=T1)):
            given(*run, end).when(ReportGuard(step=StepName("a"), met=True, at=T1)).then()
            given(*run, end).when(ReportGuard(step=StepName("f"), met=True, items=(1,), at=T1)).then()
            given(*run, end).when(ReportGuardFailure(step=StepName("a"), code="x", error="no", at=T1)).then()

    @pytest.mark.parametrize("name", ["b", "nobody", "plain"])
    def test_a_report_about_another_step_is_ignored(self, name: str) -> None:
        run = begun(step("a"), step("plain"), step("b", "a", when="x"))
        given(*run).when(ReportGuard(step=StepName(name), met=True, at=T1)).then()


def fan(*items: Json, **options: int | None) -> tuple[Event, ...]:
    """Return a run whose step `f` fans out over *items*."""
    run = begun(step("f", for_each="x", outputs=("v",), max_parallel=options.get("max_parallel")), step("after", "f"))
    return (*run, FanOutStarted(step=StepName("f"), items=items, at=T0))


class TestFanOut:
    """A step with `for_each` runs as one instance for each item, joined when the last is settled."""

    def test_the_list_is_recorded_once(self) -> None:
        run = begun(step("f", for_each="x"))
        report = ReportGuard(step=StepName("f"), met=True, items=(1, 2), at=T0)
        given(*run).when(report).then(FanOutStarted(step=StepName("f"), items=(1, 2), at=T0))

    def test_an_empty_list_succeeds_at_once(self) -> None:
        given(*fan()).when(SETTLE).then(FanOutSucceeded(step=StepName("f"), at=T2))

    def test_every_item_is_an_instance_and_the_last_joins_them(self) -> None:
        run = (*fan(1, 2), started("f/0"), started("f/1"), succeeded("f/1", {"v": 2}))
        given(*run).when(SETTLE).then()
        given(*run, succeeded("f/0", {"v": 1})).when(SETTLE).then(FanOutSucceeded(step=StepName("f"), at=T2))

    def test_max_parallel_lets_no_more_start(self) -> None:
        run = (*fan(1, 2, 3, max_parallel=1), started("f/0"))
        given(*run).when(StartAttempt(instance=InstanceId("f/1"), at=T0)).then_rejected("not-startable")
        given(*run, succeeded("f/0")).when(StartAttempt(instance=InstanceId("f/1"), at=T0)).then(started("f/1"))

    def test_a_failing_item_gives_up_those_that_have_not_started(self) -> None:
        run = (*fan(1, 2, 3), started("f/0"), started("f/1"), failed("f/1"))
        given(*run).when(SETTLE).then(skipped("f/2", "the fan-out was given up"))
        given(*run, skipped("f/2", "the fan-out was given up")).when(SETTLE).then()
        rest = (skipped("f/2", "the fan-out was given up"), succeeded("f/0"))
        joined = FanOutFailed(step=StepName("f"), error="item 1: no", at=T2)
        given(*run, *rest).when(SETTLE).then(joined)
        given(*run, *rest, joined).when(SETTLE).then(skipped("after", "step 'f' failed"))

    def test_an_item_of_a_fan_out_that_is_given_up_is_not_tried_again(self) -> None:
        run = begun(step("f", for_each="x", retry=3))
        items = FanOutStarted(step=StepName("f"), items=(1, 2), at=T0)
        broken = (*run, items, started("f/0"), started("f/1"), failed("f/1"))
        given(*broken).when(fails("f/0")).then(failed("f/0"))

    def test_an_item_between_two_attempts_fails_for_good_when_the_fan_out_is_given_up(self) -> None:
        run = begun(step("f", for_each="x", retry=3))
        items = FanOutStarted(step=StepName("f"), items=(1, 2), at=T0)
        broken = (*run, items, started("f/0"), failed("f/0", retry=T2), started("f/1"), failed("f/1"))
        given(*broken).when(SETTLE).then(RetryAbandoned(instance=InstanceId("f/0"), at=T2))
        given(*broken, RetryAbandoned(instance=InstanceId("f/0"), at=T2)).when(SETTLE).then(
            FanOutFailed(step=StepName("f"), error="item 1: no", at=T2)
        )

    def test_with_continue_every_item_runs_before_the_step_fails(self) -> None:
        run = begun(step("f", for_each="x", on_error=OnError.CONTINUE, max_parallel=1))
        items = FanOutStarted(step=StepName("f"), items=(1, 2), at=T0)
        half = (*run, items, started("f/0"), failed("f/0"))
        given(*half).when(SETTLE).then()
        given(*half, started("f/1"), succeeded("f/1")).when(SETTLE).then(
            FanOutFailed(step=StepName("f"), error="item 0: no", at=T2)
        )

    def test_a_failure_elsewhere_gives_up_the_items_that_have_not_started(self) -> None:
        run = begun(step("f", for_each="x"), step("F"), step("D", "F"))
        items = FanOutStarted(step=StepName("f"), items=(1, 2), at=T0)
        halted = (*run, items, started("f/0"), started("F"), failed("F"))
        given(*halted).when(SETTLE).then(
            skipped("D", "step 'F' failed"),
            skipped("f/1", "the fan-out was given up"),
        )
        gone = (skipped("D", "step 'F' failed"), skipped("f/1", "the fan-out was given up"), succeeded("f/0"))
        given(*halted, *gone).when(SETTLE).then(FanOutFailed(step=StepName("f"), error="not every item ran", at=T2))


class TestStopping:
    """Stop ends a run from any state, and is idempotent."""

    def test_a_queued_run_is_stopped_at_once(self) -> None:
        gone = skipped("a", "the run was stopped: enough", SkipCause.RUN_STOPPED, at=T1)
        given(created(step("a"))).when(StopRun(at=T1, reason="enough")).then(gone, RunStopped(at=T1))

    def test_a_running_run_is_asked_to_stop_once(self) -> None:
        asked = RunStopRequested(reason="enough", at=T1)
        given(*begun(step("a"))).when(StopRun(at=T1, reason="enough")).then(asked)
        given(*begun(step("a")), asked).when(StopRun(at=T2)).then()
        given(*begun(), RunSucceeded(at=T1)).when(StopRun(at=T2)).then()

    def test_what_has_not_started_is_skipped_and_what_runs_is_waited_for(self) -> None:
        asked = RunStopRequested(reason="enough", at=T1)
        run = (*begun(step("a"), step("b", "a")), started("a"), asked)
        gone = skipped("b", "the run was stopped: enough", SkipCause.RUN_STOPPED)
        given(*run).when(SETTLE).then(gone)
        given(*run, gone).when(SETTLE).then()
        given(*run, gone).when(fails("a", stopped=True)).then(
            AttemptStopped(instance=InstanceId("a"), attempt=1, at=T1)
        )
        ended = AttemptStopped(instance=InstanceId("a"), attempt=1, at=T1)
        given(*run, gone, ended).when(SETTLE).then(RunStopped(at=T2))

    def test_a_run_never_succeeds_after_an_accepted_stop(self) -> None:
        asked = RunStopRequested(reason="enough", at=T1)
        given(*begun(step("a")), started("a"), asked, succeeded("a")).when(SETTLE).then(RunStopped(at=T2))

    def test_a_stopped_fan_out_stops_its_items(self) -> None:
        asked = RunStopRequested(reason="enough", at=T1)
        run = (*fan(1, 2), started("f/0"), asked)
        first = (
            skipped("f/1", "the fan-out was given up"),
            skipped("after", "the run was stopped: enough", SkipCause.RUN_STOPPED),
        )
        given(*run).when(SETTLE).then(*first)
        ended = AttemptStopped(instance=InstanceId("f/0"), attempt=1, at=T1)
        joined = FanOutFailed(step=StepName("f"), error="not every item ran", at=T2)
        given(*run, *first, ended).when(SETTLE).then(joined)
        given(*run, *first, ended, joined).when(SETTLE).then(RunStopped(at=T2))

    def test_a_paused_run_can_be_stopped(self) -> None:
        run = (*begun(step("a")), RunPaused(at=T1))
        given(*run).when(StopRun(at=T1, reason="enough")).then(RunStopRequested(reason="enough", at=T1))


class TestRetriesOfACondition:
    """What is tried until a condition holds is tried for so long, however long one try takes."""

    @staticmethod
    def tried(within_s: float, *, attempts: int = 100, retryable: bool = True) -> AttemptFailed:
        policy = RetryPolicy(max_attempts=attempts, delay_s=1.0, factor=1.0, jitter=0.0, within_s=within_s)
        run = (*begun(attrs.evolve(step("a"), retry=policy)), started("a", at=T0), failed("a", retry=T1))
        report = attrs.evolve(fails("a", attempt=2, retryable=retryable), at=Instant(T0 + 20.0))
        (event,) = decide(report, fold([*run, started("a", 2, at=T1)]))
        assert isinstance(event, AttemptFailed)
        return event

    def test_as_long_as_the_next_try_begins_in_time_there_is_one(self) -> None:
        found = self.tried(21.0)
        assert (found.retry_at, found.error) == (Instant(T0 + 21.0), "no")

    @pytest.mark.parametrize(("within_s", "attempts"), [(20.5, 100), (60.0, 2)])
    def test_else_the_error_says_how_long_it_was_tried(self, within_s: float, attempts: int) -> None:
        found = self.tried(within_s, attempts=attempts)
        expected = f"no (tried 2 times in 20.0 s; at most {within_s:g} s are allowed)"
        assert (found.retry_at, found.error) == (None, expected)

    def test_one_try(self) -> None:
        policy = RetryPolicy(max_attempts=9, delay_s=5.0, within_s=1.0)
        run = (*begun(attrs.evolve(step("a"), retry=policy)), started("a", at=T0))
        expected = "no (tried once in 1.0 s; at most 1 s are allowed)"
        report = attrs.evolve(fails("a"), at=Instant(T0 + 1.0))
        given(*run).when(report).then(attrs.evolve(failed("a"), at=Instant(T0 + 1.0), error=expected))

    def test_what_cannot_be_mended_says_only_that(self) -> None:
        assert (self.tried(60.0, retryable=False).retry_at, self.tried(60.0, retryable=False).error) == (None, "no")


class TestHolding:
    """A step that may start and cannot yet says why, once."""

    HOLD = HoldStep(instance=InstanceId("a"), reason="nothing is free", at=T1)

    def test_a_step_that_may_start_is_held(self) -> None:
        given(*begun(step("a"))).when(self.HOLD).then(held("a"))
        run = (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2))
        given(*run).when(self.HOLD).then(held("a"))
        other = attrs.evolve(self.HOLD, reason="less is free")
        given(*begun(step("a")), held("a")).when(other).then(held("a", "less is free"))

    def test_nothing_else_is(self) -> None:
        given(*begun(step("b"))).when(self.HOLD).then()
        given(*begun(step("a")), started("a")).when(self.HOLD).then()
        given(*begun(step("a")), RunPaused(at=T1)).when(self.HOLD).then()

    def test_nothing_is_once_it_is_given_up(self) -> None:
        """What a stop that came first has given up never starts, and is not said to be about to."""
        run = (*begun(step("a"), step("b")), started("b"), RunStopRequested(reason="enough", at=T1))
        given(*run).when(self.HOLD).then()

    def test_what_has_started_is_held_no_more(self) -> None:
        assert fold([*begun(step("a")), held("a")]).instances[InstanceId("a")].held == "nothing is free"
        assert fold([*begun(step("a")), held("a"), started("a")]).instances[InstanceId("a")].held is None
