"""The status view: `GET /status` (documents/status-api.md) and the `status` object of the Python API.

Every step keeps its piece of JSON, so that an answer costs what has changed since the last one and a join of texts, not
the encoding of the whole flow.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypedDict, assert_never

import attrs

from flowcore.ids import InstanceId, RunId
from flowcore.ports import Recorded
from flowcore.run.events import (
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
    RunLevelEvent,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
)
from flowcore.run.machine import RunStatus, StepStatus
from flowcore.values import Instant

StateWord: TypeAlias = Literal["pending", "running", "succeeded", "failed", "skipped"]

STATE_WORDS: Final[Mapping[StepStatus, StateWord]] = MappingProxyType(
    {
        StepStatus.PENDING: "pending",
        StepStatus.READY: "pending",
        StepStatus.RUNNING: "running",
        StepStatus.RETRYING: "running",
        StepStatus.PAUSED: "pending",
        StepStatus.SUCCEEDED: "succeeded",
        StepStatus.FAILED: "failed",
        StepStatus.SKIPPED: "skipped",
        StepStatus.STOPPED: "failed",
    }
)
"""The family's word for every step status (design, section 6)."""


class StepDocument(TypedDict):
    """One step as `/status` shows it: times in seconds since the epoch."""

    state: StateWord
    started_at: float | None
    ended_at: float | None
    notes: list[str]
    outputs: list[str]


class StatusDocument(TypedDict):
    """The answer of `GET /status`; steps stand in flow order."""

    run_id: int
    started_at: float | None
    ended_at: float | None
    total_steps: int
    completed_steps: int
    current_step: str | None
    running_steps: list[str]
    running_count: int
    steps: dict[str, StepDocument]


@attrs.frozen(kw_only=True)
class StepReport:
    """One step of a run, for the Python API.

    Attributes:
        started_at: Seconds since the epoch, or None.
        ended_at: Seconds since the epoch, or None.
        error: Why it failed, or None.
    """

    name: str
    state: StateWord
    started_at: float | None
    ended_at: float | None
    error: str | None
    notes: tuple[str, ...]
    outputs: tuple[str, ...]


@attrs.frozen(kw_only=True)
class StatusReport:
    """A run at one moment, for the Python API: `documents/python-api.md`, "Checking Execution Status"."""

    run_id: int
    state: RunStatus
    started_at: float | None
    ended_at: float | None
    steps: Mapping[str, StepReport]


class _StepRow:
    """What the view knows of one step."""

    __slots__ = ("ended_at", "names", "notes", "order", "started_at", "status")

    def __init__(self, order: int, names: tuple[str, ...]) -> None:
        self.order = order
        self.names = names
        self.status = StepStatus.PENDING
        self.started_at: Instant | None = None
        self.ended_at: Instant | None = None
        self.notes: tuple[str, ...] = ()

    def document(self) -> StepDocument:
        return {
            "state": STATE_WORDS[self.status],
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "notes": list(self.notes),
            "outputs": list(self.names) if self.status is StepStatus.SUCCEEDED else [],
        }


class StatusView:
    """A fold of one run's events into its status."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.version = 0
        self.position = 0
        self.run_id = RunId(0)
        self.status = RunStatus.NEW
        self._parent: RunId | None = None
        self._started_at: Instant | None = None
        self._ended_at: Instant | None = None
        self._rows: dict[str, _StepRow] = {}
        self._instances: dict[InstanceId, _StepRow] = {}
        self._running: dict[str, _StepRow] = {}
        self._names: dict[int, str] = {}
        self._completed = 0
        self._pieces: list[str] = []
        self._stale: dict[int, str] = {}

    def evolve(self, recorded: Recorded) -> None:
        """Take *recorded* in."""
        self.version = recorded.version
        self.position = recorded.position
        self._evolve(recorded.event)

    def _evolve(self, event: Event) -> None:
        match event:
            case AttemptStarted(instance=instance, at=at):
                self._start(instance, at)
            case AttemptSucceeded(instance=instance, at=at, notes=notes):
                if self._whole(instance):
                    self._settle(instance, StepStatus.SUCCEEDED, at, notes)
            case (
                AttemptFailed(instance=instance, at=at, error=error, retry_at=due)
                | AttemptLost(instance=instance, at=at, error=error, retry_at=due)
            ):
                if self._whole(instance) and due is None:
                    self._settle(instance, StepStatus.FAILED, at, (error,))
                elif self._whole(instance):
                    self._touch(instance).notes = (error,)
            case AttemptStopped(instance=instance, at=at):
                if self._whole(instance):
                    self._settle(instance, StepStatus.STOPPED, at, ("stopped",))
            case RetryAbandoned(instance=instance, at=at):
                if self._whole(instance):
                    self._settle(instance, StepStatus.FAILED, at, self._instances[instance].notes)
            case FanOutStarted(step=step, at=at):
                self._start(InstanceId(step), at)
            case FanOutSucceeded(step=step, at=at):
                if self._whole(InstanceId(step)):
                    self._settle(InstanceId(step), StepStatus.SUCCEEDED, at, ())
            case (
                FanOutFailed(step=step, error=error, at=at)
                | GuardFailed(step=step, error=error, at=at)
                | AwaitFailed(step=step, error=error, at=at)
            ):
                if self._whole(InstanceId(step)):
                    self._settle(InstanceId(step), StepStatus.FAILED, at, (error,))
            case StepSkipped(instance=instance, reason=reason, at=at):
                if self._whole(instance):
                    self._settle(instance, StepStatus.SKIPPED, at, (reason,))
            case StepImported(step=step, at=at):
                self._settle(InstanceId(step), StepStatus.SUCCEEDED, at, (f"taken over from run {self._parent}",))
            case StepPaused():
                self.status = RunStatus.PAUSED
            case BodyStarted(instance=instance, at=at):
                self._start(instance, at)
            case IterationStarted(step=step, at=at):
                self._start(InstanceId(step), at)
            case BodySucceeded(instance=instance, at=at):
                if self._whole(instance):
                    self._settle(instance, StepStatus.SUCCEEDED, at, ())
            case BodyFailed(instance=instance, error=error, at=at):
                if self._whole(instance):
                    self._settle(instance, StepStatus.FAILED, at, (error,))
            case ConditionMet() | StepLogged() | StepHeld():
                pass
            case _:
                self._evolve_run(event)

    def _evolve_run(self, event: RunLevelEvent) -> None:
        match event:
            case RunCreated(run_id=run_id, flow=flow, parent=parent):
                self.run_id = run_id
                self._parent = parent
                self.status = RunStatus.QUEUED
                for order, step in enumerate(flow.steps):
                    row = _StepRow(order, tuple(output.name for output in step.outputs))
                    self._rows[step.name] = row
                    self._instances[InstanceId(step.name)] = row
                    self._names[order] = step.name
                    self._stale[order] = step.name
                self._pieces = [""] * len(self._rows)
            case RunStarted(at=at):
                self.status = RunStatus.RUNNING
                self._started_at = at
            case RunResumed() | ReportRejected() | ArtifactArrived() | BreakpointsDisabled() | TraceToggled():
                pass
            case CallAccepted():
                pass
            case RunPaused():
                self.status = RunStatus.PAUSED
            case RunContinued():
                self.status = RunStatus.RUNNING
            case RunStopRequested():
                self.status = RunStatus.RUNNING
            case RunSucceeded(at=at):
                self._end(RunStatus.SUCCEEDED, at)
            case RunFailed(at=at):
                self._end(RunStatus.FAILED, at)
            case RunStopped(at=at):
                self._end(RunStatus.STOPPED, at)
            case _:
                assert_never(event)

    def _whole(self, instance: InstanceId) -> bool:
        """Return whether *instance* is a step and not an item of a fan-out, which `/status` does not show."""
        return instance in self._rows

    def _touch(self, instance: InstanceId) -> _StepRow:
        row = self._instances[instance]
        self._stale[row.order] = self._names[row.order]
        return row

    def _row(self, instance: InstanceId) -> _StepRow:
        """Return the row of the step that *instance* is, or is in; a path begins with the name of that step."""
        row = self._instances.get(instance)
        if row is None:
            around, _slash, _name = instance.rpartition("/")
            row = self._instances[instance] = self._row(InstanceId(around))
        return row

    def _start(self, instance: InstanceId, at: Instant) -> None:
        row = self._row(instance)
        if row.status is StepStatus.RUNNING:
            return
        name = self._names[row.order]
        self._stale[row.order] = name
        row.status = StepStatus.RUNNING
        row.started_at = at
        self._running[name] = row

    def _settle(self, instance: InstanceId, status: StepStatus, at: Instant, notes: tuple[str, ...]) -> None:
        row = self._touch(instance)
        row.status = status
        # A clock that was put back must not make a step end before it began.
        row.ended_at = at if row.started_at is None else max(at, row.started_at)
        row.notes = notes
        self._running.pop(instance, None)
        if status is not StepStatus.SKIPPED:
            self._completed += 1

    def _end(self, status: RunStatus, at: Instant) -> None:
        self.status = status
        self._ended_at = at if self._started_at is None else max(at, self._started_at)

    def _head(self) -> StatusDocument:
        running = sorted(self._running, key=lambda name: self._running[name].order)
        return {
            "run_id": self.run_id,
            "started_at": self._started_at,
            "ended_at": self._ended_at,
            "total_steps": len(self._rows),
            "completed_steps": self._completed,
            "current_step": running[0] if running else None,
            "running_steps": running,
            "running_count": len(running),
            "steps": {},
        }

    def render(self) -> StatusDocument:
        """Return the status as the document describes it."""
        document = self._head()
        document["steps"] = {name: row.document() for name, row in self._rows.items()}
        return document

    def encode(self) -> bytes:
        """Return `render` as JSON text in UTF-8; costs what has changed since the last call."""
        for order, name in self._stale.items():
            self._pieces[order] = f"{_dumps(name)}:{_dumps(self._rows[name].document())}"
        self._stale.clear()
        # The head ends with the empty `steps`, `{}}`: the pieces go between those braces.
        return f"{_dumps(self._head())[:-2]}{','.join(self._pieces)}}}}}".encode()

    def report(self) -> StatusReport:
        """Return the status as the Python API shows it."""
        return StatusReport(
            run_id=self.run_id,
            state=self.status,
            started_at=self._started_at,
            ended_at=self._ended_at,
            steps={name: _report(name, row) for name, row in self._rows.items()},
        )


def _report(name: str, row: _StepRow) -> StepReport:
    state = STATE_WORDS[row.status]
    return StepReport(
        name=name,
        state=state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=row.notes[0] if state == "failed" and row.notes else None,
        notes=row.notes,
        outputs=row.names if row.status is StepStatus.SUCCEEDED else (),
    )


def _dumps(document: StatusDocument | StepDocument | str) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
