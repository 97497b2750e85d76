"""Connections for readers, who hold them no longer than for one query."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from flowcore.errors import LogError

from .file import connect, failure

DATA_VERSION: Final = "PRAGMA data_version"
"""A number that changes when any other connection has committed, of whichever process; each has numbers of its own."""
POSITION: Final = (
    "SELECT max(coalesce((SELECT max(position) FROM events), 0), coalesce((SELECT position FROM deleted), 0))"
)
"""The position of the last event; that of deleted ones is not used again."""

_IDLE: Final = 8
"""How many connections are kept for the next readers."""
_ANSWERS: Final = 1024
"""How many answers each of them keeps."""


class _Reader:
    """A connection, and what it was answered since the last commit."""

    __slots__ = ("answers", "cursor", "data_version")

    def __init__(self, path: Path) -> None:
        # One cursor for all queries: making one for each takes as long as the query.
        self.cursor = connect(path).cursor()
        self.data_version: int | None = None
        self.answers: dict[tuple[object, ...], int] = {}

    def number(self, query: str, *parameters: int | str) -> int:
        """Return the number that *query* gives."""
        # Asking this first takes less than the cheapest query, and never a page of the file. What is committed between
        # the two is in the answer already, and makes it be asked for again.
        (data_version,) = self.cursor.execute(DATA_VERSION).fetchone()
        if data_version != self.data_version or len(self.answers) == _ANSWERS:
            self.answers.clear()
            self.data_version = data_version
        try:
            return self.answers[query, parameters]
        except KeyError:
            answer = self.answers[query, parameters] = number(self.cursor, query, *parameters)
            return answer

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self.cursor.connection.close()


class Readers:
    """The connections of one log for reading; safe for threads."""

    def __init__(self, path: Path) -> None:
        """Read from the log at *path*."""
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[_Reader] = []
        self._closed = False

    @contextmanager
    def lend(self) -> Generator[sqlite3.Cursor]:
        """Lend a cursor for one query, which must be read to its end, and name what goes wrong with it.

        Raises:
            LogError: The log is closed, or cannot be read.
        """
        with self._reader() as reader:
            yield reader.cursor

    def number(self, query: str, *parameters: int | str) -> int:
        """Return the number that *query* gives: always one, and always the same until something is committed.

        Raises:
            LogError: The log is closed, or cannot be read.
        """
        # Every request for a view asks this. Taking from a list is one step that no other thread can come between, so
        # there is no need for the lock and the generator of `_reader`, which take longer than the question.
        try:
            reader = self._idle.pop()
        except IndexError:
            with self._reader() as new:
                return new.number(query, *parameters)
        try:
            return reader.number(query, *parameters)
        except sqlite3.Error as error:
            raise failure(self._path, error) from error
        finally:
            self._idle.append(reader)
            if self._closed:
                # `close` has been through the list before this one was back in it.
                self._close_idle()

    def close(self) -> None:
        """Close every connection; one that is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
        self._close_idle()

    @contextmanager
    def _reader(self) -> Generator[_Reader]:
        with self._lock:
            if self._closed:
                raise LogError("the event log is closed")
            reader = self._idle.pop() if self._idle else None
        try:
            if reader is None:
                reader = _Reader(self._path)
            yield reader
        except sqlite3.Error as error:
            raise failure(self._path, error) from error
        finally:
            if reader is not None:
                with self._lock:
                    keep = len(self._idle) < _IDLE and not self._closed
                    if keep:
                        self._idle.append(reader)
                if not keep:
                    reader.close()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def number(cursor: sqlite3.Cursor, query: str, *parameters: int | str) -> int:
    """Return the number that *query* gives, which always gives one row."""
    row: tuple[int] = cursor.execute(query, parameters).fetchone()
    return row[0]
