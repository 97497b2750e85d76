"""Tools for tests, ours and yours: rehearsals, a log in memory, a clock that stands still, given/when/then."""

from collections.abc import Sequence

from .errors import CommandRejectedError
from .memory_log import MemoryEventLog
from .rehearsal import Failure, Rehearsal, Success, recorded_results, rehearse
from .run.commands import Command
from .run.decide import decide
from .run.events import Event
from .run.evolve import evolve, fold
from .run.state import RunState
from .values import Instant


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


__all__ = [
    "Failure",
    "ManualClock",
    "MemoryEventLog",
    "Rehearsal",
    "Scenario",
    "Success",
    "given",
    "recorded_results",
    "rehearse",
]
