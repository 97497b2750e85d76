"""The batch: what is decided, what it amounts to, and who gets the next worker."""

import pytest

from flowcore.batch.commands import BatchCommand, CreateBatch, Outcome, ResumeBatch, StopBatch
from flowcore.batch.decide import decide
from flowcore.batch.effects import BatchQueue, Launch
from flowcore.batch.events import (
    BatchEvent,
    BatchFailed,
    BatchItem,
    BatchResumed,
    BatchSource,
    BatchStopped,
    BatchSucceeded,
)
from flowcore.batch.evolve import evolve, fold
from flowcore.batch.machine import BatchStatus, ItemStatus, standing
from flowcore.batch.state import BatchState
from flowcore.errors import CommandRejectedError
from flowcore.ids import BatchId
from flowcore.values import Instant
from tests.batch_builders import BATCH, T0, T1, accepted, began, broke, called_off, did, halted, items, report, start


def then(history: tuple[BatchEvent, ...], command: BatchCommand, *expected: BatchEvent) -> None:
    """Assert what is decided, and that nothing of it is decided again."""
    state = fold(history)
    assert decide(command, state) == expected
    for event in expected:
        evolve(state, event)
    try:
        again = decide(command, state)
    except CommandRejectedError:
        again = ()
    assert again == ()


def then_rejected(history: tuple[BatchEvent, ...], command: BatchCommand, code: str) -> None:
    with pytest.raises(CommandRejectedError) as caught:
        decide(command, fold(history))
    assert caught.value.code == code


def counts(state: BatchState) -> dict[str, int]:
    return {str(status): count for status, count in state.counts.items() if count}


class TestCreating:
    def test_a_batch_is_accepted_with_all_that_is_known_of_it(self) -> None:
        command = CreateBatch(
            batch_id=BATCH,
            source=BatchSource.FOLDER,
            items=(BatchItem(name="a.json", path="./flows/a.json"),),
            workers=2,
            priority=7,
            at=T0,
            folder="./flows",
            labels={"source": "api"},
        )
        (event,) = decide(command, BatchState())
        assert event == decide(command, BatchState())[0]
        state = fold([event])
        assert (state.status, state.batch_id, state.workers, state.priority) == (BatchStatus.RUNNING, BATCH, 2, 7)
        assert (state.created_at, state.items, state.next, state.version) == (T0, command.items, 1, 1)
        then_rejected((event,), command, "batch-exists")

    def test_a_batch_without_items_or_workers_is_none(self) -> None:
        with pytest.raises(ValueError, match="items"):
            CreateBatch(batch_id=BATCH, source=BatchSource.FILES, items=(), workers=1, at=T0)
        with pytest.raises(ValueError, match="workers"):
            CreateBatch(batch_id=BATCH, source=BatchSource.FILES, items=items(1), workers=0, at=T0)

    @pytest.mark.parametrize("command", [start(1), report(1), StopBatch(at=T0)])
    def test_nothing_happens_to_a_batch_that_there_is_not(self, command: BatchCommand) -> None:
        then_rejected((), command, "batch-missing")


class TestItems:
    def test_an_item_starts(self) -> None:
        then((accepted(),), start(2), began(2))

    def test_no_more_than_the_workers(self) -> None:
        then_rejected((accepted(3, workers=1), began(1)), start(2), "not-startable")

    @pytest.mark.parametrize("history", [(began(1),), (began(1), did(1)), (halted(1),), (called_off(),)])
    def test_one_that_waits_no_more_does_not_start(self, history: tuple[BatchEvent, ...]) -> None:
        then_rejected((accepted(), *history), start(1), "not-startable")

    @pytest.mark.parametrize("item", [0, -1, 4])
    def test_an_item_that_there_is_not(self, item: int) -> None:
        then_rejected((accepted(),), start(item), "no-such-item")
        then_rejected((accepted(),), report(item), "no-such-item")
        with pytest.raises(IndexError):
            fold([accepted(), began(item)])

    def test_the_ends_of_items(self) -> None:
        then((accepted(), began(1)), report(1), did(1))
        then((accepted(), began(1)), report(1, Outcome.FAILED, "boom"), broke(1, "boom"))
        then((accepted(), began(1)), report(1, Outcome.STOPPED), halted(1))

    def test_one_that_was_stopped_in_the_queue_never_starts(self) -> None:
        then((accepted(),), report(2, Outcome.STOPPED), halted(2))

    def test_what_is_told_again_counts_once(self) -> None:
        then((accepted(), began(1), did(1)), report(1, Outcome.FAILED, "boom"))

    def test_what_ends_after_the_batch_was_stopped_counts_no_more(self) -> None:
        then((accepted(), began(1), called_off()), report(1))


class TestEnding:
    @pytest.mark.parametrize(
        ("ends", "last", "expected"),
        [
            ((did(1), did(2)), report(3), BatchSucceeded(at=T1)),
            ((broke(1), did(2)), report(3, Outcome.FAILED, "boom"), BatchSucceeded(at=T1)),
            ((broke(1), broke(2)), report(3), BatchSucceeded(at=T1)),
            ((broke(1), broke(2)), report(3, Outcome.FAILED, "boom"), BatchFailed(at=T1)),
            ((broke(1), halted(2)), report(3, Outcome.STOPPED), BatchFailed(at=T1)),
            ((halted(1), did(2)), report(3, Outcome.STOPPED), BatchSucceeded(at=T1)),
            ((halted(1), halted(2)), report(3, Outcome.FAILED, "boom"), BatchFailed(at=T1)),
            ((halted(1), halted(2)), report(3, Outcome.STOPPED), BatchStopped(reason="every item was stopped", at=T1)),
        ],
    )
    def test_with_its_last_item(self, ends: tuple[BatchEvent, ...], last: BatchCommand, expected: BatchEvent) -> None:
        """At least one success: completed; all failed: error (contract executions, section 3)."""
        history = (accepted(3, workers=3), began(1), began(2), began(3), *ends)
        state = fold(history)
        ended, end = decide(last, state)
        assert end == expected
        evolve(evolve(state, ended), end)
        assert (state.ended, state.ended_at, state.open) == (True, T1, 0)
        assert decide(last, state) == ()

    def test_stopping_ends_it_at_once(self) -> None:
        history = (accepted(4), began(1), did(1), began(2))
        then(history, StopBatch(at=T1, reason="enough"), called_off("enough"))
        state = fold([*history, called_off()])
        assert (state.status, state.ended_at) == (BatchStatus.STOPPED, T1)
        assert counts(state) == {"succeeded": 1, "stopped": 3}
        assert (list(state.started), state.startable, state.unended()) == ([], False, [])

    def test_stopping_one_that_has_ended_changes_nothing(self) -> None:
        history = (accepted(1), began(1), did(1), BatchSucceeded(at=T1))
        then(history, StopBatch(at=Instant(200.0)))
        assert fold(history).status is BatchStatus.SUCCEEDED


class TestTakingOver:
    def test_it_is_recorded_once_for_each_claim(self) -> None:
        resume = ResumeBatch(owner="process 2", epoch=2, at=T1)
        then((accepted(),), resume, BatchResumed(owner="process 2", epoch=2, at=T1))
        then((accepted(), BatchResumed(owner="process 3", epoch=3, at=T1)), resume)

    def test_not_of_one_that_is_over(self) -> None:
        then((accepted(), called_off()), ResumeBatch(owner="process 2", epoch=2, at=T1))


class TestState:
    def test_the_counts_always_add_up(self) -> None:
        state = BatchState()
        for event in (accepted(4), began(1), began(2), broke(2), halted(4), did(1), began(3), did(3)):
            evolve(state, event)
            assert sum(state.counts.values()) == 4
        assert counts(state) == {"succeeded": 2, "failed": 1, "stopped": 1}

    def test_running_items_come_before_those_that_wait(self) -> None:
        state = fold([accepted(5), began(2), halted(1), began(4)])
        assert state.unended() == [2, 4, 3, 5]
        assert state.next == 3

    def test_an_event_out_of_place_moves_no_item(self) -> None:
        """An item is where the table says, whatever stands in a damaged log."""
        state = fold([accepted(), began(1), did(1), began(1)])
        assert state.at(1) is ItemStatus.SUCCEEDED

    def test_where_a_batch_stands_is_said_by_its_last_event(self) -> None:
        last: list[BatchEvent] = [accepted(), began(1), did(1), BatchSucceeded(at=T1), BatchFailed(at=T1), called_off()]
        assert [str(standing(event)) for event in last] == [
            "running",
            "running",
            "running",
            "succeeded",
            "failed",
            "stopped",
        ]


class TestQueue:
    def one(self, number: int, *, count: int = 3, workers: int = 2, priority: int = 0) -> BatchState:
        return fold([accepted(count, workers, priority, BatchId(number))])

    def drain(self, queue: BatchQueue, states: dict[BatchId, BatchState], free: int) -> list[tuple[int, int]]:
        """Start what is pending until there is no worker left, and return it."""
        found: list[tuple[int, int]] = []
        while free > len(found) and (launches := queue.pending(free - len(found))):
            for launch in launches:
                state = states[launch.batch_id]
                for event in decide(start(launch.item), state):
                    evolve(state, event)
                found.append((launch.batch_id, launch.item))
            queue.offer(states[launches[0].batch_id])
        return found

    def queue(self, *states: BatchState) -> tuple[BatchQueue, dict[BatchId, BatchState]]:
        queue = BatchQueue()
        for state in states:
            queue.offer(state)
        return queue, {state.batch_id: state for state in states}

    def test_nothing_waits(self) -> None:
        assert BatchQueue().pending(4) == ()

    def test_first_come_first_served(self) -> None:
        queue, states = self.queue(self.one(20), self.one(10))
        assert queue.pending(4) == (Launch(BatchId(10), 1), Launch(BatchId(10), 2))
        assert self.drain(queue, states, 3) == [(10, 1), (10, 2), (20, 1)]

    def test_a_higher_priority_comes_first(self) -> None:
        queue, states = self.queue(self.one(10), self.one(20, priority=5), self.one(30, priority=-1))
        assert self.drain(queue, states, 6) == [(20, 1), (20, 2), (10, 1), (10, 2), (30, 1), (30, 2)]

    def test_one_at_its_limit_is_passed_over(self) -> None:
        queue, states = self.queue(self.one(10, workers=1, priority=9), self.one(20))
        assert self.drain(queue, states, 2) == [(10, 1), (20, 1)]
        evolve(states[BatchId(10)], did(1))
        queue.offer(states[BatchId(10)])
        assert self.drain(queue, states, 1) == [(10, 2)]

    def test_no_more_than_there_are_workers(self) -> None:
        queue, _ = self.queue(self.one(10, workers=8, count=8))
        assert [launch.item for launch in queue.pending(3)] == [1, 2, 3]

    def test_one_that_was_stopped_leaves_the_queue(self) -> None:
        queue, states = self.queue(self.one(10), self.one(20))
        evolve(states[BatchId(10)], called_off())
        assert self.drain(queue, states, 4) == [(20, 1), (20, 2)]

    def test_one_that_is_withdrawn_leaves_the_queue(self) -> None:
        queue, states = self.queue(self.one(10), self.one(20))
        queue.withdraw(BatchId(10))
        assert self.drain(queue, states, 4) == [(20, 1), (20, 2)]

    def test_items_that_were_stopped_are_passed_over(self) -> None:
        queue, states = self.queue(self.one(10, count=4))
        for number in (1, 3):
            evolve(states[BatchId(10)], halted(number))
        assert self.drain(queue, states, 4) == [(10, 2), (10, 4)]

    def test_offering_twice_is_offering_once(self) -> None:
        state = self.one(10, workers=1)
        queue, states = self.queue(state, state)
        assert self.drain(queue, states, 2) == [(10, 1)]
        assert queue.pending(1) == ()
