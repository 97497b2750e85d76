"""A batch as the executions family shows it (documents/executions-api.md, "Get Batch Status", "Get Batch History")."""

import json

import attrs

from flowcore.batch.events import BatchCreated, BatchEvent, BatchItem, BatchSource, BatchSucceeded
from flowcore.ids import BatchId
from flowcore.values import Instant
from flowcore.views.batches import BatchView, history
from tests.batch_builders import FOLDER, STATUS, accepted, began, broke, called_off, did, halted, recorded_batch

BATCH = BatchId(1709856234567)


def created(count: int = 5) -> BatchCreated:
    """Return the batch of the document's example."""
    names = [f"workflow{number}.json" for number in range(1, count + 1)]
    return BatchCreated(
        batch_id=BATCH,
        source=BatchSource.FOLDER,
        items=tuple(BatchItem(name=name, path=f"{FOLDER}/{name}") for name in names),
        workers=4,
        at=Instant(1709856234.567),
        folder=FOLDER,
    )


def view(*events: BatchEvent) -> BatchView:
    found = BatchView()
    for recorded in recorded_batch(events, BATCH):
        found.evolve(recorded)
    return found


def test_the_example_of_the_document() -> None:
    """`completed` 2, `running` 2, `queued` 1: the response example of "Get Batch Status"."""
    shown = view(created(), began(1), did(1), began(2), began(3), did(3), began(4))
    assert shown.running == (2, 4)
    # As text, so that the order of the members counts.
    assert json.dumps(shown.render({2: "click-3"})) == json.dumps(STATUS)
    assert json.dumps(json.loads(shown.encode({2: "click-3"}))) == json.dumps(STATUS)
    assert json.loads(shown.encode({4: "x"})) == shown.render({4: "x"})


def test_what_ended_and_why() -> None:
    shown = view(
        attrs.evolve(created(3), folder=None, source=BatchSource.FILES),
        broke(1, "fetch: 500"),
        halted(2),
        did(3),
        BatchSucceeded(at=Instant(1709856245.678)),
    )
    document = shown.render()
    assert (document["status"], document["endTime"], shown.ended) == ("completed", 1709856245678, True)
    assert (document["completed"], document["failed"], document["running"], document["queued"]) == (1, 1, 0, 0)
    assert "folderPath" not in document
    assert "folderPath" not in shown.summary()
    assert [(each["status"], each.get("error")) for each in document["executions"]] == [
        ("error", "fetch: 500"),
        ("stopped", None),
        ("completed", None),
    ]
    assert json.loads(shown.encode()) == document


def test_encoding_follows_what_happens() -> None:
    shown = BatchView()
    for recorded in recorded_batch([created(2), began(1), began(2), did(1), broke(2), BatchSucceeded(at=Instant(2e9))]):
        shown.evolve(recorded)
        nodes = dict.fromkeys(shown.running, "n")
        assert json.loads(shown.encode(nodes)) == shown.render(nodes)
        assert json.loads(shown.encode()) == shown.render()
    assert (shown.version, shown.position) == (6, 6)


def test_a_stopped_batch_is_frozen() -> None:
    document = view(created(3), began(1), did(1), began(2), called_off(), did(2)).render()
    assert (document["completed"], document["running"], document["queued"]) == (1, 0, 0)
    assert [each["status"] for each in document["executions"]] == ["completed", "stopped", "stopped"]


def test_a_line_of_the_history() -> None:
    """The response example of "Get Batch History"; `endTime` and `duration` only when it is over."""
    running = view(created())
    expected = {
        "batchId": "batch-1709856234567",
        "status": "running",
        "sourceType": "folder",
        "folderPath": "./tests/workflows/sample",
        "totalWorkflows": 5,
        "completed": 0,
        "failed": 0,
        "startTime": 1709856234567,
    }
    assert json.dumps(running.summary()) == json.dumps(expected)
    ends = [event for number in range(1, 6) for event in (began(number), did(number))]
    over = view(created(), *ends, BatchSucceeded(at=Instant(1709856245.678))).summary()
    assert over == {
        **running.summary(),
        "status": "completed",
        "completed": 5,
        "endTime": 1709856245678,
        "duration": 11111,
    }
    assert history(45, 20, 0, [over]) == {"total": 45, "limit": 20, "offset": 0, "batches": [over]}


def test_a_clock_that_was_put_back_makes_no_negative_duration() -> None:
    summary = view(created(1), did(1), BatchSucceeded(at=Instant(1.0))).summary()
    assert summary.get("duration") == 0


def test_an_item_that_never_was_a_file_is_where_its_name_says() -> None:
    (item,) = view(accepted(1, batch_id=BATCH)).render()["executions"]
    assert item["workflowPath"] == item["workflowFileName"] == "workflow1.json"
