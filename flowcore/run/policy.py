"""What a failure means (contract status, section 4).

The dependent's own word comes first, then the failed step's own, then the flow's, then `fail`.
"""

from collections.abc import Sequence

from flowcore.model import Dialect, Flow, OnError, Step

from .events import SkipCause


def policy(flow: Flow, step: Step) -> OnError:
    """Return P(x): what *step* says, else the flow, else `fail`."""
    return step.on_error or flow.on_error or OnError.FAIL


def word(flow: Flow, failed: Step, dependent: Step) -> OnError:
    """Return what the failure of *failed* means for *dependent*.

    The nodes of a workflow only follow each other: there it is the failed one that says so (`failSilently`).
    """
    if flow.dialect is Dialect.WORKFLOW:
        return policy(flow, failed)
    return dependent.on_error or policy(flow, failed)


def stops_run(flow: Flow, failed: Step, dependents: Sequence[Step]) -> bool:
    """Return whether the failure of *failed* stops the run: one of its dependents cannot do without it."""
    return flow.halt_on_failure or any(word(flow, failed, dependent) is OnError.FAIL for dependent in dependents)


def tolerated(flow: Flow, failed: Step, dependents: Sequence[Step]) -> bool:
    """Return whether the run may still succeed: the step or all its dependents say `continue` or `skip`."""
    if not dependents and not flow.halt_on_failure:
        return policy(flow, failed) is not OnError.FAIL
    return not stops_run(flow, failed, dependents)


def passes_skip(cause: SkipCause, dependent: Step) -> bool:
    """Return whether *dependent* goes on when a step that it depends on was skipped because of *cause*.

    A branch that was not taken is no accident: whoever says `continue` goes on without it. What somebody skipped by
    hand counts as done.
    """
    if cause is SkipCause.CONDITION:
        return dependent.after_skips or dependent.on_error is OnError.CONTINUE
    return cause is SkipCause.REQUESTED
