"""Kinds of events, for the checker."""

from typing import Final, TypeAlias

from flowcore.run.events import (
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
    RetryAbandoned,
    StepHeld,
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
    StepHeld,
    BodyStarted,
    BodySucceeded,
    BodyFailed,
    ConditionMet,
    FanOutStarted,
    FanOutSucceeded,
    FanOutFailed,
    GuardFailed,
    AwaitFailed,
    IterationStarted,
    StepImported,
)
BY_INSTANCE: Final = STEP_LEVEL[:13]
AttemptEnd: TypeAlias = AttemptSucceeded | AttemptFailed | AttemptLost | AttemptStopped
