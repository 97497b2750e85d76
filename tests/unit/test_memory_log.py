"""Who drives a run of the log in memory: the rest of what it promises is in the contract that it shares."""

import pytest

from flowcore.errors import FencedError, RunNotFoundError, RunOwnedError
from flowcore.ids import RunId
from flowcore.ports import Append, Owner, Ownership, Requests
from flowcore.testing import MemoryEventLog
from tests.builders import RUN, T0, T1, T2, created, started

ONE, TWO = Owner("1", "process 1"), Owner("2", "process 2")


@pytest.fixture
def log() -> MemoryEventLog:
    log = MemoryEventLog()
    log.append(Append(RUN, 0, [created()]))
    return log


def test_a_lease_keeps_others_away(log: MemoryEventLog) -> None:
    assert log.claim(RUN, ONE, now=T0, ttl_s=1.0) == 1
    assert log.ownership(RUN) == Ownership(ONE, 1, T1)
    with pytest.raises(RunOwnedError, match="process 1"):
        log.claim(RUN, TWO, now=T0, ttl_s=1.0)
    log.renew(ONE, now=T1, ttl_s=1.0)
    assert log.claim(RUN, TWO, now=T1, ttl_s=1.0, over="1") == 2
    with pytest.raises(FencedError):
        log.append(Append(RUN, 1, [started("a")], 1))
    log.append(Append(RUN, 1, [started("a")], 2))
    assert [each.epoch for each in log.read(RUN)] == [0, 2]


def test_what_is_released_is_free(log: MemoryEventLog) -> None:
    log.claim(RUN, ONE, now=T0, ttl_s=1.0)
    log.release(TWO, RUN, RunId(9))
    log.release(ONE, RUN)
    assert log.ownership(RUN) == Ownership(None, 1)
    assert log.claim(RUN, TWO, now=T0, ttl_s=1.0) == 2


def test_there_is_nobody_in_an_unknown_run(log: MemoryEventLog) -> None:
    log.renew(ONE, now=T2, ttl_s=1.0)
    assert log.ownership(RunId(9)) == Ownership(None, 0)
    with pytest.raises(RunNotFoundError):
        log.claim(RunId(9), ONE, now=T0, ttl_s=1.0)


def test_what_others_append_is_told(log: MemoryEventLog) -> None:
    epoch = log.claim(RUN, ONE, now=T0, ttl_s=1.0)
    log.append(Append(RUN, 1, [started("a")], epoch))
    assert log.requests(0, 0.0) == Requests(2, (RUN,))
    log.append(Append(RUN, 2, []))
    assert log.requests(1, 0.0) == Requests(2, ())
