"""Short words for steps, events and commands: what the examples of the run's machine are written in."""

from collections.abc import Iterable
from typing import Final

import attrs

from flowcore.artifacts import Artifact
from flowcore.audit import CallAccepted, Credential
from flowcore.ids import InstanceId, RunId, StepName
from flowcore.model import Flow, Loop, OnError, Output, RetryPolicy, Source, Step
from flowcore.ports import Recorded
from flowcore.run.commands import ReportFailure
from flowcore.run.events import (
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
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    IterationStarted,
    LogLine,
    PauseCause,
    ReportRejected,
    RetryAbandoned,
    RunCreated,
    RunResumed,
    RunStarted,
    SkipCause,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
)
from flowcore.run.state import RunState
from flowcore.values import Instant, Json

T0, T1, T2 = Instant(100.0), Instant(101.0), Instant(102.0)
RUN: Final = RunId(1)


def step(
    name: str,
    *needs: str,
    on_error: OnError | None = None,
    retry: int = 1,
    when: Json = None,
    for_each: Json = None,
    max_parallel: int | None = None,
    outputs: tuple[str, ...] = (),
    mark: bool = False,
    pause: bool = False,
    awaits: tuple[str, ...] = (),
    after_skips: bool = False,
) -> Step:
    """Return a step that needs the steps *needs*."""
    return Step(
        name=StepName(name),
        source="source",
        depends_on=tuple(StepName(need) for need in needs),
        on_error=on_error,
        retry=RetryPolicy(max_attempts=retry, jitter=0.0),
        when=when,
        for_each=for_each,
        max_parallel=max_parallel,
        outputs=tuple(Output(name=output) for output in outputs),
        breakpoint=mark,
        pause=pause,
        awaits=awaits,
        after_skips=after_skips,
    )


def body(
    name: str,
    *steps: Step,
    needs: tuple[str, ...] = (),
    when: Json = None,
    for_each: Json = None,
    max_parallel: int | None = None,
    loop: Loop | None = None,
    on_error: OnError | None = None,
) -> Step:
    """Return a step that runs *steps*."""
    plain = step(name, *needs, when=when, for_each=for_each, max_parallel=max_parallel, on_error=on_error)
    return attrs.evolve(plain, body=steps, loop=loop)


def flow_of(*steps: Step, on_error: OnError | None = None) -> Flow:
    """Return a flow of *steps* over one source."""
    return Flow(sources={"source": Source(type="value")}, steps=steps, on_error=on_error)


def created(*steps: Step, max_workers: int = 4, on_error: OnError | None = None) -> RunCreated:
    """Return the first event of a run of *steps*."""
    return RunCreated(run_id=RUN, flow=flow_of(*steps, on_error=on_error), max_workers=max_workers, at=T0)


def begun(*steps: Step, max_workers: int = 4, on_error: OnError | None = None) -> tuple[Event, ...]:
    """Return the first two events of a run of *steps*."""
    return created(*steps, max_workers=max_workers, on_error=on_error), RunStarted(at=T0)


def started(name: str, attempt: int = 1, at: Instant = T0) -> AttemptStarted:
    """Return the start of an attempt."""
    return AttemptStarted(instance=InstanceId(name), attempt=attempt, at=at)


def succeeded(
    name: str, outputs: dict[str, Json] | None = None, *, attempt: int = 1, notes: tuple[str, ...] = ()
) -> AttemptSucceeded:
    """Return the success of an attempt, the first one unless told otherwise."""
    return AttemptSucceeded(instance=InstanceId(name), attempt=attempt, outputs=outputs or {}, notes=notes, at=T1)


def failed(name: str, *, attempt: int = 1, retry: Instant | None = None, at: Instant = T1) -> AttemptFailed:
    """Return the failure of an attempt."""
    return AttemptFailed(
        instance=InstanceId(name), attempt=attempt, code="source-failed", error="no", retry_at=retry, at=at
    )


def stopped(name: str, attempt: int = 1) -> AttemptStopped:
    """Return the end of an attempt that was cancelled."""
    return AttemptStopped(instance=InstanceId(name), attempt=attempt, at=T1)


LOST: Final = "the runner was lost while the attempt was under way"


def resumed(epoch: int = 2, at: Instant = T1) -> RunResumed:
    """Return that another owner has taken the run over."""
    return RunResumed(owner="process 2", epoch=epoch, at=at)


def lost(name: str, attempt: int = 1, *, retry: Instant | None = T1, error: str = LOST) -> AttemptLost:
    """Return that the attempt was lost with its runner."""
    return AttemptLost(instance=InstanceId(name), attempt=attempt, error=error, retry_at=retry, at=T1)


def rejected(name: str, attempt: int = 1, epoch: int = 1) -> ReportRejected:
    """Return that somebody who had lost the run reported a success."""
    return ReportRejected(instance=InstanceId(name), attempt=attempt, epoch=epoch, outcome="succeeded", at=T2)


def called(route: str = "/api/workflows/execution/stop", *, credential: Credential = Credential.NONE) -> CallAccepted:
    """Return that somebody on this machine has asked for something over HTTP."""
    return CallAccepted(peer="127.0.0.1", credential=credential, method="POST", route=route, at=T1)


def imported(name: str, outputs: dict[str, Json] | None = None) -> StepImported:
    """Return that a step takes over what it came to in the parent run."""
    return StepImported(step=StepName(name), outputs=outputs or {}, at=T0)


def fails(name: str, *, attempt: int = 1, retryable: bool = True, stopped: bool = False) -> ReportFailure:
    """Return the report of a failure."""
    return ReportFailure(
        instance=InstanceId(name),
        attempt=attempt,
        code="source-failed",
        error="no",
        at=T1,
        retryable=retryable,
        stopped=stopped,
    )


def skipped(name: str, reason: str, cause: SkipCause = SkipCause.UPSTREAM, at: Instant = T2) -> StepSkipped:
    """Return a skip."""
    return StepSkipped(instance=InstanceId(name), cause=cause, reason=reason, at=at)


def abandoned(name: str) -> RetryAbandoned:
    """Return the end of waiting for a further attempt."""
    return RetryAbandoned(instance=InstanceId(name), at=T2)


def met(name: str) -> ConditionMet:
    """Return that a condition was met."""
    return ConditionMet(step=StepName(name), at=T1)


def unguarded(name: str) -> GuardFailed:
    """Return that a condition or a list had no answer."""
    return GuardFailed(step=StepName(name), code="expression", error="no answer", at=T1)


def fanned(name: str, *items: Json) -> FanOutStarted:
    """Return the list of a fan-out."""
    return FanOutStarted(step=StepName(name), items=items, at=T0)


def joined(name: str) -> FanOutSucceeded:
    """Return the success of a fan-out."""
    return FanOutSucceeded(step=StepName(name), at=T2)


def broken(name: str, error: str = "item 0: no") -> FanOutFailed:
    """Return the failure of a fan-out."""
    return FanOutFailed(step=StepName(name), error=error, at=T2)


def entered(name: str) -> BodyStarted:
    """Return that a body begins."""
    return BodyStarted(instance=InstanceId(name), at=T2)


def iterated(name: str, number: int) -> IterationStarted:
    """Return that an iteration of a loop begins."""
    return IterationStarted(step=StepName(name), number=number, at=T2)


def left(name: str) -> BodySucceeded:
    """Return that a body ended well."""
    return BodySucceeded(instance=InstanceId(name), at=T2)


def unwell(name: str, error: str) -> BodyFailed:
    """Return that a body failed."""
    return BodyFailed(instance=InstanceId(name), error=error, at=T2)


def paused(name: str, cause: PauseCause = PauseCause.BREAKPOINT_PRE) -> StepPaused:
    """Return that the run pauses at a step."""
    return StepPaused(instance=InstanceId(name), cause=cause, at=T2)


LINE: Final = LogLine(at=T1, stream="stdout", message="hello")


def held(name: str, reason: str = "nothing is free") -> StepHeld:
    """Return that a step may start and does not yet."""
    return StepHeld(instance=InstanceId(name), reason=reason, at=T1)


def logged(name: str, first: int = 0, attempt: int = 1, lines: tuple[LogLine, ...] = (LINE,)) -> StepLogged:
    """Return that an attempt wrote lines."""
    return StepLogged(instance=InstanceId(name), attempt=attempt, first=first, lines=lines, at=T1)


ARTIFACT: Final = Artifact(store="default", name="1/photo.png", size_bytes=3, content_type="image/png")


def arrived(edge: str) -> ArtifactArrived:
    """Return that an artifact has arrived."""
    return ArtifactArrived(edge=edge, artifact=ARTIFACT, at=T1)


def missed(name: str, error: str = "nothing came for 'photo' within 1 s") -> AwaitFailed:
    """Return that a step waited in vain."""
    return AwaitFailed(step=StepName(name), code="artifact-missing", error=error, at=T2)


def recorded(events: Iterable[Event]) -> list[Recorded]:
    """Return *events* as they stand in a log of one run."""
    return [Recorded(RUN, number, number, event) for number, event in enumerate(events, 1)]


def digest(state: RunState) -> str:
    """Return all that *state* holds as text, but for the flow, which is that of the first event."""
    return repr({name: value for name, value in vars(state).items() if name != "flow"})
