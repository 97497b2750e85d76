"""A batch as the command shows it: folded from its log, when asked."""

from typing import TypedDict

from flowcore.batch.evolve import evolve
from flowcore.batch.machine import BatchStatus, ItemStatus
from flowcore.batch.state import BatchState
from flowcore.ids import BatchId
from flowcore.ports import EventLog
from flowcore.views.batches import BatchDocument, BatchView, item_id_text
from flowcore_cli.render import clock_time, counted, duration, mark, table, visible

COUNTED = tuple(ItemStatus)[2:] + tuple(ItemStatus)[1::-1]
"""The statuses of items in the order in which they are counted: those that have ended first."""


class ListedBatch(TypedDict):
    """A batch in a list: `batches --json`. Times in seconds since the epoch."""

    batch_id: str
    state: str
    items: int
    counts: dict[str, int]
    workers: int
    priority: int
    created_at: float
    ended_at: float | None
    duration: float | None


class BatchRecord:
    """A batch up to its latest event; `catch_up` brings it further."""

    def __init__(self, log: EventLog, batch_id: BatchId) -> None:
        """Fold *batch_id* from *log*.

        Raises:
            EventFormatError: An event cannot be read.
            LogError: The log cannot be read.
        """
        self._log = log
        self.batch_id = batch_id
        self._state = BatchState()
        self._view = BatchView()
        self.catch_up()

    def catch_up(self) -> bool:
        """Take in what has happened since; return whether anything has."""
        before = self._state.version
        for recorded in self._log.read_batch(self.batch_id, after=before):
            evolve(self._state, recorded.event)
            self._view.evolve(recorded)
        return self._state.version > before

    @property
    def state(self) -> BatchStatus:
        """Where the batch stands."""
        return self._state.status

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._state.ended

    @property
    def name(self) -> str:
        """How it is called."""
        return f"batch-{self.batch_id}"

    @property
    def statuses(self) -> list[ItemStatus]:
        """Where each item stands, in their order."""
        return self._state.statuses

    @property
    def all_well(self) -> bool:
        """Whether every item succeeded."""
        return self._state.counts[ItemStatus.SUCCEEDED] == len(self._state.items)

    @property
    def duration(self) -> float | None:
        """How long it took, in seconds; None while it is not over."""
        ended = self._state.ended_at
        return None if ended is None else max(0.0, ended - self._state.created_at)

    def document(self) -> BatchDocument:
        """Return the batch as the executions family shows it."""
        return self._view.render()

    def listed(self) -> ListedBatch:
        """Return the batch as `batches --json` lists it."""
        state = self._state
        return {
            "batch_id": self.name,
            "state": str(state.status),
            "items": len(state.items),
            "counts": {str(status): state.counts[status] for status in COUNTED},
            "workers": state.workers,
            "priority": state.priority,
            "created_at": state.created_at,
            "ended_at": state.ended_at,
            "duration": self.duration,
        }

    def row(self) -> tuple[str, ...]:
        """Return the batch as a row of `batches`."""
        took = self.duration
        return (
            self.name,
            str(self.state),
            str(len(self._state.items)),
            clock_time(self._state.created_at),
            "-" if took is None else duration(took),
            self.counts_text(),
        )

    def counts_text(self) -> str:
        """Return the counts that are not zero: `3 succeeded, 1 failed`."""
        counts = self._state.counts
        return ", ".join(f"{counts[status]:,} {status}" for status in COUNTED if counts[status])

    def item_line(self, number: int) -> str:
        """Return what became of an item, in a line."""
        item = self._view.item(number)
        status = str(self._state.at(number))
        error = visible(item.get("error", ""))
        return f"{mark(status)} {visible(item['workflowPath'])} {status}" + (f": {error}" if error else "")

    def summary(self, shown_by: str | None) -> str:
        """Return the last words: what became of it, and the command that shows it again."""
        took = "" if self.duration is None else f" in {duration(self.duration)}"
        head = f"{mark(str(self.state))} {self.name} {self.state}{took}: {self.counts_text()}"
        return f"{head}\n  " + ("not recorded (--no-db)" if shown_by is None else f"recorded: {shown_by}")

    def text(self) -> str:
        """Return the batch with all its items."""
        rows = [
            (
                item_id_text(self.batch_id, number),
                str(self._state.at(number)),
                visible(item["workflowPath"]),
                visible(item.get("error", "")),
            )
            for number, item in enumerate(self.document()["executions"], 1)
        ]
        took = "" if self.duration is None else f", took {duration(self.duration)}"
        start = f"created {clock_time(self._state.created_at)}{took}"
        limits = f"{counted(self._state.workers, 'worker')}, priority {self._state.priority}"
        head = f"{mark(str(self.state))} {self.name} {self.state}\n  {start}; {limits}\n  {self.counts_text()}"
        used = 4 if any(row[3] for row in rows) else 3
        items = table(("RUN", "STATE", "FILE", "ERROR")[:used], [row[:used] for row in rows], states=1)
        return f"{head}\n\n{items}"
