"""Taking events into the state: it happened, so nothing is refused."""

from collections.abc import Mapping

import pytest

from flowcore.ids import InstanceId
from flowcore.model import OnError
from flowcore.run.events import (
    Event,
    RunContinued,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
)
from flowcore.run.evolve import evolve, fold
from flowcore.run.machine import RunStatus, StepStatus
from flowcore.run.state import RunState
from flowcore.values import Instant, Json
from tests.builders import (
    RUN,
    T0,
    T1,
    T2,
    abandoned,
    begun,
    broken,
    created,
    digest,
    failed,
    fanned,
    joined,
    met,
    skipped,
    started,
    step,
    stopped,
    succeeded,
    unguarded,
)

STOP = RunStopRequested(reason="enough", at=T1)


def statuses(state: RunState) -> Mapping[str, str]:
    """Return the status of every instance."""
    return {name: str(instance.status) for name, instance in state.instances.items()}


def after(*events: Event) -> Mapping[str, str]:
    """Return the status of every instance after *events*."""
    return statuses(fold(events))


class TestFolding:
    """A state is what its events amount to, and nothing else."""

    HISTORY = (
        *begun(step("a"), step("f", "a", for_each="x", retry=2, outputs=("v",)), step("b", "f", when="x")),
        started("a"),
        succeeded("a"),
        fanned("f", 1, 2),
        started("f/0"),
        started("f/1"),
        failed("f/0", retry=T2),
        succeeded("f/1", {"v": 2}),
        started("f/0", 2),
        succeeded("f/0", {"v": 1}, attempt=2),
        joined("f"),
        met("b"),
        started("b"),
        failed("b"),
        RunFailed(at=T2),
    )

    @pytest.mark.parametrize("cut", range(len(HISTORY) + 1))
    def test_folding_in_two_parts_is_folding_in_one(self, cut: int) -> None:
        assert digest(fold(self.HISTORY[cut:], fold(self.HISTORY[:cut]))) == digest(fold(self.HISTORY))

    def test_the_version_counts_the_events(self) -> None:
        assert [fold(self.HISTORY[:cut]).version for cut in range(5)] == [0, 1, 2, 3, 4]

    def test_evolving_is_done_in_place(self) -> None:
        state = RunState()
        assert evolve(state, created()) is state


class TestTheRun:
    """What is known of the run as a whole."""

    def test_a_new_run_knows_its_flow_and_its_limit(self) -> None:
        first = created(step("a"), max_workers=3)
        state = fold([first])
        assert (state.run_id, state.flow, state.max_workers) == (RUN, first.flow, 3)
        assert (state.status, state.created_at, state.started_at) == (RunStatus.QUEUED, T0, None)

    def test_a_run_knows_when_it_started_and_ended(self) -> None:
        state = fold([created(), RunStarted(at=T1), RunSucceeded(at=T2)])
        assert (state.status, state.started_at, state.ended_at) == (RunStatus.SUCCEEDED, T1, T2)
        assert state.ended

    @pytest.mark.parametrize(
        ("events", "status"),
        [
            ((RunPaused(at=T1),), RunStatus.PAUSED),
            ((RunPaused(at=T1), RunContinued(at=T2)), RunStatus.RUNNING),
            ((RunPaused(at=T1), STOP), RunStatus.RUNNING),
            ((RunFailed(at=T1),), RunStatus.FAILED),
            ((STOP, RunStopped(at=T1)), RunStatus.STOPPED),
        ],
    )
    def test_it_moves_along_its_table(self, events: tuple[Event, ...], status: RunStatus) -> None:
        assert fold([*begun(), *events]).status is status

    def test_what_ended_stays_ended(self) -> None:
        state = fold([*begun(), RunSucceeded(at=T1), RunStarted(at=T2), RunPaused(at=T2)])
        assert state.status is RunStatus.SUCCEEDED

    def test_a_stop_is_remembered_with_its_reason(self) -> None:
        state = fold([*begun(step("a")), STOP])
        assert (state.stop_requested, state.stop_reason, state.giving_up) == (True, "enough", True)


class TestSteps:
    """Steps wait until their dependencies are settled."""

    def test_steps_without_dependencies_are_ready_at_once(self) -> None:
        assert after(created(step("b", "a"), step("a"))) == {"b": "pending", "a": "ready"}

    def test_a_step_is_ready_when_the_last_of_its_dependencies_succeeded(self) -> None:
        run = (*begun(step("a"), step("b"), step("c", "a", "b")), started("a"), started("b"), succeeded("a"))
        assert after(*run) == {"a": "succeeded", "b": "running", "c": "pending"}
        assert after(*run, succeeded("b")) == {"a": "succeeded", "b": "succeeded", "c": "ready"}

    def test_a_dependency_named_twice_counts_once(self) -> None:
        run = (*begun(step("a"), step("b", "a", "a")), started("a"), succeeded("a"))
        assert after(*run) == {"a": "succeeded", "b": "ready"}

    def test_outputs_are_kept_with_their_step(self) -> None:
        state = fold([*begun(step("a")), started("a"), succeeded("a", {"v": 1})])
        assert state.outputs == {"a": {"v": 1}}

    def test_a_success_forgets_the_error_before_it(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2))
        assert fold(run).instances[InstanceId("a")].error == "no"
        assert fold([*run, started("a", 2), succeeded("a", attempt=2)]).instances[InstanceId("a")].error is None

    def test_a_failure_with_a_due_time_is_tried_again(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2))
        assert after(*run) == {"a": "retrying"}
        state = fold([*run, started("a", 2)])
        assert (statuses(state), state.instances[InstanceId("a")].attempt) == ({"a": "running"}, 2)

    def test_a_retry_that_is_given_up_fails_with_its_last_error(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2), STOP)
        state = fold([*run, abandoned("a")])
        assert (statuses(state), state.instances[InstanceId("a")].error) == ({"a": "failed"}, "no")
        assert (state.retries, state.root.open) == ([], 0)

    def test_a_stopped_attempt_settles_its_step(self) -> None:
        state = fold([*begun(step("a")), started("a"), STOP, stopped("a")])
        assert (statuses(state), state.root.open, state.in_the_air) == ({"a": "stopped"}, 0, {})

    def test_conditions_are_looked_at_once(self) -> None:
        state = fold([*begun(step("a", when="x")), met("a")])
        assert (statuses(state), state.instances[InstanceId("a")].guarded) == ({"a": "ready"}, False)

    def test_a_condition_without_an_answer_fails_its_step(self) -> None:
        state = fold([*begun(step("a", when="x")), unguarded("a")])
        assert (statuses(state), state.failed, state.root.open) == ({"a": "failed"}, True, 0)


class TestFailures:
    """What a failure means for the run and for those who depend on the failed step."""

    FAILED = (started("F"), failed("F"))

    def test_an_untolerated_failure_is_remembered(self) -> None:
        assert fold([*begun(step("F")), *self.FAILED]).failed is True
        assert fold([*begun(step("F", on_error=OnError.SKIP)), *self.FAILED]).failed is False

    def test_a_failure_that_a_dependent_cannot_do_without_halts_the_run(self) -> None:
        state = fold([*begun(step("F"), step("D", "F")), *self.FAILED])
        assert (state.halted_by, state.giving_up, state.unsettled) == ("F", True, True)

    def test_the_first_failure_is_the_one_that_halted_the_run(self) -> None:
        run = begun(step("F"), step("G"), step("D", "F"), step("E", "G"))
        assert fold([*run, started("F"), started("G"), failed("G"), failed("F")]).halted_by == "G"

    def test_who_says_continue_goes_on(self) -> None:
        run = begun(step("F"), step("D", "F", on_error=OnError.CONTINUE))
        assert after(*run, *self.FAILED) == {"F": "failed", "D": "ready"}

    @pytest.mark.parametrize("on_error", [None, OnError.FAIL, OnError.SKIP])
    def test_who_does_not_is_doomed(self, on_error: OnError | None) -> None:
        state = fold([*begun(step("F"), step("D", "F", on_error=on_error)), *self.FAILED])
        assert [(doomed.index, doomed.reason) for doomed in state.doomed] == [(1, "step 'F' failed")]

    def test_who_is_settled_already_is_not_doomed(self) -> None:
        run = begun(step("F", on_error=OnError.SKIP), step("G", on_error=OnError.SKIP), step("D", "F", "G"))
        gone = (started("F"), started("G"), failed("F"), skipped("D", "step 'F' failed"), failed("G"))
        assert list(fold([*run, *gone]).doomed) == []

    def test_all_that_is_doomed_for_the_same_step_is_forgotten_with_its_skip(self) -> None:
        run = begun(step("F", on_error=OnError.SKIP), step("G", on_error=OnError.SKIP), step("D", "F", "G"))
        both = (*run, started("F"), started("G"), failed("F"), failed("G"))
        assert len(fold(both).doomed) == 2
        assert list(fold([*both, skipped("D", "step 'F' failed")]).doomed) == []


class TestSkips:
    """A skip spreads to those below."""

    def test_those_below_are_doomed(self) -> None:
        state = fold([*begun(step("a"), step("b", "a")), skipped("a", "why")])
        assert [(doomed.index, doomed.reason) for doomed in state.doomed] == [(1, "step 'a' was skipped")]

    @pytest.mark.parametrize(
        ("cause", "on_error", "status"),
        [
            (SkipCause.CONDITION, OnError.CONTINUE, "ready"),
            (SkipCause.CONDITION, OnError.SKIP, "pending"),
            (SkipCause.CONDITION, None, "pending"),
            (SkipCause.UPSTREAM, OnError.CONTINUE, "pending"),
        ],
    )
    def test_only_who_says_continue_goes_on_without_a_branch_that_was_not_taken(
        self, cause: SkipCause, on_error: OnError | None, status: str
    ) -> None:
        run = begun(step("a", when="x"), step("b", "a", on_error=on_error))
        assert after(*run, skipped("a", "why", cause)) == {"a": "skipped", "b": status}


class TestFanOuts:
    """A step with a list runs as one instance for each item."""

    def test_every_item_is_an_instance_and_the_step_runs(self) -> None:
        assert after(*begun(step("f", for_each="x")), fanned("f", "x", "y")) == {
            "f": "running",
            "f/0": "ready",
            "f/1": "ready",
        }

    def test_max_parallel_releases_one_when_one_is_settled(self) -> None:
        run = (*begun(step("f", for_each="x", max_parallel=1)), fanned("f", 1, 2, 3), started("f/0"))
        assert after(*run)["f/1"] == "pending"
        assert after(*run, succeeded("f/0")) == {
            "f": "running",
            "f/0": "succeeded",
            "f/1": "ready",
            "f/2": "pending",
        }

    def test_an_empty_list_is_joined_at_once(self) -> None:
        state = fold([*begun(step("f", for_each="x")), fanned("f")])
        assert (state.joins, state.unsettled) == ({0: None}, True)

    def test_a_join_gathers_the_outputs_in_the_order_of_the_items(self) -> None:
        run = (*begun(step("f", for_each="x", outputs=("v", "w")), step("b", "f")), fanned("f", 1, 2))
        rows: tuple[dict[str, Json], ...] = ({"v": 1, "w": None}, {"v": 2})
        landed = (started("f/0"), started("f/1"), succeeded("f/1", rows[1]), succeeded("f/0", rows[0]))
        state = fold([*run, *landed, joined("f")])
        assert state.outputs == {"f": {"v": [1, 2], "w": [None, None]}}
        assert statuses(state) == {"f": "succeeded", "b": "ready", "f/0": "succeeded", "f/1": "succeeded"}
        assert (state.fan_outs, state.joins) == ({}, {})

    def test_a_join_has_no_value_for_an_item_that_left_nothing(self) -> None:
        run = (*begun(step("f", for_each="x", outputs=("v",))), fanned("f", 1), skipped("f/0", "why"), joined("f"))
        assert fold(run).outputs == {"f": {"v": [None]}}

    def test_a_failing_item_breaks_a_fan_out_that_cannot_do_without_it(self) -> None:
        run = (*begun(step("f", for_each="x")), fanned("f", 1, 2), started("f/0"))
        state = fold([*run, failed("f/0")])
        assert (state.breaking, state.unsettled, state.failed) == ({0: None}, True, False)
        evolve(state, skipped("f/1", "why"))
        assert (state.breaking, state.joins) == ({}, {0: None})
        evolve(state, broken("f"))
        assert (statuses(state)["f"], state.failed, state.outputs) == ("failed", True, {})

    def test_it_goes_on_when_the_step_says_continue(self) -> None:
        run = begun(step("f", for_each="x", on_error=OnError.CONTINUE, max_parallel=1))
        state = fold([*run, fanned("f", 1, 2), started("f/0"), failed("f/0")])
        assert (state.breaking, statuses(state)["f/1"]) == ({}, "ready")

    def test_a_broken_fan_out_releases_nothing_more(self) -> None:
        run = (*begun(step("f", for_each="x", max_parallel=1)), fanned("f", 1, 2, 3), started("f/0"), failed("f/0"))
        assert after(*run, skipped("f/1", "why"))["f/2"] == "pending"

    def test_an_item_that_was_stopped_is_settled(self) -> None:
        run = (*begun(step("f", for_each="x")), fanned("f", 1), started("f/0"), STOP, stopped("f/0"))
        assert fold(run).joins == {0: None}

    def test_an_item_is_tried_again_and_given_up_like_a_step(self) -> None:
        run = (*begun(step("f", for_each="x", retry=2)), fanned("f", 1), started("f/0"), failed("f/0", retry=T2))
        state = fold([*run, STOP])
        assert (state.breaking, state.retries) == ({0: None}, [(T2, 0, 0)])
        evolve(state, abandoned("f/0"))
        assert (state.breaking, state.retries, state.joins) == ({}, [], {0: None})

    def test_a_failure_elsewhere_breaks_every_fan_out(self) -> None:
        run = begun(step("f", for_each="x"), step("g", for_each="x"), step("F"), step("D", "F"))
        state = fold([*run, fanned("f", 1), fanned("g", 1), started("f/0"), started("F"), failed("F")])
        assert state.breaking == {1: None}
        assert [each.broken for each in state.fan_outs.values()] == [True, True]


class TestQueues:
    """What has started leaves the queues, so that they do not grow with the history."""

    def test_what_has_started_is_ready_no_more(self) -> None:
        state = fold([*begun(step("a"), step("b"), step("c")), started("b")])
        assert list(state.ready) == [(0, -1), (2, -1)]
        evolve(state, started("a"))
        assert list(state.ready) == [(2, -1)]

    def test_retries_stand_in_the_order_in_which_they_are_due(self) -> None:
        run = (*begun(step("a", retry=2), step("b", retry=2)), started("a"), started("b"))
        state = fold([*run, failed("a", retry=Instant(9.0)), failed("b", retry=Instant(8.0))])
        assert state.retries == [(8.0, 1, -1), (9.0, 0, -1)]
        evolve(state, started("b", 2))
        assert state.retries == [(9.0, 0, -1)]


def test_a_status_is_a_word() -> None:
    assert str(StepStatus.RETRYING) == "retrying"
