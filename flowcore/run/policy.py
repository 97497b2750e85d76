"""What a failure means (contract status, section 4).

The dependent's own word comes first, then the failed step's own, then the flow's, then `fail`.
"""

from collections.abc import Sequence

from flowcore.model import Flow, OnError, Step


def policy(flow: Flow, step: Step) -> OnError:
    """Return P(x): what *step* says, else the flow, else `fail`."""
    return step.on_error or flow.on_error or OnError.FAIL


def word(flow: Flow, failed: Step, dependent: Step) -> OnError:
    """Return what the failure of *failed* means for *dependent*."""
    return dependent.on_error or policy(flow, failed)


def stops_run(flow: Flow, failed: Step, dependents: Sequence[Step]) -> bool:
    """Return whether the failure of *failed* stops the run: one of its dependents cannot do without it."""
    return any(word(flow, failed, dependent) is OnError.FAIL for dependent in dependents)


def tolerated(flow: Flow, failed: Step, dependents: Sequence[Step]) -> bool:
    """Return whether the run may still succeed: the step or all its dependents say `continue` or `skip`."""
    if not dependents:
        return policy(flow, failed) is not OnError.FAIL
    return not stops_run(flow, failed, dependents)
