"""What every `EventLog` promises, in the words of the port."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

import pytest

from flowcore.errors import FencedError, LogError, RunNotFoundError, RunOwnedError, VersionConflictError
from flowcore.ids import InstanceId, RunId
from flowcore.model import Flow
from flowcore.ports import Append, EventLog, Owner, Ownership, Recorded, Requests, Snapshot
from flowcore.run.events import AttemptStarted, AttemptSucceeded, Event, RunCreated, RunStarted, RunStopped
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog

OpenLog: TypeAlias = Callable[[Path], EventLog]

PLENTY_S: Final = 30.0
"""How long a test waits for what must happen: nothing waits this long unless it is broken."""
FIRST, SECOND, THIRD = RunId(1733524800000), RunId(1733524800001), RunId(1733524900000)
ADA, BOB = Owner("ada-1", "process 4711 on host", "host", 4711), Owner("bob-1", "process 4712 on host", "host", 4712)
NOW: Final = Instant(1733524800.5)
TTL_S: Final = 10.0
STARTED: Final = RunStarted(at=NOW)


def memory(_: Path) -> EventLog:
    return MemoryEventLog()


def shared_memory(_: Path) -> EventLog:
    return SharedMemoryEventLog()


def sqlite(directory: Path) -> EventLog:
    return SqliteEventLog(directory / "log.db")


def sqlite_relaxed(directory: Path) -> EventLog:
    return SqliteEventLog(directory / "log.db", durability="relaxed")


THREADED = [
    pytest.param(shared_memory, id="shared-memory"),
    pytest.param(sqlite, id="sqlite"),
    pytest.param(sqlite_relaxed, id="sqlite-relaxed"),
]


@pytest.fixture(params=[pytest.param(memory, id="memory"), *THREADED])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    yield from opened(request, tmp_path)


@pytest.fixture(params=THREADED)
def threaded_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    yield from opened(request, tmp_path)


def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    open_log: OpenLog = request.param
    log = open_log(tmp_path)
    yield log
    log.close()


def created(run_id: RunId) -> RunCreated:
    return RunCreated(run_id=run_id, flow=Flow(name="users"), max_workers=4, at=Instant(1.0))


def started(count: int, first: int = 0) -> list[Event]:
    return [
        AttemptStarted(instance=InstanceId(f"fetch/{index}"), attempt=1, at=Instant(1.5))
        for index in range(first, first + count)
    ]


def events_of(log: EventLog, run_id: RunId) -> list[Event]:
    return [recorded.event for recorded in log.read(run_id)]


class TestReading:
    def test_an_empty_log(self, log: EventLog) -> None:
        assert log.position() == 0
        assert list(log.runs()) == []

    @pytest.mark.parametrize("run_id", [0, -1, 2**63, 10**30])
    def test_nothing_for_an_unknown_run(self, log: EventLog, run_id: int) -> None:
        log.append(Append(FIRST, 0, [created(FIRST)]))
        assert list(log.read(RunId(run_id))) == []
        assert log.version(RunId(run_id)) == 0

    def test_events_come_back_in_order_with_their_places(self, log: EventLog) -> None:
        succeeded = AttemptSucceeded(
            instance=InstanceId("a"), attempt=1, outputs={"x": [1, {"ü": None}]}, at=Instant(2.25), notes=("odd",)
        )
        log.append(Append(FIRST, 0, [created(FIRST), RunStarted(at=Instant(1.25))]))
        log.append(Append(SECOND, 0, [created(SECOND)]))
        log.append(Append(FIRST, 2, [succeeded]))

        assert list(log.read(FIRST)) == [
            Recorded(FIRST, 1, 1, created(FIRST)),
            Recorded(FIRST, 2, 2, RunStarted(at=Instant(1.25))),
            Recorded(FIRST, 4, 3, succeeded),
        ]
        assert list(log.read(SECOND)) == [Recorded(SECOND, 3, 1, created(SECOND))]

    def test_reading_after_a_version(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(5)))
        versions = {after: [recorded.version for recorded in log.read(FIRST, after=after)] for after in (0, 3, 5, 99)}
        assert versions == {0: [1, 2, 3, 4, 5], 3: [4, 5], 5: [], 99: []}

    def test_a_long_stream_is_read_whole(self, log: EventLog) -> None:
        """Longer than any number of events that an adapter may read at a time, and of exactly such a length."""
        events = started(1024)
        log.append(Append(FIRST, 0, events))
        assert events_of(log, FIRST) == events

    def test_a_reader_does_not_hold_up_a_writer(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(2)))
        reader = log.read(FIRST)
        next(reader)

        log.append(Append(FIRST, 2, started(1)))

        assert next(reader).version == 2
        assert log.version(FIRST) == 3

    def test_two_readers_at_once(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(600)), Append(SECOND, 0, started(600)))
        pairs = list(zip(log.read(FIRST), log.read(SECOND), strict=True))
        assert [(one.version, other.version) for one, other in pairs] == [(n, n) for n in range(1, 601)]

    def test_the_version_of_each_run(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(3)), Append(SECOND, 0, started(1)))
        assert (log.version(FIRST), log.version(SECOND), log.version(THIRD)) == (3, 1, 0)


class TestFollowing:
    """What everybody does, in one order: for those who follow."""

    def test_nothing_yet(self, log: EventLog) -> None:
        assert list(log.follow(0, 10)) == []

    def test_all_runs_in_the_order_of_positions(self, log: EventLog) -> None:
        log.append(Append(SECOND, 0, [created(SECOND)]), Append(FIRST, 0, [created(FIRST), STARTED]))
        log.append(Append(SECOND, 1, [STARTED]))
        log.append(Append(FIRST, 2, []))
        expected = [
            Recorded(SECOND, 1, 1, created(SECOND)),
            Recorded(FIRST, 2, 1, created(FIRST)),
            Recorded(FIRST, 3, 2, STARTED),
            Recorded(SECOND, 4, 2, STARTED),
        ]
        assert list(log.follow(0, 10)) == expected
        # Also from the midst of what was appended together, and no more than was asked for.
        assert list(log.follow(2, 10)) == expected[2:]
        assert list(log.follow(0, 2)) == expected[:2]
        assert list(log.follow(1, 2)) == expected[1:3]
        assert list(log.follow(4, 10)) == []
        assert list(log.follow(2**70, 10)) == []

    def test_runs_that_were_deleted_leave_a_gap(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, [created(FIRST)]), Append(SECOND, 0, [created(SECOND)]))
        log.delete_runs(FIRST, now=NOW)
        assert list(log.follow(0, 10)) == [Recorded(SECOND, 2, 1, created(SECOND))]


class TestRuns:
    def test_newest_first(self, log: EventLog) -> None:
        for run_id in (SECOND, FIRST, THIRD):
            log.append(Append(run_id, 0, [created(run_id)]))
        assert list(log.runs()) == [THIRD, SECOND, FIRST]

    @pytest.mark.parametrize(("limit", "expected"), [(0, 0), (1, 1), (2, 2), (3, 2), (None, 2)])
    def test_at_most_the_limit(self, log: EventLog, limit: int | None, expected: int) -> None:
        log.append(Append(FIRST, 0, [created(FIRST)]), Append(SECOND, 0, [created(SECOND)]))
        assert list(log.runs(limit=limit)) == [SECOND, FIRST][:expected]


class TestAppending:
    def test_the_position_of_the_last_event_is_returned(self, log: EventLog) -> None:
        positions = [
            log.append(Append(FIRST, 0, started(2))),
            log.append(Append(FIRST, 2, started(1)), Append(SECOND, 0, started(3))),
            log.append(),
        ]
        assert positions == [2, 6, 6]
        assert log.position() == 6

    @pytest.mark.parametrize("expected_version", [0, 1, 3, -1])
    def test_a_conflict_leaves_nothing(self, log: EventLog, expected_version: int) -> None:
        log.append(Append(FIRST, 0, started(2)))
        with pytest.raises(VersionConflictError, match=f"run {FIRST} is at version 2, not {expected_version}"):
            log.append(Append(FIRST, expected_version, started(1)))
        assert (log.position(), log.version(FIRST), len(events_of(log, FIRST))) == (2, 2, 2)

    def test_an_unknown_run_has_version_nought(self, log: EventLog) -> None:
        with pytest.raises(VersionConflictError):
            log.append(Append(FIRST, 1, started(1)))
        assert list(log.runs()) == []

    def test_all_or_nothing(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(1)))
        with pytest.raises(VersionConflictError):
            log.append(Append(SECOND, 0, started(4)), Append(FIRST, 0, started(1)))
        assert list(log.runs()) == [FIRST]
        assert log.version(SECOND) == 0
        assert list(log.read(SECOND)) == []
        assert log.position() == 1

    def test_the_log_is_usable_after_a_conflict(self, log: EventLog) -> None:
        with pytest.raises(VersionConflictError):
            log.append(Append(FIRST, 7, started(1)))
        assert log.append(Append(FIRST, 0, started(1))) == 1

    def test_positions_have_no_gaps(self, log: EventLog) -> None:
        for turn in range(20):
            with pytest.raises(VersionConflictError):
                log.append(Append(SECOND, 1 + turn, started(1)))
            log.append(Append(FIRST, 3 * turn, started(3)), Append(SECOND, turn, started(1)))
        positions = [recorded.position for run_id in log.runs() for recorded in log.read(run_id)]
        assert sorted(positions) == list(range(1, 81))


def later(seconds: float) -> Instant:
    return Instant(NOW + seconds)


@pytest.fixture
def owned(log: EventLog) -> EventLog:
    """A log with two runs, the first of which Ada drives."""
    log.append(Append(FIRST, 0, started(2)), Append(SECOND, 0, started(1)))
    assert log.claim(FIRST, ADA, now=NOW, ttl_s=TTL_S) == 1
    return log


class TestClaiming:
    def test_nobody_drives_a_new_run(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(1)))
        assert log.ownership(FIRST) == Ownership(None, 0)
        assert not log.ownership(FIRST).held(NOW)

    @pytest.mark.parametrize("run_id", [FIRST, RunId(-1), RunId(2**63)])
    def test_an_unknown_run(self, log: EventLog, run_id: RunId) -> None:
        with pytest.raises(RunNotFoundError, match=f"no run {run_id} in this log"):
            log.claim(run_id, ADA, now=NOW, ttl_s=TTL_S)
        log.release(ADA, run_id)
        assert log.ownership(run_id) == Ownership(None, 0)
        assert list(log.runs()) == []

    def test_it_is_the_claimers_for_as_long_as_the_lease(self, owned: EventLog) -> None:
        ownership = owned.ownership(FIRST)
        assert ownership == Ownership(ADA, 1, later(TTL_S))
        assert [ownership.held(later(seconds)) for seconds in (0, 9.9, 10, 11)] == [True, True, False, False]
        assert owned.ownership(SECOND) == Ownership(None, 0)

    @pytest.mark.parametrize(("after_s", "left_s"), [(0, 10), (0.25, 10), (9.5, 1)])
    def test_another_one_is_told_who_has_it_and_for_how_long(
        self, owned: EventLog, after_s: float, left_s: int
    ) -> None:
        told = f"^run {FIRST} is driven by process 4711 on host, whose lease ends in {left_s} s$"
        with pytest.raises(RunOwnedError, match=told):
            owned.claim(FIRST, BOB, now=later(after_s), ttl_s=TTL_S)
        with pytest.raises(RunOwnedError):
            owned.claim(FIRST, BOB, now=later(after_s), ttl_s=TTL_S, over="somebody-else")
        assert owned.ownership(FIRST) == Ownership(ADA, 1, later(TTL_S)), "nothing has changed"
        owned.append(Append(FIRST, 2, started(1), epoch=1))

    def test_an_expired_lease_is_free(self, owned: EventLog) -> None:
        assert owned.claim(FIRST, BOB, now=later(TTL_S), ttl_s=5.0) == 2
        assert owned.ownership(FIRST) == Ownership(BOB, 2, later(TTL_S + 5.0))

    def test_an_owner_that_is_known_to_be_gone_is_not_waited_for(self, owned: EventLog) -> None:
        assert owned.claim(FIRST, BOB, now=NOW, ttl_s=TTL_S, over=ADA.id) == 2
        assert owned.ownership(FIRST) == Ownership(BOB, 2, later(TTL_S))

    def test_claiming_ones_own_run_again(self, owned: EventLog) -> None:
        assert owned.claim(FIRST, ADA, now=later(1), ttl_s=TTL_S) == 2
        assert owned.ownership(FIRST) == Ownership(ADA, 2, later(1 + TTL_S))

    def test_one_lease_for_all_runs_of_an_owner(self, owned: EventLog) -> None:
        assert owned.claim(SECOND, ADA, now=later(7), ttl_s=TTL_S) == 1
        assert owned.ownership(FIRST) == Ownership(ADA, 1, later(7 + TTL_S))

    def test_a_claim_is_no_event(self, owned: EventLog) -> None:
        assert (owned.position(), owned.version(FIRST)) == (3, 2)


class TestRenewing:
    def test_the_lease_lasts_longer(self, owned: EventLog) -> None:
        owned.renew(ADA, now=later(5), ttl_s=TTL_S)
        assert owned.ownership(FIRST) == Ownership(ADA, 1, later(5 + TTL_S))
        with pytest.raises(RunOwnedError, match="ends in 1 s"):
            owned.claim(FIRST, BOB, now=later(14.5), ttl_s=TTL_S)

    def test_there_is_nothing_to_renew(self, owned: EventLog) -> None:
        owned.renew(BOB, now=NOW, ttl_s=TTL_S)
        assert owned.ownership(FIRST).owner == ADA
        assert owned.ownership(SECOND) == Ownership(None, 0)

    def test_it_does_not_bring_a_lost_run_back(self, owned: EventLog) -> None:
        owned.claim(FIRST, BOB, now=later(TTL_S), ttl_s=TTL_S)
        owned.renew(ADA, now=later(TTL_S), ttl_s=TTL_S)
        assert owned.ownership(FIRST) == Ownership(BOB, 2, later(2 * TTL_S))


class TestReleasing:
    def test_anybody_may_have_it_at_once(self, owned: EventLog) -> None:
        owned.release(ADA, FIRST)
        assert owned.ownership(FIRST) == Ownership(None, 1)
        assert owned.claim(FIRST, BOB, now=NOW, ttl_s=TTL_S) == 2

    def test_what_is_not_ones_own_stays_as_it_is(self, owned: EventLog) -> None:
        owned.claim(SECOND, BOB, now=NOW, ttl_s=TTL_S)
        owned.release(BOB, FIRST, SECOND, THIRD)
        assert owned.ownership(FIRST) == Ownership(ADA, 1, later(TTL_S))
        assert owned.ownership(SECOND) == Ownership(None, 1)

    def test_none_at_all(self, owned: EventLog) -> None:
        owned.release(ADA)
        assert owned.ownership(FIRST).owner == ADA

    def test_the_last_epoch_still_holds(self, owned: EventLog) -> None:
        """Until somebody else claims: what is on its way when a run is let go of is not lost."""
        owned.release(ADA, FIRST)
        assert owned.append(Append(FIRST, 2, started(1), epoch=1)) == 4


class TestFencing:
    def test_the_owners_epoch_stands_beside_its_events(self, owned: EventLog) -> None:
        owned.append(Append(FIRST, 2, started(1), epoch=1))
        owned.claim(FIRST, BOB, now=later(TTL_S), ttl_s=TTL_S)
        owned.append(Append(FIRST, 3, started(1)))
        owned.append(Append(FIRST, 4, started(2), epoch=2))
        assert [recorded.epoch for recorded in owned.read(FIRST)] == [0, 0, 1, 0, 2, 2]
        assert [recorded.epoch for recorded in owned.read(FIRST, after=3)] == [0, 2, 2]

    @pytest.mark.parametrize("version", [2, 1])
    @pytest.mark.parametrize("epoch", [1, 3])
    def test_another_epoch_appends_nothing(self, owned: EventLog, epoch: int, version: int) -> None:
        """Even when the stream has moved on as well: reading it again would not help."""
        owned.claim(FIRST, BOB, now=later(TTL_S), ttl_s=TTL_S)
        told = rf"run {FIRST} was taken over by another owner \(epoch 2, not {epoch}\)"
        with pytest.raises(FencedError, match=told):
            owned.append(Append(FIRST, version, started(1), epoch=epoch))
        assert (owned.position(), owned.version(FIRST), len(events_of(owned, FIRST))) == (3, 2, 2)

    def test_a_run_that_nobody_has_claimed(self, owned: EventLog) -> None:
        with pytest.raises(FencedError):
            owned.append(Append(SECOND, 1, started(1), epoch=1))
        with pytest.raises(FencedError):
            owned.append(Append(THIRD, 0, started(1), epoch=1))
        assert list(owned.runs()) == [SECOND, FIRST]

    def test_all_or_nothing(self, owned: EventLog) -> None:
        owned.claim(FIRST, BOB, now=later(TTL_S), ttl_s=TTL_S)
        with pytest.raises(FencedError):
            owned.append(
                Append(THIRD, 0, started(1)), Append(FIRST, 2, started(1), epoch=1), Append(SECOND, 1, started(1))
            )
        assert (owned.position(), owned.version(SECOND), owned.version(THIRD)) == (3, 1, 0)

    def test_a_request_needs_no_epoch(self, owned: EventLog) -> None:
        assert owned.append(Append(FIRST, 2, [RunStopped(at=NOW)])) == 4
        with pytest.raises(VersionConflictError):
            owned.append(Append(FIRST, 2, started(1), epoch=1))
        assert owned.append(Append(FIRST, 3, started(1), epoch=1)) == 5


class TestRequests:
    def test_none(self, log: EventLog) -> None:
        assert log.requests(0, 0) == Requests(0)

    def test_each_run_once_in_the_order_of_the_first_event(self, log: EventLog) -> None:
        for run_id, version in ((SECOND, 0), (FIRST, 0), (SECOND, 1), (THIRD, 0)):
            log.append(Append(run_id, version, started(1)))
        assert log.requests(0, 0) == Requests(4, (SECOND, FIRST, THIRD))
        assert log.requests(1, 0) == Requests(4, (FIRST, SECOND, THIRD))
        assert log.requests(4, 0) == Requests(4)

    def test_what_the_owner_appends_is_none(self, owned: EventLog) -> None:
        owned.append(Append(FIRST, 2, started(2), epoch=1))
        assert owned.requests(3, 0) == Requests(5)
        owned.append(Append(FIRST, 4, started(1), epoch=1), Append(SECOND, 1, started(1)))
        owned.append(Append(FIRST, 5, started(1), epoch=1))
        assert owned.requests(3, 0) == Requests(8, (SECOND,))

    def test_appends_without_events_are_none(self, owned: EventLog) -> None:
        owned.append(Append(FIRST, 2, []))
        assert owned.requests(3, 0) == Requests(3)


class TestWaitingForRequests:
    def test_the_time_is_over(self, threaded_log: EventLog) -> None:
        begin = monotonic()
        assert threaded_log.requests(0, 0.12) == Requests(0)
        assert 0.1 < monotonic() - begin < PLENTY_S

    def test_a_request_wakes_who_waits(self, threaded_log: EventLog) -> None:
        with ThreadPoolExecutor(4) as threads:
            waiters = [threads.submit(threaded_log.requests, 0, PLENTY_S) for _ in range(4)]
            threaded_log.append(Append(FIRST, 0, started(2)))
            assert [waiter.result(PLENTY_S) for waiter in waiters] == [Requests(2, (FIRST,))] * 4

    def test_it_wakes_at_once(self, threaded_log: EventLog) -> None:
        """Not at the next poll: the median of five."""
        delays: list[float] = []
        with ThreadPoolExecutor(1) as threads:
            for turn in range(5):
                waiting = threading.Event()
                waiter = threads.submit(told_at, threaded_log, turn, waiting)
                waiting.wait(PLENTY_S)
                threaded_log.append(Append(FIRST, turn, started(1)))
                begin = monotonic()
                delays.append(waiter.result(PLENTY_S) - begin)
        assert sorted(delays)[2] < 0.04

    def test_an_owner_does_not_wake_it(self, threaded_log: EventLog) -> None:
        threaded_log.append(Append(FIRST, 0, started(1)))
        epoch = threaded_log.claim(FIRST, ADA, now=NOW, ttl_s=TTL_S)
        with ThreadPoolExecutor(1) as threads:
            waiter = threads.submit(threaded_log.requests, 1, PLENTY_S)
            for version in range(1, 50):
                threaded_log.append(Append(FIRST, version, started(1), epoch=epoch))
            assert not waiter.done()
            threaded_log.append(Append(SECOND, 0, started(1)))
            assert waiter.result(PLENTY_S) == Requests(51, (SECOND,))

    def test_closing_wakes_whoever_waits(self, threaded_log: EventLog) -> None:
        with ThreadPoolExecutor(1) as threads:
            waiter = threads.submit(threaded_log.requests, 0, PLENTY_S)
            threaded_log.close()
            with pytest.raises(LogError, match="closed"):
                waiter.result(PLENTY_S)

    def test_a_closed_log_has_no_owners(self, threaded_log: EventLog) -> None:
        threaded_log.append(Append(FIRST, 0, started(1)))
        threaded_log.close()
        for question in (
            lambda: threaded_log.requests(0, PLENTY_S),
            lambda: threaded_log.claim(FIRST, ADA, now=NOW, ttl_s=TTL_S),
            lambda: threaded_log.renew(ADA, now=NOW, ttl_s=TTL_S),
            lambda: threaded_log.release(ADA, FIRST),
        ):
            with pytest.raises(LogError, match="closed"):
                question()


class TestSnapshots:
    def test_none(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(1)))
        assert log.snapshot(FIRST, "state/1") is None
        assert log.snapshot(SECOND, "state/1") is None

    def test_what_was_kept_comes_back(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, started(3)), Append(SECOND, 0, started(1)))
        log.save_snapshot(FIRST, "state/1", 2, b"\x00\xff")
        log.save_snapshot(FIRST, "view/7", 1, b"")
        assert log.snapshot(FIRST, "state/1") == Snapshot(2, b"\x00\xff")
        assert log.snapshot(FIRST, "view/7") == Snapshot(1, b"")
        assert log.snapshot(FIRST, "state/2") is log.snapshot(SECOND, "state/1") is None
        assert (log.position(), log.version(FIRST)) == (4, 3), "it is no event"

    @pytest.mark.parametrize(("version", "expected"), [(1, b"old"), (2, b"new"), (3, b"new"), (4, b"old")])
    def test_the_newest_is_kept_up_to_what_has_happened(self, log: EventLog, version: int, expected: bytes) -> None:
        log.append(Append(FIRST, 0, started(3)))
        log.save_snapshot(FIRST, "state/1", 2, b"old")
        log.save_snapshot(FIRST, "state/1", version, b"new")
        kept = log.snapshot(FIRST, "state/1")
        assert kept is not None
        assert kept.data == expected

    @pytest.mark.parametrize("run_id", [SECOND, RunId(-1), RunId(2**63)])
    def test_an_unknown_run_has_none(self, log: EventLog, run_id: RunId) -> None:
        log.append(Append(FIRST, 0, started(3)))
        log.save_snapshot(run_id, "state/1", 1, b"data")
        assert log.snapshot(run_id, "state/1") is None
        assert list(log.runs()) == [FIRST]


class TestDeleting:
    def test_nothing_of_it_is_left(self, owned: EventLog) -> None:
        owned.save_snapshot(SECOND, "state/1", 1, b"data")
        owned.delete_runs(SECOND, now=NOW)
        assert (list(owned.runs()), owned.version(SECOND), events_of(owned, SECOND)) == ([FIRST], 0, [])
        assert owned.snapshot(SECOND, "state/1") is None
        assert owned.ownership(SECOND) == Ownership(None, 0)
        assert len(events_of(owned, FIRST)) == 2
        assert FIRST in owned.requests(0, 0).run_ids
        assert SECOND not in owned.requests(0, 0).run_ids
        with pytest.raises(RunNotFoundError):
            owned.claim(SECOND, ADA, now=NOW, ttl_s=TTL_S)

    def test_positions_are_not_used_again(self, log: EventLog) -> None:
        """The deletion itself takes one: whoever asks for the position learns that something has changed."""
        log.append(Append(FIRST, 0, started(2)), Append(SECOND, 0, started(3)))
        log.delete_runs(SECOND, now=NOW)
        assert log.position() == 6
        assert log.append(Append(FIRST, 2, started(1))) == 7
        log.delete_runs(FIRST, now=NOW)
        assert log.position() == 8
        assert log.requests(5, 0) == Requests(8)

    def test_ids_are_not_used_again(self, log: EventLog) -> None:
        assert log.newest_id() == 0
        log.append(Append(FIRST, 0, started(1)), Append(SECOND, 0, started(1)))
        assert log.newest_id() == SECOND
        log.delete_runs(SECOND, now=NOW)
        assert (log.newest_id(), list(log.runs(limit=1))) == (SECOND, [FIRST])
        log.delete_runs(FIRST, now=NOW)
        assert (log.newest_id(), list(log.runs())) == (SECOND, [])
        log.append(Append(THIRD, 0, started(1)))
        assert log.newest_id() == THIRD

    def test_a_run_that_somebody_holds_stays(self, owned: EventLog) -> None:
        for run_ids in ((FIRST,), (SECOND, FIRST)):
            with pytest.raises(RunOwnedError, match=f"run {FIRST} is driven by process 4711 on host"):
                owned.delete_runs(*run_ids, now=later(9))
        assert (list(owned.runs()), owned.position()) == ([SECOND, FIRST], 3), "all or nothing"
        owned.delete_runs(FIRST, now=later(TTL_S))
        assert list(owned.runs()) == [SECOND]

    def test_what_was_let_go_of_may_go(self, owned: EventLog) -> None:
        owned.release(ADA, FIRST)
        owned.delete_runs(FIRST, now=NOW)
        assert list(owned.runs()) == [SECOND]

    def test_its_last_owner_appends_nothing_any_more(self, owned: EventLog) -> None:
        owned.delete_runs(FIRST, now=later(TTL_S))
        for version in (0, 2):
            with pytest.raises(FencedError):
                owned.append(Append(FIRST, version, started(1), epoch=1))

    def test_unknown_ones_are_passed_over(self, owned: EventLog) -> None:
        owned.delete_runs(now=NOW)
        owned.delete_runs(THIRD, RunId(2**63), RunId(-1), now=NOW)
        assert (list(owned.runs()), owned.position()) == ([SECOND, FIRST], 3)
        owned.delete_runs(THIRD, SECOND, SECOND, now=NOW)
        assert list(owned.runs()) == [FIRST]

    def test_who_waits_for_anything_new_wakes_up(self, threaded_log: EventLog) -> None:
        threaded_log.append(Append(FIRST, 0, started(1)))
        with ThreadPoolExecutor(1) as threads:
            waiter = threads.submit(threaded_log.wait, 1, PLENTY_S)
            threaded_log.delete_runs(FIRST, now=NOW)
            assert waiter.result(PLENTY_S) == 2

    def test_a_closed_log_deletes_nothing(self, threaded_log: EventLog) -> None:
        threaded_log.close()
        threaded_log.save_snapshot(FIRST, "state/1", 0, b"")
        with pytest.raises(LogError, match="closed"):
            threaded_log.delete_runs(FIRST, now=NOW)


def told_at(log: EventLog, after: int, waiting: threading.Event) -> float:
    """Return when somebody who waits for requests is told."""
    waiting.set()
    assert log.requests(after, PLENTY_S).run_ids
    return monotonic()


def test_waiting_for_what_is_there_already(log: EventLog) -> None:
    log.append(Append(FIRST, 0, started(3)))
    assert log.wait(2, PLENTY_S) == 3


def test_waiting_no_time_at_all(log: EventLog) -> None:
    log.append(Append(FIRST, 0, started(3)))
    assert log.wait(3, 0) == 3


def test_closing_twice_is_closing_once(log: EventLog) -> None:
    log.append(Append(FIRST, 0, started(1)))
    log.close()
    log.close()


class TestWaiting:
    def test_the_time_is_over(self, threaded_log: EventLog) -> None:
        begin = monotonic()
        assert threaded_log.wait(0, 0.12) == 0
        assert 0.1 < monotonic() - begin < PLENTY_S

    def test_an_append_wakes_everybody(self, threaded_log: EventLog) -> None:
        with ThreadPoolExecutor(4) as threads:
            waiters = [threads.submit(threaded_log.wait, 0, PLENTY_S) for _ in range(4)]
            threaded_log.append(Append(FIRST, 0, started(2)))
            assert [waiter.result(PLENTY_S) for waiter in waiters] == [2, 2, 2, 2]

    def test_a_follower_sees_every_event_once(self, threaded_log: EventLog) -> None:
        count = 200

        def follow() -> list[int]:
            seen: list[int] = []
            position = 0
            while len(seen) < count:
                position = threaded_log.wait(position, PLENTY_S)
                seen += [recorded.version for recorded in threaded_log.read(FIRST, after=len(seen))]
            return seen

        with ThreadPoolExecutor(1) as threads:
            follower = threads.submit(follow)
            for version in range(count):
                threaded_log.append(Append(FIRST, version, started(1)))
            assert follower.result(PLENTY_S) == list(range(1, count + 1))

    def test_closing_wakes_whoever_waits(self, threaded_log: EventLog) -> None:
        threaded_log.append(Append(FIRST, 0, started(1)))
        with ThreadPoolExecutor(1) as threads:
            waiter = threads.submit(waits_for_ever, threaded_log)
            threaded_log.close()
            assert waiter.result(PLENTY_S)

    def test_a_closed_log_cannot_be_used(self, threaded_log: EventLog) -> None:
        threaded_log.close()
        with pytest.raises(LogError, match="closed"):
            threaded_log.append(Append(FIRST, 0, started(1)))
        with pytest.raises(LogError, match="closed"):
            threaded_log.wait(0, PLENTY_S)


def waits_for_ever(log: EventLog) -> bool:
    """Tell whether *log* was closed, before the wait or in its midst."""
    try:
        return log.wait(1, PLENTY_S) == 1
    except LogError:
        return True


class TestThreads:
    COUNT: Final = 8
    APPENDS: Final = 25

    def test_writers_of_their_own_streams(self, threaded_log: EventLog) -> None:
        def write(run_id: RunId) -> list[int]:
            return [threaded_log.append(Append(run_id, 2 * turn, started(2, 2 * turn))) for turn in range(self.APPENDS)]

        runs = [RunId(FIRST + index) for index in range(self.COUNT)]
        with ThreadPoolExecutor(self.COUNT) as threads:
            acknowledged = [position for positions in threads.map(write, runs) for position in positions]

        total = 2 * self.COUNT * self.APPENDS
        assert threaded_log.position() == total
        assert len(set(acknowledged)) == len(acknowledged)
        for run_id in runs:
            assert events_of(threaded_log, run_id) == started(2 * self.APPENDS)
        positions = [recorded.position for run_id in runs for recorded in threaded_log.read(run_id)]
        assert sorted(positions) == list(range(1, total + 1))

    def test_one_of_several_claimers_wins(self, threaded_log: EventLog) -> None:
        threaded_log.append(Append(FIRST, 0, started(1)))
        barrier = threading.Barrier(self.COUNT)

        def claim(number: int) -> int:
            owner = Owner(f"owner-{number}", f"owner {number}")
            barrier.wait(PLENTY_S)
            try:
                return threaded_log.claim(FIRST, owner, now=NOW, ttl_s=TTL_S)
            except RunOwnedError:
                return 0

        with ThreadPoolExecutor(self.COUNT) as threads:
            epochs = list(threads.map(claim, range(self.COUNT)))
        assert sorted(epochs) == [0] * (self.COUNT - 1) + [1]
        winner = threaded_log.ownership(FIRST).owner
        assert winner is not None
        assert winner.id == f"owner-{epochs.index(1)}"

    def test_writers_of_one_stream_never_share_a_version(self, threaded_log: EventLog) -> None:
        barrier = threading.Barrier(self.COUNT)

        def write(writer: int) -> int:
            barrier.wait(PLENTY_S)
            conflicts = done = 0
            while done < self.APPENDS:
                version = threaded_log.version(FIRST)
                event = AttemptStarted(instance=InstanceId(f"{writer}/{done}"), attempt=1, at=Instant(1.0))
                try:
                    threaded_log.append(Append(FIRST, version, [event]))
                except VersionConflictError:
                    conflicts += 1
                else:
                    done += 1
            return conflicts

        with ThreadPoolExecutor(self.COUNT) as threads:
            conflicts = sum(threads.map(write, range(self.COUNT)))

        recorded = list(threaded_log.read(FIRST))
        total = self.COUNT * self.APPENDS
        assert [each.version for each in recorded] == list(range(1, total + 1))
        assert len({each.event for each in recorded}) == total, f"after {conflicts} conflicts"

    def test_readers_see_whole_appends_of_one_stream(self, threaded_log: EventLog) -> None:
        done = threading.Event()

        def read() -> bool:
            whole = True
            while not done.is_set():
                versions = [recorded.version for recorded in threaded_log.read(FIRST)]
                whole = whole and versions == list(range(1, len(versions) + 1)) and len(versions) % 5 == 0
            return whole

        with ThreadPoolExecutor(3) as threads:
            readers = [threads.submit(read) for _ in range(3)]
            for turn in range(50):
                threaded_log.append(
                    Append(FIRST, 5 * turn, started(5)), Append(SECOND, turn, [RunStopped(at=Instant(9))])
                )
            done.set()
            assert all(reader.result(PLENTY_S) for reader in readers)
