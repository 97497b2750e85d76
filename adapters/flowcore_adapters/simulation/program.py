"""A simulated program that drives runs: what the engine does, one small move at a time."""

from random import Random
from typing import Final

import attrs

from flowcore.errors import CommandRejectedError, RunOwnedError
from flowcore.ids import InstanceId, RunId, StepName
from flowcore.ports import EventLog, Owner
from flowcore.run.commands import (
    Command,
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportIteration,
    ReportSuccess,
    ResumeRun,
    Settle,
    StartAttempt,
    StartRun,
)
from flowcore.run.effects import Cancel, Consequences, Effect, Iterate, Perform, Resolve, pending
from flowcore.run.machine import RunStatus
from flowcore.run.state import RunState
from flowcore.service import RunSession, commit
from flowcore.values import Instant

from .violation import ViolationError
from .weather import MOST_ITEMS, Weather

LEASE_S: Final = 10.0
_OBEDIENCE: Final = 0.5
"""How often a source that had something to report says instead that it was cancelled."""
_MET: Final = 0.7
"""How often a condition is met."""


@attrs.frozen
class Work:
    """An attempt that was handed to its source."""

    run_id: RunId
    instance: InstanceId
    attempt: int


class Program:
    """One program: its sessions, what it has in the air, and its own idea of the time.

    Attributes:
        air: The attempts that its sources are at, and what each will report; cancelled ones report that.
        started: What was handed out in the last turn.
        reported: What the session of each run was told.
        kept: Reports that will be delivered much later, or a second time.
    """

    def __init__(self, number: int, log: EventLog, random: Random, weather: Weather) -> None:
        """Start program *number*."""
        self.owner = Owner(str(number), f"program {number}")
        self.skew = 0.0
        self.frozen_until = 0.0
        self.sessions: dict[RunId, RunSession] = {}
        self.air: dict[Work, ReportSuccess | ReportFailure | None] = {}
        self.kept: list[tuple[RunId, ReportSuccess | ReportFailure]] = []
        self.started: list[Work] = []
        self.reported: dict[Work, ReportSuccess | ReportFailure] = {}
        self._log = log
        self._random = random
        self._weather = weather

    def claim(self, run_id: RunId, now: Instant, over: str | None) -> bool:
        """Try to take *run_id* over; return whether it worked."""
        try:
            epoch = self._log.claim(run_id, self.owner, now=now, ttl_s=LEASE_S, over=over)
        except RunOwnedError:
            return False
        session = self.sessions[run_id] = RunSession(self._log, run_id, epoch)
        # What it had in the air from an earlier claim is somebody else's by now: those reports are late.
        for work in [work for work in self.air if work.run_id == run_id]:
            report = self.air.pop(work)
            if report is not None:
                self.kept.append((run_id, report))
        session.execute(ResumeRun(owner=self.owner.name, epoch=epoch, at=now))
        session.execute(StartRun(at=now))
        return True

    def turn(self, now: Instant) -> None:
        """Do what is pending for all runs, commit it, and act on it: what the engine calls a turn."""
        outgoing: list[Work] = []
        for session in self.sessions.values():
            session.refresh(self._log)
            if session.fenced:
                continue
            asked = pending(session.state, now)
            _check_pending(session.state, asked)
            for effect in (*self._rash(session), *asked):
                self._do(session, effect, now, outgoing)
        commit(self._log, tuple(self.sessions.values()))
        for session in tuple(self.sessions.values()):
            session.foreign.clear()
            if session.fenced or session.state.ended:
                del self.sessions[session.run_id]
        for work in outgoing:
            driven = self.sessions.get(work.run_id)
            if driven is not None and _under_way(driven, work):
                self.started.append(work)
                self.air[work] = self._outcome(work, now)

    def deliver(self, work: Work, now: Instant) -> None:
        """Have the source of *work* report."""
        report = self.air[work]
        if report is None:
            return
        del self.air[work]
        report = attrs.evolve(report, at=now)
        if self._random.random() < self._weather.late:
            self.kept.append((work.run_id, report))
            # Nobody else will report on it: it must come in the end.
            return
        if self._random.random() < self._weather.twice:
            self.kept.append((work.run_id, report))
        self.send(work.run_id, report)

    def send(self, run_id: RunId, report: ReportSuccess | ReportFailure) -> None:
        """Take a report in, whoever drives the run by now."""
        session = self.sessions.get(run_id)
        if session is not None:
            self.reported[Work(run_id, report.instance, report.attempt)] = report
            session.execute(report)

    def reject(self, run_id: RunId, report: ReportSuccess | ReportFailure, epoch: int) -> None:
        """Have it recorded that a report came after the run was lost."""
        session = RunSession(self._log, run_id, epoch)
        session.reject(self._log, report)

    def time_out(self, work: Work) -> ReportFailure:
        """Return what a source reports whose time is over."""
        return self._failure(work, Instant(0.0), stopped=False)

    def _rash(self, session: RunSession) -> tuple[Effect, ...]:
        """Return an effect that is not pending, now and then: `decide` must refuse it."""
        if not session.state.instances or self._random.random() >= self._weather.rash:
            return ()
        instance = self._random.choice(tuple(session.state.instances.values()))
        name = StepName(instance.id)
        return (Resolve(name) if instance.guarded and self._random.random() < _MET else Perform(instance.id),)

    def _do(self, session: RunSession, effect: Effect, now: Instant, outgoing: list[Work]) -> None:
        try:
            match effect:
                case Perform(instance=instance):
                    session.execute(StartAttempt(instance=instance, at=now))
                    outgoing.append(Work(session.run_id, instance, session.state.instances[instance].attempt))
                case Resolve(step=step):
                    session.execute(self._look(session, InstanceId(step), now))
                case Iterate(step=step, number=number):
                    again = self._random.random() < _MET
                    error = "no answer" if self._random.random() < self._weather.failure / 4 else None
                    session.execute(ReportIteration(step=step, number=number, again=again, error=error, at=now))
                case Consequences():
                    session.execute(Settle(at=now))
                case Cancel(instance=instance):
                    self._cancel(session, instance)
        except CommandRejectedError:
            # Another effect of the same turn came first.
            return

    def _cancel(self, session: RunSession, instance: InstanceId) -> None:
        """Have a source report that it was cancelled; one that had something to report may do so all the same."""
        work = Work(session.run_id, instance, session.state.instances[instance].attempt)
        if work in self.air and (self.air[work] is None or self._random.random() < _OBEDIENCE):
            self.air[work] = self._failure(work, Instant(0.0), stopped=True)

    def _look(self, session: RunSession, name: InstanceId, now: Instant) -> Command:
        step = session.state.step_of(session.state.instances[name])
        if self._random.random() < self._weather.failure / 4:
            return ReportGuardFailure(step=StepName(name), code="expression", error="no answer", at=now)
        met = step.when is None or self._random.random() < _MET
        items = tuple(range(self._random.randint(0, MOST_ITEMS))) if met and step.for_each is not None else None
        return ReportGuard(step=StepName(name), met=met, items=items, at=now)

    def _outcome(self, work: Work, now: Instant) -> ReportSuccess | ReportFailure | None:
        if self._random.random() < self._weather.silence:
            return None
        if self._random.random() < self._weather.failure:
            return self._failure(work, now, stopped=False)
        value = f"{work.instance}/{work.attempt}"
        return ReportSuccess(instance=work.instance, attempt=work.attempt, outputs={"v": value}, at=now)

    def _failure(self, work: Work, now: Instant, *, stopped: bool) -> ReportFailure:
        return ReportFailure(
            instance=work.instance,
            attempt=work.attempt,
            code="stopped" if stopped else "source-failed",
            error="no",
            at=now,
            retryable=self._random.random() >= self._weather.final,
            chance=self._random.random(),
            stopped=stopped,
        )


def _check_pending(state: RunState, effects: tuple[Effect, ...]) -> None:
    """See that what is asked for may be done.

    Raises:
        ViolationError: It may not.
    """
    starts = sum(isinstance(effect, Perform) for effect in effects)
    if starts > state.max_workers - len(state.in_the_air):
        raise ViolationError(f"I8: {starts} more attempts are asked for while {len(state.in_the_air)} are under way")
    if state.status is RunStatus.PAUSED and starts:
        raise ViolationError("I13: attempts are asked for while the run is paused")


def _under_way(session: RunSession, work: Work) -> bool:
    state = session.state
    return work.instance in state.in_the_air and state.instances[work.instance].attempt == work.attempt
