"""A run whose runner is gone is taken over: nothing recorded is lost, and what was in the air is tried again."""

import attrs
import pytest

from flowcore.ids import InstanceId, RunId, StepName
from flowcore.model import OnError
from flowcore.ports import Append, Owner
from flowcore.run.commands import CreateRun, RejectReport, ReportGuard, ResumeRun, Settle
from flowcore.run.effects import Consequences, Perform, Resolve, pending
from flowcore.run.events import (
    Event,
    ReportRejected,
    RunContinued,
    RunCreated,
    RunPaused,
    RunStopRequested,
    RunSucceeded,
)
from flowcore.run.evolve import fold
from flowcore.run.machine import StepStatus
from flowcore.run.takeover import MAX_LOST
from flowcore.service import RunSession, commit
from flowcore.testing import MemoryEventLog, given
from tests.builders import (
    LOST,
    RUN,
    T0,
    T1,
    T2,
    begun,
    created,
    failed,
    fails,
    fanned,
    flow_of,
    imported,
    lost,
    rejected,
    resumed,
    started,
    step,
    stopped,
    succeeded,
)

RESUME = ResumeRun(owner="process 2", epoch=2, at=T1)
A = InstanceId("a")
REJECT = RejectReport(instance=A, attempt=1, epoch=1, outcome="succeeded", at=T2)

AT_AN_END = f"{LOST}; it has happened {MAX_LOST + 1} times, so there is no further attempt"


def worn_out(name: str) -> list[Event]:
    """Return how *name* was lost with its runner as often as it may be."""
    return [
        event
        for attempt in range(1, MAX_LOST + 1)
        for event in (started(name, attempt), resumed(attempt + 1), lost(name, attempt))
    ]


class TestResuming:
    """An attempt that was in the air is reported as lost and retried by policy."""

    def test_what_was_in_the_air_is_lost_and_due_at_once(self) -> None:
        run = (*begun(step("a"), step("b"), step("c", "a")), started("a"), started("b"), succeeded("b"))
        given(*run).when(RESUME).then(resumed(), lost("a"))
        state = fold([*run, resumed(), lost("a")])
        assert pending(state, T1) == (Perform(A),)
        assert (state.instances[A].status, state.instances[InstanceId("b")].status) == (
            StepStatus.RETRYING,
            StepStatus.SUCCEEDED,
        )

    def test_a_run_that_has_not_started_has_nothing_to_lose(self) -> None:
        given(created(step("a"))).when(RESUME).then()

    def test_a_run_that_is_over_stays_over(self) -> None:
        given(*begun(), RunSucceeded(at=T1)).when(RESUME).then()

    def test_there_must_be_a_run(self) -> None:
        given().when(RESUME).then_rejected("run-missing")

    def test_an_older_claim_takes_nothing_over(self) -> None:
        run = (*begun(step("a")), started("a"), resumed(3), lost("a"), started("a", 2))
        given(*run).when(RESUME).then()

    def test_a_paused_run_stays_paused(self) -> None:
        run = (*begun(step("a")), started("a"), RunPaused(at=T1))
        given(*run).when(RESUME).then(resumed(), lost("a"))
        assert pending(fold([*run, resumed(), lost("a")]), T2) == ()

    def test_lost_attempts_do_not_use_up_the_policy(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"), resumed(), lost("a"), started("a", 2))
        given(*run).when(fails("a", attempt=2)).then(failed("a", attempt=2, retry=type(T1)(T1 + 1.0)))
        given(*run, failed("a", attempt=2, retry=T2), started("a", 3, at=T2)).when(fails("a", attempt=3)).then(
            failed("a", attempt=3)
        )

    def test_a_step_that_kills_its_runner_does_not_do_so_for_ever(self) -> None:
        history = [*begun(step("a")), *worn_out("a"), started("a", MAX_LOST + 1)]
        end = lost("a", MAX_LOST + 1, retry=None, error=AT_AN_END)
        given(*history).when(attrs.evolve(RESUME, epoch=99)).then(resumed(99), end)
        state = fold([*history, resumed(99), end])
        assert (state.instances[A].status, state.instances[A].error) == (StepStatus.FAILED, AT_AN_END)
        assert state.failed

    def test_a_run_that_is_being_stopped_tries_nothing_again(self) -> None:
        run = (*begun(step("a")), started("a"), RunStopRequested(reason="enough", at=T1))
        given(*run).when(RESUME).then(resumed(), stopped("a"))

    def test_a_run_that_a_failure_has_halted_tries_nothing_again(self) -> None:
        run = (*begun(step("a"), step("b"), step("c", "b")), started("a"), started("b"), failed("b"))
        given(*run).when(RESUME).then(resumed(), lost("a", retry=None))

    def test_a_fan_out_that_was_given_up_tries_nothing_again(self) -> None:
        steps = (step("f", for_each="x"), step("g", "f", on_error=OnError.SKIP))
        run = (*begun(*steps), fanned("f", 1, 2), started("f/0"), started("f/1"), failed("f/0"))
        given(*run).when(RESUME).then(resumed(), lost("f/1", retry=None))

    def test_what_the_loss_of_one_gives_up_is_not_tried_again(self) -> None:
        # "a" was lost so often that this is its end, and it halts the run: "b", lost in the same moment, ends with it.
        steps = (step("b"), step("a"), step("c", "a"))
        history = [*begun(*steps), *worn_out("a"), started("b"), started("a", MAX_LOST + 1)]
        end = lost("a", MAX_LOST + 1, retry=None, error=AT_AN_END)
        given(*history).when(attrs.evolve(RESUME, epoch=99)).then(resumed(99), end, lost("b", retry=None))

    def test_the_end_of_an_item_ends_the_other_items_of_its_fan_out(self) -> None:
        steps = (step("f", for_each="x"), step("g", "f", on_error=OnError.SKIP), step("b"))
        history = [*begun(*steps), fanned("f", 1, 2), *worn_out("f/1"), started("f/0"), started("f/1", MAX_LOST + 1)]
        history.append(started("b"))
        end = lost("f/1", MAX_LOST + 1, retry=None, error=AT_AN_END)
        given(*history).when(attrs.evolve(RESUME, epoch=99)).then(resumed(99), end, lost("f/0", retry=None), lost("b"))

    def test_the_end_of_an_item_that_is_tolerated_ends_no_other(self) -> None:
        steps = (step("f", for_each="x", on_error=OnError.CONTINUE),)
        history = [*begun(*steps), fanned("f", 1, 2), *worn_out("f/1"), started("f/0"), started("f/1", MAX_LOST + 1)]
        end = lost("f/1", MAX_LOST + 1, retry=None, error=AT_AN_END)
        given(*history).when(attrs.evolve(RESUME, epoch=99)).then(resumed(99), end, lost("f/0"))


class TestLateReports:
    """A fenced runner's late report is recorded as rejected."""

    def test_it_is_recorded_once_and_changes_nothing(self) -> None:
        run = (*begun(step("a")), started("a"), resumed(), lost("a"), started("a", 2))
        given(*run).when(REJECT).then(rejected("a"))
        given(*run, rejected("a")).when(REJECT).then()
        before, after = fold(run), fold([*run, rejected("a")])
        assert (after.status, after.in_the_air, after.outputs) == (before.status, before.in_the_air, before.outputs)

    def test_also_after_the_end(self) -> None:
        given(*begun(), RunSucceeded(at=T1)).when(REJECT).then()
        given(*begun(step("a")), started("a"), succeeded("a"), RunSucceeded(at=T1)).when(REJECT).then(
            ReportRejected(instance=A, attempt=1, epoch=1, outcome="succeeded", at=T2)
        )


class TestImporting:
    """A fork and a retry take over what steps came to in their parent."""

    FLOW = flow_of(step("a", outputs=("x",)), step("b", "a"))
    CREATE = CreateRun(
        run_id=RunId(2),
        flow=FLOW,
        at=T0,
        parent=RunId(1),
        forked_from=StepName("b"),
        imports={StepName("a"): {"x": 1}},
    )

    def test_they_come_with_the_run(self) -> None:
        born = RunCreated(
            run_id=RunId(2), flow=self.FLOW, max_workers=4, at=T0, parent=RunId(1), forked_from=StepName("b")
        )
        expected = (born, imported("a", {"x": 1}))
        # A second time it exists.
        given().when(self.CREATE).then(*expected)
        state = fold(expected)
        assert (state.parent, state.outputs) == (RunId(1), {"a": {"x": 1}})
        assert state.instances[InstanceId("b")].status is StepStatus.READY

    @pytest.mark.parametrize("names", [("a", "b"), ("b", "a"), ("b",)])
    def test_steps_that_were_imported_are_never_started(self, names: tuple[str, ...]) -> None:
        run = (created(step("a"), step("b", "a")), *(imported(name) for name in names), *begun()[1:])
        state = fold(run)
        assert [effect for effect in pending(state, T1) if effect == Perform(InstanceId("b"))] == []
        assert state.root.open == 2 - len(names)

    def test_a_run_of_imported_steps_only_is_over_at_once(self) -> None:
        run = (created(step("a", for_each="x"), step("b", "a", when="x")), imported("a"), imported("b"), *begun()[1:])
        assert pending(fold(run), T1) == (Consequences(),)
        given(*run).when(Settle(at=T2)).then(RunSucceeded(at=T2))


class TestGuardsWhilePaused:
    """A paused run makes no progress (invariant I13)."""

    def test_what_a_condition_came_to_is_asked_for_again_when_the_run_goes_on(self) -> None:
        run = (*begun(step("a", when="x")), RunPaused(at=T1))
        look = ReportGuard(step=StepName("a"), met=True, at=T1)
        given(*run).when(look).then()
        assert pending(fold([*run, RunContinued(at=T1)]), T1) == (Resolve(StepName("a")),)


def test_a_session_that_sees_that_it_was_taken_over_is_fenced() -> None:
    log = MemoryEventLog()
    log.append(Append(RUN, 0, [*begun(step("a"))]))
    first = RunSession(log, RUN, log.claim(RUN, Owner("1", "one"), now=T0, ttl_s=1.0))
    second = RunSession(log, RUN, log.claim(RUN, Owner("2", "two"), now=T2, ttl_s=1.0))
    second.execute(attrs.evolve(RESUME, epoch=second.epoch))
    commit(log, [second])
    first.refresh(log)
    assert (first.fenced, second.fenced) == (True, False)
