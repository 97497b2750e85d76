"""Taking events into the state of a batch, in place and for good: it happened."""

from collections.abc import Iterable
from typing import assert_never

from flowcore.audit import CallAccepted

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
from .machine import BATCH_TRANSITIONS, ITEM_TRANSITIONS, ItemStatus
from .state import BatchState


def fold(events: Iterable[BatchEvent], state: BatchState | None = None) -> BatchState:
    """Fold *events* in their order onto *state* (which is used up), or onto a new one."""
    state = BatchState() if state is None else state
    for event in events:
        evolve(state, event)
    return state


def evolve(state: BatchState, event: BatchEvent) -> BatchState:
    """Take *event* into *state*, in place, and return it. Never refuses: it happened."""
    state.version += 1
    state.status = BATCH_TRANSITIONS[state.status].get(type(event), state.status)
    match event:
        case ItemStarted(item=item) | ItemSucceeded(item=item) | ItemFailed(item=item) | ItemStopped(item=item):
            after = ITEM_TRANSITIONS[state.at(item)].get(type(event))
            if after is not None:
                state.move(item, after)
        case BatchCreated():
            _create(state, event)
        case CallAccepted():
            pass
        case BatchResumed(epoch=epoch):
            state.epoch = epoch
        case BatchSucceeded(at=at) | BatchFailed(at=at):
            state.ended_at = at
        case BatchStopped(at=at):
            state.ended_at = at
            state.stop_open()
        case _:
            assert_never(event)
    return state


def _create(state: BatchState, event: BatchCreated) -> None:
    state.batch_id = event.batch_id
    state.items = event.items
    state.workers = event.workers
    state.priority = event.priority
    state.created_at = event.at
    state.statuses = [ItemStatus.QUEUED] * len(event.items)
    state.counts[ItemStatus.QUEUED] = len(event.items)
