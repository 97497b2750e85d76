"""Performing one attempt: render, call the source, take the outputs, hide what is secret."""

import json
import logging
import random
from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

from flowcore.artifacts import Resources
from flowcore.cleaning import clean
from flowcore.errors import ExpressionError, ObjectNameError, SourceError, StoreConfigurationError, StoreError
from flowcore.ids import InstanceId, RunId
from flowcore.maker import maker
from flowcore.model import Step
from flowcore.ports import Clock, make_source_call
from flowcore.run.commands import (
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportSuccess,
    make_report_success,
)
from flowcore.run.events import NO_ARTIFACTS
from flowcore.secrets import Redactor
from flowcore.values import Json
from flowcore_adapters.cancel import Cancellation

from .handing import HandedFiles
from .lines import MAKING, TRACE, AttemptLines, Tracing
from .plan import StepPlan, mapping

_LOG: Final = logging.getLogger("flowcore.source")
Guarded: TypeAlias = ReportGuard | ReportGuardFailure
_LONGEST_NOTE = 10_000
MAX_ITEMS = 100_000
"""How many items a fan-out may have: each is an instance with a state of its own."""


@attrs.define
class Attempt:
    """One attempt in the air."""

    run_id: RunId
    instance: InstanceId
    number: int
    step: Step
    plan: StepPlan
    roots: Mapping[str, Json]
    deadline: float
    cancel: Cancellation
    redactor: Redactor
    tracing: Tracing
    lines: AttemptLines | None = None
    files: HandedFiles | None = None
    granted: Resources | None = None

    @property
    def last_moment(self) -> float:
        """When it is given up, on the monotonic clock."""
        return self.deadline + self.plan.source.grace_s

    def log(self, message: str, *, stream: str = "source") -> None:
        """Write one line of the source's."""
        _LOG.info("%s: %s", self.instance, self.redactor.text(message))
        if self.tracing.enabled:
            self.written().write(message, stream)

    def trace(self, message: str) -> None:
        """Write one line of the engine's, if the run is traced."""
        if self.tracing.enabled:
            self.written().write(message, TRACE)

    def written(self) -> AttemptLines:
        """Return where the lines of a traced attempt wait."""
        lines = self.lines
        if lines is None:
            with MAKING:
                lines = self.lines = AttemptLines(self.tracing, self.redactor) if self.lines is None else self.lines
        return lines


make_attempt: Final = maker(Attempt)
Report: TypeAlias = tuple[Attempt, ReportSuccess | ReportFailure]
"""What an attempt came to."""


def perform(attempt: Attempt, clock: Clock) -> ReportSuccess | ReportFailure:
    """Do the work of *attempt* and return the report. Never raises: whatever goes wrong is the attempt's failure."""
    began = clock.monotonic() if attempt.tracing.enabled else 0.0
    try:
        outputs, notes = _outputs(attempt, clock)
        artifacts = NO_ARTIFACTS if attempt.files is None else attempt.files.left()
    except (SourceError, ExpressionError) as error:
        failure = _failure(attempt, clock, error)
    except StoreError as error:
        retryable = not isinstance(error, StoreConfigurationError | ObjectNameError)
        failure = _failure(attempt, clock, SourceError(str(error), code=error.code, retryable=retryable))
    except BaseException as error:  # noqa: BLE001 - the outermost edge: what a source raises, `sys.exit()` too, is a fact
        failure = _failure(attempt, clock, SourceError(f"{type(error).__name__}: {error}", code="source-fault"))
    else:
        if began:
            attempt.trace(f"succeeded after {clock.monotonic() - began:.3f} s")
        return make_report_success(
            instance=attempt.instance,
            attempt=attempt.number,
            outputs=outputs,
            notes=notes,
            at=clock.now(),
            artifacts=artifacts,
        )
    if began:
        attempt.trace(f"failed after {clock.monotonic() - began:.3f} s: {failure.error} [{failure.code}]")
    return failure


def _outputs(attempt: Attempt, clock: Clock) -> tuple[Mapping[str, Json], tuple[str, ...]]:
    plan = attempt.plan
    lines = attempt.written() if attempt.tracing.enabled else None
    if lines is not None:
        lines.write(_opening(attempt), TRACE)
    payload, configuration = (None, plan.fixed) if plan.fixed else _rendered(attempt, lines)
    called = 0.0
    if lines is not None:
        lines.value("configuration", configuration)
        called = clock.monotonic()
    if attempt.files is not None:
        attempt.files.check()
    result = plan.source.adapter.call(
        make_source_call(
            run_id=attempt.run_id,
            instance=attempt.instance,
            attempt=attempt.number,
            configuration=configuration,
            payload=payload,
            deadline=attempt.deadline,
            cancel=attempt.cancel,
            log=attempt.log,
            redact=attempt.redactor.text,
            files=attempt.files,
            resources=attempt.granted,
            timeout_s=plan.timeout_s,
        )
    )
    if lines is not None:
        lines.write(f"the source answered after {clock.monotonic() - called:.3f} s", TRACE)
        if result.meta:
            lines.value("about the answer", result.meta)
    if not plan.outputs:
        # Nothing of the data is kept, so nothing of it needs to be fit for the log.
        return {}, _told(result.notes, attempt.redactor) if result.notes else ()
    data, notes = clean(result.data)
    outputs: dict[str, Json] = {}
    for output in plan.outputs:
        value = output.take(data)
        if output.expression is not None:
            # An expression can make what JSON has no word for, of data that was clean.
            value, more = clean(value)
            notes = (*notes, *more)
        outputs[output.name] = attempt.redactor.hide(value) if attempt.redactor else value
        if lines is not None:
            lines.value(f"output {output.name}", value)
    return outputs, (*_told(result.notes, attempt.redactor), *dict.fromkeys(notes))


def _rendered(attempt: Attempt, lines: AttemptLines | None) -> tuple[Json, Mapping[str, Json]]:
    """Return the input and the configuration for this attempt."""
    plan, roots = attempt.plan, attempt.roots
    source = plan.source
    payload = None if plan.payload is None else plan.payload.render(roots)
    if lines is not None and payload is not None:
        lines.value("input", payload)
    if source.uses_payload:
        roots = {**roots, "input": payload, "json": _parsed(payload)}
    return payload, source.fixed or mapping(source.configuration.render(roots))


def _opening(attempt: Attempt) -> str:
    """Return the first line of a traced attempt."""
    most = attempt.step.retry.max_attempts
    of = f" of {most}" if most > 1 else ""
    return f"attempt {attempt.number}{of} with source '{attempt.step.source}' ({attempt.plan.source.adapter.type.name})"


def _told(notes: tuple[str, ...], redactor: Redactor) -> tuple[str, ...]:
    """Return a source's notes fit for the log."""
    return tuple(note(each, redactor) for each in notes)


def note(text: str, redactor: Redactor) -> str:
    """Return *text* fit for the log: secrets first, for half of one would not be recognised."""
    cleaned, _notes = clean(redactor.text(text)[:_LONGEST_NOTE])
    return str(cleaned)


def _parsed(payload: Json) -> Json:
    """Return what `json` means beside `input`: the payload, or what its text spells in JSON, or null."""
    if not isinstance(payload, str):
        return payload if isinstance(payload, (dict, list)) else None
    try:
        parsed, _notes = clean(json.loads(payload))
    except (ValueError, RecursionError, SourceError):
        return None
    return parsed


def _failure(attempt: Attempt, clock: Clock, error: SourceError | ExpressionError) -> ReportFailure:
    stopped = attempt.cancel.cancelled
    if isinstance(error, ExpressionError):
        # An expression gives the same answer again: the outputs it speaks of do not change.
        return _report(attempt, clock, error, retryable=False, stopped=stopped)
    return _report(attempt, clock, error, retryable=error.retryable, retry_after_s=error.retry_after_s, stopped=stopped)


def _report(
    attempt: Attempt,
    clock: Clock,
    error: SourceError | ExpressionError,
    *,
    retryable: bool,
    stopped: bool,
    retry_after_s: float | None = None,
) -> ReportFailure:
    return ReportFailure(
        instance=attempt.instance,
        attempt=attempt.number,
        code=error.code,
        error=note(str(error), attempt.redactor) or type(error).__name__,
        at=clock.now(),
        retryable=retryable,
        retry_after_s=retry_after_s,
        # Jitter is no secret: any generator will do.
        chance=random.random(),
        stopped=stopped,
    )


def given_up(attempt: Attempt, clock: Clock, *, stopped: bool) -> ReportFailure:
    """Return what is reported of an attempt whose source has not ended a grace after it should have."""
    after = f"timeout after {attempt.plan.timeout_s:g} s"
    return ReportFailure(
        instance=attempt.instance,
        attempt=attempt.number,
        code="timeout",
        error=f"{after}; the source did not end and was given up",
        at=clock.now(),
        stopped=stopped,
    )
