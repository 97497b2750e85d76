"""Why a step stands where it stands: read from the state of its run, and said in words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import attrs

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, RunId
from flowcore.model import OnError, Step
from flowcore.ports import Recorded
from flowcore.run.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    Event,
    PauseCause,
    StepImported,
    StepSkipped,
)
from flowcore.run.evolve import evolve
from flowcore.run.machine import SETTLED, RunStatus, StepStatus
from flowcore.run.policy import word
from flowcore.run.state import InstanceState, RunState
from flowcore.values import Instant

_PLACES: Final[Mapping[PauseCause, str]] = MappingProxyType(
    {
        PauseCause.BREAKPOINT_PRE: "at a breakpoint before",
        PauseCause.BREAKPOINT_POST: "at a breakpoint after",
        PauseCause.WAIT: "as is asked for by",
    }
)
_MOST: Final = 5
"""How many of many steps are named."""


@attrs.frozen(kw_only=True)
class AttemptReport:
    """One attempt of a step.

    Attributes:
        outcome: `running`, `succeeded`, `failed`, `lost` or `stopped`.
        error: Why it failed, or None.
    """

    attempt: int
    started_at: Instant
    ended_at: Instant | None = None
    outcome: str = "running"
    error: str | None = None


@attrs.frozen(kw_only=True)
class Explanation:
    """Why a step stands where it stands.

    Attributes:
        step: The step, or one item of its fan-out (`fetch/3`).
        status: The machine's own word.
        sentences: What there is to say, the most important first.
        attempts: Every attempt so far.
    """

    run_id: RunId
    step: str
    status: str
    sentences: tuple[str, ...]
    attempts: tuple[AttemptReport, ...]


def explain(events: Iterable[Recorded], name: str, *, driven: bool = True) -> Explanation:
    """Return why the step *name* stands where it stands after *events*, which are those of one run.

    Args:
        events: What happened.
        name: The step, or an item of its fan-out.
        driven: Whether some program drives the run: without one nothing of a run that has not ended goes on.

    Raises:
        CommandRejectedError: `run-missing`: there are no events; `unknown-step`: the flow has no such step.
    """
    state = RunState()
    attempts: dict[int, AttemptReport] = {}
    settled: Event | None = None
    for recorded in events:
        event = recorded.event
        evolve(state, event)
        if getattr(event, "instance", getattr(event, "step", None)) == name:
            settled = event if isinstance(event, StepSkipped | StepImported) else settled
            _follow(attempts, event)
    if state.status is RunStatus.NEW:
        raise CommandRejectedError("run-missing", "there is no such run")
    instance = state.instances.get(InstanceId(name))
    if instance is None:
        close = get_close_matches(name, state.instances, 1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise CommandRejectedError("unknown-step", f"run {state.run_id} has no step '{name}'{hint}")
    sentences = tuple(_sentences(state, instance, settled, driven=driven))
    return Explanation(
        run_id=state.run_id,
        step=name,
        status=instance.status,
        sentences=sentences,
        attempts=tuple(attempts.values()),
    )


def _follow(attempts: dict[int, AttemptReport], event: Event) -> None:
    match event:
        case AttemptStarted(attempt=number, at=at):
            attempts[number] = AttemptReport(attempt=number, started_at=at)
        case AttemptSucceeded(attempt=number, at=at):
            attempts[number] = attrs.evolve(attempts[number], ended_at=at, outcome="succeeded")
        case AttemptFailed(attempt=number, at=at, error=error):
            attempts[number] = attrs.evolve(attempts[number], ended_at=at, outcome="failed", error=error)
        case AttemptLost(attempt=number, at=at, error=error):
            attempts[number] = attrs.evolve(attempts[number], ended_at=at, outcome="lost", error=error)
        case AttemptStopped(attempt=number, at=at):
            attempts[number] = attrs.evolve(attempts[number], ended_at=at, outcome="stopped")
        case _:
            pass


def _sentences(state: RunState, instance: InstanceState, settled: Event | None, *, driven: bool) -> Iterator[str]:
    match instance.status:
        case StepStatus.PENDING:
            yield from _pending(state, instance)
        case StepStatus.READY:
            yield from _ready(state, instance)
        case StepStatus.PAUSED:
            yield "everything it depends on is settled, and the run has paused before it"
            yield from _run_words(state)
        case StepStatus.RETRYING:
            left = state.step_of(instance).retry.max_attempts - (instance.attempt - instance.lost)
            yield f"attempt {instance.attempt} came to nothing: {instance.error}"
            yield f"the next attempt is due; {max(left, 0)} of its attempts are left" + _held_up(state)
            if instance.held is not None:
                yield instance.held
        case StepStatus.RUNNING:
            yield from _running(state, instance, driven=driven)
        case StepStatus.SUCCEEDED:
            if isinstance(settled, StepImported):
                yield f"it was taken over from run {state.parent}: it had succeeded there"
            else:
                yield f"it succeeded{_in_attempt(instance)}"
        case StepStatus.FAILED:
            yield f"it failed{_in_attempt(instance)}: {instance.error or 'no reason was given'}"
            yield from _effect_of_failure(state, instance)
        case StepStatus.SKIPPED:
            reason = settled.reason if isinstance(settled, StepSkipped) else "nobody says why"
            yield f"it was skipped: {reason}"
            yield from _root_causes(state, instance)
        case _:
            yield f"it was under way when the run was stopped: {state.stop_reason}"


def _pending(state: RunState, instance: InstanceState) -> Iterator[str]:
    if instance.item >= 0:
        limit = state.step_of(instance).max_parallel
        yield f"it waits for its turn: at most {limit} items of its step go on at once"
        return
    open_needs = [need for need in _needs(state, instance) if need.status not in SETTLED]
    for need in open_needs[:_MOST]:
        yield f"it waits for step '{need.id}', which is {need.status}"
    if len(open_needs) > _MOST:
        yield f"it waits for {len(open_needs) - _MOST} more steps"
    roots = _roots(state, instance, lambda each: each.status not in SETTLED)
    for root in [root for root in roots if root not in open_needs][:_MOST]:
        yield f"what holds all up is step '{root.id}', which is {root.status}"
    yield from _run_words(state)


def _ready(state: RunState, instance: InstanceState) -> Iterator[str]:
    if state.status is RunStatus.QUEUED:
        yield "the run has not started"
        return
    guard = " to have its condition looked at" if instance.guarded else ""
    yield f"everything it depends on is settled; it is ready{guard}" + _held_up(state)
    if instance.held is not None:
        yield instance.held
    yield from _run_words(state)


def _held_up(state: RunState) -> str:
    busy = len(state.in_the_air)
    if busy < state.max_workers:
        return ""
    return f", but {busy} of at most {state.max_workers} attempts are under way (`max_workers`)"


def _running(state: RunState, instance: InstanceState, *, driven: bool) -> Iterator[str]:
    fan_out = instance.fan_out
    if fan_out is not None:
        yield f"{len(fan_out.instances) - fan_out.open} of its {len(fan_out.instances)} items are settled"
    elif driven:
        yield f"attempt {instance.attempt} is under way"
    else:
        yield f"attempt {instance.attempt} was under way when the program that drove the run went away"
    yield from _run_words(state)


def _in_attempt(instance: InstanceState) -> str:
    return f" in attempt {instance.attempt}" if instance.attempt > 1 else ""


def _run_words(state: RunState) -> Iterator[str]:
    if state.stop_requested:
        yield f"the run is being stopped: {state.stop_reason}"
    elif state.status is RunStatus.PAUSED:
        yield _paused_words(state)
    elif state.halted_by is not None and not state.ended:
        yield f"the run is ending because step '{state.halted_by}' failed"


def _paused_words(state: RunState) -> str:
    if state.paused_at is None:
        return "the run is paused: nothing new starts"
    name, cause = state.paused_at
    return f"the run is paused {_PLACES[cause]} step '{name}': nothing new starts"


def _effect_of_failure(state: RunState, instance: InstanceState) -> Iterator[str]:
    step = state.step_of(instance)
    if instance.item >= 0:
        return
    for number in state.dependents[instance.index][:_MOST]:
        dependent = state.flow.steps[number]
        meaning = {
            OnError.FAIL: "the run stops for it",
            OnError.SKIP: "it is skipped",
            OnError.CONTINUE: "it runs all the same",
        }[word(state.flow, step, dependent)]
        yield f"for step '{dependent.name}' that means: {meaning} ({_whose(state, step, dependent)})"


def _whose(state: RunState, failed: Step, dependent: Step) -> str:
    """Return whose word decides what a failure means (contract status, section 4)."""
    if dependent.on_error is not None:
        return f"its own `on_error: {dependent.on_error}`"
    if failed.on_error is not None:
        return f"`on_error: {failed.on_error}` of '{failed.name}'"
    if state.flow.on_error is not None:
        return f"`on_error: {state.flow.on_error}` of the flow"
    return "no `on_error` says otherwise"


def _root_causes(state: RunState, instance: InstanceState) -> Iterator[str]:
    """Yield what failed at the beginning of the chain of skips."""
    if instance.item >= 0:
        return
    bad = {StepStatus.FAILED, StepStatus.SKIPPED}
    roots = [root for root in _roots(state, instance, lambda each: each.status in bad) if root.id != instance.id]
    for root in roots[:_MOST]:
        if root.status is StepStatus.FAILED:
            whose = _whose(state, state.step_of(root), state.step_of(instance))
            yield f"step '{root.id}' failed: {root.error} ({whose})"
        else:
            yield f"it began with step '{root.id}', which was skipped"


def _needs(state: RunState, instance: InstanceState) -> list[InstanceState]:
    return [state.instances[InstanceId(name)] for name in state.step_of(instance).depends_on]


def _roots(state: RunState, instance: InstanceState, wanted: Callable[[InstanceState], bool]) -> list[InstanceState]:
    """Return where a chain of dependencies that are all *wanted* begins; each step is looked at once."""
    found: list[InstanceState] = []
    seen: set[int] = set()
    rest = [instance]
    while rest:
        here = rest.pop()
        needs = [need for need in _needs(state, here) if wanted(need)]
        if not needs and here is not instance:
            found.append(here)
        for need in needs:
            if need.index not in seen:
                seen.add(need.index)
                rest.append(need)
    return sorted(found, key=lambda each: each.index)
