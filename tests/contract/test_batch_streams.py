"""What every `EventLog` promises of batches, in the words of the port."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from flowcore.batch.events import BatchEvent, BatchFailed, BatchSucceeded
from flowcore.batch.machine import BatchStatus
from flowcore.errors import FencedError, RunOwnedError, VersionConflictError
from flowcore.ids import BatchId, RunId
from flowcore.model import Flow
from flowcore.ports import Append, AppendBatch, BatchPage, EventLog, Owner, Ownership, Recorded, RecordedBatch, Requests
from flowcore.run.events import RunCreated
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.batch_builders import T1, accepted, began, broke, called_off, did

OpenLog: TypeAlias = Callable[[Path], EventLog]

B1, B2, B3 = BatchId(1_000), BatchId(2_000), BatchId(3_000)
R1, R2, R3 = RunId(1_001), RunId(1_002), RunId(1_003)
ADA, BOB = Owner("ada-1", "process 4711 on host", "host", 4711), Owner("bob-1", "process 4712 on host", "host", 4712)
NOW: Final = Instant(1733524800.5)
TTL_S: Final = 10.0


def memory(_: Path) -> EventLog:
    return MemoryEventLog()


def shared_memory(_: Path) -> EventLog:
    return SharedMemoryEventLog()


def sqlite(directory: Path) -> EventLog:
    return SqliteEventLog(directory / "log.db")


@pytest.fixture(
    params=[
        pytest.param(memory, id="memory"),
        pytest.param(shared_memory, id="shared-memory"),
        pytest.param(sqlite, id="sqlite"),
    ]
)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    open_log: OpenLog = request.param
    log = open_log(tmp_path)
    yield log
    log.close()


def created(run_id: RunId, batch: BatchId | None = B1) -> RunCreated:
    return RunCreated(run_id=run_id, flow=Flow(name="users"), max_workers=4, at=Instant(1.0), batch=batch)


def accept(log: EventLog, batch_id: BatchId = B1, count: int = 3) -> None:
    """Append a batch with the runs of its items, in one go."""
    runs = [RunId(batch_id + number) for number in range(1, count + 1)]
    log.append(
        AppendBatch(batch_id, 0, [accepted(count, batch_id=batch_id)]),
        *(Append(run_id, 0, [created(run_id, batch_id)]) for run_id in runs),
    )


class TestStreams:
    def test_events_come_back_in_order_with_their_places(self, log: EventLog) -> None:
        accept(log)
        assert log.append(AppendBatch(B1, 1, [began(1), broke(1, "ü")])) == 6
        assert list(log.read_batch(B1)) == [
            RecordedBatch(B1, 1, 1, accepted()),
            RecordedBatch(B1, 5, 2, began(1)),
            RecordedBatch(B1, 6, 3, broke(1, "ü")),
        ]
        assert [each.version for each in log.read_batch(B1, after=2)] == [3]
        assert (log.version(B1), log.position()) == (3, 6)

    def test_those_who_follow_see_batches_and_runs_in_one_order(self, log: EventLog) -> None:
        accept(log)
        log.append(AppendBatch(B1, 1, [began(1)]))
        assert list(log.follow(2, 9)) == [
            Recorded(R2, 3, 1, created(R2)),
            Recorded(R3, 4, 1, created(R3)),
            RecordedBatch(B1, 5, 2, began(1)),
        ]
        assert list(log.follow(0, 1)) == [RecordedBatch(B1, 1, 1, accepted())]

    def test_a_batch_is_no_run_and_a_run_no_batch(self, log: EventLog) -> None:
        accept(log)
        assert list(log.runs()) == [R3, R2, R1]
        assert list(log.runs(limit=1)) == [R3]
        assert list(log.read_batch(BatchId(R1))) == []
        assert list(log.read(RunId(B1))) == []
        assert log.batches() == BatchPage(1, [B1])

    def test_a_log_that_knows_batches_only_has_no_runs(self, log: EventLog) -> None:
        log.append(AppendBatch(B1, 0, [accepted()]))
        assert list(log.runs(limit=1)) == []

    @pytest.mark.parametrize("batch_id", [0, -1, 2**63, 10**30])
    def test_nothing_for_an_unknown_batch(self, log: EventLog, batch_id: int) -> None:
        accept(log)
        assert list(log.read_batch(BatchId(batch_id))) == []

    def test_all_or_nothing(self, log: EventLog) -> None:
        """A batch and the runs of its items are accepted in one transaction."""
        log.append(Append(R2, 0, [created(R2)]))
        with pytest.raises(VersionConflictError):
            accept(log)
        assert (log.version(B1), log.version(R1), log.batches().total) == (0, 0, 0)

    def test_ids_are_of_one_sequence(self, log: EventLog) -> None:
        log.append(AppendBatch(B3, 0, [accepted()]))
        assert int(log.newest_id()) == B3


class TestPages:
    ENDS: Final[dict[BatchId, BatchEvent | None]] = {
        B1: BatchSucceeded(at=T1),
        B2: None,
        B3: BatchFailed(at=T1),
        BatchId(4_000): called_off(),
        BatchId(5_000): BatchSucceeded(at=T1),
    }

    @pytest.fixture
    def many(self, log: EventLog) -> EventLog:
        for batch_id, end in self.ENDS.items():
            accept(log, batch_id, 1)
            log.append(AppendBatch(batch_id, 1, [began(1)]))
            if end is not None:
                log.append(AppendBatch(batch_id, 2, [did(1), end]))
        return log

    def test_newest_first(self, many: EventLog) -> None:
        assert many.batches() == BatchPage(5, sorted(self.ENDS, reverse=True))

    @pytest.mark.parametrize(
        ("limit", "offset", "expected"),
        [(2, 0, [5_000, 4_000]), (2, 2, [3_000, 2_000]), (2, 4, [1_000]), (0, 0, []), (None, 3, [2_000, 1_000])],
    )
    def test_pages(self, many: EventLog, limit: int | None, offset: int, expected: list[int]) -> None:
        assert many.batches(limit=limit, offset=offset) == BatchPage(5, [BatchId(each) for each in expected])

    def test_past_the_end(self, many: EventLog) -> None:
        assert many.batches(limit=10**30, offset=10**30) == BatchPage(5, [])

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (BatchStatus.RUNNING, [2_000]),
            (BatchStatus.SUCCEEDED, [5_000, 1_000]),
            (BatchStatus.FAILED, [3_000]),
            (BatchStatus.STOPPED, [4_000]),
        ],
    )
    def test_those_that_stand_somewhere(self, many: EventLog, status: BatchStatus, expected: list[int]) -> None:
        page = many.batches(status=status, limit=1)
        assert page == BatchPage(len(expected), [BatchId(expected[0])])
        assert [*many.batches(status=status, offset=1).batch_ids] == expected[1:]

    def test_a_page_does_not_change_while_batches_are_added(self, many: EventLog) -> None:
        """Whoever asks for the next page by the newest that he has seen misses none (invariant I19)."""
        first = many.batches(limit=2).batch_ids
        accept(many, BatchId(6_000), 1)
        again = many.batches(limit=2, offset=1).batch_ids
        assert list(first) == list(again)


class TestOwning:
    def test_a_batch_is_claimed_as_a_run_is(self, log: EventLog) -> None:
        accept(log)
        assert log.claim(B1, ADA, now=NOW, ttl_s=TTL_S) == 1
        assert log.ownership(B1) == Ownership(ADA, 1, Instant(NOW + TTL_S))
        with pytest.raises(RunOwnedError):
            log.claim(B1, BOB, now=NOW, ttl_s=TTL_S)
        assert log.append(AppendBatch(B1, 1, [began(1)], epoch=1)) == 5
        assert [each.epoch for each in log.read_batch(B1)] == [0, 1]

    def test_who_has_lost_it_appends_nothing(self, log: EventLog) -> None:
        accept(log)
        log.claim(B1, ADA, now=NOW, ttl_s=TTL_S)
        log.claim(B1, BOB, now=Instant(NOW + TTL_S), ttl_s=TTL_S)
        with pytest.raises(FencedError):
            log.append(AppendBatch(B1, 1, [began(1)], epoch=1))

    def test_its_items_are_claimed_in_one_go(self, log: EventLog) -> None:
        accept(log)
        log.claim(R2, BOB, now=NOW, ttl_s=TTL_S)
        assert list(log.claim_all([R1, R2, RunId(9), R3], ADA, now=NOW, ttl_s=TTL_S)) == [1, 0, 0, 1]
        assert [log.ownership(run_id).owner for run_id in (R1, R2, R3)] == [ADA, BOB, ADA]
        log.release(ADA, R1, R3, B1)
        assert [log.ownership(run_id).owner for run_id in (R1, R2, R3)] == [None, BOB, None]

    def test_items_of_one_that_is_gone_are_not_waited_for(self, log: EventLog) -> None:
        accept(log)
        log.claim_all([R1, R2], BOB, now=NOW, ttl_s=TTL_S)
        assert list(log.claim_all([R1, R2], ADA, now=NOW, ttl_s=TTL_S, over=BOB.id)) == [2, 2]


class TestRequests:
    def test_runs_and_batches_are_told_apart(self, log: EventLog) -> None:
        accept(log)
        accept(log, B2, 1)
        assert log.requests(0, 0) == Requests(6, (R1, R2, R3, RunId(2_001)), (B1, B2))

    def test_what_the_owner_appends_is_none(self, log: EventLog) -> None:
        accept(log)
        log.claim(B1, ADA, now=NOW, ttl_s=TTL_S)
        log.append(AppendBatch(B1, 1, [began(1)], epoch=1))
        found = log.requests(4, 0)
        assert (found.batch_ids, bool(found)) == ((), False)
        log.append(AppendBatch(B1, 2, [called_off()]))
        assert log.requests(5, 0) == Requests(6, (), (B1,))


class TestDeleting:
    def test_a_batch_goes_with_the_runs_of_its_items(self, log: EventLog) -> None:
        accept(log)
        accept(log, B2, 1)
        log.delete_runs(B1, R1, R2, R3, now=NOW)
        assert (log.batches(), list(log.runs())) == (BatchPage(1, [B2]), [RunId(2_001)])
        assert (list(log.read_batch(B1)), log.version(B1)) == ([], 0)
        assert log.requests(0, 0) == Requests(log.position(), (RunId(2_001),), (B2,))

    def test_ids_are_not_used_again(self, log: EventLog) -> None:
        log.append(AppendBatch(B1, 0, [accepted()]))
        log.delete_runs(B1, now=NOW)
        assert int(log.newest_id()) == B1

    def test_one_that_somebody_holds_stays_unless_it_has_ended(self, log: EventLog) -> None:
        accept(log)
        log.claim(B1, ADA, now=NOW, ttl_s=TTL_S)
        with pytest.raises(RunOwnedError):
            log.delete_runs(R1, B1, now=NOW)
        assert log.version(R1) == 1
        log.delete_runs(R1, B1, now=NOW, ended=True)
        assert (log.version(R1), log.version(B1)) == (0, 0)
