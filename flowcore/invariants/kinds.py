"""Kinds of events, for the checker."""

from typing import Final, TypeAlias

from flowcore.run.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    AwaitFailed,
    ConditionMet,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    RetryAbandoned,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
)

STEP_LEVEL: Final = (
    AttemptStarted,
    AttemptSucceeded,
    AttemptFailed,
    AttemptLost,
    AttemptStopped,
    RetryAbandoned,
    StepSkipped,
    StepPaused,
    StepLogged,
    ConditionMet,
    FanOutStarted,
    FanOutSucceeded,
    FanOutFailed,
    GuardFailed,
    AwaitFailed,
    StepImported,
)
BY_INSTANCE: Final = STEP_LEVEL[:9]
AttemptEnd: TypeAlias = AttemptSucceeded | AttemptFailed | AttemptLost | AttemptStopped
