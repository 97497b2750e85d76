"""The live events over a real network: the stock client of Socket.IO with the document's snippet, and plain SSE."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

CLIENT: Final = Path(__file__).with_name("socket_io")
FLOW: Final = """
name: etl
flow:
  - {name: fetch, source: {type: value, configuration: {value: 1}}}
  - {name: store, source: value, input: 2, depends_on: fetch}
"""
SLOW: Final = "flow: [{name: sleep, source: {type: process, configuration: {command: [sleep, 60]}}}]"
PLENTY_S: Final = 30.0
NODE: Final = pytest.mark.skipif(
    "FLOWCORE_TEST_NODE" not in os.environ and not (CLIENT / "node_modules").exists(),
    reason="needs node, and `npm install --no-package-lock` in tests/e2e/socket_io",
)


class Lines:
    """A program that prints lines, and what it has printed so far."""

    def __init__(self, process: "subprocess.Popen[str]", stream: Any) -> None:  # noqa: ANN401 - a text stream
        self.process = process
        self._stream = stream
        self.lines: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        """Read until a line matches."""
        for line in self._stream:
            self.lines.append(line.rstrip("\n"))
            found = re.search(pattern, line)
            if found is not None:
                return found
        raise AssertionError(f"no line matched {pattern!r}: {self.lines}")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        # With all its children: a worker that is left behind keeps the pipes open.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def serve(command: Command, processes: list["subprocess.Popen[str]"]) -> Callable[[], str]:
    """Return what starts `flowcore-cli serve` and gives its address."""

    def begin() -> str:
        process = command.start("serve", "--port", "0")
        processes.append(process)
        return Lines(process, process.stderr).until(r"http://\S+:\d+").group()

    return begin


@pytest.fixture
def gunicorn(command: Command, processes: list["subprocess.Popen[str]"], tmp_path: Path) -> Callable[[], str]:
    """Return what starts gunicorn with threads and gives its address."""

    def begin() -> str:
        program = str(Path(sys.executable).with_name("gunicorn"))
        process = subprocess.Popen(
            [program, "--bind", "127.0.0.1:0", "--threads", "16", "flowcore_adapters.http.wsgi:app"],
            cwd=tmp_path,
            # The user's own log, as for the command: both look at the same.
            env=command.environment({"FLOWCORE_THREADS": "16", "HOME": str(tmp_path)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        processes.append(process)
        return Lines(process, process.stderr).until(r"http://127\.0\.0\.1:\d+").group()

    return begin


@pytest.fixture
def listen(processes: list["subprocess.Popen[str]"]) -> Callable[..., Lines]:
    """Return what starts the client and waits until it is connected."""

    def begin(url: str, *transport: str) -> Lines:
        process = subprocess.Popen(
            ["node", "listen.js", url, *transport],
            cwd=CLIENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        processes.append(process)
        lines = Lines(process, process.stdout)
        lines.until("^Transport: ")
        return lines

    return begin


def expected(run: str, steps: Sequence[str]) -> list[str]:
    """Return what the document's snippet prints about a run of *steps* that goes well."""

    def update(status: str, node: str = "undefined") -> list[str]:
        return [f"Execution: {run}", f"Status: {status}", f"Current Node: {node}"]

    def node(name: str, status: str) -> list[str]:
        return [f"Node: {name}", "Type: value", f"Status: {status}"]

    printed = [*update("idle"), *update("running")]
    for name in steps:
        printed += [*node(name, "running"), *update("running", name), *node(name, "completed")]
    return printed + update("completed")


def run_elsewhere(command: Command) -> str:
    """Run the flow in a process of its own, which is not the server's, and return the id of the run."""
    ended = command("run", command.write("flow.yaml", FLOW))
    assert ended.code == 0
    found = re.search(r"flowcore-cli show (\d+)", ended.err)
    assert found is not None
    return f"exec-{found.group(1)}"


@NODE
class TestSocketIo:
    """Use Socket.IO to receive real-time execution updates."""

    def check(self, command: Command, client: Lines) -> None:
        before = len(client.lines)
        run = run_elsewhere(command)
        while client.lines[-3:] != [f"Execution: {run}", "Status: completed", "Current Node: undefined"]:
            client.until("")
        printed = [line for line in client.lines[before:] if not line.startswith(("Transport", "Upgraded"))]
        assert printed == expected(run, ["fetch", "store"])

    def test_the_snippet_under_serve(
        self, command: Command, serve: Callable[[], str], listen: Callable[..., Lines]
    ) -> None:
        client = listen(serve())
        assert client.lines[-1] == "Transport: polling"
        self.check(command, client)
        before = len(client.lines)
        ended = command("batch", command.write("one.yaml", FLOW), command.write("two.yaml", FLOW), "--workers", "1")
        assert ended.code == 0
        client.until("^Progress: 2/2$")
        printed = client.lines[before:]
        progress = [printed[number : number + 2] for number, line in enumerate(printed) if line.startswith("Batch: ")]
        (name,) = {batch.removeprefix("Batch: ") for batch, _ in progress}
        assert re.fullmatch(r"batch-\d+", name)
        # One update for each change of a count: accepted, and each item started and ended.
        assert [said for _, said in progress] == [
            "Progress: 0/2",
            "Progress: 0/2",
            "Progress: 1/2",
            "Progress: 1/2",
            "Progress: 2/2",
        ]
        assert f"Execution: exec-{name.removeprefix('batch-')}-2" in printed

    def test_the_snippet_under_gunicorn(
        self, command: Command, gunicorn: Callable[[], str], listen: Callable[..., Lines]
    ) -> None:
        """It begins with polling and changes to a WebSocket."""
        client = listen(gunicorn())
        if "Upgraded: websocket" not in client.lines:
            client.until("^Upgraded: websocket")
        self.check(command, client)

    def test_a_websocket_from_the_beginning(
        self, command: Command, gunicorn: Callable[[], str], listen: Callable[..., Lines]
    ) -> None:
        client = listen(gunicorn(), "websocket")
        assert client.lines[-1] == "Transport: websocket"
        self.check(command, client)

    def test_the_server_stops_within_a_moment(
        self,
        serve: Callable[[], str],
        listen: Callable[..., Lines],
        processes: list["subprocess.Popen[str]"],
    ) -> None:
        client = listen(serve())
        server = processes[0]
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(PLENTY_S) == 143
        assert time.monotonic() - began < 3
        client.until("^Disconnected")


class Stream:
    """Reads `/api/events` as a client would."""

    def __init__(self, url: str, target: str, **headers: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PLENTY_S)
        self.connection.request("GET", target, headers={name.replace("_", "-"): text for name, text in headers.items()})
        self.response = self.connection.getresponse()

    def event(self) -> dict[str, str]:
        """Return the next event."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                return fields
            if not line:
                # What came before the first event: how soon to come back.
                fields = {}
            if ": " in line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value

    def until(self, status: str) -> list[dict[str, str]]:
        """Return the events up to the one that says that a run has come to *status*."""
        found: list[dict[str, str]] = []
        while True:
            found.append(self.event())
            if found[-1]["event"] == "execution-update" and json.loads(found[-1]["data"])["status"] == status:
                return found

    def close(self) -> None:
        with suppress(OSError):
            self.response.close()
            self.connection.close()


@pytest.fixture(params=["serve", "gunicorn"])
def url(request: pytest.FixtureRequest) -> str:
    start: Callable[[], str] = request.getfixturevalue(request.param)
    return start()


class TestServerSentEvents:
    """A client that reconnects misses none."""

    def test_events_of_another_process_and_a_lost_connection(self, command: Command, url: str) -> None:
        run = run_elsewhere(command)
        stream = Stream(url, "/api/events?after=0")
        assert stream.response.getheader("Content-Type") == "text/event-stream"
        whole = stream.until("completed")
        stream.close()
        assert {json.loads(event["data"])["executionId"] for event in whole} == {run}
        again = Stream(url, "/api/events", Last_Event_ID=whole[4]["id"])
        assert again.until("completed") == whole[5:]
        # What comes later comes over the open connection.
        later = run_elsewhere(command)
        assert json.loads(again.event()["data"])["executionId"] == later
        again.close()

    def test_the_server_stops_within_a_moment(
        self, command: Command, serve: Callable[[], str], processes: list["subprocess.Popen[str]"]
    ) -> None:
        url = serve()
        run_elsewhere(command)
        stream = Stream(url, "/api/events?after=0")
        stream.until("completed")
        began = time.monotonic()
        processes[0].send_signal(signal.SIGTERM)
        assert processes[0].wait(PLENTY_S) == 143
        assert time.monotonic() - began < 3
        with suppress(ConnectionError, http.client.HTTPException):
            assert stream.response.read() == b""
        stream.close()

    def test_status_is_answered_when_all_places_are_taken(self, serve: Callable[[], str]) -> None:
        """Long-lived requests are admitted up to threads - 4, else 503 with Retry-After."""
        url = serve()
        streams = [Stream(url, "/api/events") for _ in range(12)]
        try:
            refused = Stream(url, "/api/events")
            assert (refused.response.status, refused.response.getheader("Retry-After")) == (503, "1")
            refused.close()
            status = Stream(url, "/status")
            assert status.response.status == 200
            status.close()
        finally:
            for stream in streams:
                stream.close()


def test_a_flow_is_steered_through_the_family(
    command: Command, serve: Callable[[], str], processes: list["subprocess.Popen[str]"]
) -> None:
    """A run started by `flowcore-cli run` can be read, paused, continued and stopped through the executions family."""
    url = serve()
    process = command.start("run", command.write("slow.yaml", SLOW))
    processes.append(process)

    def ask(method: str, path: str) -> Any:  # noqa: ANN401 - a document
        host, _, port = url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PLENTY_S)
        connection.request(method, f"/api/workflows/execution{path}")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    deadline = time.monotonic() + PLENTY_S
    while ask("GET", "/status").get("currentNodeId") != "sleep":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run = ask("GET", "/status")["executionId"]
    assert ask("GET", "s/active") == {
        "totalActive": 1,
        "executions": [{"executionId": run, "status": "running", "currentNodeId": "sleep"}],
    }
    assert ask("POST", "/pause") == {"success": True, "message": "Execution paused"}
    assert ask("GET", "/status")["pauseReason"] == "breakpoint"
    assert ask("POST", "/continue") == {"success": True, "message": "Execution continued"}
    assert ask("POST", "/stop") == {
        "success": True,
        "message": "Execution stopped",
        "executionId": run,
        "wasRunning": True,
        "wasQueued": False,
    }
    assert ask("GET", "/status") == {
        "executionId": run,
        "status": "stopped",
        "currentNodeId": "sleep",
        "pausedNodeId": None,
        "pauseReason": None,
    }
    assert process.wait(PLENTY_S) == 1
