"""The tools for tests, tested."""

import re

import pytest

from flowcore.ids import InstanceId, RunId
from flowcore.ports import Clock
from flowcore.run.commands import PauseRun, Settle, StartAttempt, StartRun
from flowcore.run.events import RunPaused, RunStarted, RunStopped, RunStopRequested, RunSucceeded
from flowcore.testing import ManualClock, given
from tests.builders import T0, T1, T2, begun, created, failed, skipped, started, step

FIRST, SECOND = RunId(1), RunId(2)
CREATED, STARTED, ENDED = created(), RunStarted(at=T0), RunSucceeded(at=T2)


class TestManualClock:
    """A clock that moves when it is told to."""

    def test_it_stands_still_until_it_is_told_to_move(self) -> None:
        clock = ManualClock(100.0)
        face: Clock = clock
        assert (face.now(), face.now(), face.monotonic()) == (100.0, 100.0, 100.0)
        clock.advance(1.5)
        assert (face.now(), face.monotonic()) == (101.5, 101.5)


class TestScenario:
    """``given(*events).when(command).then(*events)``."""

    def test_what_is_expected_is_accepted(self) -> None:
        given(created()).when(StartRun(at=T0)).then(STARTED)
        given(*begun(), ENDED).when(PauseRun(at=T2)).then_rejected("run-ended")

    def test_a_command_that_is_refused_when_repeated_adds_nothing(self) -> None:
        given(*begun(step("a"))).when(StartAttempt(instance=InstanceId("a"), at=T0)).then(started("a"))

    def test_settling_may_go_on_with_the_next_consequences(self) -> None:
        run = (*begun(step("F"), step("D", "F"), step("slow")), started("F"), started("slow"), failed("F"))
        given(*run).when(Settle(at=T2)).then(skipped("D", "step 'F' failed"))

    def test_something_else_is_an_error(self) -> None:
        scenario = given(created()).when(StartRun(at=T0))
        with pytest.raises(AssertionError, match=re.escape(f"expected (), but decided ({STARTED},)")):
            scenario.then()
        with pytest.raises(AssertionError, match=r"expected \(RunPaused"):
            scenario.then(RunPaused(at=T1))

    def test_a_decision_that_is_repeated_is_an_error(self) -> None:
        # A history that no decider wrote: nobody can pause a run that is being stopped, so nothing ends it.
        impossible = (*begun(), RunStopRequested(reason="enough", at=T1), RunPaused(at=T1))
        with pytest.raises(AssertionError, match=r"deciding twice repeated \[RunStopped"):
            given(*impossible).when(Settle(at=T2)).then(RunStopped(at=T2))

    def test_a_refusal_that_was_not_expected_is_an_error(self) -> None:
        scenario = given(*begun(), ENDED).when(PauseRun(at=T2))
        with pytest.raises(AssertionError, match="expected a refusal with 'other', but it was 'run-ended'"):
            scenario.then_rejected("other")

    def test_an_expected_refusal_that_did_not_come_is_an_error(self) -> None:
        with pytest.raises(AssertionError, match=r"expected a refusal with 'run-ended', but decided \(RunStarted"):
            given(created()).when(StartRun(at=T0)).then_rejected("run-ended")

    def test_an_example_without_a_command_is_an_error(self) -> None:
        with pytest.raises(AssertionError, match="say `when` first"):
            given().then()
