"""Recording who has asked for what: "every mutating call leaves an audit event: who, route, run" (contract safety).

The event is appended together with the first events that a call leads to in a run or a batch, so it costs no commit of
its own, and what changes nothing leaves none. Items have it in the stream of their batch. What leaves no stream to
write to, as deleting does, is a line of the logger `flowcore.http`.
"""

import logging
from contextvars import ContextVar
from typing import Final

import attrs
from typing_extensions import override

from flowcore.audit import CallAccepted, Credential
from flowcore.batch_service import batch_of
from flowcore.ids import StreamId
from flowcore.ports import AnyAppend, Append, AppendBatch, EventLog
from flowcore.values import Instant

_LOG: Final = logging.getLogger("flowcore.http")


class Call:
    """The call that a thread is answering.

    Attributes:
        recorded: The streams that have its event.
    """

    def __init__(self, peer: str, credential: Credential, method: str, route: str) -> None:
        """Begin with nothing recorded."""
        self.peer = peer
        self.credential = credential
        self.method = method
        self.route = route
        self.recorded: set[StreamId] = set()

    @override
    def __str__(self) -> str:
        """Return what a line of the server's log says of it."""
        return f"{self.method} {self.route} from {self.peer or 'a local socket'} (credential: {self.credential})"

    def event(self, at: Instant) -> CallAccepted:
        """Return what is recorded of it."""
        return CallAccepted(peer=self.peer, credential=self.credential, method=self.method, route=self.route, at=at)


CURRENT: Final[ContextVar[Call | None]] = ContextVar("flowcore-call", default=None)
"""What is being answered here, or None; whoever sets it takes it back."""


class AuditedLog:
    """An `EventLog` that records the call beside what it appends; it reads as the one behind it does."""

    def __init__(self, log: EventLog) -> None:
        """Stand in front of *log*."""
        self._log = log
        self.read = log.read
        self.read_batch = log.read_batch
        self.follow = log.follow
        self.version = log.version
        self.position = log.position
        self.runs = log.runs
        self.batches = log.batches
        self.newest_id = log.newest_id
        self.wait = log.wait
        self.claim = log.claim
        self.claim_all = log.claim_all
        self.renew = log.renew
        self.release = log.release
        self.ownership = log.ownership
        self.requests = log.requests
        self.snapshot = log.snapshot
        self.save_snapshot = log.save_snapshot
        self.close = log.close

    def append(self, *appends: AnyAppend) -> int:
        """Append all of *appends*, or nothing (see `EventLog.append`)."""
        call = CURRENT.get()
        if call is None:
            return self._log.append(*appends)
        marked = self._marked(call, appends)
        position = self._log.append(*marked)
        call.recorded.update(after.stream for before, after in zip(appends, marked, strict=True) if after is not before)
        return position

    def delete_runs(self, *run_ids: StreamId, now: Instant, ended: bool = False) -> None:
        """Delete all of *run_ids*, or nothing (see `EventLog.delete_runs`)."""
        self._log.delete_runs(*run_ids, now=now, ended=ended)
        call = CURRENT.get()
        if call is not None and run_ids:
            call.recorded.update(run_ids)
            _LOG.warning(
                "%s: deleted %s runs and batches, from %s to %s", call, len(run_ids), min(run_ids), max(run_ids)
            )

    def _marked(self, call: Call, appends: tuple[AnyAppend, ...]) -> list[AnyAppend]:
        """Return *appends* with the event of *call* in the streams that do not have it yet."""
        whole = any(isinstance(append, AppendBatch) for append in appends)
        return [_mark(call, append) if self._wants(call, append, whole=whole) else append for append in appends]

    def _wants(self, call: Call, append: AnyAppend, *, whole: bool) -> bool:
        """Return whether the event of *call* goes into a stream; *whole*: a batch is among those it comes with."""
        # What bears an epoch was decided by who drives the run, who also knows which version comes next.
        if append.epoch or not append.events or append.stream in call.recorded:
            return False
        if isinstance(append, AppendBatch):
            return True
        return not whole and not (call.recorded and batch_of(self._log, append.run_id) in call.recorded)


def audited(log: EventLog) -> EventLog:
    """Return *log* as one that records calls; the same when it does already."""
    return log if isinstance(log, AuditedLog) else AuditedLog(log)


def _mark(call: Call, append: AnyAppend) -> AnyAppend:
    """Return *append* with the event before all others, so that an end stays the last; after the one that creates."""
    created = 0 if append.expected_version else 1
    event = call.event(append.events[0].at)
    if isinstance(append, Append):
        events = (*append.events[:created], event, *append.events[created:])
        return attrs.evolve(append, events=events)
    return attrs.evolve(append, events=(*append.events[:created], event, *append.events[created:]))
