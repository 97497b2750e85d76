"""Bodies: how the steps in them come to be, how they end, and how they are given up."""

from collections.abc import Mapping, Sequence

from flowcore.graph import dependents
from flowcore.ids import InstanceId, StepName, child_id, item_id
from flowcore.model import Breakpoints, Step
from flowcore.values import Json

from .events import BodyStarted, IterationStarted, SkipCause
from .machine import StepStatus
from .readiness import count_idle, make_ready, note_break
from .state import FanOut, GivenUp, InstanceState, RunState, Scope, make_instance_state


def open_scope(state: RunState, scope: Scope, steps: Sequence[Step], points: Breakpoints | None = None) -> None:
    """Make the instances of *steps*, whose place is *scope*; those that wait for nothing are ready."""
    owner = None if scope.owner is None else state.instance_at(*scope.owner)
    scope.first = first = len(state.steps)
    scope.size = scope.open = scope.idle = len(steps)
    numbers = {step.name: number for number, step in enumerate(steps)}
    waiting = dependents([[numbers[name] for name in step.depends_on] for step in steps])
    state.specs.extend(steps)
    # The flow itself, which may have many thousands of steps, counts from 0 and needs no other lists.
    state.dependents.extend([[first + number for number in each] for each in waiting] if first else waiting)
    instances, made = state.instances, state.steps
    for number, step in enumerate(steps, first):
        instance = make_instance_state(
            InstanceId(step.name) if owner is None else child_id(owner.id, step.name),
            number,
            unmet=len(step.depends_on),
            guarded=step.guarded,
            scope=scope.number,
            path=step.name if owner is None else f"{owner.path}/{step.name}",
        )
        if step.body:
            instance.bodied = step.for_each is None
        # Steps of a body never pause (contract executions, section 6).
        if owner is None and (step.pause or points is not None):
            instance.gated = step.pause or (points is not None and points.covers(step))
        made.append(instance)
        instances[instance.id] = instance
        if step.awaits:
            for edge in step.awaits:
                state.readers.setdefault(edge, []).append(number)
            missing = {edge for edge in step.awaits if edge not in state.artifacts}
            if missing:
                instance.unmet += 1
                state.awaiting[number] = missing
        if not instance.unmet:
            make_ready(state, instance)


def share(context: dict[str, dict[str, Json]], outputs: Mapping[str, Json]) -> None:
    """Take what a step of a workflow has left into what its steps share."""
    for part, known in context.items():
        left = outputs.get(part)
        if isinstance(left, Mapping):
            known.update(left)


def enter(state: RunState, event: BodyStarted) -> None:
    """Begin the body of an instance."""
    instance = state.instances[event.instance]
    state.entering.pop((instance.index, instance.item), None)
    count_idle(state, instance, -1)
    if state.context is not None and instance.item >= 0:
        variables = state.context["variables"]
        variables["index"], variables["item"] = instance.item, state.fan_outs[instance.index].items[instance.item]
    open_body(state, instance)


def iterate(state: RunState, event: IterationStarted) -> None:
    """Begin the body of a loop, for the first time or again."""
    step = state.instances[InstanceId(event.step)]
    if step.fan_out is None:
        state.entering.pop((step.index, step.item), None)
        count_idle(state, step, -1)
        step.status = StepStatus.RUNNING
        step.fan_out = state.fan_outs[step.index] = FanOut((), [], open=0, idle=0)
    state.asking.pop(step.index, None)
    instance = make_iteration(state, step, event.number)
    step.fan_out.instances.append(instance)
    step.fan_out.released += 1
    step.fan_out.open += 1
    if state.context is not None:
        state.context["variables"]["index"] = event.number
    open_body(state, instance)


def make_iteration(state: RunState, step: InstanceState, number: int) -> InstanceState:
    """Make the instance of iteration *number* of the loop *step*."""
    instance = InstanceState(item_id(StepName(step.id), number), step.index, number)
    instance.scope, instance.path, instance.bodied = step.scope, step.path, True
    state.instances[instance.id] = instance
    return instance


def open_body(state: RunState, instance: InstanceState) -> None:
    """Make the steps of the body of *instance*."""
    instance.status = StepStatus.RUNNING
    instance.body = len(state.scopes)
    scope = Scope(instance.body, (instance.index, instance.item), instance.scope)
    state.scopes.append(scope)
    state.scopes[instance.scope].children[scope.number] = None
    open_scope(state, scope, state.step_of(instance).body)


def give_up(state: RunState, scope: Scope, why: GivenUp) -> None:
    """Let nothing new start in *scope* and in all that is in it; what runs there is let finish."""
    numbers: set[int] = set()
    rest = [scope]
    while rest:
        each = rest.pop()
        if not each.open and each.owner is not None:
            continue  # it has ended, and as it has ended
        numbers.add(each.number)
        each.given_up = why
        if each.idle:
            state.dropping[each.number] = None
        rest.extend(state.scopes[number] for number in each.children)
    for index, fan_out in state.fan_outs.items():
        if state.steps[index].scope in numbers:
            break_fan_out(state, index, fan_out)


def break_fan_out(state: RunState, index: int, fan_out: FanOut) -> None:
    """Begin no further item of *fan_out*; nothing new starts in the bodies of its items."""
    fan_out.broken = True
    note_break(state, index, fan_out)
    if index in state.asking:
        del state.asking[index]
        state.joins[index] = None
    for instance in fan_out.instances:
        if instance.body is not None:
            scope = state.scopes[instance.body]
            if scope.given_up is None:
                give_up(state, scope, GivenUp(SkipCause.UPSTREAM, "the fan-out was given up"))
