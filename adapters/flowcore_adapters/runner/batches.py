"""The batches of an engine: whose item starts next, and what became of those that ran.

An item's run starts in the same commit as the item, so neither is ever without the other; the end of an item is
recorded one turn after that of its run, from what the log says. All that waits in a batch is claimed with it: whoever
drives a batch drives its items.
"""

import logging
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from threading import Event as Flag
from typing import Final

from flowcore.batch.commands import Outcome, ReportItem, ResumeBatch, StartItem
from flowcore.batch.effects import BatchQueue
from flowcore.batch.machine import ItemStatus
from flowcore.batch_service import OUTCOMES, BatchSession, failure
from flowcore.errors import FlowcoreError, RunOwnedError
from flowcore.ids import BatchId, RunId, StreamId, item_number, item_run
from flowcore.ports import Clock, EventLog, Owner
from flowcore.run.commands import StopRun
from flowcore.service import RunSession, load, request
from flowcore_adapters.registry import Registry

from .active import ActiveRun
from .lines import Tracing
from .ownership import claim

_LOG: Final = logging.getLogger("flowcore.run")
DEFAULT_WORKERS: Final = 4
"""How many items of all batches go on at once in a process when nobody says (contract executions, section 3)."""
_LOOK_S: Final = 1.0
"""How often items are looked after that another program drives, in seconds."""
_CREATED: Final = 1
"""The version of a run that nothing has happened to but its creation."""


class ActiveBatch:
    """What the engine keeps of a batch that it drives.

    Attributes:
        epochs: By the number of the item, the epoch of the claim of its run, as long as that has not been started here.
        strays: Items that another program drives.
        ended: Set when the batch is driven no more.
    """

    def __init__(self, session: BatchSession, epochs: dict[int, int]) -> None:
        """Get ready to drive the batch of *session*."""
        self.session = session
        self.epochs = epochs
        self.strays: dict[int, None] = {}
        self.ended = Flag()

    @property
    def batch_id(self) -> BatchId:
        """The batch's id."""
        return self.session.batch_id


class Batches:
    """The batches that an engine drives; for one thread at a time, whichever leads.

    Attributes:
        active: Those that are driven.
        size: How many items of all of them go on at once.
        next_look: When to look after items that another program drives, on the monotonic clock.
    """

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        clock: Clock,
        owner: Owner,
        *,
        size: int,
        start: Callable[[ActiveRun], None],
        tracing: Callable[[RunId], Tracing],
        left: deque[StreamId],
        over: Callable[[Flag], None],
    ) -> None:
        """Have runs driven by *start*; what is driven no more goes to *left*, and *over* says so.

        Their lines are kept by what *tracing* gives.
        """
        self.active: dict[BatchId, ActiveBatch] = {}
        self.size = size
        self.next_look = inf
        self._log = log
        self._registry = registry
        self._clock = clock
        self._owner = owner
        self._start = start
        self._tracing = tracing
        self._left = left
        self._over = over
        self._queue = BatchQueue()
        self._ids: list[BatchId] = []
        self._running: set[RunId] = set()
        self._touched: dict[BatchId, ActiveBatch] = {}
        self._closed = False

    @property
    def restless(self) -> bool:
        """Whether there must be another turn: something is to be recorded, or may start."""
        return bool(self._touched)

    def adopt(self, batch: ActiveBatch) -> None:
        """Drive *batch* from here on."""
        session = batch.session
        self.active[batch.batch_id] = batch
        insort(self._ids, batch.batch_id)
        session.refresh(self._log)
        if session.epoch > 1:
            session.execute(ResumeBatch(owner=self._owner.name, epoch=session.epoch, at=self._clock.now()))
            for item in tuple(session.state.started):
                self._launch(batch, item)
            # What was asked of those that wait while nobody drove them was told to nobody.
            waiting = [number for number in batch.epochs if session.state.at(number) is ItemStatus.QUEUED]
            self.noticed(item_run(batch.batch_id, number) for number in waiting)
        self._touch(batch)

    def advance(self) -> None:
        """Start what may start."""
        if self._clock.monotonic() >= self.next_look:
            self._look_after_strays()
        while not self._closed and (free := self.size - len(self._running)) > 0:
            launches = self._queue.pending(free)
            if not launches:
                return
            batch = self.active[launches[0].batch_id]
            for launch in launches:
                batch.session.execute(StartItem(item=launch.item, at=self._clock.now()))
                self._launch(batch, launch.item)
            self._touch(batch)

    def hurry(self, runs: Iterable[ActiveRun]) -> None:
        """Report those of *runs* whose end is staged, and start others in their places, all in the same commit.

        What takes no time would otherwise take a commit for every few items.
        """
        for run in runs:
            state = run.session.state
            if state.batch is not None and state.ended and run.run_id in self._running:
                batch = self._release(run.run_id, state.batch)
                if batch is not None:
                    self._report(batch, item_number(batch.batch_id, run.run_id), run.session, early=True)
        self.advance()

    def going(self, run: ActiveRun) -> None:
        """Take note that a run goes on, whatever was thought of it before the commit."""
        batch_id = run.session.state.batch
        if batch_id is not None and batch_id in self.active:
            self._running.add(run.run_id)

    def staged(self) -> Sequence[BatchSession]:
        """Return the sessions of the batches that something is to be recorded of."""
        return [batch.session for batch in self._touched.values()]

    def committed(self) -> None:
        """Let go of the batches that are over, now that all about them is recorded."""
        touched, self._touched = self._touched, {}
        for batch in touched.values():
            if batch.session.fenced:
                _LOG.warning("batch %s was taken over by another program", batch.batch_id)
            if batch.session.fenced or batch.session.state.ended:
                self._leave(batch)

    def ended(self, run: ActiveRun) -> None:
        """Take note that a run is driven no more: its item has ended, or another program has it."""
        batch = self._release(run.run_id, run.session.state.batch)
        if batch is None:
            return
        item = item_number(batch.batch_id, run.run_id)
        if run.session.state.ended:
            self._report(batch, item, run.session)
        else:
            self._stray(batch, item)

    def dropped(self, run: ActiveRun) -> None:
        """Take note that a run does not start after all: its batch was stopped first, or there is no worker for it."""
        batch = self._release(run.run_id, run.session.state.batch)
        if batch is not None and not batch.session.state.ended:
            batch.epochs[item_number(batch.batch_id, run.run_id)] = run.session.epoch
            self._touch(batch)
        else:
            self._left.append(run.run_id)

    def refresh(self, batch_ids: Iterable[BatchId]) -> None:
        """Take in what others have appended to *batch_ids*."""
        for batch_id in batch_ids:
            batch = self.active.get(batch_id)
            if batch is not None:
                batch.session.refresh(self._log)
                self._touch(batch)

    def noticed(self, run_ids: Iterable[RunId]) -> None:
        """Look whether those of *run_ids* that wait in a queue here have been stopped there."""
        for run_id in run_ids:
            batch = self._of(run_id)
            if batch is None or self._log.version(run_id) == _CREATED:
                continue
            item = item_number(batch.batch_id, run_id)
            if batch.session.state.at(item) is ItemStatus.QUEUED:
                with suppress(FlowcoreError):
                    session = RunSession(self._log, run_id)
                    if session.state.ended:
                        self._report(batch, item, session)

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True

    def held(self) -> list[StreamId]:
        """Return all that is claimed for the batches and not driven: nobody need wait for it."""
        return [stream for batch in self.active.values() for stream in self._claimed(batch)]

    def flags(self) -> list[Flag]:
        """Return what is waited for."""
        return [batch.ended for batch in self.active.values()]

    def _of(self, run_id: RunId) -> ActiveBatch | None:
        """Return the batch that *run_id* would be an item of."""
        place = bisect_right(self._ids, int(run_id))
        batch = self.active.get(self._ids[place - 1]) if place else None
        return batch if batch is not None and batch.session.state.knows(run_id - batch.batch_id) else None

    def _touch(self, batch: ActiveBatch) -> None:
        self._touched[batch.batch_id] = batch
        self._queue.offer(batch.session.state)

    def _launch(self, batch: ActiveBatch, item: int) -> None:
        """Drive the run of an item that is recorded as running, or about to be."""
        run_id = item_run(batch.batch_id, item)
        epoch = batch.epochs.pop(item, 0)
        if not epoch:
            self._stray(batch, item)
            return
        try:
            run = ActiveRun(RunSession(self._log, run_id, epoch), self._registry, self._tracing(run_id))
        except FlowcoreError as error:
            self._refuse(batch, item, error)
            return
        if run.session.state.ended:
            self._left.append(run_id)
            self._report(batch, item, run.session)
            return
        self._running.add(run_id)
        batch.session.bound[item] = run.session
        self._start(run)

    def _refuse(self, batch: ActiveBatch, item: int, error: FlowcoreError) -> None:
        """Give up the run of an item that cannot be driven: a secret is missing, an event cannot be read."""
        run_id = item_run(batch.batch_id, item)
        self._left.append(run_id)
        with suppress(FlowcoreError):
            request(self._log, run_id, StopRun(at=self._clock.now(), reason=f"it cannot run: {error}"))
        batch.session.execute(
            ReportItem(item=item, outcome=Outcome.FAILED, error=f"it cannot run: {error}", at=self._clock.now())
        )
        self._touch(batch)

    def _report(self, batch: ActiveBatch, item: int, session: RunSession, *, early: bool = False) -> None:
        state = session.state
        outcome = OUTCOMES[state.status]
        error = failure(state) if outcome is Outcome.FAILED else ""
        report = ReportItem(item=item, outcome=outcome, error=error, at=self._clock.now())
        if batch.session.execute(report, early=early):
            self._touch(batch)

    def _release(self, run_id: RunId, batch_id: BatchId | None) -> ActiveBatch | None:
        """Free the worker of a run, and return its batch if that is driven from here."""
        self._running.discard(run_id)
        return None if batch_id is None else self.active.get(batch_id)

    def _stray(self, batch: ActiveBatch, item: int) -> None:
        batch.strays[item] = None
        self._running.add(item_run(batch.batch_id, item))
        self.next_look = min(self.next_look, self._clock.monotonic() + _LOOK_S)

    def _look_after_strays(self) -> None:
        """See what has become of items that another program drives, and take back those that nobody does any more."""
        self.next_look = inf
        for batch in tuple(self.active.values()):
            strays, batch.strays = batch.strays, {}
            for item in strays:
                run_id = item_run(batch.batch_id, item)
                self._running.discard(run_id)
                try:
                    state = load(self._log, run_id)
                    epoch = 0 if state.ended else claim(self._log, run_id, self._owner, self._clock)
                except RunOwnedError:
                    self._stray(batch, item)
                    continue
                except FlowcoreError as error:
                    self._refuse(batch, item, error)
                    continue
                batch.epochs[item] = epoch or 1
                self._launch(batch, item)

    def _leave(self, batch: ActiveBatch) -> None:
        del self.active[batch.batch_id]
        self._ids.remove(batch.batch_id)
        self._queue.withdraw(batch.batch_id)
        for item in batch.strays:
            self._running.discard(item_run(batch.batch_id, item))
        self._left.extend(self._claimed(batch))
        self._over(batch.ended)

    def _claimed(self, batch: ActiveBatch) -> list[StreamId]:
        return [batch.batch_id, *(item_run(batch.batch_id, item) for item, epoch in batch.epochs.items() if epoch)]
