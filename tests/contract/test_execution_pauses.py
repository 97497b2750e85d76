"""Pauses of workflows, driven by an engine and steered over HTTP: contract executions, section 6."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

from flowcore.documents.workflows import compile_workflow, read_workflow
from flowcore.ids import RunId
from flowcore.model import Breakpoints, Moment
from flowcore.service import create_run
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.live.feed import LiveFeed
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from tests.contract.wsgi_client import call
from tests.workflow_documents import document, edges, node, start

PLENTY_S: Final = 30.0
BASE: Final = "/api/workflows/execution"
ENDED: Final = {"completed", "error", "stopped"}


def value(name: str, **data: Json) -> dict[str, Json]:
    """Return a node that does next to nothing."""
    return node(name, "intValue", value=1, **data)


def chained(*nodes: dict[str, Json]) -> dict[str, Json]:
    """Return a workflow in which *nodes* follow one another."""
    return document([*nodes], edges(" ".join(str(each["id"]) for each in nodes)))


class Bench:
    """Runs workflows and steers them over HTTP."""

    def __init__(self) -> None:
        self.log = SharedMemoryEventLog()
        self._registry = load_registry()
        self._engine = Engine(self.log, self._registry, SystemClock())
        self._engine.start()
        self._application = create_app(self.log)
        self.run_id = RunId(0)

    def start(self, workflow: dict[str, Json], breakpoints: Breakpoints | None = None) -> None:
        flow = compile_workflow(read_workflow(workflow))
        self.run_id = create_run(self.log, flow, at=SystemClock().now(), breakpoints=breakpoints)
        self._engine.adopt(self.run_id)

    def get(self, path: str) -> Any:  # noqa: ANN401 - a document
        return call(self._application, path).document

    def post(self, action: str) -> None:
        body = f'{{"action": "{action}"}}'.encode()
        headers = {"Content-Type": "application/json"}
        answer = call(self._application, f"{BASE}/pause-control", method="POST", body=body, headers=headers)
        assert answer.status == 200, answer.document

    def pause(self, seen: int) -> dict[str, Any] | None:
        """Return the status at the pause after the first *seen* ones; None when the run is over."""
        while True:
            position = self.log.position()
            if self._pauses() > seen:
                found: dict[str, Any] = self.get(f"{BASE}/{self.run_id}")
                return found
            if self.get(f"{BASE}/{self.run_id}")["status"] in ENDED:
                return None
            self.log.wait(position, PLENTY_S)

    def _pauses(self) -> int:
        return sum(type(each.event).__name__ == "StepPaused" for each in self.log.read(self.run_id))

    def trail(self, *actions: str) -> list[tuple[str | None, str]]:
        """Answer each pause with the next of *actions* (then always `continue`); return current and paused nodes."""
        found: list[tuple[str | None, str]] = []
        while (status := self.pause(len(found))) is not None:
            found.append((status.get("currentNodeId"), status["pausedNodeId"]))
            self.post(actions[len(found) - 1] if len(found) <= len(actions) else "continue")
        return found

    def close(self) -> None:
        self._engine.close(stop=True)
        self.log.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    opened = Bench()
    yield opened
    opened.close()


CHAIN: Final = (start(), value("a"), value("b", breakpoint=True), value("c"))


@pytest.mark.parametrize(
    ("breakpoints", "expected"),
    [
        (Breakpoints(steps=None), [(None, "start"), ("start", "a"), ("a", "b"), ("b", "c")]),
        (Breakpoints(marked=True), [("a", "b")]),
        (Breakpoints(marked=True, moment=Moment.POST), [("b", "b")]),
        (Breakpoints(marked=True, moment=Moment.BOTH), [("a", "b"), ("b", "b")]),
        (None, []),
    ],
)
def test_the_trail(bench: Bench, breakpoints: Breakpoints | None, expected: Sequence[tuple[str | None, str]]) -> None:
    """Trail for start-a-b-c, pre/all: start, a, b, c; both/marked(b): b, b; marks are ignored without breakpoints."""
    bench.start(chained(*CHAIN), breakpoints)
    assert bench.trail() == expected
    assert bench.get(f"{BASE}/{bench.run_id}")["status"] == "completed"


def test_skipping_at_pre_of_both(bench: Bench) -> None:
    """One pause only, and the node never runs."""
    bench.start(chained(*CHAIN), Breakpoints(marked=True, moment=Moment.BOTH))
    assert bench.trail("skip") == [("a", "b")]
    assert bench.get(f"{BASE}/{bench.run_id}")["status"] == "completed"
    assert bench.get(f"/status?run_id={bench.run_id}")["steps"]["b"]["state"] == "skipped"


def test_a_skip_after_a_node_eats_no_later_one(bench: Bench) -> None:
    """both/all, skip at start's post, continue at a: a runs."""
    bench.start(chained(*CHAIN), Breakpoints(steps=None, moment=Moment.BOTH))
    trail = bench.trail("continue", "skip")
    assert [paused for _, paused in trail] == ["start", "start", "a", "a", "b", "b", "c", "c"]
    assert bench.get(f"/status?run_id={bench.run_id}")["steps"]["a"]["state"] == "succeeded"


def test_no_breakpoints_for_the_rest(bench: Bench) -> None:
    bench.start(chained(*CHAIN), Breakpoints(steps=None))
    assert bench.trail("continue", "continueWithoutBreakpoint") == [(None, "start"), ("start", "a")]


def test_stop_at_a_pause(bench: Bench) -> None:
    bench.start(chained(*CHAIN), Breakpoints(steps=None))
    assert bench.trail("continue", "stop") == [(None, "start"), ("start", "a")]
    assert bench.get(f"{BASE}/{bench.run_id}")["status"] == "stopped"


def test_a_wait_that_pauses(bench: Bench) -> None:
    """Pauses when reached (currentNodeId = pausedNodeId = the wait), then waits its value."""
    wait = node("wait-1", "wait", waitType="timeout", value=1, pause=True)
    bench.start(chained(start(), wait, value("c")))
    status = bench.pause(0)
    assert status == {
        "executionId": f"exec-{bench.run_id}",
        "status": "running",
        "currentNodeId": "wait-1",
        "pausedNodeId": "wait-1",
        "pauseReason": "wait-pause",
    }
    bench.post("continue")
    assert bench.pause(1) is None
    assert bench.get(f"{BASE}/{bench.run_id}")["status"] == "completed"


def test_a_bypassed_node_never_pauses(bench: Bench) -> None:
    bypassed = value("a", bypass=True, breakpoint=True)
    bench.start(chained(start(), bypassed, value("c")), Breakpoints(steps=None))
    assert [paused for _, paused in bench.trail()] == ["start", "c"]
    told = [
        event.payload
        for emission in LiveFeed(bench.log, 0).take()
        for event in emission.events
        if event.name == "execution-event" and event.payload.get("nodeId") == "a"
    ]
    assert [(payload["type"], payload.get("message")) for payload in told] == [
        ("node_start", None),
        ("node_complete", "Node bypassed"),
    ]


def test_a_workflow_is_read_through_every_family(bench: Bench) -> None:
    bench.start(chained(*CHAIN))
    assert bench.trail() == []
    assert bench.get(f"/status?run_id={bench.run_id}")["completed_steps"] == 4
    found = bench.get(f"/api/v1/flow/status/{bench.run_id}")
    assert (found["ID"], list(found["NodeState"])) == (f"run_{bench.run_id}", ["start", "a", "b", "c"])
    assert bench.get(f"{BASE}/{bench.run_id}")["status"] == "completed"
