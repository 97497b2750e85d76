"""A run without its sources: what they give is a script, and time passes at once.

For tests of flows: with the results that another run recorded, or with made up ones, a retry plan of eight hours takes
milliseconds. Conditions and lists are evaluated as in a real run.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from .artifacts import Artifact
from .errors import ExpressionError
from .expressions import Searches, compile_template, patient_search
from .ids import InstanceId, RunId, StepName
from .memory_log import MemoryEventLog
from .model import Flow
from .ports import Append, Recorded
from .run.commands import (
    Command,
    ContinueRun,
    CreateRun,
    DeliverArtifact,
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportIteration,
    ReportSuccess,
    Settle,
    StartAttempt,
    StartRun,
)
from .run.decide import decide
from .run.effects import Iterate, Perform, Resolve, pending, wake_at
from .run.events import AttemptFailed, AttemptStarted, AttemptSucceeded, RunCreated, StepImported
from .run.evolve import evolve
from .run.machine import RunStatus
from .run.sight import outputs_left, outputs_seen, place_of, shared
from .run.state import InstanceState, RunState
from .values import Instant, Json
from .views.outputs import OutputsView
from .views.status import StatusReport, StatusView

START: Final = 1_700_000_000.0
NO_RESULT: Final = "no-result"
"""The code of a failure of a step for which the script has nothing."""
_RUN: Final = RunId(int(START * 1000))


@attrs.frozen
class Success:
    """An attempt that succeeds.

    Attributes:
        outputs: What the step's outputs are.
        took_s: How long it takes, in seconds of the rehearsal.
    """

    outputs: Mapping[str, Json] = attrs.field(factory=dict[str, Json])
    took_s: float = 0.0


@attrs.frozen
class Failure:
    """An attempt that fails.

    Attributes:
        took_s: How long it takes, in seconds of the rehearsal.
    """

    error: str = "failed"
    code: str = "failed"
    retryable: bool = True
    retry_after_s: float | None = None
    took_s: float = 0.0


Result: TypeAlias = Success | Failure
Script: TypeAlias = Mapping[str, Sequence[Result]]
"""What the attempts of each step (`fetch`, or `fetch/3` for an item) come to, in their order; the last one repeats.

Items that are not named come to what stands for their step.
"""


@attrs.frozen
class Rehearsal:
    """What a rehearsal came to.

    Attributes:
        status: The run as the Python API shows it.
        outputs: By step and output.
        events: Everything that happened.
        took_s: How long it would have taken, in seconds.
        missing: The steps for which the script had nothing; they failed with the code `no-result`.
    """

    status: StatusReport
    outputs: Mapping[str, Mapping[str, Json]]
    events: tuple[Recorded, ...]
    took_s: float
    missing: tuple[str, ...]

    @property
    def states(self) -> Mapping[str, str]:
        """The state of every step."""
        return {name: step.state for name, step in self.status.steps.items()}


def recorded_results(events: Iterable[Recorded]) -> dict[str, list[Result]]:
    """Return the script that repeats what the attempts of a run came to, and what it took over from another run.

    Lost attempts are left out.
    """
    began: dict[str, Instant] = {}
    fanned: frozenset[str] = frozenset()
    found: dict[str, list[Result]] = {}
    for recorded in events:
        match recorded.event:
            case RunCreated(flow=flow):
                fanned = frozenset(step.name for step in flow.steps if step.for_each is not None)
            case StepImported(step=name, outputs=outputs, inner=inner):
                found.update((path, [Success(left)]) for path, left in inner.items())
                found.update(_items(name, outputs) if outputs and name in fanned else {name: [Success(outputs)]})
            case AttemptStarted(instance=name, at=at):
                began[name] = at
            case AttemptSucceeded(instance=name, outputs=outputs, at=at):
                found.setdefault(name, []).append(Success(outputs, max(0.0, at - began[name])))
            case AttemptFailed(instance=name, code=code, error=error, retry_at=due, at=at):
                failure = Failure(error, code, retryable=due is not None, took_s=max(0.0, at - began[name]))
                found.setdefault(name, []).append(failure)
            case _:
                pass
    return found


def _items(name: str, outputs: Mapping[str, Json]) -> dict[str, list[Result]]:
    """Return what the items of a fan-out came to: each of its outputs is a list with a place for every item."""
    lists = {each: value for each, value in outputs.items() if isinstance(value, (list, tuple))}
    rows = zip(*lists.values(), strict=False)
    return {f"{name}/{item}": [Success(dict(zip(lists, row, strict=True)))] for item, row in enumerate(rows)}


def rehearse(
    flow: Flow, script: Script, *, max_workers: int | None = None, searches: Searches = patient_search
) -> Rehearsal:
    """Run *flow* with the results of *script*, from its start to its end, in no time.

    Args:
        searches: Gives what looks for the patterns of its expressions that could take long.
    """
    stage = _Stage(flow, script, searches)
    stage.execute(CreateRun(run_id=_RUN, flow=flow, at=stage.now, max_workers=max_workers))
    stage.execute(StartRun(at=stage.now))
    while not stage.state.ended:
        stage.move()
    return stage.result()


class _Stage:
    """A rehearsal that goes on: the run, the time, and the attempts that are under way."""

    def __init__(self, flow: Flow, script: Script, searches: Searches) -> None:
        self._searches = searches
        self.now = Instant(START)
        self.state = RunState()
        self._flow = flow
        self._script = script
        self._log = MemoryEventLog()
        self._air: list[tuple[float, int, InstanceId]] = []
        self._order = 0
        self._tried: dict[str, int] = {}
        self._missing: dict[str, None] = {}

    def execute(self, command: Command) -> None:
        events = decide(command, self.state)
        self._log.append(Append(_RUN, self.state.version, events))
        for event in events:
            evolve(self.state, event)

    def move(self) -> None:
        """Do what is pending, or let time pass until something ends or falls due."""
        effects = pending(self.state, self.now)
        for effect in effects:
            match effect:
                case Perform(instance=instance):
                    self._start(instance)
                case Resolve(step=step):
                    self.execute(self._look(step))
                case Iterate(step=step, number=number):
                    self.execute(self._look_again(step, number))
                case _:  # consequences; nothing is ever cancelled, for nobody stops a rehearsal
                    self.execute(Settle(at=self.now))
        if not effects:
            self._pass()

    def _pass(self) -> None:
        due = wake_at(self.state)
        if self.state.status is RunStatus.PAUSED:
            # Nobody is there to look at it.
            self.execute(ContinueRun(at=self.now))
        elif self.state.awaiting and not self._air:
            # What a run waits for is there at once.
            edge = min(min(edges) for edges in self.state.awaiting.values())
            self.execute(DeliverArtifact(edge=edge, artifact=Artifact(store="default", name=edge), at=self.now))
        elif self._air and (due is None or self._air[0][0] <= due):
            moment, _, instance = heapq.heappop(self._air)
            self.now = Instant(max(self.now, moment))
            self.execute(self._report(instance))
        else:
            self.now = Instant(max(self.now, due or self.now))

    def _start(self, instance: InstanceId) -> None:
        if self.state.giving_up:
            # A condition of the same moment has failed, and the run is over for all that have not begun.
            return
        self.execute(StartAttempt(instance=instance, at=self.now))
        self._order += 1
        heapq.heappush(self._air, (self.now + self._next(instance).took_s, self._order, instance))

    def _next(self, instance: InstanceId) -> Result:
        results = self._script.get(instance) or self._script.get(
            self.state.step_of(self.state.instances[instance]).name
        )
        if not results:
            self._missing[instance] = None
            return Failure(f"there is no result for '{instance}' in the script", NO_RESULT, retryable=False)
        return results[min(self._tried.get(instance, 0), len(results) - 1)]

    def _report(self, instance: InstanceId) -> Command:
        result = self._next(instance)
        self._tried[instance] = self._tried.get(instance, 0) + 1
        attempt = self.state.instances[instance].attempt
        if isinstance(result, Success):
            return ReportSuccess(instance=instance, attempt=attempt, outputs=result.outputs, at=self.now)
        return ReportFailure(
            instance=instance,
            attempt=attempt,
            code=result.code,
            error=result.error,
            at=self.now,
            retryable=result.retryable,
            retry_after_s=result.retry_after_s,
        )

    def _look(self, name: StepName) -> ReportGuard | ReportGuardFailure:
        instance = self.state.instances[InstanceId(name)]
        step = self.state.step_of(instance)
        try:
            met = step.when is None or bool(self._value(step.when, instance))
            if not met or step.for_each is None:
                return ReportGuard(step=name, met=met, at=self.now)
            items = self._value(step.for_each, instance)
        except ExpressionError as error:
            return ReportGuardFailure(step=name, code=error.code, error=str(error), at=self.now)
        if not isinstance(items, (list, tuple)):
            return ReportGuardFailure(step=name, code="expression", error="'for_each' gave no list", at=self.now)
        return ReportGuard(step=name, met=True, items=tuple(items), at=self.now)

    def _look_again(self, name: StepName, number: int) -> ReportIteration:
        instance = self.state.instances[InstanceId(name)]
        loop = self.state.step_of(instance).loop
        try:
            again = loop is not None and bool(self._value(loop.condition, instance, number))
        except ExpressionError as error:
            return ReportIteration(step=name, number=number, again=False, error=str(error), at=self.now)
        return ReportIteration(step=name, number=number, again=again, at=self.now)

    def _value(self, expression: Json, instance: InstanceState, number: int | None = None) -> Json:
        template, state = compile_template(expression, self._searches), self.state
        names = [each.names[0] for each in template.references if each.root == "flows" and each.names]
        roots: dict[str, Json] = {"sources": {}, "secrets": {}, **shared(state)}
        roots["run"] = {"id": _RUN, "name": self._flow.name, "started_at": START}
        place = place_of(state, instance)
        if place is not None:
            roots["item"], roots["index"] = place.item, place.index
        if number is None:
            roots["flows"] = outputs_seen(state, instance, names)
        else:
            roots["flows"], roots["index"] = outputs_left(state, instance, number, names), number
        return template.render(roots)

    def result(self) -> Rehearsal:
        status, outputs = StatusView(), OutputsView()
        events = tuple(self._log.read(_RUN))
        for recorded in events:
            status.evolve(recorded)
            outputs.evolve(recorded)
        return Rehearsal(status.report(), outputs.render(), events, self.now - START, tuple(self._missing))
