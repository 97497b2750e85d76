"""Batches in the log in memory; what every log promises of them is in the contract tests."""

import pytest

from flowcore.batch.machine import BatchStatus
from flowcore.errors import RunOwnedError
from flowcore.ids import BatchId, RunId
from flowcore.memory_log import MemoryEventLog
from flowcore.ports import Append, AppendBatch, BatchPage, Owner, RecordedBatch, Requests
from flowcore.values import Instant
from tests.batch_builders import BATCH, accepted, began, called_off
from tests.builders import created, step

ADA, BOB = Owner("ada", "ada"), Owner("bob", "bob")
NOW = Instant(10.0)
ITEM, OTHER = RunId(BATCH + 1), RunId(BATCH + 2)


@pytest.fixture
def log() -> MemoryEventLog:
    log = MemoryEventLog()
    log.append(AppendBatch(BATCH, 0, [accepted(2)]), *(Append(item, 0, [created(step("a"))]) for item in (ITEM, OTHER)))
    return log


def test_a_batch_has_a_stream_of_its_own(log: MemoryEventLog) -> None:
    log.append(AppendBatch(BATCH, 1, [began(1)]))
    assert list(log.read_batch(BATCH)) == [
        RecordedBatch(BATCH, 1, 1, accepted(2)),
        RecordedBatch(BATCH, 4, 2, began(1)),
    ]
    assert list(log.read_batch(BatchId(7))) == []
    assert (log.runs(), log.version(BATCH)) == ([OTHER, ITEM], 2)


def test_those_who_follow_see_it(log: MemoryEventLog) -> None:
    assert [type(each).__name__ for each in log.follow(0, 9)] == ["RecordedBatch", "Recorded", "Recorded"]


def test_pages(log: MemoryEventLog) -> None:
    later = BatchId(2_000)
    log.append(AppendBatch(later, 0, [accepted(batch_id=later), called_off()]))
    assert log.batches() == BatchPage(2, [later, BATCH])
    assert log.batches(limit=1, offset=1) == BatchPage(2, [BATCH])
    assert log.batches(status=BatchStatus.RUNNING) == BatchPage(1, [BATCH])


def test_items_are_claimed_in_one_go(log: MemoryEventLog) -> None:
    log.claim(OTHER, BOB, now=NOW, ttl_s=10.0)
    assert log.claim_all([ITEM, OTHER, RunId(7)], ADA, now=NOW, ttl_s=10.0) == [1, 0, 0]


def test_requests_tell_runs_and_batches_apart(log: MemoryEventLog) -> None:
    assert log.requests(0, 0) == Requests(3, (ITEM, OTHER), (BATCH,))


def test_deleting(log: MemoryEventLog) -> None:
    log.claim(BATCH, ADA, now=NOW, ttl_s=10.0)
    with pytest.raises(RunOwnedError):
        log.delete_runs(BATCH, ITEM, now=NOW)
    log.delete_runs(BATCH, ITEM, now=NOW, ended=True)
    assert (log.batches(), log.runs()) == (BatchPage(0, []), [OTHER])
