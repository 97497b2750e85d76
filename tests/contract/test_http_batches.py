"""Batches in the executions family, without a network: documents/executions-api.md and contract executions, 3 and 9."""

import json
import re
import time
from pathlib import Path
from typing import Any, Final

import pytest

from flowcore.batch.events import BatchSource
from flowcore.batch_service import NewBatch, NewItem, create_batch, find_batch
from flowcore.ids import BatchId, InstanceId, item_run
from flowcore.model import Flow, Source
from flowcore.ports import EventLog
from flowcore.run.commands import StartAttempt, StartRun
from flowcore.service import request
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant, Json
from flowcore_adapters.http.app import create_app
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.batch_builders import FOLDER, STATUS, began, did, recorded_batch
from tests.contract.batch_server import BAD, BASE, QUICK, SLOW, Server, said, until
from tests.contract.driven_run import step
from tests.contract.wsgi_client import Answer, call

T0: Final = Instant(1709856234.567)


def get(log: EventLog, path: str, **headers: str) -> Answer:
    return call(create_app(log), BASE + path, headers={name.replace("_", "-"): text for name, text in headers.items()})


def started(server: Server, *documents: Json, **options: Json) -> str:
    """Start a batch and return how it is called."""
    found = server.execute(workflows=list(documents), **options)
    assert found.status == 200
    return str(found.document["batchId"])


def example(log: EventLog, count: int = 5) -> BatchId:
    """Record the batch of the document's example, in the queue."""
    flow = Flow(name="sample", steps=(step("click-3"),), sources={"source": Source(type="value")})
    names = [f"workflow{number}.json" for number in range(1, count + 1)]
    items = [NewItem(name=name, path=f"{FOLDER}/{name}", flow=flow) for name in names]
    return create_batch(log, NewBatch(source=BatchSource.FOLDER, items=items, workers=4, folder=FOLDER), at=T0)


class TestTheDocument:
    """Each example of the document that is about batches, whole; ids and times are those of the document."""

    def test_get_batch_status(self, log: SharedMemoryEventLog) -> None:
        batch_id = example(log)
        events = [began(1), began(2), began(3), did(1), did(3), began(4)]
        append(log, batch_id, *events)
        for number in (2, 4):
            run_id = item_run(batch_id, number)
            request(log, run_id, StartRun(at=T0))
        request(log, item_run(batch_id, 2), StartAttempt(instance=InstanceId("click-3"), at=T0))
        found = get(log, "/execution/batch/batch-1709856234567")
        # As text, so that the order of the members counts.
        assert (found.status, json.dumps(found.document)) == (200, json.dumps(STATUS))

    def test_get_batch_history(self, server: Server) -> None:
        first = started(server, QUICK, BAD, QUICK)
        server.ended(first)
        second = started(server, *[QUICK] * 5)
        ended = server.ended(second)
        found = server.get("/executions/batches?limit=20&offset=0")
        document = found.document
        assert (found.status, document["total"], document["limit"], document["offset"]) == (200, 2, 20, 0)
        newest, oldest = document["batches"]
        expected = {
            "batchId": second,
            "status": "completed",
            "sourceType": "workflows",
            "totalWorkflows": 5,
            "completed": 5,
            "failed": 0,
            "startTime": ended["startTime"],
            "endTime": ended["endTime"],
            "duration": ended["endTime"] - ended["startTime"],
        }
        assert json.dumps(newest) == json.dumps(expected)
        assert (oldest["batchId"], oldest["status"], oldest["completed"], oldest["failed"]) == (
            first,
            "completed",
            2,
            1,
        )

    def test_stop_batch(self, log: SharedMemoryEventLog, tmp_path: Path) -> None:
        server = Server(log, tmp_path, batch_workers=2)
        name = started(server, *[SLOW] * 5)
        until(lambda: server.batch(name)["running"] == 2)
        assert said(server.post(f"/execution/batch/{name}/stop")) == (
            200,
            {
                "success": True,
                "message": "Batch stopped",
                "batchId": name,
                "stoppedExecutions": 5,
                "runningStopped": 2,
                "queuedCancelled": 3,
            },
        )
        server.close()

    def test_clear_all_batches(self, server: Server) -> None:
        names = [started(server, QUICK, QUICK), started(server, BAD)]
        for name in names:
            server.ended(name)
        assert said(server.delete("/executions/batches/clear")) == (
            200,
            {
                "success": True,
                "message": "All batches and executions cleared",
                "batchesDeleted": 2,
                "executionsDeleted": 3,
            },
        )
        assert server.get("/executions/batches").document["total"] == 0

    def test_stop_all_executions(self, log: SharedMemoryEventLog, tmp_path: Path) -> None:
        server = Server(log, tmp_path, batch_workers=3)
        names = [started(server, *[SLOW] * 5), started(server, *[SLOW] * 3)]
        until(lambda: server.batch(names[0])["running"] == 3)
        assert said(server.post("/execution/stop-all")) == (
            200,
            {
                "success": True,
                "message": "All executions stopped",
                "totalBatches": 2,
                "totalStopped": 8,
                "runningStopped": 3,
                "queuedCancelled": 5,
                "batches": names,
            },
        )
        server.close()

    @pytest.mark.parametrize(
        ("method", "line"),
        [
            ("GET", "/execution/batch/batch-1709856234567"),
            ("GET", "/executions/batches?limit=20&offset=0"),
            ("GET", "/executions/batches?status=completed&limit=20"),
            ("GET", "/executions/batches?limit=20&offset=20"),
            ("POST", "/execution/batch/batch-1709856234567/stop"),
            ("DELETE", "/executions/batches/clear"),
            ("POST", "/execution/stop-all"),
        ],
    )
    def test_every_curl_line_about_batches_is_answered(self, log: SharedMemoryEventLog, method: str, line: str) -> None:
        example(log)
        found = call(create_app(log), BASE + line, method=method)
        assert found.status == 200
        assert isinstance(json.loads(found.body), dict)


def append(log: EventLog, batch_id: BatchId, *events: Any) -> None:  # noqa: ANN401 - events of a batch
    """Let *events* happen to a batch."""
    from flowcore.ports import AppendBatch

    log.append(AppendBatch(batch_id, log.version(batch_id), [each.event for each in recorded_batch(events)]))


class TestStatus:
    @pytest.mark.parametrize("name", ["batch-1", "nonsense", "%2e%2e", "1" * 200, "batch-1709856234568"])
    def test_an_unknown_batch(self, log: SharedMemoryEventLog, name: str) -> None:
        example(log)
        assert said(get(log, f"/execution/batch/{name}")) == (404, {"error": "Batch not found"})

    def test_every_spelling_of_the_id(self, log: SharedMemoryEventLog) -> None:
        batch_id = example(log)
        assert (
            get(log, f"/execution/batch/{batch_id}").document == get(log, f"/execution/batch/batch-{batch_id}").document
        )

    def test_nothing_new_is_not_sent_again(self, log: SharedMemoryEventLog) -> None:
        batch_id = example(log)
        application = create_app(log)
        path = f"{BASE}/execution/batch/{batch_id}"
        first = call(application, path)
        assert call(application, path, headers={"If-None-Match": first.etag}).status == 304
        assert call(application, path + f"?after={first.etag.strip(chr(34))}").status == 304
        append(log, batch_id, began(1))
        assert call(application, path, headers={"If-None-Match": first.etag}).document["running"] == 1

    def test_what_a_running_item_is_at_changes_the_answer(self, log: SharedMemoryEventLog) -> None:
        batch_id = example(log)
        application = create_app(log)
        path = f"{BASE}/execution/batch/{batch_id}"
        append(log, batch_id, began(1))
        request(log, item_run(batch_id, 1), StartRun(at=T0))
        first = call(application, path)
        request(log, item_run(batch_id, 1), StartAttempt(instance=InstanceId("click-3"), at=T0))
        second = call(application, path, headers={"If-None-Match": first.etag})
        assert second.document["executions"][0]["currentNodeId"] == "click-3"

    def test_looking_back(self, log: SharedMemoryEventLog) -> None:
        batch_id = example(log)
        position = log.position()
        append(log, batch_id, began(1), did(1))
        path = f"/execution/batch/{batch_id}?at="
        assert [get(log, f"{path}{position + more}").document["running"] for more in (0, 1, 2)] == [0, 1, 0]
        assert get(log, f"{path}0").status == 404

    def test_waiting_for_news(self, server: Server) -> None:
        name = started(server, SLOW)
        until(lambda: "currentNodeId" in server.batch(name)["executions"][0])
        etag = server.get(f"/execution/batch/{name}").etag.strip('"')
        began_at = time.monotonic()
        assert server.get(f"/execution/batch/{name}?after={etag}&wait=0.2").status == 304
        assert time.monotonic() - began_at >= 0.2


class TestHistory:
    @pytest.mark.parametrize("name", ["limit", "offset"])
    def test_a_parameter_that_is_there_twice(self, log: SharedMemoryEventLog, name: str) -> None:
        found = get(log, f"/executions/batches?{name}=1&{name}=2")
        assert said(found) == (400, {"error": f"'{name}' is given more than once"})

    @pytest.mark.parametrize(
        "query",
        ["limit=-1", "limit=abc", "limit=2.7", "limit=1001", "limit=", "offset=-1", "offset=x", f"offset={'9' * 30}"],
    )
    def test_bad_values(self, log: SharedMemoryEventLog, query: str) -> None:
        found = get(log, f"/executions/batches?{query}")
        assert found.status == 400
        assert found.document["error"].startswith(f"'{query.partition('=')[0]}' must be a whole number")

    def test_no_batches(self, log: SharedMemoryEventLog) -> None:
        assert said(get(log, "/executions/batches")) == (200, {"total": 0, "limit": 20, "offset": 0, "batches": []})

    def test_an_unknown_status_finds_none(self, log: SharedMemoryEventLog) -> None:
        example(log)
        empty: dict[str, Json] = {"total": 0, "limit": 20, "offset": 0, "batches": []}
        assert said(get(log, "/executions/batches?status=paused")) == (200, empty)

    def test_pages_make_the_whole_list(self, server: Server) -> None:
        names = [started(server, QUICK) for _ in range(5)]
        for name in names:
            server.ended(name)
        pages = [server.get(f"/executions/batches?limit=2&offset={offset}").document for offset in (0, 2, 4, 6)]
        assert [page["total"] for page in pages] == [5, 5, 5, 5]
        assert [each["batchId"] for page in pages for each in page["batches"]] == names[::-1]
        assert server.get("/executions/batches?limit=0").document["batches"] == []

    def test_the_filter(self, server: Server) -> None:
        wrong, right, running = started(server, BAD), started(server, QUICK), started(server, SLOW)
        stopped = started(server, SLOW)
        server.post(f"/execution/batch/{stopped}/stop")
        server.ended(wrong)
        server.ended(right)
        for word, name in (("error", wrong), ("completed", right), ("running", running), ("stopped", stopped)):
            document = server.get(f"/executions/batches?status={word}").document
            assert (document["total"], [each["batchId"] for each in document["batches"]]) == (1, [name])
        (line,) = server.get("/executions/batches?status=running").document["batches"]
        assert not {"endTime", "duration"} & set(line)


class TestStopping:
    def test_again_and_after_the_end_changes_nothing(self, server: Server) -> None:
        """Contract executions, section 9, place 19: stopping a finished batch does not make it `stopped`."""
        name = started(server, QUICK)
        before = server.ended(name)
        answer = server.post(f"/execution/batch/{name}/stop").document
        assert (answer["success"], answer["stoppedExecutions"]) == (True, 0)
        assert server.batch(name) == before

    def test_an_unknown_batch(self, server: Server) -> None:
        """Place 18: not a fault of the server."""
        assert said(server.post("/execution/batch/batch-7/stop")) == (
            404,
            {"success": False, "message": "Batch batch-7 not found"},
        )

    def test_it_is_over_at_once_and_stays_as_it_is(self, server: Server) -> None:
        """Place 10: after a stop no item ends any more, and none is queued."""
        name = started(server, QUICK, *[SLOW] * 6, workers=2)
        until(lambda: server.batch(name)["completed"] == 1 and server.batch(name)["running"] == 2)
        server.post(f"/execution/batch/{name}/stop")
        after = server.batch(name)
        assert (after["status"], after["completed"], after["running"], after["queued"]) == ("stopped", 1, 0, 0)
        assert after["endTime"] is not None
        assert [each["status"] for each in after["executions"]] == ["completed", *["stopped"] * 6]
        for each in after["executions"][1:]:
            shown = server.get(f"/execution/{each['executionId']}").document
            assert (shown["executionId"], shown["status"]) == (each["executionId"], "stopped")
        assert server.batch(name) == after

    def test_an_item_alone(self, server: Server) -> None:
        """Place 9: an item that is stopped does not make its batch hang."""
        name = started(server, SLOW, QUICK, workers=1)
        until(lambda: server.batch(name)["running"] == 1)
        item = server.batch(name)["executions"][0]["executionId"]
        answer = server.post("/execution/stop", {"executionId": item}).document
        assert (answer["executionId"], answer["wasRunning"], answer["wasQueued"]) == (item, True, False)
        ended = server.ended(name)
        assert [each["status"] for each in ended["executions"]] == ["stopped", "completed"]
        assert (ended["status"], ended["completed"], ended["failed"]) == ("completed", 1, 0)

    def test_a_queued_item_never_runs(self, server: Server) -> None:
        name = started(server, SLOW, QUICK, workers=1)
        item = server.batch(name)["executions"][1]["executionId"]
        answer = server.post("/execution/stop", {"executionId": item}).document
        assert (answer["wasRunning"], answer["wasQueued"]) == (False, True)
        until(lambda: server.batch(name)["queued"] == 0)
        assert server.batch(name)["executions"][1]["status"] == "stopped"


class TestClearing:
    def test_running_batches_are_left_out(self, server: Server) -> None:
        """Place 12: what is cleared is counted and gone; what runs stays (invariant I20)."""
        over, going = started(server, QUICK), started(server, SLOW)
        item = server.ended(over)["executions"][0]["executionId"]
        answer = server.delete("/executions/batches/clear").document
        assert (answer["batchesDeleted"], answer["executionsDeleted"]) == (1, 1)
        assert server.get(f"/execution/batch/{over}").status == 404
        assert server.get(f"/execution/{item}").status == 404
        assert [each["batchId"] for each in server.get("/executions/batches").document["batches"]] == [going]
        assert server.batch(going)["status"] == "running"

    def test_ids_are_never_used_again(self, server: Server) -> None:
        names: list[str] = []
        for _ in range(3):
            names.append(started(server, QUICK))
            server.ended(names[-1])
            server.delete("/executions/batches/clear")
        assert len(set(names)) == 3


class TestPlaces:
    """Where the original breaks its own document (contract executions, section 9), and we do not."""

    def test_6_and_7_queued_items_are_counted_once_and_say_so(self, server: Server) -> None:
        name = started(server, *[SLOW] * 6, workers=2)
        until(lambda: server.batch(name)["running"] == 2)
        shown = server.batch(name)
        assert (shown["queued"], shown["completed"], shown["failed"], shown["endTime"]) == (4, 0, 0, None)
        until(lambda: all(each.get("currentNodeId") for each in server.batch(name)["executions"][:2]))
        assert [each["status"] for each in shown["executions"]] == ["running"] * 2 + ["queued"] * 4
        waiting = shown["executions"][-1]["executionId"]
        assert server.get(f"/execution/{waiting}").document["status"] == "queued"

    def test_8_failed_items_are_failed(self, server: Server) -> None:
        ended = server.ended(started(server, QUICK, BAD))
        assert (ended["status"], ended["completed"], ended["failed"]) == ("completed", 1, 1)
        assert ended["executions"][1]["status"] == "error"
        assert "nonsense" in ended["executions"][1]["error"]
        assert server.ended(started(server, BAD, BAD))["status"] == "error"

    def test_11_items_stay_what_they_were(self, tmp_path: Path) -> None:
        """Also from another process, with the names that they had."""
        log = SqliteEventLog(tmp_path / "log.db")
        server = Server(log, tmp_path)
        name = started(server, QUICK, workflowFileNames=["mine.json"])
        before = server.ended(name)
        server.close()
        log.close()
        again = SqliteEventLog(tmp_path / "log.db")
        assert get(again, f"/execution/batch/{name}").document == before
        item = before["executions"][0]
        assert item["workflowFileName"] == "mine.json"
        assert get(again, f"/execution/{item['executionId']}").document["status"] == "completed"
        again.close()

    def test_13_stop_all_names_batches_that_were_running(self, server: Server) -> None:
        server.ended(started(server, QUICK))
        going = started(server, SLOW)
        answer = server.post("/execution/stop-all").document
        assert (answer["totalBatches"], answer["batches"]) == (1, [going])

    @pytest.mark.parametrize("workers", [-1, "abc", "-1", "--1", 2.5, True, [1], 100_000])
    def test_17_workers_that_are_none_are_refused(self, server: Server, workers: Json) -> None:
        found = server.execute(workflows=[QUICK], workers=workers)
        assert found.status == 400
        assert found.document["error"] == "'workers' must be a whole number from 0 to 1000"

    @pytest.mark.parametrize("workers", [0, "2", 1])
    def test_17_and_others_run(self, server: Server, workers: Json) -> None:
        assert server.ended(started(server, QUICK, QUICK, workers=workers))["completed"] == 2

    def test_20_a_batch_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        log = SqliteEventLog(tmp_path / "log.db")
        first = Server(log, tmp_path, batch_workers=1)
        name = started(first, *[QUICK] * 2, SLOW, *[QUICK] * 3)
        until(lambda: first.batch(name)["completed"] == 2 and first.batch(name)["running"] == 1)
        first.close()
        second = Server(log, tmp_path)
        second.engine.adopt_batch(find_batch(log, name))
        until(lambda: second.batch(name)["completed"] == 5)
        assert second.batch(name)["running"] == 1
        assert second.post(f"/execution/batch/{name}/stop").document["stoppedExecutions"] == 1
        shown = second.batch(name)
        assert (shown["status"], shown["completed"], shown["running"], shown["queued"]) == ("stopped", 5, 0, 0)
        second.close()
        log.close()

    def test_22_stopping_does_not_make_the_pool_larger(self, log: SharedMemoryEventLog, tmp_path: Path) -> None:
        server = Server(log, tmp_path, batch_workers=2)
        for _ in range(3):
            name = started(server, *[SLOW] * 4)
            until(lambda name=name: server.batch(name)["running"] == 2)  # type: ignore[misc]
            server.post(f"/execution/batch/{name}/stop")
        name = started(server, *[SLOW] * 6)
        until(lambda: server.batch(name)["running"] == 2)
        time.sleep(0.1)
        assert server.batch(name)["running"] == 2
        server.close()


def test_batch_routes_have_scopes_of_their_own() -> None:
    from flowcore_adapters.http.app import routes

    scopes = {route.path: str(route.scope) for route in routes(MemoryEventLog())}
    assert {path: scope for path, scope in scopes.items() if re.search("batch", path)} == {
        "/api/workflows/execution/batch/{batch_id}": "read",
        "/api/workflows/execution/batch/{batch_id}/stop": "operate",
        "/api/workflows/executions/batches": "read",
        "/api/workflows/executions/batches/clear": "admin",
    }
