"""Events in words: one short sentence for each kind."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, assert_never

from flowcore.audit import CallAccepted
from flowcore.batch.events import (
    BatchCreated,
    BatchFailed,
    BatchResumed,
    BatchStopped,
    BatchSucceeded,
    ItemFailed,
    ItemStarted,
    ItemStopped,
    ItemSucceeded,
)
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
    BreakpointsDisabled,
    ConditionMet,
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
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
)
from flowcore_cli.render import counted, duration

if TYPE_CHECKING:
    from flowcore.batch.events import BatchEvent, BatchItem
    from flowcore.run.events import Event, RunLevelEvent


def described(event: "Event") -> tuple[str, str]:
    """Return whom *event* is about (a step, or nothing for the run) and what happened, in words."""
    match event:
        case AttemptStarted(instance=name, attempt=attempt):
            return name, "started" + _numbered(attempt)
        case AttemptSucceeded(instance=name, attempt=attempt, notes=notes):
            return name, "; ".join(("succeeded" + _numbered(attempt), *notes))
        case AttemptFailed(instance=name, attempt=attempt, error=error, retry_at=due, at=at):
            again = "" if due is None else f"; tried again in {duration(due - at)}"
            return name, f"failed{_numbered(attempt)}: {error}{again}"
        case AttemptLost(instance=name, attempt=attempt, error=error, retry_at=due):
            return name, f"lost{_numbered(attempt)}: {error}" + ("" if due is None else "; tried again")
        case AttemptStopped(instance=name):
            return name, "stopped"
        case RetryAbandoned(instance=name):
            return name, "failed: there is no time for a further attempt"
        case ConditionMet(step=name):
            return name, "its condition is met"
        case FanOutStarted(step=name, items=items):
            return name, f"runs for {counted(len(items), 'item')}"
        case FanOutSucceeded(step=name):
            return name, "succeeded for all items"
        case (
            FanOutFailed(step=name, error=error)
            | GuardFailed(step=name, error=error)
            | AwaitFailed(step=name, error=error)
            | BodyFailed(instance=name, error=error)
        ):
            return name, f"failed: {error}"
        case StepSkipped(instance=name, reason=reason):
            return name, f"skipped: {reason}"
        case BodyStarted(instance=name):
            return name, "begins its body"
        case IterationStarted(step=name, number=number):
            return name, f"begins iteration {number + 1}"
        case BodySucceeded(instance=name):
            return name, "succeeded"
        case StepPaused(instance=name, cause=cause):
            return name, PAUSES[cause]
        case StepLogged(instance=name, lines=lines):
            return name, f"wrote {counted(len(lines), 'line')}"
        case StepHeld(instance=name, reason=reason):
            return name, reason
        case StepImported(step=name):
            return name, "taken over from the parent run"
        case _:
            return "", _of_run(event)


PAUSES: Final[Mapping[str, str]] = {
    "breakpoint-pre": "the run paused before it: breakpoint",
    "breakpoint-post": "the run paused after it: breakpoint",
    "wait": "the run paused at it, as it asks",
}
"""What the causes of a pause are called."""


def _of_run(event: "RunLevelEvent") -> str:
    match event:
        case RunCreated(flow=flow, parent=parent, forked_from=start):
            origin = "" if parent is None else f", {'retry' if start is None else f'fork from {start}'} of run {parent}"
            return f"created with {counted(len(flow.steps), 'step')}{origin}"
        case CallAccepted():
            return _call(event)
        case RunStarted():
            return "started"
        case RunResumed(owner=owner):
            return f"taken over by {owner}"
        case ReportRejected(instance=name, attempt=attempt, outcome=outcome):
            return f"a report came too late: attempt {attempt} of {name} {outcome}"
        case ArtifactArrived(edge=edge):
            return f"'{edge}' has arrived"
        case BreakpointsDisabled():
            return "pauses at no breakpoint any more"
        case TraceToggled(enabled=enabled):
            return "is traced from here on" if enabled else "is not traced any more"
        case RunPaused():
            return "paused"
        case RunContinued():
            return "goes on"
        case RunStopRequested(reason=reason):
            return f"asked to stop: {reason}"
        case RunSucceeded():
            return "succeeded"
        case RunFailed():
            return "failed"
        case RunStopped():
            return "stopped"
        case _:
            assert_never(event)


def batch_described(event: "BatchEvent", items: Sequence["BatchItem"]) -> tuple[str, str]:
    """Return whom *event* of a batch of *items* is about (an item, or nothing for the batch) and what happened."""
    match event:
        case ItemStarted(item=number):
            return _item(number, items), "started"
        case ItemSucceeded(item=number):
            return _item(number, items), "succeeded"
        case ItemFailed(item=number, error=error):
            return _item(number, items), f"failed: {error}"
        case ItemStopped(item=number):
            return _item(number, items), "stopped"
        case BatchCreated(items=created, workers=workers, folder=folder):
            origin = "" if folder is None else f" from {folder}"
            return "", f"created with {counted(len(created), 'item')}{origin}, at most {workers:,} at once"
        case CallAccepted():
            return "", _call(event)
        case BatchResumed(owner=owner):
            return "", f"taken over by {owner}"
        case BatchSucceeded():
            return "", "succeeded"
        case BatchFailed():
            return "", "failed"
        case BatchStopped(reason=reason):
            return "", f"stopped: {reason}"
        case _:
            assert_never(event)


def _item(number: int, items: Sequence["BatchItem"]) -> str:
    """Return what people call an item: files may be called alike, or be there twice."""
    item = items[number - 1]
    return f"item {number} ({item.path or item.name})"


def _call(call: "CallAccepted") -> str:
    """Return who has asked for what."""
    shown = {"none": "", "token": " with the token", "signed-url": " with a signed URL"}[call.credential]
    return f"asked by {call.peer or 'a local socket'}{shown}: {call.method} {call.route}"


def _numbered(attempt: int) -> str:
    return f" (attempt {attempt})" if attempt > 1 else ""
