"""What a log is told and what it tells: the values of the `EventLog` port, which `flowcore.ports` has too."""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

from .batch.events import BatchEvent
from .errors import RunOwnedError
from .ids import BatchId, RunId, StreamId
from .maker import maker
from .run.events import Event
from .values import Instant


@attrs.frozen
class Recorded:
    """An event as it stands in the log.

    Attributes:
        run_id: The stream it belongs to: one for each run.
        position: Its place in the whole log, counted from 1, without gaps but those of runs that were deleted.
        version: Its place in its stream, counted from 1.
        epoch: The epoch of the owner that appended it; 0 for what anybody else did (the run itself, requests).
    """

    run_id: RunId
    position: int
    version: int
    event: Event
    epoch: int = 0


@attrs.frozen
class Append:
    """Events for the end of one stream.

    Attributes:
        expected_version: The version of the stream's last event as the writer knows it; 0 for a new stream.
        epoch: The epoch that `EventLog.claim` gave the writer; 0 for a request by somebody who does not own the run.
    """

    run_id: RunId
    expected_version: int
    events: Sequence[Event]
    epoch: int = 0

    @property
    def stream(self) -> StreamId:
        """The stream."""
        return self.run_id


make_append: Final = maker(Append)


@attrs.frozen
class RecordedBatch:
    """An event of a batch as it stands in the log; see `Recorded`."""

    batch_id: BatchId
    position: int
    version: int
    event: BatchEvent
    epoch: int = 0


@attrs.frozen
class AppendBatch:
    """Events for the end of the stream of a batch; see `Append`."""

    batch_id: BatchId
    expected_version: int
    events: Sequence[BatchEvent]
    epoch: int = 0

    @property
    def stream(self) -> StreamId:
        """The stream."""
        return self.batch_id


AnyAppend: TypeAlias = Append | AppendBatch
AnyRecorded: TypeAlias = Recorded | RecordedBatch


@attrs.frozen
class BatchPage:
    """Some of the batches of a log, newest first.

    Attributes:
        total: How many there are of the kind that was asked for, on whatever page.
    """

    total: int
    batch_ids: Sequence[BatchId]


_LONG_AGO: Final = Instant(0.0)


@attrs.frozen
class Owner:
    """A program that drives runs.

    Attributes:
        id: A unique text, new for each program start.
        name: What people are told, such as `process 4711 on host`.
        host: Where its process id means something: equal only for processes that see each other.
        pid: Its process id there.
    """

    id: str
    name: str
    host: str = ""
    pid: int = 0


@attrs.frozen
class Ownership:
    """Who drives a run.

    Attributes:
        owner: The owner; None when nobody does: the run was never claimed, or was released.
        epoch: Counts the claims of the run: 0 when it was never claimed.
        expires_at: When the owner's lease ends unless it is renewed.
    """

    owner: Owner | None
    epoch: int
    expires_at: Instant = _LONG_AGO

    def held(self, now: Instant) -> bool:
        """Return whether somebody holds the run at *now*."""
        return self.owner is not None and now < self.expires_at

    def refuse_others(self, run_id: StreamId, now: Instant, *allowed: str | None) -> None:
        """See that nobody holds *run_id*, whose ownership this is, at *now*, but one of *allowed* (ids of owners).

        Raises:
            RunOwnedError: Somebody else does.
        """
        if self.owner is not None and self.held(now) and self.owner.id not in allowed:
            lease_s = math.ceil(self.expires_at - now)
            raise RunOwnedError(f"run {run_id} is driven by {self.owner.name}, whose lease ends in {lease_s} s")


@attrs.frozen
class Requests:
    """What others than the owners have appended: new runs, and requests for runs.

    Attributes:
        position: The position up to which this answer holds; ask from there the next time.
        run_ids: The runs concerned, each once, in the order of their first event.
        batch_ids: The batches concerned, likewise.
    """

    position: int
    run_ids: tuple[RunId, ...] = ()
    batch_ids: tuple[BatchId, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything is concerned."""
        return bool(self.run_ids or self.batch_ids)


@attrs.frozen
class Snapshot:
    """What somebody has made of the events of a run, to go on from there the next time.

    Attributes:
        version: The version of the last event in it.
        data: Whatever they made of it.
    """

    version: int
    data: bytes
