"""flowcore: declared flows, an event log as the only truth, and views of it.

The pure core: no I/O, no clock, no threads, no randomness. See `flowcore_adapters` for what touches the world.
"""

from flowcore.errors import (
    CommandRejectedError,
    EventFormatError,
    ExpressionError,
    FlowcoreError,
    FlowDocumentError,
    LogError,
    Problem,
    RunNotFoundError,
    SourceError,
    VersionConflictError,
)
from flowcore.ids import InstanceId, RunId, StepName, parse_run_id
from flowcore.model import Flow, OnError, Output, OutputType, RetryPolicy, Secret, Source, Step
from flowcore.run.decide import decide
from flowcore.run.effects import pending, wake_at
from flowcore.run.evolve import evolve, fold
from flowcore.run.machine import RUN_TRANSITIONS, STEP_TRANSITIONS, RunStatus, StepStatus
from flowcore.run.state import RunState
from flowcore.service import RunSession, commit, create_run, load, request
from flowcore.values import Instant, Json

__all__ = [
    "RUN_TRANSITIONS",
    "STEP_TRANSITIONS",
    "CommandRejectedError",
    "EventFormatError",
    "ExpressionError",
    "Flow",
    "FlowDocumentError",
    "FlowcoreError",
    "InstanceId",
    "Instant",
    "Json",
    "LogError",
    "OnError",
    "Output",
    "OutputType",
    "Problem",
    "RetryPolicy",
    "RunId",
    "RunNotFoundError",
    "RunSession",
    "RunState",
    "RunStatus",
    "Secret",
    "Source",
    "SourceError",
    "Step",
    "StepName",
    "StepStatus",
    "VersionConflictError",
    "commit",
    "create_run",
    "decide",
    "evolve",
    "fold",
    "load",
    "parse_run_id",
    "pending",
    "request",
    "wake_at",
]
