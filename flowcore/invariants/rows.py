"""The books that the checker keeps: a row for each step and item, a page for each scope."""

from collections.abc import Sequence
from typing import assert_never

import attrs

from flowcore.model import Flow, OnError, Step
from flowcore.run.events import SkipCause
from flowcore.run.machine import SETTLED, RunStatus, StepStatus
from flowcore.run.policy import passes_skip, policy, stops_run, tolerated, word
from flowcore.values import Instant


class Row:
    """What is known of a step, or of one item of its fan-out.

    Attributes:
        page: The page of the scope that it is in.
        parent: The row of its step, for an item.
        body: The page of the body that it runs, once that has begun.
        bodied: Whether it runs a body instead of being tried.
        unsettled: Of a fan-out, how many items have begun and are not settled.
        lines: How many lines its present attempt has left.
        paused: Whether the run has paused before it and has not gone on.
        broken: Of a fan-out, whether an item has failed that the others do not outlive.
    """

    __slots__ = (
        *("attempt", "bodied", "body", "broken", "cause", "due", "guarded", "items", "lines", "lost"),
        *("page", "parent", "path", "paused", "status", "step", "unsettled"),
    )

    def __init__(self, path: str, step: Step, page: "Page", parent: "Row | None" = None) -> None:
        self.path = path
        self.step = step
        self.page = page
        self.parent = parent
        self.body: Page | None = None
        self.bodied = bool(step.body) and (parent is not None or not step.for_each)
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
        self.broken = False

    @property
    def given_up(self) -> bool:
        """Whether a failure has made sure that it does not begin any more."""
        return (self.parent is not None and self.parent.broken) or self.page.given_up


class Page:
    """The rows of one scope: of the flow, or of one run of a body.

    Attributes:
        owner: The row whose body it is, or None for the flow.
        needs: What each step depends on.
        failed: Whether a failure in it was not tolerated.
        halted: Whether a failure in it halts it.
    """

    def __init__(self, steps: Sequence[Step], owner: Row | None = None) -> None:
        around = "" if owner is None else f"{owner.path}/"
        self.owner = owner
        self.rows = {step.name: Row(f"{around}{step.name}", step, self) for step in steps}
        self.needs = {step.name: [self.rows[name] for name in step.depends_on] for step in steps}
        self.waiting: dict[str, list[Step]] = {step.name: [] for step in steps}
        for step in steps:
            for name in step.depends_on:
                self.waiting[name].append(step)
        self.failed = False
        self.halted = False

    @property
    def given_up(self) -> bool:
        """Whether a failure, here or around, has made sure that nothing begins here any more."""
        page: Page | None = self
        while page is not None:
            if page.halted:
                return True
            owner = page.owner
            if owner is not None and owner.parent is not None and owner.parent.broken:
                return True
            page = None if owner is None else owner.page
        return False

    def fail(self, flow: Flow, row: Row) -> None:
        """Take in that *row* failed for good."""
        if row.parent is not None:
            row.parent.broken = row.parent.broken or policy(flow, row.step) is OnError.FAIL
            return
        waiting = self.waiting[row.step.name]
        self.failed = self.failed or not tolerated(flow, row.step, waiting)
        self.halted = self.halted or stops_run(flow, row.step, waiting)


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


def unjustified(flow: Flow, row: Row, cause: SkipCause, run: Standing) -> str | None:
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
            return None if row.given_up or run.stop_requested else "nothing has broken its fan-out"
        case SkipCause.UPSTREAM:
            needs = row.page.needs[row.step.name]
            refused = any(need.status in SETTLED and not lets(flow, need, row.step) for need in needs)
            inside = row.page.owner is not None and row.given_up
            return None if refused or inside else "nothing it depends on stands in its way"
        case _:
            assert_never(cause)
