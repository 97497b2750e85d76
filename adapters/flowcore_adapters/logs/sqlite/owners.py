"""Who drives which run: a lease for each owner, and an epoch for each run that counts its claims."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from flowcore.errors import RunNotFoundError, RunOwnedError
from flowcore.ids import RunId, StreamId
from flowcore.ports import Owner, Ownership
from flowcore.values import Instant

KNOWN: Final = "SELECT count(*) FROM owners WHERE id = ?"

_OWNERSHIP: Final = (
    "SELECT runs.epoch, owners.id, owners.name, owners.host, owners.pid, owners.expires"
    " FROM runs LEFT JOIN owners ON owners.id = runs.owner WHERE runs.run_id = ?"
)
_RENEW: Final = "UPDATE owners SET expires = ? WHERE id = ?"
_ADD: Final = "INSERT INTO owners (id, name, host, pid, expires) VALUES (?, ?, ?, ?, ?)"
# Programs that are gone, once nothing of theirs is left to take over.
_FORGET: Final = (
    "DELETE FROM owners WHERE expires <= ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.owner = owners.id)"
)
_CLAIM: Final = "UPDATE runs SET owner = ?, epoch = epoch + 1 WHERE run_id = ?"
_RELEASE: Final = "UPDATE runs SET owner = NULL WHERE run_id = ? AND owner = ?"


def ownership(cursor: sqlite3.Cursor, run_id: StreamId) -> Ownership | None:
    """Return who drives *run_id*; None when there is no such run."""
    row: tuple[int, str | None, str, str, int, float] | None = cursor.execute(_OWNERSHIP, (run_id,)).fetchone()
    if row is None:
        return None
    epoch, id_, name, host, pid, expires = row
    if id_ is None:
        return Ownership(None, epoch)
    return Ownership(Owner(id_, name, host, pid), epoch, Instant(expires))


def claim(
    cursor: sqlite3.Cursor, run_id: StreamId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None
) -> int:
    """Make *owner* the one who drives *run_id*, and return the new epoch (see `EventLog.claim`)."""
    held = ownership(cursor, run_id)
    if held is None:
        raise RunNotFoundError(f"no run {run_id} in this log")
    held.refuse_others(run_id, now, owner.id, over)
    if not cursor.execute(_RENEW, (now + ttl_s, owner.id)).rowcount:
        cursor.execute(_FORGET, (now,))
        cursor.execute(_ADD, (owner.id, owner.name, owner.host, owner.pid, now + ttl_s))
    cursor.execute(_CLAIM, (owner.id, run_id))
    return held.epoch + 1


def claim_all(
    cursor: sqlite3.Cursor, run_ids: Iterable[RunId], owner: Owner, *, now: Instant, ttl_s: float, over: str | None
) -> Iterator[int]:
    """Claim each of *run_ids* and yield the new epochs; 0 for one that cannot be had (see `EventLog.claim_all`)."""
    for run_id in run_ids:
        try:
            yield claim(cursor, run_id, owner, now=now, ttl_s=ttl_s, over=over)
        except (RunNotFoundError, RunOwnedError):
            yield 0


def renew(cursor: sqlite3.Cursor, owner: Owner, expires: float) -> int:
    """Let the lease of *owner* last until *expires*; return how many there were."""
    return cursor.execute(_RENEW, (expires, owner.id)).rowcount


def release(cursor: sqlite3.Cursor, owner: Owner, run_ids: Iterable[StreamId]) -> int:
    """Let go of those of *run_ids* that *owner* owns; return how many these were."""
    return cursor.executemany(_RELEASE, [(run_id, owner.id) for run_id in run_ids]).rowcount
