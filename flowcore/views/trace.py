"""The lines that the attempts of a run wrote: `GET /api/workflows/execution/{executionId}/logs`, `flowcore-cli logs`.

The executions family's own documentation has no such endpoint; its clients ask for it all the same. A line is shown as
the family writes it, `[ISO] [TRACE] ...`, and in its parts.
"""

import json
from collections import deque
from datetime import UTC, datetime
from typing import Final, TypedDict

from flowcore.ids import BatchId, RunId
from flowcore.model import Flow
from flowcore.ports import Recorded
from flowcore.run.events import LogLine, RunCreated, StepLogged, TraceToggled

from .executions import execution_id
from .nodes import Node, Nodes

MOST: Final = 10_000
"""How many lines are shown: the newest ones. All of them stay in the log."""


class LineDocument(TypedDict):
    """One line.

    `timestamp` counts milliseconds since the epoch, `attempt` from 1; `step` is the path of the instance inside
    flowcore, which tells iterations and items apart.
    """

    timestamp: int
    nodeId: str
    step: str
    attempt: int
    stream: str
    message: str
    line: str


class LogsDocument(TypedDict):
    """The answer of `GET /api/workflows/execution/{executionId}/logs`; `omitted` counts the lines before the first."""

    executionId: str
    traceLogs: bool
    omitted: int
    logs: list[LineDocument]


def line_text(line: LogLine, node_id: str) -> str:
    """Return *line* of a node as the family writes it."""
    moment = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    stream = "" if line.stream == "trace" else f" ({line.stream})"
    return f"[{moment}] [TRACE] {node_id}{stream}: {line.message}"


def line_documents(event: StepLogged, node: Node) -> list[LineDocument]:
    """Return the lines of *event*, which *node* wrote."""
    return [
        {
            "timestamp": round(line.at * 1000),
            "nodeId": node.id,
            "step": event.instance,
            "attempt": event.attempt,
            "stream": line.stream,
            "message": line.message,
            "line": line_text(line, node.id),
        }
        for line in event.lines
    ]


class LogsView:
    """A fold of one run's events into the lines of its attempts."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.version = 0
        self.position = 0
        self._run_id = RunId(0)
        self._batch: BatchId | None = None
        self._nodes = Nodes(Flow())
        self._enabled = False
        self._count = 0
        self._lines: deque[LineDocument] = deque(maxlen=MOST)

    def evolve(self, recorded: Recorded) -> None:
        """Take *recorded* in."""
        self.version = recorded.version
        self.position = recorded.position
        event = recorded.event
        if isinstance(event, RunCreated):
            self._run_id, self._batch, self._enabled = event.run_id, event.batch, event.trace
            self._nodes = Nodes(event.flow)
        elif isinstance(event, TraceToggled):
            self._enabled = event.enabled
        elif isinstance(event, StepLogged):
            self._count += len(event.lines)
            self._lines.extend(line_documents(event, self._nodes.find(event.instance)))

    def render(self) -> LogsDocument:
        """Return the newest lines, oldest first."""
        return {
            "executionId": execution_id(self._run_id, self._batch),
            "traceLogs": self._enabled,
            "omitted": self._count - len(self._lines),
            "logs": list(self._lines),
        }

    def encode(self) -> bytes:
        """Return `render` as JSON text in UTF-8."""
        return json.dumps(self.render(), ensure_ascii=False, separators=(",", ":")).encode()
