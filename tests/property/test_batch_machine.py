"""The laws of a batch, checked after every event of generated histories (contract reliability, I1 to I4, I8, I12, I16).

A small shell drives several batches over one pool: it starts what the queue says, ends items in any order and in any
way, stops some, reports things twice and too late. A dict model that knows nothing of the machine is counted beside it.
"""

from contextlib import suppress
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcore.batch.commands import BatchCommand, Outcome, StopBatch
from flowcore.batch.decide import decide
from flowcore.batch.effects import BatchQueue
from flowcore.batch.events import BatchEvent
from flowcore.batch.evolve import evolve, fold
from flowcore.batch.machine import BATCH_TRANSITIONS, ENDED, BatchStatus, ItemStatus
from flowcore.batch.state import BatchState
from flowcore.codec import BATCH_CODEC
from flowcore.errors import CommandRejectedError
from flowcore.ids import BatchId
from flowcore.invariants import batch_violations
from tests.batch_builders import T1, accepted, recorded_batch, report, start

pytestmark = pytest.mark.property
OUTCOMES: Final = tuple(Outcome)


class Shop:
    """Some batches, one pool, and a model of what has become of every item."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.pool = random.randint(1, 5)
        self.queue = BatchQueue()
        self.states: dict[BatchId, BatchState] = {}
        self.histories: dict[BatchId, list[BatchEvent]] = {}
        self.model: dict[BatchId, dict[int, str]] = {}
        for number in range(1, random.randint(2, 5)):
            batch_id = BatchId(number * 100)
            created = accepted(random.randint(1, 6), random.randint(1, 4), random.choice([0, 0, 1, -1]), batch_id)
            self.histories[batch_id] = [created]
            self.states[batch_id] = fold([created])
            self.model[batch_id] = dict.fromkeys(range(1, len(created.items) + 1), "queued")
            self.queue.offer(self.states[batch_id])

    @property
    def busy(self) -> int:
        return sum(word == "running" for model in self.model.values() for word in model.values())

    def send(self, batch_id: BatchId, command: BatchCommand) -> tuple[BatchEvent, ...]:
        state = self.states[batch_id]
        try:
            events = decide(command, state)
        except CommandRejectedError:
            return ()
        for event in events:
            assert type(event) in BATCH_TRANSITIONS[state.status]
            evolve(state, event)
            self.histories[batch_id].append(event)
            assert sum(state.counts.values()) == len(state.items)
        with suppress(CommandRejectedError):
            assert decide(command, state) == ()
        self.queue.offer(state)
        return events

    def start_what_may(self) -> None:
        while self.busy < self.pool and (launches := self.queue.pending(self.pool - self.busy)):
            for launch in launches:
                assert self.expected() == (launch.batch_id, launch.item)
                assert self.send(launch.batch_id, start(launch.item))
                self.model[launch.batch_id][launch.item] = "running"
        assert self.busy >= self.pool or self.expected() is None

    def expected(self) -> tuple[BatchId, int] | None:
        """The rule in its own words: the highest priority, then first come; one at its limit is passed over."""
        for batch_id in sorted(self.states, key=lambda each: (-self.states[each].priority, each)):
            model = self.model[batch_id]
            running = sum(word == "running" for word in model.values())
            if running < self.states[batch_id].workers:
                for item, word in model.items():
                    if word == "queued":
                        return batch_id, item
        return None

    def disturb(self) -> None:
        batch_id = self.random.choice(list(self.states))
        model = self.model[batch_id]
        outcome = self.random.choice(OUTCOMES)
        match self.random.randrange(12):
            case 0:
                self.send(batch_id, StopBatch(at=T1))
                for item, word in model.items():
                    model[item] = "stopped" if word in {"queued", "running"} else word
            case 1:
                queued = [item for item, word in model.items() if word == "queued"]
                if queued:
                    item = self.random.choice(queued)
                    self.send(batch_id, report(item, Outcome.STOPPED))
                    model[item] = "stopped"
            case 2:
                assert self.send(batch_id, report(99, outcome)) == ()
                if self.states[batch_id].startable:
                    assert self.busy == self.pool
            case _:
                running = [item for item, word in model.items() if word == "running"]
                item = self.random.choice(running or list(model))
                self.send(batch_id, report(item, outcome))
                if model[item] in {"queued", "running"}:
                    model[item] = str(outcome)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_every_history_keeps_the_laws(seed: int) -> None:
    shop = Shop(Random(seed))
    for _ in range(60):
        shop.start_what_may()
        shop.disturb()
    for batch_id, state in shop.states.items():
        model, history = shop.model[batch_id], shop.histories[batch_id]
        assert {str(number): str(state.at(number)) for number in model} == {str(k): v for k, v in model.items()}
        assert batch_violations(recorded_batch(history, batch_id)) == []
        replayed = fold(
            BATCH_CODEC.decode(each.type, each.schema, each.data) for each in map(BATCH_CODEC.encode, history)
        )
        assert vars(replayed) == vars(state)
        assert (state.status in ENDED) == (not state.open)
        if state.status is BatchStatus.SUCCEEDED:
            assert state.counts[ItemStatus.SUCCEEDED]
        if state.status is BatchStatus.FAILED:
            assert state.counts[ItemStatus.FAILED]
            assert not state.counts[ItemStatus.SUCCEEDED]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_without_disturbance_every_batch_ends_completed(seed: int) -> None:
    shop = Shop(Random(seed))
    shop.start_what_may()
    while shop.busy:
        batch_id, item = next(
            (b, i) for b, model in shop.model.items() for i, word in model.items() if word == "running"
        )
        shop.send(batch_id, report(item))
        shop.model[batch_id][item] = "succeeded"
        shop.start_what_may()
    assert {state.status for state in shop.states.values()} == {BatchStatus.SUCCEEDED}
