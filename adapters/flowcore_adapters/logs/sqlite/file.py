"""The file: how it is created, recognised and opened, and what is said when that fails."""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final

from flowcore.errors import LogError

APPLICATION_ID: Final = 0x666C6F77
"""Marks the file as ours ("flow"), for us and for `file(1)`."""
SCHEMA_VERSION: Final = 2
"""The version of the tables, in `user_version`."""
BUSY_TIMEOUT_S: Final = 10.0
"""How long to wait for other processes, in seconds."""

# `position` is the rowid: new events go to the end of the table. The index of UNIQUE finds a run's events; it holds
# three integers for each. A table without rowid, clustered by run, would put the payloads in the midst of the tree,
# split pages all over it, and still need an index for the positions.
_SCHEMA: Final = (
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        schema INTEGER NOT NULL,
        data TEXT NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        UNIQUE (run_id, version)
    )""",
    # What `version` and `runs` need, so that neither walks the events; `created` is the position of the first event.
    """CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        owner TEXT
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
_UPGRADES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        1: (
            "ALTER TABLE events ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE runs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE runs ADD COLUMN owner TEXT",
        ),
    }
)
"""What brings a file of an older schema to the next one."""
_ALWAYS: Final = (
    # What others than a run's owner have appended is what owners look for.
    "CREATE INDEX IF NOT EXISTS requests ON events (position) WHERE epoch = 0",
    """CREATE TABLE IF NOT EXISTS owners (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        expires REAL NOT NULL
    )""",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
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
        raise LogError(f"{path}: {explain(error)}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for whichever thread holds it; transactions are ours to begin and end."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def explain(error: sqlite3.Error) -> str:
    """Return what *error* means, for people."""
    # Errors that Python itself raises (a number too large, a closed connection) have no code.
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code, the others are details of it.
    return str(error) if code is None or code & 0xFF not in _PEOPLE else f"{_PEOPLE[code & 0xFF]} ({error})"


def _create(path: Path) -> None:
    """Create an empty file at *path* unless there is something; see that it is a file that may be read and written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # An existing file is never opened here: closing a descriptor takes the process all its locks on that file (POSIX),
    # those of another log in this process included, and SQLite could no longer tell that the file is in use.
    # Of two threads that create the same file, the second must not have it open when the first closes it: the lock.
    with _CREATING, suppress(FileExistsError):
        # SQLite gives the files beside it the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if not stat.S_ISREG(path.stat().st_mode):
        raise LogError(f"{path}: not a file")
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise LogError(f"{path}: it cannot be read and written: permission denied")


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    if _schema(connection, path) != SCHEMA_VERSION:
        # Another process may be at it at this moment: look again under the lock.
        connection.execute("BEGIN IMMEDIATE")
        schema = _schema(connection, path)
        if schema != SCHEMA_VERSION:
            steps = [_UPGRADES[version] for version in range(schema, SCHEMA_VERSION)] if schema else [_SCHEMA]
            for statement in (*chain.from_iterable(steps), *_ALWAYS):
                connection.execute(statement)
        connection.execute("COMMIT")
    _use_write_ahead_log(connection, path)


def _schema(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of the file, 0 when it is empty; refuse what is no log for this version."""
    application, schema, tables = (
        connection.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
    )
    if (application, schema, tables) == (0, 0, 0):
        return 0
    if application != APPLICATION_ID:
        raise LogError(f"{path}: this SQLite database is not a flowcore log")
    if schema > SCHEMA_VERSION:
        raise LogError(
            f"{path}: written by a newer version of flowcore"
            f" (log schema {schema}; this one reads up to {SCHEMA_VERSION})"
        )
    if schema < 1:
        raise LogError(f"{path}: the file is damaged: it is marked as a flowcore log, but not with its version")
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


def number(connection: sqlite3.Connection, query: str, *parameters: int) -> int:
    """Return the number that *query* gives; 0 when it gives no row."""
    row: tuple[int] | None = connection.execute(query, parameters).fetchone()
    return 0 if row is None else row[0]
