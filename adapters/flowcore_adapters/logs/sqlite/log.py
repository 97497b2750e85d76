"""The log itself: a writer, readers that hold no transaction, and those who wait."""

import sqlite3
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from flowcore.codec import decode
from flowcore.errors import EventFormatError, LogError, RunNotFoundError
from flowcore.ids import RunId
from flowcore.json_text import from_json
from flowcore.ports import Append, Owner, Ownership, Recorded, Requests
from flowcore.values import Instant

from . import owners
from .changes import CommitFile, Look
from .file import connect, explain, number, prepare
from .writing import POSITION, Durability, Writer, payload

POLL_S: Final = 0.05
"""How soon, in seconds, the appends of other processes are noticed."""

_CHUNK: Final = 256
"""How many rows are read at a time: a slow reader must hold neither many of them nor a transaction."""
_IDLE_READERS: Final = 8
_MAX_INTEGER: Final = 2**63 - 1
_VERSION: Final = "SELECT version FROM runs WHERE run_id = ?"
_RUNS: Final = "SELECT run_id FROM runs ORDER BY run_id DESC LIMIT ?"
# As bytes: text that is not UTF-8 would otherwise fail in the driver, which cannot say which row it is.
_READ: Final = (
    "SELECT position, version, epoch, type, schema, CAST(data AS BLOB) FROM events"
    " WHERE run_id = ? AND version > ? ORDER BY version LIMIT ?"
)
_REQUESTS: Final = "SELECT position, run_id FROM events WHERE epoch = 0 AND position > ? ORDER BY position"


class SqliteEventLog:
    """An `EventLog` in an SQLite file; safe for threads and for several processes."""

    def __init__(self, path: Path | str, *, durability: Durability = "full") -> None:
        """Open the log at *path*; the file and its directory are created when missing, for the user alone.

        Args:
            path: The file.
            durability: "full": what was acknowledged survives a power failure. "relaxed": the last events may be lost
                by one (never by a crash of the process), and what is left is whole; many times as fast.

        Raises:
            LogError: There is something else at *path*, or it cannot be used.
        """
        # Absolute: the directory may change, and names such as `:memory:` mean something to SQLite.
        self._path = Path(path).absolute()
        prepare(self._path)
        self._closed = False
        self._writer = Writer(self._path, durability, self._committed)
        self._over = threading.Event()
        # Reading.
        self._readers_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._file = CommitFile(self._path)
        self._quiet: tuple[Look, int] | None = None
        # Waiting.
        self._moved = threading.Condition()
        self._waiting = 0
        self._position = 0
        self._watcher: sqlite3.Connection | None = None
        self._data_version: int | None = None

    def append(self, *appends: Append) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`).

        Raises:
            EventFormatError: An event holds something that cannot be stored, such as NaN; nothing was appended.
        """
        for append in appends:
            if not _storable(append.run_id):
                raise LogError(f"run id {append.run_id} is too large for the log")
        payloads = [[payload(event) for event in append.events] for append in appends]
        return self._writer.execute(lambda turn: turn.place(appends, payloads))

    def claim(self, run_id: RunId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None) -> int:
        """Make *owner* the one who drives *run_id* (see `EventLog.claim`)."""
        if not _storable(run_id):
            raise RunNotFoundError(f"no run {run_id} in this log")
        return self._writer.execute(lambda turn: owners.claim(turn, run_id, owner, now=now, ttl_s=ttl_s, over=over))

    def renew(self, owner: Owner, *, now: Instant, ttl_s: float) -> None:
        """Let the lease of *owner* last until *ttl_s* seconds after *now*."""
        self._writer.execute(lambda turn: owners.renew(turn, owner, now + ttl_s))

    def release(self, owner: Owner, *run_ids: RunId) -> None:
        """Let go of *run_ids*."""
        if run_ids:
            self._writer.execute(lambda turn: owners.release(turn, owner, run_ids))

    def ownership(self, run_id: RunId) -> Ownership:
        """Return who drives *run_id*."""
        found = None
        if _storable(run_id):
            with self._reader() as connection:
                found = owners.ownership(connection, run_id)
        return Ownership(None, 0) if found is None else found

    def requests(self, after: int, timeout_s: float) -> Requests:
        """Block until somebody who is no owner has appended past *after* (see `EventLog.requests`)."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._reader() as connection:
                rows: list[tuple[int, int]] = connection.execute(_REQUESTS, (after,)).fetchall()
            remaining_s = deadline - time.monotonic()
            if rows or remaining_s <= 0:
                position = rows[-1][0] if rows else after
                return Requests(position, tuple(dict.fromkeys(RunId(run_id) for _, run_id in rows)))
            # Polled like the position in `wait`, and for the same reason; an owner's own appends wake nobody.
            if self._over.wait(min(remaining_s, POLL_S)):
                raise LogError("the event log is closed")

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* whose version is above *after* (see `EventLog.read`).

        Raises:
            EventFormatError: The next event is broken, missing, or of a newer version of flowcore.
            LogError: The file cannot be read.
        """
        if not _storable(run_id) or not _storable(after):
            return
        more = True
        while more:
            with self._reader() as connection:
                rows: list[tuple[int, int, int, str, int, bytes]]
                rows = connection.execute(_READ, (run_id, after, _CHUNK)).fetchall()
            for position, version, epoch, type_, schema, data in rows:
                after += 1
                if version != after:
                    raise EventFormatError(f"run {run_id}: event {after} is missing before position {position}")
                try:
                    event = decode(type_, schema, from_json(data.decode()))
                except ValueError as error:
                    raise EventFormatError(f"run {run_id}, position {position}: {error}") from error
                yield Recorded(run_id, position, version, event, epoch)
            more = len(rows) == _CHUNK

    def version(self, run_id: RunId) -> int:
        """Return the version of the last event of *run_id*."""
        if not _storable(run_id):
            return 0
        with self._reader() as connection:
            return number(connection, _VERSION, run_id)

    def position(self) -> int:
        """Return the position of the last event, whichever process appended it."""
        # Every request for a view asks this first, and mostly nothing has happened since the last one: then the file
        # that every commit is written to has not changed either, and asking for that is less than asking SQLite.
        before = self._file.look()
        known = self._quiet
        if known is not None and known[0] == before:
            return known[1]
        position = self._query_position()
        if before is not None and before.quiet:
            self._quiet = before, position
        return position

    def _query_position(self) -> int:
        # Taking from a list is one step that no other thread can come between, so there is no need for the lock and the
        # generator of `_reader`, which take longer than the query.
        try:
            connection = self._readers.pop()
        except IndexError:
            with self._reader() as connection:
                return number(connection, POSITION)
        try:
            return number(connection, POSITION)
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {explain(error)}") from error
        finally:
            self._readers.append(connection)
            if self._closed:
                # `close` has been through the list before this one was back in it.
                with suppress(IndexError):
                    self._readers.pop().close()

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first."""
        with self._reader() as connection:
            rows: list[tuple[int]] = connection.execute(_RUNS, (_MAX_INTEGER if limit is None else limit,)).fetchall()
        return [RunId(run_id) for (run_id,) in rows]

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until the log is past *position*, *timeout_s* is over or the log is closed (see `EventLog.wait`)."""
        deadline = time.monotonic() + timeout_s
        with self._moved:
            self._waiting += 1
            try:
                if self._closed:
                    # Answering at once would turn a follower's loop into a busy one.
                    raise LogError("the event log is closed")
                while self._position <= position and not self._closed:
                    self._look()
                    remaining_s = deadline - time.monotonic()
                    if self._position > position or remaining_s <= 0:
                        break
                    # The one poll that is accepted: SQLite tells nobody of what other processes commit. It goes on only
                    # while somebody waits, and asks for a number in shared memory.
                    self._moved.wait(min(remaining_s, POLL_S))
            finally:
                self._waiting -= 1
            return self._position

    def close(self) -> None:
        """Wake whoever waits, let the running append finish, and close the file."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()
            watcher, self._watcher = self._watcher, None
        self._over.set()
        self._writer.close()
        with self._readers_lock:
            readers, self._readers = self._readers, []
        for connection in (watcher, *readers):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    def _committed(self, position: int) -> None:
        """Wake whoever waits for what was committed here."""
        with self._moved:
            if position > self._position:
                self._position = position
                if self._waiting:
                    self._moved.notify_all()

    @contextmanager
    def _reader(self) -> Generator[sqlite3.Connection]:
        """Lend a connection for one query, and name what goes wrong with it."""
        with self._readers_lock:
            if self._closed:
                raise LogError("the event log is closed")
            connection = self._readers.pop() if self._readers else None
        try:
            if connection is None:
                connection = connect(self._path)
            yield connection
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {explain(error)}") from error
        finally:
            if connection is not None:
                with self._readers_lock:
                    keep = len(self._readers) < _IDLE_READERS and not self._closed
                    if keep:
                        self._readers.append(connection)
                if not keep:
                    connection.close()

    def _look(self) -> None:
        """Bring the position known up to date with what other processes committed; the caller holds the condition."""
        try:
            if self._watcher is None:
                self._watcher = connect(self._path)
            data_version = number(self._watcher, "PRAGMA data_version")
            if data_version != self._data_version:
                self._position = max(self._position, number(self._watcher, POSITION))
                self._data_version = data_version
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {explain(error)}") from error


def _storable(number: int) -> bool:
    return -_MAX_INTEGER <= number <= _MAX_INTEGER
