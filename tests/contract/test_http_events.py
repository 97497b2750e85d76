"""`GET /api/events`: the live events as Server-Sent Events, none missed and none told twice."""

import itertools
import json
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from flowcore.ids import RunId
from flowcore.run.commands import PauseRun
from flowcore.service import request
from flowcore.values import Instant
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.admission import KEPT_FREE
from flowcore_adapters.http.live import event_stream
from flowcore_adapters.http.live.feed import LiveFeed
from flowcore_adapters.http.views.resource import GONE
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.contract.driven_run import RUN, T0, Driven, step
from tests.contract.wsgi_client import call

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATH: Final = "/api/events"


class Listener:
    """Reads the stream until it has what it wants; then the connection is gone."""

    def __init__(self, application: "WSGIApplication", target: str = PATH, **headers: str) -> None:
        """Ask *application* for *target*."""
        self._looks = itertools.count()
        self.answer = call(
            application,
            target,
            headers={name.replace("_", "-"): text for name, text in headers.items()},
            environ={GONE: self._gone},
        )

    def _gone(self) -> bool:
        # Looked at before every read: once for what is there, once more for what came in the meantime.
        return next(self._looks) >= 2

    @property
    def events(self) -> list[tuple[str, str, Any]]:
        """The id, the name and the data of each event."""
        found: list[tuple[str, str, Any]] = []
        for block in self.answer.body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
        return found

    @property
    def told(self) -> list[str]:
        """The ids."""
        return [id_ for id_, _, _ in self.events]


def ran(log: SharedMemoryEventLog, name: str = "a") -> Driven:
    """Return a run that is over: positions 1 to 5 in an empty log."""
    run = Driven(log, step(name))
    run.start()
    run.begin(name)
    run.succeed(name)
    return run


def test_what_happens_in_the_order_of_the_log(log: SharedMemoryEventLog) -> None:
    ran(log)
    listener = Listener(create_app(log), f"{PATH}?after=0")
    assert listener.answer.status == 200
    assert listener.answer.headers["content-type"] == "text/event-stream"
    assert listener.answer.headers["cache-control"] == "no-cache, no-transform"
    assert listener.answer.body.startswith(b"retry: 1000\n\n")
    assert [(id_, name) for id_, name, _ in listener.events] == [
        ("1", "execution-update"),
        ("2.1", "execution-event"),
        ("2", "execution-update"),
        ("3.1", "execution-event"),
        ("3.2", "node-execution"),
        ("3", "execution-update"),
        ("4.1", "execution-event"),
        ("4", "node-execution"),
        ("5.1", "execution-event"),
        ("5", "execution-update"),
    ]
    assert listener.events[-1][2] == {"executionId": f"exec-{RUN}", "status": "completed"}
    assert listener.events[4][2] == {
        "nodeId": "a",
        "nodeType": "value",
        "status": "running",
        "executionId": f"exec-{RUN}",
    }


def test_without_a_position_it_begins_now(log: SharedMemoryEventLog) -> None:
    ran(log)
    assert Listener(create_app(log)).events == []


def test_a_client_that_comes_back_misses_nothing_and_gets_nothing_twice(log: SharedMemoryEventLog) -> None:
    ran(log)
    application = create_app(log)
    whole = Listener(application, f"{PATH}?after=0").events
    for number, (id_, _, _) in enumerate(whole, 1):
        # What it has seen counts more than where it once began.
        assert Listener(application, f"{PATH}?after=0", Last_Event_ID=id_).events == whole[number:]


def test_from_the_midst_of_a_run(log: SharedMemoryEventLog) -> None:
    run = Driven(log, step("a"), step("b", needs=("a",)))
    run.start()
    run.begin("a")
    after = run.succeed("a")
    run.begin("b")
    (name, payload) = Listener(create_app(log), f"{PATH}?after={after}").events[-1][1:]
    assert (name, payload) == (
        "execution-update",
        {"executionId": f"exec-{RUN}", "status": "running", "currentNodeId": "b"},
    )


def test_one_run_alone(log: SharedMemoryEventLog) -> None:
    ran(log)
    ran(log, "b")
    for spelling in (str(RUN + 1), f"exec-{RUN + 1}", f"run_{RUN + 1}"):
        found = Listener(create_app(log), f"{PATH}?after=0&run_id={spelling}")
        assert {payload["executionId"] for _, _, payload in found.events} == {f"exec-{RUN + 1}"}
        assert found.told[0] == "6"


def test_a_run_that_there_is_not_is_not_waited_for(log: SharedMemoryEventLog) -> None:
    ran(log)
    application = create_app(log, threads=KEPT_FREE + 1)
    for _ in range(3):
        answer = call(application, f"{PATH}?run_id=exec-1")
        assert (answer.status, answer.document) == (404, {"error": "there is no run 1"})
    # None of them has kept a place.
    assert Listener(application).answer.status == 200


def test_what_comes_while_it_listens(log: SharedMemoryEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Driven(log, step("a"))
    wait = log.wait
    starts = [run.start]

    def listened(position: int, timeout_s: float) -> int:
        # From here on it has seen everything that there was.
        while starts:
            threading.Timer(0.02, starts.pop()).start()
        return wait(position, timeout_s)

    monkeypatch.setattr(log, "wait", listened)
    assert [name for _, name, _ in Listener(create_app(log)).events] == ["execution-event", "execution-update"]


def test_deleted_runs_are_no_events(log: SharedMemoryEventLog) -> None:
    run = ran(log)
    ran(log, "b")
    log.delete_runs(run.run_id, now=Instant(T0))
    assert Listener(create_app(log), f"{PATH}?after=0").told[0] == "6"
    feed = LiveFeed(log, 0)
    while feed.take():
        pass
    # A deletion has a position too: whoever waits for the next one must not be woken by it for ever.
    assert feed.position == log.position() == 11


def test_a_silent_stream_says_that_it_is_there(log: SharedMemoryEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.0)
    monkeypatch.setattr(event_stream, "_LOOK_S", 0.001)
    assert Listener(create_app(log)).answer.body == b"retry: 1000\n\n" + b": still here\n\n" * 2


def test_a_log_that_is_closed_ends_it(log: SharedMemoryEventLog) -> None:
    application = create_app(log)
    timer = threading.Timer(0.05, log.close)
    timer.start()
    # No server that tells whether somebody listens: it would go on for ever.
    assert call(application, PATH).body == b"retry: 1000\n\n"
    timer.join()


@pytest.mark.parametrize(
    ("target", "headers", "message"),
    [
        (PATH, {"Last-Event-ID": "x"}, "'Last-Event-ID' must be the id of an event, such as 2003 or 2003.1"),
        (PATH, {"Last-Event-ID": "1.2.3"}, "'Last-Event-ID' must be the id of an event, such as 2003 or 2003.1"),
        (f"{PATH}?after=x", {}, "'after' must be a log position: a whole number, as an ETag shows it"),
    ],
)
def test_what_is_no_position(log: SharedMemoryEventLog, target: str, headers: dict[str, str], message: str) -> None:
    answer = call(create_app(log), target, headers=headers)
    assert (answer.status, answer.document) == (400, {"error": message})


def test_only_so_many_may_listen_and_each_gives_its_place_back(log: SharedMemoryEventLog) -> None:
    application = create_app(log, threads=KEPT_FREE + 1)
    inner: list[int] = []

    def gone() -> bool:
        if not inner:
            answer = call(application, PATH)
            inner.append(answer.status)
            assert answer.headers["retry-after"] == "1"
        return True

    for _ in range(3):
        assert call(application, PATH, environ={GONE: gone}).status == 200
    assert inner == [503]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """One corrupt stream is left out; the others are told."""
    import sqlite3

    log = SqliteEventLog(tmp_path / "log.db")
    runs = [Driven(log, step("a")) for _ in range(3)]
    for run in runs:
        run.start()
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("UPDATE events SET data = 'x' WHERE run_id = ? AND version = 2", (runs[1].run_id,))
    connection.close()
    feed = LiveFeed(log, 0)
    told: list[int] = []
    while found := feed.take():
        told.extend(emission.position for emission in found)
    # The fifth is the start of the second run.
    assert told == [1, 2, 3, 4, 6]
    feed = LiveFeed(log, 5)
    request(log, RunId(runs[1].run_id + 1), PauseRun(at=Instant(T0)))
    assert {emission.position for emission in feed.take()} == {6, 7}
    log.close()
