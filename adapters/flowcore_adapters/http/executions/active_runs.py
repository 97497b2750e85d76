"""The runs that have not ended, kept up from the log when somebody asks."""

import logging
from collections.abc import Iterator
from threading import Lock
from typing import Final

from flowcore.errors import EventFormatError
from flowcore.ids import BatchId, RunId
from flowcore.ports import EventLog
from flowcore.run.events import RunFailed, RunStopped, RunSucceeded
from flowcore.run.machine import RunStatus
from flowcore.views.executions import ActiveDocument, ExecutionView
from flowcore.views.follow import catch_up

_LOG: Final = logging.getLogger("flowcore.http")
_ENDS: Final = (RunSucceeded, RunFailed, RunStopped)
_NEW: Final = 32
"""How many of the newest runs are looked at first for those that have not been seen yet."""


class ActiveRuns:
    """The active runs of one log: queued, running or paused. Safe for threads.

    The first look reads the last event of every run; after it a look costs what is new and what is active. Ids grow
    with time, so new runs stand before all that were there before.
    """

    def __init__(self, log: EventLog) -> None:
        """Look at *log* when asked."""
        self._log = log
        self._lock = Lock()
        self._views: dict[RunId, ExecutionView] = {}
        self._newest: RunId | None = None
        self._seen = 0
        self._position = 0

    def documents(self) -> tuple[int, list[ActiveDocument]]:
        """Return the position of the last event that mattered, and the active runs in the order of their start."""
        with self._lock:
            self._look()
            return self._position, [self._views[run_id].active() for run_id in sorted(self._views)]

    def batches(self) -> dict[RunId, BatchId | None]:
        """Return the active runs in the order of their start, each with the batch that it is an item of, or None."""
        with self._lock:
            self._look()
            return {run_id: self._views[run_id].batch for run_id in sorted(self._views)}

    def newest_paused(self) -> RunId | None:
        """Return the most recent run that is paused, or None."""
        with self._lock:
            self._look()
            return max((key for key, view in self._views.items() if view.status is RunStatus.PAUSED), default=None)

    def past(self, position: int) -> list[ActiveDocument]:
        """Return the runs that were active when the log was at *position*; costs a short read or two for each run."""
        found: list[ActiveDocument] = []
        for run_id in reversed(self._log.runs()):
            try:
                first = next(self._log.read(run_id), None)
                if first is None or first.position > position or self._over(run_id, position):
                    continue
                view = catch_up(ExecutionView(), self._log, run_id, until=position)
            except EventFormatError as error:
                _LOG.warning("run %s cannot be shown: %s", run_id, error)
                continue
            if not view.ended:
                found.append(view.active())
        return found

    def _look(self) -> None:
        """Bring everything up to the log; the caller holds the lock."""
        position = self._log.position()
        if self._newest is not None and position == self._seen:
            return
        for run_id in self._new():
            if self._newest is None and self._over(run_id, position):
                continue
            self._views[run_id] = ExecutionView()
        for run_id, view in tuple(self._views.items()):
            self._follow(run_id, view)
        self._seen = position

    def _new(self) -> Iterator[RunId]:
        """Yield the runs that have not been seen yet."""
        known = self._newest
        if known is None:
            found = self._log.runs()
        else:
            limit = _NEW
            found = self._log.runs(limit=limit)
            while len(found) == limit and found[-1] > known:
                limit *= 8
                found = self._log.runs(limit=limit)
        yield from (run_id for run_id in found if known is None or run_id > known)
        self._newest = max(found[0] if found else RunId(0), known or RunId(0))

    def _over(self, run_id: RunId, position: int) -> bool:
        """Return whether the last event of a run says that it had ended when the log was at *position*.

        One that was recorded after the end does not say so: then the whole run is looked at.
        """
        try:
            last = next(self._log.read(run_id, after=self._log.version(run_id) - 1), None)
        except EventFormatError:
            return False
        return last is None or (isinstance(last.event, _ENDS) and last.position <= position)

    def _follow(self, run_id: RunId, view: ExecutionView) -> None:
        """Bring *view* up to the log, and let go of it when its run is over, or is gone, or cannot be read."""
        version = self._log.version(run_id)
        if version == view.version and version:
            return
        try:
            catch_up(view, self._log, run_id)
        except EventFormatError as error:
            # One run that cannot be read must not hide the others.
            _LOG.warning("run %s cannot be shown: %s", run_id, error)
            version = 0
        self._position = max(self._position, view.position)
        if view.ended or not version:
            del self._views[run_id]
