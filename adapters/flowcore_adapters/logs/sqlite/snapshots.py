"""Snapshots: one for each kind of each run. Nothing is lost when one is."""

import sqlite3
from typing import Final

from flowcore.ids import RunId
from flowcore.ports import Snapshot

MAX_BYTES: Final = 500_000_000
"""The longest one that is kept; SQLite ends at 1,000 MB."""

_SNAPSHOT: Final = "SELECT version, data FROM snapshots WHERE run_id = ? AND kind = ?"
# Not of a run that was deleted meanwhile, nor of events that never came to be.
_SAVE: Final = (
    "INSERT INTO snapshots (run_id, kind, version, data) SELECT run_id, ?, ?, ? FROM runs"
    " WHERE run_id = ? AND version >= ?"
    " ON CONFLICT (run_id, kind) DO UPDATE SET version = excluded.version, data = excluded.data"
    " WHERE excluded.version >= version"
)


def snapshot(cursor: sqlite3.Cursor, run_id: RunId, kind: str) -> Snapshot | None:
    """Return the snapshot of that kind."""
    row: tuple[int, bytes] | None = cursor.execute(_SNAPSHOT, (run_id, kind)).fetchone()
    return None if row is None else Snapshot(*row)


def save(cursor: sqlite3.Cursor, run_id: RunId, kind: str, snapshot: Snapshot) -> int:
    """Keep *snapshot* unless there is a newer one; return how many were written."""
    version = snapshot.version
    return cursor.execute(_SAVE, (kind, version, snapshot.data, run_id, version)).rowcount
