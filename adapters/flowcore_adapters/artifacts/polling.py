"""Objects that arrive in stores of others: nobody tells, so they are asked, less and less often."""

import heapq
import logging
from threading import Condition, Thread
from typing import Final

from flowcore.artifacts import Artifact, WellSource
from flowcore.documents.nodes.object_names import name_on_edge
from flowcore.errors import (
    CommandRejectedError,
    FlowcoreError,
    ObjectNotFoundError,
    StoreConfigurationError,
    StoreElsewhereError,
)
from flowcore.ids import RunId
from flowcore.ports import Clock, EventLog
from flowcore.service import load
from flowcore.stores import ArtifactStore
from flowcore_adapters.content_type import HEAD, content_type_of

from .arrivals import RunArrivals
from .book import Declared, StoreBook
from .local import LocalArtifactStore

_LOG: Final = logging.getLogger("flowcore.artifacts")
FIRST_S: Final = 2.0
LONGEST_S: Final = 30.0
"""The pauses between two looks: twice as long each time, up to this, in seconds."""


class Polling:
    """Looks for what runs wait for in stores that do not tell us. Its thread begins with the first such run."""

    def __init__(self, log: EventLog, clock: Clock, book: StoreBook, arrivals: RunArrivals, *, max_bytes: int) -> None:
        """Tell *arrivals* of what is found in the stores of *book*; what is larger than *max_bytes* is deleted."""
        self._log = log
        self._clock = clock
        self._book = book
        self._arrivals = arrivals
        self._max_bytes = max_bytes
        self._bell = Condition()
        self._due: list[tuple[float, RunId, str, float]] = []
        self._thread: Thread | None = None
        self._closed = False

    def watch(self, run_id: RunId) -> None:
        """Look for what *run_id* waits for from now on."""
        declared = self._book.declared(run_id)
        if declared is None:
            return
        edges = [
            edge
            for edge, well in declared.flow.wells.items()
            if well.source in {WellSource.UPLOAD, WellSource.WEBHOOK} and self._foreign(run_id, declared, well.store)
        ]
        if not edges:
            return
        with self._bell:
            for edge in edges:
                heapq.heappush(self._due, (self._clock.monotonic() + FIRST_S, run_id, edge, FIRST_S))
            if self._thread is None and not self._closed:
                self._thread = Thread(target=self._work, name="flowcore-polling", daemon=True)
                self._thread.start()
            self._bell.notify()

    def _foreign(self, run_id: RunId, declared: Declared, store: str) -> bool:
        try:
            return not isinstance(self._book.of(run_id, declared.flow, store), LocalArtifactStore)
        except StoreConfigurationError:
            # It will never be one here.
            return False
        except FlowcoreError:
            # Such as a name that is not found just now: it is told at each look.
            return True

    def close(self) -> None:
        """Look no more."""
        with self._bell:
            self._closed = True
            self._bell.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            run_id, edge, pause = found
            try:
                again = self.look(run_id, edge)
            except Exception:  # noqa: BLE001 - the outermost edge: one store's fault must not end the look for others
                _LOG.exception("run %s: looking for '%s' failed", run_id, edge)
                again = True
            if again:
                pause = min(2 * pause, LONGEST_S)
                with self._bell:
                    heapq.heappush(self._due, (self._clock.monotonic() + pause, run_id, edge, pause))

    def _next(self) -> tuple[RunId, str, float] | None:
        """Block until a look is due and return it; None at the end."""
        with self._bell:
            while not self._closed:
                left = self._due[0][0] - self._clock.monotonic() if self._due else None
                if left is not None and left <= 0:
                    _, run_id, edge, pause = heapq.heappop(self._due)
                    return run_id, edge, pause
                self._bell.wait(left)
            return None

    def look(self, run_id: RunId, edge: str) -> bool:
        """Look once; return whether to look again."""
        state = load(self._log, run_id)
        declared = self._book.declared(run_id)
        if declared is None or state.ended or edge in state.artifacts:
            return False
        well = declared.flow.wells[edge]
        name = name_on_edge(declared.flow, edge, run_id, declared.created_at)
        try:
            store = self._book.of(run_id, declared.flow, well.store)
            stored = store.head(name)
            if stored.size_bytes > self._max_bytes:
                why = f"the object for '{edge}' has {stored.size_bytes} bytes; it may have {self._max_bytes}"
                _LOG.warning("run %s: %s, and is deleted", run_id, why)
                # Told first: what is gone cannot be told of when that fails.
                told = self._arrivals.refuse(run_id, edge, why, code="input-too-large")
                store.delete(name)
                # Where nobody fails of it, because the run is paused, another one may come.
                return not told
            content = _looked_at(store, name)
        except ObjectNotFoundError:
            return True
        except StoreElsewhereError:
            # Another process has taken the run over, and looks for itself.
            return False
        except FlowcoreError as error:
            _LOG.warning("run %s: looking for '%s' failed: %s", run_id, edge, error)
            return True
        artifact = Artifact(store=well.store, name=name, size_bytes=stored.size_bytes, content_type=content)
        try:
            self._arrivals.deliver(run_id, edge, artifact)
        except CommandRejectedError:
            return False
        except FlowcoreError as error:
            # The object is there still, and nobody else tells of it.
            _LOG.warning("run %s: telling of '%s' failed: %s", run_id, edge, error)
            return True
        return False


def _looked_at(store: ArtifactStore, name: str) -> str:
    reader = store.open(name, length=HEAD)
    try:
        return content_type_of(b"".join(reader), name)
    finally:
        reader.close()
