"""What a run loses when its owner is gone, and what becomes of reports that come too late."""

from collections.abc import Iterator
from typing import Final

from flowcore.model import OnError
from flowcore.values import Instant

from .commands import RejectReport, ResumeRun
from .events import AttemptLost, AttemptStopped, Event, ReportRejected, RunResumed
from .machine import RunStatus
from .policy import policy, stops_run
from .state import InstanceState, RunState

MAX_LOST: Final = 10
"""How many attempts of one instance may be lost with their runner: a step that kills it must not do so for ever."""


def resume(command: ResumeRun, state: RunState) -> tuple[Event, ...]:
    """Take the run over: everything in the air is lost."""
    # A run that has not started has nothing to lose; one that was resumed in this epoch has lost it already.
    if state.status not in {RunStatus.RUNNING, RunStatus.PAUSED} or command.epoch <= state.epoch:
        return ()
    return (RunResumed(owner=command.owner, epoch=command.epoch, at=command.at), *_lose_all(state, command.at))


def _lose_all(state: RunState, at: Instant) -> Iterator[Event]:
    """Yield the loss of everything in the air; what the loss of one gives up, the others must not try again."""
    halted: set[int] = set()
    broken: set[int] = set()
    air = [state.instances[name] for name in state.in_the_air]
    # Those that have no further attempt come first: what they halt is known then.
    for instance in sorted(air, key=lambda instance: instance.lost < MAX_LOST):
        lost = _lose(state, instance, at, given_up=_given_up(state, instance, halted, broken))
        yield lost
        if isinstance(lost, AttemptLost) and lost.retry_at is None:
            if instance.item < 0 and _halts(state, instance):
                halted.add(instance.scope)
            elif instance.item >= 0 and policy(state.flow, state.step_of(instance)) is OnError.FAIL:
                broken.add(instance.index)


def _given_up(state: RunState, instance: InstanceState, halted: set[int], broken: set[int]) -> bool:
    """Return whether what *instance* is in is given up: a scope around it *halted*, or a fan-out *broken*, by index."""
    while halted or broken:
        if instance.scope in halted or (instance.item >= 0 and instance.index in broken):
            return True
        scope = state.scopes[instance.scope]
        if scope.owner is None:
            break
        instance = state.instance_at(*scope.owner)
    return False


def _halts(state: RunState, instance: InstanceState) -> bool:
    """Return whether the failure of *instance* gives up what it is in."""
    waiting = [state.specs[number] for number in state.dependents[instance.index]]
    return stops_run(state.flow, state.step_of(instance), waiting)


def _lose(state: RunState, instance: InstanceState, at: Instant, *, given_up: bool) -> AttemptLost | AttemptStopped:
    if state.stop_requested:
        return AttemptStopped(instance=instance.id, attempt=instance.attempt, at=at)
    error = "the runner was lost while the attempt was under way"
    again = not given_up and not state.gives_up(instance)
    if again and instance.lost >= MAX_LOST:
        error = f"{error}; it has happened {instance.lost + 1} times, so there is no further attempt"
        again = False
    return AttemptLost(
        instance=instance.id, attempt=instance.attempt, error=error, retry_at=at if again else None, at=at
    )


def reject(command: RejectReport, state: RunState) -> tuple[Event, ...]:
    """Record a report that came too late, once."""
    known = command.instance in state.instances
    if not known or (command.instance, command.attempt, command.epoch) in state.rejected:
        return ()
    return (
        ReportRejected(
            instance=command.instance,
            attempt=command.attempt,
            epoch=command.epoch,
            outcome=command.outcome,
            at=command.at,
        ),
    )
