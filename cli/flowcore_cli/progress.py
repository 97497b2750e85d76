"""What is said on stderr while a run goes on: plain lines, or a live display on a terminal.

Both are fed with the run's events and with nothing else.
"""

from collections.abc import Iterable
from typing import Final

import attrs
import click

from flowcore.run.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    RetryAbandoned,
    RunContinued,
    RunPaused,
    RunResumed,
    StepImported,
    StepPaused,
    StepSkipped,
)
from flowcore_cli.render import cell_width, colour_of, counted, duration, mark, padded, visible
from flowcore_cli.words import PAUSES

MOMENT_S: Final = 0.2
"""How long a run may take without a live display, in seconds."""
_MANY: Final = 60
"""With more steps than these, only what did not simply succeed scrolls by."""
_UNSAID: Final = frozenset({"running"})
_UNSAID_OF_MANY: Final = frozenset({"running", "succeeded", "skipped"})
_WIDEST_NAME: Final = 32
"""Longer names push the rest of their own line aside, not that of every line."""


@attrs.frozen
class Line:
    """Something about a step that is worth a line.

    Attributes:
        state: A word such as `running` or `failed`.
        detail: What there is to add, or nothing.
    """

    name: str
    state: str
    detail: str = ""


@attrs.define
class RunningStep:
    """A step that is under way.

    Attributes:
        detail: Which attempt it is, or how many items are done.
    """

    name: str
    since: float
    detail: str = ""
    items: int | None = None
    done: int = 0


class Tracker:
    """A fold of a run's events into the lines to print and the steps that are under way.

    Attributes:
        total: How many steps there are.
        settled: How many of them are over.
        running: Those under way, in the order in which they started.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Follow a run of the steps *names*."""
        self._names = frozenset(names)
        self.total = len(self._names)
        self.settled = 0
        self.running: dict[str, RunningStep] = {}
        self.width = min(max((cell_width(visible(name)) for name in self._names), default=0), _WIDEST_NAME)

    def take(self, event: Event) -> Line | None:
        """Take *event* in and return what it is worth saying."""
        match event:
            case AttemptStarted(instance=name, attempt=attempt, at=at):
                return self._start(name, attempt, at)
            case FanOutStarted(step=name, items=items, at=at):
                self.running[name] = RunningStep(name, at, f"0 of {len(items)}", len(items))
                return Line(name, "running", counted(len(items), "item"))
            case AttemptSucceeded(instance=name, at=at, notes=notes):
                return self._settle(name, "succeeded", at, "; ".join(notes))
            case FanOutSucceeded(step=name, at=at):
                return self._settle(name, "succeeded", at)
            case AttemptFailed(instance=name, error=error, retry_at=due, at=at) if due is not None:
                return self._retry(name, due - at, error)
            case AttemptFailed(instance=name, error=error, at=at):
                return self._settle(name, "failed", at, error)
            case AttemptLost(instance=name, error=error, retry_at=due, at=at):
                return Line(name, "lost", error) if due is not None else self._settle(name, "failed", at, error)
            case StepImported(step=name, at=at):
                return self._settle(name, "succeeded", at, "taken over")
            case RunResumed(owner=owner):
                return Line("", "resumed", f"by {owner}")
            case RetryAbandoned(instance=name, at=at):
                return self._settle(name, "failed", at)
            case FanOutFailed(step=name, error=error, at=at) | GuardFailed(step=name, error=error, at=at):
                return self._settle(name, "failed", at, error)
            case AttemptStopped(instance=name, at=at):
                return self._settle(name, "stopped", at)
            case StepSkipped(instance=name, reason=reason):
                return self._skip(name, reason)
            case StepPaused(instance=name, cause=cause):
                return Line(name, "paused", PAUSES[cause])
            case RunPaused():
                return Line("", "paused", "nothing new starts")
            case RunContinued():
                return Line("", "running", "the run goes on")
            case _:
                return None

    def _start(self, name: str, attempt: int, at: float) -> Line | None:
        if name not in self._names:
            return None
        if attempt > 1 and name in self.running:
            self.running[name].detail = f"attempt {attempt}"
            return Line(name, "running", f"attempt {attempt}")
        self.running[name] = RunningStep(name, at)
        return Line(name, "running")

    def _retry(self, name: str, pause_s: float, error: str) -> Line:
        if name in self.running:
            self.running[name].detail = "waiting to try again"
        return Line(name, "retrying", f"in {duration(pause_s)}: {error}")

    def _settle(self, name: str, state: str, at: float, detail: str = "") -> Line | None:
        if name not in self._names:
            self._count_item(name)
            # An item that failed is named, for its fan-out quotes the first one only.
            return Line(name, state, detail) if state == "failed" else None
        self.settled += 1
        step = self.running.pop(name, None)
        took = "" if step is None else duration(at - step.since)
        return Line(name, state, "  ".join(part for part in (took, detail) if part))

    def _skip(self, name: str, reason: str) -> Line | None:
        if name not in self._names:
            self._count_item(name)
            return None
        self.settled += 1
        self.running.pop(name, None)
        return Line(name, "skipped", reason)

    def _count_item(self, name: str) -> None:
        step = self.running.get(name.rpartition("/")[0])
        if step is not None and step.items is not None:
            step.done += 1
            step.detail = f"{step.done} of {step.items}"


def unsaid(tracker: Tracker) -> frozenset[str]:
    """Return the states that a terminal gets no line for: of a large flow, whatever goes as it should."""
    return _UNSAID if tracker.total <= _MANY else _UNSAID_OF_MANY


def settled_line(line: Line, width: int, *, ascii_only: bool) -> str:
    """Return *line* for a terminal, in colours; names take at least *width* columns."""
    state = "" if line.state == "succeeded" else click.style(f"  {line.state}", fg=colour_of(line.state))
    detail = visible(line.detail.strip().partition("\n")[0])
    shown = click.style(f"  {detail}", dim=True) if detail else ""
    return f"  {mark(line.state, ascii_only=ascii_only)} {padded(line.name, width)}{state}{shown}".rstrip()


def plain_line(line: Line, width: int) -> str:
    """Return *line* as `fetch_users  succeeded  0.42 s`; names take at least *width* characters."""
    # A note of several lines (the end of a process's stderr) is told whole in the summary.
    detail = line.detail.strip().partition("\n")[0]
    parts = (padded(line.name, width), f"{line.state:<9}" if detail else line.state, visible(detail))
    return "  ".join(part for part in parts if part.strip())
