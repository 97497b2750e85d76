"""Taking events into the state of a run, in place and for good: it happened."""

import heapq
from collections.abc import Iterable, Mapping
from typing import assert_never

from flowcore.graph import dependents
from flowcore.ids import InstanceId, item_id
from flowcore.model import OnError
from flowcore.values import Json

from .events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
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
)
from .machine import RUN_TRANSITIONS, StepStatus
from .policy import policy, stops_run, tolerated, word
from .state import AT_ONCE, Doomed, FanOut, InstanceState, Queue, RunState


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Fold *events* in their order onto *state* (which is used up), or onto a new one."""
    state = RunState() if state is None else state
    for event in events:
        evolve(state, event)
    return state


def evolve(state: RunState, event: Event) -> RunState:
    """Take *event* into *state*, in place, and return it. Never refuses: it happened."""
    state.version += 1
    match event:
        case AttemptStarted():
            _start(state, event)
        case AttemptSucceeded():
            instance = _land(state, event.instance)
            instance.error = None
            _succeed(state, instance, event.outputs)
        case AttemptFailed() | AttemptLost():
            _miss(state, event)
        case AttemptStopped():
            instance = _land(state, event.instance)
            instance.status = StepStatus.STOPPED
            _close(state, instance)
        case RetryAbandoned():
            instance = state.instances[event.instance]
            _count_idle(state, instance, -1)
            _fail(state, instance, instance.error)
        case ConditionMet():
            state.instances[InstanceId(event.step)].guarded = False
        case FanOutStarted():
            _fan_out(state, event)
        case FanOutSucceeded() | FanOutFailed():
            _join(state, event)
        case GuardFailed():
            instance = state.instances[InstanceId(event.step)]
            state.idle -= 1
            _fail(state, instance, event.error)
            _tidy(state, state.ready, StepStatus.READY)
        case StepSkipped():
            _skip(state, event)
        case StepImported():
            instance = state.instances[InstanceId(event.step)]
            state.idle -= 1
            _succeed(state, instance, event.outputs)
            _tidy(state, state.ready, StepStatus.READY)
        case _:
            _evolve_run(state, event)
    return state


def _evolve_run(
    state: RunState,
    event: RunCreated
    | RunStarted
    | RunResumed
    | ReportRejected
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
            _break_fan_outs(state)
        case RunSucceeded() | RunFailed() | RunStopped():
            state.ended_at = event.at
        case RunPaused() | RunContinued():
            pass
        case _:
            assert_never(event)


def _create(state: RunState, event: RunCreated) -> None:
    steps = event.flow.steps
    numbers = {step.name: number for number, step in enumerate(steps)}
    needed = [[numbers[name] for name in step.depends_on] for step in steps]
    state.run_id = event.run_id
    state.flow = event.flow
    state.max_workers = event.max_workers
    state.parent = event.parent
    state.created_at = event.at
    state.dependents = dependents(needed)
    state.open = state.idle = len(steps)
    for number, step in enumerate(steps):
        instance = InstanceState(InstanceId(step.name), number, unmet=len(needed[number]), guarded=step.guarded)
        state.steps.append(instance)
        state.instances[instance.id] = instance
        if not instance.unmet:
            _make_ready(state, instance)


def _make_ready(state: RunState, instance: InstanceState) -> None:
    instance.status = StepStatus.READY
    instance.due = AT_ONCE
    heapq.heappush(state.ready, (AT_ONCE, instance.index, instance.item))


def _tidy(state: RunState, queue: Queue, status: StepStatus) -> None:
    """Drop stale entries from the top of *queue*, so that each is looked at once."""
    while queue:
        due, index, item = queue[0]
        instance = state.steps[index] if item < 0 else state.instance_at(index, item)
        if instance.status is status and instance.due == due:
            return
        heapq.heappop(queue)


def _count_idle(state: RunState, instance: InstanceState, change: int) -> None:
    if instance.item < 0:
        state.idle += change
        return
    fan_out = state.fan_outs[instance.index]
    fan_out.idle += change
    _break(state, instance.index, fan_out)


def _break(state: RunState, index: int, fan_out: FanOut) -> None:
    if fan_out.broken and fan_out.idle:
        state.breaking[index] = None
    else:
        state.breaking.pop(index, None)


def _break_fan_outs(state: RunState) -> None:
    for index, fan_out in state.fan_outs.items():
        fan_out.broken = True
        _break(state, index, fan_out)


def _start(state: RunState, event: AttemptStarted) -> None:
    instance = state.instances[event.instance]
    _count_idle(state, instance, -1)
    before = instance.status
    instance.status = StepStatus.RUNNING
    instance.attempt = event.attempt
    state.in_the_air[instance.id] = None
    _tidy(state, state.retries if before is StepStatus.RETRYING else state.ready, before)


def _land(state: RunState, name: InstanceId) -> InstanceState:
    state.in_the_air.pop(name, None)
    return state.instances[name]


def _succeed(state: RunState, instance: InstanceState, outputs: Mapping[str, Json]) -> None:
    instance.status = StepStatus.SUCCEEDED
    state.outputs[instance.id] = outputs
    if instance.item >= 0:
        _close_item(state, instance)
        return
    state.open -= 1
    steps = state.steps
    for number in state.dependents[instance.index]:
        _meet(state, steps[number])


def _meet(state: RunState, instance: InstanceState) -> None:
    instance.unmet -= 1
    if not instance.unmet and instance.status is StepStatus.PENDING:
        _make_ready(state, instance)


def _miss(state: RunState, event: AttemptFailed | AttemptLost) -> None:
    instance = _land(state, event.instance)
    instance.error = event.error
    if isinstance(event, AttemptLost):
        instance.lost += 1
    if event.retry_at is None:
        _fail(state, instance, event.error)
        return
    instance.status = StepStatus.RETRYING
    instance.due = event.retry_at
    _count_idle(state, instance, 1)
    heapq.heappush(state.retries, (event.retry_at, instance.index, instance.item))


def _fail(state: RunState, instance: InstanceState, error: str | None) -> None:
    instance.status = StepStatus.FAILED
    instance.error = error
    _tidy(state, state.retries, StepStatus.RETRYING)
    if instance.item >= 0:
        _close_item(state, instance)
        return
    state.open -= 1
    flow, step = state.flow, state.step_of(instance)
    waiting = [flow.steps[number] for number in state.dependents[instance.index]]
    if not tolerated(flow, step, waiting):
        state.failed = True
    if stops_run(flow, step, waiting):
        state.halted_by = state.halted_by or step.name
        _break_fan_outs(state)
    for number, dependent in zip(state.dependents[instance.index], waiting, strict=True):
        match word(flow, step, dependent):
            case OnError.CONTINUE:
                _meet(state, state.steps[number])
            case _:
                _doom(state, number, f"step '{step.name}' failed")


def _doom(state: RunState, number: int, reason: str) -> None:
    if state.steps[number].status is StepStatus.PENDING:
        state.doomed.append(Doomed(number, reason))


def _skip(state: RunState, event: StepSkipped) -> None:
    instance = state.instances[event.instance]
    instance.status = StepStatus.SKIPPED
    _count_idle(state, instance, -1)
    _tidy(state, state.ready, StepStatus.READY)
    while state.doomed and state.steps[state.doomed[0].index].status is not StepStatus.PENDING:
        state.doomed.popleft()
    if instance.item >= 0:
        _close_item(state, instance)
        return
    state.open -= 1
    for number in state.dependents[instance.index]:
        # A branch that was not taken is no accident: whoever says `continue` goes on without it.
        if event.cause is SkipCause.CONDITION and state.flow.steps[number].on_error is OnError.CONTINUE:
            _meet(state, state.steps[number])
        else:
            _doom(state, number, f"step '{instance.id}' was skipped")


def _close(state: RunState, instance: InstanceState) -> None:
    """Count a stopped instance as settled; its run is being stopped, so nobody is waiting for it any more."""
    if instance.item >= 0:
        _close_item(state, instance)
    else:
        state.open -= 1


def _fan_out(state: RunState, event: FanOutStarted) -> None:
    parent = state.instances[InstanceId(event.step)]
    parent.status = StepStatus.RUNNING
    parent.guarded = False
    instances = [InstanceState(item_id(event.step, number), parent.index, number) for number in range(len(event.items))]
    fan_out = FanOut(event.items, instances, open=len(instances), idle=len(instances))
    state.idle -= 1
    parent.fan_out = fan_out
    state.fan_outs[parent.index] = fan_out
    state.instances.update((instance.id, instance) for instance in instances)
    limit = state.step_of(parent).max_parallel
    for _ in range(len(instances) if limit is None else min(limit, len(instances))):
        _release(state, fan_out)
    if not fan_out.open:
        state.joins[parent.index] = None
    _tidy(state, state.ready, StepStatus.READY)


def _release(state: RunState, fan_out: FanOut) -> None:
    """Let the next instance of *fan_out* start; `max_parallel` is the number released and not yet settled."""
    _make_ready(state, fan_out.instances[fan_out.released])
    fan_out.released += 1


def _close_item(state: RunState, instance: InstanceState) -> None:
    fan_out = state.fan_outs[instance.index]
    fan_out.open -= 1
    if instance.status is StepStatus.FAILED:
        fan_out.first_error = fan_out.first_error or f"item {instance.item}: {instance.error}"
        fan_out.broken = fan_out.broken or policy(state.flow, state.step_of(instance)) is OnError.FAIL
        _break(state, instance.index, fan_out)
    if not fan_out.open:
        state.joins[instance.index] = None
    elif not fan_out.broken and fan_out.released < len(fan_out.instances):
        _release(state, fan_out)


def _join(state: RunState, event: FanOutSucceeded | FanOutFailed) -> None:
    parent = state.instances[InstanceId(event.step)]
    fan_out = state.fan_outs.pop(parent.index)
    del state.joins[parent.index]
    results = [state.outputs.pop(instance.id, None) for instance in fan_out.instances]
    if isinstance(event, FanOutFailed):
        _fail(state, parent, event.error)
        return
    names = [output.name for output in state.step_of(parent).outputs]
    _succeed(state, parent, {name: [None if row is None else row.get(name) for row in results] for name in names})
