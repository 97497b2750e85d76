"""A batch as the executions family shows it: its status with all its items, and its line in the history.

The rules are those of documents/executions-api.md, "Get Batch Status" and "Get Batch History", and of contract
executions, section 3. The counts come from the events of the batch alone, so they always add up; what a running item is
at is for whoever asks its run.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NotRequired, TypeAlias, TypedDict

from flowcore.batch.events import BatchCreated, ItemFailed
from flowcore.batch.evolve import evolve
from flowcore.batch.machine import BatchStatus, ItemStatus
from flowcore.batch.state import BatchState
from flowcore.ids import BatchId
from flowcore.ports import RecordedBatch
from flowcore.values import Instant

BatchWord: TypeAlias = Literal["running", "completed", "error", "stopped"]
ItemWord: TypeAlias = Literal["queued", "running", "completed", "error", "stopped"]

BATCH_WORDS: Final[Mapping[BatchStatus, BatchWord]] = MappingProxyType(
    {
        BatchStatus.NEW: "running",
        BatchStatus.RUNNING: "running",
        BatchStatus.SUCCEEDED: "completed",
        BatchStatus.FAILED: "error",
        BatchStatus.STOPPED: "stopped",
    }
)
"""The family's word for every status of a batch."""
ITEM_WORDS: Final[Mapping[ItemStatus, ItemWord]] = MappingProxyType(
    {
        ItemStatus.QUEUED: "queued",
        ItemStatus.RUNNING: "running",
        ItemStatus.SUCCEEDED: "completed",
        ItemStatus.FAILED: "error",
        ItemStatus.STOPPED: "stopped",
    }
)
"""The family's word for every status of an item."""
FILTERS: Final[Mapping[str, BatchStatus]] = MappingProxyType(
    {word: status for status, word in BATCH_WORDS.items() if status is not BatchStatus.NEW}
)
"""What the history can be filtered by."""


class ItemDocument(TypedDict):
    """One item of a batch; where it is while it runs, and why it failed."""

    executionId: str
    workflowFileName: str
    workflowPath: str
    status: ItemWord
    currentNodeId: NotRequired[str]
    error: NotRequired[str]


class _Place(TypedDict):
    """What stands in the middle of a batch, and is there when it was made from a folder."""

    folderPath: NotRequired[str]


class _Opening(TypedDict):
    """What a batch begins with, also in the history; `folderPath` when it was made from a folder."""

    batchId: str
    status: BatchWord
    sourceType: str
    folderPath: NotRequired[str]
    totalWorkflows: int
    completed: int


class _Over(TypedDict):
    """What a line of the history ends with, once its batch is over."""

    endTime: NotRequired[int]
    duration: NotRequired[int]


class BatchHead(_Opening):
    """A batch without its items; times in milliseconds since the epoch."""

    running: int
    queued: int
    failed: int
    startTime: int
    endTime: int | None


class BatchDocument(BatchHead):
    """The answer of `GET /api/workflows/execution/batch/{batchId}`."""

    executions: Sequence[ItemDocument]


class BatchSummary(_Opening):
    """A batch in the history; the last two once it is over."""

    failed: int
    startTime: int
    endTime: NotRequired[int]
    duration: NotRequired[int]


class BatchHistory(TypedDict):
    """The answer of `GET /api/workflows/executions/batches`."""

    total: int
    limit: int
    offset: int
    batches: Sequence[BatchSummary]


def batch_id_text(batch_id: BatchId) -> str:
    """Return how the family spells the id of a batch."""
    return f"batch-{batch_id}"


def item_id_text(batch_id: BatchId, item: int) -> str:
    """Return how the family spells the id of item *item* (counted from 1) of a batch."""
    return f"exec-{batch_id}-{item}"


def milliseconds(at: Instant) -> int:
    """Return *at* as the family shows times: cut, as ids are, so that a batch starts at the time that is in its id."""
    return int(at * 1000)


class BatchView:
    """A fold of one batch's events into its status.

    Attributes:
        version: The version of the last event taken in.
        position: The log position of the last event taken in.
    """

    def __init__(self) -> None:
        """Start before the first event."""
        self.version = 0
        self.position = 0
        self._state = BatchState()
        self._source = ""
        self._folder: str | None = None
        self._errors: dict[int, str] = {}
        self._texts: dict[int, tuple[ItemStatus, str]] = {}

    @property
    def ended(self) -> bool:
        """Whether the batch is over."""
        return self._state.ended

    @property
    def running(self) -> Sequence[int]:
        """The numbers of the items that run."""
        return tuple(self._state.started)

    def evolve(self, recorded: RecordedBatch) -> None:
        """Take *recorded* in."""
        self.version = recorded.version
        self.position = recorded.position
        event = recorded.event
        evolve(self._state, event)
        if isinstance(event, BatchCreated):
            self._source = event.source
            self._folder = event.folder
        if isinstance(event, ItemFailed):
            self._errors[event.item] = event.error

    def render(self, nodes: Mapping[int, str] = MappingProxyType({})) -> BatchDocument:
        """Return the status as the document describes it; *nodes* are the current ones of running items."""
        numbers = range(1, len(self._state.items) + 1)
        return {**self.head(), "executions": [self.item(number, nodes.get(number)) for number in numbers]}

    def encode(self, nodes: Mapping[int, str] = MappingProxyType({})) -> bytes:
        """Return `render` as JSON text in UTF-8; costs what has changed, and the joining of the items' texts."""
        numbers = range(1, len(self._state.items) + 1)
        items = ",".join([self._text(number, nodes.get(number)) for number in numbers])
        return f'{_json(self.head())[:-1]},"executions":[{items}]}}'.encode()

    def summary(self) -> BatchSummary:
        """Return the line of the history."""
        state = self._state
        over: _Over = {}
        if state.ended_at is not None:
            started_at, ended_at = milliseconds(state.created_at), milliseconds(state.ended_at)
            # Whoever puts a clock back makes no batch end before it began (invariant I14).
            over = {"endTime": ended_at, "duration": max(0, ended_at - started_at)}
        return {
            **self._opening(),
            "failed": state.counts[ItemStatus.FAILED],
            "startTime": milliseconds(state.created_at),
            **over,
        }

    def head(self) -> BatchHead:
        """Return the batch without its items."""
        state = self._state
        return {
            **self._opening(),
            "running": state.counts[ItemStatus.RUNNING],
            "queued": state.counts[ItemStatus.QUEUED],
            "failed": state.counts[ItemStatus.FAILED],
            "startTime": milliseconds(state.created_at),
            "endTime": None if state.ended_at is None else milliseconds(state.ended_at),
        }

    def _opening(self) -> _Opening:
        state = self._state
        place: _Place = {} if self._folder is None else {"folderPath": self._folder}
        return {
            "batchId": batch_id_text(state.batch_id),
            "status": BATCH_WORDS[state.status],
            "sourceType": self._source,
            **place,
            "totalWorkflows": len(state.items),
            "completed": state.counts[ItemStatus.SUCCEEDED],
        }

    def item(self, number: int, node: str | None = None) -> ItemDocument:
        """Return item *number* (counted from 1); *node* is where it is while it runs."""
        item = self._state.items[number - 1]
        status = self._state.at(number)
        document: ItemDocument = {
            "executionId": item_id_text(self._state.batch_id, number),
            "workflowFileName": item.name,
            "workflowPath": item.name if item.path is None else item.path,
            "status": ITEM_WORDS[status],
        }
        if node is not None and status is ItemStatus.RUNNING:
            document["currentNodeId"] = node
        if status is ItemStatus.FAILED:
            document["error"] = self._errors[number]
        return document

    def _text(self, number: int, node: str | None) -> str:
        """Return an item as JSON; one that does not run is written once."""
        status = self._state.at(number)
        known = self._texts.get(number)
        if known is not None and known[0] is status and node is None:
            return known[1]
        text = _json(self.item(number, node))
        if node is None:
            self._texts[number] = (status, text)
        return text


def history(total: int, limit: int, offset: int, batches: Iterable[BatchSummary]) -> BatchHistory:
    """Return a page of the history."""
    return {"total": total, "limit": limit, "offset": offset, "batches": [*batches]}


def _json(document: BatchHead | ItemDocument) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
