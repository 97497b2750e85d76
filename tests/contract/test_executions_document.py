"""Every `curl` line of documents/executions-api.md that is about executions, answered as it is printed there."""

import json
import shlex
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from flowcore.batch.events import BatchSource
from flowcore.batch_service import NewBatch, NewItem, create_batch
from flowcore.ids import BatchId
from flowcore.model import Breakpoints
from flowcore.values import Instant
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.builders import flow_of
from tests.contract.driven_run import Driven, step
from tests.contract.wsgi_client import call

AT: Final = Instant(1709856234.567)
ID: Final = "exec-1709856234567"
STATUS: Final = {
    "executionId": ID,
    "status": "running",
    "currentNodeId": "click-2",
    "pausedNodeId": None,
    "pauseReason": None,
}
JSON: Final = '-H "Content-Type: application/json"'


def text(document: object) -> str:
    """Return *document* as text, so that the order of its members counts."""
    return json.dumps(document)


def told(log: SharedMemoryEventLog, line: str) -> str:
    return text(curl(log, line))


def curl(log: SharedMemoryEventLog, line: str) -> Any:  # noqa: ANN401 - a document
    """Do what *line* says and return the document that comes back."""
    words = iter(shlex.split(line.replace("\\\n", " "))[1:])
    method, body, url = "", "", ""
    headers: dict[str, str] = {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        else:
            url = word
    parts = urlsplit(url)
    headers["Host"] = parts.netloc
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    # As written, on localhost, without a token; the port is the server's own.
    environ = {"SERVER_PORT": str(parts.port)}
    application = create_app(log, guard=GuardSettings())
    answer = call(application, target, method=method or "GET", headers=headers, body=body.encode(), environ=environ)
    assert answer.status == 200, answer.body
    return answer.document


def running(log: SharedMemoryEventLog, *, breakpoints: Breakpoints | None = None) -> Driven:
    """Return the execution of the document: its second node is being executed, or paused before."""
    run = Driven(log, step("navigate-1"), step("click-2", needs=("navigate-1",)), breakpoints=breakpoints, at=AT)
    run.start()
    run.begin("navigate-1")
    run.succeed("navigate-1")
    if breakpoints is None:
        run.begin("click-2")
    return run


def paused(log: SharedMemoryEventLog) -> Driven:
    return running(log, breakpoints=Breakpoints(steps=(step("click-2").name,)))


@pytest.mark.parametrize(
    "line",
    [
        "curl http://localhost:3003/api/workflows/execution/exec-1709856234567",
        'curl "http://localhost:3003/api/workflows/execution/status?executionId=exec-1709856234567"',
        "curl http://localhost:3003/api/workflows/execution/status",
    ],
)
def test_get_execution_status(log: SharedMemoryEventLog, line: str) -> None:
    running(log)
    assert told(log, line) == text(STATUS)


def test_list_active_executions(log: SharedMemoryEventLog) -> None:
    for name in ("navigate-1", "click-2", "type-1"):
        run = Driven(log, step(name), at=AT)
        run.start()
        run.begin(name)
    assert told(log, "curl http://localhost:3003/api/workflows/executions/active") == text(
        {
            "totalActive": 3,
            "executions": [
                {"executionId": "exec-1709856234567", "status": "running", "currentNodeId": "navigate-1"},
                {"executionId": "exec-1709856234568", "status": "running", "currentNodeId": "click-2"},
                {"executionId": "exec-1709856234569", "status": "running", "currentNodeId": "type-1"},
            ],
        }
    )


def test_stop_execution(log: SharedMemoryEventLog) -> None:
    running(log)
    line = f"""curl -X POST http://localhost:3003/api/workflows/execution/stop \\
      {JSON} \\
      -d '{{
        "executionId": "exec-1709856234567"
      }}'"""
    assert told(log, line) == text(
        {
            "success": True,
            "message": "Execution stopped",
            "executionId": "exec-1709856234567",
            "wasRunning": True,
            "wasQueued": False,
        }
    )


def test_stop_all_executions(log: SharedMemoryEventLog) -> None:
    batches: list[BatchId] = []
    for _ in range(2):
        items = [NewItem(name=f"workflow{number}.json", flow=flow_of(step("a"))) for number in range(1, 4)]
        batches.append(create_batch(log, NewBatch(source=BatchSource.WORKFLOWS, items=items, workers=4), at=AT))
    assert told(log, "curl -X POST http://localhost:3003/api/workflows/execution/stop-all") == text(
        {
            "success": True,
            "message": "All executions stopped",
            "totalBatches": 2,
            "totalStopped": 6,
            "runningStopped": 0,
            "queuedCancelled": 6,
            "batches": [f"batch-{batch}" for batch in batches],
        }
    )


def test_continue_execution(log: SharedMemoryEventLog) -> None:
    paused(log)
    line = f"""curl -X POST http://localhost:3003/api/workflows/execution/continue \\
      {JSON} \\
      -d '{{
        "executionId": "exec-1709856234567"
      }}'"""
    assert told(log, line) == text({"success": True, "message": "Execution continued"})


def test_toggle_trace_logs(log: SharedMemoryEventLog) -> None:
    running(log)
    line = f"""curl -X POST http://localhost:3003/api/workflows/execution/trace-logs \\
      {JSON} \\
      -d '{{
        "enabled": true,
        "executionId": "exec-1709856234567"
      }}'"""
    assert told(log, line) == text({"success": True, "message": "Trace logs enabled"})


def test_pause_control(log: SharedMemoryEventLog) -> None:
    paused(log)
    line = f"""curl -X POST http://localhost:3003/api/workflows/execution/pause-control \\
      {JSON} \\
      -d '{{
        "action": "continue",
        "executionId": "exec-1709856234567"
      }}'"""
    assert told(log, line) == text({"success": True, "message": "Execution continued"})
