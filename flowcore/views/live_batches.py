"""The live events of a batch: `batch-start`, `batch-update` and `batch-complete` (contract executions, section 7)."""

from collections.abc import Iterator

from flowcore.batch.events import BatchCreated, BatchFailed, BatchSucceeded
from flowcore.batch.evolve import evolve
from flowcore.batch.machine import ItemStatus
from flowcore.batch.state import BatchState
from flowcore.ids import BatchId
from flowcore.ports import RecordedBatch
from flowcore.values import Instant, Json

from .batches import BATCH_WORDS
from .executions import batch_id
from .live import WireEvent


class LiveBatch:
    """A fold of one batch's events that tells what to emit for each."""

    def __init__(self) -> None:
        """Start before the first event."""
        self._state = BatchState()

    @property
    def ended(self) -> bool:
        """Whether the batch is over: nothing will come any more."""
        return self._state.ended

    def evolve(self, recorded: RecordedBatch) -> tuple[WireEvent, ...]:
        """Take *recorded* in, and return what to emit for it."""
        before = self._update()
        evolve(self._state, recorded.event)
        return tuple(self._events(recorded, before))

    def _events(self, recorded: RecordedBatch, before: dict[str, Json]) -> Iterator[WireEvent]:
        event = recorded.event
        after = self._update()
        if isinstance(event, BatchCreated):
            total = len(event.items)
            yield WireEvent("batch-start", {**_named(event.batch_id), "totalWorkflows": total, **_at(event.at)})
        if after != before:
            yield WireEvent("batch-update", after)
        # A batch that was stopped does not complete.
        if isinstance(event, BatchSucceeded | BatchFailed):
            parts = {name: after[name] for name in ("status", "totalWorkflows", "completed", "failed")}
            yield WireEvent("batch-complete", {**_named(recorded.batch_id), **parts, **_at(event.at)})

    def _update(self) -> dict[str, Json]:
        state = self._state
        return {
            **_named(state.batch_id),
            "completed": state.counts[ItemStatus.SUCCEEDED],
            "totalWorkflows": len(state.items),
            "status": BATCH_WORDS[state.status],
            "failed": state.counts[ItemStatus.FAILED],
            "running": state.counts[ItemStatus.RUNNING],
            "queued": state.counts[ItemStatus.QUEUED],
        }


def _named(batch: BatchId) -> dict[str, Json]:
    return {"batchId": batch_id(batch)}


def _at(moment: Instant) -> dict[str, Json]:
    return {"timestamp": round(moment * 1000)}
