"""Connections for readers, who hold them no longer than for one query."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from flowcore.errors import LogError

from .file import connect, failure

_IDLE: Final = 8
"""How many connections are kept for the next readers."""

POSITION: Final = (
    "SELECT max(coalesce((SELECT max(position) FROM events), 0), coalesce((SELECT position FROM deleted), 0))"
)
"""The position of the last event; that of deleted ones is not used again."""


class Readers:
    """The connections of one log for reading; safe for threads."""

    def __init__(self, path: Path) -> None:
        """Read from the log at *path*."""
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def lend(self) -> Generator[sqlite3.Connection]:
        """Lend a connection for one query, and name what goes wrong with it.

        Raises:
            LogError: The log is closed, or cannot be read.
        """
        with self._lock:
            if self._closed:
                raise LogError("the event log is closed")
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = connect(self._path)
            yield connection
        except sqlite3.Error as error:
            raise failure(self._path, error) from error
        finally:
            if connection is not None:
                with self._lock:
                    keep = len(self._idle) < _IDLE and not self._closed
                    if keep:
                        self._idle.append(connection)
                if not keep:
                    connection.close()

    def number(self, query: str, *parameters: int | str) -> int:
        """Return the number that *query* gives; 0 when it gives no row.

        Raises:
            LogError: The log is closed, or cannot be read.
        """
        # Every request for a view asks for a number first. Taking from a list is one step that no other thread can
        # come between, so there is no need for the lock and the generator of `lend`, which take longer than the query.
        try:
            connection = self._idle.pop()
        except IndexError:
            with self.lend() as connection:
                return number(connection, query, *parameters)
        try:
            return number(connection, query, *parameters)
        except sqlite3.Error as error:
            raise failure(self._path, error) from error
        finally:
            self._idle.append(connection)
            if self._closed:
                # `close` has been through the list before this one was back in it.
                with suppress(IndexError):
                    self._idle.pop().close()

    def close(self) -> None:
        """Close every connection; one that is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(sqlite3.Error):
                connection.close()


def number(connection: sqlite3.Connection, query: str, *parameters: int | str) -> int:
    """Return the number that *query* gives; 0 when it gives no row."""
    row: tuple[int] | None = connection.execute(query, parameters).fetchone()
    return 0 if row is None else row[0]
