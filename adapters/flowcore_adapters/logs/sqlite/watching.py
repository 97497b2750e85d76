"""Those who wait: for anything new, or for what others than the owners append, whichever process it was."""

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowcore.errors import LogError
from flowcore.ids import BatchId, RunId
from flowcore.ports import Requests

from .file import connect, failure
from .reading import DATA_VERSION, POSITION, number

POLL_S: Final = 0.05
"""How soon, in seconds, the appends of other processes are noticed."""

_REQUESTS: Final = (
    "SELECT run_id, EXISTS (SELECT 1 FROM runs WHERE runs.run_id = events.run_id AND batch IS NOT NULL)"
    " FROM events INDEXED BY events_of_others WHERE epoch = 0 AND position > ? AND position <= ?"
    " GROUP BY run_id ORDER BY min(position)"
)


class Watcher:
    """Tells those who wait for the log at a path; safe for threads.

    SQLite tells nobody of what other processes commit, so there is a poll: the one that is accepted. It goes on only
    while somebody waits, and asks for a number in shared memory.
    """

    def __init__(self, path: Path) -> None:
        """Watch the log at *path*."""
        self._path = path
        self._lock = threading.Lock()
        self._moved = threading.Condition(self._lock)
        # A process that drives runs commits all the time; who waits for requests must not wake up for all of it.
        self._asked = threading.Condition(self._lock)
        self._waiting = 0
        self._closed = False
        self._position = 0
        self._cursor: sqlite3.Cursor | None = None
        self._data_version: int | None = None

    def committed(self, position: int, asked: bool) -> None:  # noqa: FBT001 - see `writing.Committed`
        """Take note that this process has brought the log to *position*, with a request in it if *asked*."""
        with self._lock:
            if position > self._position:
                self._position = position
                if self._waiting:
                    self._moved.notify_all()
                if asked:
                    self._asked.notify_all()

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until the log is past *position*, *timeout_s* is over or the log is closed (see `EventLog.wait`)."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
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
                    self._moved.wait(min(remaining_s, POLL_S))
            finally:
                self._waiting -= 1
            return self._position

    def requests(self, after: int, timeout_s: float) -> Requests:
        """Block until somebody who is no owner has appended past *after* (see `EventLog.requests`)."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            while not self._closed:
                cursor = self._look()
                if self._position > after:
                    found = self._requests(cursor, after)
                    # What came meanwhile is past this position, and is told the next time.
                    after = found.position
                    if found:
                        return found
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0:
                    return Requests(after)
                self._asked.wait(min(remaining_s, POLL_S))
            raise LogError("the event log is closed")

    def close(self) -> None:
        """Wake whoever waits, and close the connection."""
        with self._lock:
            self._closed = True
            self._moved.notify_all()
            self._asked.notify_all()
            cursor, self._cursor = self._cursor, None
        if cursor is not None:
            with suppress(sqlite3.Error):
                cursor.connection.close()

    def _look(self) -> sqlite3.Cursor:
        """Bring the position known up to date with what other processes committed; the caller holds the lock."""
        try:
            if self._cursor is None:
                self._cursor = connect(self._path).cursor()
            data_version = number(self._cursor, DATA_VERSION)
            if data_version != self._data_version:
                self._position = max(self._position, number(self._cursor, POSITION))
                self._data_version = data_version
        except sqlite3.Error as error:
            raise failure(self._path, error) from error
        return self._cursor

    def _requests(self, cursor: sqlite3.Cursor, after: int) -> Requests:
        """Return the runs and batches to which others than the owners have appended past *after*."""
        try:
            rows: list[tuple[int, int]] = cursor.execute(_REQUESTS, (after, self._position)).fetchall()
        except sqlite3.Error as error:
            raise failure(self._path, error) from error
        return Requests(
            self._position,
            tuple(RunId(stream) for stream, batch in rows if not batch),
            tuple(BatchId(stream) for stream, batch in rows if batch),
        )
