"""What the shell must do next: derived from the states of the batches, never stored.

One pool of workers is shared by all batches. Who gets the next free one is decided here: the batch of the highest
priority, and of several such the one that came first; one that is at its own limit is passed over (contract executions,
section 3, "Queue").
"""

import heapq

import attrs

from flowcore.ids import BatchId

from .machine import ItemStatus
from .state import BatchState


@attrs.frozen
class Launch:
    """Send `StartItem`, commit, and drive the run of the item; send `ReportItem` when it has ended."""

    batch_id: BatchId
    item: int


class BatchQueue:
    """The batches that wait for workers. Its cost is that of what starts, whatever number of batches there is.

    The states belong to whoever folds them; after one of them has changed, call `offer`.
    """

    def __init__(self) -> None:
        """Start without a batch."""
        self._heap: list[tuple[int, BatchId]] = []
        self._waiting: dict[BatchId, BatchState] = {}

    def offer(self, state: BatchState) -> None:
        """Let *state* have workers if it can use them now."""
        if state.startable and state.batch_id not in self._waiting:
            self._waiting[state.batch_id] = state
            heapq.heappush(self._heap, (-state.priority, state.batch_id))

    def withdraw(self, batch_id: BatchId) -> None:
        """Let a batch have no workers any more: it is driven by somebody else."""
        self._waiting.pop(batch_id, None)

    def pending(self, free: int) -> tuple[Launch, ...]:
        """Return what may start on *free* workers: all of it of the one batch whose turn it is.

        After having started that, call `offer` and ask again, until there is nothing or no worker is free.
        """
        while self._heap:
            _, batch_id = self._heap[0]
            state = self._waiting.get(batch_id)
            if state is None or not state.startable:
                heapq.heappop(self._heap)
                self._waiting.pop(batch_id, None)
                continue
            room = min(free, state.workers - state.counts[ItemStatus.RUNNING])
            return tuple(Launch(batch_id, item) for item in _queued(state, room))
        return ()


def _queued(state: BatchState, most: int) -> list[int]:
    """Return the first *most* queued items; the cost is that of those found, and of the few that left out of turn."""
    found: list[int] = []
    item = state.next
    while len(found) < most and state.knows(item):
        if state.at(item) is ItemStatus.QUEUED:
            found.append(item)
        item += 1
    return found
