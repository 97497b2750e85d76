"""What is different between two runs."""

import attrs

from flowcore.ids import RunId
from flowcore.model import Flow, Output, Source
from flowcore.run.events import Event, RunCreated, RunFailed, RunStarted, RunSucceeded
from flowcore.values import Json
from flowcore.views.difference import Difference, Parting, StepDifference, Timing, difference
from tests.builders import T0, T1, T2, failed, flow_of, recorded, resumed, started, step, succeeded

A = step("a", outputs=("x",))
FLOW = flow_of(A, step("b", "a"))


def run(number: int, *events: Event, flow: Flow = FLOW) -> list[Event]:
    created = RunCreated(run_id=RunId(number), flow=flow, max_workers=4, at=T0)
    return [created, RunStarted(at=T0), *events]


def success(value: Json = 1) -> tuple[Event, ...]:
    return started("a"), succeeded("a", {"x": value}), started("b"), succeeded("b"), RunSucceeded(at=T2)


def compared(first: list[Event], second: list[Event]) -> Difference:
    return difference(recorded(first), recorded(second))


def test_the_same_again_is_no_difference() -> None:
    found = compared(run(1, *success()), run(2, *success()))
    assert found.equal
    assert (found.first, found.second, found.parting) == (1, 2, None)
    assert found.timings == (Timing(step="a", first=1.0, second=1.0), Timing(step="b", first=1.0, second=1.0))


def test_who_drives_it_is_no_difference() -> None:
    again = success()
    assert compared(run(1, *again), run(2, again[0], resumed(), *again[1:])).parting is None


def test_another_output() -> None:
    found = compared(run(1, *success()), run(2, *success(2)))
    assert not found.equal
    assert found.outputs == (StepDifference(step="a", field="x", first=1, second=2),)
    assert (found.states, found.flow, found.parting) == ((), (), None)


def test_another_end() -> None:
    found = compared(run(1, *success()), run(2, started("a"), failed("a"), RunFailed(at=T1)))
    assert found.states == (
        StepDifference(step="a", field="state", first="succeeded", second="failed"),
        StepDifference(step="b", field="state", first="succeeded", second="pending"),
    )
    assert found.outputs == (StepDifference(step="a", field="x", first=1, second=None),)
    assert found.parting == Parting(version=4, first="AttemptSucceeded a", second="AttemptFailed a")
    assert found.timings == (Timing(step="b", first=1.0, second=None), Timing(step="a", first=1.0, second=1.0))


def test_an_end_that_comes_earlier() -> None:
    short = run(2, *success()[:-1])
    assert compared(run(1, *success()), short).parting == Parting(version=7, first="RunSucceeded", second=None)


def test_another_flow() -> None:
    other = attrs.evolve(
        flow_of(
            attrs.evolve(A, input={"k": [1, None]}, outputs=(Output(name="x", value="y"),), source="other"),
            step("c", "a"),
        ),
        sources={"source": Source(type="value"), "other": Source(type="env", configuration={"vars": ["HOME"]})},
    )
    found = compared(run(1), run(2, flow=other))
    assert [(each.step, each.field) for each in found.flow] == [
        ("a", "source"),
        ("a", "input"),
        ("a", "outputs"),
        ("b", "step"),
        ("c", "step"),
    ]
    source, given, *_, gone, new = found.flow
    assert source.second == {"type": "env", "configuration": {"vars": ["HOME"]}}
    assert (given.first, given.second) == (None, {"k": [1, None]})
    assert (gone.first, gone.second, new.first, new.second) == ("declared", None, None, "declared")
    assert [each.step for each in found.states] == ["b", "c"]
