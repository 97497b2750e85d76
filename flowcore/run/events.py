"""The facts of a run.

These classes are a storage format: names and fields are never renamed or reused, new fields have defaults, and any
other change goes through an upcaster in `flowcore.codec`. Times are when the shell saw it; order comes from positions
in the log.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from flowcore.artifacts import Artifact
from flowcore.ids import BatchId, InstanceId, RunId, StepName
from flowcore.maker import maker
from flowcore.model import Breakpoints, Flow
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
class RunCreated:
    """A run of *flow* was accepted; it is queued until `RunStarted`.

    Attributes:
        parent: The run that this one goes on from, for a fork and for a retry; None for a run of its own.
        forked_from: The step from which a fork does everything anew; None for a retry.
        breakpoints: Where the run pauses, or None for nowhere.
        trace: Whether the lines of its attempts are recorded.
        labels: What its caller wants to find again, such as the name of the file it came from.
        batch: The batch that it belongs to, or None.
    """

    run_id: RunId
    flow: Flow
    max_workers: int
    at: Instant
    parent: RunId | None = None
    forked_from: StepName | None = None
    breakpoints: Breakpoints | None = None
    trace: bool = False
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])
    batch: BatchId | None = None


@attrs.frozen(kw_only=True)
class StepImported:
    """A step takes over what it came to in the parent run: it has succeeded, without an attempt of this run."""

    step: StepName
    outputs: Mapping[str, Json]
    at: Instant


@attrs.frozen(kw_only=True)
class RunStarted:
    """The run left the queue."""

    at: Instant


@attrs.frozen(kw_only=True)
class RunResumed:
    """Another program drives the run from here on: the one before is gone, and so is what it had in the air.

    Attributes:
        owner: What people call the new one, such as `process 4711 on host`.
        epoch: The epoch of its claim (see `flowcore.ports.Ownership`).
    """

    owner: str
    epoch: int
    at: Instant


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
class ReportRejected:
    """A program that had lost the run reported on an attempt, too late: nothing of it counts.

    Attributes:
        epoch: The epoch of its claim, long over.
        outcome: What it would have reported: `succeeded` or `failed`.
    """

    instance: InstanceId
    attempt: int
    epoch: int
    outcome: str
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
class ArtifactArrived:
    """An artifact that steps wait for is there."""

    edge: str
    artifact: Artifact
    at: Instant


@attrs.frozen(kw_only=True)
class AwaitFailed:
    """An artifact that the step waits for did not come in time: the step failed without an attempt."""

    step: StepName
    code: str
    error: str
    at: Instant


@attrs.frozen(kw_only=True)
class BreakpointsDisabled:
    """The run pauses at no breakpoint any more."""

    at: Instant


@attrs.frozen(kw_only=True)
class TraceToggled:
    """From here on the lines of attempts are recorded, or are not."""

    enabled: bool
    at: Instant


@attrs.frozen(kw_only=True)
class RunPaused:
    """Nothing new starts until `RunContinued`; what runs is let finish."""

    at: Instant


@attrs.frozen(kw_only=True)
class RunContinued:
    """A paused run goes on."""

    at: Instant


@attrs.frozen(kw_only=True)
class RunStopRequested:
    """Somebody asked for the end: attempts in the air are cancelled, nothing new starts."""

    reason: str
    at: Instant


@attrs.frozen(kw_only=True)
class RunSucceeded:
    """Every step is settled, and every failure was tolerated by a policy."""

    at: Instant


@attrs.frozen(kw_only=True)
class RunFailed:
    """Every step is settled, and a failure was not tolerated."""

    at: Instant


@attrs.frozen(kw_only=True)
class RunStopped:
    """The run ended because it was asked to."""

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
    | StepPaused
    | StepLogged
    | AwaitFailed
)
RunLevelEvent: TypeAlias = (
    RunCreated
    | RunStarted
    | RunResumed
    | ReportRejected
    | ArtifactArrived
    | BreakpointsDisabled
    | TraceToggled
    | RunPaused
    | RunContinued
    | RunStopRequested
    | RunSucceeded
    | RunFailed
    | RunStopped
)
Event: TypeAlias = StepEvent | RunLevelEvent
