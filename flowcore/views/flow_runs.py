"""One run as the flow family shows it: `GET /api/v1/flow/status/{flowRunID}` (documents/flow-api.md).

Any run can be shown, whichever document it was made from: a step is a node. The words are those of contract flow-runs,
section 4, and design, section 6. A failure that the run cannot survive makes it `ERROR` at once ("Flow encountered an
error"), though siblings may still go on.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypedDict

import attrs

from flowcore.artifacts import Artifact, WellSource
from flowcore.documents.nodes.object_names import name_on_edge
from flowcore.ids import InstanceId, flow_run_id
from flowcore.model import Step
from flowcore.ports import Recorded
from flowcore.run.events import StepLogged
from flowcore.run.evolve import evolve
from flowcore.run.machine import RunStatus, StepStatus
from flowcore.run.state import InstanceState, RunState
from flowcore.values import Instant

RunWord: TypeAlias = Literal["STOPPED", "WAITING", "RUNNING", "COMPLETE", "ERROR"]
NodeWord: TypeAlias = Literal["IDLE", "READY", "RUNNING", "RETRYING", "COMPLETE", "ERROR"]

NODE_WORDS: Final[Mapping[StepStatus, NodeWord]] = MappingProxyType(
    {
        StepStatus.PENDING: "IDLE",
        StepStatus.READY: "READY",
        StepStatus.RUNNING: "RUNNING",
        StepStatus.RETRYING: "RETRYING",
        StepStatus.PAUSED: "READY",
        StepStatus.SUCCEEDED: "COMPLETE",
        StepStatus.FAILED: "ERROR",
        StepStatus.SKIPPED: "IDLE",
        StepStatus.STOPPED: "IDLE",
    }
)
"""The family's word for every status of a step (design, section 6)."""
RUN_WORDS: Final[Mapping[RunStatus, RunWord]] = MappingProxyType(
    {
        RunStatus.NEW: "STOPPED",
        RunStatus.QUEUED: "STOPPED",
        RunStatus.RUNNING: "RUNNING",
        RunStatus.PAUSED: "WAITING",
        RunStatus.SUCCEEDED: "COMPLETE",
        RunStatus.FAILED: "ERROR",
        RunStatus.STOPPED: "STOPPED",
    }
)
"""The family's word for every status of a run; a running one may also be waiting, or have failed already."""
_LIVE: Final = frozenset({StepStatus.READY, StepStatus.RUNNING, StepStatus.RETRYING})
_OWN_STREAMS: Final = frozenset({"stdout", "stderr"})
"""Where a container's own lines come from: what else is traced is no log of the node."""
UNSIGNED: Final = b'"PutURL":""'
"""What a body holds where a URL is still to be put: inside a text its quotes would have backslashes."""


class LogDocument(TypedDict):
    """One line of a node's own."""

    timestamp: str
    message: str


class NodeDocument(TypedDict):
    """A node of a run."""

    Status: NodeWord
    Logs: Sequence[LogDocument]
    Error: str
    Attempt: int
    MaxAttempts: int


class ArtifactDocument(TypedDict):
    """Where an artifact is."""

    StoreName: str
    ObjectName: str
    EdgeName: str


class WaitingUrlDocument(TypedDict):
    """What a run waits for, and where to put it until when."""

    Artifact: ArtifactDocument
    PutURL: str
    TTL: str


class FlowRunDocument(TypedDict):
    """The answer of `POST /api/v1/flow/test` and of `GET /api/v1/flow/status/{flowRunID}`."""

    ID: str
    Status: RunWord
    NodeState: dict[str, NodeDocument]
    Artifacts: dict[str, ArtifactDocument]
    WaitingURLs: list[WaitingUrlDocument]
    StartedAt: str


def instant_text(at: Instant) -> str:
    """Return *at* as the family writes moments: ISO 8601, UTC, whole seconds."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@attrs.define
class _Piece:
    """A node's JSON as long as nothing of it has changed."""

    key: tuple[object, ...]
    text: str


class FlowRunView:
    """A fold of one run's events into its flow run object."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.version = 0
        self.position = 0
        self._state = RunState()
        self._logs: dict[str, list[LogDocument]] = {}
        self._errors: dict[str, str] = {}
        self._pieces: dict[str, _Piece] = {}

    def evolve(self, recorded: Recorded) -> None:
        """Take *recorded* in."""
        self.version = recorded.version
        self.position = recorded.position
        event = recorded.event
        evolve(self._state, event)
        if isinstance(event, StepLogged):
            lines = self._logs.setdefault(self._node_of(event.instance), [])
            lines.extend(
                LogDocument(timestamp=instant_text(line.at), message=line.message)
                for line in event.lines
                if line.stream in _OWN_STREAMS
            )

    def _node_of(self, name: InstanceId) -> str:
        """Return the node that an instance belongs to: the step of the flow that it is, or is in the body of."""
        state = self._state
        instance = state.instances[name]
        while (owner := state.scopes[instance.scope].owner) is not None:
            instance = state.steps[owner[0]]
        return state.step_of(instance).name

    def render(self) -> FlowRunDocument:
        """Return the run as the document describes it; the `PutURL` and the `TTL` of what it waits for are empty."""
        document = self._head()
        document["NodeState"] = {step.name: self._node(step) for step in self._state.flow.steps}
        return document

    def encode(self) -> bytes:
        """Return `render` as JSON text in UTF-8; costs what has changed since the last call and a look at each node."""
        head = self._head()
        before = _dumps({"ID": head["ID"], "Status": head["Status"]})[:-1]
        after = _dumps(
            {"Artifacts": head["Artifacts"], "WaitingURLs": head["WaitingURLs"], "StartedAt": head["StartedAt"]}
        )[1:]
        nodes = ",".join(self._piece(step) for step in self._state.flow.steps)
        return f'{before},"NodeState":{{{nodes}}},{after}'.encode()

    def _head(self) -> FlowRunDocument:
        state = self._state
        started_at = state.started_at if state.started_at is not None else state.created_at
        return {
            "ID": flow_run_id(state.run_id),
            "Status": self._word(),
            "NodeState": {},
            "Artifacts": {edge: _artifact(edge, artifact) for edge, artifact in state.artifacts.items()},
            "WaitingURLs": self._waiting(),
            "StartedAt": "" if started_at is None else instant_text(started_at),
        }

    def _word(self) -> RunWord:
        state = self._state
        if state.status is not RunStatus.RUNNING:
            return RUN_WORDS[state.status]
        if state.stop_requested:
            return "STOPPED"
        if state.failed or state.halted_by is not None:
            return "ERROR"
        if not state.root.open:
            return "COMPLETE"
        return "RUNNING" if any(instance.status in _LIVE for instance in state.steps) else "WAITING"

    def _waiting(self) -> list[WaitingUrlDocument]:
        """Return what the run waits for and somebody can put: uploads and webhooks, in the order of the steps."""
        state = self._state
        if state.ended or state.giving_up:
            return []
        edges: dict[str, None] = {}
        for step in state.flow.steps:
            edges.update(dict.fromkeys(edge for edge in step.awaits if edge not in state.artifacts))
        found: list[WaitingUrlDocument] = []
        for edge in edges:
            well = state.flow.wells.get(edge)
            if well is None or well.source is None or well.source is WellSource.STATIC:
                continue
            name = name_on_edge(state.flow, edge, state.run_id, state.created_at or Instant(0.0))
            place: ArtifactDocument = {"StoreName": well.store, "ObjectName": name, "EdgeName": edge}
            found.append({"Artifact": place, "PutURL": "", "TTL": ""})
        return found

    def _node(self, step: Step) -> NodeDocument:
        instance = self._state.instances[InstanceId(step.name)]
        return {
            "Status": self._node_word(instance),
            "Logs": self._logs.get(step.name, []),
            "Error": _error(instance),
            "Attempt": _attempt(instance),
            "MaxAttempts": step.retry.max_attempts,
        }

    def _node_word(self, instance: InstanceState) -> NodeWord:
        # What needs nothing is ready in the machine before the run has begun.
        if self._state.status in {RunStatus.NEW, RunStatus.QUEUED}:
            return "IDLE"
        return NODE_WORDS[instance.status]

    def _piece(self, step: Step) -> str:
        document = self._node(step)
        key = (document["Status"], len(document["Logs"]), document["Error"], document["Attempt"])
        piece = self._pieces.get(step.name)
        if piece is None or piece.key != key:
            piece = self._pieces[step.name] = _Piece(key, f"{_dumps(step.name)}:{_dumps(document)}")
        return piece.text


def _attempt(instance: InstanceState) -> int:
    """Return which of its attempts a node is at; one that was lost with its runner was none of its own."""
    if not instance.attempt:
        return 0 if instance.fan_out is None and instance.body is None else 1
    return max(instance.attempt - instance.lost, 1)


def _error(instance: InstanceState) -> str:
    """Return the failure of a node, and while it is ready what it lacks (contract flow-runs, section 10)."""
    held = instance.held if instance.status in {StepStatus.READY, StepStatus.RETRYING} else None
    return "; ".join(text for text in (instance.error, held) if text)


def _artifact(edge: str, artifact: Artifact) -> ArtifactDocument:
    return {"StoreName": artifact.store, "ObjectName": artifact.name, "EdgeName": edge}


def _dumps(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
