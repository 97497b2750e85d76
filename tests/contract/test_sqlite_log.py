"""What the SQLite log promises beyond its port: the file, other processes, faults."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from traceback import walk_tb
from types import NoneType
from typing import Final

import pytest
from typing_extensions import override

from flowcore.errors import EventFormatError, FencedError, LogError, RunOwnedError, VersionConflictError
from flowcore.ids import InstanceId, RunId
from flowcore.ports import Append, BatchPage, Owner, Ownership, Recorded, Requests, Snapshot
from flowcore.run.events import AttemptSucceeded, Event, RunStarted
from flowcore.values import Instant
from flowcore_adapters.logs.location import default_path, make_default_path
from flowcore_adapters.logs.sqlite import Durability, SqliteEventLog, file, reading, schema, snapshots, watching
from flowcore_adapters.logs.sqlite.turn import Turn

PLENTY_S: Final = 60.0
"""How long a test waits for what must happen: nothing waits this long unless it is broken."""
RUN, OTHER = RunId(1733524800000), RunId(1733524800001)
COUNTER: Final = RunId(1)
NOBODY: Final = 65534
ADA, BOB = Owner("ada-1", "process 4711 on host", "host", 4711), Owner("bob-1", "process 4712 on host", "host", 4712)
NOW: Final = Instant(1733524800.5)

PRELUDE: Final = """
import resource, sys, time
from flowcore.errors import FencedError, LogError, RunOwnedError, VersionConflictError
from flowcore.ids import RunId
from flowcore.ports import Append, BatchPage, Owner
from flowcore.run.events import RunStarted
from flowcore.values import Instant
from flowcore_adapters.logs.sqlite import SqliteEventLog

path, run_id = sys.argv[1], RunId(int(sys.argv[2]))

def event(version):
    return RunStarted(at=Instant(float(version)))
"""
"""What the other processes have in common."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteEventLog]:
    log = SqliteEventLog(path)
    yield log
    log.close()


def events(count: int, first: int = 0) -> list[Event]:
    return [RunStarted(at=Instant(float(index))) for index in range(first, first + count)]


def large_event() -> AttemptSucceeded:
    return AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs={"text": "x" * 100_000}, at=Instant(1.0))


def versions(log: SqliteEventLog, run_id: RunId) -> list[int]:
    return [recorded.version for recorded in log.read(run_id)]


@contextmanager
def process(code: str, path: Path, run_id: RunId = RUN) -> Generator[subprocess.Popen[str]]:
    """Run *code* beside the test; it is killed at the end if it is not over."""
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(path), str(run_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def edit(path: Path, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, parameters).fetchall()


class TestFile:
    def test_it_is_for_the_user_alone(self, path: Path) -> None:
        before = os.umask(0)
        try:
            log = SqliteEventLog(path)
            log.append(Append(RUN, 0, events(1)))
        finally:
            os.umask(before)
        beside = {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()}
        log.close()
        assert beside == {"log.db": "0o600", "log.db-wal": "0o600", "log.db-shm": "0o600"}

    def test_it_says_whose_it_is(self, path: Path, log: SqliteEventLog) -> None:
        with closing(sqlite3.connect(path)) as connection:
            told = [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version", "journal_mode")
            ]
        assert told == [int.from_bytes(b"flow"), 4, "wal"]

    @pytest.mark.parametrize(("durability", "level"), [("full", 2), ("relaxed", 1)])
    def test_durability_is_sqlites(self, path: Path, durability: Durability, level: int) -> None:
        with closing(SqliteEventLog(path, durability=durability)) as log:
            log.append(Append(RUN, 0, events(1)))
            assert log._writer.cursor().execute("PRAGMA synchronous").fetchone() == (level,)

    def test_everything_is_there_when_it_is_opened_again(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(3)), Append(OTHER, 0, events(1)))
        log.close()
        with closing(SqliteEventLog(str(path))) as again:
            assert [recorded.event for recorded in again.read(RUN)] == events(3)
            assert (again.position(), again.version(OTHER), again.runs()) == (4, 1, [OTHER, RUN])
            assert again.append(Append(RUN, 3, events(1))) == 5

    def test_nothing_but_the_file_is_left(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1)))
        assert log.wait(0, 0) == 1
        assert versions(log, RUN) == [1]
        log.close()
        assert [each.name for each in path.parent.iterdir()] == ["log.db"]

    def test_an_empty_file_becomes_a_log(self, tmp_path: Path) -> None:
        path = tmp_path / "log.db"
        path.touch()
        with closing(SqliteEventLog(path)) as log:
            assert log.append(Append(RUN, 0, events(1))) == 1

    def test_a_name_that_means_something_to_sqlite_is_a_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        SqliteEventLog(":memory:").close()
        assert (tmp_path / ":memory:").is_file()

    def test_a_log_of_no_version_is_refused(self, path: Path) -> None:
        SqliteEventLog(path).close()
        edit(path, "PRAGMA user_version = 0")
        with pytest.raises(LogError, match=r"log\.db: this SQLite database is not a flowcore log"):
            SqliteEventLog(path)

    def test_newer_schema_is_refused(self, path: Path) -> None:
        SqliteEventLog(path).close()
        edit(path, "PRAGMA user_version = 5")
        with pytest.raises(LogError, match=r"log\.db: written by a newer version .* schema 5; this one reads up to 4"):
            SqliteEventLog(path)

    def test_database_of_somebody_else_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "bookmarks.db"
        edit(path, "CREATE TABLE bookmarks (url TEXT)")
        before = path.read_bytes()
        with pytest.raises(LogError, match=r"bookmarks\.db: this SQLite database is not a flowcore log"):
            SqliteEventLog(path)
        assert path.read_bytes() == before

    def test_file_of_another_kind_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "flow.yaml"
        path.write_text("flow: []\n" * 1000)
        with pytest.raises(LogError, match=r"flow\.yaml: it is not an SQLite database"):
            SqliteEventLog(path)
        assert path.read_text() == "flow: []\n" * 1000

    def test_directory_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(LogError, match="not a file"):
            SqliteEventLog(tmp_path)

    def test_what_is_no_file_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(LogError, match="pipe: not a file"):
            SqliteEventLog(tmp_path / "pipe")

    def test_path_through_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(LogError, match=r"log\.db: Not a directory"):
            SqliteEventLog(tmp_path / "file" / "log.db")

    def test_no_directory_is_made_for_a_path_that_somebody_names(self, tmp_path: Path) -> None:
        path = tmp_path / "mistyped" / "dir" / "log.db"
        with pytest.raises(LogError, match=f"^{path}: its directory does not exist$"):
            SqliteEventLog(path)
        assert list(tmp_path.iterdir()) == []

    def test_impossible_name_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(LogError, match="embedded null"):
            SqliteEventLog(tmp_path / "a\0b")

    def test_damaged_file_is_refused(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, [large_event()]))
        log.close()
        with path.open("r+b") as stream:
            stream.seek(4096)
            stream.write(b"\xff" * 8192)
        with pytest.raises(LogError, match=r"log\.db: the file is damaged"), closing(SqliteEventLog(path)) as damaged:
            versions(damaged, RUN)


VERSION_1: Final = (
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        schema INTEGER NOT NULL,
        data TEXT NOT NULL,
        UNIQUE (run_id, version)
    )""",
    """CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL
    )""",
    "PRAGMA application_id = 1718382455",
    "PRAGMA user_version = 1",
    "INSERT INTO runs VALUES (1733524800000, 1, 2), (1733524800001, 3, 1)",
    """INSERT INTO events VALUES
        (1, 1733524800000, 1, 0.0, 'RunStarted', 1, '{"at":0.0}'),
        (2, 1733524800000, 2, 1.0, 'RunStarted', 1, '{"at":1.0}'),
        (3, 1733524800001, 1, 0.0, 'RunStarted', 1, '{"at":0.0}')""",
)
"""What version 1 wrote, with `RUN` and `OTHER` in it."""


class TestUpgrading:
    @pytest.fixture
    def old(self, tmp_path: Path) -> Path:
        path = tmp_path / "old.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for statement in VERSION_1:
                connection.execute(statement)
            connection.commit()
        return path

    def test_everything_is_there_and_the_new_things_work(self, old: Path) -> None:
        with closing(SqliteEventLog(old)) as log:
            one, two = events(2)
            assert list(log.read(RUN)) == [Recorded(RUN, 1, 1, one), Recorded(RUN, 2, 2, two)]
            assert (log.position(), log.version(RUN), log.runs()) == (3, 2, [OTHER, RUN])
            assert log.batches() == BatchPage(0, [])
            assert log.ownership(RUN) == Ownership(None, 0)
            assert log.requests(0, 0) == Requests(3, (RUN, OTHER))
            assert log.claim(RUN, ADA, now=NOW, ttl_s=1.0) == 1
            assert log.append(Append(RUN, 2, events(1, 2), epoch=1)) == 4

    def test_the_tables_are_those_of_a_new_log(self, old: Path, path: Path) -> None:
        for each in (old, path):
            SqliteEventLog(each).close()
        assert tables(old) == tables(path)
        assert edit(old, "PRAGMA user_version") == edit(path, "PRAGMA user_version") == [(4,)]

    def test_it_happens_once(self, old: Path) -> None:
        SqliteEventLog(old).close()
        before = old.read_bytes()
        SqliteEventLog(old).close()
        assert old.read_bytes() == before

    def test_several_processes_at_once(self, old: Path) -> None:
        code = """
sys.stdin.readline()
log = SqliteEventLog(path)
print(log.position(), log.claim(run_id, Owner("a", "a"), now=Instant(0.0), ttl_s=1.0) > 0)
log.close()
"""
        with process(code, old) as one, process(code, old) as two, process(code, old) as three:
            children = (one, two, three)
            with ThreadPoolExecutor(len(children)) as threads:
                told = list(threads.map(go, children))
        assert told == ["3 True\n"] * 3
        with closing(SqliteEventLog(old)) as log:
            assert log.ownership(RUN).epoch == 3

    def test_a_crash_in_its_midst_leaves_the_old_one(self, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(schema, "_UPGRADES", ((*schema._UPGRADES[0], "CREATE TABLE runs (broken)"),))
            with pytest.raises(LogError, match=r"old\.db: table runs already exists"):
                SqliteEventLog(old)
        assert edit(old, "PRAGMA user_version") == [(1,)]
        with closing(SqliteEventLog(old)) as log:
            assert versions(log, RUN) == [1, 2]

    def test_a_process_of_the_old_version_may_go_on(self, old: Path) -> None:
        with closing(SqliteEventLog(old)) as log:
            columns, row = "position, run_id, version, at, type, schema, data", (4, RUN, 3, 2.0, "RunStarted", 1)
            edit(old, f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", *row, '{"at":2.0}')  # noqa: S608
            edit(old, "UPDATE runs SET version = 3 WHERE run_id = ?", RUN)
            assert [recorded.event for recorded in log.read(RUN)] == events(3)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the columns of every table and index."""
    names = edit(path, "SELECT name FROM sqlite_schema")
    return {
        str(name): [row[1:] for row in edit(path, f"PRAGMA table_xinfo('{name}')")]
        + edit(path, f"PRAGMA index_xinfo('{name}')")
        for (name,) in names
    }


class TestPermissions:
    @pytest.fixture
    def shared(self) -> Iterator[Path]:
        """A directory that everybody may use."""
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            directory.chmod(0o777)
            yield directory

    @contextmanager
    def unprivileged(self) -> Generator[None]:
        """Permissions mean nothing to root."""
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    def test_read_only_file(self, shared: Path) -> None:
        path = shared / "log.db"
        SqliteEventLog(path).close()
        path.chmod(0o444)
        with self.unprivileged(), pytest.raises(LogError, match=r"log\.db: .*permission denied"):
            SqliteEventLog(path)

    def test_read_only_directory(self, shared: Path) -> None:
        path = shared / "log.db"
        SqliteEventLog(path).close()
        path.chmod(0o666)
        shared.chmod(0o555)
        with self.unprivileged(), pytest.raises(LogError, match=r"cannot be (opened|written)"):
            open_and_append(path)

    def test_no_permission_to_create(self, shared: Path) -> None:
        shared.chmod(0o555)
        with self.unprivileged(), pytest.raises(LogError, match="Permission denied"):
            SqliteEventLog(shared / "log.db")


def open_and_append(path: Path) -> None:
    with closing(SqliteEventLog(path)) as log:
        log.append(Append(RUN, 0, events(1)))


class TestAppending:
    def test_one_run_twice_in_an_append(self, log: SqliteEventLog) -> None:
        assert log.append(Append(RUN, 0, events(2)), Append(RUN, 2, events(1, 2))) == 3
        assert [recorded.event for recorded in log.read(RUN)] == events(3)
        with pytest.raises(VersionConflictError):
            log.append(Append(RUN, 3, events(1)), Append(RUN, 3, events(1)))
        assert log.position() == 3

    def test_no_events_make_no_run(self, log: SqliteEventLog) -> None:
        assert log.append(Append(RUN, 0, [])) == 0
        assert list(log.runs()) == []

    def test_an_event_that_is_not_json_is_refused(self, log: SqliteEventLog) -> None:
        with pytest.raises(EventFormatError):
            log.append(Append(RUN, 0, [*events(1), RunStarted(at=Instant(float("nan")))]))
        assert log.position() == 0

    def test_a_number_that_is_no_run_id_is_refused(self, log: SqliteEventLog) -> None:
        with pytest.raises(LogError, match="too large"):
            log.append(Append(RunId(2**63), 0, events(1)))

    def test_an_event_that_is_too_large_is_refused(self, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flowcore_adapters.logs.sqlite.rows._MAX_CHARACTERS", 1000)
        with pytest.raises(LogError, match="too large for the log"):
            log.append(Append(RUN, 0, [large_event()]))


class TestGroups:
    """Appends that come while another one is committed share a transaction."""

    COUNT: Final = 8

    def test_waiting_appends_share_a_transaction(self, path: Path, log: SqliteEventLog) -> None:
        statements: list[str] = []
        log.append(Append(RUN, 0, events(1)))
        log._writer.cursor().connection.set_trace_callback(statements.append)
        with queued(path, log, [Append(RunId(run), 0, events(2)) for run in range(self.COUNT)]) as results:
            pass
        assert sorted(result.result(PLENTY_S) for result in results) == list(range(3, 2 * self.COUNT + 2, 2))
        assert statements.count("COMMIT") == 2, "the one that was first, and all the others"

    def test_a_conflict_is_its_callers_alone(self, path: Path, log: SqliteEventLog) -> None:
        wrong = Append(OTHER, 5, events(1))
        with queued(path, log, [Append(RunId(run), 0, events(1)) for run in range(self.COUNT)] + [wrong]) as results:
            pass
        *right, conflict = results
        assert sorted(result.result(PLENTY_S) for result in right) == list(range(1, self.COUNT + 1))
        with pytest.raises(VersionConflictError):
            conflict.result(PLENTY_S)
        assert OTHER not in log.runs()

    def test_a_fenced_writer_does_not_spoil_the_others(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(OTHER, 0, events(1)))
        for _ in range(2):
            log.claim(OTHER, ADA, now=NOW, ttl_s=1.0)
        fenced = Append(OTHER, 1, events(1, 1), epoch=1)
        owner = Append(OTHER, 1, events(1, 1), epoch=2)
        others = [Append(RunId(run), 0, events(1)) for run in range(self.COUNT)]
        with queued(path, log, [*others, fenced, owner]) as results:
            pass
        *right, rejected, accepted = results
        told = [result.result(PLENTY_S) for result in (*right, accepted)]
        assert sorted(told) == list(range(2, self.COUNT + 3))
        with pytest.raises(FencedError):
            rejected.result(PLENTY_S)
        assert [recorded.epoch for recorded in log.read(OTHER)] == [0, 2]

    def test_a_claim_does_not_wait_for_the_disk(self, path: Path, log: SqliteEventLog) -> None:
        statements: list[str] = []
        log.append(Append(RUN, 0, events(1)))
        log._writer.cursor().connection.set_trace_callback(statements.append)
        log.claim(RUN, ADA, now=NOW, ttl_s=1.0)
        log.append(Append(RUN, 1, events(1, 1), epoch=1))
        orders = [each for each in statements if each.startswith(("PRAGMA", "COMMIT"))]
        assert orders == ["PRAGMA synchronous = NORMAL", "COMMIT", "PRAGMA synchronous = FULL", "COMMIT"]

    def test_a_refusal_keeps_nothing_that_the_next_one_uses(self, log: SqliteEventLog) -> None:
        """It keeps its frames, and is dropped by whichever thread: a cursor that goes with it resets its statement."""
        with pytest.raises(VersionConflictError) as refused:
            log.append(Append(RUN, 7, events(1)))
        held = [value for frame, _ in walk_tb(refused.tb) for value in frame.f_locals.values()]
        turns = [value for value in held if isinstance(value, Turn)]
        assert turns
        assert all(turn.cursor is log._writer.cursor() for turn in turns)

    def test_one_of_several_for_a_version_wins(self, path: Path, log: SqliteEventLog) -> None:
        with queued(path, log, [Append(RUN, 0, events(1, writer)) for writer in range(self.COUNT)]) as results:
            pass
        won = 0
        for result in results:
            with suppress(VersionConflictError):
                won += result.result(PLENTY_S)
        assert won == 1
        assert versions(log, RUN) == [1]

    def test_an_interrupt_does_not_leave_the_others_waiting(self, path: Path, log: SqliteEventLog) -> None:
        appends = [Append(RunId(run), 0, events(1)) for run in range(self.COUNT)]
        with queued(path, log, [*appends, Append(RunId(Interrupt(RUN)), 0, events(1))]) as results:
            pass
        told = [type(result.exception(PLENTY_S)) for result in results]
        assert told.count(KeyboardInterrupt) == 1, "the thread that led"
        assert set(told) <= {KeyboardInterrupt, LogError, NoneType}
        assert log.position() == told.count(NoneType)
        assert log.append(Append(RUN, 0, events(1))) == log.position()

    def test_what_is_interrupted_in_the_queue_is_never_appended(self, path: Path, log: SqliteEventLog) -> None:
        done = threading.Event()

        def interrupt() -> None:
            deadline = monotonic() + PLENTY_S
            while len(log._writer._queue) < 2 and monotonic() < deadline:
                done.wait(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        # Whoever starts the tests in the background of a script has them ignore interrupts.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with ThreadPoolExecutor(1) as threads:
                with queued(path, log, [Append(RunId(run), 0, events(1)) for run in range(2)]) as results:
                    interrupted = threads.submit(interrupt)
                    with pytest.raises(KeyboardInterrupt):
                        log.append(Append(RUN, 0, events(1)))
                    interrupted.result(PLENTY_S)
                assert sorted(result.result(PLENTY_S) for result in results) == [1, 2]
        finally:
            signal.signal(signal.SIGINT, before)
        assert log.append(Append(OTHER, 0, events(1))) == 3
        assert RUN not in log.runs()

    def test_closing_waits_for_what_is_being_committed(self, path: Path, log: SqliteEventLog) -> None:
        appends = [Append(RunId(run), 0, events(1)) for run in range(self.COUNT)]
        with ThreadPoolExecutor(1) as threads:
            with queued(path, log, appends) as results:
                closing_ = threads.submit(log.close)
            closing_.result(PLENTY_S)
        told = [type(result.exception(PLENTY_S)) for result in results]
        assert set(told) <= {LogError, NoneType}
        with closing(SqliteEventLog(path)) as again:
            assert again.position() == told.count(NoneType) >= 1


class Interrupt(int):
    """A run that interrupts the thread which looks it up."""

    @override
    def __hash__(self) -> int:
        raise KeyboardInterrupt


@contextmanager
def queued(path: Path, log: SqliteEventLog, appends: Sequence[Append]) -> Generator[list[Future[int]]]:
    """Have *appends* wait in the queue for a file that is locked; yield their results, and unlock it."""
    with ThreadPoolExecutor(len(appends)) as threads, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        futures = [threads.submit(log.append, append) for append in appends]
        deadline = monotonic() + PLENTY_S
        with log._writer._turn:
            # The first one leads, and is waiting for the lock.
            while len(log._writer._queue) < len(appends) - 1:
                assert monotonic() < deadline
                log._writer._turn.wait(0.001)
        yield futures
        other.execute("ROLLBACK")


class TestSnapshots:
    def test_they_survive_and_wait_for_no_disk(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(3)))
        statements: list[str] = []
        log._writer.cursor().connection.set_trace_callback(statements.append)
        log.save_snapshot(RUN, "state/1", 3, b"data")
        assert statements[0] == "PRAGMA synchronous = NORMAL"
        log.close()
        with closing(SqliteEventLog(path)) as again:
            assert again.snapshot(RUN, "state/1") == Snapshot(3, b"data")

    def test_what_cannot_be_kept_is_not(self, path: Path, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        log.append(Append(RUN, 0, events(3)))
        log.save_snapshot(RUN, "state/1", 1, b"data")
        log._writer.cursor().execute("PRAGMA max_page_count = 40")
        log.save_snapshot(RUN, "state/1", 2, bytes(1_000_000))
        assert log.append(Append(RUN, 3, events(1, 3))) == 4, "an append does not suffer"
        monkeypatch.setattr(file, "BUSY_TIMEOUT_S", 0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(SqliteEventLog(path)) as second:
            other.execute("BEGIN IMMEDIATE")
            second.save_snapshot(RUN, "state/1", 2, b"locked out")
        monkeypatch.setattr(snapshots, "MAX_BYTES", 3)
        log.save_snapshot(RUN, "state/1", 2, b"too large")
        assert log.snapshot(RUN, "state/1") == Snapshot(1, b"data")

    def test_one_that_fails_takes_no_append_with_it(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1)))
        log._writer.cursor().execute("PRAGMA max_page_count = 40")
        with ThreadPoolExecutor(1) as threads:
            with queued(path, log, [Append(RunId(run), 0, events(1)) for run in range(4)]) as results:
                saved = threads.submit(log.save_snapshot, RUN, "state/1", 1, bytes(1_000_000))
            assert saved.result(PLENTY_S) is None
            assert sorted(result.result(PLENTY_S) for result in results) == [2, 3, 4, 5]
        assert log.snapshot(RUN, "state/1") is None


class TestDeleting:
    def test_another_process_sees_it_at_once(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(2)), Append(OTHER, 0, events(2)))
        with closing(SqliteEventLog(path)) as other:
            assert (other.position(), other.newest_id(), other.version(OTHER)) == (4, OTHER, 2)
            log.delete_runs(OTHER, now=NOW)
            assert other.wait(4, PLENTY_S) == 5
            assert (other.position(), other.newest_id(), other.version(OTHER), other.runs()) == (5, OTHER, 0, [RUN])
            assert other.append(Append(RUN, 2, events(1, 2))) == 6
        log.close()
        with closing(SqliteEventLog(path)) as again:
            assert (again.position(), again.newest_id()) == (6, OTHER)

    @pytest.mark.parametrize("durability", ["full", "relaxed"])
    def test_the_disk_has_it_whatever_the_durability(self, path: Path, durability: Durability) -> None:
        statements: list[str] = []
        with closing(SqliteEventLog(path, durability=durability)) as log:
            log.append(Append(RUN, 0, events(2)), Append(OTHER, 0, events(2)))
            log._writer.cursor().connection.set_trace_callback(statements.append)
            log.delete_runs(RUN, now=NOW)
            log.append(Append(OTHER, 2, events(1, 2)))
        switched = [each for each in statements if each.startswith("PRAGMA synchronous")]
        assert switched == ([] if durability == "full" else [f"PRAGMA synchronous = {it}" for it in ("FULL", "NORMAL")])


class TestOwners:
    def test_renewing_costs_nothing_when_there_is_no_lease(self, path: Path, log: SqliteEventLog) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            log.renew(ADA, now=NOW, ttl_s=1.0)

    def test_who_is_gone_is_forgotten_when_nobody_refers_to_them(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1)), Append(OTHER, 0, events(1)))
        owners = [Owner(f"{index}", f"process {index}") for index in range(4)]
        for index, owner in enumerate(owners):
            log.claim(RUN, owner, now=Instant(NOW + index), ttl_s=1.0)
            log.claim(OTHER, owner, now=Instant(NOW + index), ttl_s=1.0)
            log.release(owner, OTHER)
        assert edit(path, "SELECT id FROM owners ORDER BY id") == [("2",), ("3",)], "the last one that was taken over"
        log.release(owners[3], RUN)
        log.claim(RUN, ADA, now=Instant(NOW + 9), ttl_s=1.0)
        assert edit(path, "SELECT id FROM owners") == [(ADA.id,)]

    def test_it_is_written_down_who_they_are(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1)))
        log.claim(RUN, ADA, now=NOW, ttl_s=1.0)
        assert edit(path, "SELECT * FROM owners") == [("ada-1", "process 4711 on host", "host", 4711, NOW + 1.0)]

    def test_another_process_is_refused_and_the_old_owner_is_fenced(self, path: Path, log: SqliteEventLog) -> None:
        code = """
log = SqliteEventLog(path)
owner = Owner("child", "the child")
for line in sys.stdin:
    try:
        print(log.claim(run_id, owner, now=Instant(float(line)), ttl_s=1.0), flush=True)
        log.append(Append(run_id, 1, [event(1)], epoch=2))
    except RunOwnedError as error:
        print(error, flush=True)
"""
        log.append(Append(RUN, 0, events(1)))
        epoch = log.claim(RUN, ADA, now=NOW, ttl_s=10.0)
        with process(code, path) as child:
            told, _ = child.communicate(f"{NOW + 9.5}\n{NOW + 10}\n", timeout=PLENTY_S)
        assert told == f"run {RUN} is driven by process 4711 on host, whose lease ends in 1 s\n2\n"
        with pytest.raises(FencedError, match="epoch 2, not 1"):
            log.append(Append(RUN, 1, events(1, 1), epoch=epoch))
        assert [recorded.epoch for recorded in log.read(RUN)] == [0, 2]
        with pytest.raises(RunOwnedError, match="driven by the child"):
            log.claim(RUN, ADA, now=Instant(NOW + 10.5), ttl_s=10.0)


class TestReading:
    def test_a_slow_reader_holds_no_transaction(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1000)))
        reader = log.read(RUN)
        next(reader)
        with closing(sqlite3.connect(path)) as other:
            busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ("data = '{'", "position 2: not JSON"),
            ("data = CAST(x'22ff22' AS TEXT)", "position 2: .*codec can't decode"),
            ("data = '[]'", "position 2: broken RunStarted"),
            ("data = '{}'", "position 2: broken RunStarted: missing"),
            ("type = 'RunTeleported'", "position 2: unknown event type 'RunTeleported'"),
            ("schema = 2", "position 2: RunStarted has schema 2"),
            ("schema = 'x'", "position 2: RunStarted has schema 'x'"),
            ("version = 7", "event 2 is missing"),
            ("version = 'x'", "event 2 is missing"),
        ],
    )
    def test_a_broken_event_is_named(self, path: Path, log: SqliteEventLog, change: str, problem: str) -> None:
        log.append(Append(RUN, 0, events(3)), Append(OTHER, 0, events(1)))
        edit(path, f"UPDATE events SET {change} WHERE position = 2")  # noqa: S608 - the rows above

        reader = log.read(RUN)
        assert next(reader).version == 1
        with pytest.raises(EventFormatError, match=f"run {RUN}.*{problem}"):
            next(reader)
        assert versions(log, OTHER) == [1], "the other streams go on"

    def test_a_closed_log_is_not_read(self, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1000)))
        reader = log.read(RUN)
        next(reader)
        log.close()
        with pytest.raises(LogError, match="closed"):
            list(reader)
        for question in (log.position, log.runs, lambda: log.version(RUN)):
            with pytest.raises(LogError, match="closed"):
                question()

    def test_a_file_that_goes_bad_is_named(self, path: Path, log: SqliteEventLog) -> None:
        edit(path, "DROP TABLE events")
        for question in (log.position, lambda: log.wait(0, 0), lambda: log.append(Append(RUN, 0, events(1)))):
            with pytest.raises(LogError, match=r"log\.db: .*no such table"):
                question()

    def test_what_was_acknowledged_is_seen_at_once(self, path: Path, log: SqliteEventLog) -> None:
        """Whoever appended it, and whoever has asked before."""
        with closing(SqliteEventLog(path)) as other, ThreadPoolExecutor(4) as threads:
            for count in range(100):
                run_id = RunId(RUN + count)
                appended = (log, other)[count % 2].append(
                    Append(COUNTER, count, events(1)), Append(run_id, 0, events(2))
                )
                futures = [threads.submit(answers, each, run_id) for each in (log, other, log, other)]
                told = [future.result(PLENTY_S) for future in futures]
                assert told == [(appended, 2, count + 1, [run_id], run_id)] * 4
            newest = RunId(RUN + 99)
            log.delete_runs(newest, now=NOW)
            assert answers(log, newest) == answers(other, newest) == (301, 0, 100, [newest - 1], newest)

    def test_nothing_is_looked_up_twice_while_nothing_is_committed(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(2)))
        before = answers(log, RUN)
        statements: list[str] = []
        with log._readers.lend() as cursor:
            cursor.connection.set_trace_callback(statements.append)
        assert answers(log, RUN) == before
        assert set(statements) == {"PRAGMA data_version"}

    def test_few_answers_are_kept(self, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "_ANSWERS", 10)
        log.append(Append(RUN, 0, events(2)))
        assert [log.version(RunId(RUN + index % 30)) for index in range(90)] == ([2] + [0] * 29) * 3
        assert len(log._readers._idle[0].answers) <= 10

    def test_asking_leaves_no_transaction_open(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(2)))
        answers(log, RUN)
        with closing(sqlite3.connect(path)) as other:
            busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0

    def test_many_readers_at_once(self, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(10)))
        barrier = threading.Barrier(20)

        def read(_: int) -> list[int]:
            barrier.wait(PLENTY_S)
            with log._readers.lend():
                barrier.wait(PLENTY_S)  # more at one time than connections are kept
            return versions(log, RUN)

        with ThreadPoolExecutor(20) as threads:
            assert list(threads.map(read, range(20))) == [list(range(1, 11))] * 20


def answers(log: SqliteEventLog, run_id: RunId) -> tuple[object, ...]:
    """Return what *log* says of itself and of *run_id*."""
    return log.position(), log.version(run_id), log.version(COUNTER), log.runs(limit=1), log.newest_id()


class TestFaults:
    def test_disk_full(self, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, events(1)))
        log._writer.cursor().execute("PRAGMA max_page_count = 40")
        done = 0
        with pytest.raises(LogError, match="nothing was appended: the disk is full"):  # noqa: PT012 - until it is
            for done in range(100):
                log.append(Append(RUN, 1 + done, [large_event()]))

        assert log.position() == log.version(RUN) == len(versions(log, RUN)) == 1 + done
        with pytest.raises(LogError, match="the disk is full"):
            log.append(Append(RUN, 1 + done, [large_event()]))
        log._writer.cursor().execute("PRAGMA max_page_count = 4000")
        assert log.append(Append(RUN, 1 + done, [large_event()])) == 2 + done

    def test_writing_fails(self, path: Path) -> None:
        """The operating system refuses to make the file larger, as a full disk does."""
        code = """
log = SqliteEventLog(path)
version = log.append(Append(run_id, 0, [event(0)]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
try:
    for turn in range(10_000):
        version = log.append(Append(run_id, version, [event(version + n) for n in range(50)]))
except LogError as error:
    print(error)
print(version, log.version(run_id), len(list(log.read(run_id))))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(log.append(Append(run_id, version, [event(version)])) - version)
log.close()
"""
        with process(code, path) as child:
            problem, counts, more = child.communicate(timeout=PLENTY_S)[0].splitlines()
        assert problem.startswith(f"{path}: nothing was appended: the disk")
        acknowledged, version, read = map(int, counts.split())
        assert acknowledged == version == read > 50
        assert more == "1"

    def test_locked_for_too_long(self, path: Path, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file, "BUSY_TIMEOUT_S", 0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogError, match="another process has kept it locked"):
                log.append(Append(RUN, 0, events(1)))
            assert log.position() == 0
        assert log.append(Append(RUN, 0, events(1))) == 1

    def test_in_use_while_it_is_changed_to_write_ahead(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        SqliteEventLog(path).close()
        edit(path, "PRAGMA journal_mode = DELETE")
        monkeypatch.setattr(file, "BUSY_TIMEOUT_S", 0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogError, match="another process has kept it locked"):
                SqliteEventLog(path)
        SqliteEventLog(path).close()

    def test_kill_9_loses_nothing_acknowledged(self, path: Path) -> None:
        code = """
log = SqliteEventLog(path)
version = log.version(run_id)
while True:
    version = log.append(Append(run_id, version, [event(version), event(version + 1), event(version + 2)]))
    print(version, flush=True)
"""
        acknowledged = 0
        for kill_after in (1, 20, 300):
            with process(code, path) as child:
                assert child.stdout is not None
                for _ in range(kill_after):
                    acknowledged = int(child.stdout.readline())
                child.send_signal(signal.SIGKILL)
                for line in child.stdout:
                    acknowledged = int(line) if line.endswith("\n") else acknowledged
                assert child.wait(PLENTY_S) == -signal.SIGKILL
            with closing(SqliteEventLog(path)) as log:
                there = [recorded.event for recorded in log.read(RUN)]
                assert there == events(len(there)), "no event is lost, none is there twice"
                assert len(there) % 3 == 0, "an append is there whole or not at all"
                assert len(there) >= acknowledged


class TestProcesses:
    def test_what_another_process_appends_wakes_who_waits(self, path: Path, log: SqliteEventLog) -> None:
        code = """
log = SqliteEventLog(path)
version = 0
for line in sys.stdin:
    version = log.append(Append(run_id, version, [event(version)]))
    print(version, flush=True)
"""
        with process(code, path) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            for turn in range(5):
                child.stdin.write("append\n")
                child.stdin.flush()
                assert log.wait(turn, PLENTY_S) == turn + 1
                assert child.stdout.readline() == f"{turn + 1}\n"
                assert (log.position(), log.version(RUN), versions(log, RUN)[-1]) == (turn + 1,) * 3
            with pytest.raises(VersionConflictError):
                log.append(Append(RUN, 0, events(1)))
            assert log.append(Append(RUN, 5, events(1, 5))) == 6

    def test_what_another_process_asks_for_is_told_within_100_ms(self, path: Path, log: SqliteEventLog) -> None:
        code = """
log = SqliteEventLog(path)
for line in sys.stdin:
    version, epoch = map(int, line.split())
    log.append(Append(run_id, version, [event(version)], epoch=epoch))
    print(time.monotonic(), flush=True)
"""
        delays: list[float] = []
        with process(code, path) as child, ThreadPoolExecutor(1) as threads:
            assert child.stdin is not None
            assert child.stdout is not None

            def append(version: int, epoch: int) -> float:
                print(version, epoch, file=child.stdin, flush=True)
                return float(child.stdout.readline()) if child.stdout is not None else 0.0

            append(0, 0)
            assert log.requests(0, PLENTY_S) == Requests(1, (RUN,))
            log.claim(RUN, ADA, now=NOW, ttl_s=1.0)

            def wait(after: int) -> tuple[Requests, float]:
                return log.requests(after, PLENTY_S), monotonic()

            for version in range(1, 11, 2):
                waiter = threads.submit(wait, version)
                append(version, 1)
                appended_at = append(version + 1, 0)
                requests, told_at = waiter.result(PLENTY_S)
                assert requests == Requests(version + 2, (RUN,))
                delays.append(told_at - appended_at)
        # The median: the machine may be busy with something else for once.
        assert sorted(delays)[2] < 0.1

    def test_waiting_for_requests_asks_no_more_than_it_must(self, path: Path, log: SqliteEventLog) -> None:
        """One number while nothing happens, and never a walk over all events."""
        log.append(Append(RUN, 0, events(1)))
        statements: list[str] = []
        assert log.requests(0, 0) == Requests(1, (RUN,))
        watcher = log._watcher._cursor
        assert watcher is not None
        watcher.connection.set_trace_callback(statements.append)
        assert log.requests(1, 0.12) == Requests(1)
        assert set(statements) == {"PRAGMA data_version"}
        assert len(statements) <= 4
        plans = edit(path, f"EXPLAIN QUERY PLAN {watching._REQUESTS.partition('GROUP')[0]}", 0, 1)
        assert [plan[3] for plan in plans if str(plan[3]).startswith(("SEARCH", "SCAN"))] == [
            "SEARCH events USING INDEX events_of_others (position>? AND position<?)",
            "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)",
        ]

    def test_two_logs_of_one_process(self, path: Path, log: SqliteEventLog) -> None:
        with closing(SqliteEventLog(path)) as other, ThreadPoolExecutor(1) as threads:
            waiter = threads.submit(log.wait, 0, PLENTY_S)
            other.append(Append(RUN, 0, events(2)))
            assert waiter.result(PLENTY_S) == 2

    def test_opening_it_again_leaves_the_first_ones_locks_alone(self, path: Path, log: SqliteEventLog) -> None:
        """POSIX takes a process all its locks on a file when it closes *any* descriptor of that file.

        Another process then believes to be the last one, and deletes on leaving what is still being written to.
        """
        code = """
log = SqliteEventLog(path)
log.append(Append(run_id, 1, [event(1)]))
log.close()
print("left")
"""
        log.append(Append(RUN, 0, events(1)))
        SqliteEventLog(path).close()
        with process(code, path) as child:
            assert child.communicate(timeout=PLENTY_S)[0] == "left\n"
        assert (path.parent / "log.db-wal").exists()
        assert log.append(Append(RUN, 2, events(1, 2))) == 3
        with closing(SqliteEventLog(path)) as other:
            assert [recorded.event for recorded in other.read(RUN)] == events(3)

    def test_several_create_the_file_and_compete_for_one_run(self, path: Path) -> None:
        code = """
sys.stdin.readline()
log = SqliteEventLog(path)
done = 0
while done < 20:
    version = log.version(run_id)
    try:
        log.append(Append(run_id, version, [event(version)]))
        done += 1
    except VersionConflictError:
        pass
log.close()
print(done)
"""
        with process(code, path) as one, process(code, path) as two, process(code, path) as three:
            children = (one, two, three)
            with ThreadPoolExecutor(len(children)) as threads:
                told = list(threads.map(go, children))
        assert told == ["20\n"] * 3
        with closing(SqliteEventLog(path)) as log:
            assert [recorded.event for recorded in log.read(RUN)] == events(60)

    def test_several_take_a_run_from_one_another(self, path: Path, log: SqliteEventLog) -> None:
        """Whoever was fenced appends nothing more: along the stream, epochs never go back."""
        code = """
sys.stdin.readline()
log = SqliteEventLog(path, durability="relaxed")
owner = Owner(str(sys.argv), "somebody")
won = lost = 0
while won < 30:
    epoch = log.claim(run_id, owner, now=Instant(0.0), ttl_s=0.0)
    for _ in range(3):
        version = log.version(run_id)
        try:
            log.append(Append(run_id, version, [event(version)], epoch=epoch))
            won += 1
        except FencedError:
            lost += 1
            break
        except VersionConflictError:
            pass
log.close()
print("done")
"""
        log.append(Append(RUN, 0, events(1)))
        with (
            process(code, path) as one,
            process(code, path) as two,
            process(code, path) as three,
            ThreadPoolExecutor(3) as threads,
        ):
            assert list(threads.map(go, (one, two, three))) == ["done\n"] * 3
        epochs = [recorded.epoch for recorded in log.read(RUN)]
        assert epochs == sorted(epochs)
        assert len(epochs) > 90
        assert epochs[-1] <= log.ownership(RUN).epoch


def go(child: subprocess.Popen[str]) -> str:
    return child.communicate("go\n", timeout=PLENTY_S)[0]


class TestLocation:
    def test_the_state_directory_of_the_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
        assert default_path() == Path("/var/state/flowcore/flowcore.db")

    @pytest.mark.parametrize("state", [None, "", "relative/path"])
    def test_the_home_directory_otherwise(self, monkeypatch: pytest.MonkeyPatch, state: str | None) -> None:
        monkeypatch.setenv("HOME", "/home/ada")
        if state is None:
            monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        else:
            monkeypatch.setenv("XDG_STATE_HOME", state)
        assert default_path() == Path("/home/ada/.local/state/flowcore/flowcore.db")

    def test_its_directory_is_made_for_the_user_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "new" / "state"))
        before = os.umask(0)
        try:
            assert make_default_path() == default_path()
        finally:
            os.umask(before)
        assert default_path().parent.stat().st_mode & 0o777 == 0o700
        SqliteEventLog(make_default_path()).close()

    def test_a_directory_that_cannot_be_made_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "state").touch()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        with pytest.raises(LogError, match=r"state/flowcore/flowcore\.db: Not a directory"):
            make_default_path()
