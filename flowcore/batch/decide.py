"""What may happen next to a batch: commands in, events out. Refuses or adds; asked twice adds nothing."""

from collections.abc import Mapping
from typing import Final, assert_never

from flowcore.errors import CommandRejectedError
from flowcore.values import Instant

from .commands import BatchCommand, CreateBatch, Outcome, ReportItem, ResumeBatch, StartItem, StopBatch
from .events import (
    BatchCreated,
    BatchEvent,
    BatchFailed,
    BatchResumed,
    BatchStopped,
    BatchSucceeded,
    ItemFailed,
    ItemStarted,
    ItemStopped,
    ItemSucceeded,
)
from .machine import OPEN, BatchStatus, ItemStatus
from .state import BatchState

_ENDS: Final[Mapping[Outcome, ItemStatus]] = {
    Outcome.SUCCEEDED: ItemStatus.SUCCEEDED,
    Outcome.FAILED: ItemStatus.FAILED,
    Outcome.STOPPED: ItemStatus.STOPPED,
}


def decide(command: BatchCommand, state: BatchState) -> tuple[BatchEvent, ...]:
    """Return the events that *command* leads to in *state*; none when it is late or repeated.

    Raises:
        CommandRejectedError: The command makes no sense here: `batch-exists`, `batch-missing`, `not-startable`,
            `no-such-item`.
    """
    if isinstance(command, CreateBatch):
        return _create(command, state)
    if state.status is BatchStatus.NEW:
        raise CommandRejectedError("batch-missing", "there is no such batch")
    match command:
        case ResumeBatch():
            late = state.ended or command.epoch <= state.epoch
            return () if late else (BatchResumed(owner=command.owner, epoch=command.epoch, at=command.at),)
        case StartItem():
            return _start(command, state)
        case ReportItem():
            return _report(command, state)
        case StopBatch(at=at, reason=reason):
            return () if state.ended else (BatchStopped(reason=reason, at=at),)
        case _:
            assert_never(command)


def _create(command: CreateBatch, state: BatchState) -> tuple[BatchEvent, ...]:
    if state.status is not BatchStatus.NEW:
        raise CommandRejectedError("batch-exists", f"batch {command.batch_id} exists already")
    return (
        BatchCreated(
            batch_id=command.batch_id,
            source=command.source,
            items=command.items,
            workers=command.workers,
            priority=command.priority,
            at=command.at,
            folder=command.folder,
            labels=command.labels,
        ),
    )


def _start(command: StartItem, state: BatchState) -> tuple[BatchEvent, ...]:
    _must_be_known(command.item, state)
    if not state.startable or state.at(command.item) is not ItemStatus.QUEUED:
        raise CommandRejectedError("not-startable", f"item {command.item} cannot start now")
    return (ItemStarted(item=command.item, at=command.at),)


def _report(command: ReportItem, state: BatchState) -> tuple[BatchEvent, ...]:
    _must_be_known(command.item, state)
    item, at = command.item, command.at
    # What ends after the batch was stopped, or is told again, changes no count.
    if state.ended or state.at(item) not in OPEN:
        return ()
    ended: BatchEvent
    match command.outcome:
        case Outcome.SUCCEEDED:
            ended = ItemSucceeded(item=item, at=at)
        case Outcome.FAILED:
            ended = ItemFailed(item=item, error=command.error, at=at)
        case Outcome.STOPPED:
            ended = ItemStopped(item=item, at=at)
        case _:
            assert_never(command.outcome)
    return (ended,) if state.open > 1 else (ended, _end(state, _ENDS[command.outcome], at))


def _end(state: BatchState, last: ItemStatus, at: Instant) -> BatchEvent:
    """Return how the batch ends with its last item (contract executions, section 3)."""
    if state.counts[ItemStatus.SUCCEEDED] or last is ItemStatus.SUCCEEDED:
        return BatchSucceeded(at=at)
    if state.counts[ItemStatus.FAILED] or last is ItemStatus.FAILED:
        return BatchFailed(at=at)
    return BatchStopped(reason="every item was stopped", at=at)


def _must_be_known(item: int, state: BatchState) -> None:
    if not state.knows(item):
        raise CommandRejectedError("no-such-item", f"batch {state.batch_id} has no item {item}")
