"""What the end of a step or of an item means for those that depend on it, and for its fan-out."""

from collections.abc import Mapping

from flowcore.ids import InstanceId, item_id
from flowcore.model import OnError
from flowcore.values import Json

from .events import FanOutFailed, FanOutStarted, FanOutSucceeded, StepSkipped
from .machine import StepStatus
from .policy import passes_skip, policy, stops_run, tolerated, word
from .readiness import break_fan_outs, count_idle, make_ready, meet, note_break, pause_after, tidy
from .state import Doomed, FanOut, InstanceState, RunState


def take_success(state: RunState, instance: InstanceState, outputs: Mapping[str, Json]) -> None:
    """Settle *instance* with its *outputs*."""
    instance.status = StepStatus.SUCCEEDED
    state.outputs[instance.id] = outputs
    if instance.item >= 0:
        close_item(state, instance)
        return
    state.open -= 1
    steps = state.steps
    for number in state.dependents[instance.index]:
        meet(state, steps[number])


def take_failure(state: RunState, instance: InstanceState, error: str | None) -> None:
    """Settle *instance* as failed, with what that means for those that depend on it."""
    instance.status = StepStatus.FAILED
    instance.error = error
    tidy(state, state.retries, StepStatus.RETRYING)
    if instance.item >= 0:
        close_item(state, instance)
        return
    state.open -= 1
    state.awaiting.pop(instance.index, None)
    flow, step = state.flow, state.step_of(instance)
    waiting = [flow.steps[number] for number in state.dependents[instance.index]]
    if not tolerated(flow, step, waiting):
        state.failed = True
    if stops_run(flow, step, waiting):
        state.halted_by = state.halted_by or step.name
        break_fan_outs(state)
    for number, dependent in zip(state.dependents[instance.index], waiting, strict=True):
        match word(flow, step, dependent):
            case OnError.CONTINUE:
                meet(state, state.steps[number])
            case _:
                doom(state, number, f"step '{step.name}' failed")


def doom(state: RunState, number: int, reason: str) -> None:
    """Have the step at *number* skipped, unless it has begun."""
    if state.steps[number].status is StepStatus.PENDING:
        state.doomed.append(Doomed(number, reason))


def take_skip(state: RunState, event: StepSkipped) -> None:
    """Settle an instance that will never run."""
    instance = state.instances[event.instance]
    instance.status = StepStatus.SKIPPED
    count_idle(state, instance, -1)
    tidy(state, state.ready, StepStatus.READY)
    while state.doomed and state.steps[state.doomed[0].index].status is not StepStatus.PENDING:
        state.doomed.popleft()
    if instance.item >= 0:
        close_item(state, instance)
        return
    state.open -= 1
    state.awaiting.pop(instance.index, None)
    state.breaks.pop(instance.index, None)
    if state.paused_at is not None and state.paused_at[0] == instance.id:
        state.paused_at = None
    for number in state.dependents[instance.index]:
        if passes_skip(event.cause, state.flow.steps[number]):
            meet(state, state.steps[number])
        else:
            doom(state, number, f"step '{instance.id}' was skipped")


def take_stop(state: RunState, instance: InstanceState) -> None:
    """Count a stopped instance as settled; its run is being stopped, so nobody is waiting for it any more."""
    if instance.item >= 0:
        close_item(state, instance)
    else:
        state.open -= 1


def take_fan_out(state: RunState, event: FanOutStarted) -> None:
    """Make the instances of a fan-out."""
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
        release(state, fan_out)
    if not fan_out.open:
        state.joins[parent.index] = None
    tidy(state, state.ready, StepStatus.READY)


def release(state: RunState, fan_out: FanOut) -> None:
    """Let the next instance of *fan_out* start; `max_parallel` is the number released and not yet settled."""
    make_ready(state, fan_out.instances[fan_out.released])
    fan_out.released += 1


def close_item(state: RunState, instance: InstanceState) -> None:
    """Count an item as settled, and let the next one begin, or none."""
    fan_out = state.fan_outs[instance.index]
    fan_out.open -= 1
    if instance.status is StepStatus.FAILED:
        fan_out.first_error = fan_out.first_error or f"item {instance.item}: {instance.error}"
        fan_out.broken = fan_out.broken or policy(state.flow, state.step_of(instance)) is OnError.FAIL
        note_break(state, instance.index, fan_out)
    if not fan_out.open:
        state.joins[instance.index] = None
    elif not fan_out.broken and fan_out.released < len(fan_out.instances):
        release(state, fan_out)


def take_join(state: RunState, event: FanOutSucceeded | FanOutFailed) -> None:
    """Settle a step whose items are settled."""
    parent = state.instances[InstanceId(event.step)]
    fan_out = state.fan_outs.pop(parent.index)
    del state.joins[parent.index]
    results = [state.outputs.pop(instance.id, None) for instance in fan_out.instances]
    if isinstance(event, FanOutFailed):
        take_failure(state, parent, event.error)
        return
    if parent.gated:
        pause_after(state, parent)
    names = [output.name for output in state.step_of(parent).outputs]
    take_success(state, parent, {name: [None if row is None else row.get(name) for row in results] for name in names})
