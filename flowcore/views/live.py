"""The live events of a run: `execution-update`, `node-execution` and `execution-event`.

Recorded events in, wire events out, in the order of the log (documents/executions-api.md, "Real-Time Updates"; contract
executions, section 7). Whoever follows the log emits the same events, whichever process did the work.

Items of a `for_each` are no nodes: of such a step only its start and its end are told. The steps in a body are.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from flowcore.ids import InstanceId
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
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
    PauseCause,
    RetryAbandoned,
    RunContinued,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunSucceeded,
    SkipCause,
    StepLogged,
    StepPaused,
    StepSkipped,
)
from flowcore.values import Instant, Json

from .executions import ExecutionView, batch_id
from .nodes import Node
from .trace import line_text

MOST_LINES: Final = 200
"""How many lines of a failing node are told with its error: the last ones."""
STOPPED: Final = "Execution stopped by user"
_NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
_MOMENTS: Final[Mapping[PauseCause, str]] = MappingProxyType(
    {PauseCause.BREAKPOINT_PRE: "pre", PauseCause.BREAKPOINT_POST: "post"}
)
_SKIPPED: Final = "Node skipped"
_BYPASSED: Final = "Node bypassed"
_UNREACHABLE: Final = "Node skipped (unreachable branch)"


@attrs.frozen
class WireEvent:
    """An event as clients get it."""

    name: str
    payload: Mapping[str, Json]


class LiveRun:
    """A fold of one run's events that tells what to emit for each."""

    def __init__(self) -> None:
        """Start before the first event."""
        self._view = ExecutionView()
        self._errors: dict[InstanceId, str] = {}
        self._lines: dict[InstanceId, deque[str]] = {}

    @property
    def ended(self) -> bool:
        """Whether the run is over: hardly anything will come any more."""
        return self._view.ended

    @property
    def version(self) -> int:
        """The version of the last event taken in."""
        return self._view.version

    def evolve(self, recorded: Recorded) -> tuple[WireEvent, ...]:
        """Take *recorded* in, and return what to emit for it."""
        before = self._shown()
        triggered = self._view.paused_at
        self._view.evolve(recorded)
        found = [*self._of_event(recorded.event)]
        if isinstance(recorded.event, RunContinued) and triggered is not None:
            found.extend(self._triggered(*triggered, recorded.event.at))
        after = self._shown()
        if after != before:
            found.append(WireEvent("execution-update", self._update()))
        return tuple(found)

    def _shown(self) -> tuple[object, ...]:
        """Return what a change of is told."""
        view = self._view
        return view.word, view.current, view.pause, bool(view.version)

    def _update(self) -> dict[str, Json]:
        payload: dict[str, Json] = {"executionId": self._view.execution_id, "status": self._view.word}
        current = self._view.current
        if current is not None:
            payload["currentNodeId"] = current
        return payload

    def _of_event(self, event: Event) -> Iterator[WireEvent]:
        match event:
            case AttemptStarted(instance=instance, attempt=1, at=at):
                yield from self._node_started(instance, at)
            case (
                FanOutStarted(step=name, at=at)
                | BodyStarted(instance=name, at=at)
                | IterationStarted(step=name, number=0, at=at)
            ):
                yield from self._node_started(InstanceId(name), at)
            case AttemptSucceeded(instance=instance, at=at):
                yield from self._node_completed(instance, at)
            case FanOutSucceeded(step=name, at=at) | BodySucceeded(instance=name, at=at):
                yield from self._node_completed(InstanceId(name), at)
            case (
                AttemptFailed(instance=instance, error=error, retry_at=due, at=at)
                | AttemptLost(instance=instance, error=error, retry_at=due, at=at)
            ):
                self._errors[instance] = error
                if due is None:
                    yield from self._node_failed(instance, error, at)
            case RetryAbandoned(instance=instance, at=at):
                yield from self._node_failed(instance, self._errors[instance], at)
            case (
                GuardFailed(step=name, error=error, at=at)
                | FanOutFailed(step=name, error=error, at=at)
                | AwaitFailed(step=name, error=error, at=at)
                | BodyFailed(instance=name, error=error, at=at)
            ):
                yield from self._node_failed(InstanceId(name), error, at)
            case AttemptStopped(instance=instance):
                node = self._whole(instance)
                if node is not None:
                    yield self._node(node, "error")
            case StepSkipped(instance=instance, cause=cause, at=at):
                yield from self._node_skipped(instance, cause, at)
            case StepLogged():
                self._keep_lines(event)
            case StepPaused(at=at):
                yield from self._paused(at)
            case _:
                yield from self._of_run(event)

    def _of_run(self, event: Event) -> Iterator[WireEvent]:
        match event:
            case RunStarted(at=at):
                yield self._told("execution_start", at)
            case RunPaused(at=at):
                yield from self._paused(at)
            case RunSucceeded(at=at):
                yield self._told("execution_complete", at)
            case RunFailed(at=at):
                yield self._told("execution_error", at, more={"message": self._view.error})
            case RunStopped(at=at):
                yield self._told("execution_error", at, more={"message": STOPPED})
            case _:
                # Nothing else is told.
                pass

    def _node_started(self, instance: InstanceId, at: Instant) -> Iterator[WireEvent]:
        node = self._whole(instance)
        if node is not None:
            yield self._told("node_start", at, node)
            yield self._node(node, "running")

    def _node_completed(self, instance: InstanceId, at: Instant) -> Iterator[WireEvent]:
        self._errors.pop(instance, None)
        self._lines.pop(instance, None)
        node = self._whole(instance)
        if node is not None:
            # Whatever a document calls a node: the step of one that is bypassed does nothing.
            more: dict[str, Json] = {"message": _BYPASSED} if node.step.unbroken else {}
            yield self._told("node_complete", at, node, more=more)
            yield self._node(node, "completed")

    def _node_failed(self, instance: InstanceId, error: str, at: Instant) -> Iterator[WireEvent]:
        self._errors.pop(instance, None)
        node = self._whole(instance)
        if node is not None:
            more: dict[str, Json] = {"message": error, "failSilently": self._view.tolerates(node)}
            lines = self._lines.pop(instance, None)
            if lines is not None:
                more["traceLogs"] = list(lines)
            yield self._told("node_error", at, node, more=more)
            yield self._node(node, "error")

    def _node_skipped(self, instance: InstanceId, cause: SkipCause, at: Instant) -> Iterator[WireEvent]:
        node = self._whole(instance)
        if node is not None:
            # What the end of the run has left over was never come to.
            if cause not in {SkipCause.RUN_FAILED, SkipCause.RUN_STOPPED}:
                message = _UNREACHABLE if cause is SkipCause.CONDITION else _SKIPPED
                yield self._told("node_complete", at, node, more={"message": message})
            yield self._node(node, "skipped")

    def _paused(self, at: Instant) -> Iterator[WireEvent]:
        node_id, reason = self._view.pause or (None, "breakpoint")
        more: dict[str, Json] = {} if node_id is None else {"nodeId": node_id}
        more |= {"message": f"Execution paused: {reason}", "data": {"reason": reason}}
        yield self._told("execution_paused", at, more=more)

    def _triggered(self, instance: InstanceId, cause: PauseCause, at: Instant) -> Iterator[WireEvent]:
        """Tell of a breakpoint, as the family does: when the pause is over."""
        moment = _MOMENTS.get(cause)
        if moment is not None:
            node = self._view.nodes.find(instance)
            yield self._told("breakpoint_triggered", at, node, more={"data": {"breakpointAt": moment}})

    def _keep_lines(self, event: StepLogged) -> None:
        """Keep the newest lines of a node: if it fails they are told with its error."""
        node = self._whole(event.instance)
        if node is not None:
            kept = self._lines.setdefault(event.instance, deque(maxlen=MOST_LINES))
            kept.extend(line_text(line, node.id) for line in event.lines)

    def _whole(self, instance: InstanceId) -> Node | None:
        """Return the node that *instance* is, and None for an item or an iteration of a node.

        None, too, for the step that says what is wrong with a workflow: only the end of its run is told (contract
        executions, section 7).
        """
        nodes = self._view.nodes
        node = nodes.find(instance)
        return node if node.whole and not nodes.faulty else None

    def _node(self, node: Node, status: str) -> WireEvent:
        payload: dict[str, Json] = {
            "nodeId": node.id,
            "nodeType": node.type,
            "status": status,
            "executionId": self._view.execution_id,
        }
        if self._view.batch is not None:
            payload["batchId"] = batch_id(self._view.batch)
        return WireEvent("node-execution", payload)

    def _told(
        self, type_: str, at: Instant, node: Node | None = None, *, more: Mapping[str, Json] = _NOTHING
    ) -> WireEvent:
        payload: dict[str, Json] = {
            "executionId": self._view.execution_id,
            "source": self._view.source,
            "type": type_,
            "timestamp": round(at * 1000),
        }
        if node is not None:
            payload["nodeId"] = node.id
        return WireEvent("execution-event", {**payload, **more})
