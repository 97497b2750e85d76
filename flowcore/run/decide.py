"""What may happen next: commands in, events out. Refuses or adds, never changes the state; asked twice adds nothing."""

from collections.abc import Iterator, Mapping
from typing import assert_never

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, StepName, top_step
from flowcore.model import DEFAULT_MAX_WORKERS, RetryPolicy
from flowcore.values import Instant, Json

from .commands import (
    Command,
    ContinueRun,
    CreateRun,
    DeliverArtifact,
    HoldStep,
    PauseRun,
    RefuseArtifact,
    RejectReport,
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportIteration,
    ReportLines,
    ReportSuccess,
    ResumeRun,
    Settle,
    SkipPaused,
    StartAttempt,
    StartRun,
    StopRun,
    ToggleTrace,
)
from .consequences import settle
from .events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptStopped,
    AwaitFailed,
    BreakpointsDisabled,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
    PauseCause,
    RunContinued,
    RunCreated,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    SkipCause,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
    make_attempt_started,
    make_attempt_succeeded,
)
from .machine import RunStatus, StepStatus
from .state import RunState
from .takeover import reject, resume

_STARTABLE = frozenset({StepStatus.READY, StepStatus.RETRYING})


def decide(command: Command, state: RunState) -> tuple[Event, ...]:
    """Return the events that *command* leads to in *state*; none when it is late or repeated.

    Raises:
        CommandRejectedError: The command makes no sense here: `run-exists`, `run-missing`, `run-ended`,
            `not-startable`, `artifact-unknown`.
    """
    # Each step comes by here twice, and a pattern costs as much as five of these.
    if isinstance(command, StartAttempt):
        return _start_attempt(command, state)
    if isinstance(command, ReportSuccess):
        return _succeed(command, state)
    match command:
        case ReportFailure():
            return _fail(command, state)
        case ReportLines():
            return _log(command, state)
        case HoldStep():
            return _hold(command, state)
        case ReportIteration():
            return _iterate(command, state)
        case Settle(at=at):
            return tuple(settle(state, at))
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
    command: CreateRun
    | StartRun
    | ResumeRun
    | RejectReport
    | DeliverArtifact
    | RefuseArtifact
    | PauseRun
    | ContinueRun
    | SkipPaused
    | ToggleTrace
    | StopRun,
    state: RunState,
) -> tuple[Event, ...]:
    if isinstance(command, CreateRun):
        return _create(command, state)
    if state.status is RunStatus.NEW:
        raise CommandRejectedError("run-missing", "there is no such run")
    match command:
        case StartRun(at=at):
            return (RunStarted(at=at),) if state.status is RunStatus.QUEUED else ()
        case ResumeRun():
            return resume(command, state)
        case RejectReport():
            return reject(command, state)
        case PauseRun(at=at):
            _must_be_live(state)
            return (RunPaused(at=at),) if state.status is RunStatus.RUNNING and not state.stop_requested else ()
        case ContinueRun() | SkipPaused():
            return _continue(command, state)
        case ToggleTrace(enabled=enabled, at=at):
            return (TraceToggled(enabled=enabled, at=at),) if enabled is not state.trace else ()
        case DeliverArtifact():
            return _deliver(command, state)
        case RefuseArtifact():
            return _refuse(command, state)
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
        breakpoints=command.breakpoints,
        trace=command.trace,
        labels=command.labels,
        batch=command.batch,
    )
    return (created, *_take_over(command))


def _take_over(command: CreateRun) -> Iterator[Event]:
    """Yield what the new run has from its parent: what was put there for it, and what its steps came to."""
    steps, known = command.flow.steps, command.artifacts
    for edge in dict.fromkeys(edge for step in steps for edge in step.awaits if edge in known):
        yield ArtifactArrived(edge=edge, artifact=known[edge], at=command.at)
    inner: dict[str, dict[InstanceId, Mapping[str, Json]]] = {}
    for path, outputs in command.inner.items():
        inner.setdefault(top_step(path), {})[path] = outputs
    for step in steps:
        if step.name in command.imports:
            yield StepImported(
                step=step.name,
                outputs=command.imports[step.name],
                at=command.at,
                artifacts={port.edge: known[port.edge] for port in step.artifact_outputs if port.edge in known},
                inner=inner.get(step.name, {}),
            )


def _continue(command: ContinueRun | SkipPaused, state: RunState) -> tuple[Event, ...]:
    _must_be_live(state)
    if state.status is not RunStatus.PAUSED:
        return ()
    at = command.at
    first: tuple[Event, ...] = ()
    if isinstance(command, ContinueRun):
        if not command.breakpoints and state.breakpoints is not None:
            first = (BreakpointsDisabled(at=at),)
    elif state.paused_at is not None and state.paused_at[1] is PauseCause.BREAKPOINT_PRE:
        reason = "it was skipped at its breakpoint"
        first = (StepSkipped(instance=state.paused_at[0], cause=SkipCause.REQUESTED, reason=reason, at=at),)
    return (*first, RunContinued(at=at))


def _deliver(command: DeliverArtifact, state: RunState) -> tuple[Event, ...]:
    _must_be_live(state)
    if command.edge not in state.readers:
        raise CommandRejectedError("artifact-unknown", f"no step of the run waits for '{command.edge}'")
    if command.edge in state.artifacts:
        return ()
    return (ArtifactArrived(edge=command.edge, artifact=command.artifact, at=command.at),)


def _refuse(command: RefuseArtifact, state: RunState) -> tuple[Event, ...]:
    _must_be_live(state)
    # A run that has not begun, or that pauses, fails nothing: the object may come again, and so may its refusal.
    if not state.breaking_off:
        return ()
    return tuple(
        AwaitFailed(step=StepName(state.steps[index].id), code=command.code, error=error, at=command.at)
        for index in state.readers.get(command.edge, ())
        if command.edge in state.awaiting.get(index, ())
        and (error := command.errors.get(StepName(state.steps[index].id))) is not None
    )


def _must_be_live(state: RunState) -> None:
    if state.ended:
        raise CommandRejectedError("run-ended", f"the run is over: it has {state.status}")


def _stop(state: RunState, at: Instant, reason: str) -> tuple[Event, ...]:
    if state.ended or state.stop_requested:
        return ()
    if state.status is RunStatus.QUEUED:
        why = f"the run was stopped: {reason}"
        skips = (
            StepSkipped(instance=each.id, cause=SkipCause.RUN_STOPPED, reason=why, at=at)
            for each in state.steps
            if each.status is not StepStatus.SUCCEEDED
        )
        return (*skips, RunStopped(at=at))
    return (RunStopRequested(reason=reason, at=at),)


def _start_attempt(command: StartAttempt, state: RunState) -> tuple[Event, ...]:
    instance = state.instances.get(command.instance)
    if instance is None or instance.status not in _STARTABLE or state.status is not RunStatus.RUNNING:
        raise CommandRejectedError("not-startable", f"'{command.instance}' cannot start now")
    early = instance.guarded or instance.bodied or command.at < instance.due
    held = instance.gated and instance.item < 0 and state.pause_before(instance) is not None
    if early or held or state.gives_up(instance) or len(state.in_the_air) >= state.max_workers:
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
            artifacts=command.artifacts,
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
    policy, tries, error = state.step_of(instance).retry, command.attempt - instance.lost, command.error
    due = None
    if command.retryable and not state.gives_up(instance):
        due = retry_at(policy, tries, command.at, chance=command.chance, asked_s=command.retry_after_s)
        if instance.begun is not None and policy.within_s is not None:
            if due is not None and due > instance.begun + policy.within_s:
                due = None
            if due is None:
                error = f"{error} ({_tried(tries, command.at - instance.begun, policy.within_s)})"
    return (
        AttemptFailed(
            instance=command.instance,
            attempt=command.attempt,
            code=command.code,
            error=error,
            retry_at=due,
            at=command.at,
        ),
    )


def _tried(tries: int, took_s: float, within_s: float) -> str:
    """Return how often something was tried, how long that took, and how long it might have."""
    times = "once" if tries == 1 else f"{tries} times"
    return f"tried {times} in {max(took_s, 0.0):.1f} s; at most {within_s:g} s are allowed"


def _log(command: ReportLines, state: RunState) -> tuple[Event, ...]:
    if not _in_the_air(state, command.instance, command.attempt) or not command.lines:
        return ()
    if command.first != state.instances[command.instance].lines:
        # Said before: a repeated report is known by its place.
        return ()
    return (
        StepLogged(
            instance=command.instance,
            attempt=command.attempt,
            first=command.first,
            lines=command.lines,
            at=command.at,
        ),
    )


def _hold(command: HoldStep, state: RunState) -> tuple[Event, ...]:
    instance = state.instances.get(command.instance)
    if instance is None or instance.status not in _STARTABLE or state.status is not RunStatus.RUNNING:
        return ()
    if instance.held == command.reason or state.gives_up(instance):
        return ()
    return (StepHeld(instance=command.instance, reason=command.reason, at=command.at),)


def _iterate(command: ReportIteration, state: RunState) -> tuple[Event, ...]:
    instance = state.instances.get(InstanceId(command.step))
    if instance is None or instance.index not in state.asking or state.status is not RunStatus.RUNNING:
        return ()
    loop = state.step_of(instance).loop
    if loop is None or command.number != len(state.fan_outs[instance.index].instances) - 1:
        return ()
    if command.error is not None:
        return (FanOutFailed(step=command.step, error=command.error, at=command.at),)
    if not command.again:
        return (FanOutSucceeded(step=command.step, at=command.at),)
    if command.number + 1 >= loop.max_iterations:
        error = f"it would go on after {loop.max_iterations} iterations, the most that are allowed"
        return (FanOutFailed(step=command.step, error=error, at=command.at),)
    return (IterationStarted(step=command.step, number=command.number + 1, at=command.at),)


def _guard(command: ReportGuard | ReportGuardFailure, state: RunState) -> tuple[Event, ...]:
    name = InstanceId(command.step)
    instance = state.instances.get(name)
    if instance is None or instance.status is not StepStatus.READY or not instance.guarded or state.gives_up(instance):
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
    pause = state.pause_before(instance) if instance.gated else None
    if pause is not None:
        # What is skipped by its condition never pauses, so it comes after the condition; that is asked again then.
        return (StepPaused(instance=name, cause=pause, at=command.at),)
    if command.items is None:
        return (ConditionMet(step=command.step, at=command.at),)
    return (FanOutStarted(step=command.step, items=command.items, at=command.at),)
