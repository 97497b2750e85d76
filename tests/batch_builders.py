"""Short words for the events of a batch: what the examples of its machine are written in."""

from collections.abc import Iterable
from typing import Final

from flowcore.batch.commands import Outcome, ReportItem, StartItem
from flowcore.batch.events import (
    BatchCreated,
    BatchEvent,
    BatchItem,
    BatchSource,
    BatchStopped,
    ItemFailed,
    ItemStarted,
    ItemStopped,
    ItemSucceeded,
)
from flowcore.ids import BatchId
from flowcore.ports import RecordedBatch
from flowcore.values import Instant, Json

BATCH: Final = BatchId(1_000)
T0, T1 = Instant(100.0), Instant(101.0)
FOLDER: Final = "./tests/workflows/sample"
STATUS: Final[Json] = {
    "batchId": "batch-1709856234567",
    "status": "running",
    "sourceType": "folder",
    "folderPath": "./tests/workflows/sample",
    "totalWorkflows": 5,
    "completed": 2,
    "running": 2,
    "queued": 1,
    "failed": 0,
    "startTime": 1709856234567,
    "endTime": None,
    "executions": [
        {
            "executionId": f"exec-1709856234567-{number}",
            "workflowFileName": f"workflow{number}.json",
            "workflowPath": f"./tests/workflows/sample/workflow{number}.json",
            "status": status,
            **more,
        }
        for number, status, more in [
            (1, "completed", {}),
            (2, "running", {"currentNodeId": "click-3"}),
            (3, "completed", {}),
            (4, "running", {}),
            (5, "queued", {}),
        ]
    ],
}
"""The response example of "Get Batch Status" (documents/executions-api.md)."""


def items(count: int) -> tuple[BatchItem, ...]:
    """Return *count* items."""
    return tuple(BatchItem(name=f"workflow{number}.json") for number in range(1, count + 1))


def accepted(count: int = 3, workers: int = 2, priority: int = 0, batch_id: BatchId = BATCH) -> BatchCreated:
    """Return the first event of a batch of *count* items."""
    return BatchCreated(
        batch_id=batch_id,
        source=BatchSource.WORKFLOWS,
        items=items(count),
        workers=workers,
        priority=priority,
        at=T0,
    )


def began(item: int) -> ItemStarted:
    """Return the start of an item."""
    return ItemStarted(item=item, at=T1)


def did(item: int) -> ItemSucceeded:
    """Return the success of an item."""
    return ItemSucceeded(item=item, at=T1)


def broke(item: int, error: str = "boom") -> ItemFailed:
    """Return the failure of an item."""
    return ItemFailed(item=item, error=error, at=T1)


def halted(item: int) -> ItemStopped:
    """Return the end of an item that was stopped."""
    return ItemStopped(item=item, at=T1)


def called_off(reason: str = "stopped") -> BatchStopped:
    """Return the end of a batch that was stopped."""
    return BatchStopped(reason=reason, at=T1)


def start(item: int) -> StartItem:
    """Return the command that starts an item."""
    return StartItem(item=item, at=T1)


def report(item: int, outcome: Outcome = Outcome.SUCCEEDED, error: str = "") -> ReportItem:
    """Return the report on an item."""
    return ReportItem(item=item, outcome=outcome, error=error, at=T1)


def recorded_batch(events: Iterable[BatchEvent], batch_id: BatchId = BATCH, epoch: int = 0) -> list[RecordedBatch]:
    """Return *events* as a log of theirs alone would hold them."""
    return [RecordedBatch(batch_id, number, number, event, epoch) for number, event in enumerate(events, 1)]
