"""Load, fold, decide, append, start over on conflict: the only module that calls ports.

`RunSession` is for the one that drives a run and keeps its state between commands; `request` is for everybody else, who
comes with a single command.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol, cast

from flowcore.descent import Descent
from flowcore.errors import (
    CommandRejectedError,
    EventFormatError,
    FencedError,
    RunNotFoundError,
    VersionConflictError,
)
from flowcore.ids import RunId, StreamId
from flowcore.json_text import from_json, to_json
from flowcore.model import Breakpoints, Flow
from flowcore.ports import AnyAppend, Append, EventLog
from flowcore.records import make_append
from flowcore.run.commands import (
    Command,
    CreateRun,
    RejectReport,
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportSuccess,
)
from flowcore.run.decide import decide
from flowcore.run.events import (
    Event,
    ReportRejected,
    RunCreated,
    RunFailed,
    RunStopped,
    RunSucceeded,
    TraceToggled,
)
from flowcore.run.evolve import evolve, fold
from flowcore.run.snapshot import StateData, dump, restore
from flowcore.run.state import RunState
from flowcore.values import Instant, Json

_ATTEMPTS: Final = 100
"""A conflict means that somebody else got through: so many in a row are a fault, not bad luck."""
SNAPSHOT_EVERY: Final = 5_000
"""After how many events that had to be folded a snapshot is kept."""
_SNAPSHOT: Final = "state"
_UNSTORABLE: Final = "not-storable"
_ENDS: Final = (RunSucceeded, RunFailed, RunStopped)


def create_run(
    log: EventLog,
    flow: Flow,
    *,
    at: Instant,
    max_workers: int | None = None,
    descent: Descent | None = None,
    breakpoints: Breakpoints | None = None,
    trace: bool = False,
    labels: Mapping[str, str] | None = None,
) -> RunId:
    """Append a queued run of *flow* and return its id: milliseconds since the epoch, the next free one when taken.

    Args:
        log: Where it is recorded.
        flow: What it does.
        at: The time of the day.
        max_workers: How many steps go on at once; None leaves it to the flow.
        descent: What it takes over from another run, or None.
        breakpoints: Where it pauses, or None for nowhere.
        trace: Whether the lines of its attempts are recorded from the beginning.
        labels: What its caller wants to find again.
    """
    for _ in range(_ATTEMPTS):
        run_id = RunId(max(int(at * 1000), log.newest_id() + 1))
        command = CreateRun(
            run_id=run_id,
            flow=flow,
            at=at,
            max_workers=max_workers,
            breakpoints=breakpoints,
            trace=trace,
            labels=labels or {},
        )
        if descent is not None:
            command = descent.given_to(command)
        try:
            log.append(Append(run_id, 0, decide(command, RunState())))
        except VersionConflictError:
            continue
        return run_id
    raise VersionConflictError("no free run id was found: too many runs are being created at once")


def load(log: EventLog, run_id: RunId) -> RunState:
    """Return the state of a run, folded from its log, or from what a snapshot spares.

    Raises:
        RunNotFoundError: There is no such run.
        EventFormatError: Its events cannot be read, or do not fit together.
    """
    state = _from_snapshot(log, run_id)
    known = state.version
    try:
        fold((recorded.event for recorded in log.read(run_id, after=known)), state)
    except (LookupError, ValueError) as error:
        if isinstance(error, EventFormatError):
            raise
        raise EventFormatError(f"the events of run {run_id} do not fit together: {error!r}") from error
    if not state.version:
        raise RunNotFoundError(f"no run {run_id} in this log")
    if state.version - known >= SNAPSHOT_EVERY:
        with suppress(EventFormatError):
            log.save_snapshot(run_id, _SNAPSHOT, state.version, to_json(cast("Json", dump(state))).encode())
    return state


def _from_snapshot(log: EventLog, run_id: RunId) -> RunState:
    """Return the state at the newest snapshot, or one before the first event; the log alone says what is true."""
    found = log.snapshot(run_id, _SNAPSHOT)
    if found is None:
        return RunState()
    first = next(log.read(run_id), None)
    try:
        if first is None or not isinstance(first.event, RunCreated):
            return RunState()
        state = restore(first.event, cast("StateData", from_json(found.data.decode())))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return RunState()
    return state if state.version == found.version <= log.version(run_id) else RunState()


def unfinished(log: EventLog) -> Sequence[RunId]:
    """Return the runs that have not ended, oldest first; costs one short read for each run of the log."""
    found: list[RunId] = []
    for run_id in reversed(log.runs()):
        last: Event | None = None
        for recorded in log.read(run_id, after=log.version(run_id) - 1):
            last = recorded.event
        # What came too late is recorded after the end, and so is the wish to trace a run that is over.
        ended = load(log, run_id).ended if isinstance(last, ReportRejected | TraceToggled) else isinstance(last, _ENDS)
        if not ended:
            found.append(run_id)
    return found


def request(log: EventLog, run_id: RunId, command: Command) -> tuple[Event, ...]:
    """Decide *command* for a run that somebody else may be driving, and append what it leads to.

    Raises:
        RunNotFoundError: There is no such run.
        CommandRejectedError: The run cannot do that now.
    """
    for _ in range(_ATTEMPTS):
        state = load(log, run_id)
        events = decide(command, state)
        if not events:
            return ()
        try:
            log.append(Append(run_id, state.version, events))
        except VersionConflictError:
            continue
        return events
    raise VersionConflictError(f"run {run_id} is changing too fast to be changed from outside")


class Session(Protocol):
    """What `commit` needs to know of a session: of a run, or of a batch (see `flowcore.batch_service`)."""

    epoch: int

    @property
    def stream(self) -> StreamId:
        """The stream that it appends to."""
        ...

    @property
    def staged(self) -> Sequence[object]:
        """The events that are decided and not yet committed."""
        ...

    @property
    def hasty(self) -> bool:
        """Whether something was decided on what others have staged: `rebase` takes that back."""
        ...

    def append(self) -> AnyAppend:
        """Return what is staged, as it is to be appended."""
        ...

    def rebase(self, log: EventLog) -> None:
        """Decide everything staged anew, on top of what others have appended in the meantime."""
        ...

    def refuse_unstorable(self, log: EventLog) -> bool:
        """Decide everything staged anew, without what no log can hold; False if there is nothing of that kind."""
        ...

    def fence(self, log: EventLog) -> None:
        """Give up what another owner has taken over."""
        ...

    def settle(self) -> None:
        """Forget what was staged: it is committed."""
        ...


class RunSession:
    """A run as its driver holds it: the state, and what was decided since the last commit.

    Attributes:
        state: Read it; only `execute` and `commit` change it.
        staged: The events that are decided and not yet committed.
        foreign: What somebody else has appended in the meantime; ask `pending` again and empty it.
        fenced: Whether another owner has taken the run over: nothing of this session counts any more.
    """

    def __init__(self, log: EventLog, run_id: RunId, epoch: int = 0) -> None:
        """Fold the run from *log*; *epoch* is what the claim of the run gave.

        Raises:
            RunNotFoundError: There is no such run.
        """
        self.run_id = run_id
        self.state = load(log, run_id)
        self.epoch = epoch
        self.staged: list[Event] = []
        self.foreign: list[Event] = []
        self.fenced = False
        self._commands: list[Command] = []

    @property
    def stream(self) -> RunId:
        """The stream."""
        return self.run_id

    @property
    def hasty(self) -> bool:
        """Whether something was decided on what others have staged: never."""
        return False

    def execute(self, command: Command) -> tuple[Event, ...]:
        """Decide *command* and take its events into the state; after this, call `commit` before acting on them.

        Raises:
            CommandRejectedError: The run cannot do that now.
        """
        state = self.state
        events = decide(command, state)
        if events:
            for event in events:
                evolve(state, event)
            self.staged += events
            self._commands.append(command)
        return events

    def refresh(self, log: EventLog) -> None:
        """Take in what others have appended; while something is staged `commit` will find it out."""
        if not self.staged:
            for recorded in log.read(self.run_id, after=self.state.version):
                evolve(self.state, recorded.event)
                self.foreign.append(recorded.event)
            # Whoever waited on would wait for attempts that are somebody else's by now.
            self.fenced = self.fenced or self.state.epoch > self.epoch

    def rebase(self, log: EventLog) -> None:
        """Decide everything staged anew, on top of what others have appended in the meantime."""
        known = self.state.version - len(self.staged)
        commands = tuple(self._commands)
        self.settle()
        self.state = load(log, self.run_id)
        seen = self.state.version
        self.foreign.extend(each.event for each in log.read(self.run_id, after=known) if each.version <= seen)
        for command in commands:
            # What was allowed before may be so no longer: the one that came first has won.
            with suppress(CommandRejectedError):
                self.execute(command)

    def refuse_unstorable(self, log: EventLog) -> bool:
        """Decide everything staged anew, with a failure for each report that no log can hold; False if none."""
        commands = [_storable(command) for command in self._commands]
        if commands == self._commands:
            return False
        self._commands = commands
        self.rebase(log)
        return True

    def fence(self, log: EventLog) -> None:
        """Give the run up to the owner that has taken it over, and record what is reported too late (invariant I15)."""
        commands = tuple(self._commands)
        self.settle()
        self.fenced = True
        for command in commands:
            if isinstance(command, ReportSuccess | ReportFailure):
                self.reject(log, command)

    def reject(self, log: EventLog, report: ReportSuccess | ReportFailure) -> None:
        """Record that *report* came after the run was taken over; nothing of it counts."""
        request(
            log,
            self.run_id,
            RejectReport(
                instance=report.instance,
                attempt=report.attempt,
                epoch=self.epoch,
                outcome="succeeded" if isinstance(report, ReportSuccess) else "failed",
                at=report.at,
            ),
        )

    def drop(self, log: EventLog) -> None:
        """Decide nothing of what is staged after all: the run stands where the log says."""
        self.settle()
        self.state = load(log, self.run_id)

    def settle(self) -> None:
        """Forget what was staged: it is committed."""
        self.staged = []
        self._commands = []

    def append(self) -> Append:
        """Return what is staged, as it is to be appended."""
        return make_append(self.run_id, self.state.version - len(self.staged), self.staged, self.epoch)


def commit(
    log: EventLog, sessions: Iterable[RunSession], beside: Iterable[Session] = ()
) -> tuple[tuple[RunSession, list[Event]], ...]:
    """Append what *sessions*, and others *beside* them, have staged, all in one go; return what the runs had.

    Somebody else's request may have come first to one of the streams: that session is rebased and all is tried again.
    A session whose run was taken over by another owner is fenced, and the others go on without it.
    """
    # Those beside come first: when a batch may not start an item after all, neither does the item's run.
    busy: list[Session] = [session for session in (*beside, *sessions) if session.staged]
    for _ in range(_ATTEMPTS):
        if not busy:
            return ()
        try:
            log.append(*[session.append() for session in busy])
        except FencedError:
            _calm(log, busy)
            for session in busy:
                if session.epoch and log.ownership(session.stream).epoch != session.epoch:
                    session.fence(log)
        except EventFormatError:
            _calm(log, busy)
            # One value that cannot be stored must not hold up all the others: what brought it has failed.
            if not any(session.refuse_unstorable(log) for session in busy):
                raise
        except VersionConflictError:
            _calm(log, busy)
            for session in busy:
                if session.staged and log.version(session.stream) != session.append().expected_version:
                    session.rebase(log)
        else:
            done = tuple([(session, session.staged) for session in busy if isinstance(session, RunSession)])
            for session in busy:
                session.settle()
            return done
        busy = [session for session in busy if session.staged]
    raise VersionConflictError("the runs are changing too fast to be driven from here")


def _calm(log: EventLog, sessions: Iterable[Session]) -> None:
    """Take back what was decided on what is not committed after all; there is time for that in the next turn."""
    for session in sessions:
        if session.hasty:
            session.rebase(log)


def _storable(command: Command) -> Command:
    """Return *command*, or the failure that it amounts to when what it brings cannot be stored."""
    if not isinstance(command, ReportSuccess | ReportGuard):
        return command
    try:
        to_json([command.outputs, command.notes] if isinstance(command, ReportSuccess) else command.items)
    except EventFormatError as error:
        if isinstance(command, ReportGuard):
            return ReportGuardFailure(step=command.step, code=_UNSTORABLE, error=str(error), at=command.at)
        return ReportFailure(
            instance=command.instance,
            attempt=command.attempt,
            code=_UNSTORABLE,
            error=str(error),
            at=command.at,
            retryable=False,
        )
    return command
