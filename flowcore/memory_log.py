"""An event log in memory: the simplest thing that keeps every promise of the port but durability."""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Generic, TypeAlias, TypeVar

import attrs

from .batch.events import BatchEvent
from .batch.machine import BatchStatus, standing
from .errors import FencedError, RunNotFoundError, RunOwnedError, VersionConflictError
from .ids import BatchId, RunId, StreamId
from .ports import (
    AnyAppend,
    AnyRecorded,
    Append,
    BatchPage,
    Owner,
    Ownership,
    Recorded,
    RecordedBatch,
    Requests,
    Snapshot,
)
from .run.events import Event
from .values import Instant

_FREE = Ownership(None, 0)
E = TypeVar("E", bound=Event | BatchEvent)


@attrs.define
class _Stream(Generic[E]):
    """One run or batch: its events and where they stand, and who drives it."""

    events: list[E] = attrs.field(factory=list[E])
    positions: list[int] = attrs.field(factory=list[int])
    epochs: list[int] = attrs.field(factory=list[int])
    epoch: int = 0
    owner: Owner | None = None
    snapshots: dict[str, Snapshot] = attrs.field(factory=dict[str, Snapshot])


_AnyStream: TypeAlias = _Stream[Event] | _Stream[BatchEvent]


class MemoryEventLog:
    """An `EventLog` in lists, for one thread; it forgets everything when it is dropped.

    `wait` and `requests` cannot block here: whoever waits and whoever appends are the same.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._runs: dict[StreamId, _Stream[Event]] = {}
        self._batches: dict[StreamId, _Stream[BatchEvent]] = {}
        self._run_ids: list[RunId] = []
        self._batch_ids: list[BatchId] = []
        self._position = 0
        self._newest_id = 0
        self._requested: list[tuple[int, StreamId]] = []
        self._order: list[tuple[int, StreamId, int, int]] = []
        self._leases: dict[str, Instant] = {}

    def append(self, *appends: AnyAppend) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`)."""
        for append in appends:
            self._check(append)
        for append in appends:
            if isinstance(append, Append):
                run = self._runs.get(append.run_id)
                if run is None:
                    insort(self._run_ids, append.run_id)
                    run = self._runs[append.run_id] = _Stream()
                self._extend(append, run)
                run.events.extend(append.events)
            else:
                batch = self._batches.get(append.batch_id)
                if batch is None:
                    insort(self._batch_ids, append.batch_id)
                    batch = self._batches[append.batch_id] = _Stream()
                self._extend(append, batch)
                batch.events.extend(append.events)
        return self._position

    def _extend(self, append: AnyAppend, stream: _AnyStream) -> None:
        """Give the events of *append* their places; the caller adds the events.

        Those come last: a reader in another thread counts them and must find the rest for each.
        """
        self._newest_id = max(self._newest_id, append.stream)
        start, self._position = self._position, self._position + len(append.events)
        stream.positions.extend(range(start + 1, self._position + 1))
        stream.epochs.extend([append.epoch] * len(append.events))
        if append.events:
            self._order.append((self._position, append.stream, append.expected_version, len(append.events)))
        if not append.epoch and append.events:
            self._requested.append((self._position, append.stream))

    def _check(self, append: AnyAppend) -> None:
        stream = self._find(append.stream)
        version, epoch = (0, 0) if stream is None else (len(stream.events), stream.epoch)
        if append.epoch and append.epoch != epoch:
            raise FencedError(
                f"run {append.stream} was taken over by another owner (epoch {epoch}, not {append.epoch})"
            )
        if version != append.expected_version:
            raise VersionConflictError(f"run {append.stream} is at version {version}, not {append.expected_version}")

    def _find(self, stream: StreamId) -> _AnyStream | None:
        return self._runs.get(stream) or self._batches.get(stream)

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* above version *after*."""
        stream = self._runs.get(run_id)
        if stream is not None:
            for index in range(after, len(stream.events)):
                yield Recorded(run_id, stream.positions[index], index + 1, stream.events[index], stream.epochs[index])

    def read_batch(self, batch_id: BatchId, *, after: int = 0) -> Iterator[RecordedBatch]:
        """Yield the events of *batch_id* above version *after*."""
        stream = self._batches.get(batch_id)
        if stream is not None:
            for index in range(after, len(stream.events)):
                yield RecordedBatch(
                    batch_id, stream.positions[index], index + 1, stream.events[index], stream.epochs[index]
                )

    def follow(self, after: int, limit: int) -> Sequence[AnyRecorded]:
        """Return the events past position *after*, of runs and batches alike, at most *limit* of them."""
        found: list[AnyRecorded] = []
        for index in range(bisect_right(self._order, after, key=_last), len(self._order)):
            _, stream, version, count = self._order[index]
            events: Iterator[AnyRecorded] = (
                self.read(RunId(stream), after=version)
                if stream in self._runs
                else self.read_batch(BatchId(stream), after=version)
            )
            found.extend(recorded for recorded in islice(events, count) if recorded.position > after)
            if len(found) >= limit:
                break
        return found[:limit]

    def version(self, run_id: StreamId) -> int:
        """Return the version of the last event of *run_id*."""
        stream = self._find(run_id)
        return 0 if stream is None else len(stream.events)

    def position(self) -> int:
        """Return the position of the last event."""
        return self._position

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first."""
        return self._run_ids[::-1] if limit is None else self._run_ids[: -limit - 1 : -1]

    def batches(self, *, status: BatchStatus | None = None, limit: int | None = None, offset: int = 0) -> BatchPage:
        """Return some of the batches, newest first (see `EventLog.batches`)."""
        found = [
            each for each in reversed(self._batch_ids) if status in {None, standing(self._batches[each].events[-1])}
        ]
        return BatchPage(len(found), found[offset:] if limit is None else found[offset : offset + limit])

    def newest_id(self) -> RunId:
        """Return the highest id that a run or a batch ever had."""
        return RunId(self._newest_id)

    def wait(self, position: int, timeout_s: float) -> int:  # noqa: ARG002 - the port's shape; see the class
        """Return the position at once."""
        return self._position

    def claim(self, run_id: StreamId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None) -> int:
        """Make *owner* the one who drives *run_id* (see `EventLog.claim`)."""
        stream = self._find(run_id)
        if stream is None:
            raise RunNotFoundError(f"no run {run_id} in this log")
        self.ownership(run_id).refuse_others(run_id, now, owner.id, over)
        stream.owner = owner
        stream.epoch += 1
        self._leases[owner.id] = Instant(now + ttl_s)
        return stream.epoch

    def claim_all(
        self, run_ids: Sequence[RunId], owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None
    ) -> Sequence[int]:
        """Make *owner* the one who drives each of *run_ids* (see `EventLog.claim_all`)."""
        epochs: list[int] = []
        for run_id in run_ids:
            try:
                epochs.append(self.claim(run_id, owner, now=now, ttl_s=ttl_s, over=over))
            except (RunNotFoundError, RunOwnedError):
                epochs.append(0)
        return epochs

    def renew(self, owner: Owner, *, now: Instant, ttl_s: float) -> None:
        """Let the lease of *owner* last until *ttl_s* seconds after *now*."""
        if owner.id in self._leases:
            self._leases[owner.id] = Instant(now + ttl_s)

    def release(self, owner: Owner, *run_ids: StreamId) -> None:
        """Let go of *run_ids*."""
        for run_id in run_ids:
            stream = self._find(run_id)
            if stream is not None and stream.owner is not None and stream.owner.id == owner.id:
                stream.owner = None

    def ownership(self, run_id: StreamId) -> Ownership:
        """Return who drives *run_id*."""
        stream = self._find(run_id)
        if stream is None:
            return _FREE
        if stream.owner is None:
            return Ownership(None, stream.epoch)
        return Ownership(stream.owner, stream.epoch, self._leases.get(stream.owner.id, Instant(0.0)))

    def requests(self, after: int, timeout_s: float) -> Requests:  # noqa: ARG002 - the port's shape; see the class
        """Return at once what others than the owners have appended past *after*."""
        found = self._requested[bisect_right(self._requested, after, key=_position) :]
        streams = dict.fromkeys(stream for _, stream in found)
        return Requests(
            self._position,
            tuple(RunId(stream) for stream in streams if stream in self._runs),
            tuple(BatchId(stream) for stream in streams if stream in self._batches),
        )

    def snapshot(self, run_id: RunId, kind: str) -> Snapshot | None:
        """Return the newest snapshot of that kind."""
        stream = self._runs.get(run_id)
        return None if stream is None else stream.snapshots.get(kind)

    def save_snapshot(self, run_id: RunId, kind: str, version: int, data: bytes) -> None:
        """Keep *data* unless there is a newer snapshot of that kind (see `EventLog.save_snapshot`)."""
        stream = self._runs.get(run_id)
        if stream is not None and version <= len(stream.events):
            known = stream.snapshots.get(kind)
            if known is None or known.version <= version:
                stream.snapshots[kind] = Snapshot(version, data)

    def delete_runs(self, *run_ids: StreamId, now: Instant, ended: bool = False) -> None:
        """Delete *run_ids*, or nothing (see `EventLog.delete_runs`)."""
        there = {stream for stream in run_ids if stream in self._runs or stream in self._batches}
        for stream in () if ended else there:
            self.ownership(stream).refuse_others(stream, now)
        if there:
            self._position += 1
            self._run_ids = [run_id for run_id in self._run_ids if run_id not in there]
            self._batch_ids = [batch_id for batch_id in self._batch_ids if batch_id not in there]
            self._requested = [entry for entry in self._requested if entry[1] not in there]
            self._order = [entry for entry in self._order if entry[1] not in there]
            for stream in there:
                self._runs.pop(stream, None)
                self._batches.pop(stream, None)

    def close(self) -> None:
        """Do nothing."""


def _position(entry: tuple[int, StreamId]) -> int:
    return entry[0]


def _last(entry: tuple[int, StreamId, int, int]) -> int:
    return entry[0]
