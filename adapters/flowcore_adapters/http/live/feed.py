"""The live events of all runs of a log, from a position on."""

import logging
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

import attrs

from flowcore.errors import EventFormatError
from flowcore.ids import BatchId, RunId, StreamId
from flowcore.ports import AnyRecorded, EventLog, Recorded, RecordedBatch
from flowcore.views.live import LiveRun, WireEvent
from flowcore.views.live_batches import LiveBatch

_LOG: Final = logging.getLogger("flowcore.http")
_CHUNK: Final = 256
"""How many recorded events are taken at a time."""


@attrs.frozen
class Emission:
    """What to emit for the event at *position* of the log."""

    position: int
    events: tuple[WireEvent, ...]


class LiveFeed:
    """Follows a log and tells what to emit; for one thread at a time.

    Attributes:
        position: What has been taken in: the next ones come after it.
    """

    def __init__(self, log: EventLog, position: int, *, run_id: RunId | None = None) -> None:
        """Follow *log* after *position*; only *run_id*, unless that is None."""
        self.position = position
        self._log = log
        self._only = run_id
        self._runs: dict[RunId, LiveRun] = {}
        self._batches: dict[BatchId, LiveBatch] = {}
        self._broken: set[StreamId] = set()

    def take(self) -> list[Emission]:
        """Return what is new, at most some hundred events; none when nothing is. Costs what is new."""
        found: list[Emission] = []
        # Read before the events: up to here they are all there, and a deletion has a position but no event.
        known = self._log.position()
        count = 0
        for recorded in self._next():
            count += 1
            self.position = recorded.position
            stream = recorded.batch_id if isinstance(recorded, RecordedBatch) else recorded.run_id
            if stream in self._broken or (self._only is not None and stream != self._only):
                continue
            try:
                events = self._events(recorded)
            except EventFormatError as error:
                _LOG.warning("what happens in %s cannot be told: %s", stream, error)
                self._broken.add(stream)
                continue
            if events:
                found.append(Emission(recorded.position, events))
        if count < _CHUNK:
            self.position = max(self.position, known)
        self._forget()
        return found

    def _next(self) -> Iterator[AnyRecorded]:
        try:
            yield from self._log.follow(self.position, _CHUNK)
        except EventFormatError:
            # One that cannot be read is passed over, and those around it are told all the same.
            yield from self._one_by_one()

    def _one_by_one(self) -> Iterator[AnyRecorded]:
        last = min(self.position + _CHUNK, self._log.position())
        while self.position < last:
            try:
                yield from self._log.follow(self.position, 1)
            except EventFormatError as error:
                _LOG.warning("an event after position %s cannot be told: %s", self.position, error)
                self.position += 1

    def _events(self, recorded: AnyRecorded) -> tuple[WireEvent, ...]:
        if isinstance(recorded, RecordedBatch):
            return self._batch(recorded).evolve(recorded)
        return self._run(recorded).evolve(recorded)

    def _batch(self, recorded: RecordedBatch) -> LiveBatch:
        """Return the fold of a batch as it was just before *recorded*."""
        batch = self._batches.get(recorded.batch_id)
        if batch is None:
            batch = self._batches[recorded.batch_id] = LiveBatch()
            earlier = self._log.read_batch(recorded.batch_id)
            for each in takewhile(lambda each: each.version < recorded.version, earlier):
                batch.evolve(each)
        return batch

    def _run(self, recorded: Recorded) -> LiveRun:
        """Return the fold of a run as it was just before *recorded*."""
        run = self._runs.get(recorded.run_id)
        if run is None:
            run = self._runs[recorded.run_id] = LiveRun()
            earlier = self._log.read(recorded.run_id)
            for each in takewhile(lambda each: each.version < recorded.version, earlier):
                run.evolve(each)
        return run

    def _forget(self) -> None:
        """Let go of what is over."""
        for run_id in [run_id for run_id, run in self._runs.items() if run.ended]:
            del self._runs[run_id]
        for batch_id in [batch_id for batch_id, batch in self._batches.items() if batch.ended]:
            del self._batches[batch_id]
