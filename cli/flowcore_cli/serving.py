"""What `serve` does beside serving: it drives what was left and what is started, until a signal comes."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from signal import Signals as Signal
from threading import Event as Flag
from typing import TypeAlias

from flowcore.ids import BatchId, RunId
from flowcore.ports import EventLog
from flowcore.run.commands import StopRun
from flowcore.service import load
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.launching import Launcher
from flowcore_adapters.registry import Registry
from flowcore_adapters.runner.engine import Engine
from flowcore_cli.batch_records import BatchRecord
from flowcore_cli.output import tell, warn
from flowcore_cli.records import RunRecord
from flowcore_cli.signals import LISTEN_S, Signals
from flowcore_cli.summary import summary_text
from flowcore_cli.workshop import Workshop

ShownBy: TypeAlias = Callable[[RunId | str], str]
"""Returns the command that shows a run or a batch again."""
_GRACE_S = 8.0
"""How long the ends of runs are waited for when the server ends, in seconds."""


class Serving:
    """The engine of a server.

    Attributes:
        launcher: What requests start runs and batches with, and go on with them.
    """

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        signals: Signals,
        *,
        batch_workers: int,
        shown_by: ShownBy | None,
        nodes: Workshop,
    ) -> None:
        """Drive runs of *log*; what ends is told, with the command of *shown_by*, if it was not started by requests."""
        self._nodes = nodes
        self._log = log
        self._clock = SystemClock()
        self._signals = signals
        self._shown_by = shown_by
        self._recorded = shown_by is not None
        self._engine = Engine(
            log, registry, self._clock, batch_workers=batch_workers, handing=nodes.handing, budget=nodes.budget
        )
        self._inbox: SimpleQueue[Signal] = SimpleQueue()
        self._runs: dict[RunId, Flag] = {}
        self._batches: dict[BatchId, Flag] = {}
        self.launcher = Launcher(log, self._clock, self._engine, nodes.watch)

    def adopt(self, run_id: RunId) -> Flag:
        """Drive a run (see `Engine.adopt`)."""
        ended = self._engine.adopt(run_id)
        self._runs[run_id] = ended
        self._nodes.watch(run_id)
        return ended

    def adopt_batch(self, batch_id: BatchId) -> Flag:
        """Drive a batch (see `Engine.adopt_batch`)."""
        ended = self._engine.adopt_batch(batch_id)
        self._batches[batch_id] = ended
        return ended

    def go_on(self) -> None:
        """Go on with what other programs have left."""
        # What becomes of these is told; of what requests start, the API tells.
        left = Launcher(self._log, self._clock, self).go_on(but=self._runs)
        for run_id in left.runs:
            tell(f"run {run_id} resumed")
        for batch_id in left.batches:
            tell(f"batch-{batch_id} resumed")
        warn(left.warnings)

    def run(self) -> Signal:
        """Drive until a signal comes, then stop the runs, and return it.

        Runs that are paused or only wait for an upload stay as they are if they are recorded: the next server goes on.
        """
        # From here on a signal must not leave a run behind that waits for ever.
        self._signals.collect(self._inbox)
        self._engine.start()
        try:
            while True:
                with suppress(Empty):
                    stopped_by = self._inbox.get(timeout=LISTEN_S)
                    break
                self._tell_ends()
                self._engine.check()
            self._stop(stopped_by)
        finally:
            self._engine.close(stop=True, but_resting=self._recorded)
            self._signals.release()
        self._tell_ends()
        return stopped_by

    def _stop(self, by: Signal) -> None:
        """Stop the runs that are told of; the others are stopped with the engine."""
        going = [run_id for run_id, ended in self._runs.items() if not ended.is_set() and not self._stays(run_id)]
        if going:
            tell(f"{by.name}: stopping {'the run' if len(going) == 1 else 'all runs'} (once more to leave at once)")
        for run_id in going:
            self._engine.request(run_id, StopRun(at=self._clock.now(), reason=by.name))
        deadline = self._clock.monotonic() + _GRACE_S
        for run_id in going:
            self._runs[run_id].wait(max(0.0, deadline - self._clock.monotonic()))

    def _stays(self, run_id: RunId) -> bool:
        return self._recorded and load(self._log, run_id).rests

    def _tell_ends(self) -> None:
        """Say what has become of the runs and batches that have ended since the last time."""
        for run_id, ended in tuple(self._runs.items()):
            if ended.is_set():
                del self._runs[run_id]
                if self._stays(run_id):
                    waits = "waits for an upload" if load(self._log, run_id).only_awaits else "is paused"
                    tell(f"run {run_id} {waits}, and stays as it is")
                else:
                    tell(summary_text(RunRecord(self._log, run_id), self._shown_by and self._shown_by(run_id)))
        for batch_id, ended in tuple(self._batches.items()):
            if ended.is_set():
                del self._batches[batch_id]
                record = BatchRecord(self._log, batch_id)
                if record.ended:
                    tell(record.summary(self._shown_by and self._shown_by(record.name)))
