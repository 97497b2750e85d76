"""What can be read off a state."""

import pytest

from flowcore.ids import InstanceId
from flowcore.run.events import Event, RunFailed, RunPaused, RunStopped, RunStopRequested, RunSucceeded
from flowcore.run.evolve import fold
from flowcore.run.state import RunState
from tests.builders import T1, begun, created, failed, fanned, skipped, started, step, succeeded

STOP = RunStopRequested(reason="enough", at=T1)


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        ((), False),
        ((created(),), False),
        (begun(), False),
        ((*begun(), RunPaused(at=T1)), False),
        ((*begun(), RunSucceeded(at=T1)), True),
        ((*begun(), RunFailed(at=T1)), True),
        ((created(), RunStopped(at=T1)), True),
    ],
)
def test_a_run_is_over_when_it_succeeded_failed_or_was_stopped(events: tuple[Event, ...], ended: bool) -> None:
    assert fold(events).ended is ended


@pytest.mark.parametrize(
    ("events", "unsettled"),
    [
        pytest.param(begun(step("a")), False, id="all waits"),
        pytest.param(begun(), True, id="an empty flow can end"),
        pytest.param((*begun(step("a")), started("a"), succeeded("a")), True, id="the run can end"),
        pytest.param((*begun(step("a")), STOP), True, id="a stop leaves steps to give up"),
        pytest.param((*begun(step("a")), started("a"), STOP), False, id="a stop waits for what is in the air"),
        pytest.param((*begun(step("a"), step("b", "a"), step("c")), skipped("a", "why")), True, id="a skip spreads"),
        pytest.param((*begun(step("f", for_each="x")), fanned("f")), True, id="a fan-out can be joined"),
        pytest.param(
            (*begun(step("f", for_each="x")), fanned("f", 1, 2), started("f/0"), failed("f/0")),
            True,
            id="a fan-out is given up",
        ),
        pytest.param((*begun(step("f", for_each="x")), fanned("f", 1), started("f/0")), False, id="an item runs"),
    ],
)
def test_what_has_consequences_is_unsettled(events: tuple[Event, ...], unsettled: bool) -> None:
    assert fold(events).unsettled is unsettled


@pytest.mark.parametrize(
    ("events", "giving_up"),
    [
        (begun(step("a")), False),
        ((*begun(step("a")), STOP), True),
        ((*begun(step("F")), started("F"), failed("F")), False),
        ((*begun(step("F"), step("D", "F")), started("F"), failed("F")), True),
    ],
)
def test_a_run_is_given_up_after_a_stop_or_a_failure_that_halts_it(events: tuple[Event, ...], giving_up: bool) -> None:
    assert fold(events).giving_up is giving_up


def test_instances_are_found_by_their_place() -> None:
    state = fold([*begun(step("a"), step("f", for_each="x")), fanned("f", "x", "y")])
    assert state.instance_at(0, -1).id == "a"
    assert state.instance_at(1, -1).id == "f"
    assert state.instance_at(1, 1).id == "f/1"
    assert state.instance_at(0, 5).id == "a"


def test_an_instance_knows_its_step() -> None:
    state = fold([*begun(step("a"), step("f", for_each="x")), fanned("f", "x")])
    assert state.step_of(state.instances[InstanceId("f/0")]) == state.flow.steps[1]


def test_two_states_share_nothing() -> None:
    first, second = RunState(), RunState()
    fold([created(step("a"))], first)
    assert (second.steps, second.instances, second.version) == ([], {}, 0)
