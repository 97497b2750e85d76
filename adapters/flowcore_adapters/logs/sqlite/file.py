"""The file: how it is created, recognised and opened, and what is said when that fails."""

import os
import sqlite3
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowcore.errors import LogError

from .schema import APPLICATION_ID, SCHEMA_VERSION, statements

BUSY_TIMEOUT_S: Final = 10.0
"""How long to wait for other processes, in seconds."""

# In one statement: another process may create the tables between two.
_WHOSE: Final = (
    "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
    " FROM pragma_application_id, pragma_user_version"
)
_CREATING: Final = threading.Lock()

_PEOPLE: Final = {
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for {BUSY_TIMEOUT_S:.0f} s",
    sqlite3.SQLITE_CANTOPEN: "it, or a file beside it, cannot be opened: is its directory writable?",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed, or is full",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database",
    sqlite3.SQLITE_READONLY: "it cannot be written to",
}
"""What SQLite's primary result codes mean here."""


def prepare(path: Path) -> None:
    """Create the log at *path*, or see that there is one that this version can use.

    Raises:
        LogError: There is something else, or it cannot be used.
    """
    try:
        _create(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise LogError(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from error
    try:
        connection = connect(path)
        try:
            _set_up(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise failure(path, error) from error
    except UnicodeDecodeError as error:
        # What Python makes of a message of SQLite that quotes damaged names.
        raise LogError(f"{path}: {_PEOPLE[sqlite3.SQLITE_CORRUPT]}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for whichever thread holds it; transactions are ours to begin and end."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def explain(error: sqlite3.Error) -> str:
    """Return what *error* means, for people."""
    # Errors that Python itself raises (a number too large, a closed connection) have no code.
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code, the others are details of it.
    return str(error) if code is None or code & 0xFF not in _PEOPLE else f"{_PEOPLE[code & 0xFF]} ({error})"


def failure(path: Path, error: sqlite3.Error) -> LogError:
    """Return what to raise when *error* comes from the log at *path*."""
    return LogError(f"{path}: {explain(error)}")


def _create(path: Path) -> None:
    """Create an empty file at *path* unless there is something; see that it is a file that may be read and written."""
    # An existing file is never opened here: closing a descriptor takes the process all its locks on that file (POSIX),
    # those of another log in this process included, and SQLite could no longer tell that the file is in use.
    # Of two threads that create the same file, the second must not have it open when the first closes it: the lock.
    with _CREATING, suppress(FileExistsError):
        try:
            # SQLite gives the files beside it the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileNotFoundError as error:
            # Making it would turn a slip of the pen into a log that nobody finds again.
            raise LogError(f"{path}: its directory does not exist") from error
    if not stat.S_ISREG(path.stat().st_mode):
        raise LogError(f"{path}: not a file")
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise LogError(f"{path}: it cannot be read and written: permission denied")


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path) < SCHEMA_VERSION:
        # Another process may be creating or upgrading it at this moment: look again under the lock.
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection, path)
        if version < SCHEMA_VERSION:
            for statement in statements(version):
                connection.execute(statement)
        connection.execute("COMMIT")
    _use_write_ahead_log(connection, path)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the tables, 0 while there are none; refuse what is no log, or one of a newer version."""
    application, schema, tables = connection.execute(_WHOSE).fetchone()
    if (application, schema, tables) == (0, 0, 0):
        return 0
    if application != APPLICATION_ID or schema < 1:
        raise LogError(f"{path}: this SQLite database is not a flowcore log")
    if schema > SCHEMA_VERSION:
        raise LogError(
            f"{path}: written by a newer version of flowcore"
            f" (log schema {schema}; this one reads up to {SCHEMA_VERSION})"
        )
    return int(schema)


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path) -> None:
    """Have readers not wait for writers, nor writers for readers; the file remembers it."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # Two processes that switch a new file would wait for each other, so SQLite refuses without its timeout.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise LogError(f"{path}: its file system does not support write-ahead logging (mode {mode!r})")
            return
