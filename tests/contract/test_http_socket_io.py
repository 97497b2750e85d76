"""Socket.IO over long polls, without a network: contract executions, section 7, "Wire"."""

import builtins
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.admission import KEPT_FREE
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.live import socket_io
from flowcore_adapters.http.live.socket_io_server import MAX_PAYLOAD
from flowcore_adapters.http.views.resource import GONE
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.driven_run import RUN, Driven, step
from tests.contract.wsgi_client import Answer, call

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATH: Final = "/socket.io/"
POLL: Final = f"{PATH}?EIO=4&transport=polling"
PLENTY_S: Final = 30.0
PAUSE: Final = threading.Event()


@pytest.fixture
def log() -> Iterator[SharedMemoryEventLog]:
    opened = SharedMemoryEventLog()
    yield opened
    opened.close()
    # Whoever tells what happens ends with the log.
    for thread in threading.enumerate():
        if thread.name == "flowcore-live":
            thread.join(PLENTY_S)


class Client:
    """A client that polls."""

    def __init__(self, application: "WSGIApplication", **headers: str) -> None:
        self._application = application
        self.opened = call(application, POLL, headers=headers)
        self.greeting: dict[str, Any] = json.loads(self.opened.body[1:]) if self.opened.status == 200 else {}
        self.session: str = self.greeting.get("sid", "")

    def get(self, *, gone: bool = False) -> Answer:
        return call(self._application, f"{POLL}&sid={self.session}", environ={GONE: lambda: gone})

    def post(self, packets: str) -> Answer:
        headers = {"Content-Type": "text/plain;charset=UTF-8"}
        return call(
            self._application, f"{POLL}&sid={self.session}", method="POST", body=packets.encode(), headers=headers
        )

    def connect(self) -> "Client":
        """Join the default namespace."""
        assert self.post("40").body == b"OK"
        assert self.get().body.startswith(b'40{"sid":"')
        return self

    def events(self, count: int) -> list[tuple[str, Any]]:
        """Poll until so many events have come."""
        found: list[tuple[str, Any]] = []
        while len(found) < count:
            for packet in self.get().body.decode().split("\x1e"):
                assert packet.startswith("42"), packet
                name, payload = json.loads(packet[2:])
                found.append((name, payload))
        return found


def test_the_handshake(log: SharedMemoryEventLog) -> None:
    client = Client(create_app(log))
    assert client.opened.status == 200
    assert client.greeting == {
        "sid": client.session,
        # Empty: clients stay with polling, which is all that a server without sockets to hand out can do.
        "upgrades": [],
        "pingTimeout": 20000,
        "pingInterval": 25000,
        "maxPayload": 1000000,
    }


def test_every_client_is_told_everything(log: SharedMemoryEventLog) -> None:
    application = create_app(log)
    clients = [Client(application).connect() for _ in range(2)]
    run = Driven(log, step("a"))
    run.start()
    run.begin("a")
    run.succeed("a")
    for client in clients:
        found = client.events(10)
        assert [name for name, _ in found] == [
            "execution-update",
            "execution-event",
            "execution-update",
            "execution-event",
            "node-execution",
            "execution-update",
            "execution-event",
            "node-execution",
            "execution-event",
            "execution-update",
        ]
        assert found[0][1] == {"executionId": f"exec-{RUN}", "status": "idle"}
        assert found[-1][1] == {"executionId": f"exec-{RUN}", "status": "completed"}


def test_a_client_that_comes_later_is_told_what_comes_later(log: SharedMemoryEventLog) -> None:
    run = Driven(log, step("a"))
    run.start()
    application = create_app(log)
    first = Client(application).connect()
    run.begin("a")
    assert [name for name, _ in first.events(3)] == ["execution-event", "node-execution", "execution-update"]
    second = Client(application).connect()
    run.succeed("a")
    assert [name for name, _ in second.events(4)][:2] == ["execution-event", "node-execution"]


@pytest.mark.parametrize(
    ("target", "method", "refusal"),
    [
        (f"{POLL}&sid=unknown", "GET", {"code": 1, "message": "Session ID unknown"}),
        (f"{POLL}&sid=unknown", "POST", {"code": 1, "message": "Session ID unknown"}),
        (f"{PATH}?EIO=4&transport=pigeon", "GET", {"code": 0, "message": "Transport unknown"}),
        (f"{PATH}?EIO=4&transport=websocket", "GET", {"code": 0, "message": "Transport unknown"}),
        (f"{PATH}?EIO=4", "GET", {"code": 0, "message": "Transport unknown"}),
        (f"{PATH}?EIO=3&transport=polling", "GET", {"code": 5, "message": "Unsupported protocol version"}),
        (f"{PATH}?transport=polling", "GET", {"code": 5, "message": "Unsupported protocol version"}),
        (POLL, "POST", {"code": 2, "message": "Bad handshake method"}),
    ],
)
def test_the_errors_of_the_protocol(
    log: SharedMemoryEventLog, target: str, method: str, refusal: dict[str, object]
) -> None:
    answer = call(create_app(log), target, method=method)
    assert (answer.status, answer.document) == (400, refusal)
    assert answer.headers["content-type"] == "application/json"


class TestGuard:
    """Socket.IO is behind the guard like everything else."""

    def test_a_page_from_elsewhere(self, log: SharedMemoryEventLog) -> None:
        application = create_app(log)
        assert Client(application, Origin="https://evil.example").opened.status == 403
        assert Client(application, Host="evil.example").opened.status == 421
        assert Client(application, Origin="http://127.0.0.1:8000").opened.status == 200

    def test_an_allowed_origin(self, log: SharedMemoryEventLog) -> None:
        application = create_app(log, guard=GuardSettings(allow_origins=("https://ui.example",)))
        opened = Client(application, Origin="https://ui.example").opened
        assert (opened.status, opened.headers["access-control-allow-origin"]) == (200, "https://ui.example")

    def test_the_token(self, log: SharedMemoryEventLog) -> None:
        application = create_app(log, guard=GuardSettings(token="t" * 32))
        assert Client(application).opened.status == 401
        assert Client(application, Authorization=f"Bearer {'t' * 32}").opened.status == 200

    def test_packets_are_no_json_and_only_here(self, log: SharedMemoryEventLog) -> None:
        headers = {"Content-Type": "text/plain"}
        answer = call(create_app(log), "/api/workflows/execution/stop", method="POST", body=b"40", headers=headers)
        assert answer.status == 415

    def test_a_body_that_is_too_large(self, log: SharedMemoryEventLog) -> None:
        client = Client(create_app(log))
        assert client.post("4" * (MAX_PAYLOAD + 1)).status == 400

    def test_packets_that_are_none(self, log: SharedMemoryEventLog) -> None:
        """The session is over, and nobody waits until its client has understood."""
        client = Client(create_app(log)).connect()
        assert client.post("9").status == 400
        assert client.get().status == 400


class TestBounds:
    """Clients can keep neither all threads nor all memory."""

    def test_only_so_many_polls_wait(self, log: SharedMemoryEventLog) -> None:
        application = create_app(log, threads=KEPT_FREE)
        client = Client(application)
        assert client.post("40").status == 200
        answer = client.get()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")

    def test_only_so_many_clients(self, log: SharedMemoryEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket_io, "MAX_CLIENTS", 2)
        application = create_app(log)
        assert [Client(application).opened.status for _ in range(3)] == [200, 200, 503]

    def test_a_poll_ends_when_nobody_wants_it_any_more(self, log: SharedMemoryEventLog) -> None:
        """The client has gone, or the server stops."""
        client = Client(create_app(log)).connect()
        assert client.get(gone=True).body == b"1"
        assert client.get().status == 400

    def test_a_poll_ends_with_the_log(self, log: SharedMemoryEventLog) -> None:
        client = Client(create_app(log)).connect()
        timer = threading.Timer(0.05, log.close)
        timer.start()
        assert client.get().body == b"1"
        timer.join()

    def test_a_client_that_fetches_nothing_is_let_go(
        self, log: SharedMemoryEventLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket_io, "MAX_BACKLOG", 3)
        application = create_app(log)
        lazy = Client(application).connect()
        busy = Client(application).connect()
        run = Driven(log, step("a"))
        run.start()
        run.begin("a")
        run.succeed("a")
        busy.events(10)
        # An answer to a ping, until the session is not known any more.
        while lazy.post("3").status == 200:
            PAUSE.wait(0.02)
        assert busy.post("3").status == 200

    def test_the_last_client_takes_the_thread_along(self, log: SharedMemoryEventLog) -> None:
        client = Client(create_app(log)).connect()
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "flowcore-live"]
        assert client.post("1").status == 200
        thread.join(PLENTY_S)
        assert not thread.is_alive()


def test_without_the_packages_it_says_what_is_missing(
    log: SharedMemoryEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - any import
        if name == "socket_io_server":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    answer = call(create_app(log), POLL)
    assert (answer.status, answer.document) == (
        501,
        {"error": "Socket.IO needs more packages: pip install 'flowcore[server]'"},
    )
