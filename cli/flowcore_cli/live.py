"""The live display: what is settled scrolls up, what is under way stays below with its time, a bar counts."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from flowcore.run.events import Event
from flowcore_cli.progress import Line, Tracker, settled_line, unsaid
from flowcore_cli.render import duration, padded

_TICK_S: Final = 0.1
_LEAST_ROWS: Final = 3
_BAR: Final = 24


class LiveScreen:
    """Progress on a terminal, drawn by whoever calls `tick`: there is no thread behind it."""

    tick_s: float | None = _TICK_S

    def __init__(self, names: Iterable[str], since: float) -> None:
        """Start drawing on stderr about a run of the steps *names* that goes on since *since* (`time.time`)."""
        # Nothing here is ever read as markup, emoji code or number to be coloured: names and notes are data.
        self._console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._ascii = not self._console.encoding.lower().startswith("utf")
        self._tracker = Tracker(names)
        self._unsaid = unsaid(self._tracker)
        self._spinner = Spinner("line" if self._ascii else "dots", style="cyan")
        self._since = since
        self._lines: list[Line] = []
        self._states: Counter[str] = Counter()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def take(self, events: Sequence[Event]) -> None:
        """Keep what *events* are worth for the next `tick`."""
        for event in events:
            line = self._tracker.take(event)
            if line is not None:
                self._states[line.state] += 1
                if line.state not in self._unsaid:
                    self._lines.append(line)

    def tick(self) -> None:
        """Draw: once for everything that has come."""
        if self._lines:
            # All in one: every print redraws what is below.
            lines, self._lines = self._lines, []
            self._console.print(Group(*(self._settled(line) for line in lines)), soft_wrap=True)
        self._live.update(Group(*self._below()), refresh=True)

    def say(self, text: str) -> None:
        """Print *text* above what is under way."""
        self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Print what is left to say and take away what was under way."""
        self.tick()
        self._live.update(Text(""))
        self._live.stop()

    def _settled(self, line: Line) -> Text:
        return self._fitted(Text.from_ansi(settled_line(line, self._tracker.width, ascii_only=self._ascii)))

    def _below(self) -> Iterator[Text]:
        now = time.time()
        frame = self._spinner.render(self._console.get_time())
        running = list(self._tracker.running.values())
        room = max(self._console.height - 4, _LEAST_ROWS)
        for step in running[:room]:
            text = Text("  ").append_text(frame if isinstance(frame, Text) else Text(">"))
            text.append(f" {padded(step.name, self._tracker.width)}")
            text.append(f"  {duration(now - step.since)}", style="cyan")
            text.append(f"  {step.detail}" if step.detail else "", style="dim")
            yield self._fitted(text)
        if len(running) > room:
            yield Text(f"    and {len(running) - room:,} more", style="dim")
        yield self._bar(len(running), now)

    def _bar(self, running: int, now: float) -> Text:
        total, settled = self._tracker.total, self._tracker.settled
        sign = "=" if self._ascii else "━"
        done = _BAR * settled // total if total else _BAR
        said = [f"{settled:,} of {total:,}"]
        said += [f"{running:,} running"] if running else []
        said += [f"{self._states['failed']:,} failed"] if self._states["failed"] else []
        text = Text("  ").append(sign * done, style="green").append(sign * (_BAR - done), style="bright_black")
        return self._fitted(text.append("  " + "  ".join([*said, duration(now - self._since)]), style="dim"))

    def _fitted(self, text: Text) -> Text:
        """Return *text* cut to one line: a second one would be left behind when the first is redrawn."""
        text.truncate(max(self._console.width - 1, 1), overflow="ellipsis")
        return text
