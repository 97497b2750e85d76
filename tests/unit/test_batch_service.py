"""Batches through the ports: accepted with their runs, stopped with them, driven beside them."""

from collections.abc import Callable, Iterator

import attrs
import pytest
from typing_extensions import override

from flowcore.batch.commands import Outcome, ReportItem, StartItem
from flowcore.batch.events import BatchEvent, BatchItem, BatchResumed, BatchSource, BatchSucceeded
from flowcore.batch.machine import BatchStatus, ItemStatus
from flowcore.batch_service import (
    BatchSession,
    NewBatch,
    NewItem,
    Stopped,
    batch_of,
    create_batch,
    failure,
    find_batch,
    find_run,
    load_batch,
    stop_batch,
    unfinished_batches,
    unfinished_runs,
)
from flowcore.errors import (
    BatchNotFoundError,
    CommandRejectedError,
    EventFormatError,
    RunNotFoundError,
    VersionConflictError,
)
from flowcore.ids import BatchId, InstanceId, RunId, item_run
from flowcore.invariants import batch_violations
from flowcore.memory_log import MemoryEventLog
from flowcore.model import Dialect, Flow
from flowcore.ports import AnyAppend, Append, AppendBatch, Owner, RecordedBatch
from flowcore.run.commands import ReportFailure, ReportSuccess, Settle, StartAttempt, StartRun, StopRun
from flowcore.run.events import AttemptSucceeded, RunCreated, RunStarted, RunStopped
from flowcore.run.evolve import fold
from flowcore.run.machine import RunStatus
from flowcore.run.state import RunState
from flowcore.service import RunSession, commit, create_run, load, request
from flowcore.values import Instant
from tests.batch_builders import T1, accepted, began, broke, called_off, did, halted
from tests.builders import begun, failed, flow_of, started, step

NOW = Instant(1733524800.1239)
ONE = flow_of(step("a"))
NO_RUNS = ["nonsense", "exec-1", "exec-1733524800123-4", "exec-1733524800124-1", "1733524800123"]
ADA, BOB = Owner("1", "process 1"), Owner("2", "process 2")


def batch(count: int = 3, workers: int = 2, flow: Flow = ONE) -> NewBatch:
    items = [NewItem(name=f"{number}.json", flow=flow, labels={"file": f"{number}.json"}) for number in range(count)]
    return NewBatch(source=BatchSource.FILES, items=items, workers=workers, labels={"source": "api"})


class BusyLog(MemoryEventLog):
    """A log to which somebody else does something just before the next *times* appends."""

    def __init__(self, times: int = 0) -> None:
        super().__init__()
        self.times = times
        self.meanwhile: Callable[[], object] = lambda: None

    @override
    def append(self, *appends: AnyAppend) -> int:
        if self.times:
            self.times -= 1
            times, self.times = self.times, 0
            self.meanwhile()
            self.times = times
        return super().append(*appends)


def start_items(log: MemoryEventLog, batch_id: BatchId, *numbers: int) -> None:
    """Start items and their runs."""
    version = log.version(batch_id)
    log.append(
        AppendBatch(batch_id, version, [began(number) for number in numbers]),
        *(Append(item_run(batch_id, number), 1, [RunStarted(at=NOW)]) for number in numbers),
    )


def end_run(log: MemoryEventLog, run_id: RunId) -> None:
    """Bring the only step of a running run, and the run, to a failure."""
    for command in (
        StartAttempt(instance=InstanceId("a"), at=NOW),
        ReportFailure(instance=InstanceId("a"), attempt=1, code="no", error="boom", retryable=False, at=NOW),
        Settle(at=NOW),
    ):
        request(log, run_id, command)


def events_of(log: MemoryEventLog, batch_id: BatchId) -> list[BatchEvent]:
    return [recorded.event for recorded in log.read_batch(batch_id)]


class TestCreating:
    def test_a_batch_and_its_runs_are_there_at_once(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(), at=NOW)
        assert batch_id == 1733524800123
        assert log.position() == 4
        state = load_batch(log, batch_id)
        assert (state.status, len(state.items), state.workers) == (BatchStatus.RUNNING, 3, 2)
        (first,) = log.read(item_run(batch_id, 1))
        assert first.event == RunCreated(
            run_id=item_run(batch_id, 1),
            flow=ONE,
            max_workers=4,
            at=NOW,
            labels={"file": "0.json"},
            batch=batch_id,
        )

    def test_the_next_free_ids_are_taken(self) -> None:
        log = MemoryEventLog()
        first = create_batch(log, batch(), at=NOW)
        assert create_run(log, ONE, at=NOW) == first + 4
        assert create_batch(log, batch(), at=NOW) == first + 5

    def test_an_id_that_was_taken_meanwhile_is_passed_over(self) -> None:
        log = BusyLog(1)
        log.meanwhile = lambda: create_run(log, ONE, at=NOW)
        batch_id = create_batch(log, batch(), at=NOW)
        assert batch_id == 1733524800124
        assert log.runs() == [1733524800127, 1733524800126, 1733524800125, 1733524800123]

    def test_too_many_at_once_is_an_error(self) -> None:
        log = BusyLog(1_000)
        log.meanwhile = lambda: create_run(log, ONE, at=NOW)
        with pytest.raises(VersionConflictError, match="no free batch id was found"):
            create_batch(log, batch(), at=NOW)

    def test_a_batch_has_so_many_items_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flowcore.batch_service.MAX_ITEMS", 2)
        with pytest.raises(CommandRejectedError, match="at most 2 items, not 3"):
            create_batch(MemoryEventLog(), batch(), at=NOW)


class TestFinding:
    def test_a_batch(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(), at=NOW)
        assert find_batch(log, f"batch-{batch_id}") == find_batch(log, str(batch_id)) == batch_id

    @pytest.mark.parametrize("text", ["batch-1", "nonsense", "1733524800124", "1" * 18])
    def test_no_batch(self, text: str) -> None:
        log = MemoryEventLog()
        create_batch(log, batch(), at=NOW)
        with pytest.raises(BatchNotFoundError, match="there is no batch"):
            find_batch(log, text)

    def test_a_run_in_every_spelling(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(), at=NOW)
        run_id = item_run(batch_id, 2)
        for text in (f"exec-{batch_id}-2", str(run_id), f"exec-{run_id}", f"run_{run_id}"):
            assert find_run(log, text) == run_id

    @pytest.mark.parametrize(
        "text", ["nonsense", "exec-1", "exec-1733524800123-4", "exec-1733524800124-1", "1733524800123"]
    )
    def test_no_run(self, text: str) -> None:
        """The spelling of an item names an item, and no run that happens to have that number."""
        log = MemoryEventLog()
        create_batch(log, batch(), at=NOW)
        create_run(log, ONE, at=NOW)
        with pytest.raises(RunNotFoundError, match="there is no run"):
            find_run(log, text)

    def test_the_batch_of_a_run(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(), at=NOW)
        assert batch_of(log, item_run(batch_id, 1)) == batch_id
        assert batch_of(log, create_run(log, ONE, at=NOW)) is None
        assert batch_of(log, RunId(7)) is None

    def test_loading_what_is_not_there_or_does_not_fit(self) -> None:
        log = MemoryEventLog()
        with pytest.raises(BatchNotFoundError, match="no batch 7"):
            load_batch(log, BatchId(7))
        log.append(AppendBatch(BatchId(7), 0, [accepted(), began(9)]))
        with pytest.raises(EventFormatError, match="the events of batch 7 do not fit together"):
            load_batch(log, BatchId(7))

    def test_an_event_that_cannot_be_read_is_told_as_it_is(self) -> None:
        class Broken(MemoryEventLog):
            @override
            def read_batch(self, batch_id: BatchId, *, after: int = 0) -> Iterator[RecordedBatch]:
                raise EventFormatError("position 3")

        with pytest.raises(EventFormatError, match="position 3"):
            load_batch(Broken(), BatchId(1))


class TestUnfinished:
    def test_what_is_gone_on_with(self) -> None:
        log = MemoryEventLog()
        over, going = create_batch(log, batch(1), at=NOW), create_batch(log, batch(2), at=NOW)
        single = create_run(log, ONE, at=NOW)
        log.append(AppendBatch(over, 1, [halted(1), called_off()]))
        assert unfinished_batches(log) == [going]
        assert unfinished_runs(log, at=NOW) == [single]
        assert load(log, item_run(over, 1)).stop_reason is None
        assert load(log, item_run(over, 1)).status is RunStatus.STOPPED
        assert load(log, item_run(going, 1)).status is RunStatus.QUEUED

    def test_what_ran_in_a_batch_that_was_stopped_is_brought_to_its_end(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(2), at=NOW)
        start_items(log, batch_id, 1)
        log.append(AppendBatch(batch_id, 2, [called_off()]))
        assert unfinished_runs(log, at=NOW) == [item_run(batch_id, 1)]
        assert load(log, item_run(batch_id, 1)).stop_requested


class TestStopping:
    def test_everything_of_it_is_stopped(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(4), at=NOW)
        start_items(log, batch_id, 1, 2)
        assert stop_batch(log, batch_id, at=T1, reason="enough") == Stopped(running=2, queued=2)
        assert events_of(log, batch_id)[-1] == called_off("enough")
        states = [load(log, item_run(batch_id, number)) for number in (1, 2, 3, 4)]
        assert [state.stop_requested for state in states] == [True, True, False, False]
        assert [state.status for state in states[2:]] == [RunStatus.STOPPED, RunStatus.STOPPED]
        assert stop_batch(log, batch_id, at=T1) == Stopped()

    def test_no_such_batch(self) -> None:
        with pytest.raises(BatchNotFoundError):
            stop_batch(MemoryEventLog(), BatchId(1), at=T1)

    def test_what_has_just_ended_counts_as_what_it_came_to(self) -> None:
        """A run has ended, and who drives the batch had no time to say so: it is not counted as stopped."""
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(2), at=NOW)
        start_items(log, batch_id, 1)
        end_run(log, item_run(batch_id, 1))
        assert stop_batch(log, batch_id, at=T1) == Stopped(running=0, queued=1)
        state = load_batch(log, batch_id)
        assert (state.at(1), state.at(2)) == (ItemStatus.FAILED, ItemStatus.STOPPED)
        assert batch_violations(log.read_batch(batch_id)) == []

    def test_a_batch_that_ends_that_way_is_not_stopped(self) -> None:
        log = MemoryEventLog()
        batch_id = create_batch(log, batch(1), at=NOW)
        start_items(log, batch_id, 1)
        end_run(log, item_run(batch_id, 1))
        assert stop_batch(log, batch_id, at=T1) == Stopped()
        assert load_batch(log, batch_id).status is BatchStatus.FAILED

    def test_somebody_else_came_first(self) -> None:
        log = BusyLog()
        batch_id = create_batch(log, batch(3), at=NOW)
        log.times, log.meanwhile = 1, lambda: start_items(log, batch_id, 1)
        assert stop_batch(log, batch_id, at=T1) == Stopped(running=1, queued=2)

    def test_a_queued_run_that_somebody_else_has_stopped(self) -> None:
        log = BusyLog()
        batch_id = create_batch(log, batch(2), at=NOW)

        def meanwhile() -> None:
            if log.version(batch_id) > 1:
                request(log, item_run(batch_id, 1), StopRun(at=NOW, reason="alone"))

        log.times, log.meanwhile = 2, meanwhile
        assert stop_batch(log, batch_id, at=T1) == Stopped(running=0, queued=2)
        ended = [load(log, item_run(batch_id, number)).status for number in (1, 2)]
        assert ended == [RunStatus.STOPPED, RunStatus.STOPPED]

    def test_it_changes_too_fast(self) -> None:
        log = BusyLog()
        batch_id = create_batch(log, batch(1), at=NOW)
        log.times = 1_000
        log.meanwhile = lambda: log.append(
            AppendBatch(batch_id, log.version(batch_id), [BatchResumed(owner="x", epoch=1, at=NOW)])
        )
        with pytest.raises(VersionConflictError, match="changing too fast"):
            stop_batch(log, batch_id, at=T1)


class TestSession:
    def claimed(self, log: MemoryEventLog, count: int = 3) -> tuple[BatchSession, list[RunSession]]:
        batch_id = create_batch(log, batch(count), at=NOW)
        epoch = log.claim(batch_id, ADA, now=NOW, ttl_s=10.0)
        runs = [item_run(batch_id, number) for number in range(1, count + 1)]
        epochs = log.claim_all(runs, ADA, now=NOW, ttl_s=10.0)
        sessions = [RunSession(log, run_id, epoch) for run_id, epoch in zip(runs, epochs, strict=True)]
        return BatchSession(log, batch_id, epoch), sessions

    def start(self, session: BatchSession, run: RunSession, item: int = 1) -> None:
        session.execute(StartItem(item=item, at=T1))
        run.execute(StartRun(at=T1))
        session.bound[item] = run

    def test_an_item_and_its_run_start_in_one_commit(self) -> None:
        log = MemoryEventLog()
        session, (first, *_) = self.claimed(log)
        self.start(session, first)
        assert commit(log, [first], [session]) == ((first, [RunStarted(at=T1)]),)
        assert [each.position for each in log.read_batch(session.batch_id)] == [1, 5]
        assert (session.staged, session.bound) == ([], {})
        assert session.execute(ReportItem(item=1, outcome=Outcome.SUCCEEDED, at=T1)) == (did(1),)
        assert session.execute(ReportItem(item=1, outcome=Outcome.SUCCEEDED, at=T1)) == ()
        assert not session.refuse_unstorable(log)

    def test_a_batch_that_was_stopped_first_starts_no_run(self) -> None:
        log = MemoryEventLog()
        session, (first, *_) = self.claimed(log)
        self.start(session, first)
        log.append(AppendBatch(session.batch_id, 1, [called_off()]))
        assert commit(log, [first], [session]) == ()
        assert session.state.status is BatchStatus.STOPPED
        assert (first.state.status, log.version(first.run_id)) == (RunStatus.QUEUED, 1)

    def test_what_may_still_start_does(self) -> None:
        log = MemoryEventLog()
        session, (first, second, _) = self.claimed(log)
        self.start(session, first)
        self.start(session, second, 2)
        log.append(AppendBatch(session.batch_id, 1, [halted(1)]))
        assert commit(log, [first, second], [session]) == ((second, [RunStarted(at=T1)]),)
        assert session.state.at(2) is ItemStatus.RUNNING

    def test_a_run_that_was_stopped_first_does_not_hold_the_batch_up(self) -> None:
        log = MemoryEventLog()
        session, (first, *_) = self.claimed(log)
        self.start(session, first)
        request(log, first.run_id, StopRun(at=T1))
        assert commit(log, [first], [session]) == ()
        assert first.state.status is RunStatus.STOPPED
        assert session.state.at(1) is ItemStatus.RUNNING

    def test_one_that_was_taken_over_starts_nothing(self) -> None:
        log = MemoryEventLog()
        session, (first, *_) = self.claimed(log)
        self.start(session, first)
        log.claim(session.batch_id, BOB, now=NOW, ttl_s=10.0, over=ADA.id)
        assert commit(log, [first], [session]) == ()
        assert session.fenced
        assert load(log, first.run_id).status is RunStatus.QUEUED

    def test_what_others_appended_is_taken_in(self) -> None:
        log = MemoryEventLog()
        session, _ = self.claimed(log)
        log.append(AppendBatch(session.batch_id, 1, [halted(2)]))
        session.execute(StartItem(item=1, at=T1))
        session.refresh(log)
        assert session.state.at(2) is ItemStatus.QUEUED
        session.settle()
        session.state = load_batch(log, session.batch_id)
        session.refresh(log)
        assert (session.state.at(2), session.fenced) == (ItemStatus.STOPPED, False)
        log.append(AppendBatch(session.batch_id, 2, [BatchResumed(owner="process 2", epoch=9, at=T1)]))
        session.refresh(log)
        assert session.fenced

    def ended(self, log: MemoryEventLog, session: BatchSession, run: RunSession) -> None:
        """Start an item, and report it in the commit in which its run ends."""
        self.start(session, run)
        for command in (
            StartAttempt(instance=InstanceId("a"), at=T1),
            ReportFailure(instance=InstanceId("a"), attempt=1, code="no", error="boom", retryable=False, at=T1),
            Settle(at=T1),
        ):
            run.execute(command)
        session.execute(ReportItem(item=1, outcome=Outcome.FAILED, error="a: boom", at=T1), early=True)

    def test_an_item_and_its_run_may_end_in_one_commit_too(self) -> None:
        log = MemoryEventLog()
        session, (first, second, _) = self.claimed(log)
        self.ended(log, session, first)
        self.start(session, second, 2)
        commit(log, [first, second], [session])
        assert events_of(log, session.batch_id)[1:] == [began(1), broke(1, "a: boom"), began(2)]
        assert not session.hasty

    def test_what_was_reported_early_is_taken_back_when_a_request_came_first(self) -> None:
        """The run may have come to something else; whoever took the place of its item does not start."""
        log = MemoryEventLog()
        session, (first, second, third) = self.claimed(log)
        self.ended(log, session, first)
        self.start(session, second, 2)
        self.start(session, third, 3)
        assert session.hasty
        request(log, first.run_id, StopRun(at=T1))
        commit(log, [first, second, third], [session])
        assert events_of(log, session.batch_id)[1:] == [began(1), began(2)]
        assert first.state.status is RunStatus.STOPPED
        assert load(log, third.run_id).status is RunStatus.QUEUED
        assert (session.state.at(3), session.hasty) == (ItemStatus.QUEUED, False)

    def test_so_it_is_when_the_run_was_taken_over(self) -> None:
        log = MemoryEventLog()
        session, (first, *_) = self.claimed(log)
        self.ended(log, session, first)
        log.claim(first.run_id, BOB, now=NOW, ttl_s=10.0, over=ADA.id)
        commit(log, [first], [session])
        assert events_of(log, session.batch_id)[1:] == [began(1)]
        assert first.fenced

    def test_and_when_it_could_not_be_stored(self) -> None:
        class Strict(MemoryEventLog):
            """A log that takes no NaN."""

            @override
            def append(self, *appends: AnyAppend) -> int:
                for append in appends:
                    for event in append.events if isinstance(append, Append) else ():
                        if isinstance(event, AttemptSucceeded) and event.outputs:
                            raise EventFormatError("NaN")
                return super().append(*appends)

        log = Strict()
        session, (first, *_) = self.claimed(log)
        self.start(session, first)
        first.execute(StartAttempt(instance=InstanceId("a"), at=T1))
        first.execute(ReportSuccess(instance=InstanceId("a"), attempt=1, outputs={"x": float("nan")}, at=T1))
        first.execute(Settle(at=T1))
        session.execute(ReportItem(item=1, outcome=Outcome.SUCCEEDED, at=T1), early=True)
        commit(log, [first], [session])
        assert events_of(log, session.batch_id)[1:] == [began(1)]
        assert first.state.steps[0].error is not None

    def test_a_report_that_came_too_late_is_dropped(self) -> None:
        log = MemoryEventLog()
        session, _ = self.claimed(log, 1)
        session.execute(ReportItem(item=1, outcome=Outcome.SUCCEEDED, at=T1))
        assert session.staged == [did(1), BatchSucceeded(at=T1)]
        log.append(AppendBatch(session.batch_id, 1, [called_off()]))
        assert commit(log, (), [session]) == ()
        assert session.state.status is BatchStatus.STOPPED


class TestFailure:
    def test_the_step_that_halted_the_run(self) -> None:
        state = fold(
            [*begun(step("a"), step("b"), step("c", "b")), started("a"), started("b"), failed("a"), failed("b")]
        )
        assert failure(state) == "b: no"

    def test_else_the_first_that_failed(self) -> None:
        state = fold([*begun(step("a"), step("b")), started("b"), failed("b")])
        assert failure(state) == "b: no"

    def test_nothing_failed(self) -> None:
        assert failure(RunState()) == ""

    def test_a_node_of_a_workflow_says_it_itself(self) -> None:
        state = fold([*begun(step("a")), started("a"), failed("a")])
        state.flow = attrs.evolve(state.flow, dialect=Dialect.WORKFLOW)
        assert failure(state) == "no"

    def test_nothing_failed_in_what_was_stopped(self) -> None:
        assert failure(fold([*begun(step("a")), RunStopped(at=T1)])) == ""


def test_a_batch_item_keeps_its_name() -> None:
    log = MemoryEventLog()
    assert load_batch(log, create_batch(log, batch(1), at=NOW)).items == (BatchItem(name="0.json"),)
