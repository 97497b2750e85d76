"""The consequences of what happened: skips, joins, pauses, what is given up, and the end of the run."""

from collections.abc import Iterator

from flowcore.values import Instant

from .events import (
    AwaitFailed,
    Event,
    FanOutFailed,
    FanOutSucceeded,
    RetryAbandoned,
    RunFailed,
    RunStopped,
    RunSucceeded,
    SkipCause,
    StepPaused,
    StepSkipped,
)
from .machine import RunStatus, StepStatus
from .state import FanOut, InstanceState, RunState


def settle(state: RunState, at: Instant) -> Iterator[Event]:
    """Yield what follows from what happened up to *at*; nothing when that is recorded already."""
    if state.status not in {RunStatus.RUNNING, RunStatus.PAUSED}:
        return
    if state.breaks and state.breaking_off:
        index, cause = next(iter(state.breaks.items()))
        yield StepPaused(instance=state.steps[index].id, cause=cause, at=at)
        return
    if not state.open:
        if state.paused_at is None:
            yield _end(state, at)
        return
    skipped: set[int] = set()
    for doomed in state.doomed:
        if doomed.index not in skipped and state.steps[doomed.index].status is StepStatus.PENDING:
            skipped.add(doomed.index)
            yield StepSkipped(
                instance=state.steps[doomed.index].id, cause=SkipCause.UPSTREAM, reason=doomed.reason, at=at
            )
    yield from _miss_artifacts(state, at)
    for index in state.breaking:
        yield from _break(state.fan_outs[index], at)
    for index in state.joins:
        yield _join(state, state.fan_outs[index], index, at)
    if state.stop_requested:
        yield from give_up(state, at, SkipCause.RUN_STOPPED, f"the run was stopped: {state.stop_reason}", skipped)
    elif state.halted_by is not None:
        reason = f"the run stopped because step '{state.halted_by}' failed"
        yield from give_up(state, at, SkipCause.RUN_FAILED, reason, skipped)


def _miss_artifacts(state: RunState, at: Instant) -> Iterator[Event]:
    until = state.await_until
    if until is None or at < until or not state.breaking_off:
        return
    for index, edges in state.awaiting.items():
        missing = ", ".join(f"'{edge}'" for edge in sorted(edges))
        error = f"nothing came for {missing} within {state.flow.await_s:g} s"
        yield AwaitFailed(step=state.flow.steps[index].name, code="artifact-missing", error=error, at=at)


def _end(state: RunState, at: Instant) -> Event:
    if state.stop_requested:
        return RunStopped(at=at)
    return RunFailed(at=at) if state.failed else RunSucceeded(at=at)


def give_up(
    state: RunState, at: Instant, cause: SkipCause, reason: str, done: set[int] | frozenset[int] = frozenset()
) -> Iterator[Event]:
    """Yield the end of every step that is not under way, but for those in *done*."""
    for number, instance in enumerate(state.steps):
        if number not in done:
            yield from _drop(instance, cause, reason, at)


def _break(fan_out: FanOut, at: Instant) -> Iterator[Event]:
    for instance in fan_out.instances:
        yield from _drop(instance, SkipCause.UPSTREAM, "the fan-out was given up", at)


_NOT_BEGUN = frozenset({StepStatus.PENDING, StepStatus.READY, StepStatus.PAUSED})


def _drop(instance: InstanceState, cause: SkipCause, reason: str, at: Instant) -> Iterator[Event]:
    if instance.status is StepStatus.RETRYING:
        yield RetryAbandoned(instance=instance.id, at=at)
    elif instance.status in _NOT_BEGUN:
        yield StepSkipped(instance=instance.id, cause=cause, reason=reason, at=at)


def _join(state: RunState, fan_out: FanOut, index: int, at: Instant) -> Event:
    step = state.flow.steps[index].name
    if all(instance.status is StepStatus.SUCCEEDED for instance in fan_out.instances):
        return FanOutSucceeded(step=step, at=at)
    error = fan_out.first_error or "not every item ran"
    return FanOutFailed(step=step, error=error, at=at)
