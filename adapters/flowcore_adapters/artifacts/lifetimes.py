"""Objects whose lifetime is over: deleted so long after the end of their run (contract flow-runs, section 7)."""

import logging
from collections.abc import Mapping, Sequence
from threading import Event as Flag
from threading import Thread
from typing import Final

from flowcore.artifacts import Artifact, WellSource
from flowcore.errors import FlowcoreError, ObjectNotFoundError, RunNotFoundError
from flowcore.ids import RunId
from flowcore.model import Flow
from flowcore.ports import Clock, EventLog
from flowcore.run.events import RunCreated
from flowcore.service import load

from .book import StoreBook
from .ownership import is_of_one_run

_LOG: Final = logging.getLogger("flowcore.artifacts")
PAUSE_S: Final = 30.0
"""How long to wait between two looks, in seconds."""
_BREATH_S: Final = 0.005
"""How long to wait after a run that nobody has looked at yet: a log may hold very many, and others need the machine."""


class Lifetimes:
    """Deletes what is due, of all runs of a log. A static object is never deleted: no run has made it."""

    def __init__(self, log: EventLog, clock: Clock, book: StoreBook) -> None:
        """Look at the runs in *log*, and delete from the stores of *book*."""
        self._log = log
        self._clock = clock
        self._book = book
        self._done: set[RunId] = set()
        self._known: set[RunId] = set()
        self._parents: dict[RunId, RunId | None] = {}
        self._roots: dict[RunId, RunId] = {}
        self._families: dict[RunId, list[RunId]] = {}
        self._newest: RunId | None = None
        self._closed = Flag()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Look again and again, in a thread of its own, until `close`."""
        self._thread = Thread(target=self._work, name="flowcore-lifetimes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Delete nothing more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                self.sweep()
            except FlowcoreError as error:
                _LOG.warning("looking for objects whose lifetime is over failed: %s", error)
            self._closed.wait(PAUSE_S)

    def sweep(self, *, breath_s: float = _BREATH_S, delete: bool = True) -> int:
        """Look at every run once, delete what is due, and return how many objects that were.

        Args:
            breath_s: How long to wait after a run that was not looked at before, in seconds.
            delete: False to count them alone.

        Raises:
            LogError: The log cannot be read.
        """
        count = 0
        for run_id in self._log.runs():
            if self._closed.is_set():
                break
            if run_id in self._done:
                continue
            left, due = self._look(run_id, delete=delete)
            count += due
            if not left:
                self._done.add(run_id)
            if run_id not in self._known:
                self._known.add(run_id)
                self._closed.wait(breath_s)
        return count

    def _look(self, run_id: RunId, *, delete: bool) -> tuple[bool, int]:
        """Delete what is due of a run; return whether to look at it again, and how many objects were due."""
        declared = self._book.declared(run_id)
        if declared is None:
            return False, 0
        lifetimes = _lifetimes(declared.flow)
        if not lifetimes:
            return False, 0
        state = load(self._log, run_id)
        if state.ended_at is None:
            return True, 0
        left, due = False, 0
        for edge, lifetime_s in lifetimes.items():
            artifact = state.artifacts.get(edge)
            if artifact is None:
                continue
            if self._clock.now() < state.ended_at + lifetime_s or self._needed(run_id, artifact, lifetime_s):
                left = True
                continue
            try:
                store = self._book.of(run_id, declared.flow, artifact.store)
                store.head(artifact.name)
                if delete:
                    store.delete(artifact.name)
                due += 1
            except ObjectNotFoundError:
                # Another process was quicker, or this one before it was started anew.
                continue
            except FlowcoreError as error:
                # Once: the keys of a store that came with a flow are not known for ever.
                _LOG.warning("run %s: the object for '%s' cannot be deleted: %s", run_id, edge, error)
        return left, due

    def _needed(self, run_id: RunId, artifact: Artifact, lifetime_s: float) -> bool:
        """Return whether a run of the same family has taken the object over, and its time is not over."""
        for relative in self._family(run_id):
            try:
                state = load(self._log, relative)
            except RunNotFoundError:
                continue
            if artifact in state.artifacts.values() and (
                state.ended_at is None or self._clock.now() < state.ended_at + lifetime_s
            ):
                return True
        return False

    def _family(self, run_id: RunId) -> Sequence[RunId]:
        """Return the other runs that go back to the same one by retries and forks."""
        newest = self._log.newest_id()
        if newest != self._newest:
            self._learn()
            self._newest = newest
        family = self._families.get(self._roots.get(run_id, run_id), [])
        return [other for other in family if other != run_id]

    def _learn(self) -> None:
        """Put the runs that have come into their families: once for all objects, for there may be very many."""
        for other in self._log.runs():
            if other not in self._parents:
                first = next((recorded.event for recorded in self._log.read(other)), None)
                self._parents[other] = first.parent if isinstance(first, RunCreated) else None
        self._roots, self._families = {}, {}
        # A parent has the lower id.
        for other, parent in sorted(self._parents.items()):
            root = self._roots[other] = other if parent is None else self._roots.get(parent, parent)
            self._families.setdefault(root, []).append(other)


def _lifetimes(flow: Flow) -> Mapping[str, float]:
    """Return the lifetimes of the objects that are a run's own, by edge."""
    return {
        edge: well.lifetime_s
        for edge, well in flow.wells.items()
        if well.lifetime_s is not None and well.source is not WellSource.STATIC and is_of_one_run(well.key)
    }
