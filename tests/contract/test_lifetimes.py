"""Objects are deleted when their lifetime is over (contract flow-runs, section 7: "{Seconds|Days}; {} = keep")."""

import atexit
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from flowcore.descent import fork
from flowcore.errors import LogError, ObjectNotFoundError
from flowcore.ids import RunId, StepName, flow_run_id
from flowcore.ports import SourceCall
from flowcore.run.commands import StopRun
from flowcore.service import create_run, load, request
from flowcore.values import Instant
from flowcore_adapters.artifacts import lifetimes
from flowcore_adapters.artifacts.lifetimes import Lifetimes
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http import wsgi
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.node_flows import TEXT, Station, compiled, definition, functions, leave, node, station

UNIQUE = "made/${EDGE}-${RUN_ID}"


class Later(SystemClock):
    """The time, some seconds ahead."""

    ahead_s = 0.0

    @override
    def now(self) -> Instant:
        return Instant(super().now() + self.ahead_s)


def make(call: SourceCall) -> None:
    leave(call, "out", b"made\n")


def flow(*wells: dict[str, Any]) -> Any:  # noqa: ANN401 - what a station starts
    nodes = [node(f"make-{number}", "make", outputs={"out": well["Edge"]}) for number, well in enumerate(wells)]
    return compiled(
        nodes, [definition("make", outputs={"out": TEXT})], DataWells=[{"Store": "default", **each} for each in wells]
    )


def left(place: Station, run_id: RunId) -> list[str]:
    """Return the edges whose objects are still there."""
    found: list[str] = []
    for edge in load(place.log, run_id).artifacts:
        try:
            place.object(run_id, edge)
        except ObjectNotFoundError:
            continue
        found.append(edge)
    return sorted(found)


def test_each_object_goes_when_its_time_is_over(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    clock = Later()
    with station(log, tmp_path, functions(make=make)) as place:
        sweeper = Lifetimes(log, clock, place.services.book)
        run_id = place.start(
            flow(
                {"Edge": "minute", "Lifetime": {"Seconds": 60}},
                {"Edge": "day", "Key": UNIQUE, "Lifetime": {"Days": 1}},
                {"Edge": "empty", "Lifetime": {}},
                {"Edge": "plain"},
                {"Edge": "shared", "Key": "latest.txt", "Lifetime": {"Seconds": 1}},
            )
        )
        place.finish(run_id)
        everything = ["day", "empty", "minute", "plain", "shared"]
        for ahead_s, there in (
            (0.0, everything),
            (50.0, everything),
            (61.0, ["day", "empty", "plain", "shared"]),
            (86_390.0, ["day", "empty", "plain", "shared"]),
            (86_461.0, ["empty", "plain", "shared"]),
            (1e9, ["empty", "plain", "shared"]),
        ):
            clock.ahead_s = ahead_s
            sweeper.sweep()
            assert left(place, run_id) == there


def test_what_another_run_has_taken_over_stays_as_long_as_that_needs_it(
    log: SharedMemoryEventLog, tmp_path: Path
) -> None:
    clock = Later()
    with station(log, tmp_path, functions(make=make)) as place:
        sweeper = Lifetimes(log, clock, place.services.book)
        nodes = [node("make", "make", outputs={"out": "made"}), node("read", "read", inputs={"in": "made"})]
        definitions = [definition("make", outputs={"out": TEXT}), definition("read", inputs={"in": TEXT})]
        well = {"Edge": "made", "Store": "default", "Lifetime": {"Seconds": 60}}
        run_id = place.start(compiled(nodes, definitions, DataWells=[well]))
        place.finish(run_id)
        state = load(log, run_id)
        heirs = [
            create_run(log, state.flow, at=clock.now(), descent=fork(state, StepName("read"), state.flow))
            for _ in range(2)
        ]
        clock.ahead_s = 61.0
        assert (sweeper.sweep(), left(place, run_id)) == (0, ["made"])
        for heir in heirs:
            request(log, heir, StopRun(at=clock.now(), reason="enough"))
        clock.ahead_s = 100.0
        assert (sweeper.sweep(), left(place, run_id)) == (0, ["made"])
        clock.ahead_s = 130.0
        assert (sweeper.sweep(), left(place, run_id)) == (1, [])


def test_a_run_that_goes_on_keeps_what_it_has(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """Its nodes may still read it."""
    clock, go_on = Later(), threading.Event()

    def slow(_call: SourceCall) -> None:
        go_on.wait(20)

    with station(log, tmp_path, functions(make=make, slow=slow)) as place:
        sweeper = Lifetimes(log, clock, place.services.book)
        well = {"Edge": "made", "Store": "default", "Lifetime": {"Seconds": 0}}
        definitions = [definition("make", outputs={"out": TEXT}), definition("slow")]
        nodes = [node("make", "make", outputs={"out": "made"}), node("slow", "slow")]
        run_id = place.start(compiled(nodes, definitions, DataWells=[well]))
        position = 0
        while "made" not in load(log, run_id).artifacts:
            position = log.wait(position, 20)
        clock.ahead_s = 1e6
        sweeper.sweep()
        assert left(place, run_id) == ["made"]
        go_on.set()
        place.finish(run_id)
        sweeper.sweep()
        assert left(place, run_id) == []


def test_a_static_object_stays(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    clock = Later()
    with station(log, tmp_path, functions(read=lambda _: None)) as place:
        store = place.services.book.find("default")
        store.put("logo.txt", [b"logo"])
        well = {"Edge": "logo", "Store": "default", "Source": "static", "Key": "logo.txt", "Lifetime": {"Seconds": 0}}
        nodes = [node("read", "read", {"logo": "logo"})]
        place.finish(place.start(compiled(nodes, [definition("read", inputs={"logo": TEXT})], DataWells=[well])))
        clock.ahead_s = 1e6
        Lifetimes(log, clock, place.services.book).sweep()
        assert store.head("logo.txt").size_bytes == 4


def test_it_looks_again_and_again_until_the_end(
    log: SharedMemoryEventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a start of the server: what earlier ones have left is found in the log."""
    monkeypatch.setattr(lifetimes, "PAUSE_S", 0.01)
    with station(log, tmp_path, functions(make=make)) as place:
        run_id = place.start(flow({"Edge": "made", "Lifetime": {"Seconds": 0}}))
        place.finish(run_id)
        path = tmp_path / "default" / flow_run_id(run_id) / "made.txt"
        assert path.exists()
    gone = threading.Event()
    with station(log, tmp_path, functions(make=make)) as place:
        place.services.lifetimes.start()
        for _ in range(1000):
            if not path.exists():
                break
            gone.wait(0.01)
        assert left(place, run_id) == []


def test_another_server_does_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/nodes.md: "and by the application under another WSGI server that has a `FLOWCORE_STORE_DIR`"."""
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(lifetimes, "PAUSE_S", 0.01)
    for name, value in (("DB", "log.db"), ("STORE_DIR", "stores")):
        monkeypatch.setenv(f"FLOWCORE_{name}", str(tmp_path / value))
    with (
        closing(SqliteEventLog(tmp_path / "log.db")) as log,
        station(log, tmp_path / "stores", functions(make=make)) as place,
    ):
        run_id = place.start(flow({"Edge": "made", "Lifetime": {"Seconds": 0}}))
        place.finish(run_id)
        assert left(place, run_id) == ["made"]
        opened = SqliteEventLog(tmp_path / "log.db")

        def reopened(_path: Path) -> SqliteEventLog:
            return opened

        monkeypatch.setattr(wsgi, "SqliteEventLog", reopened)
        wsgi.get_app()
        for _ in range(1000):
            if not left(place, run_id):
                break
            threading.Event().wait(0.01)
        (close,) = at_exit
        close()
        with pytest.raises(LogError):
            opened.position()
        assert left(place, run_id) == []


def test_objects_that_are_gone_are_not_counted_again(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    with station(log, tmp_path, functions(make=make)) as place:
        place.finish(place.start(flow({"Edge": "made", "Lifetime": {"Seconds": 0}})))
        counts = [
            Lifetimes(log, SystemClock(), place.services.book).sweep(breath_s=0.0, delete=delete)
            for delete in (False, False, True, True)
        ]
        assert counts == [1, 1, 1, 0]
