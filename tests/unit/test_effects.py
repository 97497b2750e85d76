"""What the shell must do next: derived from the state, and as cheap as the answer is short."""

import pytest
from typing_extensions import override

from flowcore.ids import InstanceId, StepName
from flowcore.model import OnError
from flowcore.run.effects import Cancel, Consequences, Effect, Perform, Resolve, pending, wake_at
from flowcore.run.events import Event, RunContinued, RunPaused, RunStopped, RunStopRequested, RunSucceeded
from flowcore.run.evolve import evolve, fold
from flowcore.run.state import InstanceState, RunState
from flowcore.values import Instant
from tests.builders import (
    T1,
    T2,
    begun,
    created,
    failed,
    fanned,
    met,
    skipped,
    started,
    step,
    stopped,
    succeeded,
)

STOP = RunStopRequested(reason="enough", at=T1)
WIDE = 10_000


def performs(*names: str) -> tuple[Effect, ...]:
    """Return the starts of *names*."""
    return tuple(Perform(InstanceId(name)) for name in names)


def asked(*events: Event, now: Instant = T2) -> tuple[Effect, ...]:
    """Return what is pending after *events*."""
    return pending(fold(events), now)


class TestStarting:
    """What may start, does: in file order, at most `max_workers` at once."""

    def test_ready_steps_start_in_file_order(self) -> None:
        assert asked(*begun(step("c"), step("after", "a"), step("a"), step("b"))) == performs("c", "a", "b")

    def test_a_step_that_became_ready_later_starts_in_its_place_in_the_file(self) -> None:
        run = begun(step("first", "last"), step("middle"), step("last"), max_workers=2)
        assert asked(*run, started("last"), succeeded("last")) == performs("first", "middle")

    def test_no_more_start_than_may_be_in_the_air(self) -> None:
        run = begun(step("a"), step("b"), step("c"), step("d"), max_workers=2)
        assert asked(*run) == performs("a", "b")
        assert asked(*run, started("a")) == performs("b")
        assert asked(*run, started("a"), started("b")) == ()
        assert asked(*run, started("a"), started("b"), succeeded("b")) == performs("c")

    def test_items_of_a_fan_out_start_in_their_order_where_their_step_stands(self) -> None:
        run = (*begun(step("a", "z"), step("f", for_each="x"), step("z")), fanned("f", "x", "y"))
        assert asked(*run) == performs("f/0", "f/1", "z")
        assert asked(*run, started("z"), succeeded("z")) == performs("a", "f/0", "f/1")

    def test_a_guarded_step_is_looked_at_before_it_starts(self) -> None:
        run = begun(step("a", when="x"), step("f", for_each="x"), step("b"))
        looked = (Resolve(StepName("a")), Resolve(StepName("f")), *performs("b"))
        assert asked(*run) == looked
        assert asked(*run, met("a")) == (*performs("a"), Resolve(StepName("f")), *performs("b"))

    def test_looking_at_a_step_takes_one_of_the_free_places(self) -> None:
        assert asked(*begun(step("a", when="x"), step("b"), max_workers=1)) == (Resolve(StepName("a")),)


class TestRetries:
    """A further attempt starts when it is due, not before, and then before anything new."""

    RUN = (*begun(step("new"), step("a", retry=9), step("b", retry=9), max_workers=2), started("a"), started("b"))

    def test_a_retry_waits_until_it_is_due(self) -> None:
        run = (*self.RUN, failed("a", retry=T2))
        assert asked(*run, now=Instant(T2 - 0.001)) == performs("new")
        assert asked(*run, now=T2) == performs("a")

    def test_the_one_that_was_due_first_starts_first(self) -> None:
        run = (*self.RUN, failed("a", retry=T2), failed("b", retry=T1))
        assert asked(*run) == performs("b", "a")
        assert asked(*run, now=T1) == performs("b", "new")

    def test_a_retry_comes_before_what_is_new(self) -> None:
        assert asked(*self.RUN, failed("a", retry=T1)) == performs("a")

    def test_a_retry_that_has_started_is_not_asked_for_again(self) -> None:
        run = (*self.RUN, failed("a", retry=T1), failed("b", retry=T1), started("a", 2))
        assert asked(*run) == performs("b")
        assert asked(*run, failed("a", attempt=2, retry=Instant(200.0))) == performs("b", "new")

    def test_a_retry_that_started_out_of_turn_is_not_asked_for_again(self) -> None:
        run = (*self.RUN, failed("a", retry=T1), failed("b", retry=T2), started("b", 2))
        again = (*run, failed("b", attempt=2, retry=Instant(200.0)))
        assert asked(*again) == performs("a", "new")

    def test_a_retry_that_is_due_at_the_very_time_of_the_one_before_is_asked_for_once(self) -> None:
        run = (*self.RUN, failed("a", retry=T1), failed("b", retry=T1), started("b", 2))
        assert asked(*run, failed("b", attempt=2, retry=T1)) == performs("a", "b")


class TestWakeAt:
    """When to ask again though nothing has happened."""

    RUN = (*begun(step("a", retry=9), step("b", retry=9), max_workers=2), started("a"), started("b"))

    def test_it_is_when_the_first_retry_is_due(self) -> None:
        state = fold((*self.RUN, failed("a", retry=Instant(300.0)), failed("b", retry=Instant(200.0))))
        assert wake_at(state) == 200.0
        evolve(state, started("b", 2, at=Instant(200.0)))
        assert wake_at(state) == 300.0

    @pytest.mark.parametrize(
        "events",
        [
            (),
            (created(step("a")),),
            RUN,
            (*RUN, succeeded("a"), failed("b")),
            (*RUN, failed("a", retry=T2), RunPaused(at=T1)),
            (*RUN, failed("a", retry=T2), STOP),
            (*RUN, succeeded("a"), succeeded("b"), RunSucceeded(at=T2)),
        ],
    )
    def test_there_is_no_such_moment_when_nothing_waits_for_its_time(self, events: tuple[Event, ...]) -> None:
        assert wake_at(fold(events)) is None

    def test_a_retry_without_a_free_place_waits_for_a_report_and_not_for_its_time(self) -> None:
        run = (*begun(step("a", retry=9), step("b"), max_workers=1), started("a"), failed("a", retry=T1), started("b"))
        assert (asked(*run), wake_at(fold(run))) == ((), None)


class TestWaiting:
    """When nothing may start."""

    def test_nothing_is_pending_before_a_run_starts(self) -> None:
        assert asked() == ()
        assert asked(created(step("a"))) == ()

    def test_nothing_is_pending_when_a_run_has_ended(self) -> None:
        assert asked(*begun(), RunSucceeded(at=T1)) == ()
        assert asked(created(step("a")), skipped("a", "stopped"), RunStopped(at=T1)) == ()

    def test_a_paused_run_starts_nothing_and_goes_on_where_it_was(self) -> None:
        run = (*begun(step("a"), step("b", retry=2)), started("b"), failed("b", retry=T1), RunPaused(at=T1))
        assert asked(*run) == ()
        assert asked(*run, RunContinued(at=T2)) == performs("b", "a")

    def test_nothing_is_pending_when_all_is_in_the_air(self) -> None:
        assert asked(*begun(step("a")), started("a")) == ()


class TestConsequences:
    """Consequences come first and alone."""

    @pytest.mark.parametrize(
        "events",
        [
            pytest.param(begun(), id="an empty flow is done"),
            pytest.param((*begun(step("a")), started("a"), succeeded("a")), id="the last step is settled"),
            pytest.param(
                (*begun(step("F", on_error=OnError.SKIP), step("D", "F"), step("new")), started("F"), failed("F")),
                id="a step must be skipped",
            ),
            pytest.param(
                (*begun(step("F"), step("D", "F"), step("new")), started("F"), failed("F")), id="the run is given up"
            ),
            pytest.param((*begun(step("f", for_each="x"), step("new")), fanned("f")), id="a fan-out is done"),
            pytest.param(
                (*begun(step("f", for_each="x"), step("new")), fanned("f", 1, 2), started("f/0"), failed("f/0")),
                id="a fan-out is given up",
            ),
            pytest.param((*begun(step("a")), RunPaused(at=T1), STOP), id="what has not started is given up"),
        ],
    )
    def test_they_are_asked_for_alone(self, events: tuple[Event, ...]) -> None:
        assert asked(*events) == (Consequences(),)

    def test_they_are_drawn_in_a_paused_run_too(self) -> None:
        run = (*begun(step("a")), started("a"), RunPaused(at=T1), succeeded("a"))
        assert asked(*run) == (Consequences(),)


class TestStopping:
    """What is in the air is cancelled until its end is reported."""

    def test_everything_in_the_air_is_cancelled_until_it_has_ended(self) -> None:
        run = (*begun(step("a"), step("b")), started("a"), started("b"), STOP)
        assert asked(*run) == (Cancel(InstanceId("a")), Cancel(InstanceId("b")))
        assert asked(*run, stopped("a")) == (Cancel(InstanceId("b")),)
        assert asked(*run, stopped("a"), succeeded("b")) == (Consequences(),)

    def test_what_is_given_up_comes_before_what_is_cancelled(self) -> None:
        run = (*begun(step("a"), step("b", "a")), started("a"), STOP)
        assert asked(*run) == (Consequences(),)
        assert asked(*run, skipped("b", "stopped")) == (Cancel(InstanceId("a")),)


class Watched(RunState):
    """A state that counts how many instances were looked at."""

    looks = 0

    @override
    def instance_at(self, index: int, item: int) -> InstanceState:
        self.looks += 1
        return super().instance_at(index, item)


class TestWideFlows:
    """The cost is that of the answer and not that of the flow."""

    @staticmethod
    def history() -> tuple[Event, ...]:
        return begun(*(step(f"s{number}") for number in range(WIDE)), max_workers=3)

    def wide(self) -> RunState:
        return fold(self.history())

    def test_the_first_in_the_file_come_first(self) -> None:
        assert pending(self.wide(), T2) == performs("s0", "s1", "s2")

    def test_they_do_so_whatever_was_started_out_of_order(self) -> None:
        state = self.wide()
        gone = [*range(1, 200, 2), *range(500, 600), WIDE - 1]
        for number in gone:
            evolve(state, started(f"s{number}"))
            evolve(state, succeeded(f"s{number}"))
        assert len(state.ready) == WIDE - len(gone), "wherever they stood"
        assert pending(state, T2) == performs("s0", "s2", "s4")
        for number in range(0, 200, 2):
            evolve(state, started(f"s{number}"))
            evolve(state, succeeded(f"s{number}"))
        assert len(state.ready) == WIDE - len(gone) - 100
        assert pending(state, T2) == performs("s200", "s201", "s202")

    def test_only_what_is_near_the_top_is_looked_at(self) -> None:
        state = Watched()
        fold(self.history(), state)
        state.looks = 0
        assert pending(state, T2) == performs("s0", "s1", "s2")
        assert state.looks < 10

    def test_what_cannot_begin_is_passed_over_when_that_is_asked_for(self) -> None:
        state = self.wide()
        assert pending(state, T2, {InstanceId("s0"), InstanceId("s2")}) == performs("s1", "s3", "s4")
        evolve(state, started("s5"))
        evolve(state, failed("s5", retry=T1))
        assert pending(state, T2, {InstanceId("s0")}) == performs("s5", "s1", "s2")
        assert pending(state, T2, {InstanceId("s0"), InstanceId("s5")}) == performs("s1", "s2", "s3")

    def test_asking_takes_nothing_out(self) -> None:
        state = self.wide()
        before = list(state.ready)
        assert pending(state, T2) == pending(state, T2)
        assert list(state.ready) == before
        assert before[:3] == [(0, -1), (1, -1), (2, -1)]
