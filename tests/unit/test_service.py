"""Load, fold, decide, append, and start over when somebody else came first."""

import re
from collections.abc import Iterator, Sequence

import pytest
from typing_extensions import override

from flowcore.codec import encode
from flowcore.descent import Descent
from flowcore.errors import CommandRejectedError, EventFormatError, RunNotFoundError, VersionConflictError
from flowcore.ids import InstanceId, RunId, StepName
from flowcore.json_text import to_json
from flowcore.model import Flow, Step
from flowcore.ports import AnyAppend, Append, Owner, Recorded
from flowcore.run.commands import (
    PauseRun,
    RejectReport,
    ReportGuard,
    ReportSuccess,
    Settle,
    StartAttempt,
    StartRun,
    StopRun,
)
from flowcore.run.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    Event,
    GuardFailed,
    ReportRejected,
    RunCreated,
    RunPaused,
    RunStarted,
    RunStopRequested,
    RunSucceeded,
)
from flowcore.run.machine import RunStatus
from flowcore.service import RunSession, commit, create_run, load, request, unfinished
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from tests.builders import T0, T1, T2, digest, fails, flow_of, step

NOW = Instant(1733524800.1239)
ONE = flow_of(step("a"))
A = InstanceId("a")
FIRST_OWNER, SECOND_OWNER = Owner("1", "process 1"), Owner("2", "process 2")


class BusyLog(MemoryEventLog):
    """A log to which somebody else appends just before the next *times* appends."""

    def __init__(self, times: int = 1, *events: Event) -> None:
        super().__init__()
        self.times = 0
        self.armed = times
        self.events: Sequence[Event] = events

    def arm(self) -> None:
        self.times = self.armed

    @override
    def append(self, *appends: AnyAppend) -> int:
        if self.times:
            self.times -= 1
            (run_id,) = {append.run_id for append in appends[:1] if isinstance(append, Append)}
            super().append(Append(run_id, self.version(run_id), self.events))
        return super().append(*appends)


def events_of(log: MemoryEventLog, run_id: RunId) -> list[Event]:
    """Return all that happened to a run."""
    return [recorded.event for recorded in log.read(run_id)]


class TestLoadingWhatDoesNotFit:
    """A log whose events do not fit together is told by name, not by a traceback."""

    def test_events_that_do_not_fit_are_refused(self) -> None:
        log = MemoryEventLog()
        run_id = create_run(log, ONE, at=NOW)
        log.append(Append(run_id, 1, [AttemptStarted(instance=InstanceId("nobody"), attempt=1, at=NOW)]))
        with pytest.raises(EventFormatError, match="the events of run 1733524800123 do not fit together"):
            load(log, run_id)

    def test_an_event_that_cannot_be_read_is_told_as_it_is(self) -> None:
        class Broken(MemoryEventLog):
            @override
            def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
                raise EventFormatError("position 3 of run 1 is of an unknown type")

        with pytest.raises(EventFormatError, match="position 3"):
            load(Broken(), RunId(1))


class TestCreateRun:
    """A run's id is the time of its creation in milliseconds, the next free one when taken."""

    def test_a_new_run_is_queued_under_its_milliseconds(self) -> None:
        log = MemoryEventLog()
        run_id = create_run(log, ONE, at=NOW)
        assert run_id == 1733524800123
        assert events_of(log, run_id) == [RunCreated(run_id=run_id, flow=ONE, max_workers=4, at=NOW)]

    def test_the_caller_may_say_how_many_steps_go_on_at_once(self) -> None:
        log = MemoryEventLog()
        assert load(log, create_run(log, ONE, at=NOW, max_workers=2)).max_workers == 2

    def test_ids_increase_even_when_the_clock_does_not(self) -> None:
        log = MemoryEventLog()
        ids = [create_run(log, ONE, at=at) for at in (NOW, NOW, Instant(NOW - 3600.0), Instant(NOW + 1.0))]
        assert ids == [1733524800123, 1733524800124, 1733524800125, 1733524801123]

    def test_an_id_that_was_taken_meanwhile_is_passed_over(self) -> None:
        log = BusyLog(2, RunCreated(run_id=RunId(1), flow=Flow(), max_workers=1, at=T0))
        log.arm()
        assert create_run(log, ONE, at=NOW) == 1733524800125

    def test_too_many_at_once_is_an_error(self) -> None:
        log = BusyLog(1_000, RunCreated(run_id=RunId(1), flow=Flow(), max_workers=1, at=T0))
        log.arm()
        with pytest.raises(VersionConflictError, match="no free run id was found"):
            create_run(log, ONE, at=NOW)


class TestLoad:
    """A run is what its log says."""

    def test_a_run_is_folded_from_its_log(self) -> None:
        log = MemoryEventLog()
        run_id = create_run(log, ONE, at=NOW)
        state = load(log, run_id)
        assert (state.run_id, state.status, state.version) == (run_id, RunStatus.QUEUED, 1)

    def test_an_unknown_run_is_not_found(self) -> None:
        with pytest.raises(RunNotFoundError, match="no run 7 in this log"):
            load(MemoryEventLog(), RunId(7))


class TestRequest:
    """One command from somebody who does not drive the run."""

    def test_what_is_decided_is_appended_and_told(self) -> None:
        log = MemoryEventLog()
        run_id = create_run(log, ONE, at=NOW)
        assert request(log, run_id, StartRun(at=T1)) == (RunStarted(at=T1),)
        assert events_of(log, run_id)[1:] == [RunStarted(at=T1)]

    def test_a_repeated_command_changes_nothing(self) -> None:
        log = MemoryEventLog()
        run_id = create_run(log, ONE, at=NOW)
        request(log, run_id, StartRun(at=T1))
        assert request(log, run_id, StartRun(at=T2)) == ()
        assert log.version(run_id) == 2

    def test_it_is_decided_anew_when_somebody_else_came_first(self) -> None:
        log = BusyLog(1, RunPaused(at=T1))
        run_id = create_run(log, ONE, at=NOW)
        request(log, run_id, StartRun(at=T0))
        log.arm()
        asked = RunStopRequested(reason="stopped", at=T2)
        assert request(log, run_id, StopRun(at=T2)) == (asked,)
        assert events_of(log, run_id)[2:] == [RunPaused(at=T1), asked]

    def test_nothing_is_appended_when_somebody_else_did_it_first(self) -> None:
        log = BusyLog(1, RunPaused(at=T1))
        run_id = create_run(log, ONE, at=NOW)
        request(log, run_id, StartRun(at=T0))
        log.arm()
        assert request(log, run_id, PauseRun(at=T2)) == ()
        assert events_of(log, run_id)[2:] == [RunPaused(at=T1)]

    def test_what_a_run_cannot_do_is_refused(self) -> None:
        log = MemoryEventLog()
        run_id = create_run(log, Flow(), at=NOW)
        request(log, run_id, StartRun(at=T0))
        request(log, run_id, Settle(at=T1))
        with pytest.raises(CommandRejectedError, match="the run is over: it has succeeded"):
            request(log, run_id, PauseRun(at=T2))

    def test_a_run_that_is_not_there_is_not_found(self) -> None:
        with pytest.raises(RunNotFoundError):
            request(MemoryEventLog(), RunId(7), StartRun(at=T0))

    def test_a_run_that_never_stands_still_is_an_error(self) -> None:
        log = BusyLog(1_000, AttemptStarted(instance=A, attempt=1, at=T1))
        run_id = create_run(log, ONE, at=NOW)
        log.arm()
        with pytest.raises(VersionConflictError, match=re.escape(f"run {run_id} is changing too fast")):
            request(log, run_id, StartRun(at=T0))


class TestRunSession:
    """A run as its driver holds it."""

    def test_what_is_decided_is_staged_and_taken_into_the_state(self) -> None:
        log = MemoryEventLog()
        session = RunSession(log, create_run(log, ONE, at=NOW))
        assert session.execute(StartRun(at=T0)) == (RunStarted(at=T0),)
        assert session.execute(StartAttempt(instance=A, at=T0)) == (AttemptStarted(instance=A, attempt=1, at=T0),)
        assert session.staged == [RunStarted(at=T0), AttemptStarted(instance=A, attempt=1, at=T0)]
        assert session.state.version == 3
        assert log.version(session.run_id) == 1, "nothing is in the log before it is committed"

    def test_a_refused_or_repeated_command_stages_nothing(self) -> None:
        log = MemoryEventLog()
        session = RunSession(log, create_run(log, ONE, at=NOW))
        with pytest.raises(CommandRejectedError):
            session.execute(StartAttempt(instance=A, at=T0))
        session.execute(StartRun(at=T0))
        assert session.execute(StartRun(at=T1)) == ()
        assert session.staged == [RunStarted(at=T0)]

    def test_a_run_that_is_not_there_is_not_found(self) -> None:
        with pytest.raises(RunNotFoundError):
            RunSession(MemoryEventLog(), RunId(7))


class TestCommit:
    """All that was staged, in one go; whoever was overtaken decides anew."""

    def test_nothing_staged_is_nothing_committed(self) -> None:
        log = MemoryEventLog()
        session = RunSession(log, create_run(log, ONE, at=NOW))
        assert commit(log, [session]) == ()
        assert commit(log, []) == ()

    def test_all_sessions_are_committed_in_one_go(self) -> None:
        log = MemoryEventLog()
        first, idle, second = (RunSession(log, create_run(log, ONE, at=NOW)) for _ in range(3))
        first.execute(StartRun(at=T0))
        second.execute(StartRun(at=T1))
        second.execute(StartAttempt(instance=A, at=T1))
        started = AttemptStarted(instance=A, attempt=1, at=T1)
        assert commit(log, [first, idle, second]) == (
            (first, [RunStarted(at=T0)]),
            (second, [RunStarted(at=T1), started]),
        )
        assert (first.staged, second.staged) == ([], [])
        assert [log.version(each.run_id) for each in (first, idle, second)] == [2, 1, 3]
        assert commit(log, [first, idle, second]) == ()

    def test_a_session_goes_on_from_what_it_has_committed(self) -> None:
        log = MemoryEventLog()
        session = RunSession(log, create_run(log, ONE, at=NOW))
        for command in (
            StartRun(at=T0),
            StartAttempt(instance=A, at=T0),
            ReportSuccess(instance=A, attempt=1, outputs={}, at=T1),
            Settle(at=T2),
        ):
            session.execute(command)
            commit(log, [session])
        assert events_of(log, session.run_id)[-2:] == [
            AttemptSucceeded(instance=A, attempt=1, outputs={}, at=T1),
            RunSucceeded(at=T2),
        ]
        assert digest(load(log, session.run_id)) == digest(session.state)

    def test_who_was_overtaken_decides_anew_and_the_others_wait_for_it(self) -> None:
        log = MemoryEventLog()
        first, second = (RunSession(log, create_run(log, ONE, at=NOW)) for _ in range(2))
        for session in (first, second):
            session.execute(StartRun(at=T0))
        commit(log, [first, second])
        request(log, first.run_id, StopRun(at=T1))
        first.execute(StartAttempt(instance=A, at=T1))
        first.execute(PauseRun(at=T1))
        second.execute(PauseRun(at=T1))
        # The start is refused and the pause adds nothing: the stop came first.
        assert commit(log, [first, second]) == ((second, [RunPaused(at=T1)]),)
        assert first.state.stop_requested
        assert (first.foreign, second.foreign) == ([RunStopRequested(reason="stopped", at=T1)], [])
        assert (first.staged, log.version(first.run_id)) == ([], 3)
        assert digest(first.state) == digest(load(log, first.run_id))

    def test_what_is_still_right_is_appended_after_what_came_first(self) -> None:
        log = MemoryEventLog()
        session = RunSession(log, create_run(log, ONE, at=NOW))
        session.execute(StartRun(at=T0))
        commit(log, [session])
        session.execute(StartAttempt(instance=A, at=T0))
        commit(log, [session])
        request(log, session.run_id, PauseRun(at=T1))
        report = ReportSuccess(instance=A, attempt=1, outputs={"v": 1}, at=T2)
        session.execute(report)
        event = AttemptSucceeded(instance=A, attempt=1, outputs={"v": 1}, at=T2)
        assert commit(log, [session]) == ((session, [event]),)
        assert events_of(log, session.run_id)[-2:] == [RunPaused(at=T1), event]
        assert digest(session.state) == digest(load(log, session.run_id))

    def test_nothing_is_left_to_commit_when_all_were_overtaken(self) -> None:
        log = MemoryEventLog()
        session = RunSession(log, create_run(log, ONE, at=NOW))
        request(log, session.run_id, StartRun(at=T0))
        session.execute(StartRun(at=T1))
        assert commit(log, [session]) == ()
        assert log.version(session.run_id) == 2

    def test_runs_that_never_stand_still_are_an_error(self) -> None:
        log = BusyLog(1_000, RunCreated(run_id=RunId(1), flow=Flow(), max_workers=1, at=T0))
        session = RunSession(log, create_run(log, ONE, at=NOW))
        session.execute(StartRun(at=T0))
        log.arm()
        with pytest.raises(VersionConflictError, match="changing too fast to be driven"):
            commit(log, [session])


class TestOwnership:
    """One owner at a time: what is appended with an epoch that is over is refused, and recorded as rejected."""

    @staticmethod
    def driven(log: MemoryEventLog) -> RunSession:
        run_id = create_run(log, flow_of(step("a"), step("b")), at=NOW)
        session = RunSession(log, run_id, log.claim(run_id, FIRST_OWNER, now=T0, ttl_s=10.0))
        session.execute(StartRun(at=T0))
        session.execute(StartAttempt(instance=A, at=T0))
        commit(log, [session])
        return session

    def test_a_fenced_session_appends_nothing_and_its_reports_are_rejected(self) -> None:
        log = MemoryEventLog()
        first, other = self.driven(log), self.driven(log)
        log.claim(first.run_id, SECOND_OWNER, now=T0, ttl_s=10.0, over=FIRST_OWNER.id)
        for session in (first, other):
            session.execute(ReportSuccess(instance=A, attempt=1, outputs={"x": 1}, at=T1))
            session.execute(StartAttempt(instance=InstanceId("b"), at=T1))
        (done,) = commit(log, [first, other])
        assert done[0] is other
        assert (first.fenced, other.fenced, first.staged) == (True, False, [])
        assert events_of(log, first.run_id)[-2:] == [
            AttemptStarted(instance=A, attempt=1, at=T0),
            ReportRejected(instance=A, attempt=1, epoch=1, outcome="succeeded", at=T1),
        ]

    def test_a_report_that_comes_after_that_is_rejected_too(self) -> None:
        log = MemoryEventLog()
        session = self.driven(log)
        log.claim(session.run_id, SECOND_OWNER, now=T0, ttl_s=10.0, over=FIRST_OWNER.id)
        session.reject(log, fails("a"))
        assert events_of(log, session.run_id)[-1] == ReportRejected(
            instance=A, attempt=1, epoch=1, outcome="failed", at=T1
        )

    def test_what_others_ask_for_is_taken_in(self) -> None:
        log = MemoryEventLog()
        session = self.driven(log)
        request(log, session.run_id, PauseRun(at=T1))
        session.refresh(log)
        assert session.foreign == [RunPaused(at=T1)]
        assert session.state.status is RunStatus.PAUSED

    def test_while_something_is_staged_the_commit_finds_it_out(self) -> None:
        log = MemoryEventLog()
        session = self.driven(log)
        request(log, session.run_id, PauseRun(at=T1))
        session.execute(StopRun(at=T1))
        session.refresh(log)
        assert session.foreign == []
        commit(log, [session])
        assert session.foreign == [RunPaused(at=T1)]
        assert events_of(log, session.run_id)[-1] == RunStopRequested(reason="stopped", at=T1)


class TestUnfinished:
    """The runs that somebody may have to go on with."""

    def test_those_that_have_not_ended_oldest_first(self) -> None:
        log = MemoryEventLog()
        queued, stopped, rejected, late = (create_run(log, ONE, at=NOW) for _ in range(4))
        for run_id in (stopped, rejected):
            request(log, run_id, StopRun(at=T1))
        for run_id in (rejected, late):
            request(log, run_id, RejectReport(instance=A, attempt=1, epoch=1, outcome="failed", at=T2))
        assert unfinished(log) == [queued, late]
        assert unfinished(MemoryEventLog()) == []


def test_a_run_that_goes_on_from_another_takes_its_outputs_over() -> None:
    log = MemoryEventLog()
    descent = Descent(parent=RunId(7), forked_from=None, imports={StepName("a"): {"x": 1}})
    run_id = create_run(log, ONE, at=NOW, descent=descent)
    state = load(log, run_id)
    assert (state.parent, state.outputs) == (RunId(7), {"a": {"x": 1}})


class TestUnstorable:
    """What no log can hold is a failure of the step that brought it, and holds up nobody else."""

    class Strict(MemoryEventLog):
        """A log that takes only what can be written as JSON."""

        @override
        def append(self, *appends: AnyAppend) -> int:
            for append in appends:
                if isinstance(append, Append):
                    to_json([encode(event).data for event in append.events])
            return super().append(*appends)

    def started(self, log: MemoryEventLog, *steps: Step) -> RunSession:
        session = RunSession(log, create_run(log, flow_of(*steps), at=NOW))
        session.execute(StartRun(at=T0))
        commit(log, [session])
        return session

    def test_outputs(self) -> None:
        log = self.Strict()
        bad, good = self.started(log, step("a"), step("b")), self.started(log, step("a"))
        for session, name, value in ((bad, "b", 1), (bad, "a", float("inf")), (good, "a", 1)):
            session.execute(StartAttempt(instance=InstanceId(name), at=T0))
            session.execute(ReportSuccess(instance=InstanceId(name), attempt=1, outputs={"x": value}, at=T1))
        commit(log, [bad, good])
        last = events_of(log, bad.run_id)[-1]
        assert isinstance(last, AttemptFailed)
        assert (last.instance, last.code, last.retry_at) == ("a", "not-storable", None)
        for session in (bad, good):
            assert [type(event) for event in events_of(log, session.run_id)].count(AttemptSucceeded) == 1

    def test_a_list(self) -> None:
        log = self.Strict()
        session = self.started(log, step("a", for_each="x"))
        session.execute(ReportGuard(step=StepName("a"), met=True, items=(float("inf"),), at=T1))
        commit(log, [session])
        last = events_of(log, session.run_id)[-1]
        assert isinstance(last, GuardFailed)
        assert last.code == "not-storable"

    def test_anything_else_is_an_error(self) -> None:
        log = self.Strict()
        session = self.started(log, step("a"))
        session.execute(StopRun(at=T1, reason="\ud800"))
        with pytest.raises(EventFormatError):
            commit(log, [session])
