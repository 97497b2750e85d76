"""The event loop: one for a process, any number of runs.

Whichever thread has something to tell leads a turn (see `turn`); between turns the loop's own thread blocks on its
inbox until something comes or the next moment is due: it never polls.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final
from weakref import WeakValueDictionary

from flowcore.batch_service import BatchSession
from flowcore.errors import BatchNotFoundError, LogError, RunNotFoundError
from flowcore.ids import BatchId, RunId, item_run
from flowcore.ports import Clock, EventLog, Requests
from flowcore.run.commands import Command, StopRun
from flowcore.service import RunSession
from flowcore_adapters.collector import uncollected
from flowcore_adapters.registry import Registry

from .active import ActiveRun
from .batches import DEFAULT_WORKERS, ActiveBatch
from .budget import Budget
from .handing import Handing
from .inbox import Adopt, AdoptBatch, Close, Item, Noticed, Request
from .ownership import LEASE_S, Watch, claim, gone_owner, this_program
from .perform import Attempt, perform
from .pool import WAKE_AFTER_S, WorkerPool
from .telling import Listener, Teller
from .turn import Turns

_LOG: Final = logging.getLogger("flowcore.run")
GRACE_S: Final = 3.0
"""How long the end of an engine, or of a run that was asked to stop, is waited for, in seconds."""
DEFAULT_POOL: Final = 64
"""How many blocking attempts go on at once in a process, whatever its runs allow."""


class Engine:
    """Drives runs of one log. `adopt`, `request` and `close` may be called from any thread."""

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        clock: Clock,
        *,
        pool_size: int = DEFAULT_POOL,
        batch_workers: int = DEFAULT_WORKERS,
        listener: Listener | None = None,
        handing: Handing | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Drive runs of *log* with the sources of *registry*.

        Args:
            pool_size: How many blocking attempts may go on at once.
            batch_workers: How many items of all batches may go on at once.
            listener: Told of events once they are committed, from one thread at a time; what it raises is logged.
            handing: Gives attempts their artifacts; without it they have none.
            budget: What steps that have said what they need may use together; None for what this machine has.
        """
        self._handing = handing
        self._log = log
        self._registry = registry
        self._clock = clock
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        self._lead = Lock()
        self._adopting = Lock()
        # Gone with the runs, whose flags they are.
        self._adopted: WeakValueDictionary[RunId, Flag] = WeakValueDictionary()
        self._pool: WorkerPool[Attempt] = WorkerPool(pool_size, self._perform, self._relieve)
        self._owner = this_program()
        self._teller = Teller(listener)
        self._turns = Turns(
            log,
            registry,
            clock,
            self._owner,
            self._pool,
            rouse=self._rouse,
            teller=self._teller,
            batch_workers=batch_workers,
            budget=budget,
        )
        self._asleep_until = inf
        self._thread: Thread | None = None
        self._closing = False
        self._watch = Watch(log, self._owner, clock, notice=self._notice, left=self._turns.left)

    def adopt(self, run_id: RunId) -> Flag:
        """Drive a run that is in the log, queued or half done, and return what is set when it is driven no more.

        It has ended then, or `check` says why not. What another program left in the air is lost, and tried again. One
        that is driven here already goes on as it does: a second claim would fence off the first.

        Raises:
            RunNotFoundError: There is no such run.
            RunOwnedError: Another program drives it.
            FlowDocumentError: A secret of its flow is not to be found.
            LogError: The engine is closed, or a fault has ended it.
        """
        if self._closing:
            self.check()
            raise LogError("the engine is closed")
        with self._adopting:
            known = self._adopted.get(run_id)
            if known is not None and not known.is_set():
                return known
            ended = self._adopted[run_id] = self._adopt(run_id)
            return ended

    def _adopt(self, run_id: RunId) -> Flag:
        epoch = claim(self._log, run_id, self._owner, self._clock)
        try:
            with uncollected():
                session = RunSession(self._log, run_id, epoch)
                run = ActiveRun(session, self._registry, self._turns.scribe.tracing(run_id), self._handing)
            # One run alone is never kept waiting by the pool.
            self._pool.size = max(self._pool.size, run.session.state.max_workers)
        except BaseException:
            self._log.release(self._owner, run_id)
            raise
        self._inbox.put(Adopt(run))
        return run.ended

    def adopt_batch(self, batch_id: BatchId) -> Flag:
        """Drive a batch that is in the log, and return what is set when it is driven no more (see `adopt`).

        Its items start as workers are free; those that another program had started are gone on with.

        Raises:
            BatchNotFoundError: There is no such batch.
            RunOwnedError: Another program drives it.
            LogError: The engine is closed, or a fault has ended it.
        """
        if self._closing:
            self.check()
            raise LogError("the engine is closed")
        over = gone_owner(self._log, batch_id)
        try:
            epoch = claim(self._log, batch_id, self._owner, self._clock)
        except RunNotFoundError as error:
            raise BatchNotFoundError(f"no batch {batch_id} in this log") from error
        try:
            session = BatchSession(self._log, batch_id, epoch)
            items = session.state.unended()
            run_ids = [item_run(batch_id, item) for item in items]
            now = self._clock.now()
            epochs = self._log.claim_all(run_ids, self._owner, now=now, ttl_s=LEASE_S, over=over)
            batch = ActiveBatch(session, dict(zip(items, epochs, strict=True)))
        except BaseException:
            self._log.release(self._owner, batch_id)
            raise
        self._inbox.put(AdoptBatch(batch))
        return batch.ended

    def request(self, run_id: RunId, command: Command) -> None:
        """Have *command* decided by the loop; a run that cannot do it now lets it pass."""
        self._inbox.put(Request(run_id, command))

    def start(self) -> None:
        """Run the loop in a thread of its own until `close`."""
        self._thread = Thread(target=self._run, name="flowcore-engine", daemon=True)
        self._thread.start()
        self._watch.start()

    def check(self) -> None:
        """Say what broke the loop, if anything did; the runs go on from the log when they are resumed.

        Raises:
            LogError: The log could not be written.
            FencedError: Another program has taken a run over.
        """
        if self._turns.fault is not None:
            raise self._turns.fault

    def close(self, *, stop: bool = False, but_resting: bool = False, timeout_s: float = GRACE_S) -> None:
        """End the loop; with *stop* its runs are stopped first. Attempts that are left in the air are cancelled.

        Batches are left as they are, with their items: whoever drives them next goes on with them. So are, with
        *but_resting*, runs that are paused, and those in which nothing goes on until an artifact arrives.
        """
        with self._lead:
            self._turns.batches.close()
        if stop:
            with self._lead:
                states = ((run, run.session.state) for run in self._turns.runs.values())
                runs = tuple(run for run, state in states if state.batch is None and not (but_resting and state.rests))
            for run in runs:
                self.request(run.run_id, StopRun(at=self._clock.now(), reason="the program ends"))
            for run in runs:
                run.ended.wait(timeout_s)
        self._inbox.put(Close())
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._lead:
            self._closing = True
            left = tuple(self._turns.runs.values())
            for run in left:
                run.cancel_all()
            self._pool.close()
        if any(run.busy for run in left):
            # Child processes that ignore a polite request are killed after a while, by threads of ours.
            self._pool.join(timeout_s)
        self._watch.close()
        self._let_go()
        self._teller.close()
        with suppress(LogError):
            # Whoever goes on with them need not wait.
            self._log.release(self._owner, *self._turns.runs, *self._turns.left, *self._turns.batches.held())

    def _refuse(self, items: Iterable[Item]) -> None:
        """Tell whoever waits for a run that came too late that it is not driven."""
        for item in items:
            if isinstance(item, Adopt):
                self._teller.over(item.run.ended)
            elif isinstance(item, AdoptBatch):
                self._teller.over(item.batch.ended)

    def _let_go(self) -> None:
        """Tell whoever waits for a run that it is driven no more."""
        with suppress(Empty):
            while True:
                self._refuse([self._inbox.get_nowait()])
        for run in tuple(self._turns.runs.values()):
            self._teller.over(run.ended)
        for ended in self._turns.batches.flags():
            self._teller.over(ended)

    def _notice(self, found: Requests) -> None:
        self._inbox.put(Noticed(found.run_ids, found.batch_ids))

    def _perform(self, attempt: Attempt) -> None:
        """Make *attempt*, in a thread of the pool."""
        self._turns.reports.append((attempt, perform(attempt, self._clock)))

    def _run(self) -> None:
        """The loop's own thread."""
        while not self._closing:
            items = self._wait()
            with self._lead:
                self._lead_turn(items, wake=True)
            self._relieve()

    def _relieve(self) -> None:
        """Lead a turn if there are reports and nobody leads; a report too late for one leader is seen by the next."""
        while self._turns.reports and not self._closing and self._lead.acquire(blocking=False):
            try:
                self._lead_turn(())
            finally:
                self._lead.release()

    def _lead_turn(self, items: Sequence[Item], *, wake: bool = False) -> None:
        """Take in what has come, draw the consequences, *wake* workers for what waits; the caller holds the lead."""
        if self._closing:
            self._refuse(items)
            return
        try:
            self._turns.take_reports()
            if items:
                self._take(items)
            self._turns.turn()
            if wake and self._pool.waiting:
                self._pool.wake()
        except Exception as error:  # noqa: BLE001 - the outermost edge: whoever waits for a run must hear of it
            _LOG.debug("the engine stopped", exc_info=True)
            self._turns.fault = error
            self._closing = True
            for run in self._turns.runs.values():
                run.cancel_all()
            self._refuse(items)
            self._let_go()
            self._inbox.put(None)

    def _wait(self) -> list[Item]:
        """Block until something comes or is due, and return what has come."""
        found: list[Item] = []
        try:
            patience = self._patience()
            if patience is not None and patience <= 0:
                found.append(self._inbox.get_nowait())
            else:
                found.append(self._inbox.get(timeout=patience))
            while True:
                found.append(self._inbox.get_nowait())
        except Empty:
            self._asleep_until = 0.0
            return found

    def _patience(self) -> float | None:
        """Return for how many seconds the loop's thread has nothing to do unless something comes; None for ever."""
        # From here on whoever leaves something behind rouses this thread; what was left before is seen below.
        self._asleep_until = inf
        moment = self._asleep_until = self._turns.next_moment
        if self._turns.restless:
            return 0.0
        if self._turns.reports or self._pool.waiting:
            self._asleep_until = 0.0
            return WAKE_AFTER_S
        return None if moment == inf else max(0.0, moment - self._clock.monotonic())

    def _rouse(self, moment: float) -> None:
        """Wake the loop's thread when it would sleep past *moment* (of the monotonic clock)."""
        if self._asleep_until > moment:
            self._asleep_until = 0.0
            self._inbox.put(None)

    def _take(self, items: Iterable[Item]) -> None:
        for item in items:
            match item:
                case Request(run_id=run_id, command=command):
                    self._turns.apply(run_id, command)
                case Adopt(run=run):
                    self._turns.adopt(run)
                case AdoptBatch(batch=batch):
                    self._turns.batches.adopt(batch)
                case Noticed(run_ids=run_ids, batch_ids=batch_ids):
                    self._turns.batches.refresh(batch_ids)
                    self._turns.refresh(run_ids)
                case Close():
                    self._closing = True
                case None:
                    pass
