"""What the core asks of the outside world: Protocols only, said in the core's own terms."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from .catalog import SourceType
from .ids import InstanceId, RunId
from .run.events import Event
from .values import Instant, Json


@attrs.frozen
class Recorded:
    """An event as it stands in the log.

    Attributes:
        run_id: The stream it belongs to: one for each run.
        position: Its place in the whole log, counted from 1, without gaps within one log.
        version: Its place in its stream, counted from 1.
    """

    run_id: RunId
    position: int
    version: int
    event: Event


@attrs.frozen
class Append:
    """Events for the end of one stream.

    Attributes:
        expected_version: The version of the stream's last event as the writer knows it; 0 for a new stream.
    """

    run_id: RunId
    expected_version: int
    events: Sequence[Event]


_NO_FACTS: Final[Mapping[str, Json]] = MappingProxyType({})


class EventLog(Protocol):
    """The one truth: append-only streams of events, one for each run, in one order of positions. Safe for threads."""

    def append(self, *appends: Append) -> int:
        """Append all of *appends*, or nothing, and return the position of the last event.

        Returns only when what was appended is as durable as the log promises.

        Raises:
            VersionConflictError: A stream has moved on; read it again.
            LogError: It could not be written; nothing was appended.
        """
        ...

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* whose version is above *after*, in order; nothing for an unknown run."""
        ...

    def version(self, run_id: RunId) -> int:
        """Return the version of the last event of *run_id*; 0 when there is no such run."""
        ...

    def position(self) -> int:
        """Return the position of the last event of the whole log; 0 when it is empty."""
        ...

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first, at most *limit* of them."""
        ...

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until the log is past *position* or *timeout_s* is over, and return its position then."""
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

    def __call__(self, message: str) -> None:
        """Write one line."""
        ...


@attrs.frozen(kw_only=True)
class SourceCall:
    """One attempt, as its source sees it.

    Attributes:
        configuration: The source's configuration, rendered and checked against its `SourceType`.
        payload: The rendered input; None when there is none.
        deadline: When the attempt must be over, in seconds of `Clock.monotonic`.
        log: The source's log lines go here.
    """

    run_id: RunId
    instance: InstanceId
    attempt: int
    configuration: Mapping[str, Json]
    payload: Json
    deadline: float
    cancel: CancelToken
    log: LogSink

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
