"""The consequences of what happened: skips, joins, pauses, what is given up, and the end of the run."""

from collections.abc import Iterator

from flowcore.ids import StepName
from flowcore.values import Instant

from .events import (
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    Event,
    FanOutFailed,
    FanOutSucceeded,
    IterationStarted,
    RetryAbandoned,
    RunFailed,
    RunStopped,
    RunSucceeded,
    SkipCause,
    StepPaused,
    StepSkipped,
)
from .machine import RunStatus, StepStatus
from .state import NOT_GIVEN_UP, FanOut, InstanceState, RunState, Scope


def settle(state: RunState, at: Instant) -> Iterator[Event]:
    """Yield what follows from what happened up to *at*; nothing when that is recorded already."""
    if state.status not in {RunStatus.RUNNING, RunStatus.PAUSED}:
        return
    if state.breaks and state.breaking_off:
        index, cause = next(iter(state.breaks.items()))
        yield StepPaused(instance=state.steps[index].id, cause=cause, at=at)
        return
    if not state.root.open:
        if state.paused_at is None:
            yield _end(state, at)
        return
    ends = tuple(_close(state, at)) or tuple(_miss_artifacts(state, at))
    yield from ends
    # What ends may give up what would begin or waits, so that comes when it is recorded.
    if not ends and state.breaking_off:
        yield from _enter(state, at)


def _close(state: RunState, at: Instant) -> Iterator[Event]:
    skipped: set[int] = set()
    for doomed in state.doomed:
        instance = state.steps[doomed.index]
        if doomed.index not in skipped and instance.status is StepStatus.PENDING:
            skipped.add(doomed.index)
            yield StepSkipped(instance=instance.id, cause=SkipCause.UPSTREAM, reason=doomed.reason, at=at)
    for number in state.ending:
        yield _end_body(state, state.scopes[number], at)
    for index in state.breaking:
        yield from _break(state.fan_outs[index], at)
    for index in state.joins:
        yield _join(state, state.fan_outs[index], index, at)
    for number in state.dropping:
        yield from give_up_steps(state, state.scopes[number], at, skipped)


def _enter(state: RunState, at: Instant) -> Iterator[Event]:
    for index, item in state.entering:
        instance = state.instance_at(index, item)
        if item < 0 and state.step_of(instance).loop is not None:
            yield IterationStarted(step=StepName(instance.id), number=0, at=at)
        else:
            yield BodyStarted(instance=instance.id, at=at)


def _end_body(state: RunState, scope: Scope, at: Instant) -> Event:
    owner = state.instance_at(*(scope.owner or (0, 0)))
    if not scope.failed and scope.given_up is None:
        return BodySucceeded(instance=owner.id, at=at)
    return BodyFailed(instance=owner.id, error=scope.error or (scope.given_up or NOT_GIVEN_UP).reason, at=at)


def _miss_artifacts(state: RunState, at: Instant) -> Iterator[Event]:
    until = state.await_until
    if until is None or at < until or not state.breaking_off:
        return
    for index, edges in state.awaiting.items():
        missing = ", ".join(f"'{edge}'" for edge in sorted(edges))
        error = f"nothing came for {missing} within {state.flow.await_s:g} s"
        yield AwaitFailed(step=StepName(state.steps[index].id), code="artifact-missing", error=error, at=at)


def _end(state: RunState, at: Instant) -> Event:
    if state.stop_requested:
        return RunStopped(at=at)
    return RunFailed(at=at) if state.failed else RunSucceeded(at=at)


def give_up_steps(
    state: RunState, scope: Scope, at: Instant, done: set[int] | frozenset[int] = frozenset()
) -> Iterator[Event]:
    """Yield the end of every step of *scope* that is not under way, but for those in *done*."""
    why = scope.given_up or NOT_GIVEN_UP
    for number in range(scope.first, scope.first + scope.size):
        if number not in done:
            yield from _drop(state.steps[number], why.cause, why.reason, at)


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
    step = StepName(state.steps[index].id)
    if state.specs[index].loop is None and all(
        instance.status is StepStatus.SUCCEEDED for instance in fan_out.instances
    ):
        return FanOutSucceeded(step=step, at=at)
    error = fan_out.first_error or "not every item ran"
    return FanOutFailed(step=step, error=error, at=at)
