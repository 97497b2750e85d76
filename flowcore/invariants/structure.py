"""The checks of what is no attempt: conditions, fan-outs, bodies, skips, pauses (I4, I5, I6, I9, I13)."""

from flowcore.ids import item_id
from flowcore.run.events import (
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
    PauseCause,
    StepImported,
    StepPaused,
    StepSkipped,
)
from flowcore.run.machine import SETTLED, RunStatus, StepStatus

from .ledger import Ledger
from .rows import Page, Row, Standing, unjustified


def met(ledger: Ledger, row: Row) -> None:
    """Check that a condition was looked at when it was due."""
    if not row.guarded or row.step.for_each is not None:
        ledger.say("I4", f"ConditionMet: '{row.path}' has no condition to be looked at")
    elif row.status is not StepStatus.PENDING:
        ledger.say("I4", f"ConditionMet: '{row.path}' is {row.status}")
    ledger.may_start(row)
    row.guarded = False


def guard_failed(ledger: Ledger, row: Row) -> None:
    """Check that there was something to be looked at."""
    if not row.guarded:
        ledger.say("I4", f"GuardFailed: '{row.path}' has nothing to be looked at")
    ledger.may_start(row)
    if ledger.move(row, GuardFailed, StepStatus.FAILED):
        ledger.fail(row)


def await_failed(ledger: Ledger, row: Row) -> None:
    """Check that something is missing that the step waits for."""
    if not {*row.step.awaits} - ledger.arrived:
        ledger.say("I5", f"AwaitFailed: nothing that '{row.path}' waits for is missing")
    if ledger.move(row, AwaitFailed, StepStatus.FAILED):
        ledger.fail(row)


def fanned(ledger: Ledger, row: Row, event: FanOutStarted) -> None:
    """Check the beginning of a fan-out."""
    if not row.guarded or row.step.for_each is None:
        ledger.say("I4", f"FanOutStarted: '{row.path}' has no list to be looked at")
    ledger.may_start(row)
    if ledger.move(row, FanOutStarted, StepStatus.RUNNING):
        row.guarded = False
        paths = [item_id(event.step, number) for number in range(len(event.items))]
        row.items = [Row(path, row.step, row.page, row) for path in paths]
        ledger.rows.update(zip(paths, row.items, strict=True))


def joined(ledger: Ledger, row: Row, event: FanOutSucceeded | FanOutFailed) -> None:
    """Check the end of a fan-out, or of a loop."""
    items, kind = row.items, type(event)
    if items is None:
        ledger.say("I4", f"{kind.__name__}: '{row.path}' has no items")
        return
    if any(item.status not in SETTLED for item in items):
        ledger.say("I9", f"{kind.__name__} while an item of '{row.path}' is not settled")
    success = isinstance(event, FanOutSucceeded)
    all_well = all(item.status is StepStatus.SUCCEEDED for item in items)
    # A loop fails for its condition too.
    if success is not all_well and (success or row.step.loop is None):
        ledger.say("I6", f"{kind.__name__}, which is not what the items of '{row.path}' came to")
    if ledger.move(row, kind, StepStatus.SUCCEEDED if success else StepStatus.FAILED) and not success:
        ledger.fail(row)


def entered(ledger: Ledger, row: Row) -> None:
    """Check the beginning of a body."""
    if not row.bodied or row.step.loop is not None or row.guarded:
        ledger.say("I4", f"BodyStarted: '{row.path}' has no body to be begun")
    ledger.may_start(row)
    if ledger.move(row, BodyStarted, StepStatus.RUNNING):
        ledger.begin_item(row)
        _open(ledger, row)


def iterated(ledger: Ledger, row: Row, event: IterationStarted) -> None:
    """Check the beginning of an iteration: it follows the one before, which has succeeded."""
    loop, items = row.step.loop, [] if row.items is None else row.items
    if loop is None or row.guarded:
        ledger.say("I4", f"IterationStarted: '{row.path}' has no loop to be begun")
    elif event.number != len(items) or event.number >= loop.max_iterations:
        ledger.say("I7", f"iteration {event.number} of '{row.path}' follows {len(items)} others")
    if any(item.status is not StepStatus.SUCCEEDED for item in items[-1:]):
        ledger.say("I5", f"iteration {event.number} of '{row.path}' begins before the last one has succeeded")
    ledger.may_start(row)
    if ledger.move(row, IterationStarted, StepStatus.RUNNING):
        item = Row(item_id(event.step, event.number), row.step, row.page, row)
        item.status = StepStatus.RUNNING
        items.append(item)
        row.items = items
        ledger.rows[item.path] = item
        _open(ledger, item)


def _open(ledger: Ledger, row: Row) -> None:
    row.body = Page(row.step.body, row)
    ledger.open_page(row.body)


def left(ledger: Ledger, row: Row, event: BodySucceeded | BodyFailed) -> None:
    """Check the end of a body."""
    kind, page = type(event), row.body
    if page is None:
        ledger.say("I4", f"{kind.__name__}: '{row.path}' has begun no body")
        return
    if any(each.status not in SETTLED for each in page.rows.values()):
        ledger.say("I9", f"{kind.__name__} while a step of '{row.path}' is not settled")
    success = isinstance(event, BodySucceeded)
    # A body that had ended when all around it was given up may have ended well.
    given_up = page.given_up or ledger.stop_requested
    if page.failed if success else not (page.failed or given_up):
        ledger.say("I6", f"{kind.__name__}, which is not what the steps of '{row.path}' came to")
    if ledger.move(row, kind, StepStatus.SUCCEEDED if success else StepStatus.FAILED):
        if row.parent is not None and row.step.loop is None:
            row.parent.unsettled -= 1
        if not success:
            ledger.fail(row)


def skipped(ledger: Ledger, row: Row, event: StepSkipped) -> None:
    """Check that there was a reason to skip."""
    if not ledger.move(row, StepSkipped, StepStatus.SKIPPED):
        return
    row.cause = event.cause
    standing = Standing(ledger.status, stop_requested=ledger.stop_requested, halted=ledger.root.halted)
    why = unjustified(ledger.flow, row, event.cause, standing)
    if why is not None:
        ledger.say("I9", f"'{row.path}' was skipped ({event.cause}), but {why}")


def imported(ledger: Ledger, row: Row) -> None:
    """Check that what a parent left is taken over at the beginning."""
    if ledger.status is not RunStatus.QUEUED:
        ledger.say("I6", f"'{row.path}' was taken over while the run was {ledger.status}")
    ledger.move(row, StepImported, StepStatus.SUCCEEDED)


def paused(ledger: Ledger, row: Row, event: StepPaused) -> None:
    """Check that the run may pause at the step."""
    if ledger.status is not RunStatus.RUNNING:
        ledger.say("I13", f"the run pauses at '{row.path}' while it is {ledger.status}")
    before = event.cause is not PauseCause.BREAKPOINT_POST
    if ledger.move(row, StepPaused, StepStatus.PAUSED if before else StepStatus.SUCCEEDED):
        ledger.paused = row
        row.paused = before
    ledger.status = RunStatus.PAUSED


def go_on(ledger: Ledger) -> None:
    """Let the step at which the run has paused begin."""
    row, ledger.paused = ledger.paused, None
    if row is not None:
        row.paused = False
        if row.status is StepStatus.PAUSED:
            row.status = StepStatus.PENDING
