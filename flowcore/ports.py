"""What the core asks of the outside world: Protocols only, said in the core's own terms."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from .artifacts import Resources
from .batch.machine import BatchStatus
from .catalog import SourceType
from .ids import BatchId, InstanceId, RunId, StreamId
from .maker import maker
from .records import (
    AnyAppend,
    AnyRecorded,
    Append,
    AppendBatch,
    BatchPage,
    Owner,
    Ownership,
    Recorded,
    RecordedBatch,
    Requests,
    Snapshot,
)
from .stores import AttemptFiles
from .values import Instant, Json

__all__ = [
    "AnyAppend",
    "AnyRecorded",
    "Append",
    "AppendBatch",
    "BatchPage",
    "CancelAction",
    "CancelToken",
    "Clock",
    "EventLog",
    "LogSink",
    "Owner",
    "Ownership",
    "Recorded",
    "RecordedBatch",
    "Redact",
    "Requests",
    "Snapshot",
    "SourceAdapter",
    "SourceCall",
    "SourceResult",
    "make_source_call",
    "make_source_result",
]
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

    def follow(self, after: int, limit: int) -> Sequence[AnyRecorded]:
        """Return the events past position *after*, of runs and batches alike, in the order of positions.

        At most *limit* of them. Costs its answer, not the log: for those who follow everything that happens.
        """
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

    def requests(self, after: int, timeout_s: float) -> Requests:
        """Block until somebody who is no owner has appended past position *after*, or *timeout_s* is over.

        Noticed within 100 ms, whichever process it was. Returning early with nothing is allowed.

        Raises:
            LogError: The log is closed, or cannot be read.
        """
        ...

    def snapshot(self, run_id: RunId, kind: str) -> Snapshot | None:
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

    def __call__(self, message: str, *, stream: str = "source") -> None:
        """Write one line; *stream* says where it comes from: `source`, `stdout`, `stderr`."""
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
        files: The artifacts to read and to leave; None when the step has none.
        resources: What the attempt may use of its host; None when nobody has said.
        timeout_s: The limit that *deadline* follows from, in seconds, for people: by the time that a source looks at
            its deadline some of it may be over. None when nobody has said.
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
    files: AttemptFiles | None = None
    resources: Resources | None = None
    timeout_s: float | None = None

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


make_source_call: Final = maker(SourceCall)
make_source_result: Final = maker(SourceResult)


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
