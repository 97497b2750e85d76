"""One run as the executions family shows it: `GET /api/workflows/execution/{executionId}`.

The rules are those of documents/executions-api.md, "Get Execution Status", and contract executions, section 2.

Any run can be shown, whichever document it was made from. The family has no word for "paused": such a run is `running`
with a reason. A run that was paused by hand, and not at a node, names the node that comes next, and says `breakpoint`:
that is what clients can deal with.
"""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NotRequired, TypeAlias, TypedDict

from flowcore.ids import BatchId, InstanceId, RunId
from flowcore.model import Flow
from flowcore.ports import Recorded
from flowcore.run.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    Event,
    FanOutFailed,
    FanOutStarted,
    GuardFailed,
    IterationStarted,
    PauseCause,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepImported,
    StepPaused,
    StepSkipped,
)
from flowcore.run.machine import ENDED, RunStatus
from flowcore.run.policy import tolerated

from .nodes import Node, Nodes

ExecutionWord: TypeAlias = Literal["idle", "queued", "running", "completed", "error", "stopped"]
PauseReason: TypeAlias = Literal["wait-pause", "breakpoint"]

EXECUTION_WORDS: Final[Mapping[RunStatus, ExecutionWord]] = MappingProxyType(
    {
        RunStatus.NEW: "idle",
        RunStatus.QUEUED: "idle",
        RunStatus.RUNNING: "running",
        RunStatus.PAUSED: "running",
        RunStatus.SUCCEEDED: "completed",
        RunStatus.FAILED: "error",
        RunStatus.STOPPED: "stopped",
    }
)
"""The family's word for every status of a run (design, section 6); an item of a batch is `queued` and never `idle`."""
PAUSE_REASONS: Final[Mapping[PauseCause, PauseReason]] = MappingProxyType(
    {
        PauseCause.BREAKPOINT_PRE: "breakpoint",
        PauseCause.BREAKPOINT_POST: "breakpoint",
        PauseCause.WAIT: "wait-pause",
    }
)
"""The family's word for every cause of a pause at a node."""


class _Place(TypedDict):
    """What stands in the middle of the answer, and may be left out."""

    currentNodeId: NotRequired[str]
    error: NotRequired[str]


class ExecutionDocument(TypedDict):
    """The answer of `GET /api/workflows/execution/{executionId}`."""

    executionId: str
    status: ExecutionWord
    currentNodeId: NotRequired[str]
    error: NotRequired[str]
    pausedNodeId: str | None
    pauseReason: PauseReason | None


class ActiveDocument(TypedDict):
    """An entry of `GET /api/workflows/executions/active`; the last two are there while it is paused."""

    executionId: str
    status: ExecutionWord
    currentNodeId: NotRequired[str]
    pausedNodeId: NotRequired[str | None]
    pauseReason: NotRequired[PauseReason | None]


class ActiveListDocument(TypedDict):
    """The answer of `GET /api/workflows/executions/active`, in the order of starts."""

    totalActive: int
    executions: list[ActiveDocument]


def active_list(active: Iterable[ActiveDocument]) -> ActiveListDocument:
    """Return the list of the runs that are *active*."""
    executions = list(active)
    return {"totalActive": len(executions), "executions": executions}


def encode(document: ExecutionDocument | ActiveListDocument) -> bytes:
    """Return *document* as JSON text in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def execution_id(run_id: RunId, batch: BatchId | None = None) -> str:
    """Return how the family spells *run_id*; the run of an item of *batch* is called by its number, counted from 1."""
    return f"exec-{run_id}" if batch is None else f"exec-{batch}-{run_id - batch}"


def batch_id(batch: BatchId) -> str:
    """Return how the family spells the id of a batch."""
    return f"batch-{batch}"


class ExecutionView:
    """A fold of one run's events into its execution status.

    Attributes:
        batch: The batch that the run is an item of, or None.
        source: Who started it, in the family's words: `frontend`, `api`, `mcp`, or whatever else was said.
    """

    def __init__(self) -> None:
        """Start before the first event."""
        self.version = 0
        self.position = 0
        self.run_id = RunId(0)
        self.status = RunStatus.NEW
        self.batch: BatchId | None = None
        self.source = "api"
        self._flow = Flow()
        self._nodes = Nodes(self._flow)
        self._pending: dict[str, None] = {}
        self._running: dict[InstanceId, str] = {}
        self._last: str | None = None
        self._errors: dict[InstanceId, str] = {}
        self._inner: dict[str, tuple[str, str]] = {}
        self._failure: tuple[str, str] | None = None
        self._paused_at: tuple[InstanceId, PauseCause] | None = None
        self._dependents: dict[str, list[int]] | None = None

    @property
    def execution_id(self) -> str:
        """How the family calls the run."""
        return execution_id(self.run_id, self.batch)

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.status in ENDED

    @property
    def nodes(self) -> Nodes:
        """The nodes of the run's document."""
        return self._nodes

    @property
    def word(self) -> ExecutionWord:
        """The family's word for the run's status."""
        return "queued" if self.batch is not None and self.status is RunStatus.QUEUED else EXECUTION_WORDS[self.status]

    @property
    def current(self) -> str | None:
        """The node being executed: the one that started last, or that was the last one while there is none.

        After a failure the node that failed the run; none before the first one, and after success. A workflow that
        cannot run never comes to its first one (contract executions, section 2).
        """
        if self.status is RunStatus.SUCCEEDED or self._nodes.faulty:
            return None
        if self.status is RunStatus.FAILED and self._failure is not None:
            return self._failure[0]
        return self._running[next(reversed(self._running))] if self._running else self._last

    @property
    def error(self) -> str | None:
        """Why the run failed; None when it has not."""
        if self.status is not RunStatus.FAILED:
            return None
        return "the run failed" if self._failure is None else self._failure[1]

    @property
    def pause(self) -> tuple[str | None, PauseReason] | None:
        """The node at which the run is paused, and why; None when it is not."""
        if self.status is not RunStatus.PAUSED:
            return None
        if self._paused_at is not None:
            instance, cause = self._paused_at
            return self._nodes.find(instance).id, PAUSE_REASONS[cause]
        following = next(iter(self._pending), None)
        return None if following is None else self._nodes.find(following).id, "breakpoint"

    @property
    def paused_at(self) -> tuple[InstanceId, PauseCause] | None:
        """The node at which the run has paused, and why; None when it is not paused, or was paused by hand."""
        return self._paused_at if self.status is RunStatus.PAUSED else None

    def evolve(self, recorded: Recorded) -> None:
        """Take *recorded* in."""
        self.version = recorded.version
        self.position = recorded.position
        self._evolve(recorded.event)

    def _evolve(self, event: Event) -> None:
        match event:
            case AttemptStarted(instance=instance):
                self._start(instance)
            case FanOutStarted(step=name) | BodyStarted(instance=name) | IterationStarted(step=name, number=0):
                self._enter(name)
            case BodySucceeded(instance=instance):
                self._inner.pop(self._nodes.find(instance).top, None)
            case AttemptSucceeded(instance=instance) | AttemptStopped(instance=instance):
                self._finish(instance)
            case (
                AttemptFailed(instance=instance, error=error, retry_at=due)
                | AttemptLost(instance=instance, error=error, retry_at=due)
            ):
                self._errors[instance] = error
                if due is None:
                    self._fail(instance, error)
            case RetryAbandoned(instance=instance):
                self._fail(instance, self._errors[instance])
            case GuardFailed(step=name, error=error) | AwaitFailed(step=name, error=error):
                self._fail(InstanceId(name), error)
            case FanOutFailed(step=name, error=error) | BodyFailed(instance=name, error=error):
                self._fail_around(InstanceId(name), error)
            case StepSkipped(instance=instance):
                self._pending.pop(instance, None)
            case StepImported(step=step):
                self._pending.pop(step, None)
            case StepPaused(instance=instance, cause=cause):
                self.status = RunStatus.PAUSED
                self._paused_at = (instance, cause)
                if cause is PauseCause.WAIT:
                    # Contract executions, section 6: such a node is being executed while the run is paused at it.
                    self._last = self._nodes.find(instance).id
            case _:
                self._evolve_run(event)

    def _evolve_run(self, event: Event) -> None:
        match event:
            case RunCreated(run_id=run_id, flow=flow, batch=batch, labels=labels):
                self.run_id = run_id
                self.batch = batch
                self.source = labels.get("source", self.source)
                self.status = RunStatus.QUEUED
                self._flow = flow
                self._nodes = Nodes(flow)
                self._pending = dict.fromkeys(step.name for step in flow.steps)
            case RunStarted() | RunContinued() | RunStopRequested():
                self.status = RunStatus.RUNNING
            case RunPaused():
                self.status = RunStatus.PAUSED
                self._paused_at = None
            case RunSucceeded():
                self.status = RunStatus.SUCCEEDED
            case RunFailed():
                self.status = RunStatus.FAILED
            case RunStopped():
                self.status = RunStatus.STOPPED
            case _:
                # What else happens changes nothing that is shown here.
                pass

    def _enter(self, name: str) -> None:
        """Take note that a step begins that others are in."""
        node = self._nodes.find(name)
        if node.whole:
            self._last = node.id
            self._pending.pop(name, None)

    def _start(self, instance: InstanceId) -> None:
        node = self._nodes.find(instance)
        self._running.pop(instance, None)
        self._running[instance] = self._last = node.id
        self._pending.pop(instance, None)

    def _finish(self, instance: InstanceId) -> None:
        self._running.pop(instance, None)
        self._errors.pop(instance, None)

    def _fail(self, instance: InstanceId, error: str) -> None:
        """Remember the failure of *instance* if it may turn out to be why the run failed."""
        self._finish(instance)
        self._pending.pop(instance, None)
        node = self._nodes.find(instance)
        if instance != node.top:
            # It fails the step that it is a part of, or does not: that is said by an event of its own.
            self._inner[node.top] = (node.id, error)
            return
        self._fail_top(node, error)

    def _fail_around(self, instance: InstanceId, error: str) -> None:
        """Take in that a step has failed because of what is in it: that is the cause, as far as it is known."""
        node = self._nodes.find(instance)
        if instance == node.top or node.top not in self._inner:
            self._fail(instance, error)

    def _fail_top(self, node: Node, error: str) -> None:
        """Remember the failure of a step of the flow, the first one that is not tolerated."""
        inner = self._inner.pop(node.top, None)
        if self._failure is None and not self.tolerates(node):
            self._failure = (node.id, error) if inner is None or inner[0] == node.id else inner

    def tolerates(self, node: Node) -> bool:
        """Return whether the run (or the body that *node* is in) may still succeed when its step has failed."""
        if node.siblings is not self._flow.steps:
            around = [step for step in node.siblings if node.step.name in step.depends_on]
            return tolerated(self._flow, node.step, around)
        steps = self._flow.steps
        if self._dependents is None:
            self._dependents = {}
            for number, step in enumerate(steps):
                for name in step.depends_on:
                    self._dependents.setdefault(name, []).append(number)
        return tolerated(self._flow, node.step, [steps[number] for number in self._dependents.get(node.top, ())])

    def render(self) -> ExecutionDocument:
        """Return the status as the document describes it."""
        current, error = self.current, self.error
        node, reason = self.pause or (None, None)
        place: _Place = {}
        if current is not None:
            place["currentNodeId"] = current
        if error is not None:
            place["error"] = error
        # The members stand in the document's order, those that may be left out too.
        return {
            "executionId": self.execution_id,
            "status": self.word,
            **place,
            "pausedNodeId": node,
            "pauseReason": reason,
        }

    def active(self) -> ActiveDocument:
        """Return the run as an entry of the list of active ones."""
        document: ActiveDocument = {"executionId": self.execution_id, "status": self.word}
        current, pause = self.current, self.pause
        if current is not None:
            document["currentNodeId"] = current
        if pause is not None:
            document["pausedNodeId"], document["pauseReason"] = pause
        return document

    def encode(self) -> bytes:
        """Return `render` as JSON text in UTF-8."""
        return encode(self.render())
