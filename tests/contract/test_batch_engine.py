"""Batches that an engine drives: order, limits, counts, stops, and who goes on when a program is gone."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import override

from flowcore.batch.events import BatchResumed, BatchSource, ItemStarted
from flowcore.batch.machine import BatchStatus, ItemStatus
from flowcore.batch.state import BatchState
from flowcore.batch_service import NewBatch, NewItem, create_batch, load_batch, stop_batch
from flowcore.catalog import SourceType
from flowcore.errors import BatchNotFoundError, LogError, RunOwnedError, SourceError
from flowcore.ids import BatchId, RunId, StepName, item_run
from flowcore.invariants import batch_violations, violations
from flowcore.model import Flow, Secret, Source, Step
from flowcore.ports import AnyAppend, Append, EventLog, Owner, SourceCall, SourceResult
from flowcore.run.commands import StopRun
from flowcore.run.machine import RunStatus
from flowcore.service import load, request
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import Registry, load_registry
from flowcore_adapters.runner.engine import Engine

PLENTY_S: Final = 30.0
"""How long a test waits for what must happen: nothing waits this long unless it is broken."""
NOW: Final = SystemClock().now


class Gate:
    """A source whose calls wait until they are let go, or fail when their flow is called `bad`."""

    type = SourceType(name="gate", about="A source of the tests.", parameters={}, blocking=True)

    def __init__(self, *, shut: bool = True) -> None:
        self.open = threading.Event()
        if not shut:
            self.open.set()
        self.lock = threading.Lock()
        self.running = self.most = 0
        self.order: list[RunId] = []
        self.began = threading.Semaphore(0)

    def call(self, call: SourceCall) -> SourceResult:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(call.run_id)
        self.began.release()
        try:
            while not self.open.wait(0.01):
                if call.cancel.cancelled:
                    raise SourceError("cancelled")
            if call.configuration.get("bad"):
                raise SourceError("no luck", retryable=False)
        finally:
            with self.lock:
                self.running -= 1
        return SourceResult(data=None)


def flow(name: str = "good", secret: str | None = None) -> Flow:
    step = Step(name=StepName("a"), source="gate")
    secrets = {} if secret is None else {"s": Secret(env=secret)}
    return Flow(
        name=name,
        sources={"gate": Source(type="gate", configuration={"bad": name == "bad"})},
        steps=(step,),
        secrets=secrets,
    )


def batch(*flows: Flow, workers: int = 4, priority: int = 0) -> NewBatch:
    items = [NewItem(name=f"{number}.json", flow=each) for number, each in enumerate(flows, 1)]
    return NewBatch(source=BatchSource.WORKFLOWS, items=items, workers=workers, priority=priority)


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    log: EventLog = SharedMemoryEventLog() if request.param == "memory" else SqliteEventLog(tmp_path / "log.db")
    with closing(log):
        yield log


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def engines(log: EventLog, gate: Gate) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(batch_workers: int = 4) -> Engine:
        engine = Engine(log, Registry({"gate": gate}), SystemClock(), batch_workers=batch_workers)
        engine.start()
        made.append(engine)
        return engine

    yield make
    gate.open.set()
    for engine in made:
        engine.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must happen soon."""
    deadline = time.monotonic() + PLENTY_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def statuses(log: EventLog, batch_id: BatchId) -> list[str]:
    return [str(status) for status in load_batch(log, batch_id).statuses]


def run_status(log: EventLog, batch_id: BatchId, number: int) -> RunStatus:
    return load(log, item_run(batch_id, number)).status


def sound(log: EventLog, batch_id: BatchId) -> BatchState:
    """Check every invariant of a batch and of its runs, that both say the same, and return the state."""
    assert batch_violations(log.read_batch(batch_id)) == []
    state = load_batch(log, batch_id)
    for number, status in enumerate(state.statuses, 1):
        assert violations(log.read(item_run(batch_id, number))) == []
        assert str(run_status(log, batch_id, number)) == str(status)
    return state


class TestRunning:
    def test_every_item_ends_once(self, log: EventLog, gate: Gate, engines: Callable[..., Engine]) -> None:
        gate.open.set()
        batch_id = create_batch(log, batch(*[flow()] * 20, flow("bad")), at=NOW())
        assert engines().adopt_batch(batch_id).wait(PLENTY_S)
        state = sound(log, batch_id)
        assert (state.status, state.counts[ItemStatus.SUCCEEDED]) == (BatchStatus.SUCCEEDED, 20)
        assert sorted(gate.order) == [item_run(batch_id, number) for number in range(1, 22)]

    def test_all_failed_is_a_failed_batch_that_says_why(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        gate.open.set()
        batch_id = create_batch(log, batch(flow("bad"), flow("bad")), at=NOW())
        assert engines().adopt_batch(batch_id).wait(PLENTY_S)
        assert sound(log, batch_id).status is BatchStatus.FAILED
        errors = [getattr(each.event, "error", None) for each in log.read_batch(batch_id)]
        assert [error for error in errors if error] == ["a: no luck", "a: no luck"]

    def test_no_more_at_once_than_its_workers(self, log: EventLog, gate: Gate, engines: Callable[..., Engine]) -> None:
        batch_id = create_batch(log, batch(*[flow()] * 6, workers=2), at=NOW())
        ended = engines().adopt_batch(batch_id)
        for _ in range(2):
            assert gate.began.acquire(timeout=PLENTY_S)
        assert statuses(log, batch_id) == ["running"] * 2 + ["queued"] * 4
        gate.open.set()
        assert ended.wait(PLENTY_S)
        assert gate.most == 2

    def test_one_pool_for_all_batches(self, log: EventLog, gate: Gate, engines: Callable[..., Engine]) -> None:
        """Priority first, then first come; the pool is shared (contract executions, section 3, "Queue")."""
        engine = engines(batch_workers=1)
        first = create_batch(log, batch(flow(), flow()), at=NOW())
        ended = [engine.adopt_batch(first)]
        assert gate.began.acquire(timeout=PLENTY_S)
        second, urgent = (create_batch(log, batch(flow(), priority=priority), at=NOW()) for priority in (0, 5))
        ended += [engine.adopt_batch(batch_id) for batch_id in (second, urgent)]
        until(lambda: urgent in engine._turns.batches.active)
        gate.open.set()
        assert all(each.wait(PLENTY_S) for each in ended)
        assert gate.order == [item_run(first, 1), item_run(urgent, 1), item_run(first, 2), item_run(second, 1)]
        assert gate.most == 1

    def test_items_that_take_no_time_share_commits(self, tmp_path: Path) -> None:
        """Else each handful of them would wait for the disk; the limits hold all the same."""
        appends = 0

        class Counted(SqliteEventLog):
            @override
            def append(self, *given: AnyAppend) -> int:
                nonlocal appends
                appends += 1
                return super().append(*given)

        with closing(Counted(tmp_path / "log.db")) as log:
            step = Step(name=StepName("a"), source="value")
            quick = Flow(name="quick", sources={"value": Source(type="value")}, steps=(step,))
            batch_id = create_batch(log, batch(*[quick] * 200, workers=3), at=NOW())
            engine = Engine(log, load_registry(), SystemClock())
            engine.start()
            assert engine.adopt_batch(batch_id).wait(PLENTY_S)
            engine.close()
            assert sound(log, batch_id).counts[ItemStatus.SUCCEEDED] == 200
        assert appends < 20

    def test_a_request_that_comes_first_spoils_nothing(self, tmp_path: Path) -> None:
        """In every commit somebody has just stopped one of the runs in it."""
        stopped: list[RunId] = []

        class Meddled(SharedMemoryEventLog):
            @override
            def append(self, *given: AnyAppend) -> int:
                runs = [each.run_id for each in given if isinstance(each, Append) and each.epoch]
                if runs and len(stopped) < 30 and runs[-1] not in stopped:
                    stopped.append(runs[-1])
                    request(self, runs[-1], StopRun(at=NOW()))
                return super().append(*given)

        log = Meddled()
        step = Step(name=StepName("a"), source="value")
        quick = Flow(name="quick", sources={"value": Source(type="value")}, steps=(step,))
        batch_id = create_batch(log, batch(*[quick] * 100, workers=3), at=NOW())
        engine = Engine(log, load_registry(), SystemClock())
        engine.start()
        assert engine.adopt_batch(batch_id).wait(PLENTY_S)
        until(lambda: all(load(log, item_run(batch_id, number)).ended for number in range(1, 101)))
        engine.close()
        state = sound(log, batch_id)
        assert state.counts[ItemStatus.STOPPED] == len(stopped) >= 2
        assert state.counts[ItemStatus.SUCCEEDED] == 100 - len(stopped)
        log.close()

    def test_an_item_that_cannot_run_fails_and_the_others_go_on(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        gate.open.set()
        batch_id = create_batch(log, batch(flow(secret="FLOWCORE_NO_SUCH_VARIABLE"), flow()), at=NOW())
        assert engines().adopt_batch(batch_id).wait(PLENTY_S)
        assert statuses(log, batch_id) == ["failed", "succeeded"]
        assert run_status(log, batch_id, 1) is RunStatus.STOPPED

    def test_only_what_is_there_is_driven_and_by_one_only(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        one, other = engines(), engines()
        with pytest.raises(BatchNotFoundError):
            one.adopt_batch(BatchId(7))
        batch_id = create_batch(log, batch(flow()), at=NOW())
        one.adopt_batch(batch_id)
        with pytest.raises(RunOwnedError):
            other.adopt_batch(batch_id)

    def test_a_closed_engine_drives_nothing(self, log: EventLog, gate: Gate, engines: Callable[..., Engine]) -> None:
        engine = engines()
        engine.close()
        with pytest.raises(LogError, match="the engine is closed"):
            engine.adopt_batch(create_batch(log, batch(flow()), at=NOW()))


class TestStopping:
    def test_it_ends_at_once_and_its_runs_end_stopped(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        batch_id = create_batch(log, batch(*[flow()] * 5, workers=2), at=NOW())
        ended = engines().adopt_batch(batch_id)
        for _ in range(2):
            assert gate.began.acquire(timeout=PLENTY_S)
        stopped = stop_batch(log, batch_id, at=NOW())
        assert (stopped.running, stopped.queued) == (2, 3)
        assert load_batch(log, batch_id).status is BatchStatus.STOPPED
        assert ended.wait(PLENTY_S)
        until(lambda: all(load(log, item_run(batch_id, number)).ended for number in range(1, 6)))
        assert sound(log, batch_id).counts[ItemStatus.STOPPED] == 5
        assert len(gate.order) == 2

    def test_the_pool_is_as_large_as_before(self, log: EventLog, gate: Gate, engines: Callable[..., Engine]) -> None:
        """Stopping a running item frees one worker, not two (contract executions, section 9, place 22)."""
        engine = engines(batch_workers=2)
        for _ in range(3):
            batch_id = create_batch(log, batch(*[flow()] * 4), at=NOW())
            ended = engine.adopt_batch(batch_id)
            for _ in range(2):
                assert gate.began.acquire(timeout=PLENTY_S)
            stop_batch(log, batch_id, at=NOW())
            assert ended.wait(PLENTY_S)
        gate.open.set()
        assert engine.adopt_batch(create_batch(log, batch(*[flow()] * 8), at=NOW())).wait(PLENTY_S)
        assert gate.most == 2

    def test_items_that_are_stopped_alone_do_not_hold_the_batch_up(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        """They are neither completed nor failed, and the batch still ends (contract executions, section 9, place 9)."""
        batch_id = create_batch(log, batch(*[flow()] * 3, workers=1), at=NOW())
        ended = engines().adopt_batch(batch_id)
        assert gate.began.acquire(timeout=PLENTY_S)
        for number in (1, 3):
            request(log, item_run(batch_id, number), StopRun(at=NOW()))
        gate.open.set()
        assert ended.wait(PLENTY_S)
        assert sound(log, batch_id).status is BatchStatus.SUCCEEDED
        assert statuses(log, batch_id) == ["stopped", "succeeded", "stopped"]

    def test_a_batch_whose_every_item_was_stopped_is_stopped(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        batch_id = create_batch(log, batch(flow(), flow(), workers=1), at=NOW())
        request(log, item_run(batch_id, 1), StopRun(at=NOW()))
        ended = engines().adopt_batch(batch_id)
        request(log, item_run(batch_id, 2), StopRun(at=NOW()))
        assert ended.wait(PLENTY_S)
        assert sound(log, batch_id).status is BatchStatus.STOPPED


class TestTakingOver:
    def test_the_next_program_goes_on_where_the_last_one_was(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        """Items that ran are resumed, those in the queue wait for their turn, and every one ends once."""
        batch_id = create_batch(log, batch(*[flow()] * 6, workers=2), at=NOW())
        first = engines()
        first.adopt_batch(batch_id)
        for _ in range(2):
            assert gate.began.acquire(timeout=PLENTY_S)
        first.close()
        # What was asked while nobody drove it: one that waits, and one that ran.
        request(log, item_run(batch_id, 6), StopRun(at=NOW()))
        assert statuses(log, batch_id) == ["running"] * 2 + ["queued"] * 4
        gate.open.set()
        assert engines().adopt_batch(batch_id).wait(PLENTY_S)
        state = sound(log, batch_id)
        assert [str(status) for status in state.statuses] == ["succeeded"] * 5 + ["stopped"]
        events = [each.event for each in log.read_batch(batch_id)]
        assert sum(isinstance(event, BatchResumed) for event in events) == 1
        assert sum(isinstance(event, ItemStarted) for event in events) == 5

    def test_what_another_program_drives_is_waited_for(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flowcore_adapters.runner.batches._LOOK_S", 0.02)
        gate.open.set()
        batch_id = create_batch(log, batch(flow(), flow()), at=NOW())
        stranger, hour_s = Owner("stranger", "process 1 elsewhere", "elsewhere", 1), 3600.0
        log.claim(item_run(batch_id, 1), stranger, now=NOW(), ttl_s=hour_s)
        ended = engines().adopt_batch(batch_id)
        until(lambda: statuses(log, batch_id) == ["running", "succeeded"])
        assert not ended.is_set()
        log.release(stranger, item_run(batch_id, 1))
        assert ended.wait(PLENTY_S)
        assert sound(log, batch_id).counts[ItemStatus.SUCCEEDED] == 2

    def test_who_has_lost_the_batch_lets_go_of_it(
        self, log: EventLog, gate: Gate, engines: Callable[..., Engine]
    ) -> None:
        batch_id = create_batch(log, batch(*[flow()] * 3, workers=1), at=NOW())
        engine = engines()
        ended = engine.adopt_batch(batch_id)
        assert gate.began.acquire(timeout=PLENTY_S)
        owner = log.ownership(batch_id).owner
        assert owner is not None
        rival = Owner("rival", "process 2 elsewhere", "elsewhere", 2)
        log.claim(batch_id, rival, now=NOW(), ttl_s=60.0, over=owner.id)
        gate.open.set()
        assert ended.wait(PLENTY_S)
        assert statuses(log, batch_id) == ["running", "queued", "queued"]


def test_nothing_is_held_when_all_is_over(log: EventLog, gate: Gate, engines: Callable[..., Engine]) -> None:
    batch_id = create_batch(log, batch(*[flow()] * 3, workers=1), at=NOW())
    engine = engines()
    engine.adopt_batch(batch_id)
    assert gate.began.acquire(timeout=PLENTY_S)
    engine.close()
    streams: Sequence[BatchId | RunId] = [batch_id, *(item_run(batch_id, number) for number in (1, 2, 3))]
    assert [log.ownership(stream).owner for stream in streams] == [None] * 4
