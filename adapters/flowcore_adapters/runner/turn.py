"""What a turn of the engine does: take in, decide, commit, act.

A turn takes in everything that has come (finished attempts, requests, new runs), asks every run that it touched what is
pending, and commits all that was decided in one go; only then is what was decided acted on.

Sources that cannot block run on the loop itself; the others go to the pool. An attempt whose source ignores its
deadline is given up after a grace: its thread is written off, its report, should it still come, is late and adds
nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from typing import Final

from flowcore.artifacts import Resources
from flowcore.errors import CommandRejectedError, FencedError
from flowcore.ids import InstanceId, RunId, StreamId
from flowcore.ports import Clock, EventLog, Owner
from flowcore.run.commands import Command, ReportFailure, ReportSuccess, ResumeRun, Settle, StartRun, make_start_attempt
from flowcore.run.effects import Cancel, Consequences, Iterate, Perform, Resolve, pending, wake_at
from flowcore.run.events import Event
from flowcore.run.machine import RunStatus
from flowcore.service import commit
from flowcore.values import Instant
from flowcore_adapters.registry import Registry

from .active import ActiveRun
from .alarms import Alarms
from .batches import DEFAULT_WORKERS, Batches
from .budget import Budget
from .conditions import look
from .perform import Attempt, Report, given_up, perform
from .plan import StepPlan
from .pool import WorkerPool
from .scribe import Scribe
from .telling import Teller

_TURN: Final = 256
"""How many steps of one run a turn starts at most, so that no run keeps the others waiting."""
_HELD: Final = 16
"""How many steps of one run that find no place are passed over in a turn, for those behind them that need none."""
_RUNS: Final = 64
"""After how many runs a turn starts no further items of batches."""


class Turns:
    """The runs of an engine and what happens to them; for one thread at a time, whichever leads.

    Attributes:
        runs: Those that are driven.
        batches: The batches that are driven; their items are among the runs once they have started.
        reports: What attempts have come to; any thread may leave one here.
        touched: The runs to look at in the next turn.
        left: Those that are driven no more and still to be released.
        fault: Why a run had to be left, or None.
        next_moment: When there must be a turn though nothing has come, on the monotonic clock; infinity for never.
    """

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        clock: Clock,
        owner: Owner,
        pool: WorkerPool[Attempt],
        *,
        rouse: Callable[[float], None],
        teller: Teller,
        batch_workers: int = DEFAULT_WORKERS,
        budget: Budget | None = None,
    ) -> None:
        """Append to *log* as *owner*; *rouse* is told of moments at which there must be a turn."""
        self.runs: dict[RunId, ActiveRun] = {}
        self.reports: deque[Report] = deque()
        self.touched: dict[RunId, ActiveRun] = {}
        self.left: deque[StreamId] = deque()
        self.fault: Exception | None = None
        self._log = log
        self._clock = clock
        self._owner = owner
        self._pool = pool
        self._rouse = rouse
        self._budget = Budget() if budget is None else budget
        self._teller = teller
        self.scribe = Scribe(clock, rouse)
        self.batches = Batches(
            log,
            registry,
            clock,
            owner,
            size=batch_workers,
            start=self._start_item,
            tracing=self.scribe.tracing,
            left=self.left,
            over=teller.over,
        )
        self._fenced: dict[RunId, ActiveRun] = {}
        self._starved: dict[RunId, ActiveRun] = {}
        self._alarms = Alarms(clock)
        self._next_look = inf
        self.next_moment = inf

    def take_reports(self) -> None:
        """Take in what the attempts in the air have come to."""
        reports, runs, landed = self.reports, self.runs, 0
        while reports:
            attempt, command = reports.popleft()
            run = runs.get(attempt.run_id)
            if run is None:
                self._take_late(attempt, command)
            # An attempt that was given up has left the air: its place is free already, its report comes too late.
            elif run.land(attempt):
                landed += 1
                if attempt.granted is not None:
                    self._budget.release(attempt.granted)
                run.report(attempt, command)
                self.touched[attempt.run_id] = run
        self._pool.finished(landed)

    def _take_late(self, attempt: Attempt, command: ReportSuccess | ReportFailure) -> None:
        """Have it recorded that somebody else's run was reported on from here."""
        run = self._fenced.get(attempt.run_id)
        if run is not None and run.land(attempt):
            self._give_back(attempt.plan, attempt.granted)
            run.session.reject(self._log, command)
            if not run.busy:
                del self._fenced[attempt.run_id]

    @property
    def restless(self) -> bool:
        """Whether there must be another turn at once."""
        return bool(self.touched) or self.batches.restless

    def adopt(self, run: ActiveRun) -> None:
        """Drive *run* from here on."""
        # What was asked before the run was driven from here has not been noticed.
        run.session.refresh(self._log)
        self._start_item(run)

    def _start_item(self, run: ActiveRun) -> None:
        """Drive *run*, which has been folded in this turn."""
        self.runs[run.run_id] = run
        now = self._clock.now()
        run.session.execute(ResumeRun(owner=self._owner.name, epoch=run.session.epoch, at=now))
        run.session.execute(StartRun(at=now))
        run.context.started(run.session.state.started_at)
        self.touched[run.run_id] = run

    def apply(self, run_id: RunId, command: Command) -> None:
        """Decide *command*; a run that cannot do it now lets it pass."""
        run = self.runs.get(run_id)
        if run is not None:
            with suppress(CommandRejectedError):
                run.session.execute(command)
            self.touched[run_id] = run

    def refresh(self, run_ids: Iterable[RunId]) -> None:
        """Take in what others have appended to *run_ids*."""
        others: list[RunId] = []
        for run_id in run_ids:
            run = self.runs.get(run_id)
            if run is not None:
                run.session.refresh(self._log)
                self.touched[run_id] = run
            else:
                others.append(run_id)
        self.batches.noticed(others)

    def turn(self) -> None:
        """Draw all consequences of what was taken in, commit them, and act on them."""
        now = self._clock.monotonic()
        if self._next_look <= now:
            self._expire(now)
        if self._starved or self._alarms.first <= now:
            self._wake()
        batches = self.batches if self.batches.active else None
        if batches is not None:
            batches.advance()
        if self.scribe.next_moment <= now:
            self.scribe.take(self.runs, self.touched)
        busy = self._advance_all(batches)
        done = commit(self._log, [run.session for run in busy], () if batches is None else batches.staged())
        committed = {session.run_id: events for session, events in done}
        if batches is not None:
            batches.committed()
        for run in busy:
            if run.session.fenced:
                self._hand_over(run)
                continue
            if run.session.state.status is RunStatus.QUEUED:
                self._forget(run)
                continue
            self._hear(run, committed.get(run.run_id, ()))
            self._dispatch(run)
            if run.session.state.ended:
                self._leave(run)
            elif batches is not None:
                batches.going(run)
        self.next_moment = min(self._next_look, self.batches.next_look, self.scribe.next_moment, self._alarms.first)
        self._rouse(0.0 if self.touched or self.batches.restless else self.next_moment)

    def _advance_all(self, batches: Batches | None) -> Sequence[ActiveRun]:
        """Do what is pending for all that were touched, and for items of *batches* that take the places of others."""
        busy = fresh = self._advance_touched()
        if batches is not None:
            # Those that ask for another turn already get one, but not this one.
            later = self.touched
            while fresh and len(busy) < _RUNS:
                self.touched = {}
                batches.hurry(fresh)
                fresh = self._advance_touched()
                busy += fresh
                later |= self.touched
            self.touched = later
        return busy

    def _advance_touched(self) -> tuple[ActiveRun, ...]:
        """Do what is pending for all that were touched, and return them; those to be touched again are, afterwards."""
        fresh, self.touched = tuple(self.touched.values()), {}
        for run in fresh:
            run.tracing.follow(run.session.state)
            self._advance(run)
            self._set_alarm(run)
        return fresh

    def _hear(self, run: ActiveRun, events: Sequence[Event]) -> None:
        """Tell the listener of what has been appended to *run*: by others first, then from here."""
        if run.session.foreign:
            events = (*run.session.foreign, *events)
            run.session.foreign = []
            run.context.follow(run.session.state)
            # What somebody else asked for is pending now.
            self.touched[run.run_id] = run
        if events:
            self._teller.tell(run.run_id, events)

    def _leave(self, run: ActiveRun) -> None:
        """Drive *run* no more."""
        del self.runs[run.run_id]
        self.touched.pop(run.run_id, None)
        self._starved.pop(run.run_id, None)
        self.left.append(run.run_id)
        self.batches.ended(run)
        self._teller.over(run.ended)

    def _forget(self, run: ActiveRun) -> None:
        """Leave *run* in the queue: it is an item of a batch that was stopped just before it started."""
        self._drop(run)
        del self.runs[run.run_id]
        self.touched.pop(run.run_id, None)
        self.batches.dropped(run)

    def _drop(self, run: ActiveRun) -> None:
        """Let go of the attempts of *run* that have not gone out."""
        for attempt in run.take_outgoing():
            self._discard(run, attempt)

    def _discard(self, run: ActiveRun, attempt: Attempt) -> None:
        run.land(attempt)
        self._give_back(attempt.plan, attempt.granted)

    def _hand_over(self, run: ActiveRun) -> None:
        """Leave *run* to the program that has taken it over; only its late reports concern this one still."""
        self._drop(run)
        run.cancel_all()
        if run.busy:
            self._fenced[run.run_id] = run
        self.fault = FencedError(f"run {run.run_id} was taken over by another program")
        self._leave(run)

    def _set_alarm(self, run: ActiveRun) -> None:
        due = wake_at(run.session.state)
        # A run that found the pool full is looked at again when there is a place, not before.
        if due is not None and due != run.alarm and run.run_id not in self._starved:
            run.alarm = due
            self._alarms.set(run.run_id, due)

    def _wake(self) -> None:
        """Touch the runs whose retries are due and those that found the pool full."""
        for run_id, due in self._alarms.ring():
            run = self.runs.get(run_id)
            if run is not None:
                run.alarm = None
                run.not_before = max(run.not_before, due)
                self.touched[run.run_id] = run
        if self._starved and self._pool.free:
            self.touched.update(self._starved)
            self._starved.clear()

    def _advance(self, run: ActiveRun) -> None:
        """Do what is pending for *run* as far as it can be done at once; the rest goes to the pool after the commit."""
        session = run.session
        begun = 0
        held: set[InstanceId] = set()
        # The time as the run counts it: not before the moment that it has waited for.
        while effects := pending(session.state, now := max(self._clock.now(), run.not_before), held):
            if begun >= _TURN:
                self.touched[run.run_id] = run
                return
            # What begins together begins at one time.
            started = self._clock.monotonic()
            moved, before = 0, len(held)
            for effect in effects:
                if not isinstance(effect, Perform):
                    moved += self._do(run, effect)
                elif self._begin(run, effect, now, started):
                    begun += 1
                else:
                    held.add(effect.instance)
            inline = run.take_inline()
            for attempt in inline:
                run.report(attempt, perform(attempt, self._clock))
                self._budget.release(attempt.granted)
            # What begins in the pool brings nothing new: all that may begin was named, but for what is hidden.
            if not moved and not inline and not before < len(held) < _HELD:
                return
            begun += moved

    def _begin(self, run: ActiveRun, effect: Perform, now: Instant, started: float) -> bool:
        """Begin an attempt; return whether that could be done."""
        session = run.session
        state = session.state
        instance = state.instances[effect.instance]
        step = state.specs[instance.index]
        plan = run.plan(instance, step)
        if plan.source.blocking and not self._pool.reserve():
            self._starved[run.run_id] = run
            return False
        wanted = step.resources
        granted = None if wanted is None else self._budget.reserve(wanted, step.name)
        if wanted is not None and granted is None:
            self._starved[run.run_id] = run
            self._give_back(plan, None)
            run.hold(effect.instance, self._budget.reason(wanted), now)
            return False
        try:
            session.execute(make_start_attempt(instance=effect.instance, at=now))
        except CommandRejectedError:
            # An effect of the same batch came first: a guard that failed may have halted the run.
            self._give_back(plan, granted)
            return False
        run.prepare(instance, step, plan, started, granted)
        return True

    def _do(self, run: ActiveRun, effect: Resolve | Iterate | Cancel | Consequences) -> int:
        """Perform one effect; return 1 when the run has moved by it."""
        if isinstance(effect, Cancel):
            self._cancel(run, effect.instance)
            return 0
        if isinstance(effect, Consequences):
            run.session.execute(Settle(at=self._clock.now()))
        else:
            run.session.execute(look(run.session.state, effect, run.context, self._clock))
        return 1

    def _give_back(self, plan: StepPlan, granted: Resources | None) -> None:
        if plan.source.blocking:
            self._pool.finished()
        self._budget.release(granted)

    def _cancel(self, run: ActiveRun, instance: InstanceId) -> None:
        attempt = run.cancel(instance)
        if attempt is not None:
            # From here on it has no more time than the grace.
            attempt.deadline = min(attempt.deadline, self._clock.monotonic())
            self._next_look = min(self._next_look, attempt.last_moment)

    def _dispatch(self, run: ActiveRun) -> None:
        jobs = run.take_outgoing()
        if not jobs:
            return
        if run.rewritten:
            for attempt in jobs:
                if not run.started(attempt):
                    self._discard(run, attempt)
            jobs = [attempt for attempt in jobs if run.started(attempt)]
        self._next_look = min([self._next_look, *[attempt.last_moment for attempt in jobs]])
        self._pool.submit(jobs)
        if self._pool.waiting > 1:
            # One is taken by whoever leads; somebody must see to it that the others are not left waiting.
            self._rouse(0.0)

    def _expire(self, now: float) -> None:
        """Give up the attempts whose source has not answered a grace after it should have ended."""
        # The moment was only a lower bound: whoever it was set for has mostly ended long ago.
        for run in self.runs.values():
            for attempt in run.overdue(now):
                self._give_up(run, attempt)
        self._next_look = min((run.next_moment() for run in self.runs.values()), default=inf)

    def _give_up(self, run: ActiveRun, attempt: Attempt) -> None:
        run.cancel(attempt.instance)
        run.land(attempt)
        self._pool.lose()
        self._budget.release(attempt.granted)
        failure = given_up(attempt, self._clock, stopped=run.session.state.stop_requested)
        run.report(attempt, failure)
        self.touched[run.run_id] = run
