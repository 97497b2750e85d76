"""Moments that people name: a position of the log, or a time."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from flowcore_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowcore.ports import Recorded

_SECONDS: Final = re.compile(r"@(\d+(?:\.\d+)?)")
_TIME: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
MOMENT_HELP: Final = (
    "a position of the log (42), a time (2026-11-24T09:30:00, in the local zone unless it names one; 09:30 is today),"
    " or seconds since the epoch (@1795485784.5)"
)


class Moment:
    """A position or a time: what was later is cut off."""

    def __init__(self, text: str) -> None:
        """Read what somebody wrote.

        Raises:
            CommandError: It is neither.
        """
        self.position: int | None = int(text) if text.isdecimal() else None
        self.at: float | None = None if self.position is not None else _time(text)

    def until(self, events: "Iterable[Recorded]") -> "Iterator[Recorded]":
        """Yield *events* up to the moment, in the order of the log."""
        for recorded in events:
            if self.position is not None and recorded.position > self.position:
                return
            if self.at is not None and recorded.event.at > self.at:
                return
            yield recorded


def _time(text: str) -> float:
    seconds = _SECONDS.fullmatch(text)
    if seconds is not None:
        return float(seconds.group(1))
    try:
        today = f"{datetime.now().astimezone().date().isoformat()}T" if _TIME.fullmatch(text) else ""
        moment = datetime.fromisoformat(f"{today}{text.zfill(5)}" if today else text)
    except ValueError:
        raise CommandError(f"'{text}' is no moment", hint=f"such as {MOMENT_HELP}") from None
    return moment.timestamp()
