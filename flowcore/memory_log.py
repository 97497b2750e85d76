"""An event log in memory: the simplest thing that keeps every promise of the port but durability."""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence

import attrs

from .errors import FencedError, RunNotFoundError, VersionConflictError
from .ids import RunId
from .ports import Append, Owner, Ownership, Recorded, Requests, Snapshot
from .run.events import Event
from .values import Instant

_FREE = Ownership(None, 0)


@attrs.define
class _Stream:
    """One run: its events and where they stand, and who drives it."""

    events: list[Event] = attrs.field(factory=list[Event])
    positions: list[int] = attrs.field(factory=list[int])
    epochs: list[int] = attrs.field(factory=list[int])
    epoch: int = 0
    owner: Owner | None = None
    snapshots: dict[str, Snapshot] = attrs.field(factory=dict[str, Snapshot])


class MemoryEventLog:
    """An `EventLog` in lists, for one thread; it forgets everything when it is dropped.

    `wait` and `requests` cannot block here: whoever waits and whoever appends are the same.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._streams: dict[RunId, _Stream] = {}
        self._ids: list[RunId] = []
        self._position = 0
        self._newest_id = RunId(0)
        self._requested: list[tuple[int, RunId]] = []
        self._leases: dict[str, Instant] = {}

    def append(self, *appends: Append) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`)."""
        for append in appends:
            self._check(append)
        for append in appends:
            stream = self._streams.get(append.run_id)
            if stream is None:
                insort(self._ids, append.run_id)
                self._newest_id = max(self._newest_id, append.run_id)
                stream = self._streams[append.run_id] = _Stream()
            start, self._position = self._position, self._position + len(append.events)
            # The events last: a reader in another thread counts them and must find the rest for each.
            stream.positions.extend(range(start + 1, self._position + 1))
            stream.epochs.extend([append.epoch] * len(append.events))
            stream.events.extend(append.events)
            if not append.epoch and append.events:
                self._requested.append((self._position, append.run_id))
        return self._position

    def _check(self, append: Append) -> None:
        stream = self._streams.get(append.run_id)
        version, epoch = (0, 0) if stream is None else (len(stream.events), stream.epoch)
        if append.epoch and append.epoch != epoch:
            raise FencedError(
                f"run {append.run_id} was taken over by another owner (epoch {epoch}, not {append.epoch})"
            )
        if version != append.expected_version:
            raise VersionConflictError(f"run {append.run_id} is at version {version}, not {append.expected_version}")

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* above version *after*."""
        stream = self._streams.get(run_id)
        if stream is not None:
            for index in range(after, len(stream.events)):
                yield Recorded(run_id, stream.positions[index], index + 1, stream.events[index], stream.epochs[index])

    def version(self, run_id: RunId) -> int:
        """Return the version of the last event of *run_id*."""
        stream = self._streams.get(run_id)
        return 0 if stream is None else len(stream.events)

    def position(self) -> int:
        """Return the position of the last event."""
        return self._position

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first."""
        return self._ids[::-1] if limit is None else self._ids[: -limit - 1 : -1]

    def newest_id(self) -> RunId:
        """Return the highest id that a run ever had."""
        return self._newest_id

    def wait(self, position: int, timeout_s: float) -> int:  # noqa: ARG002 - the port's shape; see the class
        """Return the position at once."""
        return self._position

    def claim(self, run_id: RunId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None) -> int:
        """Make *owner* the one who drives *run_id* (see `EventLog.claim`)."""
        stream = self._streams.get(run_id)
        if stream is None:
            raise RunNotFoundError(f"no run {run_id} in this log")
        self.ownership(run_id).refuse_others(run_id, now, owner.id, over)
        stream.owner = owner
        stream.epoch += 1
        self._leases[owner.id] = Instant(now + ttl_s)
        return stream.epoch

    def renew(self, owner: Owner, *, now: Instant, ttl_s: float) -> None:
        """Let the lease of *owner* last until *ttl_s* seconds after *now*."""
        if owner.id in self._leases:
            self._leases[owner.id] = Instant(now + ttl_s)

    def release(self, owner: Owner, *run_ids: RunId) -> None:
        """Let go of *run_ids*."""
        for run_id in run_ids:
            stream = self._streams.get(run_id)
            if stream is not None and stream.owner is not None and stream.owner.id == owner.id:
                stream.owner = None

    def ownership(self, run_id: RunId) -> Ownership:
        """Return who drives *run_id*."""
        stream = self._streams.get(run_id)
        if stream is None:
            return _FREE
        if stream.owner is None:
            return Ownership(None, stream.epoch)
        return Ownership(stream.owner, stream.epoch, self._leases.get(stream.owner.id, Instant(0.0)))

    def requests(self, after: int, timeout_s: float) -> Requests:  # noqa: ARG002 - the port's shape; see the class
        """Return at once what others than the owners have appended past *after*."""
        found = self._requested[bisect_right(self._requested, after, key=_position) :]
        return Requests(self._position, tuple(dict.fromkeys(run_id for _, run_id in found)))

    def snapshot(self, run_id: RunId, kind: str) -> Snapshot | None:
        """Return the newest snapshot of that kind."""
        stream = self._streams.get(run_id)
        return None if stream is None else stream.snapshots.get(kind)

    def save_snapshot(self, run_id: RunId, kind: str, version: int, data: bytes) -> None:
        """Keep *data* unless there is a newer snapshot of that kind (see `EventLog.save_snapshot`)."""
        stream = self._streams.get(run_id)
        if stream is not None and version <= len(stream.events):
            known = stream.snapshots.get(kind)
            if known is None or known.version <= version:
                stream.snapshots[kind] = Snapshot(version, data)

    def delete_runs(self, *run_ids: RunId, now: Instant) -> None:
        """Delete *run_ids*, or nothing (see `EventLog.delete_runs`)."""
        there = self._streams.keys() & run_ids
        for run_id in there:
            self.ownership(run_id).refuse_others(run_id, now)
        if there:
            self._position += 1
            self._ids = [run_id for run_id in self._ids if run_id not in there]
            self._requested = [entry for entry in self._requested if entry[1] not in there]
            for run_id in there:
                del self._streams[run_id]

    def close(self) -> None:
        """Do nothing."""


def _position(entry: tuple[int, RunId]) -> int:
    return entry[0]
