"""What becomes of large values: files beside the SQLite log, each value once."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from flowcore.errors import EventFormatError, LogError, VersionConflictError
from flowcore.ids import InstanceId, RunId, StepName
from flowcore.json_text import to_json
from flowcore.ports import Append
from flowcore.run.events import AttemptSucceeded, FanOutStarted
from flowcore.values import Instant, Json
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.logs.sqlite.turn import Turn
from flowcore_adapters.logs.sqlite.values import LARGE_BYTES, UNUSED_S

PLENTY_S: Final = 60.0
RUN, OTHER = RunId(1733524800000), RunId(1733524800001)
LARGE: Final = "x" * LARGE_BYTES
"""Two quotes longer than what is kept in the file itself."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteEventLog]:
    log = SqliteEventLog(path)
    yield log
    log.close()


def succeeded(**outputs: Json) -> AttemptSucceeded:
    return AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs=outputs, at=Instant(1.0), notes=("odd",))


def beside(path: Path) -> list[Path]:
    """Return the files with values."""
    directory = path.with_name("log.db.values")
    return sorted(directory.iterdir()) if directory.exists() else []


def row(path: Path) -> tuple[str, str | None]:
    """Return what stands in the file itself for the last event."""
    with closing(sqlite3.connect(path)) as connection:
        found: tuple[str, str | None] = connection.execute(
            "SELECT data, large FROM events ORDER BY position DESC"
        ).fetchone()
        return found


def edit(path: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, parameters)


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def digest(value: Json) -> str:
    return hashlib.sha256(to_json(value).encode()).hexdigest()


class TestStoring:
    @pytest.mark.parametrize(
        "value",
        [
            LARGE,
            [LARGE, 1, {"ü": None}],
            {"rows": ["é" * (LARGE_BYTES // 2)]},
            "é" * (LARGE_BYTES // 2),
            list(range(200_000)),
        ],
        ids=["text", "list", "mapping", "not ASCII", "numbers"],
    )
    def test_a_large_value_is_beside_the_file_and_comes_back(
        self, path: Path, log: SqliteEventLog, value: Json
    ) -> None:
        event = succeeded(small=[1, None], large=value, null=None)
        log.append(Append(RUN, 0, [event]))

        data, large = row(path)
        assert data == (
            '{"instance":"a","attempt":1,"outputs":{"small":[1,null],"large":null,"null":null},"at":1.0,"notes":["odd"]}'
        )
        assert large == to_json({"large": digest(value)})
        (file,) = beside(path)
        assert file.name == digest(value)
        assert file.read_text() == to_json(value)
        assert [recorded.event for recorded in log.read(RUN)] == [event]

    @pytest.mark.parametrize("value", ["x" * (LARGE_BYTES - 2), "é" * (LARGE_BYTES // 2 - 1)])
    def test_up_to_1_mib_of_json_text_is_not_large(self, path: Path, log: SqliteEventLog, value: str) -> None:
        log.append(Append(RUN, 0, [succeeded(one=value, two=value)]))
        assert row(path)[1] is None
        assert beside(path) == []

    def test_what_is_no_output_stays(self, path: Path, log: SqliteEventLog) -> None:
        event = FanOutStarted(step=StepName("a"), items=(LARGE,), at=Instant(1.0))
        log.append(Append(RUN, 0, [event]))
        assert beside(path) == []
        assert [recorded.event for recorded in log.read(RUN)] == [event]

    def test_equal_values_are_one_file(self, path: Path, log: SqliteEventLog) -> None:
        event = succeeded(one=LARGE, two=LARGE)
        log.append(Append(RUN, 0, [event, event]), Append(OTHER, 0, [event]))
        with closing(SqliteEventLog(path)) as another:
            another.append(Append(OTHER, 1, [event]))
        assert len(beside(path)) == 1
        assert [recorded.event for recorded in log.read(OTHER)] == [event, event]

    def test_they_are_for_the_user_alone(self, path: Path, log: SqliteEventLog) -> None:
        before = os.umask(0)
        try:
            log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        finally:
            os.umask(before)
        (file,) = beside(path)
        assert oct(file.parent.stat().st_mode & 0o777) == oct(0o700)
        assert oct(file.stat().st_mode & 0o777) == oct(0o600)

    def test_data_that_looks_like_a_reference_is_data(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        lookalike = succeeded(large=to_json({"large": digest(LARGE)}), outputs={"large": digest(LARGE)})
        log.append(Append(OTHER, 0, [lookalike]))
        assert [recorded.event for recorded in log.read(OTHER)] == [lookalike]

    def test_threads_with_the_same_value(self, path: Path, log: SqliteEventLog) -> None:
        event = succeeded(large=LARGE)
        runs = [RunId(number) for number in range(8)]

        def append(run_id: RunId) -> int:
            return log.append(Append(run_id, 0, [event]))

        with ThreadPoolExecutor(8) as threads:
            assert sorted(threads.map(append, runs)) == list(range(1, 9))
        assert len(beside(path)) == 1
        assert all([recorded.event for recorded in log.read(run_id)] == [event] for run_id in runs)

    def test_the_disk_has_it_before_the_event(
        self, path: Path, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log.append(Append(RUN, 0, [succeeded(small=1)]))
        done: list[str] = []
        sync = os.fsync
        names = {path.parent: "parent", path.with_name("log.db.values"): "directory"}

        def fsync(descriptor: int) -> None:
            done.append(names.get(Path(f"/proc/self/fd/{descriptor}").readlink(), "file"))
            if digest(LARGE) in [each.name for each in beside(path)]:
                done.append("with its name")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        log._writer.cursor().connection.set_trace_callback(done.append)
        log.append(Append(RUN, 1, [succeeded(large=LARGE)]))
        started = done.index("BEGIN IMMEDIATE")
        assert done[:started] == ["parent", "file", "directory", "with its name"]
        assert done[-1] == "COMMIT"


class TestTrouble:
    @pytest.fixture
    def value(self, path: Path, log: SqliteEventLog) -> Path:
        log.append(Append(RUN, 0, [succeeded(small=1), succeeded(large=LARGE)]), Append(OTHER, 0, [succeeded(ok=1)]))
        (file,) = beside(path)
        return file

    def test_a_missing_file_is_named(self, log: SqliteEventLog, value: Path) -> None:
        value.unlink()
        reader = log.read(RUN)
        assert next(reader).version == 1
        told = f"run {RUN}, position 2: a large value cannot be read: {value}: No such file"
        with pytest.raises(EventFormatError, match=told):
            next(reader)
        assert [recorded.version for recorded in log.read(OTHER)] == [1], "the other streams go on"

    @pytest.mark.parametrize("content", [b"", b'"y"', f'"{LARGE}" '.encode(), b"\xff"])
    def test_a_damaged_file_is_named(self, log: SqliteEventLog, value: Path, content: bytes) -> None:
        value.write_bytes(content)
        with pytest.raises(EventFormatError, match=f"run {RUN}, position 2: a large value is damaged: {value}"):
            list(log.read(RUN))

    @pytest.mark.parametrize("content", [b"", b'"y"', f'"{"y" * LARGE_BYTES}"'.encode()])
    def test_a_damaged_file_is_not_used_again_but_mended(
        self, path: Path, log: SqliteEventLog, value: Path, content: bytes
    ) -> None:
        value.write_bytes(content)
        log.append(Append(OTHER, 1, [succeeded(large=LARGE)]))
        assert beside(path) == [value]
        assert [recorded.event for recorded in log.read(RUN)][1] == succeeded(large=LARGE)

    @pytest.mark.parametrize(
        ("large", "problem"),
        [
            ("{", "not JSON"),
            ("[]", "broken references"),
            ('{"large":1}', "broken references"),
            ('{"large":"../log.db"}', "broken references"),
            ('"x"', "broken references"),
            ('{"other":"' + "0" * 64 + '"}', "do not fit the outputs: other"),
        ],
    )
    def test_broken_references_are_named(
        self, path: Path, log: SqliteEventLog, value: Path, large: str, problem: str
    ) -> None:
        edit(path, "UPDATE events SET large = ? WHERE position = 2", large)
        with pytest.raises(EventFormatError, match=f"run {RUN}, position 2: .*{problem}"):
            list(log.read(RUN))

    @pytest.mark.parametrize(
        ("data", "problem"), [("[]", "without outputs"), ("{}", "without outputs"), ('{"outputs":{"large":1}}', "fit")]
    )
    def test_a_payload_without_room_for_them_is_named(
        self, path: Path, log: SqliteEventLog, value: Path, data: str, problem: str
    ) -> None:
        edit(path, "UPDATE events SET data = ? WHERE position = 2", data)
        with pytest.raises(EventFormatError, match=f"run {RUN}, position 2: large values .*{problem}"):
            list(log.read(RUN))

    def test_no_room_for_the_directory(self, path: Path, log: SqliteEventLog) -> None:
        path.with_name("log.db.values").touch()
        with pytest.raises(LogError, match=r"log\.db\.values.*: nothing was appended: File exists"):
            log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        with pytest.raises(LogError, match=r"log\.db\.values: Not a directory"):
            log.collect_values()
        assert log.append(Append(RUN, 0, [succeeded(small=1)])) == 1

    def test_a_file_that_cannot_be_finished_leaves_nothing(
        self, path: Path, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        log.append(Append(OTHER, 0, [succeeded(large=[LARGE])]))
        (other,) = beside(path)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(LogError, match="No space left on device"):
            log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        monkeypatch.undo()
        assert beside(path) == [other]
        assert log.append(Append(RUN, 0, [succeeded(large=LARGE)])) == 2

    def test_a_crash_between_the_file_and_the_commit_does_no_harm(self, path: Path, log: SqliteEventLog) -> None:
        code = """
import os, signal, sys
from flowcore.ids import InstanceId, RunId
from flowcore.ports import Append
from flowcore.run.events import AttemptSucceeded
from flowcore.values import Instant
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.logs.sqlite.turn import Turn

Turn.write = lambda turn: os.kill(os.getpid(), signal.SIGKILL)
event = AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs={"x": "x" * 2**20}, at=Instant(1.0))
SqliteEventLog(sys.argv[1]).append(Append(RunId(7), 0, [event]))
"""
        child = subprocess.run([sys.executable, "-c", code, str(path)], timeout=PLENTY_S, check=False)
        assert child.returncode == -signal.SIGKILL
        (file,) = beside(path)
        assert (log.position(), file.name) == (0, digest(LARGE))

        file.write_bytes(b"torn")
        log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        assert [recorded.event for recorded in log.read(RUN)] == [succeeded(large=LARGE)]


class TestCollecting:
    def test_nothing(self, path: Path, log: SqliteEventLog) -> None:
        assert log.collect_values() == 0
        log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        age(beside(path)[0], 10 * UNUSED_S)
        assert log.collect_values() == 0
        assert len(beside(path)) == 1

    def test_what_nobody_refers_to_any_more(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, [succeeded(one=LARGE, two=[LARGE])]), Append(OTHER, 0, [succeeded(one=LARGE)]))
        stray = path.with_name("log.db.values") / ".half"
        stray.touch()
        for file in beside(path):
            age(file, UNUSED_S + 60)
        edit(path, "DELETE FROM events WHERE run_id = ?", RUN)
        assert log.collect_values() == 2
        assert [file.name for file in beside(path)] == [digest(LARGE)]
        assert [recorded.event for recorded in log.read(OTHER)] == [succeeded(one=LARGE)]
        assert log.collect_values() == 0

    def test_what_is_young_may_be_about_to_be_used(self, path: Path, log: SqliteEventLog) -> None:
        log._values.put('"young"')
        log._values.put('"old"')
        age(path.with_name("log.db.values") / digest("old"), UNUSED_S + 60)
        age(path.with_name("log.db.values") / digest("young"), UNUSED_S - 60)
        assert log.collect_values() == 1
        assert [file.name for file in beside(path)] == [digest("young")]

    def test_what_is_deleted_while_its_event_waits_is_there_all_the_same(
        self, path: Path, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another process collects an old file after it was compared, and before the event that is to refer to it."""
        log._values.put(to_json(LARGE))
        (file,) = beside(path)
        age(file, 2 * UNUSED_S)
        begin = Turn.__init__

        def late(turn: Turn, cursor: sqlite3.Cursor) -> None:
            with closing(SqliteEventLog(path)) as other:
                monkeypatch.undo()
                assert other.collect_values() == 1
            begin(turn, cursor)

        monkeypatch.setattr(Turn, "__init__", late)
        log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        assert [recorded.event for recorded in log.read(RUN)] == [succeeded(large=LARGE)]

    def test_broken_references_delete_nothing(self, path: Path, log: SqliteEventLog) -> None:
        log.append(Append(RUN, 0, [succeeded(large=LARGE)]))
        age(beside(path)[0], 2 * UNUSED_S)
        edit(path, "UPDATE events SET large = '[]'")
        with pytest.raises(EventFormatError, match="broken references"):
            log.collect_values()
        assert len(beside(path)) == 1

    def test_beside_writers_of_other_processes(self, path: Path, log: SqliteEventLog) -> None:
        """The same few values come and go; none that is referred to is ever missing."""
        code = """
import sys
from flowcore.ids import InstanceId, RunId
from flowcore.ports import Append
from flowcore.run.events import AttemptSucceeded
from flowcore.values import Instant
from flowcore_adapters.logs.sqlite import SqliteEventLog, values

values.LARGE_BYTES = 10
run = RunId(int(sys.argv[2]))
log = SqliteEventLog(sys.argv[1], durability="relaxed")
for turn in range(150):
    outputs = {"x": f"the value of {turn % 5}"}
    event = AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs=outputs, at=Instant(1.0))
    log.append(Append(run, turn, [event]))
"""
        children = [subprocess.Popen([sys.executable, "-c", code, str(path), str(run)]) for run in (RUN, OTHER)]
        deadline = time.monotonic() + PLENTY_S
        while any(child.poll() is None for child in children) and time.monotonic() < deadline:
            for file in beside(path):
                # Not what is being written at this moment: that is never as old.
                if not file.name.startswith("."):
                    age_if_there(file)
            log.collect_values()
        assert [child.wait(PLENTY_S) for child in children] == [0, 0]
        for run in (RUN, OTHER):
            told = [recorded.event for recorded in log.read(run)]
            assert told == [succeeded_with(f"the value of {turn % 5}") for turn in range(150)]


def age_if_there(file: Path) -> None:
    try:
        age(file, 2 * UNUSED_S)
    except FileNotFoundError:
        return


def succeeded_with(value: str) -> AttemptSucceeded:
    return AttemptSucceeded(instance=InstanceId("a"), attempt=1, outputs={"x": value}, at=Instant(1.0))


def test_a_conflict_leaves_the_log_as_it_was(path: Path, log: SqliteEventLog) -> None:
    with pytest.raises(VersionConflictError):
        log.append(Append(RUN, 3, [succeeded(large=LARGE)]))
    assert list(log.runs()) == []
    assert log.append(Append(RUN, 0, [succeeded(large=LARGE)])) == 1
