"""Batches through the ports: accept one with all its runs, load it, stop it, drive it.

`BatchSession` is for the one that drives a batch, beside the `RunSession`s of its items and in the same commits; the
functions are for everybody else.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import attrs

from flowcore.batch.commands import BatchCommand, CreateBatch, Outcome, ReportItem, StopBatch
from flowcore.batch.decide import decide
from flowcore.batch.events import BatchEvent, BatchItem, BatchSource
from flowcore.batch.evolve import evolve
from flowcore.batch.machine import BatchStatus, ItemStatus
from flowcore.batch.state import BatchState
from flowcore.errors import (
    BatchNotFoundError,
    CommandRejectedError,
    EventFormatError,
    RunNotFoundError,
    VersionConflictError,
)
from flowcore.ids import BatchId, RunId, item_run, parse_batch_id, parse_item_id, parse_run_id
from flowcore.model import Dialect, Flow
from flowcore.ports import Append, AppendBatch, EventLog
from flowcore.run.commands import CreateRun, StopRun
from flowcore.run.decide import decide as decide_run
from flowcore.run.events import RunCreated
from flowcore.run.machine import RunStatus
from flowcore.run.state import RunState
from flowcore.service import RunSession, load, request, unfinished
from flowcore.values import Instant

MAX_ITEMS: Final = 100_000
"""How many items a batch may have: their numbers have six digits, and their runs are created in one transaction."""
_ATTEMPTS: Final = 100
"""As in `flowcore.service`."""
_CHUNK: Final = 200
"""How many runs are stopped in one transaction."""
OUTCOMES: Final[Mapping[RunStatus, Outcome]] = {
    RunStatus.SUCCEEDED: Outcome.SUCCEEDED,
    RunStatus.FAILED: Outcome.FAILED,
    RunStatus.STOPPED: Outcome.STOPPED,
}
"""What the end of a run means for its item."""


@attrs.frozen(kw_only=True)
class NewItem:
    """An item to be: what it is called and what it runs.

    Attributes:
        path: The file that it was found in, or None.
        labels: What is to be remembered of its run.
    """

    name: str
    flow: Flow
    path: str | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class NewBatch:
    """A batch to be."""

    source: BatchSource
    items: Sequence[NewItem]
    workers: int
    priority: int = 0
    folder: str | None = None
    trace: bool = False
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class Stopped:
    """What the stop of a batch has stopped.

    Attributes:
        running: How many of its items ran.
        queued: How many waited, and will never run.
    """

    running: int = 0
    queued: int = 0


def create_batch(log: EventLog, new: NewBatch, *, at: Instant) -> BatchId:
    """Accept *new*: append it and the queued runs of all its items in one transaction, and return its id.

    Raises:
        CommandRejectedError: `too-many-items`.
    """
    if len(new.items) > MAX_ITEMS:
        raise CommandRejectedError("too-many-items", f"a batch has at most {MAX_ITEMS} items, not {len(new.items)}")
    names = tuple(BatchItem(name=item.name, path=item.path) for item in new.items)
    for _ in range(_ATTEMPTS):
        batch_id = BatchId(max(int(at * 1000), log.newest_id() + 1))
        command = CreateBatch(
            batch_id=batch_id,
            source=new.source,
            items=names,
            workers=new.workers,
            priority=new.priority,
            at=at,
            folder=new.folder,
            labels=new.labels,
        )
        runs: list[Append] = []
        for number, item in enumerate(new.items, 1):
            run_id = item_run(batch_id, number)
            create = CreateRun(
                run_id=run_id, flow=item.flow, at=at, trace=new.trace, labels=item.labels, batch=batch_id
            )
            runs.append(Append(run_id, 0, decide_run(create, RunState())))
        try:
            log.append(AppendBatch(batch_id, 0, decide(command, BatchState())), *runs)
        except VersionConflictError:
            continue
        return batch_id
    raise VersionConflictError("no free batch id was found: too many runs are being created at once")


def load_batch(log: EventLog, batch_id: BatchId) -> BatchState:
    """Return the state of a batch, folded from its log.

    Raises:
        BatchNotFoundError: There is no such batch.
        EventFormatError: Its events cannot be read, or do not fit together.
    """
    state = _catch_up(BatchState(), log, batch_id)
    if not state.version:
        raise BatchNotFoundError(f"no batch {batch_id} in this log")
    return state


def _catch_up(state: BatchState, log: EventLog, batch_id: BatchId) -> BatchState:
    try:
        for recorded in log.read_batch(batch_id, after=state.version):
            evolve(state, recorded.event)
    except (LookupError, ValueError) as error:
        if isinstance(error, EventFormatError):
            raise
        raise EventFormatError(f"the events of batch {batch_id} do not fit together: {error!r}") from error
    return state


def find_batch(log: EventLog, text: str) -> BatchId:
    """Return the batch that *text* spells.

    Raises:
        BatchNotFoundError: There is none.
    """
    batch_id = parse_batch_id(text)
    if batch_id is None or next(log.read_batch(batch_id), None) is None:
        raise BatchNotFoundError(f"there is no batch {text[:40]}")
    return batch_id


def find_run(log: EventLog, text: str) -> RunId:
    """Return the run that *text* spells in any dialect; for the spelling of an item, only an item of that batch.

    Raises:
        RunNotFoundError: There is none.
    """
    run_id = parse_run_id(text)
    item = parse_item_id(text)
    if run_id is not None:
        # A batch has a version too, so it is looked whether there are events of a run.
        first = next(log.read(run_id), None)
        batch = first.event.batch if first is not None and isinstance(first.event, RunCreated) else None
        if first is not None and (item is None or batch == item[0]):
            return run_id
    raise RunNotFoundError(f"there is no run {text[:40]}")


def batch_of(log: EventLog, run_id: RunId) -> BatchId | None:
    """Return the batch that a run is an item of; None for a single one, and for an unknown one."""
    first = next(log.read(run_id), None)
    return first.event.batch if first is not None and isinstance(first.event, RunCreated) else None


def unfinished_batches(log: EventLog) -> Sequence[BatchId]:
    """Return the batches that have not ended, oldest first."""
    return log.batches(status=BatchStatus.RUNNING).batch_ids[::-1]


def unfinished_runs(log: EventLog, *, at: Instant) -> Sequence[RunId]:
    """Return the runs to go on with beside `unfinished_batches`, oldest first: single ones, and those of ended batches.

    What a batch that was stopped has left in the queue, because a program died in the midst of that, is stopped here.
    """
    running = frozenset(unfinished_batches(log))
    found: list[RunId] = []
    for run_id in unfinished(log):
        batch_id = batch_of(log, run_id)
        if batch_id is not None and batch_id not in running:
            request(log, run_id, StopRun(at=at, reason=f"batch {batch_id} is over"))
            if load(log, run_id).ended:
                continue
        if batch_id not in running:
            found.append(run_id)
    return found


def stop_batch(log: EventLog, batch_id: BatchId, *, at: Instant, reason: str = "stopped") -> Stopped:
    """Stop a batch, whoever drives it, and the runs of all its items that have not ended.

    The end of the batch and the requests to those that run are appended in one transaction, so that none of them can
    succeed any more; those in the queue follow. After this, somebody must drive those that ran to their ends.

    Raises:
        BatchNotFoundError: There is no such batch.
    """
    state = load_batch(log, batch_id)
    for _ in range(_ATTEMPTS):
        if state.ended:
            return Stopped()
        version = state.version
        queued = [number for number in state.unended() if state.at(number) is ItemStatus.QUEUED]
        events, runs = _stop(log, state, at, reason)
        try:
            log.append(AppendBatch(batch_id, version, events), *runs)
        except VersionConflictError:
            # The state holds what did not come to be: fold again what did.
            state = load_batch(log, batch_id)
            continue
        if state.status is not BatchStatus.STOPPED:
            return Stopped()
        for start in range(0, len(queued), _CHUNK):
            _cancel(log, [item_run(batch_id, number) for number in queued[start : start + _CHUNK]], at, reason)
        return Stopped(running=len(runs), queued=len(queued))
    raise VersionConflictError(f"batch {batch_id} is changing too fast to be stopped from outside")


def _stop(log: EventLog, state: BatchState, at: Instant, reason: str) -> tuple[list[BatchEvent], list[Append]]:
    """Take the stop of a batch into *state*, and return its events with those of the runs that go on."""
    events: list[BatchEvent] = []
    runs: list[Append] = []
    for number in tuple(state.started):
        run_id = item_run(state.batch_id, number)
        run = load(log, run_id)
        outcome = OUTCOMES.get(run.status)
        if outcome is None:
            runs.append(Append(run_id, run.version, decide_run(StopRun(at=at, reason=reason), run)))
        else:
            # It has ended, and who drives the batch had no time to say so yet.
            report = ReportItem(item=number, outcome=outcome, at=at, error=failure(run))
            events += _take(report, state)
    events += _take(StopBatch(at=at, reason=reason), state)
    return events, runs


def _take(command: BatchCommand, state: BatchState) -> tuple[BatchEvent, ...]:
    events = decide(command, state)
    for event in events:
        evolve(state, event)
    return events


def _cancel(log: EventLog, run_ids: Sequence[RunId], at: Instant, reason: str) -> None:
    """Stop runs that wait in the queue, in one transaction; one by one when somebody else has touched one of them."""
    command = StopRun(at=at, reason=reason)
    states = [load(log, run_id) for run_id in run_ids]
    try:
        log.append(
            *(
                Append(run_id, run.version, decide_run(command, run))
                for run_id, run in zip(run_ids, states, strict=True)
            )
        )
    except VersionConflictError:
        for run_id in run_ids:
            request(log, run_id, command)


def failure(run: RunState) -> str:
    """Return why a run failed, for people: the failure that halted it, else the first one that counts."""
    failed = [each for each in run.steps if each.status == "failed"]
    cause = next((each for each in failed if each.id == run.halted_by), None) or next(iter(failed), None)
    if cause is None:
        return ""
    # What nodes of workflows say stands alone, as in the status of a single run (contract executions, section 2).
    return cause.error or "" if run.flow.dialect is Dialect.WORKFLOW else f"{cause.id}: {cause.error}"


class BatchSession:
    """A batch as its driver holds it: the state, and what was decided since the last commit.

    Attributes:
        state: Read it; only `execute` and `commit` change it.
        staged: The events that are decided and not yet committed.
        bound: The sessions of runs that start with an item: when the item may not start after all, nor may they.
        fenced: Whether another owner has taken the batch over: nothing of this session counts any more.
    """

    def __init__(self, log: EventLog, batch_id: BatchId, epoch: int = 0) -> None:
        """Fold the batch from *log*; *epoch* is what the claim of the batch gave.

        Raises:
            BatchNotFoundError: There is no such batch.
        """
        self.batch_id = batch_id
        self.state = load_batch(log, batch_id)
        self.epoch = epoch
        self.staged: list[BatchEvent] = []
        self.bound: dict[int, RunSession] = {}
        self.fenced = False
        self._commands: list[BatchCommand] = []
        self._early: list[BatchCommand] = []

    @property
    def stream(self) -> BatchId:
        """The stream."""
        return self.batch_id

    @property
    def hasty(self) -> bool:
        """Whether an item was reported whose run has not been committed."""
        return bool(self._early)

    def execute(self, command: BatchCommand, *, early: bool = False) -> tuple[BatchEvent, ...]:
        """Decide *command* and take its events into the state; after this, call `commit` before acting on them.

        Args:
            command: The command.
            early: True for a report on a run whose end is staged, and goes into the same commit.

        Raises:
            CommandRejectedError: The batch cannot do that now.
        """
        events = _take(command, self.state)
        if events:
            self.staged.extend(events)
            self._commands.append(command)
            if early:
                self._early.append(command)
        return events

    def refresh(self, log: EventLog) -> None:
        """Take in what others have appended; while something is staged `commit` will find it out."""
        if not self.staged:
            _catch_up(self.state, log, self.batch_id)
            self.fenced = self.fenced or self.state.epoch > self.epoch

    def rebase(self, log: EventLog) -> None:
        """Decide everything staged anew, on top of what others have appended.

        Reports that were early are taken back: what they are about may have come to something else. Runs that may not
        start after all are let go of.
        """
        commands, bound = [command for command in self._commands if command not in self._early], self.bound
        self.settle()
        self.state = load_batch(log, self.batch_id)
        for command in commands:
            with suppress(CommandRejectedError):
                self.execute(command)
        for item, session in bound.items():
            if self.state.at(item) is ItemStatus.RUNNING:
                self.bound[item] = session
            else:
                session.drop(log)

    def refuse_unstorable(self, log: EventLog) -> bool:  # noqa: ARG002 - as a `RunSession` has it
        """Return False: what is told of items has been stored before."""
        return False

    def fence(self, log: EventLog) -> None:
        """Give the batch up to the owner that has taken it over, and the runs that were about to start with it."""
        bound = self.bound
        self.settle()
        self.fenced = True
        for session in bound.values():
            session.drop(log)

    def settle(self) -> None:
        """Forget what was staged: it is committed."""
        self.staged = []
        self.bound = {}
        self._commands = []
        self._early = []

    def append(self) -> AppendBatch:
        """Return what is staged, as it is to be appended."""
        return AppendBatch(self.batch_id, self.state.version - len(self.staged), self.staged, self.epoch)
