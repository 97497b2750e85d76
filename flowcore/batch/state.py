"""The state of a batch: what one private fold over its events (`evolve`) amounts to.

Whoever folds owns the state and nobody else ever sees it, so it is updated in place. It counts as it goes and keeps the
place of the next queued item, so neither folding nor asking what may start walks all items.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from flowcore.ids import BatchId
from flowcore.values import Instant

from .events import BatchItem
from .machine import ENDED, OPEN, BatchStatus, ItemStatus

FIRST: Final = 1
"""The number of the first item."""


class BatchState:
    """What a fold of a batch's events amounts to; see the module's text. Read it, never change it.

    Attributes:
        statuses: Where each item stands; item 1 at index 0.
        counts: How many items stand where; they always add up to the number of items.
        started: The running items, in the order in which they started.
        next: The number of the first item that may be queued still; those before it are not.
    """

    def __init__(self) -> None:
        """Start before the first event."""
        self.status = BatchStatus.NEW
        self.version = 0
        self.batch_id = BatchId(0)
        self.epoch = 0
        self.workers = 1
        self.priority = 0
        self.created_at = Instant(0.0)
        self.ended_at: Instant | None = None
        self.items: Sequence[BatchItem] = ()
        self.statuses: list[ItemStatus] = []
        self.counts: Counter[ItemStatus] = Counter()
        self.started: dict[int, None] = {}
        self.next = FIRST

    @property
    def ended(self) -> bool:
        """Whether the batch is over."""
        return self.status in ENDED

    @property
    def open(self) -> int:
        """How many items have not ended."""
        return self.counts[ItemStatus.QUEUED] + self.counts[ItemStatus.RUNNING]

    @property
    def startable(self) -> bool:
        """Whether an item may start as far as the batch itself is concerned."""
        waiting = self.status is BatchStatus.RUNNING and self.counts[ItemStatus.QUEUED] > 0
        return waiting and self.counts[ItemStatus.RUNNING] < self.workers

    def knows(self, item: int) -> bool:
        """Return whether there is an item of that number."""
        return FIRST <= item <= len(self.statuses)

    def at(self, item: int) -> ItemStatus:
        """Return where *item* (counted from 1) stands.

        Raises:
            IndexError: There is no such item.
        """
        if item < FIRST:  # which Python would count from the end
            raise IndexError(f"there is no item {item}")
        return self.statuses[item - FIRST]

    def unended(self) -> list[int]:
        """Return the numbers of the items that have not ended, running ones first; walks all items."""
        queued = (number for number, status in enumerate(self.statuses, FIRST) if status is ItemStatus.QUEUED)
        return [*self.started, *queued] if self.status not in ENDED else []

    def move(self, item: int, status: ItemStatus) -> None:
        """Take *item* to *status*; only `evolve` calls this."""
        before = self.statuses[item - FIRST]
        self.statuses[item - FIRST] = status
        self.counts[before] -= 1
        self.counts[status] += 1
        if status is ItemStatus.RUNNING:
            self.started[item] = None
        else:
            self.started.pop(item, None)
        while self.next <= len(self.statuses) and self.statuses[self.next - FIRST] is not ItemStatus.QUEUED:
            self.next += 1

    def stop_open(self) -> None:
        """Take every item that has not ended to `stopped`; only `evolve` calls this."""
        self.statuses = [ItemStatus.STOPPED if status in OPEN else status for status in self.statuses]
        self.counts = Counter(self.statuses)
        self.started.clear()
        self.next = len(self.statuses) + FIRST
