"""The event loop: one for a process, any number of runs.

A turn takes in everything that has come (finished attempts, requests, new runs), asks every run that it touched what
is pending, and commits all that was decided in one go; only then is what was decided acted on. Between turns the loop
blocks on its inbox until something comes or the next moment is due: it never polls.

Sources that cannot block run on the loop itself; the others go to the pool. An attempt whose source ignores its
deadline is given up after a grace: its thread is written off, its report, should it still come, is late and adds
nothing.
"""

import heapq
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final, TypeAlias

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, RunId
from flowcore.ports import Clock, EventLog
from flowcore.run.commands import (
    Command,
    ReportFailure,
    Settle,
    StartAttempt,
    StartRun,
    StopRun,
)
from flowcore.run.effects import Cancel, Consequences, Effect, Perform, Resolve, pending, wake_at
from flowcore.run.events import Event
from flowcore.service import RunSession, commit
from flowcore_adapters.registry import Registry

from .active import ActiveRun
from .inbox import Adopt, Close, Item, Report, Request
from .perform import Attempt, look_at_guard, perform
from .pool import WAKE_AFTER_S, Job, WorkerPool

_LOG: Final = logging.getLogger("flowcore.run")
DEFAULT_POOL: Final = 64
"""How many blocking attempts go on at once in a process, whatever its runs allow."""
GRACE_S: Final = 3.0
"""How long after its deadline, or after it was cancelled, an attempt may still report by itself, in seconds."""
_TURN: Final = 256
"""How many steps of one run a turn starts at most, so that no run keeps the others waiting."""

Listener: TypeAlias = Callable[[RunId, Sequence[Event]], None]


class Engine:
    """Drives runs of one log. `adopt`, `request` and `close` may be called from any thread."""

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        clock: Clock,
        *,
        pool_size: int = DEFAULT_POOL,
        listener: Listener | None = None,
    ) -> None:
        """Drive runs of *log* with the sources of *registry*.

        Args:
            pool_size: How many blocking attempts may go on at once.
            listener: Told of events once they are committed, from one thread at a time; what it raises is logged.
        """
        self._log = log
        self._registry = registry
        self._clock = clock
        self._listener = listener
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        self._reports: deque[Report] = deque()
        self._lead = Lock()
        self._pool = WorkerPool(pool_size, self._relieve)
        self._runs: dict[RunId, ActiveRun] = {}
        self._touched: dict[RunId, ActiveRun] = {}
        self._starved: dict[RunId, ActiveRun] = {}
        self._alarms: list[tuple[float, RunId]] = []
        self._next_look = inf
        self._asleep_until = inf
        self._thread: Thread | None = None
        self._closing = False
        self._fault: Exception | None = None

    def adopt(self, run_id: RunId) -> Flag:
        """Drive a run that is in the log, queued or half done, and return what is set when it has ended.

        Raises:
            RunNotFoundError: There is no such run.
            FlowDocumentError: A secret of its flow is not to be found.
        """
        run = ActiveRun(RunSession(self._log, run_id), self._registry)
        self._inbox.put(Adopt(run))
        return run.ended

    def request(self, run_id: RunId, command: Command) -> None:
        """Have *command* decided by the loop; a run that cannot do it now lets it pass."""
        self._inbox.put(Request(run_id, command))

    def start(self) -> None:
        """Run the loop in a thread of its own until `close`."""
        self._thread = Thread(target=self._run, name="flowcore-engine", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Say what broke the loop, if anything did; the runs go on from the log when they are resumed.

        Raises:
            LogError: The log could not be written.
        """
        if self._fault is not None:
            raise self._fault

    def close(self, *, stop: bool = False, timeout_s: float = GRACE_S) -> None:
        """End the loop; with *stop* its runs are stopped first. Attempts that are left in the air are cancelled."""
        if stop:
            with self._lead:
                runs = tuple(self._runs.values())
            for run in runs:
                self.request(run.run_id, StopRun(at=self._clock.now(), reason="the program ends"))
            for run in runs:
                run.ended.wait(timeout_s)
        self._inbox.put(Close())
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._lead:
            self._closing = True
            for run in self._runs.values():
                run.cancel_all()
            self._pool.close()

    def _run(self) -> None:
        """The loop's own thread."""
        while not self._closing:
            items = self._wait()
            with self._lead:
                self._lead_turn(items)
                if self._pool.waiting:
                    self._pool.wake()
            self._relieve()

    def _relieve(self) -> None:
        """Lead a turn if there are reports and nobody leads; a report too late for one leader is seen by the next."""
        while self._reports and not self._closing and self._lead.acquire(blocking=False):
            try:
                self._lead_turn(())
            finally:
                self._lead.release()

    def _lead_turn(self, items: Iterable[Item]) -> None:
        """Take in what has come and draw the consequences; whoever calls this holds the lead."""
        if self._closing:
            return
        try:
            self._take_reports()
            self._take(items)
            self._turn()
        except Exception as error:  # noqa: BLE001 - the outermost edge: whoever waits for a run must hear of it
            _LOG.debug("the engine stopped", exc_info=True)
            self._fault = error
            self._closing = True
            for run in self._runs.values():
                run.cancel_all()
                run.ended.set()
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
        now = self._clock.monotonic()
        moment = self._next_look
        if self._alarms:
            moment = min(moment, now + self._alarms[0][0] - self._clock.now())
        self._asleep_until = moment
        if self._touched:
            return 0.0
        if self._reports or self._pool.waiting:
            self._asleep_until = 0.0
            return WAKE_AFTER_S
        return None if moment == inf else max(0.0, moment - now)

    def _rouse(self, moment: float) -> None:
        """Wake the loop's thread when it would sleep past *moment* (of the monotonic clock)."""
        if self._asleep_until > moment:
            self._asleep_until = 0.0
            self._inbox.put(None)

    def _take_reports(self) -> None:
        """Take in what the attempts in the air have come to."""
        reports = self._reports
        while reports:
            report = reports.popleft()
            run = self._runs.get(report.run_id)
            command = report.command
            # An attempt that was given up has left the air: its place is free already, its report comes too late.
            if run is not None and run.land(command.instance, command.attempt):
                self._pool.finished()
                run.session.execute(command)
                self._touched[report.run_id] = run

    def _take(self, items: Iterable[Item]) -> None:
        for item in items:
            match item:
                case Request(run_id=run_id, command=command):
                    self._apply(run_id, command)
                case Adopt(run=run):
                    self._runs[run.run_id] = run
                    self._begin(run)
                case Close():
                    self._closing = True
                case None:
                    pass

    def _begin(self, run: ActiveRun) -> None:
        run.session.execute(StartRun(at=self._clock.now()))
        run.context.started(run.session.state.started_at)
        self._touched[run.run_id] = run

    def _apply(self, run_id: RunId, command: Command) -> None:
        run = self._runs.get(run_id)
        if run is not None:
            with suppress(CommandRejectedError):
                run.session.execute(command)
            self._touched[run_id] = run

    def _turn(self) -> None:
        self._expire()
        self._wake()
        busy = tuple(self._touched.values())
        self._touched.clear()
        for run in busy:
            self._advance(run)
            self._set_alarm(run)
        for session, events in commit(self._log, [run.session for run in busy]):
            self._tell(session.run_id, events)
        for run in busy:
            self._dispatch(run)
            if run.session.rebased:
                # Somebody else's request came first: what it asks for is pending now.
                run.session.rebased = False
                self._touched[run.run_id] = run
            if run.session.state.ended:
                del self._runs[run.run_id]
                self._touched.pop(run.run_id, None)
                run.ended.set()
        if self._touched:
            self._rouse(0.0)

    def _set_alarm(self, run: ActiveRun) -> None:
        due = wake_at(run.session.state)
        if due is not None and due != run.alarm:
            run.alarm = due
            heapq.heappush(self._alarms, (due, run.run_id))
            self._rouse(self._clock.monotonic() + due - self._clock.now())

    def _wake(self) -> None:
        """Touch the runs whose retries are due and those that found the pool full."""
        now = self._clock.now() if self._alarms else 0.0
        while self._alarms and self._alarms[0][0] <= now:
            run = self._runs.get(heapq.heappop(self._alarms)[1])
            if run is not None:
                run.alarm = None
                self._touched[run.run_id] = run
        if self._starved and self._pool.free:
            self._touched.update(self._starved)
            self._starved.clear()

    def _advance(self, run: ActiveRun) -> None:
        """Do what is pending for *run* as far as it can be done at once; the rest goes to the pool after the commit."""
        session = run.session
        begun = 0
        while effects := pending(session.state, self._clock.now()):
            if begun >= _TURN:
                self._touched[run.run_id] = run
                return
            moved = sum(self._do(run, effect) for effect in effects)
            for attempt in run.take_inline():
                session.execute(perform(attempt, self._clock))
            if not moved:
                return
            begun += moved

    def _do(self, run: ActiveRun, effect: Effect) -> int:
        """Perform one effect; return 1 when the run has moved by it."""
        session = run.session
        match effect:
            case Perform(instance=instance):
                plan = run.plan(instance)
                if plan.source.blocking and not self._pool.reserve():
                    self._starved[run.run_id] = run
                    return 0
                try:
                    session.execute(StartAttempt(instance=instance, at=self._clock.now()))
                except CommandRejectedError:
                    # An effect of the same batch came first: a guard that failed may have halted the run.
                    if plan.source.blocking:
                        self._pool.finished()
                    return 0
                run.prepare(instance, plan, self._clock)
            case Resolve(step=step):
                session.execute(
                    look_at_guard(
                        session.state.step_of(session.state.instances[InstanceId(step)]), run.context, self._clock
                    )
                )
            case Cancel(instance=instance):
                self._cancel(run, instance)
                return 0
            case Consequences():
                session.execute(Settle(at=self._clock.now()))
        return 1

    def _cancel(self, run: ActiveRun, instance: InstanceId) -> None:
        attempt = run.cancel(instance)
        if attempt is not None:
            # From here on it has no more time than the grace.
            attempt.deadline = min(attempt.deadline, self._clock.monotonic())
            self._look_by(attempt.deadline + GRACE_S)

    def _look_by(self, moment: float) -> None:
        if moment < self._next_look:
            self._next_look = moment
            self._rouse(moment)

    def _dispatch(self, run: ActiveRun) -> None:
        jobs: list[Job] = []
        for attempt in run.take_outgoing():
            if run.started(attempt):
                self._look_by(attempt.deadline + GRACE_S)
                jobs.append(partial(self._perform, attempt))
            else:
                run.land(attempt.instance, attempt.number)
                self._pool.finished()
        if jobs:
            self._pool.submit(jobs)
            if len(jobs) > 1:
                # One of them is taken by whoever leads; somebody must see to it that the others are not left waiting.
                self._rouse(0.0)

    def _perform(self, attempt: Attempt) -> None:
        """Make *attempt*, in a thread of the pool."""
        self._reports.append(Report(attempt.run_id, perform(attempt, self._clock)))

    def _expire(self) -> None:
        """Give up the attempts whose source has not answered a grace after it should have ended."""
        if self._next_look == inf or self._next_look > self._clock.monotonic():
            return
        # The moment was only a lower bound: whoever it was set for has mostly ended long ago.
        limit = self._clock.monotonic() - GRACE_S
        for run in self._runs.values():
            for attempt in run.overdue(limit):
                self._give_up(run, attempt)
        self._next_look = min((run.next_deadline() for run in self._runs.values()), default=inf) + GRACE_S

    def _give_up(self, run: ActiveRun, attempt: Attempt) -> None:
        run.cancel(attempt.instance)
        run.land(attempt.instance, attempt.number)
        self._pool.lose()
        after = f"timeout after {attempt.plan.step.timeout_s:g} s"
        run.session.execute(
            ReportFailure(
                instance=attempt.instance,
                attempt=attempt.number,
                code="timeout",
                error=f"{after}; the source did not end and was given up",
                at=self._clock.now(),
                stopped=run.session.state.stop_requested,
            )
        )
        self._touched[run.run_id] = run

    def _tell(self, run_id: RunId, events: Sequence[Event]) -> None:
        try:
            if self._listener is not None:
                self._listener(run_id, events)
        except Exception:  # noqa: BLE001 - somebody else's code: what it does wrong must not stop the runs
            _LOG.exception("a listener failed")
