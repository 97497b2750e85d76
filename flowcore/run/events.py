"""The facts of a run.

These classes are a storage format: names and fields are never renamed or reused, new fields have defaults, and any
other change goes through an upcaster in `flowcore.codec`. Times are when the shell saw it; order comes from positions
in the log.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import attrs

from flowcore.ids import InstanceId, RunId, StepName
from flowcore.model import Flow
from flowcore.values import Instant, Json


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


@attrs.frozen(kw_only=True)
class RunCreated:
    """A run of *flow* was accepted; it is queued until `RunStarted`."""

    run_id: RunId
    flow: Flow
    max_workers: int
    at: Instant


@attrs.frozen(kw_only=True)
class RunStarted:
    """The run left the queue."""

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
    """

    instance: InstanceId
    attempt: int
    outputs: Mapping[str, Json]
    at: Instant
    notes: tuple[str, ...] = ()


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


StepEvent: TypeAlias = (
    AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | AttemptStopped
    | RetryAbandoned
    | ConditionMet
    | FanOutStarted
    | FanOutSucceeded
    | FanOutFailed
    | GuardFailed
    | StepSkipped
)
RunLevelEvent: TypeAlias = (
    RunCreated | RunStarted | RunPaused | RunContinued | RunStopRequested | RunSucceeded | RunFailed | RunStopped
)
Event: TypeAlias = StepEvent | RunLevelEvent
