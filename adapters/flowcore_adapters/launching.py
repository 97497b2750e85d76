"""Starting runs and batches in this process, and stopping batches from any: recorded first, then driven or told."""

import time
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

import attrs

from flowcore.batch_service import (
    NewBatch,
    Stopped,
    create_batch,
    load_batch,
    stop_batch,
    unfinished_batches,
    unfinished_runs,
)
from flowcore.errors import FlowcoreError, RunOwnedError
from flowcore.ids import BatchId, RunId, item_run
from flowcore.model import Breakpoints, Flow
from flowcore.ports import Clock, EventLog
from flowcore.service import create_run, load

from .runner.ownership import end_stopped, is_driven

PATIENCE_S: Final = 2.0
"""How long the ends of runs that were asked to stop are waited for, in seconds; they mostly come within one."""


class Driver(Protocol):
    """Who drives runs and batches: an engine."""

    def adopt(self, run_id: RunId) -> object:
        """Drive a run."""
        ...

    def adopt_batch(self, batch_id: BatchId) -> object:
        """Drive a batch."""
        ...


def _nothing(_run_id: RunId) -> None:
    """Look for nothing: whoever needs to knows of it otherwise."""


@attrs.frozen
class Launcher:
    """Records runs and batches, and has them driven from here.

    Attributes:
        driver: Who drives them.
        watch: Has it looked for what a run waits for where nobody tells (see `artifacts.polling`).
    """

    log: EventLog
    clock: Clock
    driver: Driver
    watch: Callable[[RunId], None] = _nothing

    def start_run(
        self, flow: Flow, *, labels: Mapping[str, str], trace: bool = False, breakpoints: Breakpoints | None = None
    ) -> RunId:
        """Record a run of *flow*, which waits for no objects, and start it at once: single runs are never queued."""
        run_id = create_run(self.log, flow, at=self.clock.now(), labels=labels, trace=trace, breakpoints=breakpoints)
        self.driver.adopt(run_id)
        return run_id

    def start_batch(self, new: NewBatch) -> BatchId:
        """Record a batch with the runs of its items, and let them start as workers are free."""
        batch_id = create_batch(self.log, new, at=self.clock.now())
        self.driver.adopt_batch(batch_id)
        return batch_id

    def drive(self, run_id: RunId) -> None:
        """See that a run is driven, by whomever."""
        if not is_driven(self.log, run_id, self.clock):
            with suppress(RunOwnedError):
                self._adopt(run_id)

    def go_on(self, *, but: Container[RunId] = ()) -> "LeftOver":
        """Go on with whatever was left unfinished and nobody else drives, *but* for some runs."""
        found = LeftOver()
        for batch_id in unfinished_batches(self.log):
            with found.unless_driven(f"batch {batch_id}"):
                self.driver.adopt_batch(batch_id)
                found.batches.append(batch_id)
        for run_id in unfinished_runs(self.log, at=self.clock.now()):
            if run_id in but:
                continue
            with found.unless_driven(f"run {run_id}"):
                self._adopt(run_id)
                found.runs.append(run_id)
        return found

    def _adopt(self, run_id: RunId) -> None:
        self.driver.adopt(run_id)
        self.watch(run_id)


@attrs.define
class LeftOver:
    """What is gone on with, and what cannot be."""

    runs: list[RunId] = attrs.field(factory=list[RunId])
    batches: list[BatchId] = attrs.field(factory=list[BatchId])
    warnings: list[str] = attrs.field(factory=list[str])

    @contextmanager
    def unless_driven(self, what: str) -> Generator[None]:
        """Let the block go on with *what*, unless it is in good hands; what stands in the way is a warning."""
        try:
            yield
        except RunOwnedError:
            return
        except FlowcoreError as error:
            self.warnings.append(f"{what} cannot be resumed: {error}")


def stop_batches(
    log: EventLog, batch_ids: Sequence[BatchId], clock: Clock, *, reason: str, patience_s: float = PATIENCE_S
) -> Mapping[BatchId, Stopped]:
    """Stop batches, whoever drives them, and wait for the ends of the runs that were under way.

    Raises:
        BatchNotFoundError: There is no such batch.
    """
    stopped: dict[BatchId, Stopped] = {}
    waiting: list[RunId] = []
    for batch_id in batch_ids:
        running = [item_run(batch_id, item) for item in load_batch(log, batch_id).started]
        stopped[batch_id] = stop_batch(log, batch_id, at=clock.now(), reason=reason)
        waiting += running
    deadline = time.monotonic() + patience_s
    for run_id in waiting:
        _await_end(log, run_id, clock, deadline)
    return stopped


def _await_end(log: EventLog, run_id: RunId, clock: Clock, deadline: float) -> None:
    """Wait until a run that was asked to stop has ended; see to it when nobody drives it."""
    position = log.position()
    state = load(log, run_id)
    if not state.ended and not is_driven(log, run_id, clock):
        with suppress(RunOwnedError):
            end_stopped(log, run_id, clock)
        return
    while not state.ended and (left_s := deadline - time.monotonic()) > 0:
        position = log.wait(position, left_s)
        if log.version(run_id) != state.version:
            state = load(log, run_id)
