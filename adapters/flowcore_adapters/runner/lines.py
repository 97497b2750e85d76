"""The lines that attempts write, on their way into the log.

They are kept while the run is traced; the lines of node flows, whose documents promise logs, always are. A run that is
not traced pays for a question per line and nothing else. Whatever is kept has gone through the redactor.
"""

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

from flowcore.cleaning import clean
from flowcore.json_text import to_json
from flowcore.model import Dialect
from flowcore.ports import Clock
from flowcore.run.commands import ReportFailure
from flowcore.run.decide import decide
from flowcore.run.events import AttemptFailed, LogLine
from flowcore.run.state import RunState
from flowcore.secrets import Redactor, mask
from flowcore.values import Json

TRACE: Final = "trace"
"""The stream of the engine's own lines."""
FLUSH_S: Final = 0.2
"""How often the lines of attempts in the air are recorded, in seconds."""
MOST: Final = 10_000
"""How many lines of one attempt are recorded."""
_TOGETHER: Final = 500
"""How many lines one event holds at most."""
_LONGEST: Final = 10_000
_LONGEST_VALUE: Final = 2_000
MAKING: Final = Lock()
"""Held while an attempt gets its lines: several threads of its source may write the first one at once."""
_FULL: Final = f"further lines are not recorded: an attempt may have {MOST}"


class Tracing:
    """Whether the lines of one run are kept.

    Attributes:
        enabled: Whether they are, now: it may change while attempts are in the air.
    """

    def __init__(self, clock: Clock, rouse: Callable[[], None]) -> None:
        """Keep nothing for now; *rouse* is called, from any thread, when lines of an attempt begin to wait."""
        self.enabled = False
        self.clock = clock
        self.rouse = rouse

    def follow(self, state: RunState) -> None:
        """Keep what the run of *state* wants to be kept."""
        self.enabled = state.trace or state.flow.dialect is Dialect.NODES


class AttemptLines:
    """The lines of one attempt that are not recorded yet; any thread of its source may write."""

    __slots__ = ("_kept", "_redactor", "_reported", "_tracing")

    def __init__(self, tracing: Tracing, redactor: Redactor) -> None:
        """Keep lines as *tracing* says, without what *redactor* knows."""
        self._tracing = tracing
        self._redactor = redactor
        self._kept: deque[LogLine] = deque()
        self._reported = 0

    @property
    def waiting(self) -> bool:
        """Whether there are lines to be taken."""
        return bool(self._kept)

    def write(self, message: str, stream: str) -> None:
        """Keep a line, if lines are kept."""
        if not self._tracing.enabled:
            return
        kept = self._kept
        count = self._reported + len(kept)
        if count > MOST:
            return
        text = _FULL if count == MOST else _fit(message, self._redactor)
        kept.append(LogLine(at=self._tracing.clock.now(), stream=stream, message=text))
        if len(kept) == 1:
            self._tracing.rouse()

    def value(self, name: str, value: Json) -> None:
        """Keep a line about *value*, without secrets and cut to a length for people, if lines are kept."""
        if self._tracing.enabled:
            hidden = mask(self._redactor.hide(value)) if self._redactor else value
            text = to_json(hidden)
            more = f"... ({len(text)} characters)" if len(text) > _LONGEST_VALUE else ""
            self.write(f"{name}: {text[:_LONGEST_VALUE]}{more}", TRACE)

    def take(self) -> list[tuple[int, tuple[LogLine, ...]]]:
        """Return the lines that are waiting, in portions, each with the number of those before it."""
        found: list[tuple[int, tuple[LogLine, ...]]] = []
        kept = self._kept
        while kept:
            lines = tuple(kept.popleft() for _ in range(min(len(kept), _TOGETHER)))
            found.append((self._reported, lines))
            self._reported += len(lines)
        return found


def decision(command: ReportFailure, state: RunState) -> str:
    """Return what *command* will lead to, for people."""
    for event in decide(command, state):
        if isinstance(event, AttemptFailed):
            if event.retry_at is None:
                return "there is no further attempt"
            return f"the next attempt is due in {event.retry_at - event.at:.3f} s"
    return "nothing comes of it"


def _fit(message: str, redactor: Redactor) -> str:
    """Return *message* fit for the log: secrets first, for half of one would not be recognised."""
    cleaned, _notes = clean(redactor.text(message)[:_LONGEST])
    return str(cleaned)
