"""Who has asked for what: "every mutating call leaves an audit event: who, route, run" (contract safety, the guard)."""

import logging
from typing import Final

import pytest

from flowcore.audit import CallAccepted, Credential
from flowcore.batch_service import find_batch, find_run
from flowcore.codec import encode
from flowcore.ids import RunId, StepName
from flowcore.invariants import violations
from flowcore.json_text import to_json
from flowcore.model import Flow, Source, Step
from flowcore.run.commands import PauseRun
from flowcore.service import create_run, load, request
from flowcore.values import Instant
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.batch_server import QUICK, SLOW, Server
from tests.contract.wsgi_client import Answer, call

BASE: Final = "/api/workflows"
TOKEN: Final = "a-very-secret-token-of-32-letters"
FLOW: Final = Flow(sources={"s": Source(type="value")}, steps=(Step(name=StepName("a"), source="s"),))


def post(log: SharedMemoryEventLog, path: str, body: bytes = b"", guard: GuardSettings | None = None) -> Answer:
    headers = {"Content-Type": "application/json"} if body else {}
    if guard is not None:
        headers["Authorization"] = f"Bearer {guard.token}"
    return call(create_app(log, guard=guard), f"{BASE}{path}", method="POST", body=body, headers=headers)


def asked(log: SharedMemoryEventLog, run_id: RunId) -> list[str]:
    """Return the routes of what was asked of a run."""
    return [
        f"{each.event.method} {each.event.route}" for each in log.read(run_id) if isinstance(each.event, CallAccepted)
    ]


def kinds(log: SharedMemoryEventLog, run_id: RunId) -> list[str]:
    return [type(each.event).__name__ for each in log.read(run_id)]


class TestRuns:
    """Who, route, run, and when."""

    def test_it_stands_before_what_the_call_has_led_to(self, log: SharedMemoryEventLog) -> None:
        run_id = create_run(log, FLOW, at=Instant(1.0))
        assert post(log, "/execution/stop").status == 200
        first, second = list(log.read(run_id))[1:3]
        assert first.event == CallAccepted(
            peer="127.0.0.1",
            credential=Credential.NONE,
            method="POST",
            route="/api/workflows/execution/stop",
            at=second.event.at,
        )
        assert kinds(log, run_id)[1] == "CallAccepted"
        assert kinds(log, run_id)[-1] == "RunStopped"
        assert violations(log.read(run_id)) == []

    def test_what_changes_nothing_leaves_nothing(self, log: SharedMemoryEventLog) -> None:
        run_id = create_run(log, FLOW, at=Instant(1.0))
        for _ in range(3):
            post(log, "/execution/stop")
        assert post(log, "/execution/continue", b'{"executionId": "exec-1000"}').status == 400
        assert call(create_app(log), f"{BASE}/execution/exec-1000").status == 200
        assert asked(log, run_id) == ["POST /api/workflows/execution/stop"]

    def test_tracing_a_run_that_is_over_is_recorded_too(self, log: SharedMemoryEventLog) -> None:
        run_id = create_run(log, FLOW, at=Instant(1.0))
        post(log, "/execution/stop")
        post(log, "/execution/trace-logs", b'{"enabled": true}')
        assert kinds(log, run_id)[-2:] == ["CallAccepted", "TraceToggled"]
        assert load(log, run_id).ended
        assert violations(log.read(run_id)) == []

    def test_neither_the_token_nor_the_query_is_told(self, log: SharedMemoryEventLog) -> None:
        run_id = create_run(log, FLOW, at=Instant(1.0))
        assert post(log, "/execution/stop?x=hidden", guard=GuardSettings(token=TOKEN)).status == 200
        (found,) = [each.event for each in log.read(run_id) if isinstance(each.event, CallAccepted)]
        assert found.credential is Credential.TOKEN
        told = to_json([encode(each.event).data for each in log.read(run_id)])
        assert TOKEN not in told
        assert "hidden" not in told

    def test_a_token_that_nobody_asks_for_counts_for_nothing(self, log: SharedMemoryEventLog) -> None:
        create_run(log, FLOW, at=Instant(1.0))
        call(create_app(log), f"{BASE}/execution/stop", method="POST", headers={"Authorization": f"Bearer {TOKEN}"})
        (found,) = [each.event for each in log.read(RunId(1000)) if isinstance(each.event, CallAccepted)]
        assert found.credential is Credential.NONE

    def test_what_a_thread_does_after_a_call_is_not_put_down_to_it(self, server: Server) -> None:
        answer = server.execute(workflow=SLOW)
        run_id = find_run(server.log, answer.document["executionId"])
        request(server.log, run_id, PauseRun(at=Instant(2.0)))
        assert sum(isinstance(each.event, CallAccepted) for each in server.log.read(run_id)) == 1

    def test_starting_a_run_is_recorded_with_the_run(self, server: Server, log: SharedMemoryEventLog) -> None:
        run_id = find_run(log, server.execute(workflow=SLOW).document["executionId"])
        assert kinds(log, run_id)[:2] == ["RunCreated", "CallAccepted"]
        server.post("/execution/stop-all")
        assert asked(log, run_id) == ["POST /api/workflows/execute", "POST /api/workflows/execution/stop-all"]


class TestBatches:
    """A batch speaks for its items."""

    def test_it_stands_in_the_batch_alone(self, server: Server, log: SharedMemoryEventLog) -> None:
        answer = server.execute(workflows=[SLOW, SLOW, QUICK], workers=1).document
        batch_id = find_batch(log, answer["batchId"])
        assert server.post(f"/execution/batch/{answer['batchId']}/stop").status == 200
        events = [each.event for each in log.read_batch(batch_id)]
        assert [type(event).__name__ for event in events][:2] == ["BatchCreated", "CallAccepted"]
        assert [event.route for event in events if isinstance(event, CallAccepted)] == [
            "/api/workflows/execute",
            "/api/workflows/execution/batch/{batch_id}/stop",
        ]
        for item in answer["executions"]:
            assert asked(log, find_run(log, item["executionId"])) == []

    def test_clearing_is_a_line_of_the_server(
        self, server: Server, log: SharedMemoryEventLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = server.execute(workflows=[QUICK]).document
        server.ended(answer["batchId"])
        with caplog.at_level(logging.WARNING, "flowcore.http"):
            assert server.delete("/executions/batches/clear").document["batchesDeleted"] == 1
        (line,) = caplog.messages
        assert line.startswith(
            "DELETE /api/workflows/executions/batches/clear from 127.0.0.1 (credential: none): deleted"
        )
