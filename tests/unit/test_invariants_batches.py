"""What is found wrong with the history of a batch."""

import pytest

from flowcore.batch.events import BatchEvent, BatchFailed, BatchResumed, BatchSucceeded
from flowcore.ids import BatchId
from flowcore.invariants import BatchChecker, batch_violations
from flowcore.ports import RecordedBatch
from tests.batch_builders import BATCH, T1, accepted, began, broke, called_off, did, halted, recorded_batch

SUCCEEDED, FAILED = BatchSucceeded(at=T1), BatchFailed(at=T1)


def named(*events: BatchEvent) -> list[str]:
    return [found.invariant for found in batch_violations(recorded_batch(events))]


@pytest.mark.parametrize(
    "events",
    [
        (accepted(), began(1), did(1), began(2), began(3), broke(2), did(3), SUCCEEDED),
        (accepted(1), began(1), broke(1), FAILED),
        (accepted(), began(1), called_off()),
        (accepted(2), halted(1), halted(2), called_off()),
        (accepted(), began(1), BatchResumed(owner="process 2", epoch=2, at=T1)),
    ],
)
def test_nothing_is_wrong(events: tuple[BatchEvent, ...]) -> None:
    assert named(*events) == []


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((began(1),), ["I4"]),
        ((accepted(), accepted()), ["I4"]),
        ((accepted(), did(1), did(1)), ["I4"]),
        ((accepted(1), did(1), SUCCEEDED, did(1)), ["I4"]),
        ((accepted(), began(4)), ["I12"]),
        ((accepted(), began(0)), ["I12"]),
        ((accepted(0),), ["I12"]),
        ((accepted(3, workers=1), began(1), began(2)), ["I8"]),
        ((accepted(2), did(1), SUCCEEDED), ["I9"]),
        ((accepted(1), broke(1), SUCCEEDED), ["I12"]),
        ((accepted(2), did(1), broke(2), FAILED), ["I12"]),
        ((accepted(1), halted(1), FAILED), ["I12"]),
    ],
)
def test_what_is_wrong_is_named(events: tuple[BatchEvent, ...], expected: list[str]) -> None:
    assert named(*events) == expected


def test_what_is_wrong_is_said_with_its_position() -> None:
    (found,) = batch_violations(recorded_batch([accepted(1), broke(1), SUCCEEDED]))
    assert (found.position, found.message) == (3, "BatchSucceeded, but no item succeeded")


def test_the_places_of_events() -> None:
    checker = BatchChecker()
    assert checker.check(RecordedBatch(BATCH, 5, 1, accepted(), 2)) == []
    (version, position, epoch) = checker.check(RecordedBatch(BATCH, 5, 3, began(1), 1))
    assert (version.invariant, position.invariant, epoch.invariant) == ("I1", "I1", "I15")
    assert version.message == "version 3 follows version 1"


def test_the_stream_of_another_batch() -> None:
    (found,) = batch_violations(recorded_batch([accepted()], BatchId(7)))
    assert (found.invariant, found.message) == ("I1", "the stream of batch 7 begins with batch 1000")
