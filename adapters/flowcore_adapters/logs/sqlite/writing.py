"""The writers: a queue in which one leads, and commits for all who wait."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from flowcore.errors import FlowcoreError, LogError

from .file import connect, explain
from .turn import Turn

Durability: TypeAlias = Literal["full", "relaxed"]
"""What an acknowledged event survives: both `kill -9`; only "full" a power failure."""
Work: TypeAlias = Callable[[Turn], int]
"""What a caller does in a transaction, and its answer. It checks before it writes: to be refused is its own affair."""
Committed: TypeAlias = Callable[[int, bool], None]
"""Is told the position after a commit, and whether somebody who is no owner has appended."""

_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "FULL", "relaxed": "NORMAL"}
_MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024


@attrs.define(eq=False)
class _Request:
    """One caller on its way through the queue.

    Attributes:
        shared: Whether it shares a transaction with others; what fails alone must not take an append with it.
        synchronous: The setting of SQLite that says whether the disk must have it on return.
        answer: The answer, once *done*, unless there is an *error*.
    """

    work: Work
    shared: bool
    synchronous: str
    answer: int = 0
    error: FlowcoreError | None = None
    done: bool = False


class Writer:
    """The one connection of a log that writes; safe for threads."""

    def __init__(self, path: Path, durability: Durability, committed: Committed) -> None:
        """Write to the log at *path*, and tell *committed* what has come of it."""
        self._path = path
        self._synchronous = _SYNCHRONOUS[durability]
        self._committed = committed
        self._turn = threading.Condition()
        self._queue: list[_Request] = []
        self._leading = False
        self._closed = False
        # One for as long as the connection: a refusal keeps its frames, and so would keep a cursor of a transaction's
        # own. Wherever that was dropped at last, SQLite would be told to reset a statement that is somebody else's.
        self._cursor: sqlite3.Cursor | None = None
        self._level: str | None = None

    def append(self, work: Work) -> int:
        """Do *work*, which appends, in one transaction with whatever else waits to be appended; return what it gives.

        Raises:
            LogError: It was refused, or could not be written; nothing was appended.
        """
        return self._submit(_Request(work, shared=True, synchronous=self._synchronous))

    def alone(self, work: Work, *, synced: bool) -> int:
        """Do *work* in a transaction of its own, and return what it gives.

        Args:
            work: What to do.
            synced: Whether the disk must have it on return, whatever the durability of appends. Otherwise a power
                failure may take it back, though not once something that was committed after it is on the disk.

        Raises:
            LogError: It could not be written.
        """
        return self._submit(_Request(work, shared=False, synchronous="FULL" if synced else "NORMAL"))

    def close(self) -> None:
        """Let the running transaction finish, and close the connection."""
        with self._turn:
            self._closed = True
            while self._leading:
                self._turn.wait()
            cursor, self._cursor = self._cursor, None
        if cursor is not None:
            # So that the next one to open it has little to recover. PASSIVE waits for nobody; failing loses nothing.
            with suppress(sqlite3.Error):
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            with suppress(sqlite3.Error):
                cursor.connection.close()

    def cursor(self) -> sqlite3.Cursor:
        """Return the cursor of whoever leads."""
        if self._closed:
            raise LogError("the event log is closed")
        if self._cursor is None:
            self._cursor = connect(self._path).cursor()
            # The file beside it keeps the size of the largest burst otherwise.
            self._cursor.execute(f"PRAGMA journal_size_limit = {_MAX_JOURNAL_BYTES}").fetchall()
        return self._cursor

    def _submit(self, request: _Request) -> int:
        with self._turn:
            try:
                self._queue.append(request)
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
        return request.answer

    def _lead(self, group: Sequence[_Request]) -> None:
        """Commit what is in *group* and hand on the lead."""
        try:
            *first, last = _transactions(group)
            for requests in first:
                self._answer(requests)
                with self._turn:
                    self._done(requests)
            self._answer(last)
        except BaseException:
            # An interrupt: the others must not wait for ever.
            for request in group:
                if not request.done:
                    request.error = LogError(f"{self._path}: the writer was interrupted")
            raise
        finally:
            with self._turn:
                self._leading = False
                self._done(group)

    def _done(self, requests: Sequence[_Request]) -> None:
        """Wake those whose *requests* these are, and whoever leads next; the caller holds the condition."""
        for request in requests:
            request.done = True
        self._turn.notify_all()

    def _answer(self, requests: Sequence[_Request]) -> None:
        """Do *requests* in one transaction, and say what has become of them."""
        try:
            turn = self._commit(requests)
        except (sqlite3.Error, LogError) as error:
            reason = explain(error) if isinstance(error, sqlite3.Error) else str(error)
            what = "appended" if requests[0].shared else "written"
            for request in requests:
                request.error = LogError(f"{self._path}: nothing was {what}: {reason}")
                request.error.__cause__ = error
        else:
            self._committed(turn.position, turn.asked)

    def _commit(self, requests: Sequence[_Request]) -> Turn:
        """Do *requests* in one transaction."""
        cursor = self.cursor()
        self._synchronise(cursor, requests[0].synchronous)
        try:
            turn = Turn(cursor)
            for request in requests:
                try:
                    request.answer = request.work(turn)
                except FlowcoreError as error:  # its own affair: the others go on
                    request.error = error
            turn.write()
            cursor.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back already, and doing it again would raise.
            if cursor.connection.in_transaction:
                with suppress(sqlite3.Error):
                    cursor.execute("ROLLBACK")
            raise
        return turn

    def _synchronise(self, cursor: sqlite3.Cursor, level: str) -> None:
        """Have SQLite wait for the disk as *level* says."""
        if level != self._level:
            # An interrupt in between leaves it unknown, never wrong.
            self._level = None
            cursor.execute(f"PRAGMA synchronous = {level}")
            self._level = level


def _transactions(group: Sequence[_Request]) -> Iterator[Sequence[_Request]]:
    """Yield those of *group* who share a transaction, then each of the others."""
    shared = [request for request in group if request.shared]
    if shared:
        yield shared
    for request in group:
        if not request.shared:
            yield [request]
