"""When runs must be looked at though nothing has come: retries that fall due, waits that have lasted long enough."""

import heapq
from collections.abc import Iterator
from math import inf

from flowcore.ids import RunId
from flowcore.ports import Clock
from flowcore.values import Instant


class Alarms:
    """Moments for runs, kept on the monotonic clock: that of the day may be put back."""

    def __init__(self, clock: Clock) -> None:
        """Start without any."""
        self._clock = clock
        self._heap: list[tuple[float, RunId, Instant]] = []

    @property
    def first(self) -> float:
        """The next moment, on the monotonic clock; infinity for none."""
        return self._heap[0][0] if self._heap else inf

    def set(self, run_id: RunId, due: Instant) -> None:
        """Have *run_id* named when *due* has come."""
        heapq.heappush(self._heap, (self._clock.monotonic() + due - self._clock.now(), run_id, due))

    def ring(self) -> Iterator[tuple[RunId, Instant]]:
        """Yield the runs whose moments have come, each once, with what they were waiting for."""
        now = self._clock.monotonic() if self._heap else 0.0
        while self._heap and self._heap[0][0] <= now:
            _, run_id, due = heapq.heappop(self._heap)
            yield run_id, due
