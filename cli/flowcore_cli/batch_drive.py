"""Driving a batch from the command: the engine runs it, this thread tells how it goes and listens for signals."""

import sys
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from signal import Signals as Signal

from flowcore.batch.machine import OPEN
from flowcore.ids import BatchId
from flowcore.ports import EventLog
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.launching import stop_batches
from flowcore_adapters.registry import Registry
from flowcore_adapters.runner.engine import Engine
from flowcore_cli.batch_records import BatchRecord
from flowcore_cli.output import tell
from flowcore_cli.signals import Signals

_TICK_S = 0.1
"""How often it is looked what has become of the items, in seconds."""
_PATIENCE_S = 10.0
"""How long the end of items that were asked to stop is waited for, in seconds."""


class BatchDrive:
    """A batch that this command drives to its end."""

    def __init__(
        self, log: EventLog, registry: Registry, signals: Signals, batch_id: BatchId, *, workers: int, speaks: bool
    ) -> None:
        """Get ready to drive *batch_id* with *workers*; then call `run`.

        Raises:
            RunOwnedError: Another program drives it.
        """
        self._log = log
        self._clock = SystemClock()
        self._signals = signals
        self._inbox: SimpleQueue[Signal] = SimpleQueue()
        signals.collect(self._inbox)
        self._speaks = speaks
        self._live = speaks and sys.stderr.isatty()
        self._engine = Engine(log, registry, self._clock, batch_workers=workers)
        self.record = BatchRecord(log, batch_id)
        self._told = {number for number, status in enumerate(self.record.statuses, 1) if status not in OPEN}
        try:
            self._ended = self._engine.adopt_batch(batch_id)
        except BaseException:
            signals.release()
            raise

    def run(self) -> Signal | None:
        """Run to the end and return the signal that stopped it, or None.

        Raises:
            LogError: The log could not be written; what was recorded stays.
        """
        self._engine.start()
        stopped_by: Signal | None = None
        try:
            while not self._ended.is_set():
                self._tell()
                item = self._next()
                if item is not None and stopped_by is None:
                    stopped_by = item
                    self._say(f"{item.name}: stopping the batch (once more to leave at once)")
                    self._stop(item)
            self._tell()
        finally:
            self._engine.close()
            self._signals.release()
            self._clear()
        self._engine.check()
        return stopped_by

    def _stop(self, by: Signal) -> None:
        batch_id = self.record.batch_id
        stop_batches(self._log, [batch_id], self._clock, reason=by.name, patience_s=_PATIENCE_S)
        # The engine lets go of the batch at once; the runs of its items have been waited for.
        deadline = time.monotonic() + _PATIENCE_S
        while not self._ended.is_set() and time.monotonic() < deadline:
            self._ended.wait(_TICK_S)

    def _next(self) -> Signal | None:
        with suppress(Empty):
            return self._inbox.get(timeout=_TICK_S)
        return None

    def _tell(self) -> None:
        if not self._speaks or not self.record.catch_up():
            return
        for number, status in enumerate(self.record.statuses, 1):
            if status not in OPEN and number not in self._told:
                self._told.add(number)
                self._say(self.record.item_line(number))
        if self._live:
            total = len(self.record.statuses)
            tell(f"\r\x1b[K{len(self._told):,}/{total:,} ended: {self.record.counts_text()}", nl=False)

    def _say(self, text: str) -> None:
        if self._speaks:
            self._clear()
            tell(text)

    def _clear(self) -> None:
        if self._live:
            tell("\r\x1b[K", nl=False)
