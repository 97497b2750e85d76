"""The checks of attempts: that they start when they may, are numbered, and end once (I6, I7, I8, I11, I16)."""

from typing import Final

from flowcore.run.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    RetryAbandoned,
    StepLogged,
)
from flowcore.run.machine import SETTLED, StepStatus

from .kinds import AttemptEnd
from .ledger import Ledger
from .rows import Row

MAX_LOST: Final = 11
"""How many attempts of one instance may be lost with their runners; the last one fails it."""


def started(ledger: Ledger, row: Row, event: AttemptStarted) -> None:
    """Check the start of an attempt."""
    if row.guarded:
        ledger.say("I5", f"'{row.path}' starts before its condition was looked at")
    if row.bodied:
        ledger.say("I4", f"AttemptStarted: '{row.path}' has a body instead")
    ledger.may_start(row)
    if row.due is not None and event.at < row.due:
        ledger.say("I7", f"'{row.path}' is tried again before its time")
    if not ledger.move(row, AttemptStarted, StepStatus.RUNNING):
        return
    if event.attempt != row.attempt + 1:
        ledger.say("I7", f"attempt {event.attempt} of '{row.path}' follows attempt {row.attempt}")
    row.attempt = event.attempt
    row.lines = 0
    ledger.in_the_air += 1
    if row.attempt - row.lost > row.step.retry.max_attempts:
        ledger.say("I7", f"'{row.path}' is tried more than {row.step.retry.max_attempts} times")
    if ledger.in_the_air > ledger.max_workers:
        ledger.say("I8", f"{ledger.in_the_air} attempts are under way, at most {ledger.max_workers} may be")
    if row.attempt == 1:
        ledger.begin_item(row)


def logged(ledger: Ledger, row: Row, event: StepLogged) -> None:
    """Check lines of an attempt."""
    if row.status is not StepStatus.RUNNING or event.attempt != row.attempt:
        ledger.say("I16", f"StepLogged: attempt {event.attempt} of '{row.path}' is not under way")
    if event.first != row.lines:
        ledger.say("I16", f"line {event.first} of '{row.path}' follows line {row.lines}")
    row.lines += len(event.lines)


def held(ledger: Ledger, row: Row) -> None:
    """Check that only what may start is held; that it is ready follows from what it depends on."""
    if row.status not in {StepStatus.PENDING, StepStatus.RETRYING}:
        ledger.say("I4", f"StepHeld: '{row.path}' is {row.status}")
    else:
        ledger.may_start(row)


def succeeded(ledger: Ledger, row: Row, event: AttemptSucceeded) -> None:
    """Check a success, which brings the outputs with it."""
    declared = {output.name for output in row.step.outputs}
    if _land(ledger, row, event, StepStatus.SUCCEEDED) and {*event.outputs} != declared:
        ledger.say("I6", f"'{row.path}' left other outputs than it declares")


def missed(ledger: Ledger, row: Row, event: AttemptFailed | AttemptLost) -> None:
    """Check a failure or a loss, and what is said of the next attempt."""
    if not _land(ledger, row, event, StepStatus.FAILED if event.retry_at is None else StepStatus.RETRYING):
        return
    lost = isinstance(event, AttemptLost)
    row.lost += lost
    row.due = event.retry_at
    if row.status is StepStatus.FAILED:
        ledger.fail(row)
    elif ledger.stop_requested or row.given_up:
        ledger.say("I11", f"'{row.path}' shall be tried again though the run is being given up")
    elif not lost and row.attempt - row.lost >= row.step.retry.max_attempts:
        ledger.say("I7", f"'{row.path}' shall be tried more than {row.step.retry.max_attempts} times")
    elif row.lost >= MAX_LOST:
        ledger.say("I7", f"'{row.path}' was lost {row.lost} times and shall be tried again")


def stopped(ledger: Ledger, row: Row, event: AttemptStopped) -> None:
    """Check the end of an attempt that was cancelled."""
    if not ledger.stop_requested:
        ledger.say("I11", f"'{row.path}' was stopped though nobody asked for it")
    _land(ledger, row, event, StepStatus.STOPPED)


def abandoned(ledger: Ledger, row: Row) -> None:
    """Check that a further attempt was waited for."""
    if ledger.move(row, RetryAbandoned, StepStatus.FAILED):
        ledger.fail(row)
        if row.parent is not None:
            row.parent.unsettled -= 1


def _land(ledger: Ledger, row: Row, event: AttemptEnd, after: StepStatus) -> bool:
    """Take an attempt out of the air; return False when it was not there."""
    if row.status is not StepStatus.RUNNING or row.items is not None or row.body is not None:
        kind = type(event).__name__
        ledger.say("I6" if row.status is StepStatus.SUCCEEDED else "I4", f"{kind}: '{row.path}' is {row.status}")
        return False
    if event.attempt != row.attempt:
        ledger.say("I7", f"attempt {event.attempt} of '{row.path}' ends while {row.attempt} is under way")
        return False
    row.status = after
    ledger.in_the_air -= 1
    if row.parent is not None and after in SETTLED:
        row.parent.unsettled -= 1
    return True
