"""What the core asks of the outside world: Protocols only, said in the core's own terms."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import attrs

from .batch.events import BatchEvent
from .batch.machine import BatchStatus
from .catalog import SourceType
from .errors import RunOwnedError
from .ids import BatchId, InstanceId, RunId, StreamId
from .run.events import Event
from .values import Instant, Json


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


_NO_FACTS: Final[Mapping[str, Json]] = MappingProxyType({})


class EventLog(Protocol):
    """The one truth: append-only streams of events in one order of positions. Safe for threads.

    There is one stream for each run and one for each batch. Ids are of one sequence, so each names one stream; what a
    batch shares with a run (its version, who drives it, its deletion) is asked with the id alone.
    """

    def append(self, *appends: AnyAppend) -> int:
        """Append all of *appends*, or nothing, and return the position of the last event.

        Returns only when what was appended is as durable as the log promises.

        Raises:
            FencedError: The writer has lost the run to another owner: its epoch is not the run's any more. Told even
                when the stream has moved on as well.
            VersionConflictError: A stream has moved on; read it again.
            LogError: It could not be written; nothing was appended.
        """
        ...

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* whose version is above *after*, in order; nothing for an unknown run."""
        ...

    def read_batch(self, batch_id: BatchId, *, after: int = 0) -> Iterator[RecordedBatch]:
        """Yield the events of *batch_id* whose version is above *after*, in order; nothing for an unknown batch."""
        ...

    def version(self, run_id: StreamId) -> int:
        """Return the version of the last event of *run_id*; 0 when there is no such run or batch."""
        ...

    def position(self) -> int:
        """Return the position of the last event of the whole log; 0 when it is empty."""
        ...

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first, at most *limit* of them."""
        ...

    def batches(self, *, status: BatchStatus | None = None, limit: int | None = None, offset: int = 0) -> BatchPage:
        """Return the ids of the batches, newest first, at most *limit* of them after the first *offset*.

        Costs what the page costs, not what all batches would.

        Args:
            status: Only those that stand there.
            limit: How many at most.
            offset: How many of the newest to leave out.
        """
        ...

    def newest_id(self) -> RunId:
        """Return the highest id that a run or batch of this log ever had, deleted ones included; 0 for none."""
        ...

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until the log is past *position* or *timeout_s* is over, and return its position then."""
        ...

    def claim(self, run_id: StreamId, owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None) -> int:
        """Make *owner* the one who drives *run_id*, and return the new epoch: only appends that bear it are taken.

        An owner has one lease for all its runs, from *now* for *ttl_s* seconds; claiming renews it.

        Args:
            run_id: The run, or the batch.
            owner: Who claims; claiming its own run again gives a new epoch.
            now: The time of the day.
            ttl_s: How long the lease lasts unless it is renewed, in seconds.
            over: The id of the present owner when it is known to be gone: then its lease need not have expired.

        Raises:
            RunOwnedError: Another owner holds it.
            RunNotFoundError: There is no such run.
        """
        ...

    def claim_all(
        self, run_ids: Sequence[RunId], owner: Owner, *, now: Instant, ttl_s: float, over: str | None = None
    ) -> Sequence[int]:
        """Make *owner* the one who drives each of *run_ids*, in one go, and return the new epochs (see `claim`).

        For what comes and goes together: the items of a batch. A run that there is not, or that another owner holds,
        is left out and has epoch 0.
        """
        ...

    def renew(self, owner: Owner, *, now: Instant, ttl_s: float) -> None:
        """Let the lease of *owner* last until *ttl_s* seconds after *now*; nothing when it never claimed."""
        ...

    def release(self, owner: Owner, *run_ids: StreamId) -> None:
        """Let go of *run_ids* (those of them that *owner* owns): anybody may claim them at once."""
        ...

    def ownership(self, run_id: StreamId) -> Ownership:
        """Return who drives *run_id*; epoch 0 and no owner for an unknown run."""
        ...

    def requests(self, after: int, timeout_s: float) -> "Requests":
        """Block until somebody who is no owner has appended past position *after*, or *timeout_s* is over.

        Noticed within 100 ms, whichever process it was. Returning early with nothing is allowed.

        Raises:
            LogError: The log is closed, or cannot be read.
        """
        ...

    def snapshot(self, run_id: RunId, kind: str) -> "Snapshot | None":
        """Return the newest snapshot of that *kind*; None when there is none."""
        ...

    def save_snapshot(self, run_id: RunId, kind: str, version: int, data: bytes) -> None:
        """Keep *data* as the snapshot of that kind, unless there is one of a later version.

        Losing one is harmless, so what cannot be kept is not, and nothing is raised: a full disk, a run that was
        deleted, a version that the run has not come to.

        Args:
            run_id: The run.
            kind: Who makes something of it; a new kind for every new shape of *data*.
            version: The version of the last event that went into it.
            data: What was made of the events up to there.
        """
        ...

    def delete_runs(self, *run_ids: StreamId, now: Instant, ended: bool = False) -> None:
        """Delete all of *run_ids* (runs and batches) that there are, with their events and snapshots, or nothing.

        Which may go is for the caller to decide. With *ended* the caller has seen that nothing more can happen to them:
        then it does not matter that who drove them has not let go of them yet. Their positions and ids are not used
        again (see `newest_id`), and the deletion takes a position itself, so that whoever asks for the position learns
        that something has changed.

        Raises:
            RunOwnedError: Somebody holds one of them at *now*.
            LogError: They could not be deleted.
        """
        ...

    def close(self) -> None:
        """Let go of what the log holds; it cannot be used afterwards."""
        ...


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


class Clock(Protocol):
    """The time."""

    def now(self) -> Instant:
        """Return the time of the day."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start: for deadlines."""
        ...


class CancelToken(Protocol):
    """How a source learns that nobody wants its answer any more."""

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Block until cancelled or *timeout_s* is over; return whether it was cancelled."""
        ...

    def on_cancel(self, action: "CancelAction | None") -> None:
        """Have *action* called, once, from the thread that cancels, or at once when it is too late.

        The action must be quick and must not raise. The last one given holds; None takes it back.
        """
        ...


class CancelAction(Protocol):
    """What to do when a call is cancelled."""

    def __call__(self) -> None:
        """Do it."""
        ...


class LogSink(Protocol):
    """Where a source writes its log lines; secrets are taken out of them behind it."""

    def __call__(self, message: str) -> None:
        """Write one line."""
        ...


class Redact(Protocol):
    """What takes secrets out of a text."""

    def __call__(self, text: str, /) -> str:
        """Return *text* with every secret blackened."""
        ...


@attrs.frozen(kw_only=True)
class SourceCall:
    """One attempt, as its source sees it.

    Attributes:
        configuration: The source's configuration, rendered and checked against its `SourceType`.
        payload: The rendered input; None when there is none.
        deadline: When the attempt must be over, in seconds of `Clock.monotonic`.
        log: The source's log lines go here.
        redact: Takes the values of secrets out of a text. Whatever is cut to a length for people goes through it first,
            for half of a secret is not recognised afterwards.
    """

    run_id: RunId
    instance: InstanceId
    attempt: int
    configuration: Mapping[str, Json]
    payload: Json
    deadline: float
    cancel: CancelToken
    log: LogSink
    redact: Redact = str

    @property
    def idempotency_key(self) -> str:
        """`run/step/attempt`: what a receiver can use to see a repeated side effect (reliability, promise 3)."""
        return f"{self.run_id}/{self.instance}/{self.attempt}"


@attrs.frozen(kw_only=True)
class SourceResult:
    """What a call gave.

    Attributes:
        data: What the step's outputs are taken from.
        meta: Facts about the call, such as the HTTP status code.
        notes: For people: what was odd, though it succeeded.
    """

    data: object
    meta: Mapping[str, Json] = _NO_FACTS
    notes: tuple[str, ...] = ()


class SourceAdapter(Protocol):
    """A kind of source. One object serves all calls, from several threads at once."""

    @property
    def type(self) -> SourceType:
        """Its name and the configuration it takes."""
        ...

    def call(self, call: SourceCall) -> SourceResult:
        """Do the work of one attempt: watch `call.deadline` and `call.cancel`, and leave nothing behind.

        Raises:
            SourceError: It could not be done: the attempt fails with this note.
        """
        ...
