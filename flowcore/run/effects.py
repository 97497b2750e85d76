"""What the shell must do next: derived from the state, never stored.

After performing an effect the shell reports with a command; doing it twice does no harm, for the second report is late
and adds nothing.
"""

from collections.abc import Container
from typing import Final, TypeAlias

import attrs

from flowcore.ids import InstanceId, StepName
from flowcore.maker import maker
from flowcore.values import Instant

from .machine import RunStatus, StepStatus
from .queues import in_order
from .state import RunState


@attrs.frozen
class Perform:
    """Start the next attempt: send `StartAttempt`, commit, hand the instance to its source, report."""

    instance: InstanceId


@attrs.frozen
class Resolve:
    """Evaluate `when` and `for_each` of a step and send `ReportGuard` or `ReportGuardFailure`."""

    step: StepName


@attrs.frozen
class Iterate:
    """Evaluate the condition of a loop, over what iteration *number* has left, and send `ReportIteration`."""

    step: StepName
    number: int


@attrs.frozen
class Cancel:
    """Cancel an attempt in the air and report its end; asked for until it is reported."""

    instance: InstanceId


@attrs.frozen
class Consequences:
    """Send `Settle`: something that happened has consequences that are not yet recorded."""


make_perform: Final = maker(Perform)

Effect: TypeAlias = Perform | Resolve | Iterate | Cancel | Consequences

_CONSEQUENCES = (Consequences(),)


def pending(state: RunState, now: Instant, but: Container[InstanceId] = ()) -> tuple[Effect, ...]:
    """Return what the shell must do now; empty when it can only wait (see `wake_at`).

    Args:
        but: Instances that the shell cannot begin just now, so that it is told of those behind them.

    Consequences come alone and first. The cost is that of the answer, not that of the flow: at most as many
    instances are named as may start under `max_workers`, in file order.
    """
    if state.status is RunStatus.RUNNING or state.status is RunStatus.PAUSED:
        if state.unsettled:
            return _CONSEQUENCES
        if state.stop_requested:
            return tuple(Cancel(instance) for instance in state.in_the_air)
        if state.status is RunStatus.RUNNING:
            if state.awaiting and _given_up(state, now):
                return _CONSEQUENCES
            asked = tuple(_ask(state, index) for index in state.asking) if state.asking else ()
            if (state.ready.front or state.retries) and len(state.in_the_air) < state.max_workers:
                return (*asked, *_startable(state, now, but)) if asked else _startable(state, now, but)
            return asked
    return ()


def wake_at(state: RunState) -> Instant | None:
    """Return when to ask `pending` again though nothing has happened, or None."""
    if not state.retries and not state.awaiting:
        return None
    if state.status is not RunStatus.RUNNING or state.stop_requested:
        return None
    until = state.await_until
    # While every worker is busy only a report can make room.
    if not state.retries or len(state.in_the_air) >= state.max_workers:
        return until
    due = state.retries[0][0]
    return due if until is None else min(due, until)


def _given_up(state: RunState, now: Instant) -> bool:
    """Return whether artifacts have been waited for long enough."""
    until = state.await_until
    return until is not None and now >= until and state.breaking_off


def _startable(state: RunState, now: Instant, but: Container[InstanceId]) -> tuple[Effect, ...]:
    free = state.max_workers - len(state.in_the_air)
    if not state.retries:
        return tuple(_ready(state, free, but))
    due = _due(state, free, but, now)
    return (*due, *_ready(state, free - len(due), but))


def _ask(state: RunState, index: int) -> Iterate:
    return Iterate(StepName(state.steps[index].id), len(state.fan_outs[index].instances) - 1)


def _ready(state: RunState, most: int, but: Container[InstanceId]) -> list[Effect]:
    """Return what to do for the first *most* instances that are ready, without taking them out of their queue."""
    found: list[Effect] = []
    steps = state.steps
    for index, item in state.ready:
        if len(found) >= most:
            break
        instance = steps[index] if item < 0 else state.instance_at(index, item)
        if instance.id not in but:
            guarded = instance.guarded and item < 0
            found.append(Resolve(StepName(instance.id)) if guarded else make_perform(instance.id))
    return found


def _due(state: RunState, most: int, but: Container[InstanceId], now: Instant) -> list[Effect]:
    """Return what to do for the first *most* instances whose retries are due, without taking them out."""
    found: list[Effect] = []
    last = None
    for due, index, item in in_order(state.retries):
        if due > now or len(found) >= most:
            break
        instance = state.instance_at(index, item)
        # The same entry may be there twice; then one comes right after the other.
        if instance.status is StepStatus.RETRYING and instance.due == due and instance is not last:
            last = instance
            if instance.id not in but:
                found.append(make_perform(instance.id))
    return found
