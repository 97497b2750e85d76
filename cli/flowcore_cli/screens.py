"""Where the progress of a run is told: nowhere, line by line, or on a live display."""

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import IO, Protocol

import click

from flowcore.run.events import Event
from flowcore_cli.progress import MOMENT_S, Tracker, plain_line, settled_line, unsaid


class Screen(Protocol):
    """Where progress is shown.

    Attributes:
        tick_s: How often `tick` wants to be called, in seconds; None: never.
    """

    tick_s: float | None

    def take(self, events: Sequence[Event]) -> None:
        """Take in what has been recorded."""
        ...

    def tick(self) -> None:
        """Show what has changed."""
        ...

    def say(self, text: str) -> None:
        """Print one line, as it is."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; what has been shown for good stays."""
        ...


class SilentScreen:
    """Shows nothing of the run."""

    tick_s: float | None = None

    def __init__(self, *, speaks: bool = True) -> None:
        """Print what concerns the command itself when it *speaks*."""
        self._speaks = speaks

    def take(self, events: Sequence[Event]) -> None:
        """Pass it over."""

    def tick(self) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Print *text*, or pass it over."""
        if self._speaks:
            click.echo(text, err=True)

    def close(self) -> None:
        """Do nothing."""


class PlainScreen:
    """Prints a line for everything that happens to a step: for pipes, files and the logs of other programs."""

    tick_s: float | None = None

    def __init__(self, names: Iterable[str], stream: IO[str]) -> None:
        """Print on *stream* about a run of the steps *names*."""
        self._tracker = Tracker(names)
        self._stream = stream

    def take(self, events: Sequence[Event]) -> None:
        """Print what *events* are worth, all in one write."""
        found = [line for line in map(self._tracker.take, events) if line is not None]
        if found:
            self._stream.write("".join(f"{plain_line(line, self._tracker.width)}\n" for line in found))
            self._stream.flush()

    def tick(self) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Print *text*."""
        click.echo(text, err=True)

    def close(self) -> None:
        """Do nothing."""


class TerminalScreen:
    """Becomes a live display when the run takes longer than a moment; a shorter one is only told of afterwards.

    So that a quick run neither flickers nor waits until the library is imported that draws.
    """

    tick_s: float | None = 0.1

    def __init__(self, names: Sequence[str], *, ascii_only: bool) -> None:
        """Tell on stderr about a run of the steps *names*."""
        self._names = names
        self._ascii = ascii_only
        self._since = time.time()
        self._events: list[Event] = []
        self._live: Screen | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Take in what has been recorded."""
        if self._live is None:
            self._events.extend(events)
        else:
            self._live.take(events)

    def tick(self) -> None:
        """Draw, once the moment is over."""
        if self._live is None:
            if time.time() - self._since < MOMENT_S:
                return
            from flowcore_cli.live import LiveScreen

            self._live = LiveScreen(self._names, self._since)
            self._live.take(self._events)
        self._live.tick()

    def say(self, text: str) -> None:
        """Print *text*."""
        if self._live is None:
            click.echo(text, err=True)
        else:
            self._live.say(text)

    def close(self) -> None:
        """Leave what is worth keeping, and nothing else."""
        if self._live is not None:
            self._live.close()
            return
        tracker = Tracker(self._names)
        lines = [line for line in map(tracker.take, self._events) if line is not None]
        for line in lines:
            if line.state not in unsaid(tracker):
                click.echo(settled_line(line, tracker.width, ascii_only=self._ascii), err=True)


class SteadyScreen:
    """Another screen, as long as it can be written to: a terminal that is closed must not end what is shown on it."""

    def __init__(self, screen: Screen) -> None:
        """Show on *screen*."""
        self._screen = screen
        self.tick_s: float | None = screen.tick_s

    def take(self, events: Sequence[Event]) -> None:
        """Take in what has been recorded."""
        with self._losing():
            self._screen.take(events)

    def tick(self) -> None:
        """Show what has changed."""
        with self._losing():
            self._screen.tick()

    def say(self, text: str) -> None:
        """Print one line."""
        with self._losing():
            self._screen.say(text)

    def close(self) -> None:
        """Leave the terminal as it was."""
        with self._losing():
            self._screen.close()

    @contextmanager
    def _losing(self) -> Generator[None]:
        """Go on in silence when nothing can be shown any more."""
        try:
            yield
        except (OSError, ValueError):
            self._screen = SilentScreen(speaks=False)
            self.tick_s = None
