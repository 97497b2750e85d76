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
from flowcore.ports import Append, EventLog, Owner, Ownership, Recorded, Requests
from flowcore.run.events import AttemptStarted, AttemptSucceeded, Event, RunCreated, RunStarted, RunStopped
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog

OpenLog: TypeAlias = Callable[[Path], EventLog]

PLENTY_S: Final = 30.0
"""How long a test waits for what must happen: nothing waits this long unless it is broken."""
FIRST, SECOND, THIRD = RunId(1733524800000), RunId(1733524800001), RunId(1733524900000)


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


NOW: Final = Instant(1_000.0)
ONE, TWO = Owner("1", "process 1 on here", "here", 1), Owner("2", "process 2 on there", "there", 2)


class TestOwnership:
    """A run is driven by one program at a time (invariant I15)."""

    @pytest.fixture
    def run(self, log: EventLog) -> RunId:
        log.append(Append(FIRST, 0, [created(FIRST)]))
        return FIRST

    def test_nobody_drives_a_run_at_first(self, log: EventLog, run: RunId) -> None:
        assert log.ownership(run) == Ownership(None, 0)
        assert not log.ownership(run).held(NOW)

    @pytest.mark.parametrize("run_id", [7, 10**30])
    def test_there_is_nothing_to_drive_in_an_unknown_run(self, log: EventLog, run_id: int) -> None:
        assert log.ownership(RunId(run_id)) == Ownership(None, 0)
        log.release(ONE, SECOND)
        with pytest.raises(RunNotFoundError):
            log.claim(RunId(run_id), ONE, now=NOW, ttl_s=5.0)

    def test_what_the_owner_appends_bears_its_epoch(self, log: EventLog, run: RunId) -> None:
        assert log.claim(run, ONE, now=NOW, ttl_s=5.0) == 1
        assert log.ownership(run) == Ownership(ONE, 1, Instant(NOW + 5.0))
        log.append(Append(run, 1, started(1), 1))
        assert [each.epoch for each in log.read(run)] == [0, 1]

    def test_another_one_is_refused_by_name_while_the_lease_lasts(self, log: EventLog, run: RunId) -> None:
        log.claim(run, ONE, now=NOW, ttl_s=5.0)
        with pytest.raises(RunOwnedError, match=r"driven by process 1 on here \(its lease ends in 5 s") as error:
            log.claim(run, TWO, now=NOW, ttl_s=5.0)
        assert error.value.code == "run-owned"
        log.renew(ONE, now=Instant(NOW + 4.0), ttl_s=5.0)
        with pytest.raises(RunOwnedError):
            log.claim(run, TWO, now=Instant(NOW + 8.9), ttl_s=5.0)
        assert log.claim(run, TWO, now=Instant(NOW + 9.0), ttl_s=5.0) == 2

    def test_who_is_known_to_be_gone_is_not_waited_for(self, log: EventLog, run: RunId) -> None:
        log.claim(run, ONE, now=NOW, ttl_s=5.0)
        assert log.claim(run, TWO, now=NOW, ttl_s=5.0, over=ONE.id) == 2

    def test_an_owner_may_claim_again(self, log: EventLog, run: RunId) -> None:
        assert [log.claim(run, ONE, now=NOW, ttl_s=5.0) for _ in range(2)] == [1, 2]

    def test_one_lease_holds_for_all_runs_of_an_owner(self, log: EventLog, run: RunId) -> None:
        log.append(Append(SECOND, 0, [created(SECOND)]))
        log.claim(run, ONE, now=NOW, ttl_s=5.0)
        log.claim(SECOND, ONE, now=Instant(NOW + 3.0), ttl_s=5.0)
        assert log.ownership(run).expires_at == NOW + 8.0

    def test_what_is_released_may_be_claimed_at_once(self, log: EventLog, run: RunId) -> None:
        log.claim(run, ONE, now=NOW, ttl_s=5.0)
        log.release(TWO, run)
        assert log.ownership(run).owner == ONE
        log.release(ONE, run)
        assert log.ownership(run) == Ownership(None, 1)
        assert log.claim(run, TWO, now=NOW, ttl_s=5.0) == 2

    def test_renewing_without_a_claim_does_nothing(self, log: EventLog, run: RunId) -> None:
        log.renew(ONE, now=NOW, ttl_s=5.0)
        assert log.claim(run, TWO, now=NOW, ttl_s=5.0) == 1

    def test_who_has_lost_the_run_appends_nothing(self, log: EventLog, run: RunId) -> None:
        log.append(Append(SECOND, 0, [created(SECOND)]))
        log.claim(run, ONE, now=NOW, ttl_s=5.0)
        log.claim(run, TWO, now=NOW, ttl_s=5.0, over=ONE.id)
        with pytest.raises(FencedError, match="taken over"):
            log.append(Append(SECOND, 1, started(1)), Append(run, 1, started(1), 1))
        assert (log.version(run), log.version(SECOND), log.position()) == (1, 1, 2)
        log.append(Append(run, 1, started(1), 2))
        # A request needs no epoch.
        log.append(Append(run, 2, started(1)))

    def test_one_of_several_gets_it(self, threaded_log: EventLog) -> None:
        threaded_log.append(Append(FIRST, 0, [created(FIRST)]))

        def claim(number: int) -> int:
            try:
                return threaded_log.claim(FIRST, Owner(str(number), str(number)), now=NOW, ttl_s=5.0)
            except RunOwnedError:
                return 0

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(claim, range(8))) == [0] * 7 + [1]


class TestRequests:
    """Whoever drives a run hears of what others append."""

    def test_new_runs_and_requests_are_told_and_an_owners_events_are_not(self, log: EventLog) -> None:
        log.append(Append(FIRST, 0, [created(FIRST)]), Append(SECOND, 0, [created(SECOND)]))
        assert log.requests(0, 0.0) == Requests(2, (FIRST, SECOND))
        epoch = log.claim(FIRST, ONE, now=NOW, ttl_s=5.0)
        log.append(Append(FIRST, 1, started(3), epoch))
        assert log.requests(2, 0.0).run_ids == ()
        log.append(Append(FIRST, 4, started(2)), Append(SECOND, 1, started(1)))
        found = log.requests(2, 0.0)
        assert found.run_ids == (FIRST, SECOND)
        assert log.requests(found.position, 0.0).run_ids == ()

    def test_it_waits_for_them(self, threaded_log: EventLog) -> None:
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(threaded_log.requests, 0, PLENTY_S)
            threaded_log.append(Append(FIRST, 0, [created(FIRST)]))
            assert told.result(PLENTY_S).run_ids == (FIRST,)

    def test_it_does_not_wait_for_ever(self, threaded_log: EventLog) -> None:
        assert threaded_log.requests(0, 0.01) == Requests(0)

    def test_closing_ends_it(self, threaded_log: EventLog) -> None:
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(threaded_log.requests, 0, PLENTY_S)
            threaded_log.close()
            with pytest.raises(LogError, match="closed"):
                told.result(PLENTY_S)
