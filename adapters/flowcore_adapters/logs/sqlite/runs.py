"""The runs and batches as a whole: which there are, and how they go."""

import sqlite3
from collections.abc import Iterable
from typing import Final

from flowcore.ids import StreamId
from flowcore.values import Instant

from .owners import ownership
from .reading import number

NEWEST: Final = "SELECT max(coalesce((SELECT max(run_id) FROM runs), 0), coalesce((SELECT run_id FROM deleted), 0))"
"""The highest id of all runs and batches, deleted ones included."""
NONE: Final = -1
"""What `LATEST` gives when there is no run; ids count milliseconds since the epoch."""
LATEST: Final = "SELECT coalesce((SELECT run_id FROM runs WHERE batch IS NULL ORDER BY run_id DESC LIMIT 1), -1)"
RUNS: Final = "SELECT run_id FROM runs WHERE batch IS NULL ORDER BY run_id DESC LIMIT ?"
VERSION: Final = "SELECT coalesce(max(version), 0) FROM runs WHERE run_id = ?"

_DELETE: Final = (
    "DELETE FROM events WHERE run_id = ?",
    "DELETE FROM snapshots WHERE run_id = ?",
    "DELETE FROM runs WHERE run_id = ?",
)
_REMEMBER: Final = "INSERT OR REPLACE INTO deleted (id, position, run_id) VALUES (1, ?, ?)"


def delete(
    cursor: sqlite3.Cursor, run_ids: Iterable[StreamId], *, now: Instant, position: int, ended: bool = False
) -> int:
    """Delete *run_ids*, or nothing, and return how many there were (see `EventLog.delete_runs`).

    Args:
        cursor: In a transaction.
        run_ids: Unknown ones are passed over.
        now: The time of the day.
        position: The position that the deletion takes.
        ended: Whether it does not matter who holds them.

    Raises:
        RunOwnedError: Somebody holds one of them.
    """
    there: list[tuple[StreamId]] = []
    for run_id in run_ids:
        held = ownership(cursor, run_id)
        if held is not None:
            if not ended:
                held.refuse_others(run_id, now)
            there.append((run_id,))
    if there:
        cursor.execute(_REMEMBER, (position, number(cursor, NEWEST)))
        for statement in _DELETE:
            cursor.executemany(statement, there)
    return len(there)
