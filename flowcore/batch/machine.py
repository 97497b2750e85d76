"""The machine of a batch as data: `BATCH_TRANSITIONS` for the batch, `ITEM_TRANSITIONS` for each of its items.

A batch runs from the moment it is accepted and ends succeeded (at least one item did), failed or stopped. An item waits
in the queue, runs, and ends as its run does; one that is stopped in the queue never runs. When a batch is stopped, its
items that have not ended are stopped with it, in the same event.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from flowcore.audit import CallAccepted

from .events import (
    BatchCreated,
    BatchEvent,
    BatchFailed,
    BatchResumed,
    BatchStopped,
    BatchSucceeded,
    ItemEvent,
    ItemFailed,
    ItemStarted,
    ItemStopped,
    ItemSucceeded,
)


class BatchStatus(StrEnum):
    """Where a batch stands."""

    NEW = "new"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


class ItemStatus(StrEnum):
    """Where an item stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


BATCH_TRANSITIONS: Final[Mapping[BatchStatus, Mapping[type[BatchEvent], BatchStatus]]] = MappingProxyType(
    {
        BatchStatus.NEW: {BatchCreated: BatchStatus.RUNNING},
        BatchStatus.RUNNING: {
            CallAccepted: BatchStatus.RUNNING,
            BatchResumed: BatchStatus.RUNNING,
            ItemStarted: BatchStatus.RUNNING,
            ItemSucceeded: BatchStatus.RUNNING,
            ItemFailed: BatchStatus.RUNNING,
            ItemStopped: BatchStatus.RUNNING,
            BatchSucceeded: BatchStatus.SUCCEEDED,
            BatchFailed: BatchStatus.FAILED,
            BatchStopped: BatchStatus.STOPPED,
        },
        BatchStatus.SUCCEEDED: {},
        BatchStatus.FAILED: {},
        BatchStatus.STOPPED: {},
    }
)
"""Where each event takes a batch; an event that is missing from a row cannot happen there."""

ITEM_TRANSITIONS: Final[Mapping[ItemStatus, Mapping[type[ItemEvent], ItemStatus]]] = MappingProxyType(
    {
        # One that was stopped, or taken out of the queue by hand and run to its end, ends without having started here.
        ItemStatus.QUEUED: {
            ItemStarted: ItemStatus.RUNNING,
            ItemSucceeded: ItemStatus.SUCCEEDED,
            ItemFailed: ItemStatus.FAILED,
            ItemStopped: ItemStatus.STOPPED,
        },
        ItemStatus.RUNNING: {
            ItemSucceeded: ItemStatus.SUCCEEDED,
            ItemFailed: ItemStatus.FAILED,
            ItemStopped: ItemStatus.STOPPED,
        },
        ItemStatus.SUCCEEDED: {},
        ItemStatus.FAILED: {},
        ItemStatus.STOPPED: {},
    }
)
"""Where each event takes an item; `BatchStopped` takes every item that has not ended to `stopped`."""

ENDED: Final = frozenset({BatchStatus.SUCCEEDED, BatchStatus.FAILED, BatchStatus.STOPPED})
OPEN: Final = frozenset({ItemStatus.QUEUED, ItemStatus.RUNNING})
"""Items that have not ended."""


def standing(last: BatchEvent) -> BatchStatus:
    """Return where a batch stands whose newest event is *last*: nothing follows the end of a batch."""
    return BATCH_TRANSITIONS[BatchStatus.RUNNING].get(type(last), BatchStatus.RUNNING)
