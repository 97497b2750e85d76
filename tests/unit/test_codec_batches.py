"""How the events of a batch are stored, and that what is stored of an item's run says so."""

from collections.abc import Mapping
from typing import Final, get_args

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
from flowcore.codec import BATCH_CODEC, CODEC, Data
from flowcore.errors import EventFormatError
from flowcore.ids import BatchId, RunId
from flowcore.json_text import from_json, to_json
from flowcore.model import Flow
from flowcore.run.events import RunCreated
from flowcore.values import Instant

AT: Final = Instant(1733524800.123)
STORED: Final[Mapping[type[BatchEvent], tuple[BatchEvent, Data]]] = {
    BatchCreated: (
        BatchCreated(
            batch_id=BatchId(1733524800000),
            source=BatchSource.FOLDER,
            items=(BatchItem(name="a.json", path="./flows/a.json"), BatchItem(name="b.yaml")),
            workers=4,
            at=AT,
            priority=-1,
            folder="./flows",
            labels={"source": "api"},
        ),
        {
            "batch_id": 1733524800000,
            "source": "folder",
            "items": [{"name": "a.json", "path": "./flows/a.json"}, {"name": "b.yaml"}],
            "workers": 4,
            "at": AT,
            "priority": -1,
            "folder": "./flows",
            "labels": {"source": "api"},
        },
    ),
    CallAccepted: (
        CallAccepted(peer="", credential=Credential.NONE, method="POST", route="/api/workflows/execute", at=AT),
        {"peer": "", "credential": "none", "method": "POST", "route": "/api/workflows/execute", "at": AT},
    ),
    BatchResumed: (BatchResumed(owner="process 2", epoch=2, at=AT), {"owner": "process 2", "epoch": 2, "at": AT}),
    ItemStarted: (ItemStarted(item=1, at=AT), {"item": 1, "at": AT}),
    ItemSucceeded: (ItemSucceeded(item=1, at=AT), {"item": 1, "at": AT}),
    ItemFailed: (ItemFailed(item=1, error="boom", at=AT), {"item": 1, "error": "boom", "at": AT}),
    ItemStopped: (ItemStopped(item=1, at=AT), {"item": 1, "at": AT}),
    BatchSucceeded: (BatchSucceeded(at=AT), {"at": AT}),
    BatchFailed: (BatchFailed(at=AT), {"at": AT}),
    BatchStopped: (BatchStopped(reason="enough", at=AT), {"reason": "enough", "at": AT}),
}
"""One row for each type: what is stored today. Rows change only together with an upcaster."""


@pytest.mark.parametrize("event_type", get_args(BatchEvent))
def test_every_event_is_stored_as_it_always_was(event_type: type[BatchEvent]) -> None:
    event, data = STORED[event_type]
    encoded = BATCH_CODEC.encode(event)
    assert (encoded.type, encoded.schema) == (event_type.__name__, 1)
    assert from_json(to_json(encoded.data)) == data
    decoded = BATCH_CODEC.decode(encoded.type, encoded.schema, data)
    assert (decoded, repr(decoded)) == (event, repr(event))


def test_what_is_at_its_default_is_left_out() -> None:
    event = BatchCreated(batch_id=BatchId(1), source=BatchSource.FILES, items=(BatchItem(name="a"),), workers=1, at=AT)
    data = BATCH_CODEC.encode(event).data
    assert from_json(to_json(data)) == {
        "batch_id": 1,
        "source": "files",
        "items": [{"name": "a"}],
        "workers": 1,
        "at": AT,
    }
    assert BATCH_CODEC.decode("BatchCreated", 1, data) == event


def test_the_events_of_runs_and_of_batches_are_not_mixed() -> None:
    with pytest.raises(EventFormatError, match="unknown event type 'RunStarted'"):
        BATCH_CODEC.decode("RunStarted", 1, {"at": 1.0})
    with pytest.raises(EventFormatError, match="unknown event type 'ItemStarted'"):
        CODEC.decode("ItemStarted", 1, {"item": 1, "at": 1.0})


@pytest.mark.parametrize("data", [{"item": "1", "at": 1.0}, {"item": 1}, {"item": 1, "at": 1.0, "more": 1}, []])
def test_a_broken_payload_is_refused(data: Data) -> None:
    with pytest.raises(EventFormatError, match="broken ItemStarted"):
        BATCH_CODEC.decode("ItemStarted", 1, data)


def test_the_run_of_an_item_knows_its_batch_and_its_labels() -> None:
    event = RunCreated(run_id=RunId(2), flow=Flow(), max_workers=1, at=AT, labels={"file": "a.json"}, batch=BatchId(1))
    encoded = CODEC.encode(event)
    assert encoded.data == {
        "run_id": 2,
        "flow": {},
        "max_workers": 1,
        "at": AT,
        "labels": {"file": "a.json"},
        "batch": 1,
    }
    assert CODEC.decode(encoded.type, encoded.schema, encoded.data) == event
