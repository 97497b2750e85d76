"""The machine of a run as data: `RUN_TRANSITIONS` for the run, `STEP_TRANSITIONS` for each step instance.

A run is queued, runs (and may be paused), and ends succeeded, failed or stopped. A step waits until the steps it
depends on are settled as its policy demands, and the artifacts it awaits are there (`pending`), may start (`ready`), is
tried (`running`), perhaps tried again (`retrying`), may be where the run has paused (`paused`), and is settled for
good: `succeeded`, `failed`, `skipped` or `stopped`. A step with `for_each` runs as instances `name/0`, `name/1`, ...,
each with the machine of a step; the step itself runs from the moment its list is known until its last instance is
settled. A step with a body runs from its beginning to its end: the steps of the body are instances `name/step`, or
`name/0/step`, `name/1/step`, ... when it runs for each item or in a loop, each with the machine of a step.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from .events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    BreakpointsDisabled,
    CallAccepted,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
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
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
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
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


RUN_TRANSITIONS: Final[Mapping[RunStatus, Mapping[type[Event], RunStatus]]] = MappingProxyType(
    {
        RunStatus.NEW: {RunCreated: RunStatus.QUEUED},
        RunStatus.QUEUED: {
            CallAccepted: RunStatus.QUEUED,
            RunStarted: RunStatus.RUNNING,
            RunStopped: RunStatus.STOPPED,
            ArtifactArrived: RunStatus.QUEUED,
            TraceToggled: RunStatus.QUEUED,
        },
        RunStatus.RUNNING: {
            CallAccepted: RunStatus.RUNNING,
            RunResumed: RunStatus.RUNNING,
            ReportRejected: RunStatus.RUNNING,
            ArtifactArrived: RunStatus.RUNNING,
            TraceToggled: RunStatus.RUNNING,
            RunPaused: RunStatus.PAUSED,
            StepPaused: RunStatus.PAUSED,
            RunStopRequested: RunStatus.RUNNING,
            RunSucceeded: RunStatus.SUCCEEDED,
            RunFailed: RunStatus.FAILED,
            RunStopped: RunStatus.STOPPED,
        },
        RunStatus.PAUSED: {
            CallAccepted: RunStatus.PAUSED,
            RunResumed: RunStatus.PAUSED,
            ReportRejected: RunStatus.PAUSED,
            ArtifactArrived: RunStatus.PAUSED,
            TraceToggled: RunStatus.PAUSED,
            BreakpointsDisabled: RunStatus.PAUSED,
            RunContinued: RunStatus.RUNNING,
            RunStopRequested: RunStatus.RUNNING,
            RunSucceeded: RunStatus.SUCCEEDED,
            RunFailed: RunStatus.FAILED,
        },
        # A late report may come when whoever took the run over has ended it: it is recorded, and changes nothing. Nor
        # does tracing, which clients may ask for at any time (contract executions, section 2).
        RunStatus.SUCCEEDED: {
            CallAccepted: RunStatus.SUCCEEDED,
            ReportRejected: RunStatus.SUCCEEDED,
            TraceToggled: RunStatus.SUCCEEDED,
        },
        RunStatus.FAILED: {
            CallAccepted: RunStatus.FAILED,
            ReportRejected: RunStatus.FAILED,
            TraceToggled: RunStatus.FAILED,
        },
        RunStatus.STOPPED: {
            CallAccepted: RunStatus.STOPPED,
            ReportRejected: RunStatus.STOPPED,
            TraceToggled: RunStatus.STOPPED,
        },
    }
)
"""Where each event takes a run; an event that is missing from a row cannot happen there."""

STEP_TRANSITIONS: Final[Mapping[StepStatus, Mapping[type[Event], frozenset[StepStatus]]]] = MappingProxyType(
    {
        StepStatus.PENDING: {
            StepSkipped: frozenset({StepStatus.SKIPPED}),
            StepImported: frozenset({StepStatus.SUCCEEDED}),
            AwaitFailed: frozenset({StepStatus.FAILED}),
        },
        StepStatus.READY: {
            StepPaused: frozenset({StepStatus.PAUSED}),
            StepImported: frozenset({StepStatus.SUCCEEDED}),
            ConditionMet: frozenset({StepStatus.READY}),
            GuardFailed: frozenset({StepStatus.FAILED}),
            FanOutStarted: frozenset({StepStatus.RUNNING}),
            BodyStarted: frozenset({StepStatus.RUNNING}),
            IterationStarted: frozenset({StepStatus.RUNNING}),
            AttemptStarted: frozenset({StepStatus.RUNNING}),
            StepHeld: frozenset({StepStatus.READY}),
            StepSkipped: frozenset({StepStatus.SKIPPED}),
        },
        StepStatus.RUNNING: {
            StepLogged: frozenset({StepStatus.RUNNING}),
            AttemptSucceeded: frozenset({StepStatus.SUCCEEDED}),
            AttemptFailed: frozenset({StepStatus.RETRYING, StepStatus.FAILED}),
            AttemptStopped: frozenset({StepStatus.STOPPED}),
            AttemptLost: frozenset({StepStatus.RETRYING, StepStatus.FAILED}),
            IterationStarted: frozenset({StepStatus.RUNNING}),
            BodySucceeded: frozenset({StepStatus.SUCCEEDED}),
            BodyFailed: frozenset({StepStatus.FAILED}),
            FanOutSucceeded: frozenset({StepStatus.SUCCEEDED}),
            FanOutFailed: frozenset({StepStatus.FAILED}),
        },
        StepStatus.RETRYING: {
            AttemptStarted: frozenset({StepStatus.RUNNING}),
            StepHeld: frozenset({StepStatus.RETRYING}),
            RetryAbandoned: frozenset({StepStatus.FAILED}),
        },
        StepStatus.PAUSED: {StepSkipped: frozenset({StepStatus.SKIPPED})},
        StepStatus.SUCCEEDED: {StepPaused: frozenset({StepStatus.SUCCEEDED})},
        StepStatus.FAILED: {},
        StepStatus.SKIPPED: {},
        StepStatus.STOPPED: {},
    }
)
"""Where each event may take a step.

Two moves have no event of their own: `pending` becomes `ready` when the last dependency settles and the last awaited
artifact is there, and `paused` becomes `ready` when the run goes on.
"""

ENDED: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.STOPPED})
SETTLED: Final = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.STOPPED})
