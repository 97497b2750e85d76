"""What may happen next: commands in, events out. Refuses or adds, never changes the state; asked twice adds nothing."""

from collections.abc import Iterator
from typing import Final, assert_never

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId
from flowcore.model import DEFAULT_MAX_WORKERS, OnError, RetryPolicy
from flowcore.values import Instant

from .commands import (
    Command,
    ContinueRun,
    CreateRun,
    PauseRun,
    RejectReport,
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportSuccess,
    ResumeRun,
    Settle,
    StartAttempt,
    StartRun,
    StopRun,
)
from .events import (
    AttemptFailed,
    AttemptLost,
    AttemptStopped,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    ReportRejected,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    StepImported,
    StepSkipped,
    make_attempt_started,
    make_attempt_succeeded,
)
from .machine import RunStatus, StepStatus
from .policy import policy, stops_run
from .state import FanOut, InstanceState, RunState

_STARTABLE = frozenset({StepStatus.READY, StepStatus.RETRYING})
MAX_LOST: Final = 10
"""How many attempts of one instance may be lost with their runner: a step that kills it must not do so for ever."""


def decide(command: Command, state: RunState) -> tuple[Event, ...]:
    """Return the events that *command* leads to in *state*; none when it is late or repeated.

    Raises:
        CommandRejectedError: The command makes no sense here: `run-exists`, `run-missing`, `run-ended`,
            `not-startable`.
    """
    match command:
        case StartAttempt():
            return _start_attempt(command, state)
        case ReportSuccess():
            return _succeed(command, state)
        case ReportFailure():
            return _fail(command, state)
        case Settle(at=at):
            return tuple(_settle(state, at))
        case ReportGuard() | ReportGuardFailure():
            return _guard(command, state)
        case _:
            return _decide_run(command, state)


def retry_at(
    policy: RetryPolicy, attempt: int, ended_at: Instant, *, chance: float = 0.5, asked_s: float | None = None
) -> Instant | None:
    """Return when the next attempt is due.

    Args:
        attempt: The attempt that just failed, counted from 1.
        ended_at: When it ended.
        chance: A random number, 0 <= chance < 1, that spreads the pause over the policy's jitter.
        asked_s: The pause that the other side asked for, in seconds; it is obeyed up to the policy's longest.

    Returns:
        The due time, or None when *attempt* was the last one allowed.
    """
    if attempt >= policy.max_attempts:
        return None
    # 2.0 ** 1024 is no float any more; by then every pause has long reached its cap.
    growth = policy.factor ** min(attempt - 1, 64)
    pause = min(policy.delay_s * growth, policy.max_delay_s)
    pause *= 1 + policy.jitter * (2 * chance - 1)
    if asked_s is not None:
        pause = max(pause, min(asked_s, policy.max_delay_s))
    return Instant(ended_at + pause)


def _decide_run(
    command: CreateRun | StartRun | ResumeRun | RejectReport | PauseRun | ContinueRun | StopRun, state: RunState
) -> tuple[Event, ...]:
    if isinstance(command, CreateRun):
        return _create(command, state)
    if state.status is RunStatus.NEW:
        raise CommandRejectedError("run-missing", "there is no such run")
    match command:
        case StartRun(at=at):
            return (RunStarted(at=at),) if state.status is RunStatus.QUEUED else ()
        case ResumeRun():
            return _resume(command, state)
        case RejectReport():
            return _reject(command, state)
        case PauseRun(at=at):
            _must_be_live(state)
            return (RunPaused(at=at),) if state.status is RunStatus.RUNNING and not state.stop_requested else ()
        case ContinueRun(at=at):
            _must_be_live(state)
            return (RunContinued(at=at),) if state.status is RunStatus.PAUSED else ()
        case StopRun(at=at, reason=reason):
            return _stop(state, at, reason)
        case _:
            assert_never(command)


def _create(command: CreateRun, state: RunState) -> tuple[Event, ...]:
    if state.status is not RunStatus.NEW:
        raise CommandRejectedError("run-exists", f"run {command.run_id} exists already")
    workers = command.max_workers or command.flow.max_workers or DEFAULT_MAX_WORKERS
    created = RunCreated(
        run_id=command.run_id,
        flow=command.flow,
        max_workers=workers,
        at=command.at,
        parent=command.parent,
        forked_from=command.forked_from,
    )
    imports = (
        StepImported(step=step.name, outputs=command.imports[step.name], at=command.at)
        for step in command.flow.steps
        if step.name in command.imports
    )
    return (created, *imports)


def _resume(command: ResumeRun, state: RunState) -> tuple[Event, ...]:
    # A run that has not started has nothing to lose; one that was resumed in this epoch has lost it already.
    if state.status not in {RunStatus.RUNNING, RunStatus.PAUSED} or command.epoch <= state.epoch:
        return ()
    return (RunResumed(owner=command.owner, epoch=command.epoch, at=command.at), *_lose_all(state, command.at))


def _lose_all(state: RunState, at: Instant) -> Iterator[Event]:
    """Yield the loss of everything in the air; what the loss of one gives up, the others must not try again."""
    halted = False
    broken: set[int] = set()
    air = [state.instances[name] for name in state.in_the_air]
    # Those that have no further attempt come first: what they halt is known then.
    for instance in sorted(air, key=lambda instance: instance.lost < MAX_LOST):
        lost = _lose(state, instance, at, given_up=halted or (instance.item >= 0 and instance.index in broken))
        yield lost
        if isinstance(lost, AttemptLost) and lost.retry_at is None:
            if instance.item < 0:
                halted = halted or _halts(state, instance)
            elif policy(state.flow, state.step_of(instance)) is OnError.FAIL:
                broken.add(instance.index)


def _halts(state: RunState, instance: InstanceState) -> bool:
    """Return whether the failure of *instance* gives up the run."""
    waiting = [state.flow.steps[number] for number in state.dependents[instance.index]]
    return stops_run(state.flow, state.step_of(instance), waiting)


def _lose(state: RunState, instance: InstanceState, at: Instant, *, given_up: bool) -> AttemptLost | AttemptStopped:
    if state.stop_requested:
        return AttemptStopped(instance=instance.id, attempt=instance.attempt, at=at)
    error = "the runner was lost while the attempt was under way"
    again = not given_up and not _gives_up(state, instance)
    if again and instance.lost >= MAX_LOST:
        error = f"{error}; it has happened {instance.lost + 1} times, so there is no further attempt"
        again = False
    return AttemptLost(
        instance=instance.id, attempt=instance.attempt, error=error, retry_at=at if again else None, at=at
    )


def _gives_up(state: RunState, instance: InstanceState) -> bool:
    """Return whether *instance* gets no further attempt, whatever its policy says."""
    return state.giving_up or (instance.item >= 0 and state.fan_outs[instance.index].broken)


def _reject(command: RejectReport, state: RunState) -> tuple[Event, ...]:
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


def _must_be_live(state: RunState) -> None:
    if state.ended:
        raise CommandRejectedError("run-ended", f"the run is over: it has {state.status}")


def _stop(state: RunState, at: Instant, reason: str) -> tuple[Event, ...]:
    if state.ended or state.stop_requested:
        return ()
    if state.status is RunStatus.QUEUED:
        skips = tuple(_give_up(state, at, SkipCause.RUN_STOPPED, f"the run was stopped: {reason}"))
        return (*skips, RunStopped(at=at))
    return (RunStopRequested(reason=reason, at=at),)


def _start_attempt(command: StartAttempt, state: RunState) -> tuple[Event, ...]:
    instance = state.instances.get(command.instance)
    if instance is None or instance.status not in _STARTABLE or state.status is not RunStatus.RUNNING:
        raise CommandRejectedError("not-startable", f"'{command.instance}' cannot start now")
    early = instance.guarded or command.at < instance.due
    broken = instance.item >= 0 and state.fan_outs[instance.index].broken
    if early or broken or state.giving_up or len(state.in_the_air) >= state.max_workers:
        raise CommandRejectedError("not-startable", f"'{command.instance}' may not start now")
    return (make_attempt_started(instance=command.instance, attempt=instance.attempt + 1, at=command.at),)


def _succeed(command: ReportSuccess, state: RunState) -> tuple[Event, ...]:
    if not _in_the_air(state, command.instance, command.attempt):
        return ()
    return (
        make_attempt_succeeded(
            instance=command.instance,
            attempt=command.attempt,
            outputs=command.outputs,
            at=command.at,
            notes=command.notes,
        ),
    )


def _in_the_air(state: RunState, name: InstanceId, attempt: int) -> bool:
    """Return whether the report is about the attempt in the air; a late or repeated one is no error."""
    return name in state.in_the_air and state.instances[name].attempt == attempt


def _fail(command: ReportFailure, state: RunState) -> tuple[Event, ...]:
    if not _in_the_air(state, command.instance, command.attempt):
        return ()
    if command.stopped and state.stop_requested:
        return (AttemptStopped(instance=command.instance, attempt=command.attempt, at=command.at),)
    instance = state.instances[command.instance]
    final = not command.retryable or _gives_up(state, instance)
    due = (
        None
        if final
        else retry_at(
            state.step_of(instance).retry,
            command.attempt - instance.lost,
            command.at,
            chance=command.chance,
            asked_s=command.retry_after_s,
        )
    )
    return (
        AttemptFailed(
            instance=command.instance,
            attempt=command.attempt,
            code=command.code,
            error=command.error,
            retry_at=due,
            at=command.at,
        ),
    )


def _guard(command: ReportGuard | ReportGuardFailure, state: RunState) -> tuple[Event, ...]:
    name = InstanceId(command.step)
    instance = state.instances.get(name)
    if instance is None or instance.status is not StepStatus.READY or not instance.guarded or state.giving_up:
        return ()
    if state.status is not RunStatus.RUNNING:
        # A pause came first: it is asked for again when the run goes on.
        return ()
    if isinstance(command, ReportGuardFailure):
        return (GuardFailed(step=command.step, code=command.code, error=command.error, at=command.at),)
    if not command.met:
        return (
            StepSkipped(instance=name, cause=SkipCause.CONDITION, reason="its condition is not met", at=command.at),
        )
    if command.items is None:
        return (ConditionMet(step=command.step, at=command.at),)
    return (FanOutStarted(step=command.step, items=command.items, at=command.at),)


def _settle(state: RunState, at: Instant) -> Iterator[Event]:
    if state.status not in {RunStatus.RUNNING, RunStatus.PAUSED}:
        return
    if not state.open:
        yield _end(state, at)
        return
    skipped: set[int] = set()
    for doomed in state.doomed:
        if doomed.index not in skipped and state.steps[doomed.index].status is StepStatus.PENDING:
            skipped.add(doomed.index)
            yield StepSkipped(
                instance=state.steps[doomed.index].id, cause=SkipCause.UPSTREAM, reason=doomed.reason, at=at
            )
    for index in state.breaking:
        yield from _break(state.fan_outs[index], at)
    for index in state.joins:
        yield _join(state, state.fan_outs[index], index, at)
    if state.stop_requested:
        yield from _give_up(state, at, SkipCause.RUN_STOPPED, f"the run was stopped: {state.stop_reason}", skipped)
    elif state.halted_by is not None:
        reason = f"the run stopped because step '{state.halted_by}' failed"
        yield from _give_up(state, at, SkipCause.RUN_FAILED, reason, skipped)


def _end(state: RunState, at: Instant) -> Event:
    if state.stop_requested:
        return RunStopped(at=at)
    return RunFailed(at=at) if state.failed else RunSucceeded(at=at)


def _give_up(
    state: RunState, at: Instant, cause: SkipCause, reason: str, done: set[int] | frozenset[int] = frozenset()
) -> Iterator[Event]:
    for number, instance in enumerate(state.steps):
        if number not in done:
            yield from _drop(instance, cause, reason, at)


def _break(fan_out: FanOut, at: Instant) -> Iterator[Event]:
    for instance in fan_out.instances:
        yield from _drop(instance, SkipCause.UPSTREAM, "the fan-out was given up", at)


def _drop(instance: InstanceState, cause: SkipCause, reason: str, at: Instant) -> Iterator[Event]:
    if instance.status is StepStatus.RETRYING:
        yield RetryAbandoned(instance=instance.id, at=at)
    elif instance.status is StepStatus.PENDING or instance.status is StepStatus.READY:
        yield StepSkipped(instance=instance.id, cause=cause, reason=reason, at=at)


def _join(state: RunState, fan_out: FanOut, index: int, at: Instant) -> Event:
    step = state.flow.steps[index].name
    if all(instance.status is StepStatus.SUCCEEDED for instance in fan_out.instances):
        return FanOutSucceeded(step=step, at=at)
    error = fan_out.first_error or "not every item ran"
    return FanOutFailed(step=step, error=error, at=at)
