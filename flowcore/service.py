"""Load, fold, decide, append, start over on conflict: the only module that calls ports.

`RunSession` is for the one that drives a run and keeps its state between commands; `request` is for everybody else, who
comes with a single command.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from flowcore.errors import CommandRejectedError, EventFormatError, RunNotFoundError, VersionConflictError
from flowcore.ids import RunId
from flowcore.model import Flow
from flowcore.ports import Append, EventLog
from flowcore.run.commands import Command, CreateRun
from flowcore.run.decide import decide
from flowcore.run.events import Event
from flowcore.run.evolve import evolve, fold
from flowcore.run.state import RunState
from flowcore.values import Instant

_ATTEMPTS: Final = 100
"""A conflict means that somebody else got through: so many in a row are a fault, not bad luck."""


def create_run(log: EventLog, flow: Flow, *, at: Instant, max_workers: int | None = None) -> RunId:
    """Append a queued run of *flow* and return its id: milliseconds since the epoch, the next free one when taken."""
    for _ in range(_ATTEMPTS):
        newest = log.runs(limit=1)
        run_id = RunId(max(int(at * 1000), newest[0] + 1 if newest else 0))
        command = CreateRun(run_id=run_id, flow=flow, at=at, max_workers=max_workers)
        try:
            log.append(Append(run_id, 0, decide(command, RunState())))
        except VersionConflictError:
            continue
        return run_id
    raise VersionConflictError("no free run id was found: too many runs are being created at once")


def load(log: EventLog, run_id: RunId) -> RunState:
    """Return the state of a run, folded from its log.

    Raises:
        RunNotFoundError: There is no such run.
        EventFormatError: Its events cannot be read, or do not fit together.
    """
    try:
        state = fold(recorded.event for recorded in log.read(run_id))
    except (LookupError, ValueError) as error:
        if isinstance(error, EventFormatError):
            raise
        raise EventFormatError(f"the events of run {run_id} do not fit together: {error!r}") from error
    if not state.version:
        raise RunNotFoundError(f"no run {run_id} in this log")
    return state


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


class RunSession:
    """A run as its driver holds it: the state, and what was decided since the last commit.

    Attributes:
        state: Read it; only `execute` and `commit` change it.
        staged: The events that are decided and not yet committed.
        rebased: Whether somebody else's events came in between; ask `pending` again and set it back.
    """

    def __init__(self, log: EventLog, run_id: RunId) -> None:
        """Fold the run from *log*.

        Raises:
            RunNotFoundError: There is no such run.
        """
        self.run_id = run_id
        self.state = load(log, run_id)
        self.staged: list[Event] = []
        self.rebased = False
        self._commands: list[Command] = []

    def execute(self, command: Command) -> tuple[Event, ...]:
        """Decide *command* and take its events into the state; after this, call `commit` before acting on them.

        Raises:
            CommandRejectedError: The run cannot do that now.
        """
        events = decide(command, self.state)
        for event in events:
            evolve(self.state, event)
        if events:
            self.staged.extend(events)
            self._commands.append(command)
        return events

    def rebase(self, log: EventLog) -> None:
        """Decide everything staged anew, on top of what others have appended in the meantime."""
        commands = tuple(self._commands)
        self.settle()
        self.rebased = True
        self.state = load(log, self.run_id)
        for command in commands:
            # What was allowed before may be so no longer: the one that came first has won.
            with suppress(CommandRejectedError):
                self.execute(command)

    def settle(self) -> None:
        """Forget what was staged: it is committed."""
        self.staged = []
        self._commands = []


def commit(log: EventLog, sessions: Iterable[RunSession]) -> tuple[tuple[RunSession, list[Event]], ...]:
    """Append what *sessions* have staged, all in one go, and return it.

    Somebody else's request may have come first to one of the streams: that session is rebased and all is tried again.
    """
    busy = [session for session in sessions if session.staged]
    for _ in range(_ATTEMPTS):
        if not busy:
            return ()
        try:
            log.append(*(Append(each.run_id, each.state.version - len(each.staged), each.staged) for each in busy))
        except VersionConflictError:
            for session in busy:
                if log.version(session.run_id) != session.state.version - len(session.staged):
                    session.rebase(log)
            busy = [session for session in busy if session.staged]
            continue
        done = tuple((session, session.staged) for session in busy)
        for session in busy:
            session.settle()
        return done
    raise VersionConflictError("the runs are changing too fast to be driven from here")
