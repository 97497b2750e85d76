"""Real servers on loopback: ours in a thread, and the application under gunicorn and waitress-serve."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from flowcore.errors import FlowDocumentError
from flowcore.ids import StepName
from flowcore.model import Flow, Source, Step
from flowcore.run.commands import StartRun
from flowcore.service import RunSession, commit, create_run
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from flowcore_adapters import LocalRunner, serve_runner_api_in_thread
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.server import ServerError, ServerHandle, serve_in_thread
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.e2e.installed_command import Command
from tests.watched_log import WatchedLog

pytestmark = pytest.mark.e2e

RUN: Final = 1733524800000
T0: Final = Instant(1733524800.0)
PLENTY_S: Final = 30.0
TOKEN: Final = "t" * 32
DOCUMENT: Final[dict[str, Any]] = {
    "run_id": RUN,
    "started_at": None,
    "ended_at": None,
    "total_steps": 1,
    "completed_steps": 0,
    "current_step": None,
    "running_steps": [],
    "running_count": 0,
    "steps": {"a": {"state": "pending", "started_at": None, "ended_at": None, "notes": [], "outputs": []}},
}


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:  # noqa: ANN401 - a document
        return json.loads(self.body)


def ask(connection: http.client.HTTPConnection, target: str, *, method: str = "GET", **headers: str) -> Answer:
    connection.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def get(port: int, target: str = "/status", *, host: str = "127.0.0.1", method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(host, port, timeout=PLENTY_S)
    try:
        return ask(connection, target, method=method, **headers)
    finally:
        connection.close()


def raw(port: int, text: str) -> bytes:
    """Send *text* as it is and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), PLENTY_S) as connection:
        connection.sendall(text.encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_what_is_no_request_is_refused_in_json() -> None:
    with serve_in_thread(create_app(MemoryEventLog())) as server:
        for text in ("BREW\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            head, _, body = raw(server.port, text).partition(b"\r\n\r\n")
            assert head.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
            assert b"Content-Type: application/json" in head
            assert list(json.loads(body)) == ["error"]
            assert json.loads(body)["error"].startswith("Bad Request: ")


def flow(*names: str) -> Flow:
    steps = tuple(Step(name=StepName(name), source="source") for name in names)
    return Flow(sources={"source": Source(type="value")}, steps=steps)


@pytest.fixture
def log() -> Iterator[SharedMemoryEventLog]:
    opened = SharedMemoryEventLog()
    create_run(opened, flow("a"), at=T0)
    yield opened
    opened.close()


@pytest.fixture
def watched() -> Iterator[WatchedLog]:
    opened = WatchedLog()
    create_run(opened, flow("a"), at=T0)
    yield opened
    opened.close()


def start(log: SharedMemoryEventLog) -> None:
    """Let the run go on."""
    session = RunSession(log, log.runs()[0])
    session.execute(StartRun(at=T0))
    commit(log, [session])


@pytest.fixture
def server(log: SharedMemoryEventLog) -> Iterator[ServerHandle]:
    with serve_in_thread(create_app(log)) as handle:
        yield handle


class TestOurServer:
    """The API is thread-safe and can handle concurrent requests."""

    def test_every_documented_address(self, server: ServerHandle) -> None:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert get(server.port).document == DOCUMENT
        assert get(server.port, host="localhost").document == DOCUMENT
        assert get(server.port, "/outputs", host="localhost").document == {}
        assert get(server.port, "/healthz").document == {"status": "ok"}

    def test_a_connection_is_kept_whatever_is_answered(self, server: ServerHandle) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PLENTY_S)
        etag = ask(connection, "/status").headers["ETag"]
        opened = connection.sock
        assert opened is not None
        cases: list[tuple[int, str, str, dict[str, str]]] = [
            (304, "GET", "/status", {"If_None_Match": etag or ""}),
            (304, "HEAD", "/status", {"If_None_Match": etag or ""}),
            (200, "HEAD", "/status", {}),
            (421, "HEAD", "/status", {"Host": "evil.example.com"}),
            (421, "GET", "/status", {"Host": "evil.example.com"}),
            (404, "GET", "/nothing", {}),
            (404, "HEAD", "/nothing", {}),
            (405, "POST", "/status", {}),
            (400, "GET", "/status?at=x", {}),
            (200, "GET", "/status", {}),
        ]
        for expected, method, target, headers in cases:
            assert ask(connection, target, method=method, **headers).status == expected
            assert connection.sock is opened
        connection.close()

    def test_a_304_closes_the_connection_when_it_is_asked_to(self, server: ServerHandle) -> None:
        request = 'GET /status HTTP/1.{}\r\nHost: localhost\r\nIf-None-Match: "1"\r\nConnection: {}\r\n\r\n'
        assert raw(server.port, request.format(1, "close")).startswith(b"HTTP/1.1 304 ")
        assert raw(server.port, request.format(0, "close")).startswith(b"HTTP/1.0 304 ")

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("GET /status HTTP/1.0", 421),
            ("GET /status HTTP/1.1", 421),
            ("GET /status HTTP/1.1\r\nHost: localhost\r\nHost: localhost", 421),
            ("GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com", 421),
            ("GET http://evil.example.com/status HTTP/1.1\r\nHost: evil.example.com", 421),
            ("GET /status HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 70_000, 431),
            ("POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999", 413),
            ("POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485761\r\nExpect: 100-continue", 100),
            ("BREW /status HTTP/1.1\r\nHost: localhost", 405),
        ],
    )
    def test_odd_requests(self, server: ServerHandle, lines: str, expected: int) -> None:
        with socket.create_connection(("127.0.0.1", server.port), PLENTY_S) as connection:
            connection.sendall(f"{lines}\r\nConnection: close\r\n\r\n".encode("latin-1"))
            assert int(connection.recv(65_536).split()[1]) == expected

    def test_a_chunked_body_that_is_too_large(self, log: SharedMemoryEventLog) -> None:
        with serve_in_thread(create_app(log, guard=GuardSettings(max_body=10))) as server:
            head = "POST /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            answer = raw(server.port, f"{head}Content-Type: application/json\r\n\r\nb\r\n[1,2,3,4,5]\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")

    def test_half_open_requests_stop_nobody(self, server: ServerHandle) -> None:
        half = [socket.create_connection(("127.0.0.1", server.port), PLENTY_S) for _ in range(200)]
        for connection in half:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: loc")
        assert get(server.port).status == 200
        for connection in half:
            connection.close()

    def test_an_append_ends_a_wait(self, server: ServerHandle, log: SharedMemoryEventLog) -> None:
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(get, server.port, "/status?after=1&wait=60") for _ in range(8)]
            start(log)
            answers = [each.result(PLENTY_S) for each in waiting]
        assert {(answer.status, answer.headers["ETag"]) for answer in answers} == {(200, '"2"')}

    def test_who_hangs_up_leaves_a_place_to_others(self, watched: WatchedLog) -> None:
        with serve_in_thread(create_app(watched, threads=5)) as server:
            with socket.create_connection(("127.0.0.1", server.port), PLENTY_S) as connection:
                connection.sendall(b"GET /status?after=1&wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert watched.waited_for.acquire(timeout=PLENTY_S)
                assert get(server.port, "/status?after=1&wait=0.001").status == 503
            until(lambda: get(server.port, "/status?after=1&wait=0.001").status == 304)

    def test_ipv6(self, log: SharedMemoryEventLog) -> None:
        if not socket.has_ipv6:
            pytest.skip("no IPv6 here")
        try:
            server = serve_in_thread(create_app(log), "::1")
        except ServerError:
            pytest.skip("no IPv6 here")
        with server:
            assert server.url == f"http://[::1]:{server.port}"
            assert get(server.port, host="::1").status == 200

    def test_a_token(self, log: SharedMemoryEventLog) -> None:
        guard = GuardSettings(host="0.0.0.0", token=TOKEN)
        with serve_in_thread(create_app(log, guard=guard), "0.0.0.0", token=TOKEN) as server:
            assert get(server.port).status == 401
            assert get(server.port, Authorization=f"Bearer {TOKEN}").status == 200
            assert get(server.port, "/healthz").status == 200


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PLENTY_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestStartingAndStopping:
    """A refused flow never starts a server; what is served can be joined and stopped."""

    def test_a_port_in_use(self, server: ServerHandle, log: SharedMemoryEventLog) -> None:
        with pytest.raises(ServerError, match=f"port {server.port} on 127.0.0.1 is in use"):
            serve_in_thread(create_app(log), port=server.port)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
    @pytest.mark.parametrize("token", [None, "short", "t" * 31])
    def test_others_need_a_token(self, log: SharedMemoryEventLog, host: str, token: str | None) -> None:
        with pytest.raises(ServerError):
            serve_in_thread(create_app(log), host, token=token)

    @pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.7", "x" * 300, "local\0host"])
    def test_no_host_of_ours(self, log: SharedMemoryEventLog, host: str) -> None:
        with pytest.raises(ServerError):
            serve_in_thread(create_app(log), host, token=TOKEN)

    @pytest.mark.parametrize("port", [-1, 65_536])
    def test_no_port(self, log: SharedMemoryEventLog, port: int) -> None:
        with pytest.raises(ServerError):
            serve_in_thread(create_app(log), port=port)

    def test_open_to_everybody_on_purpose(self, log: SharedMemoryEventLog) -> None:
        with serve_in_thread(create_app(log), "0.0.0.0", insecure=True) as server:
            assert get(server.port).status == 200

    def test_stopping(self, log: SharedMemoryEventLog) -> None:
        server = serve_in_thread(create_app(log))
        assert server.is_alive()
        server.join(0.01)
        assert server.is_alive()
        for _ in range(3):
            server.stop()
            assert not server.is_alive()
        server.join()
        with serve_in_thread(create_app(log), port=server.port) as again:
            assert get(again.port).status == 200

    def test_nobody_waits_on_when_the_server_stops(self, watched: WatchedLog) -> None:
        server = serve_in_thread(create_app(watched))
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(get, server.port, "/status?after=1&wait=60")
            assert watched.waited_for.acquire(timeout=PLENTY_S)
            started = time.monotonic()
            server.stop()
            assert waiting.result(PLENTY_S).status == 304
        assert time.monotonic() - started < PLENTY_S / 10
        assert not server.is_alive()

    def test_an_answer_on_its_way_arrives(self) -> None:
        log = SharedMemoryEventLog()
        create_run(log, flow(*(f"step-{number}" for number in range(20_000))), at=T0)
        server = serve_in_thread(create_app(log))
        with socket.create_connection(("127.0.0.1", server.port), PLENTY_S) as connection:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = connection.recv(1000)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            answer += b"".join(iter(lambda: connection.recv(65_536), b""))
            stopping.join()
        headers, _, body = answer.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in headers.lower()
        assert json.loads(body)["total_steps"] == 20_000


class TestTheRunnersServer:
    """While the flow runs, you can poll /status for progress and fetch outputs from /outputs."""

    def test_before_and_after(self) -> None:
        source = {"type": "value", "configuration": {"value": 7}}
        runner = LocalRunner({"flow": [{"name": "a", "source": source, "output": [{"name": "v"}]}]})
        with serve_runner_api_in_thread(runner, port=0) as server:
            before = get(server.port, host="localhost").document
            assert (before["run_id"], before["started_at"]) == (runner.run_id, None)
            runner.run()
            after = get(server.port).document
            assert (after["run_id"], after["completed_steps"]) == (runner.run_id, 1)
            assert get(server.port, "/outputs").document == {"a": {"v": 7}}

    def test_a_refused_flow(self) -> None:
        with pytest.raises(FlowDocumentError):
            serve_runner_api_in_thread(LocalRunner({"flow": [{"name": "a", "source": "valu"}]}))
        assert not [each.name for each in threading.enumerate() if each.name.startswith("flowcore-http")]

    def test_others_need_a_token(self) -> None:
        with pytest.raises(ServerError):
            serve_runner_api_in_thread(LocalRunner({"flow": []}), "0.0.0.0")


# A worker that gunicorn starts in the very moment in which it is ended does not hear of it, and is waited for.
GUNICORN: Final = ("gunicorn", "--bind", "127.0.0.1:0", "--graceful-timeout", "3")
WAITRESS: Final = ("waitress-serve", "--listen", "127.0.0.1:0")
MODULE: Final = "flowcore_adapters.http.wsgi"
SERVERS: Final = [
    pytest.param((*GUNICORN, f"{MODULE}:app"), id="gunicorn"),
    pytest.param((*GUNICORN, "--preload", "--workers", "2", f"{MODULE}:app"), id="gunicorn-preload"),
    pytest.param((*GUNICORN, "--threads", "8", f"{MODULE}:get_app()"), id="gunicorn-factory"),
    pytest.param((*WAITRESS, f"{MODULE}:app"), id="waitress"),
    pytest.param((*WAITRESS, "--call", f"{MODULE}:get_app"), id="waitress-factory"),
]
Serve = Callable[..., int]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return what starts a server and gives its port."""
    processes: list[subprocess.Popen[str]] = []

    def begin(command: tuple[str, ...], **env: str) -> int:
        process = subprocess.Popen(
            [Path(sys.executable).with_name(command[0]), *command[1:]],
            cwd=tmp_path,
            env=Command(tmp_path).environment({"FLOWCORE_DB": str(tmp_path / "flowcore.db"), **env}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        processes.append(process)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found is not None:
                return int(found.group(1))
        raise AssertionError("".join(said))

    yield begin
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=PLENTY_S)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[SqliteEventLog]:
    """Return the log that the servers read, with one run in it."""
    log = SqliteEventLog(tmp_path / "flowcore.db")
    create_run(log, flow("a"), at=T0)
    yield log
    log.close()


@pytest.mark.parametrize("command", SERVERS)
class TestOtherServers:
    """`gunicorn flowcore_adapters.http.wsgi:app` and waitress serve the same thing."""

    def test_the_same_thing(self, serve: Serve, recorded: SqliteEventLog, command: tuple[str, ...]) -> None:
        port = serve(command)
        answer = get(port)
        assert (answer.status, answer.document) == (200, DOCUMENT)
        assert get(port, host="localhost").document == DOCUMENT
        assert get(port, "/outputs").document == {}
        assert get(port, "/healthz").document == {"status": "ok"}
        assert get(port, If_None_Match=answer.headers["ETag"]).status == 304
        assert get(port, method="POST").status == 405
        assert get(port, method="BREW").status == 405
        assert get(port, "/nothing").document == {"error": "there is nothing at /nothing"}
        assert get(port, Host="evil.example.com").status == 421
        assert get(port, Host=f"localhost:{port + 1}").status == 421
        assert get(port, Origin="http://evil.example.com").status == 403
        head = get(port, method="HEAD")
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(answer.body)))
        # What another process appends is seen.
        create_run(recorded, flow("b"), at=T0)
        assert get(port).document["run_id"] == RUN + 1

    def test_a_token(self, serve: Serve, recorded: SqliteEventLog, command: tuple[str, ...]) -> None:
        assert recorded.runs()
        port = serve(command, FLOWCORE_TOKEN=TOKEN, FLOWCORE_ALLOW_HOSTS="flows.example.com")
        assert get(port).status == 401
        assert get(port, "/healthz").status == 200
        assert get(port, Authorization=f"Bearer {TOKEN}", Host="flows.example.com").document == DOCUMENT


@pytest.mark.parametrize(
    "command",
    [(*GUNICORN, "--threads", "16", f"{MODULE}:app"), (*WAITRESS, "--threads", "16", f"{MODULE}:app")],
    ids=["gunicorn", "waitress"],
)
def test_an_append_of_another_process_ends_a_wait(
    serve: Serve, recorded: SqliteEventLog, command: tuple[str, ...]
) -> None:
    port = serve(command, FLOWCORE_THREADS="16")
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(get, port, "/status?after=1&wait=60") for _ in range(4)]
        create_run(recorded, flow("b"), at=T0)
        assert {each.result(PLENTY_S).headers["ETag"] for each in waiting} == {'"2"'}
