"""The state of a run as data, and back; and what a run is loaded from."""

import json
from collections.abc import Sequence
from typing import Final

import attrs
import pytest

from flowcore.json_text import to_json
from flowcore.model import Breakpoints, Dialect, Loop, Moment, OnError, RetryPolicy
from flowcore.ports import Append
from flowcore.run.events import (
    BreakpointsDisabled,
    Event,
    PauseCause,
    RunContinued,
    RunCreated,
    RunStarted,
    RunStopRequested,
    TraceToggled,
)
from flowcore.run.evolve import fold
from flowcore.run.snapshot import dump, restore
from flowcore.service import load
from flowcore.testing import MemoryEventLog
from tests.builders import (
    RUN,
    T0,
    T1,
    T2,
    arrived,
    begun,
    body,
    created,
    entered,
    failed,
    fanned,
    held,
    iterated,
    left,
    logged,
    lost,
    met,
    paused,
    rejected,
    resumed,
    skipped,
    started,
    step,
    succeeded,
    unwell,
)

STEPS = (
    step("a", outputs=("x",), retry=3),
    step("f", "a", for_each="x", max_parallel=2, on_error=OnError.CONTINUE, retry=2),
    step("b", "a", on_error=OnError.SKIP),
    step("c", "b"),
    step("w", when="x"),
)
HISTORY: Final[tuple[Event, ...]] = (
    *begun(*STEPS),
    started("a"),
    resumed(),
    lost("a"),
    rejected("a"),
    started("a", 2, at=T1),
    succeeded("a", {"x": [1, None]}, attempt=2),
    fanned("f", "p", {"q": 1}, 3),
    started("f/0"),
    started("f/1"),
    failed("f/0", retry=T2),
    failed("f/1"),
    started("b"),
    failed("b"),
    RunStopRequested(reason="enough", at=T2),
)


BREAKS: Final = attrs.evolve(
    created(step("a", awaits=("photo", "mask")), step("b", pause=True), step("c", "b"), step("d", awaits=("photo",))),
    breakpoints=Breakpoints(moment=Moment.BOTH, steps=None),
)
PAUSES: Final[tuple[Event, ...]] = (
    BREAKS,
    RunStarted(at=T0),
    paused("b"),
    arrived("mask"),
    TraceToggled(enabled=True, at=T1),
    RunContinued(at=T1),
    paused("b", PauseCause.WAIT),
    RunContinued(at=T1),
    started("b"),
    logged("b"),
    succeeded("b"),
    paused("b", PauseCause.BREAKPOINT_POST),
    BreakpointsDisabled(at=T1),
    arrived("photo"),
    RunContinued(at=T1),
    started("c"),
)


BY_THE_CLOCK: Final = RetryPolicy(max_attempts=2, within_s=60.0)
NESTED: Final = attrs.evolve(
    created(
        body("g", body("l", step("a", outputs=("variables",)), loop=Loop(condition="x")), for_each="x"),
        body("h", attrs.evolve(step("b"), retry=BY_THE_CLOCK), step("c", "b"), when="x"),
        step("z", "h"),
    )
)
BODIES: Final[tuple[Event, ...]] = (
    attrs.evolve(NESTED, flow=attrs.evolve(NESTED.flow, dialect=Dialect.WORKFLOW)),
    RunStarted(at=T0),
    fanned("g", "p", "q"),
    met("h"),
    entered("h"),
    entered("g/1"),
    entered("g/0"),
    iterated("g/1/l", 0),
    started("g/1/l/0/a"),
    started("h/b"),
    failed("h/b", retry=T2),
    held("h/b"),
    succeeded("g/1/l/0/a", {"variables": {"k": 1}}),
    left("g/1/l/0"),
    iterated("g/0/l", 0),
    iterated("g/1/l", 1),
    started("h/b", 2),
    failed("h/b", attempt=2),
    skipped("h/c", "step 'b' failed"),
    unwell("h", "step 'b' failed: no"),
    RunStopRequested(reason="enough", at=T2),
)


@pytest.mark.parametrize("place", range(1, len(BODIES) + 1))
def test_bodies_are_kept(place: int) -> None:
    first = BODIES[0]
    assert isinstance(first, RunCreated)
    state = fold(BODIES[:place])
    again = restore(first, json.loads(to_json(json.loads(json.dumps(dump(state))))))
    assert vars(again) == vars(state)
    assert vars(fold(BODIES[place:], again)) == vars(fold(BODIES))


def test_a_body_without_an_owner_is_no_snapshot() -> None:
    data = dump(fold(BODIES))
    data["scopes"][1]["owner"] = None
    with pytest.raises(ValueError, match="owner"):
        restore(NESTED, data)


@pytest.mark.parametrize("place", range(1, len(PAUSES) + 1))
def test_what_a_run_waits_for_is_kept(place: int) -> None:
    state = fold(PAUSES[:place])
    again = restore(BREAKS, json.loads(to_json(json.loads(json.dumps(dump(state))))))
    assert vars(again) == vars(state)
    assert vars(fold(PAUSES[place:], again)) == vars(fold(PAUSES))


@pytest.mark.parametrize("place", range(1, len(HISTORY) + 1))
def test_it_amounts_to_the_same_at_every_moment(place: int) -> None:
    state = fold(HISTORY[:place])
    created = HISTORY[0]
    assert isinstance(created, RunCreated)
    again = restore(created, json.loads(to_json(json.loads(json.dumps(dump(state))))))
    assert vars(again) == vars(state)
    assert vars(fold(HISTORY[place:], again)) == vars(fold(HISTORY))


class TestLoading:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flowcore.service.SNAPSHOT_EVERY", 5)

    @staticmethod
    def log(events: Sequence[Event] = HISTORY) -> MemoryEventLog:
        log = MemoryEventLog()
        log.append(Append(RUN, 0, events))
        return log

    def test_a_long_run_leaves_a_snapshot_and_is_loaded_from_it(self) -> None:
        log = self.log(HISTORY[:8])
        load(log, RUN)
        kept = log.snapshot(RUN, "state")
        assert kept is not None
        assert kept.version == 8
        log.append(Append(RUN, 8, HISTORY[8:]))
        assert vars(load(log, RUN)) == vars(fold(HISTORY))
        again = log.snapshot(RUN, "state")
        assert again is not None
        assert again.version == len(HISTORY)

    def test_a_short_one_does_not(self) -> None:
        log = self.log(HISTORY[:4])
        load(log, RUN)
        assert log.snapshot(RUN, "state") is None

    @pytest.mark.parametrize(
        "data", [b"", b"[]", b"{}", b'{"schema":9}', b"\xff", b'{"schema":1,"status":"running","plain":{}}']
    )
    def test_one_that_cannot_be_read_is_passed_over(self, data: bytes) -> None:
        log = self.log()
        log.save_snapshot(RUN, "state", 3, data)
        assert vars(load(log, RUN)) == vars(fold(HISTORY))

    def test_one_that_is_not_of_this_run_is_passed_over(self) -> None:
        log = self.log()
        log.save_snapshot(RUN, "state", 99, to_json(json.loads(json.dumps(dump(fold(HISTORY[:9]))))).encode())
        assert vars(load(log, RUN)) == vars(fold(HISTORY))
        empty = MemoryEventLog()
        empty.append(Append(RUN, 0, [started("a", at=T0)]))
        empty.save_snapshot(RUN, "state", 1, b"{}")
        with pytest.raises(ValueError, match="do not fit together"):
            load(empty, RUN)
