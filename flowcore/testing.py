"""Tools for tests, ours and yours: a log in memory, a clock that stands still, and given/when/then for the decider."""

from bisect import insort
from collections.abc import Iterator, Sequence

from .errors import CommandRejectedError, VersionConflictError
from .ids import RunId
from .ports import Append, Recorded
from .run.commands import Command
from .run.decide import decide
from .run.events import Event
from .run.evolve import evolve, fold
from .run.state import RunState
from .values import Instant


class MemoryEventLog:
    """An `EventLog` in lists, for one thread; it forgets everything when it is dropped.

    `wait` cannot block here: whoever waits and whoever appends are the same.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._streams: dict[RunId, list[Event]] = {}
        self._positions: dict[RunId, list[int]] = {}
        self._ids: list[RunId] = []
        self._position = 0

    def append(self, *appends: Append) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`)."""
        for append in appends:
            version = len(self._streams.get(append.run_id, ()))
            if version != append.expected_version:
                raise VersionConflictError(
                    f"run {append.run_id} is at version {version}, not {append.expected_version}"
                )
        for append in appends:
            if append.run_id not in self._streams:
                insort(self._ids, append.run_id)
            start, self._position = self._position, self._position + len(append.events)
            # Positions first: a reader in another thread counts events and must find a position for each.
            self._positions.setdefault(append.run_id, []).extend(range(start + 1, self._position + 1))
            self._streams.setdefault(append.run_id, []).extend(append.events)
        return self._position

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield the events of *run_id* above version *after*."""
        events = self._streams.get(run_id, ())
        positions = self._positions.get(run_id, ())
        for index in range(after, len(events)):
            yield Recorded(run_id, positions[index], index + 1, events[index])

    def version(self, run_id: RunId) -> int:
        """Return the version of the last event of *run_id*."""
        return len(self._streams.get(run_id, ()))

    def position(self) -> int:
        """Return the position of the last event."""
        return self._position

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, newest first."""
        return self._ids[::-1] if limit is None else self._ids[: -limit - 1 : -1]

    def wait(self, position: int, timeout_s: float) -> int:  # noqa: ARG002 - the port's shape; see the class
        """Return the position at once."""
        return self._position

    def close(self) -> None:
        """Do nothing."""


class ManualClock:
    """A `Clock` that moves when it is told to."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        """Show *start*, in seconds since the epoch."""
        self._now = start

    def now(self) -> Instant:
        """Return the time shown."""
        return Instant(self._now)

    def monotonic(self) -> float:
        """Return the time shown."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Go on by *seconds*."""
        self._now += seconds


class Scenario:
    """A decider example: ``given(*events).when(command).then(*events)``."""

    def __init__(self, events: Sequence[Event]) -> None:
        """Start from a run that *events* happened to."""
        self._state: RunState = fold(events)
        self._command: Command | None = None

    def when(self, command: Command) -> "Scenario":
        """Take *command* as the one to decide."""
        self._command = command
        return self

    def then(self, *expected: Event) -> None:
        """Assert that exactly *expected* is decided, and none of it again when the command is repeated.

        Raises:
            AssertionError: Something else was decided.
        """
        decided = self._decide()
        if decided != expected:
            raise AssertionError(f"expected {expected}, but decided {decided}")
        for event in decided:
            evolve(self._state, event)
        try:
            again = self._decide()
        except CommandRejectedError:
            return
        # `Settle` may go on with the next consequences, but nothing is ever decided a second time.
        repeated = [event for event in again if event in decided]
        if repeated:
            raise AssertionError(f"deciding twice repeated {repeated}")

    def then_rejected(self, code: str) -> None:
        """Assert that the command is refused with *code*.

        Raises:
            AssertionError: It was not, or with another code.
        """
        try:
            decided = self._decide()
        except CommandRejectedError as error:
            if error.code != code:
                raise AssertionError(f"expected a refusal with {code!r}, but it was {error.code!r}") from error
            return
        raise AssertionError(f"expected a refusal with {code!r}, but decided {decided}")

    def _decide(self) -> tuple[Event, ...]:
        if self._command is None:
            raise AssertionError("say `when` first")
        return decide(self._command, self._state)


def given(*events: Event) -> Scenario:
    """Start an example from a run that *events* happened to."""
    return Scenario(events)
