"""The books that the checker keeps of steps and items."""

from collections.abc import Sequence
from typing import assert_never

import attrs

from flowcore.model import Flow, OnError, Step
from flowcore.run.events import SkipCause
from flowcore.run.machine import SETTLED, RunStatus, StepStatus
from flowcore.run.policy import passes_skip, policy, word
from flowcore.values import Instant


class Row:
    """What is known of a step, or of one item of its fan-out.

    Attributes:
        unsettled: Of a fan-out, how many items have begun and are not settled.
        lines: How many lines its present attempt has left.
        paused: Whether the run has paused before it and has not gone on.
    """

    __slots__ = (
        "attempt",
        "cause",
        "due",
        "guarded",
        "items",
        "lines",
        "lost",
        "parent",
        "paused",
        "status",
        "step",
        "unsettled",
    )

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
        self.lines = 0
        self.paused = False


def lets(flow: Flow, need: Row, step: Step) -> bool:
    """Return whether *step* may start as far as *need* is concerned (contract status, section 4)."""
    match need.status:
        case StepStatus.SUCCEEDED:
            return True
        case StepStatus.FAILED:
            return word(flow, need.step, step) is OnError.CONTINUE
        case StepStatus.SKIPPED:
            return need.cause is not None and passes_skip(need.cause, step)
        case _:
            return False


@attrs.frozen
class Standing:
    """Where the run stands.

    Attributes:
        halted: Whether a failure has halted it.
    """

    status: RunStatus
    stop_requested: bool = attrs.field(kw_only=True)
    halted: bool = attrs.field(kw_only=True)


def unjustified(flow: Flow, row: Row, needs: Sequence[Row], cause: SkipCause, run: Standing) -> str | None:
    """Return what speaks against skipping *row* because of *cause*, or None when nothing does."""
    match cause:
        case SkipCause.CONDITION:
            return None if row.guarded else "it has no condition"
        case SkipCause.REQUESTED:
            return None if row.paused else "the run has not paused before it"
        case SkipCause.RUN_STOPPED:
            queued = run.status is RunStatus.QUEUED
            return None if run.stop_requested or queued else "nobody asked for the end"
        case SkipCause.RUN_FAILED:
            return None if run.halted else "no failure has halted the run"
        case SkipCause.UPSTREAM if row.parent is not None:
            items = row.parent.items or ()
            broken = any(item.status is StepStatus.FAILED for item in items) and (
                policy(flow, row.step) is OnError.FAIL
            )
            return None if broken or run.halted or run.stop_requested else "nothing has broken its fan-out"
        case SkipCause.UPSTREAM:
            refused = any(need.status in SETTLED and not lets(flow, need, row.step) for need in needs)
            return None if refused else "nothing it depends on stands in its way"
        case _:
            assert_never(cause)
