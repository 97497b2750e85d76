"""Writing: whoever comes first leads, and commits for all who have come in the meantime."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

import attrs

from flowcore.codec import encode
from flowcore.errors import FencedError, FlowcoreError, LogError, VersionConflictError
from flowcore.ids import RunId
from flowcore.json_text import to_json
from flowcore.ports import Append
from flowcore.run.events import Event

from .file import connect, explain, number

Durability: TypeAlias = Literal["full", "relaxed"]
"""What an acknowledged event survives: both `kill -9`; only "full" a power failure."""
T = TypeVar("T")

_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "FULL", "relaxed": "NORMAL"}
_MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024
_MAX_CHARACTERS: Final = 200_000_000
"""The longest payload: up to 800 MB as UTF-8, where SQLite ends at 1,000 MB. One caller's must not spoil a group."""

POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"
_HEAD: Final = "SELECT version, epoch FROM runs WHERE run_id = ?"
_INSERT: Final = (
    "INSERT INTO events (position, run_id, version, epoch, at, type, schema, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_MOVE: Final = (
    "INSERT INTO runs (run_id, created, version) VALUES (?, ?, ?)"
    " ON CONFLICT (run_id) DO UPDATE SET version = excluded.version"
)

Payload: TypeAlias = tuple[float, str, int, str]
"""What is stored of an event, apart from where: at, type, schema, data."""
_Row: TypeAlias = tuple[int, RunId, int, int, float, str, int, str]


def payload(event: Event) -> Payload:
    """Return what is stored of *event*.

    Raises:
        EventFormatError: It holds something that cannot be stored.
        LogError: It is too large.
    """
    encoded = encode(event)
    data = to_json(encoded.data)
    if len(data) > _MAX_CHARACTERS:
        raise LogError(f"an event of {len(data)} characters is too large for the log")
    return event.at, encoded.type, encoded.schema, data


class Turn:
    """A transaction: what it has read, and what it is going to write.

    Attributes:
        connection: For what is written directly; call `flush` before.
        position: The position of the last event, those placed included.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin where the log ends."""
        self.connection = connection
        self.position = number(connection, POSITION)
        self._heads: dict[RunId, tuple[int, int]] = {}
        self._first: dict[RunId, int] = {}
        self._rows: list[_Row] = []

    def place(self, appends: Sequence[Append], payloads: Sequence[Sequence[Payload]]) -> int:
        """Give the events of *appends* their places, all of them or none, and return the last one's position.

        Raises:
            FencedError: One of the runs belongs to another owner.
            VersionConflictError: One of the streams has moved on.
        """
        moved: dict[RunId, tuple[int, int]] = {}
        for append, events in zip(appends, payloads, strict=True):
            run_id = append.run_id
            version, epoch = moved.get(run_id) or self._head(run_id)
            if append.epoch and append.epoch != epoch:
                raise FencedError(f"run {run_id} was taken over by another owner (epoch {epoch}, not {append.epoch})")
            if version != append.expected_version:
                raise VersionConflictError(f"run {run_id} is at version {version}, not {append.expected_version}")
            moved[run_id] = version + len(events), epoch
        self._heads |= moved
        for append, events in zip(appends, payloads, strict=True):
            run_id, position, version, epoch = append.run_id, self.position, append.expected_version, append.epoch
            if events:
                self._first.setdefault(run_id, position + 1)
            self._rows += [
                (position + index, run_id, version + index, epoch, *event) for index, event in enumerate(events, 1)
            ]
            self.position += len(events)
        return self.position

    def forget(self, run_id: RunId) -> None:
        """Read the head of *run_id* again when it is asked for: it has been written to directly."""
        self._heads.pop(run_id, None)

    def flush(self) -> None:
        """Hand what was placed to SQLite."""
        self.connection.executemany(_INSERT, self._rows)
        self.connection.executemany(_MOVE, [(run, first, self._heads[run][0]) for run, first in self._first.items()])
        self._rows.clear()
        self._first.clear()

    def _head(self, run_id: RunId) -> tuple[int, int]:
        head = self._heads.get(run_id)
        if head is None:
            row: tuple[int, int] | None = self.connection.execute(_HEAD, (run_id,)).fetchone()
            head = self._heads[run_id] = (0, 0) if row is None else row
        return head


@attrs.define(eq=False)
class _Request:
    """One caller's work on its way through the queue.

    Attributes:
        done: Whether it is committed, or will never be: then there is an *error*.
    """

    work: Callable[[Turn], None]
    error: FlowcoreError | None = None
    done: bool = False


class Writer:
    """The one connection that writes, and the queue before it. Safe for threads."""

    def __init__(self, path: Path, durability: Durability, committed: Callable[[int], None]) -> None:
        """Write to the log at *path*; *committed* is told the position after every commit."""
        self._path = path
        self._synchronous = _SYNCHRONOUS[durability]
        self._committed = committed
        self._closed = False
        self._turn = threading.Condition()
        self._queue: list[_Request] = []
        self._leading = False
        self._connection: sqlite3.Connection | None = None

    def execute(self, work: Callable[[Turn], T]) -> T:
        """Do *work* in a transaction, perhaps together with that of others, and return its result once it is committed.

        *work* must change nothing when it raises; what it raises concerns its own caller only.

        Raises:
            LogError: It could not be written; nothing was.
        """
        results: list[T] = []
        request = _Request(lambda turn: results.append(work(turn)))
        with self._turn:
            self._queue.append(request)
            try:
                while self._leading and not request.done:
                    self._turn.wait()
            except BaseException:
                # An interrupt: the caller takes it as not done, so it must not be done with the next one.
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
        return results[0]

    def close(self) -> None:
        """Let the running commit finish, and close the file."""
        with self._turn:
            self._closed = True
            while self._leading:
                self._turn.wait()
            connection, self._connection = self._connection, None
        if connection is not None:
            # So that the next one to open it has little to recover. PASSIVE waits for nobody; failing loses nothing.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
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
            if position:
                self._committed(position)

    def _commit(self, group: Sequence[_Request]) -> int:
        """Do in one transaction what *group* asks for, answer each of them, and return the log's position."""
        connection = self._open()
        try:
            # Never deferred: a transaction that starts by reading fails when another process writes before it does.
            connection.execute("BEGIN IMMEDIATE")
            turn = Turn(connection)
            for request in group:
                try:
                    request.work(turn)
                except FlowcoreError as error:  # its own affair: the others go on
                    request.error = error
            turn.flush()
            connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back already, and doing it again would raise.
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return turn.position

    def _open(self) -> sqlite3.Connection:
        """Return the connection of whoever leads."""
        if self._closed:
            raise LogError("the event log is closed")
        if self._connection is None:
            self._connection = connect(self._path)
            self._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            # The file beside it keeps the size of the largest burst otherwise.
            self._connection.execute(f"PRAGMA journal_size_limit = {_MAX_JOURNAL_BYTES}")
        return self._connection
