"""The log in memory (the laws of the port: tests/contract/test_event_log.py)."""

import pytest

from flowcore.errors import FencedError, RunNotFoundError, RunOwnedError, VersionConflictError
from flowcore.ids import RunId
from flowcore.memory_log import MemoryEventLog
from flowcore.ports import Append, EventLog, Owner, Ownership, Recorded, Requests, Snapshot
from flowcore.run.events import RunStarted
from flowcore.values import Instant
from tests.builders import T0, created

FIRST, SECOND, THIRD = RunId(1), RunId(2), RunId(3)
CREATED, STARTED = created(), RunStarted(at=T0)
ADA, BOB = Owner("ada-1", "process 4711 on host", "host", 4711), Owner("bob-1", "process 4712 on host", "host", 4712)
NOW = Instant(1000.0)


class TestEvents:
    """Streams in lists."""

    def test_it_is_an_event_log(self) -> None:
        log: EventLog = MemoryEventLog()
        log.close()
        assert (log.position(), log.version(FIRST), log.runs(), list(log.read(FIRST))) == (0, 0, [], [])

    def test_streams_have_versions_of_their_own_and_positions_in_common(self) -> None:
        log = MemoryEventLog()
        assert log.append(Append(FIRST, 0, [CREATED]), Append(SECOND, 0, [CREATED, STARTED])) == 3
        assert log.append(Append(FIRST, 1, [STARTED])) == 4
        assert list(log.read(FIRST)) == [Recorded(FIRST, 1, 1, CREATED), Recorded(FIRST, 4, 2, STARTED)]
        assert list(log.read(SECOND, after=1)) == [Recorded(SECOND, 3, 2, STARTED)]
        assert (log.position(), log.version(FIRST), log.version(SECOND)) == (4, 2, 2)

    def test_all_streams_in_the_order_of_positions(self) -> None:
        log = MemoryEventLog()
        log.append(Append(FIRST, 0, [CREATED]), Append(SECOND, 0, [CREATED, STARTED]))
        log.append(Append(FIRST, 1, []))
        log.append(Append(FIRST, 1, [STARTED]))
        assert log.follow(0, 9) == [
            Recorded(FIRST, 1, 1, CREATED),
            Recorded(SECOND, 2, 1, CREATED),
            Recorded(SECOND, 3, 2, STARTED),
            Recorded(FIRST, 4, 2, STARTED),
        ]
        assert [each.position for each in log.follow(2, 9)] == [3, 4]
        assert [each.position for each in log.follow(0, 2)] == [1, 2]
        assert log.follow(4, 9) == []
        log.delete_runs(SECOND, now=NOW)
        assert [each.position for each in log.follow(0, 9)] == [1, 4]

    def test_a_conflict_appends_nothing_at_all(self) -> None:
        log = MemoryEventLog()
        log.append(Append(FIRST, 0, [CREATED]))
        with pytest.raises(VersionConflictError, match="run 1 is at version 1, not 0"):
            log.append(Append(SECOND, 0, [CREATED]), Append(FIRST, 0, [STARTED]))
        assert (log.position(), log.runs()) == (1, [FIRST])

    def test_runs_are_told_newest_first(self) -> None:
        log = MemoryEventLog()
        for run_id in (SECOND, FIRST):
            log.append(Append(run_id, 0, [CREATED]))
        assert (log.runs(), log.runs(limit=1)) == ([SECOND, FIRST], [SECOND])

    def test_waiting_does_not_block(self) -> None:
        log = MemoryEventLog()
        assert log.wait(0, 1_000_000.0) == 0
        log.append(Append(FIRST, 0, [CREATED]))
        assert log.wait(0, 1_000_000.0) == 1


class TestOwnership:
    """Who drives a run, and who may append to it."""

    @pytest.fixture
    def log(self) -> MemoryEventLog:
        log = MemoryEventLog()
        log.append(Append(FIRST, 0, [CREATED]), Append(SECOND, 0, [CREATED]))
        assert log.claim(FIRST, ADA, now=NOW, ttl_s=10.0) == 1
        return log

    def test_a_run_is_its_owners_until_the_lease_ends(self, log: MemoryEventLog) -> None:
        assert log.ownership(FIRST) == Ownership(ADA, 1, Instant(1010.0))
        with pytest.raises(RunOwnedError, match="run 1 is driven by process 4711 on host, whose lease ends in 1 s"):
            log.claim(FIRST, BOB, now=Instant(1009.5), ttl_s=10.0)
        assert log.claim(FIRST, BOB, now=Instant(1010.0), ttl_s=10.0) == 2

    def test_an_owner_known_to_be_gone_is_not_waited_for(self, log: MemoryEventLog) -> None:
        assert log.claim(FIRST, BOB, now=NOW, ttl_s=10.0, over=ADA.id) == 2

    def test_nobody_drives_what_is_unknown_or_was_never_claimed(self, log: MemoryEventLog) -> None:
        assert log.ownership(SECOND) == log.ownership(THIRD) == Ownership(None, 0)
        assert not log.ownership(THIRD).held(NOW)
        with pytest.raises(RunNotFoundError, match="no run 3 in this log"):
            log.claim(THIRD, ADA, now=NOW, ttl_s=10.0)

    def test_a_lease_is_renewed_by_whoever_has_one(self, log: MemoryEventLog) -> None:
        log.renew(ADA, now=Instant(1005.0), ttl_s=10.0)
        log.renew(BOB, now=Instant(1005.0), ttl_s=10.0)
        assert log.ownership(FIRST) == Ownership(ADA, 1, Instant(1015.0))

    def test_only_the_owner_lets_go(self, log: MemoryEventLog) -> None:
        log.release(BOB, FIRST, SECOND, THIRD)
        assert log.ownership(FIRST).owner == ADA
        log.release(ADA, FIRST, SECOND, THIRD)
        assert log.ownership(FIRST) == Ownership(None, 1)

    def test_an_epoch_that_is_over_appends_nothing(self, log: MemoryEventLog) -> None:
        log.claim(FIRST, BOB, now=Instant(1010.0), ttl_s=10.0)
        with pytest.raises(FencedError, match=r"run 1 was taken over by another owner \(epoch 2, not 1\)"):
            log.append(Append(SECOND, 1, [STARTED]), Append(FIRST, 1, [STARTED], epoch=1))
        assert (log.version(FIRST), log.version(SECOND)) == (1, 1)
        log.append(Append(FIRST, 1, [STARTED], epoch=2))
        assert [recorded.epoch for recorded in log.read(FIRST)] == [0, 2]

    def test_requests_are_what_owners_do_not_append(self, log: MemoryEventLog) -> None:
        log.append(Append(FIRST, 1, [STARTED], epoch=1))
        log.append(Append(SECOND, 1, []))
        assert log.requests(0, 1_000_000.0) == Requests(3, (FIRST, SECOND))
        assert log.requests(2, 1_000_000.0) == Requests(3)


class TestSnapshots:
    """What was made of the events of a run."""

    def test_the_newest_of_each_kind_is_kept(self) -> None:
        log = MemoryEventLog()
        log.append(Append(FIRST, 0, [CREATED, STARTED]))
        log.save_snapshot(FIRST, "state", 2, b"two")
        log.save_snapshot(FIRST, "state", 1, b"one")
        log.save_snapshot(FIRST, "view", 1, b"one")
        assert log.snapshot(FIRST, "state") == Snapshot(2, b"two")
        assert log.snapshot(FIRST, "view") == Snapshot(1, b"one")
        assert log.snapshot(FIRST, "other") is None

    def test_nothing_is_kept_of_what_has_not_happened(self) -> None:
        log = MemoryEventLog()
        log.append(Append(FIRST, 0, [CREATED]))
        log.save_snapshot(FIRST, "state", 2, b"two")
        log.save_snapshot(SECOND, "state", 0, b"none")
        assert log.snapshot(FIRST, "state") is log.snapshot(SECOND, "state") is None


class TestDeleting:
    """Runs that go."""

    def test_neither_positions_nor_ids_are_used_again(self) -> None:
        log = MemoryEventLog()
        assert log.newest_id() == 0
        log.append(Append(SECOND, 0, [CREATED]), Append(FIRST, 0, [CREATED]))
        log.delete_runs(SECOND, THIRD, now=NOW)
        assert (log.newest_id(), log.position(), log.runs()) == (SECOND, 3, [FIRST])
        assert log.requests(0, 0) == Requests(3, (FIRST,))
        log.delete_runs(SECOND, now=NOW)
        assert log.append(Append(THIRD, 0, [CREATED])) == 4

    def test_what_somebody_holds_stays(self) -> None:
        log = MemoryEventLog()
        log.append(Append(FIRST, 0, [CREATED]), Append(SECOND, 0, [CREATED]))
        log.claim(FIRST, ADA, now=NOW, ttl_s=10.0)
        with pytest.raises(RunOwnedError):
            log.delete_runs(SECOND, FIRST, now=NOW)
        assert log.runs() == [SECOND, FIRST]
