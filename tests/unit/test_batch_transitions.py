"""The machine of a batch as data: an example script for every row of its tables; a row without one fails."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import pytest

from flowcore.batch.events import BatchEvent, BatchFailed, BatchResumed, BatchSucceeded, ItemEvent
from flowcore.batch.evolve import fold
from flowcore.batch.machine import BATCH_TRANSITIONS, ENDED, ITEM_TRANSITIONS, OPEN, BatchStatus, ItemStatus
from tests.batch_builders import T1, accepted, began, broke, called_off, did, halted
from tests.builders import called

Script: TypeAlias = tuple[BatchEvent, ...]
NEW: Final = accepted(2)
RESUMED: Final = BatchResumed(owner="process 2", epoch=2, at=T1)
BATCH_SCRIPTS: Final[Mapping[tuple[BatchStatus, str], Script]] = {
    (BatchStatus.NEW, "BatchCreated"): (NEW,),
    (BatchStatus.RUNNING, "CallAccepted"): (NEW, called()),
    (BatchStatus.RUNNING, "BatchResumed"): (NEW, RESUMED),
    (BatchStatus.RUNNING, "ItemStarted"): (NEW, began(1)),
    (BatchStatus.RUNNING, "ItemSucceeded"): (NEW, began(1), did(1)),
    (BatchStatus.RUNNING, "ItemFailed"): (NEW, began(1), broke(1)),
    (BatchStatus.RUNNING, "ItemStopped"): (NEW, halted(1)),
    (BatchStatus.RUNNING, "BatchSucceeded"): (NEW, did(1), did(2), BatchSucceeded(at=T1)),
    (BatchStatus.RUNNING, "BatchFailed"): (NEW, broke(1), broke(2), BatchFailed(at=T1)),
    (BatchStatus.RUNNING, "BatchStopped"): (NEW, called_off()),
}
ITEM_SCRIPTS: Final[Mapping[tuple[ItemStatus, str], Script]] = {
    (ItemStatus.QUEUED, "ItemStarted"): (NEW, began(1)),
    (ItemStatus.QUEUED, "ItemSucceeded"): (NEW, did(1)),
    (ItemStatus.QUEUED, "ItemFailed"): (NEW, broke(1)),
    (ItemStatus.QUEUED, "ItemStopped"): (NEW, halted(1)),
    (ItemStatus.RUNNING, "ItemSucceeded"): (NEW, began(1), did(1)),
    (ItemStatus.RUNNING, "ItemFailed"): (NEW, began(1), broke(1)),
    (ItemStatus.RUNNING, "ItemStopped"): (NEW, began(1), halted(1)),
}
BATCH_ROWS: Final = [
    (before, event, after) for before, row in BATCH_TRANSITIONS.items() for event, after in row.items()
]
ITEM_ROWS: Final = [(before, event, after) for before, row in ITEM_TRANSITIONS.items() for event, after in row.items()]


@pytest.mark.parametrize(("before", "event", "after"), BATCH_ROWS)
def test_every_row_of_the_batchs_table_has_an_example(
    before: BatchStatus, event: type[BatchEvent], after: BatchStatus
) -> None:
    *history, last = BATCH_SCRIPTS[before, event.__name__]
    assert type(last) is event
    assert fold(history).status is before
    assert fold([*history, last]).status is after


@pytest.mark.parametrize(("before", "event", "after"), ITEM_ROWS)
def test_every_row_of_the_items_table_has_an_example(
    before: ItemStatus, event: type[ItemEvent], after: ItemStatus
) -> None:
    *history, last = ITEM_SCRIPTS[before, event.__name__]
    assert type(last) is event
    assert fold(history).at(1) is before
    assert fold([*history, last]).at(1) is after


def test_no_example_is_without_a_row() -> None:
    assert set(BATCH_SCRIPTS) == {(before, event.__name__) for before, event, _ in BATCH_ROWS}
    assert set(ITEM_SCRIPTS) == {(before, event.__name__) for before, event, _ in ITEM_ROWS}


def test_every_status_has_a_row_and_terminal_ones_lead_nowhere() -> None:
    assert set(BATCH_TRANSITIONS) == set(BatchStatus)
    assert set(ITEM_TRANSITIONS) == set(ItemStatus)
    assert {status for status, row in BATCH_TRANSITIONS.items() if not row} == ENDED
    assert {status for status, row in ITEM_TRANSITIONS.items() if row} == OPEN
