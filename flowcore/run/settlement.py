"""What the end of a step or of an item means for those that depend on it, and for its fan-out."""

from collections.abc import Mapping

from flowcore.ids import InstanceId, StepName, item_id
from flowcore.model import Dialect, Flow, OnError
from flowcore.node_ids import node_id
from flowcore.values import Json

from .events import (
    BodyFailed,
    BodySucceeded,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    SkipCause,
    StepImported,
    StepSkipped,
)
from .machine import StepStatus
from .policy import passes_skip, policy, stops_run, tolerated, word
from .readiness import count_idle, leave_queue, make_ready, meet, pause_after, tidy_retries
from .scopes import break_fan_out, give_up, share
from .state import Doomed, FanOut, GivenUp, InstanceState, RunState, Scope


def called(flow: Flow, name: str) -> str:
    """Return what people know the step, or the instance, *name* as: in a workflow, the node that it is a part of."""
    if flow.dialect is not Dialect.WORKFLOW:
        return f"step '{name}'"
    return f"node '{node_id(name) or name}'"


def take_success(state: RunState, instance: InstanceState, outputs: Mapping[str, Json]) -> None:
    """Settle *instance* with its *outputs*."""
    instance.status = StepStatus.SUCCEEDED
    state.outputs[instance.id] = outputs
    if instance.item >= 0:
        close_item(state, instance)
        return
    close_step(state, instance)
    steps = state.steps
    for number in state.dependents[instance.index]:
        meet(state, steps[number])


def take_failure(state: RunState, instance: InstanceState, error: str | None) -> None:
    """Settle *instance* as failed, with what that means for those that depend on it."""
    instance.status = StepStatus.FAILED
    instance.error = error
    tidy_retries(state)
    if instance.item >= 0:
        close_item(state, instance)
        return
    close_step(state, instance)
    state.awaiting.pop(instance.index, None)
    flow, step = state.flow, state.step_of(instance)
    scope = state.scopes[instance.scope]
    waiting = [state.specs[number] for number in state.dependents[instance.index]]
    if not tolerated(flow, step, waiting):
        scope.failed = True
        scope.error = scope.error or f"{called(flow, step.name)} failed: {error}"
    if stops_run(flow, step, waiting):
        halt(state, scope, step.name)
    for number, dependent in zip(state.dependents[instance.index], waiting, strict=True):
        match word(flow, step, dependent):
            case OnError.CONTINUE:
                meet(state, state.steps[number])
            case _:
                doom(state, number, f"{called(flow, step.name)} failed")


def halt(state: RunState, scope: Scope, name: str) -> None:
    """Let nothing new start in *scope* because step *name* failed; the first one is named."""
    scope.halted_by = scope.halted_by or name
    if scope.given_up is None:
        failed = called(state.flow, scope.halted_by)
        if scope.owner is None:
            why = GivenUp(SkipCause.RUN_FAILED, f"the run stopped because {failed} failed")
        else:
            why = GivenUp(SkipCause.UPSTREAM, f"its body stopped because {failed} failed")
        give_up(state, scope, why)


def close_step(state: RunState, instance: InstanceState) -> None:
    """Count a step as settled; when it is the last one of a body, the body has ended."""
    scope = state.scopes[instance.scope]
    scope.open -= 1
    if not scope.open and scope.owner is not None:
        state.ending[scope.number] = None


def doom(state: RunState, number: int, reason: str) -> None:
    """Have the step at *number* skipped, unless it has begun."""
    if state.steps[number].status is StepStatus.PENDING:
        state.doomed.append(Doomed(number, reason))


def forget_doomed(state: RunState) -> None:
    """Drop what has been skipped, or has failed before it could be, from the front of those to be skipped."""
    while state.doomed and state.steps[state.doomed[0].index].status is not StepStatus.PENDING:
        state.doomed.popleft()


def take_import(state: RunState, event: StepImported) -> None:
    """Settle a step with what it came to in the parent run, whatever it was about to do in this one."""
    instance = state.instances[InstanceId(event.step)]
    count_idle(state, instance, -1)
    state.outputs.update((path, outputs) for path, outputs in event.inner.items())
    if state.context is not None:
        for outputs in (*event.inner.values(), event.outputs):
            share(state.context, outputs)
    state.artifacts.update(event.artifacts)
    leave_queue(state, instance)
    take_success(state, instance, event.outputs)
    state.entering.pop((instance.index, instance.item), None)
    state.awaiting.pop(instance.index, None)
    state.breaks.pop(instance.index, None)


def take_skip(state: RunState, event: StepSkipped) -> None:
    """Settle an instance that will never run."""
    instance = state.instances[event.instance]
    instance.status = StepStatus.SKIPPED
    count_idle(state, instance, -1)
    leave_queue(state, instance)
    forget_doomed(state)
    state.entering.pop((instance.index, instance.item), None)
    if instance.item >= 0:
        close_item(state, instance)
        return
    close_step(state, instance)
    state.awaiting.pop(instance.index, None)
    state.breaks.pop(instance.index, None)
    if state.paused_at is not None and state.paused_at[0] == instance.id:
        state.paused_at = None
    for number in state.dependents[instance.index]:
        if passes_skip(event.cause, state.specs[number]):
            meet(state, state.steps[number])
        else:
            doom(state, number, f"{called(state.flow, instance.id)} was skipped")


def take_stop(state: RunState, instance: InstanceState) -> None:
    """Count a stopped instance as settled; its run is being stopped, so nobody is waiting for it any more."""
    if instance.item >= 0:
        close_item(state, instance)
    else:
        close_step(state, instance)


def take_fan_out(state: RunState, event: FanOutStarted) -> None:
    """Make the instances of a fan-out."""
    parent = state.instances[InstanceId(event.step)]
    parent.status = StepStatus.RUNNING
    parent.guarded = False
    leave_queue(state, parent)
    instances = make_items(state, parent, len(event.items))
    fan_out = FanOut(event.items, instances, open=len(instances), idle=len(instances))
    count_idle(state, parent, -1)
    parent.fan_out = fan_out
    state.fan_outs[parent.index] = fan_out
    limit = state.step_of(parent).max_parallel
    for _ in range(len(instances) if limit is None else min(limit, len(instances))):
        release(state, fan_out)
    if not fan_out.open:
        state.joins[parent.index] = None


def make_items(state: RunState, parent: InstanceState, count: int) -> list[InstanceState]:
    """Make *count* instances of a step."""
    bodied = bool(state.step_of(parent).body)
    instances: list[InstanceState] = []
    for number in range(count):
        instance = InstanceState(item_id(StepName(parent.id), number), parent.index, number)
        instance.scope, instance.path, instance.bodied = parent.scope, parent.path, bodied
        instances.append(instance)
    state.instances.update((instance.id, instance) for instance in instances)
    return instances


def release(state: RunState, fan_out: FanOut) -> None:
    """Let the next instance of *fan_out* start; `max_parallel` is the number released and not yet settled."""
    make_ready(state, fan_out.instances[fan_out.released])
    fan_out.released += 1


def close_item(state: RunState, instance: InstanceState) -> None:
    """Count an item as settled, and let the next one begin, or none."""
    fan_out = state.fan_outs[instance.index]
    fan_out.open -= 1
    if instance.status is StepStatus.FAILED:
        noun = "item" if state.step_of(instance).loop is None else "iteration"
        fan_out.first_error = fan_out.first_error or f"{noun} {instance.item}: {instance.error}"
        if not fan_out.broken and policy(state.flow, state.step_of(instance)) is OnError.FAIL:
            break_fan_out(state, instance.index, fan_out)
    if not fan_out.open:
        again = state.step_of(instance).loop is not None and instance.status is StepStatus.SUCCEEDED
        # A loop goes on until its condition says otherwise; everything else that is settled is joined.
        (state.asking if again and not fan_out.broken else state.joins)[instance.index] = None
    elif not fan_out.broken and fan_out.released < len(fan_out.instances):
        release(state, fan_out)


def take_join(state: RunState, event: FanOutSucceeded | FanOutFailed) -> None:
    """Settle a step whose items are settled."""
    parent = state.instances[InstanceId(event.step)]
    fan_out = state.fan_outs.pop(parent.index)
    state.joins.pop(parent.index, None)
    state.asking.pop(parent.index, None)
    results = [state.outputs.pop(instance.id, None) for instance in fan_out.instances]
    if isinstance(event, FanOutFailed):
        take_failure(state, parent, event.error)
        return
    if parent.gated:
        pause_after(state, parent)
    names = [output.name for output in state.step_of(parent).outputs]
    take_success(state, parent, {name: [None if row is None else row.get(name) for row in results] for name in names})


def take_body(state: RunState, event: BodySucceeded | BodyFailed) -> None:
    """Settle an instance whose body has ended."""
    instance = state.instances[event.instance]
    number = instance.body or 0
    state.ending.pop(number, None)
    state.scopes[instance.scope].children.pop(number, None)
    if isinstance(event, BodyFailed):
        take_failure(state, instance, event.error)
        return
    if instance.gated:
        pause_after(state, instance)
    take_success(state, instance, {})
