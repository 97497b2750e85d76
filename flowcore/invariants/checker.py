"""The invariants of a run, checked event by event (contract reliability): for `fsck`, imports and simulation.

The checker keeps books of its own, from the flow and the events alone. It shares the tables and the policies with the
machine, for those are the specification, and none of its code: what `decide` and `evolve` get wrong is seen here.
"""

from collections.abc import Iterable
from typing import assert_never

from flowcore.ports import Recorded
from flowcore.run.events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
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
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
)
from flowcore.run.machine import ENDED, RUN_TRANSITIONS, SETTLED, RunStatus

from . import attempts, structure
from .kinds import BY_INSTANCE, STEP_LEVEL
from .ledger import Ledger
from .order import Order
from .rows import Page
from .violation import Violation


class RunChecker:
    """Checks the events of one run, in their order; costs a constant for each, and a walk over the steps at the end."""

    def __init__(self) -> None:
        """Start before the first event."""
        self._ledger = Ledger()
        self._order = Order()

    def check(self, recorded: Recorded) -> list[Violation]:
        """Take *recorded* in, and return what it violates; mostly nothing."""
        event, ledger = recorded.event, self._ledger
        found = ledger.found = []
        ledger.position = recorded.position
        for invariant, message in self._order.check(recorded):
            ledger.say(invariant, message)
        if isinstance(event, STEP_LEVEL):
            if ledger.status is RunStatus.NEW:
                ledger.say("I4", f"{type(event).__name__} before the run was created")
            else:
                self._step_event(event)
        else:
            self._run_event(event)
        return found

    def _run_event(self, event: RunLevelEvent) -> None:
        kind, ledger = type(event), self._ledger
        after = RUN_TRANSITIONS[ledger.status].get(kind)
        if after is None:
            ledger.say("I4", f"{kind.__name__} while the run is {ledger.status}")
            return
        if after in ENDED and ledger.status not in ENDED:
            self._end(kind)
        ledger.status = after
        if isinstance(event, RunCreated):
            ledger.flow = event.flow
            ledger.max_workers = event.max_workers
            ledger.root = Page(event.flow.steps)
            ledger.open_page(ledger.root)
        elif isinstance(event, RunStopRequested):
            if ledger.stop_requested:
                ledger.say("I11", "the run is asked to stop a second time")
            ledger.stop_requested = True
            structure.go_on(ledger)
        elif isinstance(event, RunContinued):
            structure.go_on(ledger)
        elif isinstance(event, ReportRejected):
            ledger.row(event, event.instance)
        elif isinstance(event, ArtifactArrived):
            if event.edge in ledger.arrived:
                ledger.say("I16", f"'{event.edge}' arrives a second time")
            ledger.arrived.add(event.edge)

    def _end(self, kind: type[Event]) -> None:
        ledger = self._ledger
        open_rows = [row for row in ledger.root.rows.values() if row.status not in SETTLED]
        if open_rows:
            ledger.say("I9", f"{kind.__name__}, but step '{open_rows[0].path}' is {open_rows[0].status}")
        if ledger.in_the_air:
            ledger.say("I9", f"{kind.__name__} while {ledger.in_the_air} attempts are under way")
        if ledger.stop_requested and kind is not RunStopped:
            ledger.say("I11", f"{kind.__name__} after the run was asked to stop")
        elif kind is RunStopped and not ledger.stop_requested and ledger.status is not RunStatus.QUEUED:
            ledger.say("I11", "the run was stopped though nobody asked for it")
        elif kind is RunSucceeded and ledger.root.failed:
            ledger.say("I9", "the run succeeded in spite of a failure that no policy tolerates")
        elif kind is RunFailed and not ledger.root.failed:
            ledger.say("I9", "the run failed without a failure that counts")

    def _step_event(self, event: StepEvent) -> None:
        ledger = self._ledger
        row = ledger.row(event, event.instance if isinstance(event, BY_INSTANCE) else event.step)
        if row is None:
            return
        match event:
            case AttemptStarted():
                attempts.started(ledger, row, event)
            case AttemptSucceeded():
                attempts.succeeded(ledger, row, event)
            case AttemptFailed() | AttemptLost():
                attempts.missed(ledger, row, event)
            case AttemptStopped():
                attempts.stopped(ledger, row, event)
            case StepLogged():
                attempts.logged(ledger, row, event)
            case StepHeld():
                attempts.held(ledger, row)
            case RetryAbandoned():
                attempts.abandoned(ledger, row)
            case StepSkipped():
                structure.skipped(ledger, row, event)
            case StepImported():
                structure.imported(ledger, row)
            case StepPaused():
                structure.paused(ledger, row, event)
            case ConditionMet():
                structure.met(ledger, row)
            case GuardFailed():
                structure.guard_failed(ledger, row)
            case AwaitFailed():
                structure.await_failed(ledger, row)
            case FanOutStarted():
                structure.fanned(ledger, row, event)
            case FanOutSucceeded() | FanOutFailed():
                structure.joined(ledger, row, event)
            case BodyStarted():
                structure.entered(ledger, row)
            case IterationStarted():
                structure.iterated(ledger, row, event)
            case BodySucceeded() | BodyFailed():
                structure.left(ledger, row, event)
            case _:
                assert_never(event)


def violations(events: Iterable[Recorded]) -> list[Violation]:
    """Return everything that the events of one run violate, in their order."""
    checker = RunChecker()
    return [found for recorded in events for found in checker.check(recorded)]
