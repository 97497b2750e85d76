"""The log itself: the port, put together from those who write, those who read and those who wait."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowcore.batch.machine import BatchStatus
from flowcore.errors import EventFormatError, LogError, RunNotFoundError
from flowcore.ids import BatchId, RunId, StreamId
from flowcore.ports import (
    AnyAppend,
    AnyRecorded,
    BatchPage,
    Owner,
    Ownership,
    Recorded,
    RecordedBatch,
    Requests,
    Snapshot,
)
from flowcore.values import Instant

from . import batches, owners, runs, snapshots
from .file import prepare
from .reading import POSITION, Readers
from .rows import (
    FOLLOW,
    MAX_INTEGER,
    READ,
    READ_BATCH,
    Followed,
    Stored,
    followed,
    in_use,
    payloads,
    recorded,
    recorded_batch,
    storable,
)
from .turn import Turn
from .values import LargeValues
from .watching import Watcher
from .writing import Durability, Writer

_CHUNK: Final = 256
"""How many rows are read at a time: a slow reader must hold neither many of them nor a transaction."""

_TORN: Final = (
    "SELECT run_id FROM runs AS r WHERE version IS NOT (SELECT max(version) FROM events AS e WHERE e.run_id = r.run_id)"
    " UNION SELECT DISTINCT run_id FROM events WHERE run_id NOT IN (SELECT run_id FROM runs)"
)
"""Runs whose entry does not say what their last event is, and events of runs without an entry."""


class SqliteEventLog:
    """An `EventLog` in an SQLite file; safe for threads and for several processes."""

    def __init__(self, path: Path | str, *, durability: Durability = "full") -> None:
        """Open the log at *path*; the file and its directory are created when missing, for the user alone.

        Args:
            path: The file. One of an older version of flowcore is upgraded.
            durability: "full": what was acknowledged survives a power failure. "relaxed": the last events may be lost
                by one (never by a crash of the process), and what is left is whole; many times as fast.

        Raises:
            LogError: There is something else at *path*, or it cannot be used.
        """
        # Absolute: the directory may change, and names such as `:memory:` mean something to SQLite.
        path = Path(path).absolute()
        prepare(path)
        self._values = LargeValues(path)
        self._readers = Readers(path)
        self._watcher = Watcher(path)
        self._writer = Writer(path, durability, self._watcher.committed)

    def append(self, *appends: AnyAppend) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`).

        Raises:
            EventFormatError: An event holds something that cannot be stored, such as NaN; nothing was appended.
        """
        for append in appends:
            if not storable(append.stream):
                raise LogError(f"run id {append.stream} is too large for the log")
        texts: dict[str, str] = {}
        stored = [payloads(append, self._values, texts) for append in appends]

        def work(turn: Turn) -> int:
            self._values.keep(texts)
            return turn.place(appends, stored)

        return self._writer.append(work)

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* whose version is above *after* (see `EventLog.read`).

        Raises:
            EventFormatError: The next event is broken, missing, or of a newer version of flowcore; or a large value
                beside the file is missing or damaged.
            LogError: The file cannot be read.
        """
        for row in self._rows(READ, run_id, after):
            yield recorded(run_id, row, self._values)

    def read_batch(self, batch_id: BatchId, *, after: int = 0) -> Iterator[RecordedBatch]:
        """Yield the events of *batch_id* whose version is above *after* (see `EventLog.read_batch` and `read`)."""
        for row in self._rows(READ_BATCH, batch_id, after):
            yield recorded_batch(batch_id, row, self._values)

    def _rows(self, query: str, stream: StreamId, after: int) -> Iterator[Stored]:
        """Yield the rows that *query* gives of a stream above version *after*, in order."""
        if not storable(stream) or not storable(after):
            return
        more = True
        while more:
            with self._readers.lend() as cursor:
                rows: list[Stored] = cursor.execute(
                    query, {"stream": stream, "after": after, "most": _CHUNK}
                ).fetchall()
            for row in rows:
                after += 1
                position, version, *_ = row
                if version != after:
                    raise EventFormatError(f"run {stream}: event {after} is missing before position {position}")
                yield row
            more = len(rows) == _CHUNK

    def follow(self, after: int, limit: int) -> Sequence[AnyRecorded]:
        """Return the events past position *after*, of runs and batches alike (see `EventLog.follow`).

        Raises:
            EventFormatError: One of them is broken, or of a newer version of flowcore.
            LogError: The file cannot be read.
        """
        if not storable(after):
            return []
        with self._readers.lend() as cursor:
            rows: list[Followed] = cursor.execute(FOLLOW, (after, min(limit, MAX_INTEGER))).fetchall()
        return [followed(row, self._values) for row in rows]

    def version(self, run_id: StreamId) -> int:
        """Return the version of the last event of *run_id*."""
        return self._readers.number(runs.VERSION, run_id) if storable(run_id) else 0

    def position(self) -> int:
        """Return the position of the last event, whichever process appended it."""
        return self._readers.number(POSITION)

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first."""
        if limit == 1:
            # What everybody asks who wants to see the most recent run.
            latest = self._readers.number(runs.LATEST)
            return [] if latest == runs.NONE else [RunId(latest)]
        with self._readers.lend() as cursor:
            rows: list[tuple[int]] = cursor.execute(runs.RUNS, (MAX_INTEGER if limit is None else limit,)).fetchall()
        return [RunId(run_id) for (run_id,) in rows]

    def batches(self, *, status: BatchStatus | None = None, limit: int | None = None, offset: int = 0) -> BatchPage:
        """Return some of the batches, newest first (see `EventLog.batches`)."""
        most = MAX_INTEGER if limit is None else min(limit, MAX_INTEGER)
        with self._readers.lend() as cursor:
            return batches.page(cursor, status, most, min(offset, MAX_INTEGER))

    def newest_id(self) -> RunId:
        """Return the highest id that a run or a batch ever had; 0 when there never was one."""
        return RunId(self._readers.number(runs.NEWEST))

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until the log is past *position*, *timeout_s* is over or the log is closed (see `EventLog.wait`)."""
        return self._watcher.wait(position, timeout_s)

    def claim(self, run_id: StreamId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None) -> int:
        """Make *owner* the one who drives *run_id* (see `EventLog.claim`)."""
        if not storable(run_id):
            raise RunNotFoundError(f"no run {run_id} in this log")
        # No claim waits for the disk: what a power failure takes back was followed by nothing that the disk has, and
        # the owner is gone as well. An append that is acknowledged takes the claim before it to the disk.
        return self._writer.alone(
            lambda turn: owners.claim(turn.cursor, run_id, owner, now=now, ttl_s=ttl_s, over=over), synced=False
        )

    def claim_all(
        self, run_ids: Sequence[RunId], owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None
    ) -> Sequence[int]:
        """Make *owner* the one who drives each of *run_ids* (see `EventLog.claim_all`)."""
        epochs: list[int] = []

        def work(turn: Turn) -> int:
            epochs.extend(owners.claim_all(turn.cursor, run_ids, owner, now=now, ttl_s=ttl_s, over=over))
            return len(epochs)

        # Not synced, as in `claim`.
        self._writer.alone(work, synced=False)
        return epochs

    def renew(self, owner: Owner, *, now: Instant, ttl_s: float) -> None:
        """Let the lease of *owner* last until *ttl_s* seconds after *now*."""
        if self._readers.number(owners.KNOWN, owner.id):
            self._writer.alone(lambda turn: owners.renew(turn.cursor, owner, now + ttl_s), synced=False)

    def release(self, owner: Owner, *run_ids: StreamId) -> None:
        """Let go of *run_ids*: those of them that *owner* owns."""
        held = [run_id for run_id in run_ids if storable(run_id)]
        if held:
            self._writer.alone(lambda turn: owners.release(turn.cursor, owner, held), synced=False)

    def ownership(self, run_id: StreamId) -> Ownership:
        """Return who drives *run_id*."""
        if not storable(run_id):
            return Ownership(None, 0)
        with self._readers.lend() as cursor:
            return owners.ownership(cursor, run_id) or Ownership(None, 0)

    def requests(self, after: int, timeout_s: float) -> Requests:
        """Block until somebody who is no owner has appended past *after* (see `EventLog.requests`)."""
        return self._watcher.requests(after, timeout_s)

    def snapshot(self, run_id: RunId, kind: str) -> Snapshot | None:
        """Return the newest snapshot of that kind; None when there is none."""
        if not storable(run_id):
            return None
        with self._readers.lend() as cursor:
            return snapshots.snapshot(cursor, run_id, kind)

    def save_snapshot(self, run_id: RunId, kind: str, version: int, data: bytes) -> None:
        """Keep *data* unless there is a newer snapshot of that kind (see `EventLog.save_snapshot`)."""
        new = Snapshot(version, data)
        if storable(run_id) and storable(version) and len(data) <= snapshots.MAX_BYTES:
            # A full disk, a file that is locked: whoever asks the next time folds some more events.
            with suppress(LogError):
                self._writer.alone(lambda turn: snapshots.save(turn.cursor, run_id, kind, new), synced=False)

    def delete_runs(self, *run_ids: StreamId, now: Instant, ended: bool = False) -> None:
        """Delete *run_ids*, or nothing (see `EventLog.delete_runs`); after this, call `collect_values`."""
        known = [run_id for run_id in run_ids if storable(run_id)]

        def work(turn: Turn) -> int:
            count = runs.delete(turn.cursor, known, now=now, position=turn.position + 1, ended=ended)
            turn.position += bool(count)
            return count

        # On the disk even at "relaxed": what brought a run back would not bring its large values back.
        self._writer.alone(work, synced=True)

    def collect_values(self) -> int:
        """Delete the large values beside the file that no event refers to any more, and return how many.

        For after `delete_runs`; other processes may go on using the log. What is younger than an hour stays.

        Raises:
            LogError: They cannot be deleted.
        """
        with self._readers.lend() as cursor:
            used = in_use(cursor)
        # Nearly always there is nothing to do, and no need to keep the writers waiting. Those who write large values
        # look in their own transaction whether these are still there, so none can come to be used in the midst of this.
        if not any(self._values.unused(used)):
            return 0
        return self._writer.alone(lambda turn: self._values.delete_unused(in_use(turn.cursor)), synced=False)

    def check_file(self) -> list[str]:
        """Return what is wrong with the file: as SQLite sees it, and where its tables contradict each other."""
        with self._readers.lend() as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check")]
            torn = connection.execute(_TORN).fetchall()
        damage = [] if found == ["ok"] else [str(line) for line in found]
        return damage + [f"run {run_id}: its events and its entry do not belong together" for (run_id,) in torn]

    def close(self) -> None:
        """Wake whoever waits, let the running append finish, and close the file."""
        self._watcher.close()
        self._writer.close()
        self._readers.close()
