"""An event log in memory that several threads share: for throw-away runs (`--no-db`) and for tests of threaded code."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from flowcore.batch.machine import BatchStatus
from flowcore.errors import LogError
from flowcore.ids import BatchId, RunId, StreamId
from flowcore.memory_log import MemoryEventLog
from flowcore.ports import (
    AnyAppend,
    AnyRecorded,
    BatchPage,
    Owner,
    Ownership,
    Recorded,
    RecordedBatch,
    Requests,
    Snapshot,
)
from flowcore.values import Instant


class SharedMemoryEventLog:
    """An `EventLog` in lists, safe for threads; it forgets everything when it is dropped."""

    def __init__(self) -> None:
        """Start empty."""
        self._log = MemoryEventLog()
        self._lock = threading.Lock()
        self._moved = threading.Condition(self._lock)
        # Who drives runs appends all the time; who waits for requests must not wake up for all of it.
        self._asked = threading.Condition(self._lock)
        self._waiting = 0
        self._listening = 0
        self._closed = False

    def append(self, *appends: AnyAppend) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`)."""
        # The bare lock, not the condition: entering that one is a call in Python, and this is the path of every event.
        with self._lock:
            if self._closed:
                raise LogError("the event log is closed")
            position = self._log.append(*appends)
            if self._waiting:
                self._moved.notify_all()
            # What bears no epoch is a request.
            if self._listening and 0 in [append.epoch for append in appends]:
                self._asked.notify_all()
        return position

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* above version *after*."""
        # Without the lock: `MemoryEventLog` lets others read while one thread appends.
        return self._log.read(run_id, after=after)

    def read_batch(self, batch_id: BatchId, *, after: int = 0) -> Iterator[RecordedBatch]:
        """Yield the events of *batch_id* above version *after*."""
        return self._log.read_batch(batch_id, after=after)

    def follow(self, after: int, limit: int) -> Sequence[AnyRecorded]:
        """Return the events past position *after*, at most *limit* of them."""
        # With the lock: in the midst of an append a later event may be there before an earlier one.
        with self._lock:
            return self._log.follow(after, limit)

    def version(self, run_id: StreamId) -> int:
        """Return the version of the last event of *run_id*."""
        return self._log.version(run_id)

    def position(self) -> int:
        """Return the position of the last event."""
        # With the lock: in the midst of an append the position is ahead of the events.
        with self._lock:
            return self._log.position()

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first."""
        with self._lock:
            return self._log.runs(limit=limit)

    def batches(self, *, status: BatchStatus | None = None, limit: int | None = None, offset: int = 0) -> BatchPage:
        """Return some of the batches, newest first (see `EventLog.batches`)."""
        with self._lock:
            return self._log.batches(status=status, limit=limit, offset=offset)

    def newest_id(self) -> RunId:
        """Return the highest id that a run or a batch ever had."""
        return self._log.newest_id()

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until the log is past *position*, *timeout_s* is over or the log is closed (see `EventLog.wait`)."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            if self._closed:
                # Answering at once would turn a follower's loop into a busy one.
                raise LogError("the event log is closed")
            self._waiting += 1
            try:
                while self._log.position() <= position and not self._closed:
                    remaining_s = deadline - time.monotonic()
                    if remaining_s <= 0 or not self._moved.wait(remaining_s):
                        break
            finally:
                self._waiting -= 1
            return self._log.position()

    def claim(self, run_id: StreamId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None) -> int:
        """Make *owner* the one who drives *run_id* (see `EventLog.claim`)."""
        with self._open():
            return self._log.claim(run_id, owner, now=now, ttl_s=ttl_s, over=over)

    def claim_all(
        self, run_ids: Sequence[RunId], owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None
    ) -> Sequence[int]:
        """Make *owner* the one who drives each of *run_ids* (see `EventLog.claim_all`)."""
        with self._open():
            return self._log.claim_all(run_ids, owner, now=now, ttl_s=ttl_s, over=over)

    def renew(self, owner: Owner, *, now: Instant, ttl_s: float) -> None:
        """Let the lease of *owner* last until *ttl_s* seconds after *now*."""
        with self._open():
            self._log.renew(owner, now=now, ttl_s=ttl_s)

    def release(self, owner: Owner, *run_ids: StreamId) -> None:
        """Let go of *run_ids*: those of them that *owner* owns."""
        with self._open():
            self._log.release(owner, *run_ids)

    def ownership(self, run_id: StreamId) -> Ownership:
        """Return who drives *run_id*."""
        with self._lock:
            return self._log.ownership(run_id)

    def requests(self, after: int, timeout_s: float) -> Requests:
        """Block until somebody who is no owner has appended past *after* (see `EventLog.requests`)."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._listening += 1
            try:
                while not self._closed:
                    found = self._log.requests(after, 0)
                    remaining_s = deadline - time.monotonic()
                    if found or remaining_s <= 0:
                        return found
                    self._asked.wait(remaining_s)
            finally:
                self._listening -= 1
            raise LogError("the event log is closed")

    def snapshot(self, run_id: RunId, kind: str) -> Snapshot | None:
        """Return the newest snapshot of that kind."""
        with self._lock:
            return self._log.snapshot(run_id, kind)

    def save_snapshot(self, run_id: RunId, kind: str, version: int, data: bytes) -> None:
        """Keep *data* unless there is a newer snapshot of that kind (see `EventLog.save_snapshot`)."""
        with self._lock:
            self._log.save_snapshot(run_id, kind, version, data)

    def delete_runs(self, *run_ids: StreamId, now: Instant, ended: bool = False) -> None:
        """Delete *run_ids*, or nothing (see `EventLog.delete_runs`)."""
        with self._open():
            self._log.delete_runs(*run_ids, now=now, ended=ended)
            self._moved.notify_all()

    def close(self) -> None:
        """Wake whoever waits; nothing can be appended afterwards."""
        with self._lock:
            self._closed = True
            self._moved.notify_all()
            self._asked.notify_all()

    @contextmanager
    def _open(self) -> Generator[None]:
        """Hold the lock, unless the log is closed."""
        with self._lock:
            if self._closed:
                raise LogError("the event log is closed")
            yield
