"""Who sees to it that the lines of attempts in the air are recorded: soon, and not one by one."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf

from flowcore.ids import RunId
from flowcore.ports import Clock

from .active import ActiveRun
from .lines import FLUSH_S, Tracing


class Scribe:
    """Takes the lines of an engine's runs; for whichever thread leads, but for `heard`."""

    def __init__(self, clock: Clock, rouse: Callable[[float], None]) -> None:
        """Tell *rouse* of moments at which there must be a turn."""
        self._clock = clock
        self._rouse = rouse
        self._talking: deque[RunId] = deque()
        self._flush_at = 0.0

    @property
    def next_moment(self) -> float:
        """When lines are to be taken, on the monotonic clock; infinity when there are none."""
        return self._flush_at if self._talking else inf

    def tracing(self, run_id: RunId) -> Tracing:
        """Return what keeps the lines of a run that is about to be driven."""
        return Tracing(self._clock, partial(self._heard, run_id))

    def _heard(self, run_id: RunId) -> None:
        """Take note that an attempt of a run has written something; any thread may say so."""
        self._talking.append(run_id)
        self._rouse(self._flush_at)

    def take(self, runs: Mapping[RunId, ActiveRun], touched: dict[RunId, ActiveRun]) -> None:
        """Stage what attempts of *runs* have written, at `next_moment`; those concerned become *touched*."""
        self._flush_at = self._clock.monotonic() + FLUSH_S
        for run_id in {self._talking.popleft() for _ in range(len(self._talking))}:
            run = runs.get(run_id)
            if run is not None:
                for attempt in run.talking():
                    run.report_lines(attempt, self._clock.now())
                touched[run_id] = run
