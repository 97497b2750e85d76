"""The facts of a step, or of an instance of it; see `events` for what holds of all facts."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from flowcore.artifacts import Artifact
from flowcore.ids import InstanceId, StepName
from flowcore.maker import maker
from flowcore.values import Instant, Json

NO_ARTIFACTS: Final[Mapping[str, Artifact]] = {}
"""One for all who leave none: immutable by agreement, like all that events hold."""


class SkipCause(StrEnum):
    """Why a step was skipped."""

    CONDITION = "condition"
    """Its own `when` was not met."""
    UPSTREAM = "upstream"
    """A step it depends on failed or was skipped, and the policy says skip."""
    RUN_FAILED = "run-failed"
    """The run stopped because of a failure elsewhere."""
    RUN_STOPPED = "run-stopped"
    """Somebody stopped the run."""
    REQUESTED = "requested"
    """Somebody skipped it where the run had paused before it: it counts as done."""


class PauseCause(StrEnum):
    """Why a run pauses at a step."""

    BREAKPOINT_PRE = "breakpoint-pre"
    """There is a breakpoint before it."""
    BREAKPOINT_POST = "breakpoint-post"
    """There is a breakpoint after it."""
    WAIT = "wait"
    """The step asks for it (`Step.pause`)."""


@attrs.frozen(kw_only=True)
class LogLine:
    """A line that an attempt wrote.

    Attributes:
        stream: Where it was written: `stdout`, `stderr`, `source` or `trace`.
    """

    at: Instant
    stream: str
    message: str


@attrs.frozen(kw_only=True)
class StepImported:
    """A step takes over what it came to in the parent run: it has succeeded, without an attempt of this run.

    Attributes:
        artifacts: The artifacts that it left there, by edge.
        inner: What the steps of its body left there, by path id and in the order in which they did.
    """

    step: StepName
    outputs: Mapping[str, Json]
    at: Instant
    artifacts: Mapping[str, Artifact] = NO_ARTIFACTS
    inner: Mapping[InstanceId, Mapping[str, Json]] = attrs.field(factory=dict[InstanceId, Mapping[str, Json]])


@attrs.frozen(kw_only=True)
class ConditionMet:
    """The `when` of a step without `for_each` was met: it may start."""

    step: StepName
    at: Instant


@attrs.frozen(kw_only=True)
class FanOutStarted:
    """A `for_each` was looked at: the step runs once for each of *items*, which may be none."""

    step: StepName
    items: tuple[Json, ...]
    at: Instant


@attrs.frozen(kw_only=True)
class GuardFailed:
    """The `when` or `for_each` of a step had no answer: the step failed without an attempt."""

    step: StepName
    code: str
    error: str
    at: Instant


@attrs.frozen(kw_only=True)
class AttemptStarted:
    """Attempt *attempt* (counted from 1) of an instance was handed to its source."""

    instance: InstanceId
    attempt: int
    at: Instant


@attrs.frozen(kw_only=True)
class AttemptSucceeded:
    """The attempt succeeded; *outputs* come with it and never change.

    Attributes:
        notes: What was cleaned on the way in, for people.
        artifacts: The artifacts that it left, by edge.
    """

    instance: InstanceId
    attempt: int
    outputs: Mapping[str, Json]
    at: Instant
    notes: tuple[str, ...] = ()
    artifacts: Mapping[str, Artifact] = NO_ARTIFACTS


@attrs.frozen(kw_only=True)
class AttemptFailed:
    """The attempt failed.

    Attributes:
        code: A stable word.
        error: The note that people read.
        retry_at: When the next attempt is due, or None when this was the last one: the step failed.
    """

    instance: InstanceId
    attempt: int
    code: str
    error: str
    retry_at: Instant | None
    at: Instant


@attrs.frozen(kw_only=True)
class AttemptStopped:
    """The attempt was cancelled because the run was stopped."""

    instance: InstanceId
    attempt: int
    at: Instant


@attrs.frozen(kw_only=True)
class AttemptLost:
    """Nobody will ever report on the attempt: whoever made it is gone. Its side effects may have happened.

    Attributes:
        error: The note that people read.
        retry_at: When the next attempt is due, or None when there will be none: the step failed.
    """

    instance: InstanceId
    attempt: int
    error: str
    retry_at: Instant | None
    at: Instant


@attrs.frozen(kw_only=True)
class RetryAbandoned:
    """A further attempt was due, but the run ends: the step failed with its last error."""

    instance: InstanceId
    at: Instant


@attrs.frozen(kw_only=True)
class FanOutSucceeded:
    """Every item of a fan-out succeeded; each output of the step is the list of its items' values."""

    step: StepName
    at: Instant


@attrs.frozen(kw_only=True)
class FanOutFailed:
    """A fan-out ended without all its items having succeeded."""

    step: StepName
    error: str
    at: Instant


@attrs.frozen(kw_only=True)
class StepSkipped:
    """An instance will never run."""

    instance: InstanceId
    cause: SkipCause
    reason: str
    at: Instant


@attrs.frozen(kw_only=True)
class BodyStarted:
    """An instance with a body begins: its steps are there from here on, as `instance/step`."""

    instance: InstanceId
    at: Instant


@attrs.frozen(kw_only=True)
class IterationStarted:
    """The body of a loop begins, for the first time or again: its steps are there, as `step/number/step`.

    Attributes:
        number: Counted from 0.
    """

    step: StepName
    number: int
    at: Instant


@attrs.frozen(kw_only=True)
class BodySucceeded:
    """Every step of a body is settled, and every failure in it was tolerated by a policy."""

    instance: InstanceId
    at: Instant


@attrs.frozen(kw_only=True)
class BodyFailed:
    """Every step of a body is settled, and a failure in it was not tolerated, or it was given up."""

    instance: InstanceId
    error: str
    at: Instant


@attrs.frozen(kw_only=True)
class StepPaused:
    """The run pauses at a step of the flow; nothing new starts until `RunContinued`."""

    instance: InstanceId
    cause: PauseCause
    at: Instant


@attrs.frozen(kw_only=True)
class StepLogged:
    """The attempt in the air wrote *lines*.

    Attributes:
        first: How many lines of the attempt came before these.
    """

    instance: InstanceId
    attempt: int
    first: int
    lines: tuple[LogLine, ...]
    at: Instant


@attrs.frozen(kw_only=True)
class StepHeld:
    """A step that may start does not yet, because what it needs is not free, or not there at all.

    Attributes:
        reason: What it needs and what there is, for people.
    """

    instance: InstanceId
    reason: str
    at: Instant


@attrs.frozen(kw_only=True)
class AwaitFailed:
    """An artifact that the step waits for did not come in time, or was none for it: it failed without an attempt."""

    step: StepName
    code: str
    error: str
    at: Instant


make_attempt_started: Final = maker(AttemptStarted)
make_attempt_succeeded: Final = maker(AttemptSucceeded)

StepEvent: TypeAlias = (
    AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | AttemptStopped
    | AttemptLost
    | RetryAbandoned
    | ConditionMet
    | FanOutStarted
    | FanOutSucceeded
    | FanOutFailed
    | GuardFailed
    | StepSkipped
    | StepImported
    | BodyStarted
    | IterationStarted
    | BodySucceeded
    | BodyFailed
    | StepPaused
    | StepLogged
    | StepHeld
    | AwaitFailed
)
