"""The intents of a batch: what a caller asks for and what the shell reports. Time enters here."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import attrs
from attrs.validators import ge, min_len

from flowcore.ids import BatchId
from flowcore.values import Instant

from .events import BatchItem, BatchSource


class Outcome(StrEnum):
    """How the run of an item ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


@attrs.frozen(kw_only=True)
class CreateBatch:
    """Accept a batch of *items*, of which there is at least one.

    Attributes:
        workers: How many of them go on at once; at least 1.
    """

    batch_id: BatchId
    source: BatchSource
    items: tuple[BatchItem, ...] = attrs.field(validator=min_len(1))
    workers: int = attrs.field(validator=ge(1))
    at: Instant
    priority: int = 0
    folder: str | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class ResumeBatch:
    """Take the batch over from a program that is gone.

    Attributes:
        owner: What people call the new owner.
        epoch: The epoch of its claim.
    """

    owner: str
    epoch: int
    at: Instant


@attrs.frozen(kw_only=True)
class StartItem:
    """Say that the run of an item is about to leave the queue."""

    item: int
    at: Instant


@attrs.frozen(kw_only=True)
class ReportItem:
    """Say that the run of an item has ended.

    Attributes:
        error: Why it failed, for people.
    """

    item: int
    outcome: Outcome
    at: Instant
    error: str = ""


@attrs.frozen(kw_only=True)
class StopBatch:
    """End the batch: nothing of it starts any more. After this, stop the runs of its items."""

    at: Instant
    reason: str = "stopped"


BatchCommand: TypeAlias = CreateBatch | ResumeBatch | StartItem | ReportItem | StopBatch
