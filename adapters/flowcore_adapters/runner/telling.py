"""Telling somebody else's code what has been recorded, from a thread of its own: it may be slow, fail, or wait."""

import logging
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Final, TypeAlias

from flowcore.ids import RunId
from flowcore.run.events import Event

_LOG: Final = logging.getLogger("flowcore.run")
Listener: TypeAlias = Callable[[RunId, Sequence[Event]], None]


class Teller:
    """Tells a listener of events in their order, and says that a run is over only when everything about it is told."""

    def __init__(self, listener: Listener | None) -> None:
        """Tell *listener*; without one there is no thread."""
        self._listener = listener
        self._queue: SimpleQueue[tuple[RunId, Sequence[Event]] | Flag | None] = SimpleQueue()
        self._thread: Thread | None = None

    def tell(self, run_id: RunId, events: Sequence[Event]) -> None:
        """Have *events* told."""
        if self._listener is not None:
            self._start()
            self._queue.put((run_id, events))

    def over(self, ended: Flag) -> None:
        """Set *ended* when everything before is told."""
        if self._thread is None:
            ended.set()
        else:
            self._queue.put(ended)

    def close(self) -> None:
        """End the thread when everything is told; does not wait for it."""
        self._queue.put(None)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="flowcore-listener", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Flag):
                item.set()
                continue
            try:
                if self._listener is not None:
                    self._listener(*item)
            except BaseException:  # noqa: BLE001 - what others do wrong, `sys.exit()` included, must not stop the runs
                _LOG.exception("a listener failed")
