"""Taking events into the state of a run, in place and for good: it happened."""

import heapq
from collections.abc import Iterable
from typing import assert_never

from flowcore.ids import InstanceId
from flowcore.model import Dialect

from .events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    BreakpointsDisabled,
    CallAccepted,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
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
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
)
from .machine import RUN_TRANSITIONS, StepStatus
from .readiness import (
    count_idle,
    disable_breakpoints,
    go_on,
    leave_queue,
    pass_guard,
    pause_after,
    pause_at,
    take_artifact,
    tidy_retries,
)
from .scopes import enter, give_up, iterate, open_scope, share
from .settlement import (
    forget_doomed,
    take_body,
    take_failure,
    take_fan_out,
    take_import,
    take_join,
    take_skip,
    take_stop,
    take_success,
)
from .state import GivenUp, InstanceState, RunState


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Fold *events* in their order onto *state* (which is used up), or onto a new one."""
    state = RunState() if state is None else state
    for event in events:
        evolve(state, event)
    return state


def evolve(state: RunState, event: Event) -> RunState:
    """Take *event* into *state*, in place, and return it. Never refuses: it happened."""
    state.version += 1
    # Nearly all events are one of these two, and a pattern costs as much as five of these questions.
    if isinstance(event, AttemptStarted):
        _start(state, event)
        return state
    if isinstance(event, AttemptSucceeded):
        _succeed(state, event)
        return state
    match event:
        case AttemptFailed() | AttemptLost():
            _miss(state, event)
        case AttemptStopped():
            instance = _land(state, event.instance)
            instance.status = StepStatus.STOPPED
            take_stop(state, instance)
        case RetryAbandoned():
            instance = state.instances[event.instance]
            count_idle(state, instance, -1)
            take_failure(state, instance, instance.error)
        case ConditionMet():
            pass_guard(state, state.instances[InstanceId(event.step)])
        case FanOutStarted():
            take_fan_out(state, event)
        case FanOutSucceeded() | FanOutFailed():
            take_join(state, event)
        case GuardFailed():
            instance = state.instances[InstanceId(event.step)]
            count_idle(state, instance, -1)
            leave_queue(state, instance)
            take_failure(state, instance, event.error)
        case StepSkipped():
            take_skip(state, event)
        case BodyStarted() | IterationStarted() | BodySucceeded() | BodyFailed():
            _evolve_body(state, event)
        case StepPaused():
            pause_at(state, event)
        case StepLogged() | StepHeld():
            _note(state, event)
        case AwaitFailed():
            instance = state.instances[InstanceId(event.step)]
            count_idle(state, instance, -1)
            take_failure(state, instance, event.error)
            forget_doomed(state)
        case StepImported():
            take_import(state, event)
        case _:
            _evolve_run(state, event)
    return state


def _evolve_body(state: RunState, event: BodyStarted | IterationStarted | BodySucceeded | BodyFailed) -> None:
    match event:
        case BodyStarted():
            enter(state, event)
        case IterationStarted():
            iterate(state, event)
        case BodySucceeded() | BodyFailed():
            take_body(state, event)
        case _:
            assert_never(event)


def _evolve_run(
    state: RunState,
    event: RunCreated
    | CallAccepted
    | RunStarted
    | RunResumed
    | ReportRejected
    | ArtifactArrived
    | BreakpointsDisabled
    | TraceToggled
    | RunPaused
    | RunContinued
    | RunStopRequested
    | RunSucceeded
    | RunFailed
    | RunStopped,
) -> None:
    state.status = RUN_TRANSITIONS[state.status].get(type(event), state.status)
    match event:
        case RunCreated():
            _create(state, event)
        case RunStarted():
            state.started_at = event.at
        case RunResumed():
            state.epoch = event.epoch
        case ReportRejected():
            state.rejected.add((event.instance, event.attempt, event.epoch))
        case RunStopRequested():
            state.stop_requested = True
            state.stop_reason = event.reason
            state.paused_at = None
            give_up(state, state.root, GivenUp(SkipCause.RUN_STOPPED, f"the run was stopped: {event.reason}"))
        case RunSucceeded() | RunFailed() | RunStopped():
            state.ended_at = event.at
        case RunContinued():
            go_on(state)
        case TraceToggled():
            state.trace = event.enabled
        case BreakpointsDisabled():
            disable_breakpoints(state)
        case ArtifactArrived():
            take_artifact(state, event)
        case RunPaused() | CallAccepted():
            pass
        case _:
            assert_never(event)


def _create(state: RunState, event: RunCreated) -> None:
    state.run_id = event.run_id
    state.flow = event.flow
    state.max_workers = event.max_workers
    state.parent = event.parent
    state.batch = event.batch
    state.created_at = event.at
    state.breakpoints = event.breakpoints
    state.trace = event.trace
    if event.flow.dialect is Dialect.WORKFLOW:
        state.context = {"data": {}, "variables": {}}
    open_scope(state, state.root, event.flow.steps, event.breakpoints)


def _start(state: RunState, event: AttemptStarted) -> None:
    instance = state.instances[event.instance]
    count_idle(state, instance, -1)
    before = instance.status
    instance.status = StepStatus.RUNNING
    instance.attempt = event.attempt
    instance.lines = 0
    instance.held = None
    if event.attempt == 1 and state.specs[instance.index].retry.within_s is not None:
        instance.begun = event.at
    state.in_the_air[instance.id] = None
    if before is StepStatus.RETRYING:
        tidy_retries(state)
    else:
        leave_queue(state, instance)


def _note(state: RunState, event: StepLogged | StepHeld) -> None:
    """Take in what moves nothing."""
    instance = state.instances[event.instance]
    if isinstance(event, StepHeld):
        instance.held = event.reason
    else:
        instance.lines += len(event.lines)


def _land(state: RunState, name: InstanceId) -> InstanceState:
    state.in_the_air.pop(name, None)
    return state.instances[name]


def _succeed(state: RunState, event: AttemptSucceeded) -> None:
    instance = _land(state, event.instance)
    instance.error = None
    if event.artifacts:
        state.artifacts.update(event.artifacts)
    if instance.gated:
        pause_after(state, instance)
    if state.context is not None:
        share(state.context, event.outputs)
    take_success(state, instance, event.outputs)


def _miss(state: RunState, event: AttemptFailed | AttemptLost) -> None:
    instance = _land(state, event.instance)
    instance.error = event.error
    if isinstance(event, AttemptLost):
        instance.lost += 1
    if event.retry_at is None:
        take_failure(state, instance, event.error)
        return
    instance.status = StepStatus.RETRYING
    instance.due = event.retry_at
    count_idle(state, instance, 1)
    heapq.heappush(state.retries, (event.retry_at, instance.index, instance.item))
