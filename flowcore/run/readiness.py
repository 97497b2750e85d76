"""Who may start: queues of what is ready or due, and what holds a step back (dependencies, artifacts, pauses)."""

from heapq import heappop

from flowcore.model import Moment

from .events import ArtifactArrived, PauseCause, StepPaused
from .machine import RUN_TRANSITIONS, StepStatus
from .state import AT_ONCE, FanOut, InstanceState, RunState


def make_ready(state: RunState, instance: InstanceState) -> None:
    """Let *instance* start as soon as there is room, or pause the run before it."""
    instance.status = StepStatus.READY
    instance.due = AT_ONCE
    if instance.gated and not instance.guarded and instance.item < 0:
        cause = state.pause_before(instance)
        if cause is not None:
            state.breaks[instance.index] = cause
            return
    if instance.bodied and not instance.guarded:
        state.entering[instance.index, instance.item] = None
        return
    state.ready.push((instance.index, instance.item))


def pass_guard(state: RunState, instance: InstanceState) -> None:
    """Let *instance* start, whose condition is met: it is in the queue already, unless it runs a body."""
    instance.guarded = False
    if instance.bodied:
        leave_queue(state, instance)
        state.entering[instance.index, instance.item] = None


def leave_queue(state: RunState, instance: InstanceState) -> None:
    """Take *instance*, which is not to start now, out of those that are ready."""
    state.ready.discard((instance.index, instance.item))


def tidy_retries(state: RunState) -> None:
    """Drop what is not to be retried then any more from the top of the timetable, so that each is looked at once."""
    queue = state.retries
    while queue:
        due, index, item = queue[0]
        instance = state.instance_at(index, item)
        if instance.status is StepStatus.RETRYING and instance.due == due:
            return
        heappop(queue)


def count_idle(state: RunState, instance: InstanceState, change: int) -> None:
    """Count *instance* in or out of those that are neither settled nor in the air."""
    if instance.item < 0:
        scope = state.scopes[instance.scope]
        scope.idle += change
        if not scope.idle and state.dropping:
            state.dropping.pop(scope.number, None)
        return
    fan_out = state.fan_outs[instance.index]
    fan_out.idle += change
    note_break(state, instance.index, fan_out)


def note_break(state: RunState, index: int, fan_out: FanOut) -> None:
    """Keep in mind whether the items of *fan_out* that have not begun must be given up."""
    if fan_out.broken and fan_out.idle:
        state.breaking[index] = None
    else:
        state.breaking.pop(index, None)


def meet(state: RunState, instance: InstanceState) -> None:
    """Count one thing that *instance* waits for as done."""
    instance.unmet -= 1
    if not instance.unmet and instance.status is StepStatus.PENDING:
        make_ready(state, instance)


def pause_at(state: RunState, event: StepPaused) -> None:
    """Pause the run at a step."""
    state.status = RUN_TRANSITIONS[state.status].get(StepPaused, state.status)
    instance = state.instances[event.instance]
    state.breaks.pop(instance.index, None)
    state.paused_at = (instance.id, event.cause)
    if event.cause is not PauseCause.BREAKPOINT_POST:
        instance.status = StepStatus.PAUSED
        leave_queue(state, instance)


def pause_after(state: RunState, instance: InstanceState) -> None:
    """Pause the run after *instance*, which has succeeded, if there is a breakpoint."""
    points = state.breakpoints
    # An item of a fan-out has the mark of its step, and only the step itself counts.
    if points is None or instance.item >= 0 or points.moment is Moment.PRE:
        return
    # A step may be one to pause at for another reason.
    if points.covers(state.step_of(instance)):
        state.breaks[instance.index] = PauseCause.BREAKPOINT_POST


def go_on(state: RunState) -> None:
    """Let the run go on from where it has paused."""
    if state.paused_at is None:
        return
    name, cause = state.paused_at
    state.paused_at = None
    instance = state.instances[name]
    if instance.status is StepStatus.PAUSED:
        instance.passed = (*instance.passed, cause)
        make_ready(state, instance)


def disable_breakpoints(state: RunState) -> None:
    """Let what waits at breakpoints go on."""
    state.breakpoints = None
    held, state.breaks = state.breaks, {}
    for index, cause in held.items():
        if cause is not PauseCause.BREAKPOINT_POST:
            make_ready(state, state.steps[index])


def take_artifact(state: RunState, event: ArtifactArrived) -> None:
    """Let the steps start that waited for nothing but this artifact."""
    state.artifacts[event.edge] = event.artifact
    for number in state.readers[event.edge]:
        missing = state.awaiting.get(number)
        if missing is not None:
            missing.discard(event.edge)
            if not missing:
                del state.awaiting[number]
                meet(state, state.steps[number])
