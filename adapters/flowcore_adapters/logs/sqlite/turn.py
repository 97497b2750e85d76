"""A transaction of the writer: what it has read, and what it is going to write."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from flowcore.batch.machine import standing
from flowcore.errors import FencedError, VersionConflictError
from flowcore.ids import StreamId
from flowcore.ports import AnyAppend, AppendBatch

from .reading import POSITION, number
from .rows import INSERT, Payload, Row

_RUN: Final = "SELECT version, epoch FROM runs WHERE run_id = ?"
_MOVE: Final = (
    "INSERT INTO runs (run_id, created, version, batch) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (run_id) DO UPDATE SET version = excluded.version, batch = excluded.batch"
)


class Turn:
    """A transaction that several callers share.

    Attributes:
        cursor: For what is not about appending.
        position: The position of the last event, those placed included.
        asked: Whether somebody who is no owner appends something.
    """

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """Begin; the caller commits, or rolls back."""
        # Never deferred: a transaction that starts by reading fails when another process writes before it does.
        self.cursor = cursor
        cursor.execute("BEGIN IMMEDIATE")
        self.position = number(cursor, POSITION)
        self.asked = False
        self._streams: dict[StreamId, tuple[int, int]] = {}
        self._first: dict[StreamId, int] = {}
        self._standing: dict[StreamId, str] = {}
        self._rows: list[Row] = []

    def place(self, appends: Sequence[AnyAppend], payloads: Sequence[Sequence[Payload]]) -> int:
        """Give the events of *appends* their places, all of them or none, and return the position of the last one.

        Args:
            appends: What one caller appends.
            payloads: The events of each of *appends*.

        Raises:
            FencedError: One of the writers has lost its run.
            VersionConflictError: One of the streams has moved on.
        """
        moved: dict[StreamId, tuple[int, int]] = {}
        for append, events in zip(appends, payloads, strict=True):
            run_id = append.stream
            stream = moved.get(run_id) or self._streams.get(run_id) or self._stream(run_id)
            version, epoch = stream
            if append.epoch and append.epoch != epoch:
                raise FencedError(f"run {run_id} was taken over by another owner (epoch {epoch}, not {append.epoch})")
            if version != append.expected_version:
                raise VersionConflictError(f"run {run_id} is at version {version}, not {append.expected_version}")
            moved[run_id] = version + len(events), epoch
        self._streams |= moved
        for append, events in zip(appends, payloads, strict=True):
            if not events:
                continue
            run_id, position, version, epoch = append.stream, self.position, append.expected_version, append.epoch
            self._first.setdefault(run_id, position + 1)
            self._rows += [
                (position + index, run_id, version + index, epoch, *payload) for index, payload in enumerate(events, 1)
            ]
            self.position += len(events)
            self.asked = self.asked or not epoch
            if isinstance(append, AppendBatch):
                self._standing[run_id] = str(standing(append.events[-1]))
        return self.position

    def write(self) -> None:
        """Hand what was placed to SQLite."""
        if self._rows:
            self.cursor.executemany(INSERT, self._rows)
            moves = [
                (stream, first, self._streams[stream][0], self._standing.get(stream))
                for stream, first in self._first.items()
            ]
            self.cursor.executemany(_MOVE, moves)

    def _stream(self, run_id: StreamId) -> tuple[int, int]:
        """Return the version and the epoch of a run or batch."""
        row: tuple[int, int] | None = self.cursor.execute(_RUN, (run_id,)).fetchone()
        return (0, 0) if row is None else row
