"""The facts of a batch.

These classes are a storage format, as those of a run are (see `flowcore.run.events`): names and fields are never
renamed or reused, new fields have defaults, and any other change goes through an upcaster in `flowcore.codec`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import attrs

from flowcore.audit import CallAccepted
from flowcore.ids import BatchId
from flowcore.values import Instant


class BatchSource(StrEnum):
    """Where the items of a batch were taken from."""

    FOLDER = "folder"
    FILES = "files"
    WORKFLOWS = "workflows"


@attrs.frozen(kw_only=True)
class BatchItem:
    """One item, as it was handed in; its run is created in the same moment as the batch (see `flowcore.ids.item_run`).

    Attributes:
        name: What people call it: the name of its file.
        path: Where that was found, or None when it never was a file.
    """

    name: str
    path: str | None = None


@attrs.frozen(kw_only=True)
class BatchCreated:
    """A batch was accepted, with the runs of all its *items*; it is running from here on.

    Attributes:
        items: In the order in which they start; numbered from 1.
        workers: How many of them go on at once.
        priority: Batches of a higher one come first.
        folder: The folder that they were found in, as the caller wrote it; None for other sources.
        labels: What else is known of it, by name.
    """

    batch_id: BatchId
    source: BatchSource
    items: tuple[BatchItem, ...]
    workers: int
    at: Instant
    priority: int = 0
    folder: str | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class BatchResumed:
    """Another program drives the batch from here on: the one before is gone.

    Attributes:
        owner: What people call the new one.
        epoch: The epoch of its claim.
    """

    owner: str
    epoch: int
    at: Instant


@attrs.frozen(kw_only=True)
class ItemStarted:
    """The run of an item left the queue."""

    item: int
    at: Instant


@attrs.frozen(kw_only=True)
class ItemSucceeded:
    """The run of an item succeeded."""

    item: int
    at: Instant


@attrs.frozen(kw_only=True)
class ItemFailed:
    """The run of an item failed.

    Attributes:
        error: The note that people read.
    """

    item: int
    error: str
    at: Instant


@attrs.frozen(kw_only=True)
class ItemStopped:
    """The run of an item was stopped, alone: it counts neither as completed nor as failed."""

    item: int
    at: Instant


@attrs.frozen(kw_only=True)
class BatchSucceeded:
    """Every item has ended, and at least one of them succeeded."""

    at: Instant


@attrs.frozen(kw_only=True)
class BatchFailed:
    """Every item has ended, none of them succeeded, and at least one failed."""

    at: Instant


@attrs.frozen(kw_only=True)
class BatchStopped:
    """Somebody stopped the batch, or every single one of its items: whatever had not ended counts as stopped."""

    reason: str
    at: Instant


ItemEvent: TypeAlias = ItemStarted | ItemSucceeded | ItemFailed | ItemStopped
BatchEvent: TypeAlias = (
    BatchCreated | CallAccepted | BatchResumed | ItemEvent | BatchSucceeded | BatchFailed | BatchStopped
)
