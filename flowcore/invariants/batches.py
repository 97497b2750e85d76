"""The invariants of a batch, checked event by event (contract reliability, I1, I4, I7, I11, I12 and I15).

As with runs, the checker keeps books of its own and shares no code with the machine but its tables.
"""

from collections.abc import Iterable
from typing import Final

from flowcore.batch.events import (
    BatchCreated,
    BatchEvent,
    BatchFailed,
    BatchStopped,
    BatchSucceeded,
    ItemEvent,
    ItemFailed,
    ItemStarted,
    ItemStopped,
    ItemSucceeded,
)
from flowcore.batch.machine import BATCH_TRANSITIONS, ENDED, ITEM_TRANSITIONS, BatchStatus, ItemStatus
from flowcore.ports import RecordedBatch

from .order import Order
from .violation import Violation

_OF_ITEMS: Final = (ItemStarted, ItemSucceeded, ItemFailed, ItemStopped)


class BatchChecker:
    """Checks the events of one batch, in their order; costs a constant for each."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.status = BatchStatus.NEW
        self._found: list[Violation] = []
        self._order = Order()
        self._workers = 0
        self._items: list[ItemStatus] = []
        self._counts = dict.fromkeys(ItemStatus, 0)

    def check(self, recorded: RecordedBatch) -> list[Violation]:
        """Take *recorded* in, and return what it violates; mostly nothing."""
        found = self._found = []
        for invariant, message in self._order.check(recorded):
            self._say(invariant, message)
        event = recorded.event
        after = BATCH_TRANSITIONS[self.status].get(type(event))
        if after is None:
            self._say("I4", f"{type(event).__name__} while the batch is {self.status}")
            return found
        if isinstance(event, BatchCreated):
            self._create(recorded, event)
        elif isinstance(event, _OF_ITEMS):
            self._item_event(event)
        elif after in ENDED:
            self._end(event)
        self.status = after
        return found

    def _say(self, invariant: str, message: str) -> None:
        self._found.append(Violation(invariant, message, self._order.position))

    def _create(self, recorded: RecordedBatch, event: BatchCreated) -> None:
        if event.batch_id != recorded.batch_id:
            self._say("I1", f"the stream of batch {recorded.batch_id} begins with batch {event.batch_id}")
        if not event.items:
            self._say("I12", "a batch without an item")
        self._workers = event.workers
        self._items = [ItemStatus.QUEUED] * len(event.items)
        self._counts[ItemStatus.QUEUED] = len(event.items)

    def _item_event(self, event: ItemEvent) -> None:
        if not 1 <= event.item <= len(self._items):
            self._say("I12", f"{type(event).__name__}: there is no item {event.item}")
            return
        before = self._items[event.item - 1]
        after = ITEM_TRANSITIONS[before].get(type(event))
        if after is None:
            self._say("I4", f"{type(event).__name__}: item {event.item} is {before}")
            return
        self._items[event.item - 1] = after
        self._counts[before] -= 1
        self._counts[after] += 1
        if self._counts[ItemStatus.RUNNING] > self._workers:
            self._say("I8", f"{self._counts[ItemStatus.RUNNING]} items run, and {self._workers} may")

    def _end(self, event: BatchEvent) -> None:
        kind = type(event).__name__
        counts = self._counts
        open_items = counts[ItemStatus.QUEUED] + counts[ItemStatus.RUNNING]
        if open_items and not isinstance(event, BatchStopped):
            self._say("I9", f"{kind}, but {open_items} items have not ended")
        if isinstance(event, BatchSucceeded) and not counts[ItemStatus.SUCCEEDED]:
            self._say("I12", f"{kind}, but no item succeeded")
        if isinstance(event, BatchFailed) and (counts[ItemStatus.SUCCEEDED] or not counts[ItemStatus.FAILED]):
            self._say("I12", f"{kind}, but {counts[ItemStatus.SUCCEEDED]} items succeeded")
        counts[ItemStatus.STOPPED] += open_items
        counts[ItemStatus.QUEUED] = counts[ItemStatus.RUNNING] = 0


def batch_violations(events: Iterable[RecordedBatch]) -> list[Violation]:
    """Return everything that the events of one batch violate, in their order."""
    checker = BatchChecker()
    return [found for recorded in events for found in checker.check(recorded)]
