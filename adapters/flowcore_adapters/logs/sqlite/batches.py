"""Which batches there are, page by page."""

import sqlite3
from typing import Final

from flowcore.batch.machine import BatchStatus
from flowcore.ids import BatchId
from flowcore.ports import BatchPage

from .reading import number

_COUNT: Final = "SELECT count(*) FROM runs INDEXED BY batch_ids WHERE batch IS NOT NULL"
_PAGE: Final = (
    "SELECT run_id FROM runs INDEXED BY batch_ids WHERE batch IS NOT NULL ORDER BY run_id DESC LIMIT ? OFFSET ?"
)
_COUNT_STANDING: Final = "SELECT count(*) FROM runs INDEXED BY batches WHERE batch = ?"
_PAGE_STANDING: Final = (
    "SELECT run_id FROM runs INDEXED BY batches WHERE batch = ? ORDER BY run_id DESC LIMIT ? OFFSET ?"
)


def page(cursor: sqlite3.Cursor, status: BatchStatus | None, limit: int, offset: int) -> BatchPage:
    """Return a page of the batches that stand at *status*, or of all (see `EventLog.batches`)."""
    which = () if status is None else (str(status),)
    # Of one moment: what is appended between the two would make a page longer than the total.
    cursor.execute("BEGIN")
    try:
        total = number(cursor, _COUNT if status is None else _COUNT_STANDING, *which)
        rows: list[tuple[int]] = cursor.execute(
            _PAGE if status is None else _PAGE_STANDING, (*which, limit, offset)
        ).fetchall()
    finally:
        cursor.execute("COMMIT")
    return BatchPage(total, [BatchId(batch_id) for (batch_id,) in rows])
