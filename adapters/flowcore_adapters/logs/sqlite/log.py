"""The log itself: a queue of writers whose appends share transactions, readers that hold none, and those who wait."""

import sqlite3
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from flowcore.codec import decode, encode, from_json, to_json
from flowcore.errors import EventFormatError, LogError, VersionConflictError
from flowcore.ids import RunId
from flowcore.ports import Append, Recorded
from flowcore.run.events import Event

from .file import connect, explain, prepare

Durability: TypeAlias = Literal["full", "relaxed"]
"""What an acknowledged event survives: both `kill -9`; only "full" a power failure."""

POLL_S: Final = 0.05
"""How soon, in seconds, the appends of other processes are noticed."""

_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "FULL", "relaxed": "NORMAL"}
_CHUNK: Final = 256
"""How many rows are read at a time: a slow reader must hold neither many of them nor a transaction."""
_IDLE_READERS: Final = 8
_MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024
_MAX_INTEGER: Final = 2**63 - 1
_MAX_CHARACTERS: Final = 200_000_000
"""The longest payload: up to 800 MB as UTF-8, where SQLite ends at 1,000 MB. One caller's must not spoil a group."""

_POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"
_VERSION: Final = "SELECT version FROM runs WHERE run_id = ?"
_RUNS: Final = "SELECT run_id FROM runs ORDER BY run_id DESC LIMIT ?"
# As bytes: text that is not UTF-8 would otherwise fail in the driver, which cannot say which row it is.
_READ: Final = (
    "SELECT position, version, type, schema, CAST(data AS BLOB) FROM events"
    " WHERE run_id = ? AND version > ? ORDER BY version LIMIT ?"
)
_INSERT: Final = "INSERT INTO events (position, run_id, version, at, type, schema, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
_MOVE: Final = (
    "INSERT INTO runs (run_id, created, version) VALUES (?, ?, ?)"
    " ON CONFLICT (run_id) DO UPDATE SET version = excluded.version"
)

_Payload: TypeAlias = tuple[float, str, int, str]
"""What is stored of an event, apart from where: at, type, schema, data."""
_Row: TypeAlias = tuple[int, RunId, int, float, str, int, str]


@attrs.define(eq=False)
class _Request:
    """One caller's append on its way through the queue.

    Attributes:
        payloads: The events of each of *appends*.
        position: The answer, once *done*, unless there is an *error*.
    """

    appends: Sequence[Append]
    payloads: Sequence[Sequence[_Payload]]
    position: int = 0
    error: LogError | None = None
    done: bool = False


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
        self._synchronous = _SYNCHRONOUS[durability]
        prepare(self._path)
        self._closed = False
        # Writing: whoever leads commits for all who are in the queue.
        self._turn = threading.Condition()
        self._queue: list[_Request] = []
        self._leading = False
        self._writer: sqlite3.Connection | None = None
        # Reading.
        self._readers_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
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
        request = _Request(appends, [[_payload(event) for event in append.events] for append in appends])
        with self._turn:
            self._queue.append(request)
            try:
                while self._leading and not request.done:
                    self._turn.wait()
            except BaseException:
                # An interrupt: the caller takes it as not appended, so it must not be appended with the next one.
                if request in self._queue:
                    self._queue.remove(request)
                raise
            if not request.done:
                self._leading = True
                group, self._queue = self._queue, []
            else:
                group = []
        if group:
            self._lead(group)
        if request.error is not None:
            raise request.error
        return request.position

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
                rows: list[tuple[int, int, str, int, bytes]]
                rows = connection.execute(_READ, (run_id, after, _CHUNK)).fetchall()
            for position, version, type_, schema, data in rows:
                after += 1
                if version != after:
                    raise EventFormatError(f"run {run_id}: event {after} is missing before position {position}")
                try:
                    event = decode(type_, schema, from_json(data.decode()))
                except ValueError as error:
                    raise EventFormatError(f"run {run_id}, position {position}: {error}") from error
                yield Recorded(run_id, position, version, event)
            more = len(rows) == _CHUNK

    def version(self, run_id: RunId) -> int:
        """Return the version of the last event of *run_id*."""
        if not _storable(run_id):
            return 0
        with self._reader() as connection:
            return _number(connection, _VERSION, run_id)

    def position(self) -> int:
        """Return the position of the last event, whichever process appended it."""
        # Every request for a view asks this first. Taking from a list is one step that no other thread can come
        # between, so there is no need for the lock and the generator of `_reader`, which take longer than the query.
        try:
            connection = self._readers.pop()
        except IndexError:
            with self._reader() as connection:
                return _number(connection, _POSITION)
        try:
            return _number(connection, _POSITION)
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
        with self._turn:
            while self._leading:
                self._turn.wait()
            writer, self._writer = self._writer, None
        with self._readers_lock:
            readers, self._readers = self._readers, []
        if writer is not None:
            # So that the next one to open it has little to recover. PASSIVE waits for nobody; failing loses nothing.
            with suppress(sqlite3.Error):
                writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        for connection in (watcher, *readers, writer):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    def _lead(self, group: Sequence[_Request]) -> None:
        """Commit *group* and hand on the lead."""
        position = 0
        try:
            position = self._commit(group)
        except (sqlite3.Error, LogError) as error:
            reason = explain(error) if isinstance(error, sqlite3.Error) else str(error)
            for request in group:
                request.error = LogError(f"{self._path}: nothing was appended: {reason}")
                request.error.__cause__ = error
        except BaseException:
            # An interrupt: the others must not wait for ever.
            for request in group:
                request.error = LogError(f"{self._path}: the writer was interrupted")
            raise
        finally:
            with self._turn:
                for request in group:
                    request.done = True
                self._leading = False
                self._turn.notify_all()
            with self._moved:
                if position > self._position:
                    self._position = position
                    if self._waiting:
                        self._moved.notify_all()

    def _commit(self, group: Sequence[_Request]) -> int:
        """Append in one transaction what *group* asks for, answer each of them, and return the log's position."""
        connection = self._open_writer()
        try:
            # Never deferred: a transaction that starts by reading fails when another process writes before it does.
            connection.execute("BEGIN IMMEDIATE")
            turn = _Turn(connection, _number(connection, _POSITION))
            for request in group:
                try:
                    turn.place(request)
                except VersionConflictError as error:  # its own affair: the others go on
                    request.error = error
            turn.write()
            connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back already, and doing it again would raise.
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return turn.position

    def _open_writer(self) -> sqlite3.Connection:
        """Return the connection of whoever leads."""
        if self._closed:
            raise LogError("the event log is closed")
        if self._writer is None:
            self._writer = connect(self._path)
            self._writer.execute(f"PRAGMA synchronous = {self._synchronous}")
            # The file beside it keeps the size of the largest burst otherwise.
            self._writer.execute(f"PRAGMA journal_size_limit = {_MAX_JOURNAL_BYTES}")
        return self._writer

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
            data_version = _number(self._watcher, "PRAGMA data_version")
            if data_version != self._data_version:
                self._position = max(self._position, _number(self._watcher, _POSITION))
                self._data_version = data_version
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {explain(error)}") from error


@attrs.define
class _Turn:
    """A transaction: what it has read, and what it is going to write.

    Attributes:
        position: The position of the last event, those placed included.
    """

    _connection: sqlite3.Connection
    position: int
    _versions: dict[RunId, int] = attrs.field(factory=dict[RunId, int])
    _first: dict[RunId, int] = attrs.field(factory=dict[RunId, int])
    _rows: list[_Row] = attrs.field(factory=list[_Row])

    def place(self, request: _Request) -> None:
        """Give the events of *request* their places, all of them or none.

        Raises:
            VersionConflictError: One of the streams has moved on.
        """
        moved: dict[RunId, int] = {}
        for append, payloads in zip(request.appends, request.payloads, strict=True):
            run_id = append.run_id
            version = moved.get(run_id, self._versions.get(run_id))
            if version is None:
                version = _number(self._connection, _VERSION, run_id)
            if version != append.expected_version:
                raise VersionConflictError(f"run {run_id} is at version {version}, not {append.expected_version}")
            moved[run_id] = version + len(payloads)
        self._versions |= moved
        for append, payloads in zip(request.appends, request.payloads, strict=True):
            run_id, position, version = append.run_id, self.position, append.expected_version
            if payloads:
                self._first.setdefault(run_id, position + 1)
            self._rows += [
                (position + index, run_id, version + index, *payload) for index, payload in enumerate(payloads, 1)
            ]
            self.position += len(payloads)
        request.position = self.position

    def write(self) -> None:
        """Hand the rows to SQLite."""
        self._connection.executemany(_INSERT, self._rows)
        self._connection.executemany(_MOVE, [(run, first, self._versions[run]) for run, first in self._first.items()])


def _payload(event: Event) -> _Payload:
    """Return what is stored of *event*."""
    encoded = encode(event)
    data = to_json(encoded.data)
    if len(data) > _MAX_CHARACTERS:
        raise LogError(f"an event of {len(data)} characters is too large for the log")
    return event.at, encoded.type, encoded.schema, data


def _storable(number: int) -> bool:
    return -_MAX_INTEGER <= number <= _MAX_INTEGER


def _number(connection: sqlite3.Connection, query: str, *parameters: int) -> int:
    """Return the number that *query* gives; 0 when it gives no row."""
    row: tuple[int] | None = connection.execute(query, parameters).fetchone()
    return 0 if row is None else row[0]
