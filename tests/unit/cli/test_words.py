"""Events in words: a sentence for each kind of a batch's events."""

from typing import Final

import pytest

from flowcore.audit import CallAccepted, Credential
from flowcore.batch.events import (
    BatchCreated,
    BatchEvent,
    BatchFailed,
    BatchItem,
    BatchResumed,
    BatchSource,
    BatchStopped,
    BatchSucceeded,
    ItemFailed,
    ItemStarted,
    ItemStopped,
    ItemSucceeded,
)
from flowcore.codec import BATCH_EVENT_TYPES
from flowcore.ids import BatchId
from flowcore.values import Instant
from flowcore_cli.words import batch_described

AT: Final = Instant(1733524800.0)
ITEMS: Final = (BatchItem(name="a.json", path="./flows/a.json"), BatchItem(name="handed in"))
CREATED: Final = BatchCreated(
    batch_id=BatchId(1733524800000), source=BatchSource.FILES, items=ITEMS, workers=1000, at=AT
)
FROM_FOLDER: Final = BatchCreated(
    batch_id=BatchId(1733524800000),
    source=BatchSource.FOLDER,
    items=ITEMS[:1],
    workers=4,
    at=AT,
    folder="./flows",
)
CALL: Final = CallAccepted(
    peer="127.0.0.1", credential=Credential.TOKEN, method="POST", route="/api/workflows/execute", at=AT
)
WORDS: Final[list[tuple[BatchEvent, str, str]]] = [
    (CREATED, "", "created with 2 items, at most 1,000 at once"),
    (FROM_FOLDER, "", "created with 1 item from ./flows, at most 4 at once"),
    (CALL, "", "asked by 127.0.0.1 with the token: POST /api/workflows/execute"),
    (BatchResumed(owner="process 2", epoch=2, at=AT), "", "taken over by process 2"),
    (ItemStarted(item=1, at=AT), "item 1 (./flows/a.json)", "started"),
    (ItemSucceeded(item=2, at=AT), "item 2 (handed in)", "succeeded"),
    (ItemFailed(item=1, error="a: too late", at=AT), "item 1 (./flows/a.json)", "failed: a: too late"),
    (ItemStopped(item=2, at=AT), "item 2 (handed in)", "stopped"),
    (BatchSucceeded(at=AT), "", "succeeded"),
    (BatchFailed(at=AT), "", "failed"),
    (BatchStopped(reason="every item was stopped", at=AT), "", "stopped: every item was stopped"),
]


@pytest.mark.parametrize(("event", "who", "what"), WORDS, ids=lambda each: type(each).__name__)
def test_the_events_of_a_batch(event: BatchEvent, who: str, what: str) -> None:
    assert batch_described(event, ITEMS) == (who, what)


def test_there_is_a_sentence_for_each() -> None:
    assert {type(event) for event, _, _ in WORDS} == {known.event for known in BATCH_EVENT_TYPES}
