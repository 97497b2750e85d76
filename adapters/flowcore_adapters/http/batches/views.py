"""Batches as they are shown, brought up from the log when somebody asks, and their bytes while nothing changes."""

from threading import Lock
from typing import Final

import attrs

from flowcore.errors import BatchNotFoundError
from flowcore.ids import BatchId, item_run
from flowcore.ports import EventLog
from flowcore.views.batches import BatchSummary, BatchView
from flowcore.views.executions import ExecutionView
from flowcore.views.follow import catch_up
from flowcore_adapters.http.views.kept import Kept

CAPACITY: Final = 64
"""How many batches are kept whole; the one that nobody has asked for longest goes first."""
SUMMARIES: Final = 10_000
"""How many lines of the history are kept: of batches that are over, which never change."""


@attrs.frozen
class BatchPage:
    """What a batch looks like at one moment, ready to be sent; *position* is that of the last event in it."""

    position: int
    body: bytes


class _Entry:
    """One live view; its lock keeps two requests from folding it at once."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.view = BatchView()
        self.items: dict[int, ExecutionView] = {}
        self.known: tuple[int, ...] = ()
        self.page: BatchPage | None = None


class BatchViews:
    """The batches of one log. Safe for threads."""

    def __init__(self, log: EventLog) -> None:
        """Show the batches of *log*."""
        self._log = log
        self._entries = Kept[BatchId, _Entry](CAPACITY)
        self._summaries = Kept[BatchId, BatchSummary](SUMMARIES)

    def page(self, batch_id: BatchId) -> BatchPage:
        """Return the batch as it is now; costs what has happened since the last time.

        Raises:
            BatchNotFoundError: There is no such batch.
        """
        version = self._log.version(batch_id)
        if not version:
            raise BatchNotFoundError(f"there is no batch {batch_id}")
        entry = self._entries.get_or_make(batch_id, _Entry)
        with entry.lock:
            try:
                return self._catch_up(entry, batch_id, version)
            except BaseException:
                # Half of an event may be in it: the next request starts anew.
                self._entries.drop(batch_id)
                raise

    def past(self, batch_id: BatchId, position: int) -> BatchPage:
        """Return the batch as it was when the log had come to *position*.

        Raises:
            BatchNotFoundError: There was no such batch yet.
        """
        view = BatchView()
        for recorded in self._log.read_batch(batch_id):
            if recorded.position > position:
                break
            view.evolve(recorded)
        if not view.version:
            raise BatchNotFoundError(f"there was no batch {batch_id} yet when the log was at position {position}")
        items = {
            number: catch_up(ExecutionView(), self._log, item_run(batch_id, number), until=position)
            for number in view.running
        }
        return _page(view, items)

    def summary(self, batch_id: BatchId) -> BatchSummary:
        """Return the line of a batch in the history.

        Raises:
            BatchNotFoundError: There is no such batch.
        """
        known = self._summaries.get(batch_id)
        if known is not None:
            return known
        view = BatchView()
        for recorded in self._log.read_batch(batch_id):
            view.evolve(recorded)
        if not view.version:
            raise BatchNotFoundError(f"there is no batch {batch_id}")
        summary = view.summary()
        if view.ended:
            self._summaries.put(batch_id, summary)
        return summary

    def _catch_up(self, entry: _Entry, batch_id: BatchId, version: int) -> BatchPage:
        view = entry.view
        if view.version < version:
            for recorded in self._log.read_batch(batch_id, after=view.version):
                view.evolve(recorded)
        running = view.running
        runs = [item_run(batch_id, number) for number in running]
        known = (view.version, *(self._log.version(run_id) for run_id in runs))
        if entry.page is not None and entry.known == known:
            return entry.page
        entry.items = {
            number: catch_up(entry.items.get(number) or ExecutionView(), self._log, run_id)
            for number, run_id in zip(running, runs, strict=True)
        }
        entry.known = known
        entry.page = _page(view, entry.items)
        return entry.page


def _page(view: BatchView, items: dict[int, ExecutionView]) -> BatchPage:
    nodes = {number: item.current for number, item in items.items()}
    # What runs may have come further than the batch; what has ended is in the batch's own events.
    position = max([view.position, *(item.position for item in items.values())])
    return BatchPage(position, view.encode({number: node for number, node in nodes.items() if node is not None}))
