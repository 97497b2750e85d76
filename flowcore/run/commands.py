"""The intents of a run: what a caller asks for and what the shell reports. Time and chance enter here."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs
from attrs.validators import ge, optional

from flowcore.artifacts import Artifact
from flowcore.ids import BatchId, InstanceId, RunId, StepName
from flowcore.maker import maker
from flowcore.model import Breakpoints, Flow
from flowcore.values import Instant, Json

from .events import NO_ARTIFACTS, LogLine


@attrs.frozen(kw_only=True)
class CreateRun:
    """Accept a run of *flow*; *max_workers* None leaves the limit to the flow, then to the default.

    Attributes:
        parent: The run whose outputs it starts with, or None.
        forked_from: The step from which everything is done anew, or None.
        imports: What steps came to in the parent: they are not run again.
        inner: What the steps of bodies came to there, by path id.
        artifacts: What there was on the edges of the parent: made by a step that is not run again, or arrived.
        breakpoints: Where the run shall pause, or None for nowhere.
        trace: Whether the lines of its attempts shall be recorded.
        labels: What its caller wants to find again.
        batch: The batch that it belongs to, or None.
    """

    run_id: RunId
    flow: Flow
    at: Instant
    max_workers: int | None = attrs.field(default=None, validator=optional(ge(1)))
    parent: RunId | None = None
    forked_from: StepName | None = None
    imports: Mapping[StepName, Mapping[str, Json]] = attrs.field(factory=dict[StepName, Mapping[str, Json]])
    inner: Mapping[InstanceId, Mapping[str, Json]] = attrs.field(factory=dict[InstanceId, Mapping[str, Json]])
    artifacts: Mapping[str, Artifact] = NO_ARTIFACTS
    breakpoints: Breakpoints | None = None
    trace: bool = False
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])
    batch: BatchId | None = None


@attrs.frozen(kw_only=True)
class StartRun:
    """Take the run out of the queue."""

    at: Instant


@attrs.frozen(kw_only=True)
class ResumeRun:
    """Take the run over from a program that is gone: what it had in the air is lost.

    Attributes:
        owner: What people call the new owner.
        epoch: The epoch of its claim.
    """

    owner: str
    epoch: int
    at: Instant


@attrs.frozen(kw_only=True)
class RejectReport:
    """Record that a program which had lost the run reported on an attempt all the same (invariant I15).

    Attributes:
        epoch: The epoch of its claim.
        outcome: What it would have reported: `succeeded` or `failed`.
    """

    instance: InstanceId
    attempt: int
    epoch: int
    outcome: str
    at: Instant


@attrs.frozen(kw_only=True)
class StartAttempt:
    """Say that the next attempt of an instance is about to be handed to its source."""

    instance: InstanceId
    at: Instant


@attrs.frozen(kw_only=True)
class ReportSuccess:
    """Say that an attempt succeeded with *outputs*, and with the *artifacts* of the edges it writes."""

    instance: InstanceId
    attempt: int
    outputs: Mapping[str, Json]
    at: Instant
    notes: tuple[str, ...] = ()
    artifacts: Mapping[str, Artifact] = NO_ARTIFACTS


@attrs.frozen(kw_only=True)
class ReportLines:
    """Say what the attempt in the air wrote.

    Attributes:
        first: How many lines of the attempt were reported before: a repeated report is known by it.
    """

    instance: InstanceId
    attempt: int
    first: int
    lines: tuple[LogLine, ...]
    at: Instant


@attrs.frozen(kw_only=True)
class DeliverArtifact:
    """Say that an artifact that steps wait for is there."""

    edge: str
    artifact: Artifact
    at: Instant


@attrs.frozen(kw_only=True)
class RefuseArtifact:
    """Say that an object came for *edge* that steps cannot take: they fail without an attempt.

    Attributes:
        errors: Why, by step (contract flow-runs, section 9: "mismatch = node ERROR, no retry, Error names both types").
        code: What kind of failure that is.
    """

    edge: str
    errors: Mapping[StepName, str]
    at: Instant
    code: str = "input-type"


@attrs.frozen(kw_only=True)
class ReportFailure:
    """Say that an attempt failed.

    Attributes:
        retry_after_s: The pause that the other side asked for, in seconds, or None.
        chance: A random number, 0 <= chance < 1, for the jitter of the pause.
        stopped: True when it ended because it was cancelled.
    """

    instance: InstanceId
    attempt: int
    code: str
    error: str
    at: Instant
    retryable: bool = True
    retry_after_s: float | None = None
    chance: float = 0.5
    stopped: bool = False


@attrs.frozen(kw_only=True)
class ReportGuard:
    """Say what a step's `when` and `for_each` came to.

    Attributes:
        met: Whether `when` holds (True when there is none).
        items: The list of `for_each`, or None when there is none.
    """

    step: StepName
    met: bool
    at: Instant
    items: tuple[Json, ...] | None = None


@attrs.frozen(kw_only=True)
class ReportGuardFailure:
    """Say that `when` or `for_each` had no answer."""

    step: StepName
    code: str
    error: str
    at: Instant


@attrs.frozen(kw_only=True)
class ReportIteration:
    """Say whether the body of a loop runs again.

    Attributes:
        number: The iteration that is over.
        error: Why its condition had no answer, or None.
    """

    step: StepName
    number: int
    again: bool
    at: Instant
    error: str | None = None


@attrs.frozen(kw_only=True)
class Settle:
    """Draw the consequences of what happened: skips, joins, the end of the run."""

    at: Instant


@attrs.frozen(kw_only=True)
class PauseRun:
    """Let nothing new start."""

    at: Instant


@attrs.frozen(kw_only=True)
class ContinueRun:
    """Let a paused run go on; without *breakpoints* it pauses at none from here on."""

    at: Instant
    breakpoints: bool = True


@attrs.frozen(kw_only=True)
class SkipPaused:
    """Let a paused run go on without the step before which it has paused: that one counts as done.

    Where it has paused otherwise this is the same as `ContinueRun`.
    """

    at: Instant


@attrs.frozen(kw_only=True)
class ToggleTrace:
    """Record the lines of attempts from here on, or do not."""

    enabled: bool
    at: Instant


@attrs.frozen(kw_only=True)
class HoldStep:
    """Say why a step that may start does not yet; said again, it changes nothing."""

    instance: InstanceId
    reason: str
    at: Instant


@attrs.frozen(kw_only=True)
class StopRun:
    """End the run: cancel what is in the air, start nothing more."""

    at: Instant
    reason: str = "stopped"


make_start_attempt: Final = maker(StartAttempt)
make_report_success: Final = maker(ReportSuccess)

Command: TypeAlias = (
    StartAttempt
    | ReportSuccess
    | ReportFailure
    | ReportLines
    | HoldStep
    | ReportIteration
    | DeliverArtifact
    | RefuseArtifact
    | Settle
    | ReportGuard
    | ReportGuardFailure
    | CreateRun
    | StartRun
    | ResumeRun
    | RejectReport
    | PauseRun
    | ContinueRun
    | SkipPaused
    | ToggleTrace
    | StopRun
)
