"""The executions family, without a network: documents/executions-api.md and contract executions, sections 2 and 9."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from flowcore.batch.events import BatchSource
from flowcore.batch_service import NewBatch, NewItem, create_batch, stop_batch
from flowcore.ids import BatchId, RunId
from flowcore.model import Breakpoints, Flow, Moment, Source, Step
from flowcore.ports import EventLog
from flowcore.run.commands import ContinueRun, PauseRun, Settle, StartRun
from flowcore.service import RunSession, commit, create_run, load, request, unfinished
from flowcore.values import Instant
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.executions.start_resources import Starting
from flowcore_adapters.launching import Launcher
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.steering import wait_for_end
from flowcore_adapters.workflow_files import WorkflowFolders
from tests.contract.driven_run import RUN, T0, Driven, step
from tests.contract.wsgi_client import Answer, call

BASE: Final = "/api/workflows/execution"
NAVIGATE: Final = (step("navigate-1"), step("click-2", needs=("navigate-1",)))
PLENTY_S: Final = 30.0


def get(log: EventLog, path: str, **headers: str) -> Answer:
    return call(create_app(log), BASE + path, headers={name.replace("_", "-"): text for name, text in headers.items()})


def post(log: EventLog, path: str, body: str = "") -> Answer:
    headers = {"Content-Type": "application/json"} if body else {}
    return call(create_app(log), BASE + path, method="POST", body=body.encode(), headers=headers)


def said(found: Answer) -> tuple[int, Any]:
    assert found.headers["content-type"] == "application/json"
    return found.status, found.document


def refused(message: str) -> dict[str, object]:
    return {"success": False, "message": message}


class TestStatus:
    """Retrieve the current status of a specific workflow execution."""

    def test_the_example_of_the_document(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, *NAVIGATE)
        run.start()
        run.begin("navigate-1")
        run.succeed("navigate-1")
        run.begin("click-2")
        assert said(get(log, f"/exec-{RUN}")) == (
            200,
            {
                "executionId": f"exec-{RUN}",
                "status": "running",
                "currentNodeId": "click-2",
                "pausedNodeId": None,
                "pauseReason": None,
            },
        )

    def test_the_cause_of_an_error(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, *NAVIGATE)
        run.start()
        run.begin("navigate-1")
        run.fail("navigate-1", "connection refused")
        assert said(get(log, f"/{RUN}")) == (
            200,
            {
                "executionId": f"exec-{RUN}",
                "status": "error",
                "currentNodeId": "navigate-1",
                "error": "connection refused",
                "pausedNodeId": None,
                "pauseReason": None,
            },
        )

    @pytest.mark.parametrize("spelling", [str(RUN), f"exec-{RUN}", f"run_{RUN}"])
    @pytest.mark.parametrize("form", ["/{}", "/status?executionId={}"])
    def test_every_spelling_of_the_id(self, log: SharedMemoryEventLog, spelling: str, form: str) -> None:
        Driven(log)
        expected = {"executionId": f"exec-{RUN}", "status": "idle", "pausedNodeId": None, "pauseReason": None}
        assert said(get(log, form.format(spelling))) == (200, expected)

    @pytest.mark.parametrize("name", ["exec-17", "17", "nonsense", "..", "%00", "a" * 10_000, "exec-1709856234567"])
    @pytest.mark.parametrize("form", ["/{}", "/status?executionId={}"])
    def test_an_unknown_one(self, log: SharedMemoryEventLog, name: str, form: str) -> None:
        Driven(log)
        assert said(get(log, form.format(name))) == (404, {"error": "Execution not found"})

    def test_without_an_id_it_is_the_most_recent_one(self, log: SharedMemoryEventLog) -> None:
        assert said(get(log, "/status")) == (200, {"executionId": "", "status": "idle"})
        Driven(log)
        Driven(log)
        assert get(log, "/status").document["executionId"] == f"exec-{RUN + 1}"
        assert get(log, "/status?executionId=").document["executionId"] == f"exec-{RUN + 1}"

    def test_it_stays_the_most_recent_one_after_it_has_finished(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        last = Driven(log, step("a"))
        last.start()
        last.begin("a")
        last.succeed("a")
        assert get(log, "/status").document == {
            "executionId": f"exec-{RUN + 1}",
            "status": "completed",
            "pausedNodeId": None,
            "pauseReason": None,
        }

    def test_the_etag_and_looking_back(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, *NAVIGATE)
        before = run.start()
        now = run.begin("navigate-1")
        found = get(log, f"/{RUN}")
        assert found.etag == f'"{now}"'
        assert get(log, f"/{RUN}", if_none_match=found.etag).status == 304
        assert get(log, f"/{RUN}?after={now}").status == 304
        assert "currentNodeId" not in get(log, f"/{RUN}?at={before}").document
        assert get(log, f"/status?executionId={RUN}&at={before}").etag == f'"{before}"'
        assert said(get(log, f"/{RUN}?at=0"))[0] == 404
        assert said(get(log, f"/{RUN}?at=x"))[0] == 400

    def test_waiting_for_news(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, *NAVIGATE)
        position = run.start()
        timer = threading.Timer(0.05, run.begin, ["navigate-1"])
        timer.start()
        found = get(log, f"/{RUN}?after={position}&wait={PLENTY_S}")
        timer.join()
        assert (found.status, found.document["currentNodeId"]) == (200, "navigate-1")

    def test_head(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        for path in (f"/{RUN}", "/status", "s/active"):
            found = call(create_app(log), BASE + path, method="HEAD")
            assert (found.status, found.body) == (200, b"")

    def test_unknown_routes_answer_in_json(self, log: SharedMemoryEventLog) -> None:
        found = get(log, "/a/b/c/d")
        assert said(found) == (404, {"error": f"there is nothing at {BASE}/a/b/c/d"})


class TestActive:
    """Get a list of all currently active workflow executions."""

    def test_nothing(self, log: SharedMemoryEventLog) -> None:
        assert said(get(log, "s/active")) == (200, {"totalActive": 0, "executions": []})

    def test_the_example_of_the_document(self, log: SharedMemoryEventLog) -> None:
        for name in ("navigate-1", "click-2", "type-1"):
            run = Driven(log, step(name))
            run.start()
            run.begin(name)
        assert said(get(log, "s/active")) == (
            200,
            {
                "totalActive": 3,
                "executions": [
                    {"executionId": f"exec-{RUN}", "status": "running", "currentNodeId": "navigate-1"},
                    {"executionId": f"exec-{RUN + 1}", "status": "running", "currentNodeId": "click-2"},
                    {"executionId": f"exec-{RUN + 2}", "status": "running", "currentNodeId": "type-1"},
                ],
            },
        )

    def test_it_follows_what_happens(self, log: SharedMemoryEventLog) -> None:
        """Section 9, 1: finished runs do not stay listed, and running ones are not idle."""
        application = create_app(log)

        def active() -> list[tuple[str, str, str | None]]:
            found = call(application, f"{BASE}s/active").document
            assert found["totalActive"] == len(found["executions"])
            return [(each["executionId"], each["status"], each.get("currentNodeId")) for each in found["executions"]]

        assert active() == []
        first, second = Driven(log, step("a")), Driven(log, step("b"))
        assert active() == [(f"exec-{RUN}", "idle", None), (f"exec-{RUN + 1}", "idle", None)]
        first.start()
        first.begin("a")
        assert active()[0] == (f"exec-{RUN}", "running", "a")
        first.succeed("a")
        assert active() == [(f"exec-{RUN + 1}", "idle", None)]
        many = [Driven(log, step("c")) for _ in range(100)]
        assert len(active()) == 101
        second.start()
        second.begin("b")
        second.fail("b", "no")
        assert len(active()) == len(many)
        log.delete_runs(*(run.run_id for run in many), now=Instant(T0))
        assert active() == []
        # Looked at for the first time, it is the same.
        assert get(log, "s/active").document["executions"] == []

    def test_what_was_over_before_the_first_look(self, log: SharedMemoryEventLog) -> None:
        over = Driven(log, step("a"))
        over.start()
        over.begin("a")
        over.succeed("a")
        Driven(log, step("b"))
        assert [each["executionId"] for each in get(log, "s/active").document["executions"]] == [f"exec-{RUN + 1}"]

    def test_the_etag_and_looking_back(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, step("a"))
        idle = log.position()
        run.start()
        running = run.begin("a")
        application = create_app(log)
        found = call(application, f"{BASE}s/active")
        assert found.etag == f'"{running}"'
        assert call(application, f"{BASE}s/active", headers={"If-None-Match": found.etag}).status == 304
        ended = run.succeed("a")
        assert call(application, f"{BASE}s/active?after={running}").document["totalActive"] == 0
        assert call(application, f"{BASE}s/active?after={ended}").status == 304
        at = [call(application, f"{BASE}s/active?at={position}").document for position in (0, idle, running, ended)]
        assert at == [
            {"totalActive": 0, "executions": []},
            {"totalActive": 1, "executions": [{"executionId": f"exec-{RUN}", "status": "idle"}]},
            {
                "totalActive": 1,
                "executions": [{"executionId": f"exec-{RUN}", "status": "running", "currentNodeId": "a"}],
            },
            {"totalActive": 0, "executions": []},
        ]

    def test_waiting_for_news(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, step("a"))
        position = log.position()
        timer = threading.Timer(0.05, run.start)
        timer.start()
        found = get(log, f"s/active?after={position}&wait={PLENTY_S}")
        timer.join()
        assert found.document["executions"] == [{"executionId": f"exec-{RUN}", "status": "running"}]


class TestStop:
    """Stop a specific workflow execution or the most recent execution."""

    def test_nothing_to_stop_is_no_error(self, log: SharedMemoryEventLog) -> None:
        assert said(post(log, "/stop")) == (200, refused("No execution running"))

    def test_a_running_one(self, log: SharedMemoryEventLog) -> None:
        """Section 9, 2: it was running, and not queued."""
        run = Driven(log, *NAVIGATE)
        run.start()
        run.begin("navigate-1")
        assert said(post(log, "/stop", f'{{"executionId": "exec-{RUN}"}}')) == (
            200,
            {
                "success": True,
                "message": "Execution stopped",
                "executionId": f"exec-{RUN}",
                "wasRunning": True,
                "wasQueued": False,
            },
        )
        assert get(log, f"/{RUN}").document["status"] == "stopped"
        # The other node never runs, and asking again changes nothing.
        again = post(log, "/stop", f'{{"executionId": "{RUN}"}}').document
        assert (again["success"], again["wasRunning"], again["wasQueued"]) == (True, False, False)
        assert get(log, f"/{RUN}").document["currentNodeId"] == "navigate-1"

    def test_a_queued_one_never_runs(self, log: SharedMemoryEventLog) -> None:
        Driven(log)
        found = post(log, "/stop").document
        assert (found["executionId"], found["wasRunning"], found["wasQueued"]) == (f"exec-{RUN}", False, True)
        assert get(log, "/status").document["status"] == "stopped"

    def test_a_finished_one_stays_as_it_is(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, step("a"))
        run.start()
        run.begin("a")
        run.succeed("a")
        found = post(log, "/stop", "{}").document
        assert (found["success"], found["wasRunning"], found["wasQueued"]) == (True, False, False)
        assert get(log, "/status").document["status"] == "completed"

    def test_a_paused_one_ends(self, log: SharedMemoryEventLog) -> None:
        """Section 9, 4: a plain stop ends a paused run."""
        run = Driven(log, *NAVIGATE)
        run.start()
        request(log, run.run_id, PauseRun(at=Instant(T0)))
        assert post(log, "/stop").document["wasRunning"] is True
        assert get(log, "/status").document == {
            "executionId": f"exec-{RUN}",
            "status": "stopped",
            "pausedNodeId": None,
            "pauseReason": None,
        }

    @pytest.mark.parametrize("name", ["exec-17", "nonsense", "..", "x" * 10_000])
    def test_an_unknown_one(self, log: SharedMemoryEventLog, name: str) -> None:
        """Section 9, 18: 404, and no fault of the server."""
        Driven(log)
        found = post(log, "/stop", f'{{"executionId": "{name}"}}')
        assert said(found) == (404, refused(f"Execution {name[:200]} not found"))

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("{", "the body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
            ("17", "the body must be a JSON object"),
        ],
    )
    @pytest.mark.parametrize("path", ["/stop", "/continue", "/pause", "/pause-control"])
    def test_a_body_that_is_none(self, log: SharedMemoryEventLog, path: str, body: str, message: str) -> None:
        """Section 9, 18: 400 for malformed JSON."""
        assert said(post(log, path, body)) == (400, {"error": message})

    @pytest.mark.parametrize("path", ["/stop", "/continue", "/pause", "/pause-control"])
    def test_an_id_that_is_no_text(self, log: SharedMemoryEventLog, path: str) -> None:
        Driven(log)
        assert said(post(log, path, '{"executionId": 17}')) == (400, refused("'executionId' must be text"))

    @pytest.mark.parametrize("path", ["/stop", "/stop-all", "/continue", "/pause", "/pause-control"])
    def test_only_post(self, log: SharedMemoryEventLog, path: str) -> None:
        assert call(create_app(log), BASE + path, method="PUT").status == 405


class TestStopAll:
    """Stop all running batches and cancel all queued workflows."""

    def test_nothing(self, log: SharedMemoryEventLog) -> None:
        assert said(post(log, "/stop-all")) == (
            200,
            {
                "success": True,
                "message": "All executions stopped",
                "totalBatches": 0,
                "totalStopped": 0,
                "runningStopped": 0,
                "queuedCancelled": 0,
                "batches": [],
            },
        )

    def test_single_runs_too(self, log: SharedMemoryEventLog) -> None:
        for _ in range(2):
            Driven(log, step("a")).start()
        Driven(log, step("a"))
        found = post(log, "/stop-all").document
        assert (found["totalStopped"], found["runningStopped"], found["queuedCancelled"]) == (3, 2, 1)
        assert get(log, "s/active").document["totalActive"] == 0
        assert post(log, "/stop-all").document["totalStopped"] == 0


class TestContinue:
    """Continue a paused execution (paused by breakpoint or wait node)."""

    def paused(self, log: SharedMemoryEventLog, *steps: Step) -> Driven:
        run = Driven(log, *steps)
        run.start()
        request(log, run.run_id, PauseRun(at=Instant(T0)))
        return run

    @pytest.mark.parametrize("path", ["/continue", "/pause-control"])
    def test_what_cannot_go_on(self, log: SharedMemoryEventLog, path: str) -> None:
        assert said(post(log, path)) == (400, refused("No execution running"))
        Driven(log, *NAVIGATE).start()
        assert said(post(log, path)) == (400, refused("Execution is not paused"))
        assert said(post(log, path, f'{{"executionId": "{RUN}"}}')) == (400, refused("Execution is not paused"))
        assert said(post(log, path, '{"executionId": "exec-17"}')) == (404, refused("Execution not found"))

    @pytest.mark.parametrize(("path", "action"), [("/continue", ""), ("/pause-control", ', "action": "continue"')])
    def test_it_goes_on(self, log: SharedMemoryEventLog, path: str, action: str) -> None:
        self.paused(log, *NAVIGATE)
        assert get(log, "/status").document["pausedNodeId"] == "navigate-1"
        body = f'{{"executionId": "exec-{RUN}"{action}}}'
        assert said(post(log, path, body)) == (200, {"success": True, "message": "Execution continued"})
        assert get(log, "/status").document["pausedNodeId"] is None
        assert said(post(log, path, body)) == (400, refused("Execution is not paused"))

    def test_without_an_id_it_is_the_most_recent_paused_one(self, log: SharedMemoryEventLog) -> None:
        """Section 9, 15: the most recent *paused* one, not the most recent one."""
        older, paused, newest = self.paused(log), self.paused(log), Driven(log)
        newest.start()
        assert post(log, "/continue").status == 200
        assert [load(log, run.run_id).status for run in (older, paused, newest)] == ["paused", "running", "running"]
        assert post(log, "/pause-control", '{"action": "continue"}').status == 200
        assert load(log, older.run_id).status == "running"

    def test_stop_ends_it_as_stopped(self, log: SharedMemoryEventLog) -> None:
        """Section 9, 5: it ends in `stopped`, not in `error`."""
        self.paused(log, *NAVIGATE)
        found = post(log, "/pause-control", '{"action": "stop"}')
        assert said(found) == (200, {"success": True, "message": "Execution stopped"})
        assert get(log, "/status").document["status"] == "stopped"

    @pytest.mark.parametrize(
        ("body", "shown"),
        [
            ("{}", "none given"),
            ('{"action": null}', "none given"),
            ('{"action": "go"}', "go"),
            ('{"action": 1}', "no text"),
        ],
    )
    def test_an_unknown_action_leaves_it_paused(self, log: SharedMemoryEventLog, body: str, shown: str) -> None:
        run = self.paused(log, *NAVIGATE)
        assert said(post(log, "/pause-control", body)) == (400, refused(f"Invalid action: {shown}"))
        assert load(log, run.run_id).status == "paused"

    def test_the_run_is_found_and_paused_before_the_action_matters(self, log: SharedMemoryEventLog) -> None:
        Driven(log).start()
        found = post(log, "/pause-control", f'{{"action": "go", "executionId": "{RUN}"}}')
        assert said(found) == (400, refused("Execution is not paused"))
        found = post(log, "/pause-control", '{"action": "go", "executionId": "17"}')
        assert said(found) == (404, refused("Execution not found"))


class TestPause:
    """An addition to the family: any run can be paused through it."""

    def test_a_running_one(self, log: SharedMemoryEventLog) -> None:
        Driven(log, *NAVIGATE).start()
        for _ in range(2):
            assert said(post(log, "/pause")) == (200, {"success": True, "message": "Execution paused"})
        assert get(log, "/status").document == {
            "executionId": f"exec-{RUN}",
            "status": "running",
            "pausedNodeId": "navigate-1",
            "pauseReason": "breakpoint",
        }

    def test_what_cannot_be_paused(self, log: SharedMemoryEventLog) -> None:
        assert said(post(log, "/pause")) == (400, refused("No execution running"))
        assert said(post(log, "/pause", '{"executionId": "17"}')) == (404, refused("Execution not found"))
        run = Driven(log, step("a"))
        assert said(post(log, "/pause")) == (400, refused("Execution is not running"))
        run.start()
        run.begin("a")
        run.succeed("a")
        assert said(post(log, "/pause")) == (400, refused("Execution is not running"))


class TestSkipping:
    """`skip` and `continueWithoutBreakpoint`, at a breakpoint."""

    def paused_before(self, log: SharedMemoryEventLog, *, moment: Moment = Moment.PRE) -> Driven:
        """Return a run with breakpoints everywhere that is paused before its first node."""
        run = Driven(log, *NAVIGATE, breakpoints=Breakpoints(moment=moment, steps=None))
        run.start()
        return run

    def test_the_example_of_a_breakpoint(self, log: SharedMemoryEventLog) -> None:
        """During a *pre* breakpoint the current node is still the previous one, while the paused one is the next."""
        run = self.paused_before(log)
        assert said(get(log, "/status")) == (
            200,
            {
                "executionId": f"exec-{RUN}",
                "status": "running",
                "pausedNodeId": "navigate-1",
                "pauseReason": "breakpoint",
            },
        )
        assert post(log, "/continue").status == 200
        run.begin("navigate-1")
        run.succeed("navigate-1")
        assert get(log, "/status").document == {
            "executionId": f"exec-{RUN}",
            "status": "running",
            "currentNodeId": "navigate-1",
            "pausedNodeId": "click-2",
            "pauseReason": "breakpoint",
        }

    def test_skip_leaves_the_node_out_and_goes_on(self, log: SharedMemoryEventLog) -> None:
        run = self.paused_before(log, moment=Moment.BOTH)
        found = post(log, "/pause-control", '{"action": "skip"}')
        assert said(found) == (200, {"success": True, "message": "Node will be skipped"})
        run.settle()
        # No second pause for the node that was skipped: the next one is before the next node.
        assert get(log, "/status").document["pausedNodeId"] == "click-2"
        assert [type(each.event).__name__ for each in log.read(run.run_id)][-5:] == [
            "StepPaused",
            "CallAccepted",
            "StepSkipped",
            "RunContinued",
            "StepPaused",
        ]

    def test_skip_after_a_node_only_goes_on(self, log: SharedMemoryEventLog) -> None:
        """It leaves nothing behind that would eat a later node."""
        run = Driven(log, *NAVIGATE, breakpoints=Breakpoints(moment=Moment.BOTH, steps=None))
        run.start()
        assert post(log, "/continue").status == 200
        run.begin("navigate-1")
        run.succeed("navigate-1")
        assert get(log, "/status").document["pausedNodeId"] == "navigate-1"
        assert post(log, "/pause-control", '{"action": "skip"}').status == 200
        run.settle()
        assert get(log, "/status").document["pausedNodeId"] == "click-2"
        assert post(log, "/continue").status == 200
        run.begin("click-2")
        assert get(log, "/status").document["currentNodeId"] == "click-2"

    def test_without_breakpoints_it_pauses_no_more(self, log: SharedMemoryEventLog) -> None:
        run = self.paused_before(log)
        found = post(log, "/pause-control", '{"action": "continueWithoutBreakpoint"}')
        assert said(found) == (200, {"success": True, "message": "Execution continued without breakpoint"})
        for name in ("navigate-1", "click-2"):
            run.begin(name)
            run.succeed(name)
        assert get(log, "/status").document["status"] == "completed"


class TestTraceLogs:
    """Enable or disable trace logs for a running execution."""

    def test_on_and_off(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log)
        for enabled, word in ((True, "enabled"), (True, "enabled"), (False, "disabled")):
            body = json.dumps({"enabled": enabled, "executionId": f"exec-{RUN}"})
            found = post(log, "/trace-logs", body)
            assert said(found) == (200, {"success": True, "message": f"Trace logs {word}"})
            assert load(log, run.run_id).trace is enabled

    def test_a_finished_run_too_and_it_stays_finished(self, log: SharedMemoryEventLog) -> None:
        run = Driven(log, step("a"))
        run.start()
        run.begin("a")
        run.succeed("a")
        assert post(log, "/trace-logs", '{"enabled": true}').status == 200
        assert get(log, "/status").document["status"] == "completed"
        assert get(log, "s/active").document["totalActive"] == 0
        assert unfinished(log) == []

    @pytest.mark.parametrize("body", ["", "{}", '{"enabled": null}', '{"enabled": "yes"}', '{"enabled": 1}'])
    def test_enabled_is_required(self, log: SharedMemoryEventLog, body: str) -> None:
        """Section 9, 14: a missing `enabled` is not accepted."""
        Driven(log)
        assert said(post(log, "/trace-logs", body)) == (400, refused("'enabled' is required: true or false"))

    def test_which_run(self, log: SharedMemoryEventLog) -> None:
        assert said(post(log, "/trace-logs", '{"enabled": true}')) == (400, refused("No execution running"))
        Driven(log)
        found = post(log, "/trace-logs", '{"enabled": true, "executionId": "17"}')
        assert said(found) == (404, refused("Execution not found"))


class TestDriven:
    """Runs that an engine drives, in this process or another: the answer comes when it is true."""

    @pytest.fixture
    def engine(self, log: SharedMemoryEventLog) -> Iterator[Engine]:
        engine = Engine(log, load_registry(), SystemClock())
        engine.start()
        yield engine
        engine.close(stop=True)

    def waiting(self, log: SharedMemoryEventLog, engine: Engine) -> RunId:
        """Start a run whose first step takes a minute, and wait until it is under way."""
        sources = {"source": Source(type="wait", configuration={"seconds": 60})}
        run_id = create_run(log, Flow(sources=sources, steps=NAVIGATE), at=SystemClock().now())
        engine.adopt(run_id)
        position = 0
        while not load(log, run_id).in_the_air:
            position = log.wait(position, PLENTY_S)
        return run_id

    def test_stop_answers_when_it_has_stopped(self, log: SharedMemoryEventLog, engine: Engine) -> None:
        """Section 9, 3: stopped during a node it is `stopped`, never `completed`."""
        run_id = self.waiting(log, engine)
        assert post(log, "/stop").document["wasRunning"] is True
        assert get(log, "/status").document == {
            "executionId": f"exec-{run_id}",
            "status": "stopped",
            "currentNodeId": "navigate-1",
            "pausedNodeId": None,
            "pauseReason": None,
        }

    def test_stop_is_never_refused_and_waits_only_when_there_is_a_place(
        self, log: SharedMemoryEventLog, engine: Engine
    ) -> None:
        run_id = self.waiting(log, engine)
        answer = call(create_app(log, threads=1), f"{BASE}/stop", method="POST")
        assert (answer.status, answer.document["wasRunning"]) == (200, True)
        assert wait_for_end(log, run_id, PLENTY_S).status == "stopped"

    def test_stop_all_answers_when_they_have_stopped(self, log: SharedMemoryEventLog, engine: Engine) -> None:
        """Section 9, 13: ids, and only what was not over."""
        for _ in range(3):
            self.waiting(log, engine)
        assert post(log, "/stop-all").document["runningStopped"] == 3
        assert get(log, "s/active").document["totalActive"] == 0

    def test_a_paused_run_that_nobody_drives_is_driven_from_here(
        self, log: SharedMemoryEventLog, engine: Engine, tmp_path: Path
    ) -> None:
        """Its process has died: who lets it go on sees to it."""
        flow = Flow(sources={"source": Source(type="value")}, steps=NAVIGATE)
        run_id = create_run(log, flow, at=SystemClock().now(), breakpoints=Breakpoints(steps=None))
        session = RunSession(log, run_id)
        session.execute(StartRun(at=Instant(T0)))
        session.execute(Settle(at=Instant(T0)))
        commit(log, [session])
        starting = Starting(Launcher(log, SystemClock(), engine), load_registry().catalog, WorkflowFolders(tmp_path))
        application = create_app(log, starting=starting)
        body = b'{"action": "continueWithoutBreakpoint"}'
        headers = {"Content-Type": "application/json"}
        answer = call(application, f"{BASE}/pause-control", method="POST", body=body, headers=headers)
        assert answer.status == 200
        assert wait_for_end(log, run_id, PLENTY_S).status == "succeeded"

    def test_pause_and_continue(self, log: SharedMemoryEventLog, engine: Engine) -> None:
        run_id = self.waiting(log, engine)
        assert post(log, "/pause").status == 200
        found = get(log, "/status").document
        assert (found["currentNodeId"], found["pausedNodeId"]) == ("navigate-1", "click-2")
        request(log, run_id, ContinueRun(at=SystemClock().now()))
        assert get(log, "/status").document["pausedNodeId"] is None


class TestBatches:
    """Batches, as far as the endpoints of single runs go."""

    def accept(self, log: SharedMemoryEventLog, count: int = 3) -> BatchId:
        flow = Flow(sources={"source": Source(type="wait", configuration={"seconds": 60})}, steps=NAVIGATE)
        items = [NewItem(name=f"workflow{number}.json", flow=flow) for number in range(1, count + 1)]
        return create_batch(log, NewBatch(source=BatchSource.WORKFLOWS, items=items, workers=2), at=Instant(T0))

    def test_an_item_is_queued_and_has_an_id_of_its_own(self, log: SharedMemoryEventLog) -> None:
        batch = self.accept(log)
        expected = {
            "executionId": f"exec-{batch}-2",
            "status": "queued",
            "pausedNodeId": None,
            "pauseReason": None,
        }
        for spelling in (f"exec-{batch}-2", str(batch + 2), f"exec-{batch + 2}", f"run_{batch + 2}"):
            assert said(get(log, f"/{spelling}")) == (200, expected)
            assert said(get(log, f"/status?executionId={spelling}")) == (200, expected)
        assert said(get(log, f"/exec-{batch}-4"))[0] == 404
        assert said(get(log, f"/{batch}"))[0] == 404
        assert said(post(log, "/stop", f'{{"executionId": "{batch}"}}'))[0] == 404
        # An item is the most recent execution too.
        assert get(log, "/status").document["executionId"] == f"exec-{batch}-3"

    def test_that_a_run_follows_a_batch_makes_it_no_item(self, log: SharedMemoryEventLog) -> None:
        batch = self.accept(log, count=1)
        run = create_run(log, Flow(), at=Instant(T0))
        assert run == batch + 2
        assert said(get(log, f"/exec-{batch}-2")) == (404, {"error": "Execution not found"})

    def test_a_queued_item_is_cancelled(self, log: SharedMemoryEventLog) -> None:
        batch = self.accept(log)
        found = post(log, "/stop", f'{{"executionId": "exec-{batch}-2"}}').document
        assert (found["executionId"], found["wasRunning"], found["wasQueued"]) == (f"exec-{batch}-2", False, True)
        assert [each["executionId"] for each in get(log, "s/active").document["executions"]] == [
            f"exec-{batch}-1",
            f"exec-{batch}-3",
        ]

    def test_stop_all_counts_each_once(self, log: SharedMemoryEventLog) -> None:
        """Section 9, 13: `batches` are ids, and only of those that were stopped."""
        engine = Engine(log, load_registry(), SystemClock())
        engine.start()
        over, batch = self.accept(log, count=1), self.accept(log, count=5)
        stop_batch(log, over, at=Instant(T0))
        engine.adopt_batch(batch)
        position = 0
        while sum(bool(load(log, RunId(batch + number)).in_the_air) for number in range(1, 6)) < 2:
            position = log.wait(position, PLENTY_S)
        Driven(log, step("single"))
        assert said(post(log, "/stop-all")) == (
            200,
            {
                "success": True,
                "message": "All executions stopped",
                "totalBatches": 1,
                "totalStopped": 6,
                "runningStopped": 2,
                "queuedCancelled": 4,
                "batches": [f"batch-{batch}"],
            },
        )
        assert get(log, "s/active").document["totalActive"] == 0
        assert post(log, "/stop-all").document["totalStopped"] == 0
        engine.close(stop=True)
