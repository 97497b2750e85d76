"""The books that the checker keeps of steps and items."""

from flowcore.model import Flow, OnError, Step
from flowcore.run.events import SkipCause
from flowcore.run.machine import StepStatus
from flowcore.run.policy import word
from flowcore.values import Instant


class Row:
    """What is known of a step, or of one item of its fan-out.

    Attributes:
        unsettled: Of a fan-out, how many items have begun and are not settled.
    """

    __slots__ = ("attempt", "cause", "due", "guarded", "items", "lost", "parent", "status", "step", "unsettled")

    def __init__(self, step: Step, parent: "Row | None" = None) -> None:
        self.step = step
        self.parent = parent
        self.status = StepStatus.PENDING
        self.attempt = 0
        self.lost = 0
        self.due: Instant | None = None
        self.cause: SkipCause | None = None
        self.guarded = step.guarded and parent is None
        self.items: list[Row] | None = None
        self.unsettled = 0


def lets(flow: Flow, need: Row, step: Step) -> bool:
    """Return whether *step* may start as far as *need* is concerned (contract status, section 4)."""
    match need.status:
        case StepStatus.SUCCEEDED:
            return True
        case StepStatus.FAILED:
            return word(flow, need.step, step) is OnError.CONTINUE
        case StepStatus.SKIPPED:
            return need.cause is SkipCause.CONDITION and step.on_error is OnError.CONTINUE
        case _:
            return False
