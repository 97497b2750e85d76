"""A view keeps up by reading what it has not seen yet, when somebody asks."""

from collections.abc import Iterator

import pytest
from typing_extensions import override

from flowcore.ids import RunId
from flowcore.ports import Append, Recorded
from flowcore.testing import MemoryEventLog
from flowcore.views.follow import RunView, catch_up
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusView
from tests.builders import RUN, begun, started, step, succeeded

OTHER = RunId(2)
EVENTS = (*begun(step("a", outputs=("v",)), step("b")), started("a"), succeeded("a", {"v": 1}), started("b"))


class ReadLog(MemoryEventLog):
    """A log that remembers how much of it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    @override
    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        for recorded in super().read(run_id, after=after):
            self.reads += 1
            yield recorded


def filled() -> ReadLog:
    """Return a log of two runs whose events alternate: those of `RUN` stand at the odd positions."""
    log = ReadLog()
    for version, event in enumerate(EVENTS):
        log.append(Append(RUN, version, [event]), Append(OTHER, version, [event]))
    return log


def test_a_view_is_brought_up_to_the_end_of_its_run() -> None:
    view = catch_up(StatusView(), filled(), RUN)
    assert (view.version, view.position) == (5, 9)
    assert view.render()["running_steps"] == ["b"]


def test_the_same_view_is_returned() -> None:
    view = OutputsView()
    assert catch_up(view, filled(), RUN) is view


@pytest.mark.parametrize(
    ("until", "version", "position"),
    [(0, 0, 0), (1, 1, 1), (2, 1, 1), (3, 2, 3), (6, 3, 5), (7, 4, 7), (9, 5, 9), (99, 5, 9), (None, 5, 9)],
)
def test_a_view_stops_at_the_position_it_is_brought_to(until: int | None, version: int, position: int) -> None:
    view = catch_up(StatusView(), filled(), RUN, until=until)
    assert (view.version, view.position) == (version, position)


def test_catching_up_costs_what_is_new() -> None:
    log = filled()
    view = catch_up(StatusView(), log, RUN)
    assert log.reads == 5
    assert catch_up(view, log, RUN).version == 5
    assert log.reads == 5
    log.append(Append(RUN, 5, [succeeded("b")]))
    assert catch_up(view, log, RUN).version == 6
    assert log.reads == 6


def test_catching_up_bit_by_bit_is_catching_up_at_once() -> None:
    log = filled()
    view = StatusView()
    for until in range(10):
        catch_up(view, log, RUN, until=until)
    assert view.render() == catch_up(StatusView(), log, RUN).render()
    assert view.encode() == catch_up(StatusView(), log, RUN).encode()


def test_a_view_of_an_unknown_run_stays_empty() -> None:
    view: RunView = catch_up(OutputsView(), filled(), RunId(7))
    assert (view.version, view.position) == (0, 0)
