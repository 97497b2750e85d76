"""The public API as its users write it: checked by mypy and pyright, never run."""

from collections.abc import Mapping, Sequence
from typing import assert_type

import flowcore
from flowcore import (
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    CommandRejectedError,
    Flow,
    FlowcoreError,
    FlowDocumentError,
    InstanceId,
    Instant,
    Json,
    LogError,
    OnError,
    Output,
    OutputType,
    Problem,
    RetryPolicy,
    RunId,
    RunSession,
    RunState,
    RunStatus,
    Secret,
    Source,
    SourceError,
    Step,
    StepName,
    StepStatus,
    VersionConflictError,
)
from flowcore.catalog import Catalog, Kind, Parameter, SourceType
from flowcore.ports import AnyAppend, Clock, EventLog, Recorded, SourceAdapter, SourceCall, SourceResult
from flowcore.run.commands import Command, PauseRun, ReportFailure, ReportGuard, StartRun, StopRun
from flowcore.run.effects import Cancel, Consequences, Effect, Iterate, Perform, Resolve
from flowcore.run.events import Event, RunStarted
from flowcore.testing import ManualClock, MemoryEventLog, given
from flowcore.views.follow import RunView, catch_up
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StateWord, StatusDocument, StatusReport, StatusView, StepReport


def declare_a_flow() -> Flow:
    fetch = Step(
        name=StepName("fetch"),
        source="api",
        input={"id": "{{ item.id }}", "tags": ["a", 1, None]},
        outputs=(Output(name="users", type=OutputType.JMESPATH, value="data.users", required=True),),
        depends_on=(StepName("list"),),
        for_each="{{ flows.list.all }}",
        max_parallel=2,
        retry=RetryPolicy(max_attempts=3, delay_s=0.5),
        on_error=OnError.SKIP,
    )
    assert_type(fetch.guarded, bool)
    configuration: Mapping[str, Json] = {"url": "http://localhost", "retry": [1, {"deep": None}]}
    return Flow(
        name="users",
        sources={"api": Source(type="rest", configuration=configuration)},
        steps=(Step(name=StepName("list"), source="api"), fetch),
        secrets={"TOKEN": Secret(env="API_TOKEN")},
    )


def run_it(log: EventLog, clock: Clock) -> RunState:
    run_id = flowcore.create_run(log, declare_a_flow(), at=clock.now(), max_workers=2)
    assert_type(run_id, RunId)
    assert_type(flowcore.parse_run_id("exec-1"), RunId | None)
    assert_type(flowcore.request(log, run_id, StopRun(at=clock.now())), tuple[Event, ...])
    session = RunSession(log, run_id)
    assert_type(session.execute(StartRun(at=clock.now())), tuple[Event, ...])
    assert_type(session.staged, list[Event])
    assert_type(flowcore.commit(log, [session]), tuple[tuple[RunSession, list[Event]], ...])
    assert_type(flowcore.load(log, run_id), RunState)
    return session.state


def do(effect: Effect) -> InstanceId | StepName | None:
    match effect:
        case Perform(instance=instance) | Cancel(instance=instance):
            return instance
        case Resolve(step=step) | Iterate(step=step):
            return step
        case Consequences():
            return None


def ask(state: RunState, now: Instant) -> Sequence[InstanceId | StepName | None]:
    assert_type(flowcore.wake_at(state), Instant | None)
    assert_type(flowcore.pending(state, now), tuple[Effect, ...])
    return [do(effect) for effect in flowcore.pending(state, now)]


def fold_it(events: Sequence[Event], command: Command) -> bool:
    state = flowcore.fold(events)
    for event in flowcore.decide(command, state):
        assert_type(flowcore.evolve(state, event), RunState)
    assert_type(state.status, RunStatus)
    assert_type(state.outputs, dict[str, Mapping[str, Json]])
    assert_type(RUN_TRANSITIONS[RunStatus.NEW], Mapping[type[Event], RunStatus])
    assert_type(STEP_TRANSITIONS[StepStatus.READY], Mapping[type[Event], frozenset[StepStatus]])
    return state.ended


def watch(log: EventLog, run_id: RunId) -> tuple[StatusDocument, Mapping[str, Mapping[str, Json]]]:
    view = catch_up(StatusView(), log, run_id, until=log.position())
    assert_type(view, StatusView)
    assert_type(view.encode(), bytes)
    report = view.report()
    assert_type(report, StatusReport)
    assert_type(report.steps, Mapping[str, StepReport])
    document = view.render()
    assert_type(document["steps"]["fetch"]["state"], StateWord)
    assert_type(document["current_step"], str | None)
    outputs: RunView = OutputsView()
    return document, catch_up(OutputsView(), log, run_id, until=outputs.position).render()


def handle(error: FlowcoreError) -> str | Sequence[Problem]:
    match error:
        case FlowDocumentError(problems=problems):
            return problems
        case SourceError(code=code, retryable=True):
            return code
        case CommandRejectedError() | VersionConflictError() | LogError():
            return error.code
        case _:
            return str(error)


class EchoSource:
    """A source of one's own: no base class, only the shape of the port."""

    @property
    def type(self) -> SourceType:
        seconds = Parameter(kind=Kind.SECONDS, about="How long.", required=True)
        return SourceType(name="echo", about="Give the payload back.", parameters={"seconds": seconds})

    def call(self, call: SourceCall) -> SourceResult:
        if call.cancel.wait(1.0):
            raise SourceError("cancelled", code="cancelled", retryable=False)
        call.log(call.idempotency_key)
        return SourceResult(data=call.payload, meta={"attempt": call.attempt}, notes=("echoed",))


class OneStreamLog:
    """A log of one's own."""

    def append(self, *appends: AnyAppend) -> int:
        return sum(len(append.events) for append in appends)


def use_the_ports() -> tuple[EventLog, Clock, SourceAdapter, Catalog]:
    source = EchoSource()
    wrong: EventLog = OneStreamLog()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    del wrong
    return MemoryEventLog(), ManualClock(), source, {source.type.name: source.type}


def give_an_example(created: Event) -> None:
    given(created).when(StartRun(at=Instant(1.0))).then(RunStarted(at=Instant(1.0)))
    given().when(PauseRun(at=Instant(1.0))).then_rejected("run-missing")


def what_does_not_type_check(log: EventLog, state: RunState) -> None:
    flowcore.load(log, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    flowcore.pending(state, 1.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    flowcore.decide(RunStarted(at=Instant(1.0)), state)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ReportGuard(step="fetch", met=True, at=Instant(1.0))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ReportFailure()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Flow().name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    Recorded(RunId(1), 1, 1, object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
