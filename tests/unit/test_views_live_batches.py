"""The live events of a batch: on every count or status change, in the order of the log."""

from collections.abc import Mapping

import pytest

from flowcore.batch.events import BatchEvent, BatchFailed, BatchResumed, BatchSucceeded
from flowcore.ports import RecordedBatch
from flowcore.values import Json
from flowcore.views.live_batches import LiveBatch
from tests.batch_builders import BATCH, T1, accepted, began, broke, called_off, did, halted

Told = tuple[str, Mapping[str, Json]]
NAME = f"batch-{BATCH}"


def told(*events: BatchEvent, after: int = 0) -> list[Told]:
    batch = LiveBatch()
    found: list[Told] = []
    for number, event in enumerate(events, 1):
        emitted = batch.evolve(RecordedBatch(BATCH, number, number, event))
        if number > after:
            found.extend((each.name, each.payload) for each in emitted)
    return found


def update(status: str, *counts: int, total: int = 3) -> Told:
    """Return an update; *counts* are those of completed, failed, running and queued items."""
    completed, failed, running, queued = counts
    return "batch-update", {
        "batchId": NAME,
        "completed": completed,
        "totalWorkflows": total,
        "status": status,
        "failed": failed,
        "running": running,
        "queued": queued,
    }


def test_a_batch_from_its_beginning_to_its_end() -> None:
    events = (accepted(2), began(1), did(1), began(2), broke(2), BatchSucceeded(at=T1))
    assert told(*events) == [
        ("batch-start", {"batchId": NAME, "totalWorkflows": 2, "timestamp": 100000}),
        update("running", 0, 0, 0, 2, total=2),
        update("running", 0, 0, 1, 1, total=2),
        update("running", 1, 0, 0, 1, total=2),
        update("running", 1, 0, 1, 0, total=2),
        update("running", 1, 1, 0, 0, total=2),
        update("completed", 1, 1, 0, 0, total=2),
        (
            "batch-complete",
            {
                "batchId": NAME,
                "status": "completed",
                "totalWorkflows": 2,
                "completed": 1,
                "failed": 1,
                "timestamp": 101000,
            },
        ),
    ]


def test_one_of_which_nothing_succeeded() -> None:
    events = (accepted(1), began(1), broke(1), BatchFailed(at=T1))
    assert [payload["status"] for _, payload in told(*events, after=3)] == ["error", "error"]


def test_a_stopped_one_does_not_complete() -> None:
    assert told(accepted(3), began(1), called_off(), after=2) == [update("stopped", 0, 0, 0, 0)]


def test_an_item_that_was_stopped_alone_is_neither_completed_nor_failed() -> None:
    assert told(accepted(3), began(1), halted(1), after=2) == [update("running", 0, 0, 0, 2)]


def test_what_changes_no_count_is_not_told() -> None:
    assert told(accepted(3), BatchResumed(owner="process 2", epoch=2, at=T1), after=1) == []


@pytest.mark.parametrize(("events", "ended"), [((accepted(),), False), ((accepted(), called_off()), True)])
def test_whether_it_is_over(events: tuple[BatchEvent, ...], ended: bool) -> None:
    batch = LiveBatch()
    for number, event in enumerate(events, 1):
        batch.evolve(RecordedBatch(BATCH, number, number, event))
    assert batch.ended is ended
