"""The state of a run: what one private fold over its events (`evolve`) amounts to.

Whoever folds owns the state and nobody else ever sees it (readers fold views of their own), so it is updated in place.
Beside the statuses it keeps the indexes that `effects.pending` needs (unmet dependency counts, ready and retry queues,
what is in the air, what has unsettled consequences), so neither folding nor asking ever walks all steps, but for the
two moments when everything is set up and when everything that has not started is given up.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

from flowcore.artifacts import Artifact
from flowcore.ids import BatchId, InstanceId, RunId
from flowcore.maker import maker
from flowcore.model import Breakpoints, Flow, Moment, Step
from flowcore.values import Instant, Json

from .events import PauseCause, SkipCause
from .machine import ENDED, RunStatus, StepStatus
from .queues import ReadyQueue

AT_ONCE: Final = Instant(0.0)
"""The due time of what may start at once, in the file's order."""
_LIVE: Final = frozenset({StepStatus.READY, StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.PAUSED})
Timetable: TypeAlias = list[tuple[Instant, int, int]]
"""A heap of (due, step index, item index); item -1 is the step itself."""


@attrs.define
class FanOut:
    """The instances of a step with `for_each`.

    Attributes:
        released: How many of them were let start so far (see `Step.max_parallel`).
        open: How many are not settled.
        idle: How many are neither settled nor in the air.
        broken: True when none that is idle shall start any more.
    """

    items: tuple[Json, ...]
    instances: list["InstanceState"]
    open: int
    idle: int
    released: int = 0
    first_error: str | None = None
    broken: bool = False


@attrs.frozen
class GivenUp:
    """Why nothing new starts in a scope."""

    cause: SkipCause
    reason: str


NOT_GIVEN_UP: Final = GivenUp(SkipCause.UPSTREAM, "it was given up")
"""What is said where nobody says why."""


@attrs.define
class Scope:
    """Steps that wait for one another: those of the flow, or those of one run of a body.

    Attributes:
        number: Its place in `RunState.scopes`; 0 is the flow itself.
        owner: The index and the item of the instance whose body it is; None for the flow itself.
        parent: The number of the scope that its owner is in.
        first: The index of its first step.
        size: How many steps it has.
        open: How many of them are not settled.
        idle: How many are neither settled nor in the air.
        failed: Whether a failure in it was not tolerated.
        children: The scopes in it that have not ended.
    """

    number: int = 0
    owner: tuple[int, int] | None = None
    parent: int = 0
    first: int = 0
    size: int = 0
    open: int = 0
    idle: int = 0
    failed: bool = False
    error: str | None = None
    halted_by: str | None = None
    given_up: GivenUp | None = None
    children: dict[int, None] = attrs.field(factory=dict[int, None])


@attrs.define
class InstanceState:
    """One step, or one item of its fan-out (then *item* counts from 0).

    Attributes:
        due: When it may start, while it is ready or retrying; an entry of the timetable that says otherwise is stale.
        lost: How many of its attempts were lost with their runner: they do not count against the retry policy.
        gated: Whether the run may pause at it.
        passed: The pauses before it that are behind it.
        lines: How many lines its present attempt has left.
        held: Why it has not started though it may, or None.
        begun: When its first attempt began, where its retry policy counts from then; None elsewhere.
        bodied: Whether it runs a body instead of being tried.
        scope: The number of the scope that it is in.
        body: The number of the scope of its body, once that has begun.
        path: Its path without the numbers of items: the same for all instances of a step.
    """

    id: InstanceId
    index: int
    item: int = -1
    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    lost: int = 0
    due: Instant = AT_ONCE
    unmet: int = 0
    guarded: bool = False
    error: str | None = None
    fan_out: FanOut | None = None
    gated: bool = False
    passed: tuple[PauseCause, ...] = ()
    lines: int = 0
    bodied: bool = False
    scope: int = 0
    body: int | None = None
    path: str = ""
    begun: Instant | None = None
    held: str | None = None


make_instance_state: Final = maker(InstanceState)


@attrs.define
class Doomed:
    """A step that must be skipped, and why."""

    index: int
    reason: str


class RunState:
    """What a fold of a run's events amounts to; see the module's text. Read it, never change it."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.status = RunStatus.NEW
        self.version = 0
        self.run_id = RunId(0)
        self.flow = Flow()
        self.max_workers = 1
        self.parent: RunId | None = None
        self.batch: BatchId | None = None
        self.epoch = 0
        self.rejected: set[tuple[InstanceId, int, int]] = set()
        self.created_at: Instant | None = None
        self.started_at: Instant | None = None
        self.ended_at: Instant | None = None
        self.root = Scope()
        self.scopes = [self.root]
        self.steps: list[InstanceState] = []
        self.specs: list[Step] = []
        self.instances: dict[InstanceId, InstanceState] = {}
        self.outputs: dict[str, Mapping[str, Json]] = {}
        self.dependents: list[list[int]] = []
        self.in_the_air: dict[InstanceId, None] = {}
        self.ready = ReadyQueue()
        self.retries: Timetable = []
        self.doomed: deque[Doomed] = deque()
        self.fan_outs: dict[int, FanOut] = {}
        self.joins: dict[int, None] = {}
        self.breaking: dict[int, None] = {}
        self.entering: dict[tuple[int, int], None] = {}
        self.asking: dict[int, None] = {}
        self.ending: dict[int, None] = {}
        self.dropping: dict[int, None] = {}
        self.stop_requested = False
        self.stop_reason: str | None = None
        self.breakpoints: Breakpoints | None = None
        self.breaks: dict[int, PauseCause] = {}
        self.paused_at: tuple[InstanceId, PauseCause] | None = None
        self.trace = False
        self.context: dict[str, dict[str, Json]] | None = None
        self.artifacts: dict[str, Artifact] = {}
        self.readers: dict[str, list[int]] = {}
        self.awaiting: dict[int, set[str]] = {}

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.status in ENDED

    @property
    def unsettled(self) -> bool:
        """Whether something that happened has consequences that are not recorded yet."""
        return bool(
            (not self.root.open and self.paused_at is None)
            or self.doomed
            or self.joins
            or self.breaking
            or self.dropping
            or self.ending
            or ((self.breaks or self.entering) and self.breaking_off)
        )

    @property
    def breaking_off(self) -> bool:
        """Whether the run may pause at a step now."""
        return self.status is RunStatus.RUNNING and not self.giving_up

    @property
    def await_until(self) -> Instant | None:
        """When the steps that wait for artifacts are given up; None when none does, or they may wait for ever."""
        if not self.awaiting or self.flow.await_s is None or self.started_at is None:
            return None
        return Instant(self.started_at + self.flow.await_s)

    @property
    def only_awaits(self) -> bool:
        """Whether nothing goes on or may start until an artifact arrives: the run can be left alone until then."""
        return (
            bool(self.awaiting)
            and not self.giving_up
            and not any(instance.status in _LIVE for instance in self.instances.values())
        )

    @property
    def rests(self) -> bool:
        """Whether the run can be left alone until somebody comes: it only awaits, or is paused and nothing runs."""
        paused = self.status is RunStatus.PAUSED and not self.giving_up
        # A step whose body or items have begun runs too, and yet nothing goes on while none of them is tried.
        return self.only_awaits or (paused and not self.in_the_air)

    @property
    def giving_up(self) -> bool:
        """Whether nothing new may start any more: a failure halted the run, or somebody asked for its end."""
        return self.root.given_up is not None

    @property
    def halted_by(self) -> str | None:
        """The step whose failure has halted the run, or None."""
        return self.root.halted_by

    @property
    def failed(self) -> bool:
        """Whether a failure was not tolerated."""
        return self.root.failed

    def instance_at(self, index: int, item: int) -> InstanceState:
        """Return the instance at step *index*, or its fan-out's *item* when that is not -1."""
        step = self.steps[index]
        return step if item < 0 or step.fan_out is None else step.fan_out.instances[item]

    def step_of(self, instance: InstanceState) -> Step:
        """Return the step that *instance* is an instance of."""
        return self.specs[instance.index]

    def gives_up(self, instance: InstanceState) -> bool:
        """Return whether *instance* may not begin, or be tried again, whatever its policy says."""
        return self.scopes[instance.scope].given_up is not None or (
            instance.item >= 0 and self.fan_outs[instance.index].broken
        )

    def pause_before(self, instance: InstanceState) -> PauseCause | None:
        """Return why the run must pause before *instance* starts, or None when nothing is left to pause for."""
        step = self.step_of(instance)
        points = self.breakpoints
        if points is not None and points.moment is not Moment.POST and points.covers(step):
            cause = PauseCause.BREAKPOINT_PRE
            if cause not in instance.passed:
                return cause
        return PauseCause.WAIT if step.pause and PauseCause.WAIT not in instance.passed else None
