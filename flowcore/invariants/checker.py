"""The invariants of a run, checked event by event (contract reliability): for `fsck`, imports and simulation.

The checker keeps books of its own, from the flow and the events alone. It shares the tables and the policies with the
machine, for those are the specification, and none of its code: what `decide` and `evolve` get wrong is seen here.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from flowcore.ids import item_id
from flowcore.model import Flow, Step
from flowcore.ports import Recorded
from flowcore.run.events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    PauseCause,
    ReportRejected,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunLevelEvent,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepEvent,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
)
from flowcore.run.machine import ENDED, RUN_TRANSITIONS, SETTLED, STEP_TRANSITIONS, RunStatus, StepStatus
from flowcore.run.policy import stops_run, tolerated

from .kinds import BY_INSTANCE, STEP_LEVEL, AttemptEnd
from .rows import Row, Standing, lets, unjustified
from .violation import Violation

MAX_LOST: Final = 11
"""How many attempts of one instance may be lost with their runners; the last one fails it."""


class RunChecker:
    """Checks the events of one run, in their order; costs a constant for each, and a walk over the steps at the end."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.status = RunStatus.NEW
        self._found: list[Violation] = []
        self._position = 0
        self._version = 0
        self._epoch = 0
        self._flow = Flow()
        self._max_workers = 0
        self._rows: dict[str, Row] = {}
        self._needs: dict[str, list[Row]] = {}
        self._waiting: dict[str, list[Step]] = {}
        self._in_the_air = 0
        self._stop_requested = False
        self._failed = False
        self._halted = False
        self._paused: Row | None = None
        self._arrived: set[str] = set()

    def check(self, recorded: Recorded) -> list[Violation]:
        """Take *recorded* in, and return what it violates; mostly nothing."""
        event = recorded.event
        found = self._found = []
        self._place(recorded)
        if isinstance(event, STEP_LEVEL):
            if self.status is RunStatus.NEW:
                self._say("I4", f"{type(event).__name__} before the run was created")
            else:
                self._step_event(event)
        else:
            self._run_event(event)
        return found

    def _say(self, invariant: str, message: str) -> None:
        self._found.append(Violation(invariant, message, self._position))

    def _place(self, recorded: Recorded) -> None:
        version, self._version = self._version, recorded.version
        position, self._position = self._position, recorded.position
        if recorded.version != version + 1:
            self._say("I1", f"version {recorded.version} follows version {version}")
        if recorded.position <= position:
            self._say("I1", f"position {recorded.position} follows position {position}")
        if recorded.epoch:
            if recorded.epoch < self._epoch:
                self._say("I15", f"an owner of epoch {recorded.epoch} appended after one of epoch {self._epoch}")
            self._epoch = max(self._epoch, recorded.epoch)

    # The run.

    def _run_event(self, event: RunLevelEvent) -> None:
        kind = type(event)
        after = RUN_TRANSITIONS[self.status].get(kind)
        if after is None:
            self._say("I4", f"{kind.__name__} while the run is {self.status}")
            return
        if after in ENDED and self.status not in ENDED:
            self._end(kind)
        self.status = after
        if isinstance(event, RunCreated):
            self._create(event)
        elif isinstance(event, RunStopRequested):
            if self._stop_requested:
                self._say("I11", "the run is asked to stop a second time")
            self._stop_requested = True
            self._go_on()
        elif isinstance(event, RunContinued):
            self._go_on()
        elif isinstance(event, ReportRejected):
            self._row(event, event.instance)
        elif isinstance(event, ArtifactArrived):
            if event.edge in self._arrived:
                self._say("I16", f"'{event.edge}' arrives a second time")
            self._arrived.add(event.edge)

    def _go_on(self) -> None:
        """Let the step at which the run has paused begin."""
        row, self._paused = self._paused, None
        if row is not None and row.status is StepStatus.PAUSED:
            row.status = StepStatus.PENDING
        if row is not None:
            row.paused = False

    def _create(self, event: RunCreated) -> None:
        flow = self._flow = event.flow
        self._max_workers = event.max_workers
        self._rows = {step.name: Row(step) for step in flow.steps}
        self._waiting = {step.name: [] for step in flow.steps}
        for step in flow.steps:
            self._needs[step.name] = [self._rows[name] for name in step.depends_on]
            for name in step.depends_on:
                self._waiting[name].append(step)

    def _end(self, kind: type[Event]) -> None:
        open_rows = [name for name, row in self._rows.items() if row.status not in SETTLED]
        if open_rows:
            self._say("I9", f"{kind.__name__}, but step '{open_rows[0]}' is {self._rows[open_rows[0]].status}")
        if self._in_the_air:
            self._say("I9", f"{kind.__name__} while {self._in_the_air} attempts are under way")
        if self._stop_requested and kind is not RunStopped:
            self._say("I11", f"{kind.__name__} after the run was asked to stop")
        elif kind is RunStopped and not self._stop_requested and self.status is not RunStatus.QUEUED:
            self._say("I11", "the run was stopped though nobody asked for it")
        elif kind is RunSucceeded and self._failed:
            self._say("I9", "the run succeeded in spite of a failure that no policy tolerates")
        elif kind is RunFailed and not self._failed:
            self._say("I9", "the run failed without a failure that counts")

    # Steps.

    def _step_event(self, event: StepEvent) -> None:
        name = event.instance if isinstance(event, BY_INSTANCE) else event.step
        row = self._row(event, name)
        if row is None:
            return
        match event:
            case AttemptStarted():
                self._started(row, event)
            case AttemptSucceeded():
                self._succeeded(row, event)
            case AttemptFailed() | AttemptLost():
                self._missed(row, event)
            case AttemptStopped():
                self._stopped(row, event)
            case RetryAbandoned():
                if self._move(row, name, RetryAbandoned, StepStatus.FAILED):
                    self._fail(row)
                    if row.parent is not None:
                        row.parent.unsettled -= 1
            case StepSkipped():
                self._skipped(row, event)
            case StepImported():
                self._imported(row, event)
            case ConditionMet():
                self._met(row, event)
            case FanOutStarted():
                self._fanned(row, event)
            case FanOutSucceeded() | FanOutFailed():
                self._joined(row, event)
            case GuardFailed():
                self._guard_failed(row, event)
            case StepPaused():
                self._pause(row, event)
            case StepLogged():
                self._logged(row, event)
            case AwaitFailed():
                if not {*row.step.awaits} - self._arrived:
                    self._say("I5", f"AwaitFailed: nothing that '{event.step}' waits for is missing")
                if self._move(row, event.step, AwaitFailed, StepStatus.FAILED):
                    self._fail(row)
            case _:
                assert_never(event)

    def _row(self, event: Event, name: str) -> Row | None:
        row = self._rows.get(name)
        if row is None:
            self._say("I18", f"{type(event).__name__} of '{name}', which the flow does not have")
        return row

    def _move(self, row: Row, name: str, kind: type[Event], after: StepStatus) -> bool:
        """Take *row* to *after* if the tables have it; a step that is pending may be ready by now."""
        before = row.status
        allowed = STEP_TRANSITIONS[before].get(kind, frozenset())
        if before is StepStatus.PENDING:
            allowed |= STEP_TRANSITIONS[StepStatus.READY].get(kind, frozenset())
        if after not in allowed:
            self._say("I6" if before is StepStatus.SUCCEEDED else "I4", f"{kind.__name__}: '{name}' is {before}")
            return False
        row.status = after
        return True

    def _may_start(self, row: Row, name: str) -> None:
        """See that something new may begin, and that the step is due by its dependencies (I5, I11, I13)."""
        if self.status is not RunStatus.RUNNING:
            self._say("I13", f"'{name}' starts while the run is {self.status}")
        if self._stop_requested:
            self._say("I11", f"'{name}' starts after the run was asked to stop")
        elif self._halted:
            self._say("I5", f"'{name}' starts after a failure has halted the run")
        if row.parent is None and row.attempt == 0:
            for need in self._needs[row.step.name]:
                if not lets(self._flow, need, row.step):
                    self._say("I5", f"'{name}' starts though '{need.step.name}' is {need.status}")
            for edge in row.step.awaits:
                if edge not in self._arrived:
                    self._say("I5", f"'{name}' starts though '{edge}' has not arrived")

    def _started(self, row: Row, event: AttemptStarted) -> None:
        if row.guarded:
            self._say("I5", f"'{event.instance}' starts before its condition was looked at")
        self._may_start(row, event.instance)
        if row.due is not None and event.at < row.due:
            self._say("I7", f"'{event.instance}' is tried again before its time")
        if not self._move(row, event.instance, AttemptStarted, StepStatus.RUNNING):
            return
        if event.attempt != row.attempt + 1:
            self._say("I7", f"attempt {event.attempt} of '{event.instance}' follows attempt {row.attempt}")
        row.attempt = event.attempt
        row.lines = 0
        self._in_the_air += 1
        if row.attempt - row.lost > row.step.retry.max_attempts:
            self._say("I7", f"'{event.instance}' is tried more than {row.step.retry.max_attempts} times")
        if self._in_the_air > self._max_workers:
            self._say("I8", f"{self._in_the_air} attempts are under way, at most {self._max_workers} may be")
        if row.parent is not None and row.attempt == 1:
            self._check_parallel(row.parent)

    def _check_parallel(self, parent: Row) -> None:
        # An item counts from its first attempt until it is settled, the pauses between its attempts included.
        parent.unsettled += 1
        limit = parent.step.max_parallel
        if limit is not None and parent.unsettled > limit:
            self._say("I8", f"{parent.unsettled} items of '{parent.step.name}' go on at once, at most {limit} may")

    def _land(self, row: Row, event: AttemptEnd, after: StepStatus) -> bool:
        """Take an attempt out of the air; return False when it was not there."""
        if row.status is not StepStatus.RUNNING or row.items is not None:
            kind = type(event).__name__
            self._say(
                "I6" if row.status is StepStatus.SUCCEEDED else "I4", f"{kind}: '{event.instance}' is {row.status}"
            )
            return False
        if event.attempt != row.attempt:
            self._say("I7", f"attempt {event.attempt} of '{event.instance}' ends while {row.attempt} is under way")
            return False
        row.status = after
        self._in_the_air -= 1
        if row.parent is not None and after in SETTLED:
            row.parent.unsettled -= 1
        return True

    def _succeeded(self, row: Row, event: AttemptSucceeded) -> None:
        declared = {output.name for output in row.step.outputs}
        if self._land(row, event, StepStatus.SUCCEEDED) and {*event.outputs} != declared:
            self._say("I6", f"'{event.instance}' left other outputs than it declares")

    def _missed(self, row: Row, event: AttemptFailed | AttemptLost) -> None:
        if not self._land(row, event, StepStatus.FAILED if event.retry_at is None else StepStatus.RETRYING):
            return
        lost = isinstance(event, AttemptLost)
        row.lost += lost
        row.due = event.retry_at
        if row.status is StepStatus.FAILED:
            self._fail(row)
        elif self._stop_requested or self._halted:
            self._say("I11", f"'{event.instance}' shall be tried again though the run is being given up")
        elif not lost and row.attempt - row.lost >= row.step.retry.max_attempts:
            self._say("I7", f"'{event.instance}' shall be tried more than {row.step.retry.max_attempts} times")
        elif row.lost >= MAX_LOST:
            self._say("I7", f"'{event.instance}' was lost {row.lost} times and shall be tried again")

    def _stopped(self, row: Row, event: AttemptStopped) -> None:
        if not self._stop_requested:
            self._say("I11", f"'{event.instance}' was stopped though nobody asked for it")
        self._land(row, event, StepStatus.STOPPED)

    def _fail(self, row: Row) -> None:
        if row.parent is None:
            waiting = self._waiting[row.step.name]
            self._failed = self._failed or not tolerated(self._flow, row.step, waiting)
            self._halted = self._halted or stops_run(self._flow, row.step, waiting)

    def _met(self, row: Row, event: ConditionMet) -> None:
        if not row.guarded or row.step.for_each is not None:
            self._say("I4", f"ConditionMet: '{event.step}' has no condition to be looked at")
        elif row.status is not StepStatus.PENDING:
            self._say("I4", f"ConditionMet: '{event.step}' is {row.status}")
        self._may_start(row, event.step)
        row.guarded = False

    def _fanned(self, row: Row, event: FanOutStarted) -> None:
        if not row.guarded or row.step.for_each is None:
            self._say("I4", f"FanOutStarted: '{event.step}' has no list to be looked at")
        self._may_start(row, event.step)
        if self._move(row, event.step, FanOutStarted, StepStatus.RUNNING):
            row.guarded = False
            row.items = [Row(row.step, row) for _ in event.items]
            self._rows.update((item_id(event.step, number), item) for number, item in enumerate(row.items))

    def _pause(self, row: Row, event: StepPaused) -> None:
        if self.status is not RunStatus.RUNNING:
            self._say("I13", f"the run pauses at '{event.instance}' while it is {self.status}")
        before = event.cause is not PauseCause.BREAKPOINT_POST
        if self._move(row, event.instance, StepPaused, StepStatus.PAUSED if before else StepStatus.SUCCEEDED):
            self._paused = row
            row.paused = before
        self.status = RunStatus.PAUSED

    def _logged(self, row: Row, event: StepLogged) -> None:
        if row.status is not StepStatus.RUNNING or event.attempt != row.attempt:
            self._say("I16", f"StepLogged: attempt {event.attempt} of '{event.instance}' is not under way")
        if event.first != row.lines:
            self._say("I16", f"line {event.first} of '{event.instance}' follows line {row.lines}")
        row.lines += len(event.lines)

    def _guard_failed(self, row: Row, event: GuardFailed) -> None:
        if not row.guarded:
            self._say("I4", f"GuardFailed: '{event.step}' has nothing to be looked at")
        self._may_start(row, event.step)
        if self._move(row, event.step, GuardFailed, StepStatus.FAILED):
            self._fail(row)

    def _joined(self, row: Row, event: FanOutSucceeded | FanOutFailed) -> None:
        items = row.items
        if items is None:
            self._say("I4", f"{type(event).__name__}: '{event.step}' has no items")
            return
        if any(item.status not in SETTLED for item in items):
            self._say("I9", f"{type(event).__name__} while an item of '{event.step}' is not settled")
        all_well = all(item.status is StepStatus.SUCCEEDED for item in items)
        if isinstance(event, FanOutSucceeded) is not all_well:
            self._say("I6", f"{type(event).__name__}, which is not what the items of '{event.step}' came to")
        after = StepStatus.SUCCEEDED if isinstance(event, FanOutSucceeded) else StepStatus.FAILED
        if self._move(row, event.step, type(event), after) and after is StepStatus.FAILED:
            self._fail(row)

    def _skipped(self, row: Row, event: StepSkipped) -> None:
        if not self._move(row, event.instance, StepSkipped, StepStatus.SKIPPED):
            return
        row.cause = event.cause
        standing = Standing(self.status, stop_requested=self._stop_requested, halted=self._halted)
        why = unjustified(self._flow, row, self._needs[row.step.name], event.cause, standing)
        if why is not None:
            self._say("I9", f"'{event.instance}' was skipped ({event.cause}), but {why}")

    def _imported(self, row: Row, event: StepImported) -> None:
        if self.status is not RunStatus.QUEUED:
            self._say("I6", f"'{event.step}' was taken over while the run was {self.status}")
        self._move(row, event.step, StepImported, StepStatus.SUCCEEDED)


def violations(events: Iterable[Recorded]) -> list[Violation]:
    """Return everything that the events of one run violate, in their order."""
    checker = RunChecker()
    return [found for recorded in events for found in checker.check(recorded)]
