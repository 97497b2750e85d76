"""The facts of a run.

These classes are a storage format: names and fields are never renamed or reused, new fields have defaults, and any
other change goes through an upcaster in `flowcore.codec`. Times are when the shell saw it; order comes from positions
in the log.

Where an event names a `step`, that is the path of the step: its name, or for a step in a body the path of the instance
that runs the body and its name, as in `loop/3/click`.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from flowcore.artifacts import Artifact
from flowcore.audit import CallAccepted
from flowcore.ids import BatchId, InstanceId, RunId, StepName
from flowcore.model import Breakpoints, Flow
from flowcore.values import Instant

from .step_events import (
    NO_ARTIFACTS,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    ConditionMet,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
    LogLine,
    PauseCause,
    RetryAbandoned,
    SkipCause,
    StepEvent,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    make_attempt_started,
    make_attempt_succeeded,
)

__all__ = [
    "NO_ARTIFACTS",
    "ArtifactArrived",
    "AttemptFailed",
    "AttemptLost",
    "AttemptStarted",
    "AttemptStopped",
    "AttemptSucceeded",
    "AwaitFailed",
    "BodyFailed",
    "BodyStarted",
    "BodySucceeded",
    "BreakpointsDisabled",
    "CallAccepted",
    "ConditionMet",
    "Event",
    "FanOutFailed",
    "FanOutStarted",
    "FanOutSucceeded",
    "GuardFailed",
    "IterationStarted",
    "LogLine",
    "PauseCause",
    "ReportRejected",
    "RetryAbandoned",
    "RunContinued",
    "RunCreated",
    "RunFailed",
    "RunLevelEvent",
    "RunPaused",
    "RunResumed",
    "RunStarted",
    "RunStopRequested",
    "RunStopped",
    "RunSucceeded",
    "SkipCause",
    "StepEvent",
    "StepHeld",
    "StepImported",
    "StepLogged",
    "StepPaused",
    "StepSkipped",
    "TraceToggled",
    "make_attempt_started",
    "make_attempt_succeeded",
]


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
class ArtifactArrived:
    """An artifact that steps wait for is there."""

    edge: str
    artifact: Artifact
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


RunLevelEvent: TypeAlias = (
    RunCreated
    | CallAccepted
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
