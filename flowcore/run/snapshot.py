"""The state of a run as data, and back: what spares folding a long run from its beginning.

A snapshot is worth nothing without the log: it holds what the events up to a version amount to, and the run's flow is
taken from its first event. One that cannot be read is passed over, for the events say the same.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

from flowcore.artifacts import Artifact
from flowcore.ids import InstanceId
from flowcore.values import Instant, Json

from .events import PauseCause, RunCreated, SkipCause
from .evolve import evolve
from .machine import RunStatus, StepStatus
from .queues import ReadyQueue
from .scopes import make_iteration, open_body
from .settlement import make_items
from .state import Doomed, FanOut, GivenUp, InstanceState, RunState, Scope

SCHEMA: Final = 6
"""The version of the shape below; a snapshot of any other is passed over."""
_STATUSES: Final = tuple(StepStatus)
_NUMBERS: Final = {status: number for number, status in enumerate(_STATUSES)}
_PLAIN: Final = (
    "version",
    "started_at",
    "ended_at",
    "epoch",
    "stop_requested",
    "stop_reason",
    "trace",
)


class Columns(TypedDict):
    """The fields of many instances, a list for each field: a fraction of a mapping for each instance."""

    status: list[int]
    attempt: list[int]
    lost: list[int]
    due: list[float]
    unmet: list[int]
    guarded: list[int]
    error: dict[str, str | None]
    passed: dict[str, list[str]]
    lines: dict[str, int]
    begun: dict[str, Instant]
    held: dict[str, str]


class ScopeData(TypedDict):
    """A scope; what its flow or its owner says of it is left out."""

    owner: tuple[int, int] | None
    open: int
    idle: int
    failed: bool
    error: str | None
    halted_by: str | None
    given_up: tuple[str, str] | None
    children: list[int]


class FanOutData(TypedDict):
    """A fan-out, or the iterations of a loop."""

    index: int
    count: int
    items: tuple[Json, ...]
    open: int
    idle: int
    released: int
    first_error: str | None
    broken: bool
    instances: Columns


class StateData(TypedDict):
    """The state of a run; what only comes from its first event is left out."""

    schema: int
    status: str
    plain: dict[str, Json]
    rejected: list[tuple[InstanceId, int, int]]
    scopes: list[ScopeData]
    steps: Columns
    fan_outs: list[FanOutData]
    order: list[int]
    outputs: dict[str, Mapping[str, Json]]
    in_the_air: list[InstanceId]
    ready: list[tuple[int, int]]
    retries: list[tuple[Instant, int, int]]
    doomed: list[tuple[int, str]]
    joins: list[int]
    breaking: list[int]
    entering: list[tuple[int, int]]
    asking: list[int]
    ending: list[int]
    dropping: list[int]
    context: dict[str, dict[str, Json]] | None
    breakpoints: bool
    breaks: list[tuple[int, str]]
    paused_at: tuple[str, str] | None
    artifacts: dict[str, tuple[str, str, int | None, str]]
    awaiting: list[tuple[int, list[str]]]


def dump(state: RunState) -> StateData:
    """Return what `restore` needs beside the run's first event; JSON, to be written before *state* goes on."""
    return {
        "schema": SCHEMA,
        "status": str(state.status),
        "plain": {name: getattr(state, name) for name in _PLAIN},
        "rejected": sorted(state.rejected),
        "scopes": [_scope(scope) for scope in state.scopes],
        "steps": _columns(state.steps),
        "fan_outs": [
            {
                "index": step.index,
                "count": len(step.fan_out.instances),
                "items": step.fan_out.items,
                "open": step.fan_out.open,
                "idle": step.fan_out.idle,
                "released": step.fan_out.released,
                "first_error": step.fan_out.first_error,
                "broken": step.fan_out.broken,
                "instances": _columns(step.fan_out.instances),
            }
            for step in state.steps
            if step.fan_out is not None
        ],
        "order": [*state.fan_outs],
        "outputs": state.outputs,
        "in_the_air": [*state.in_the_air],
        "ready": [*state.ready],
        "retries": [*state.retries],
        "doomed": [(doomed.index, doomed.reason) for doomed in state.doomed],
        "joins": [*state.joins],
        "breaking": [*state.breaking],
        "entering": [*state.entering],
        "asking": [*state.asking],
        "ending": [*state.ending],
        "dropping": [*state.dropping],
        "context": state.context,
        "breakpoints": state.breakpoints is not None,
        "breaks": [(index, str(cause)) for index, cause in state.breaks.items()],
        "paused_at": None if state.paused_at is None else (state.paused_at[0], str(state.paused_at[1])),
        "artifacts": {
            edge: (each.store, each.name, each.size_bytes, each.content_type) for edge, each in state.artifacts.items()
        },
        "awaiting": [(index, sorted(edges)) for index, edges in state.awaiting.items()],
    }


def restore(created: RunCreated, data: StateData) -> RunState:
    """Return the state that *data* was made of, for the run that *created* began.

    Raises:
        ValueError: It is of another version, or no such data; a `LookupError` or `TypeError` means the same.
    """
    if data["schema"] != SCHEMA:
        raise ValueError(f"a snapshot of version {data['schema']!r}")
    state = evolve(RunState(), created)
    state.status = RunStatus(data["status"])
    for name in _PLAIN:
        setattr(state, name, data["plain"][name])
    state.rejected = {(InstanceId(name), attempt, epoch) for name, attempt, epoch in data["rejected"]}
    found = _open_scopes(state, data)
    _fill(state.steps, data["steps"])
    for each in data["fan_outs"]:
        _fill(found[each["index"]].instances, each["instances"])
    for scope, kept in zip(state.scopes, data["scopes"], strict=True):
        _fill_scope(scope, kept)
    state.fan_outs = {index: found[index] for index in data["order"]}
    state.outputs = dict(data["outputs"])
    state.in_the_air = {InstanceId(name): None for name in data["in_the_air"]}
    state.ready = ReadyQueue((index, item) for index, item in data["ready"])
    state.retries = [(Instant(due), index, item) for due, index, item in data["retries"]]
    state.doomed.extend(Doomed(index, reason) for index, reason in data["doomed"])
    state.joins = dict.fromkeys(data["joins"])
    state.breaking = dict.fromkeys(data["breaking"])
    state.entering = dict.fromkeys((index, item) for index, item in data["entering"])
    state.asking = dict.fromkeys(data["asking"])
    state.ending = dict.fromkeys(data["ending"])
    state.dropping = dict.fromkeys(data["dropping"])
    state.context = data["context"]
    if not data["breakpoints"]:
        state.breakpoints = None
    state.breaks = {index: PauseCause(cause) for index, cause in data["breaks"]}
    paused = data["paused_at"]
    state.paused_at = None if paused is None else (InstanceId(paused[0]), PauseCause(paused[1]))
    state.artifacts = {
        edge: Artifact(store=store, name=name, size_bytes=size_bytes, content_type=content_type)
        for edge, (store, name, size_bytes, content_type) in data["artifacts"].items()
    }
    state.awaiting = {index: set(edges) for index, edges in data["awaiting"]}
    return state


def _open_scopes(state: RunState, data: StateData) -> dict[int, FanOut]:
    """Make the instances of all fan-outs and bodies anew; return the fan-outs by the index of their step."""
    waiting = {each["index"]: each for each in data["fan_outs"]}
    found: dict[int, FanOut] = {}
    for kept in data["scopes"][1:]:
        if kept["owner"] is None:
            raise ValueError("a body without an owner")
        index, item = kept["owner"]
        if index in waiting:
            found[index] = _make_fan_out(state, waiting.pop(index))
        open_body(state, state.instance_at(index, item))
    for index in [*waiting]:
        found[index] = _make_fan_out(state, waiting.pop(index))
    return found


def _make_fan_out(state: RunState, kept: FanOutData) -> FanOut:
    step = state.steps[kept["index"]]
    items = tuple(kept["items"])
    if state.step_of(step).loop is None:
        instances = make_items(state, step, len(items))
    else:
        instances = [make_iteration(state, step, number) for number in range(kept["count"])]
    step.fan_out = FanOut(items, instances, kept["open"], kept["idle"], kept["released"])
    step.fan_out.first_error, step.fan_out.broken = kept["first_error"], kept["broken"]
    return step.fan_out


def _scope(scope: Scope) -> ScopeData:
    why = scope.given_up
    return {
        "owner": scope.owner,
        "open": scope.open,
        "idle": scope.idle,
        "failed": scope.failed,
        "error": scope.error,
        "halted_by": scope.halted_by,
        "given_up": None if why is None else (str(why.cause), why.reason),
        "children": [*scope.children],
    }


def _fill_scope(scope: Scope, kept: ScopeData) -> None:
    scope.open, scope.idle = kept["open"], kept["idle"]
    scope.failed, scope.error, scope.halted_by = kept["failed"], kept["error"], kept["halted_by"]
    why = kept["given_up"]
    scope.given_up = None if why is None else GivenUp(SkipCause(why[0]), why[1])
    scope.children = dict.fromkeys(kept["children"])


def _columns(instances: Sequence[InstanceState]) -> Columns:
    return {
        "status": [_NUMBERS[each.status] for each in instances],
        "attempt": [each.attempt for each in instances],
        "lost": [each.lost for each in instances],
        "due": [each.due for each in instances],
        "unmet": [each.unmet for each in instances],
        "guarded": [int(each.guarded) for each in instances],
        "error": {str(number): each.error for number, each in enumerate(instances) if each.error is not None},
        "passed": {str(number): [*each.passed] for number, each in enumerate(instances) if each.passed},
        "lines": {str(number): each.lines for number, each in enumerate(instances) if each.lines},
        "held": {str(number): each.held for number, each in enumerate(instances) if each.held is not None},
        "begun": {str(number): each.begun for number, each in enumerate(instances) if each.begun is not None},
    }


def _fill(instances: Sequence[InstanceState], columns: Columns) -> None:
    rows = zip(
        columns["status"],
        columns["attempt"],
        columns["lost"],
        columns["due"],
        columns["unmet"],
        columns["guarded"],
        strict=True,
    )
    for instance, (status, attempt, lost, due, unmet, guarded) in zip(instances, rows, strict=True):
        instance.status = _STATUSES[status]
        instance.attempt = attempt
        instance.lost = lost
        instance.due = Instant(due)
        instance.unmet = unmet
        instance.guarded = bool(guarded)
    for number, error in columns["error"].items():
        instances[int(number)].error = error
    for number, causes in columns["passed"].items():
        instances[int(number)].passed = tuple(PauseCause(cause) for cause in causes)
    for number, lines in columns["lines"].items():
        instances[int(number)].lines = lines
    for number, at in columns["begun"].items():
        instances[int(number)].begun = Instant(at)
    for number, reason in columns["held"].items():
        instances[int(number)].held = reason
