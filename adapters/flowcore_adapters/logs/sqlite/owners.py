"""Who drives which run: one row for each owner, whose lease holds for all its runs."""

import sqlite3
from typing import Final

from flowcore.errors import RunNotFoundError
from flowcore.ids import RunId
from flowcore.ports import Owner, Ownership
from flowcore.values import Instant

from .writing import Turn

_OWNERSHIP: Final = (
    "SELECT runs.epoch, owners.id, owners.name, owners.host, owners.pid, owners.expires"
    " FROM runs LEFT JOIN owners ON owners.id = runs.owner WHERE runs.run_id = ?"
)
_LEASE: Final = (
    "INSERT INTO owners (id, name, host, pid, expires) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET expires = excluded.expires"
)
_FORGET: Final = "DELETE FROM owners WHERE expires < ?"
_FORGOTTEN_AFTER_S: Final = 86_400.0
"""How long after its lease an owner is known by name, in seconds; its runs are free already."""


def ownership(connection: sqlite3.Connection, run_id: RunId) -> Ownership | None:
    """Return who drives *run_id*; None when there is no such run."""
    row = connection.execute(_OWNERSHIP, (run_id,)).fetchone()
    if row is None:
        return None
    epoch, owner_id, name, host, pid, expires = row
    return Ownership(None, epoch) if owner_id is None else Ownership(Owner(owner_id, name, host, pid), epoch, expires)


def claim(turn: Turn, run_id: RunId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None) -> int:
    """Make *owner* the one who drives *run_id* (see `EventLog.claim`)."""
    turn.flush()
    connection = turn.connection
    held = ownership(connection, run_id)
    if held is None:
        raise RunNotFoundError(f"no run {run_id} in this log")
    held.refuse_other(run_id, owner, now=now, over=over)
    connection.execute(_FORGET, (now - _FORGOTTEN_AFTER_S,))
    connection.execute(_LEASE, (owner.id, owner.name, owner.host, owner.pid, now + ttl_s))
    connection.execute("UPDATE runs SET epoch = epoch + 1, owner = ? WHERE run_id = ?", (owner.id, run_id))
    turn.forget(run_id)
    return held.epoch + 1


def renew(turn: Turn, owner: Owner, expires: float) -> None:
    """Let the lease of *owner* last until *expires*."""
    turn.connection.execute("UPDATE owners SET expires = ? WHERE id = ?", (expires, owner.id))


def release(turn: Turn, owner: Owner, run_ids: tuple[RunId, ...]) -> None:
    """Let go of *run_ids*."""
    turn.flush()
    turn.connection.executemany(
        "UPDATE runs SET owner = NULL WHERE run_id = ? AND owner = ?", [(run_id, owner.id) for run_id in run_ids]
    )
