"""The machine of a run as data: `RUN_TRANSITIONS` for the run, `STEP_TRANSITIONS` for each step instance.

A run is queued, runs (and may be paused), and ends succeeded, failed or stopped. A step waits until the steps it
depends on are settled as its policy demands (`pending`), may start (`ready`), is tried (`running`), perhaps tried
again (`retrying`), and is settled for good: `succeeded`, `failed`, `skipped` or `stopped`. A step with `for_each` runs
as instances `name/0`, `name/1`, ..., each with the machine of a step; the step itself runs from the moment its list is
known until its last instance is settled.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from .events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    ReportRejected,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    StepImported,
    StepSkipped,
)


class RunStatus(StrEnum):
    """Where a run stands."""

    NEW = "new"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


class StepStatus(StrEnum):
    """Where a step, or one instance of it, stands."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


RUN_TRANSITIONS: Final[Mapping[RunStatus, Mapping[type[Event], RunStatus]]] = MappingProxyType(
    {
        RunStatus.NEW: {RunCreated: RunStatus.QUEUED},
        RunStatus.QUEUED: {RunStarted: RunStatus.RUNNING, RunStopped: RunStatus.STOPPED},
        RunStatus.RUNNING: {
            RunResumed: RunStatus.RUNNING,
            ReportRejected: RunStatus.RUNNING,
            RunPaused: RunStatus.PAUSED,
            RunStopRequested: RunStatus.RUNNING,
            RunSucceeded: RunStatus.SUCCEEDED,
            RunFailed: RunStatus.FAILED,
            RunStopped: RunStatus.STOPPED,
        },
        RunStatus.PAUSED: {
            RunResumed: RunStatus.PAUSED,
            ReportRejected: RunStatus.PAUSED,
            RunContinued: RunStatus.RUNNING,
            RunStopRequested: RunStatus.RUNNING,
            RunSucceeded: RunStatus.SUCCEEDED,
            RunFailed: RunStatus.FAILED,
        },
        # A late report may come when whoever took the run over has ended it: it is recorded, and changes nothing.
        RunStatus.SUCCEEDED: {ReportRejected: RunStatus.SUCCEEDED},
        RunStatus.FAILED: {ReportRejected: RunStatus.FAILED},
        RunStatus.STOPPED: {ReportRejected: RunStatus.STOPPED},
    }
)
"""Where each event takes a run; an event that is missing from a row cannot happen there."""

STEP_TRANSITIONS: Final[Mapping[StepStatus, Mapping[type[Event], frozenset[StepStatus]]]] = MappingProxyType(
    {
        StepStatus.PENDING: {
            StepSkipped: frozenset({StepStatus.SKIPPED}),
            StepImported: frozenset({StepStatus.SUCCEEDED}),
        },
        StepStatus.READY: {
            StepImported: frozenset({StepStatus.SUCCEEDED}),
            ConditionMet: frozenset({StepStatus.READY}),
            GuardFailed: frozenset({StepStatus.FAILED}),
            FanOutStarted: frozenset({StepStatus.RUNNING}),
            AttemptStarted: frozenset({StepStatus.RUNNING}),
            StepSkipped: frozenset({StepStatus.SKIPPED}),
        },
        StepStatus.RUNNING: {
            AttemptSucceeded: frozenset({StepStatus.SUCCEEDED}),
            AttemptFailed: frozenset({StepStatus.RETRYING, StepStatus.FAILED}),
            AttemptStopped: frozenset({StepStatus.STOPPED}),
            AttemptLost: frozenset({StepStatus.RETRYING, StepStatus.FAILED}),
            FanOutSucceeded: frozenset({StepStatus.SUCCEEDED}),
            FanOutFailed: frozenset({StepStatus.FAILED}),
        },
        StepStatus.RETRYING: {
            AttemptStarted: frozenset({StepStatus.RUNNING}),
            RetryAbandoned: frozenset({StepStatus.FAILED}),
        },
        StepStatus.SUCCEEDED: {},
        StepStatus.FAILED: {},
        StepStatus.SKIPPED: {},
        StepStatus.STOPPED: {},
    }
)
"""Where each event may take a step; `pending` becomes `ready` when its last dependency settles, without an event."""

ENDED: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.STOPPED})
SETTLED: Final = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.STOPPED})
