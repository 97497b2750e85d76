import json
import math
from collections.abc import Mapping
from typing import Final, get_args

import attrs
import pytest

from flowcore.artifacts import Artifact, ArtifactPort, Resources, Store, Well, WellSource
from flowcore.audit import CallAccepted, Credential
from flowcore.codec import UPCASTERS, Codec, Data, Encoded, EventType, decode, encode
from flowcore.errors import EventFormatError
from flowcore.ids import BatchId, InstanceId, RunId, StepName
from flowcore.json_text import MAX_DEPTH, from_json, to_json
from flowcore.model import (
    Breakpoints,
    Dialect,
    Flow,
    Loop,
    Moment,
    OnError,
    Output,
    OutputType,
    RetryPolicy,
    Secret,
    Source,
    Step,
)
from flowcore.run.commands import StopRun
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
    BreakpointsDisabled,
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
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    StepHeld,
    StepImported,
    StepLogged,
    StepPaused,
    StepSkipped,
    TraceToggled,
)
from flowcore.values import Instant, Json

AT: Final = Instant(1733524800.123)
FETCH: Final = StepName("fetch")
ITEM: Final = InstanceId("fetch/3")

FLOW: Final = Flow(
    name="users",
    sources={"api": Source(type="rest", configuration={"url": "http://localhost", "retry": [1, None]})},
    steps=(
        Step(name=StepName("list"), source="api"),
        Step(
            name=FETCH,
            source="api",
            input={"id": "{{ item.id }}"},
            outputs=(
                Output(name="all"),
                Output(name="name", type=OutputType.JMESPATH, value="user.name", required=True),
            ),
            depends_on=(StepName("list"),),
            when="{{ flows.list.users }}",
            for_each=["a", {"b": 1}],
            max_parallel=2,
            retry=RetryPolicy(max_attempts=3, delay_s=0.5, factor=1.0, max_delay_s=5.0, jitter=0.0),
            timeout_s=10.0,
            on_error=OnError.SKIP,
            breakpoint=True,
        ),
    ),
    on_error=OnError.CONTINUE,
    max_workers=8,
    secrets={"TOKEN": Secret(env="API_TOKEN"), "KEY": Secret(file="/run/key")},
)
FLOW_DATA: Final[Json] = {
    "name": "users",
    "sources": {"api": {"type": "rest", "configuration": {"url": "http://localhost", "retry": [1, None]}}},
    "steps": [
        {"name": "list", "source": "api"},
        {
            "name": "fetch",
            "source": "api",
            "input": {"id": "{{ item.id }}"},
            "outputs": [{"name": "all"}, {"name": "name", "type": "jmespath", "value": "user.name", "required": True}],
            "depends_on": ["list"],
            "when": "{{ flows.list.users }}",
            "for_each": ["a", {"b": 1}],
            "max_parallel": 2,
            "retry": {"max_attempts": 3, "delay_s": 0.5, "factor": 1.0, "max_delay_s": 5.0, "jitter": 0.0},
            "timeout_s": 10.0,
            "on_error": "skip",
            "breakpoint": True,
        },
    ],
    "on_error": "continue",
    "max_workers": 8,
    "secrets": {"TOKEN": {"env": "API_TOKEN"}, "KEY": {"file": "/run/key"}},
}

STORED: Final[Mapping[type[Event], tuple[Event, Data]]] = {
    RunCreated: (
        RunCreated(run_id=RunId(1733524800123), flow=FLOW, max_workers=8, at=AT),
        {"run_id": 1733524800123, "flow": FLOW_DATA, "max_workers": 8, "at": 1733524800.123},
    ),
    CallAccepted: (
        CallAccepted(
            peer="127.0.0.1",
            credential=Credential.SIGNED_URL,
            method="PUT",
            route="/api/v1/upload/{store}/{name:path}",
            at=AT,
        ),
        {
            "peer": "127.0.0.1",
            "credential": "signed-url",
            "method": "PUT",
            "route": "/api/v1/upload/{store}/{name:path}",
            "at": 1733524800.123,
        },
    ),
    RunStarted: (RunStarted(at=AT), {"at": 1733524800.123}),
    ConditionMet: (ConditionMet(step=FETCH, at=AT), {"step": "fetch", "at": 1733524800.123}),
    FanOutStarted: (
        FanOutStarted(step=FETCH, items=("a", {"b": 1}, None), at=AT),
        {"step": "fetch", "items": ["a", {"b": 1}, None], "at": 1733524800.123},
    ),
    GuardFailed: (
        GuardFailed(step=FETCH, code="expression", error="no such function", at=AT),
        {"step": "fetch", "code": "expression", "error": "no such function", "at": 1733524800.123},
    ),
    AttemptStarted: (
        AttemptStarted(instance=ITEM, attempt=1, at=AT),
        {"instance": "fetch/3", "attempt": 1, "at": 1733524800.123},
    ),
    AttemptSucceeded: (
        AttemptSucceeded(
            instance=ITEM, attempt=2, outputs={"user": {"id": 3, "Größe": 1.5, "ok": True}}, at=AT, notes=("cleaned",)
        ),
        {
            "instance": "fetch/3",
            "attempt": 2,
            "outputs": {"user": {"id": 3, "Größe": 1.5, "ok": True}},
            "at": 1733524800.123,
            "notes": ["cleaned"],
        },
    ),
    AttemptFailed: (
        AttemptFailed(instance=ITEM, attempt=1, code="500", error="HTTP 500", retry_at=Instant(1733524801.5), at=AT),
        {
            "instance": "fetch/3",
            "attempt": 1,
            "code": "500",
            "error": "HTTP 500",
            "retry_at": 1733524801.5,
            "at": 1733524800.123,
        },
    ),
    StepImported: (
        StepImported(step=FETCH, outputs={"user": {"id": 3}}, at=AT),
        {"step": "fetch", "outputs": {"user": {"id": 3}}, "at": 1733524800.123},
    ),
    RunResumed: (
        RunResumed(owner="process 4711 on host", epoch=2, at=AT),
        {"owner": "process 4711 on host", "epoch": 2, "at": 1733524800.123},
    ),
    AttemptLost: (
        AttemptLost(instance=ITEM, attempt=1, error="lost", retry_at=AT, at=AT),
        {
            "instance": "fetch/3",
            "attempt": 1,
            "error": "lost",
            "retry_at": 1733524800.123,
            "at": 1733524800.123,
        },
    ),
    ReportRejected: (
        ReportRejected(instance=ITEM, attempt=1, epoch=1, outcome="succeeded", at=AT),
        {"instance": "fetch/3", "attempt": 1, "epoch": 1, "outcome": "succeeded", "at": 1733524800.123},
    ),
    AttemptStopped: (
        AttemptStopped(instance=ITEM, attempt=1, at=AT),
        {"instance": "fetch/3", "attempt": 1, "at": 1733524800.123},
    ),
    RetryAbandoned: (RetryAbandoned(instance=ITEM, at=AT), {"instance": "fetch/3", "at": 1733524800.123}),
    FanOutSucceeded: (FanOutSucceeded(step=FETCH, at=AT), {"step": "fetch", "at": 1733524800.123}),
    FanOutFailed: (
        FanOutFailed(step=FETCH, error="2 of 3 items failed", at=AT),
        {"step": "fetch", "error": "2 of 3 items failed", "at": 1733524800.123},
    ),
    StepSkipped: (
        StepSkipped(instance=ITEM, cause=SkipCause.RUN_FAILED, reason="`list` failed", at=AT),
        {"instance": "fetch/3", "cause": "run-failed", "reason": "`list` failed", "at": 1733524800.123},
    ),
    BodyStarted: (BodyStarted(instance=ITEM, at=AT), {"instance": "fetch/3", "at": 1733524800.123}),
    BodySucceeded: (BodySucceeded(instance=ITEM, at=AT), {"instance": "fetch/3", "at": 1733524800.123}),
    BodyFailed: (
        BodyFailed(instance=ITEM, error="no", at=AT),
        {"instance": "fetch/3", "error": "no", "at": 1733524800.123},
    ),
    IterationStarted: (
        IterationStarted(step=FETCH, number=2, at=AT),
        {"step": "fetch", "number": 2, "at": 1733524800.123},
    ),
    StepPaused: (
        StepPaused(instance=ITEM, cause=PauseCause.BREAKPOINT_PRE, at=AT),
        {"instance": "fetch/3", "cause": "breakpoint-pre", "at": 1733524800.123},
    ),
    StepHeld: (
        StepHeld(instance=ITEM, reason="nothing is free", at=AT),
        {"instance": "fetch/3", "reason": "nothing is free", "at": 1733524800.123},
    ),
    StepLogged: (
        StepLogged(instance=ITEM, attempt=1, first=2, lines=(LogLine(at=AT, stream="stderr", message="oops"),), at=AT),
        {
            "instance": "fetch/3",
            "attempt": 1,
            "first": 2,
            "lines": [{"at": 1733524800.123, "stream": "stderr", "message": "oops"}],
            "at": 1733524800.123,
        },
    ),
    AwaitFailed: (
        AwaitFailed(step=FETCH, code="artifact-missing", error="nothing came", at=AT),
        {"step": "fetch", "code": "artifact-missing", "error": "nothing came", "at": 1733524800.123},
    ),
    ArtifactArrived: (
        ArtifactArrived(
            edge="photo",
            artifact=Artifact(store="default", name="1/photo.png", size_bytes=3, content_type="image/png"),
            at=AT,
        ),
        {
            "edge": "photo",
            "artifact": {"store": "default", "name": "1/photo.png", "size_bytes": 3, "content_type": "image/png"},
            "at": 1733524800.123,
        },
    ),
    BreakpointsDisabled: (BreakpointsDisabled(at=AT), {"at": 1733524800.123}),
    TraceToggled: (TraceToggled(enabled=False, at=AT), {"enabled": False, "at": 1733524800.123}),
    RunPaused: (RunPaused(at=AT), {"at": 1733524800.123}),
    RunContinued: (RunContinued(at=AT), {"at": 1733524800.123}),
    RunStopRequested: (
        RunStopRequested(reason="by hand", at=AT),
        {"reason": "by hand", "at": 1733524800.123},
    ),
    RunSucceeded: (RunSucceeded(at=AT), {"at": 1733524800.123}),
    RunFailed: (RunFailed(at=AT), {"at": 1733524800.123}),
    RunStopped: (RunStopped(at=AT), {"at": 1733524800.123}),
}
"""One row for each type: what is stored today. Rows change only together with an upcaster."""


def test_what_a_run_of_nodes_needs_is_stored_as_it_always_was() -> None:
    event = RunCreated(
        run_id=RunId(1),
        flow=Flow(
            steps=(
                Step(
                    name=StepName("a"),
                    source="s",
                    pause=True,
                    kind="resize",
                    after_skips=True,
                    awaits=("photo",),
                    body=(Step(name=StepName("b"), source="s"),),
                    loop=Loop(condition="x", max_iterations=3),
                    artifact_inputs=(ArtifactPort(port="image", edge="photo", types=("image/*",), required=False),),
                    artifact_outputs=(ArtifactPort(port="small", edge="thumb"),),
                    resources=Resources(
                        cores=0.5, memory_bytes=1, storage_bytes=2, gpu="any", gpu_memory_bytes=3, tier="g-micro"
                    ),
                ),
            ),
            dialect=Dialect.NODES,
            halt_on_failure=True,
            stores={"s3": Store(type="s3", params={"Secure": False}), "default": Store(type="local")},
            wells={
                "photo": Well(
                    store="s3", source=WellSource.UPLOAD, key="${EDGE}", lifetime_s=60.0, types=("image/png",)
                )
            },
            await_s=3600.0,
        ),
        max_workers=1,
        at=Instant(1.0),
        breakpoints=Breakpoints(moment=Moment.BOTH, marked=True, steps=None),
        trace=True,
        labels={"file": "a.json"},
        batch=BatchId(7),
    )
    data: Json = {
        "run_id": 1,
        "flow": {
            "steps": [
                {
                    "name": "a",
                    "source": "s",
                    "pause": True,
                    "kind": "resize",
                    "after_skips": True,
                    "awaits": ["photo"],
                    "body": [{"name": "b", "source": "s"}],
                    "loop": {"condition": "x", "max_iterations": 3},
                    "artifact_inputs": [{"port": "image", "edge": "photo", "types": ["image/*"], "required": False}],
                    "artifact_outputs": [{"port": "small", "edge": "thumb"}],
                    "resources": {
                        "cores": 0.5,
                        "memory_bytes": 1,
                        "storage_bytes": 2,
                        "gpu": "any",
                        "gpu_memory_bytes": 3,
                        "tier": "g-micro",
                    },
                }
            ],
            "dialect": "nodes",
            "halt_on_failure": True,
            "stores": {"s3": {"type": "s3", "params": {"Secure": False}}, "default": {"type": "local"}},
            "wells": {
                "photo": {
                    "store": "s3",
                    "source": "upload",
                    "key": "${EDGE}",
                    "lifetime_s": 60.0,
                    "types": ["image/png"],
                }
            },
            "await_s": 3600.0,
        },
        "max_workers": 1,
        "at": 1.0,
        "breakpoints": {"moment": "both", "marked": True, "steps": None},
        "trace": True,
        "labels": {"file": "a.json"},
        "batch": 7,
    }
    stored = json.loads(json.dumps(encode(event).data))
    assert stored == data
    assert decode("RunCreated", 1, stored) == event


def test_the_artifacts_of_an_attempt_are_stored_with_its_success() -> None:
    event = AttemptSucceeded(
        instance=ITEM, attempt=1, outputs={}, at=AT, artifacts={"thumb": Artifact(store="s3", name="x")}
    )
    data: Json = {
        "instance": "fetch/3",
        "attempt": 1,
        "outputs": {},
        "at": 1733524800.123,
        "artifacts": {"thumb": {"store": "s3", "name": "x"}},
    }
    assert json.loads(json.dumps(encode(event).data)) == data
    assert decode("AttemptSucceeded", 1, data) == event


def created(flow: Json) -> Data:
    return {"run_id": 1, "flow": flow, "max_workers": 1, "at": 1.0}


@pytest.mark.parametrize("event_type", get_args(Event))
def test_every_event_is_stored_as_it_always_was(event_type: type[Event]) -> None:
    event, data = STORED[event_type]

    encoded = encode(event)

    assert (encoded.type, encoded.schema) == (event_type.__name__, 1 + len(UPCASTERS.get(event_type, ())))
    assert from_json(to_json(encoded.data)) == data
    decoded = decode(encoded.type, encoded.schema, data)
    assert decoded == event
    assert repr(decoded) == repr(event), "equal is not the same: a `StrEnum` equals its text, an `int` a `float`"


@pytest.mark.parametrize("event_type", get_args(Event))
def test_what_was_encoded_decodes_without_the_way_through_text(event_type: type[Event]) -> None:
    event, _ = STORED[event_type]
    encoded = encode(event)
    assert decode(encoded.type, encoded.schema, encoded.data) == event


def test_a_fork_is_stored_with_its_parent() -> None:
    event = RunCreated(run_id=RunId(2), flow=Flow(), max_workers=1, at=AT, parent=RunId(1), forked_from=FETCH)
    encoded = encode(event)
    assert encoded.data == {**created({}), "run_id": 2, "at": AT, "parent": 1, "forked_from": "fetch"}
    assert decode(encoded.type, encoded.schema, encoded.data) == event


def test_last_failure_has_no_next_attempt() -> None:
    event = AttemptFailed(instance=ITEM, attempt=1, code="timeout", error="too slow", retry_at=None, at=AT)
    encoded = encode(event)
    assert encoded.data["retry_at"] is None
    assert decode(encoded.type, encoded.schema, encoded.data) == event


def test_defaults_are_left_out_and_never_change() -> None:
    """A default that changes would change what old logs say: this event must be read like this for ever."""
    stored = created(
        {
            "sources": {"env": {"type": "env"}},
            "steps": [
                {"name": "a", "source": "env", "outputs": [{"name": "x"}], "retry": {"max_attempts": 2}},
                {"name": "b", "source": "env"},
            ],
            "secrets": {"S": {}},
        }
    )
    step = Step(
        name=StepName("a"),
        source="env",
        input=None,
        outputs=(Output(name="x", type=OutputType.RAW, value=None, required=False),),
        depends_on=(),
        when=None,
        for_each=None,
        max_parallel=None,
        retry=RetryPolicy(max_attempts=2, delay_s=1.0, factor=2.0, max_delay_s=60.0, jitter=0.1),
        timeout_s=300.0,
        on_error=None,
        breakpoint=False,
    )
    retry = RetryPolicy(max_attempts=1, delay_s=1.0, factor=2.0, max_delay_s=60.0, jitter=0.1)
    event = RunCreated(
        run_id=RunId(1),
        flow=Flow(
            name="",
            sources={"env": Source(type="env", configuration={})},
            steps=(step, attrs.evolve(step, name=StepName("b"), outputs=(), retry=retry)),
            on_error=None,
            max_workers=None,
            secrets={"S": Secret(env=None, file=None)},
        ),
        max_workers=1,
        at=Instant(1.0),
    )

    assert from_json(to_json(encode(event).data)) == stored
    assert decode("RunCreated", 1, stored) == event


def test_whole_numbers_are_taken_as_times() -> None:
    event = decode("RunStarted", 1, {"at": 5})
    assert event == RunStarted(at=Instant(5.0))
    assert isinstance(event.at, float)


def test_unknown_type_is_refused() -> None:
    with pytest.raises(EventFormatError, match="unknown event type 'RunTeleported'"):
        decode("RunTeleported", 1, {"at": 1.0})


@pytest.mark.parametrize("schema", [-1, 0, 2, 99])
def test_other_schema_is_refused(schema: int) -> None:
    with pytest.raises(EventFormatError, match=rf"RunStarted has schema {schema}, .* up to 1"):
        decode("RunStarted", schema, {"at": 1.0})


def test_what_is_not_an_event_is_not_stored() -> None:
    with pytest.raises(EventFormatError, match="StopRun"):
        encode(StopRun(reason="", at=AT))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("type_", "data", "problem"),
    [
        ("RunStarted", None, "expected a mapping"),
        ("RunStarted", [1.0], "expected a mapping"),
        ("RunStarted", {}, "missing @ $.at"),
        ("RunStarted", {"at": 1.0, "by": "me", "and": 1}, "unknown keys and, by @ $"),
        ("RunStarted", {"at": "now"}, "expected a number @ $.at"),
        ("RunStarted", {"at": True}, "expected a number @ $.at"),
        ("RunStarted", {"at": math.nan}, "expected a number @ $.at"),
        ("RunStarted", {"at": math.inf}, "expected a number @ $.at"),
        ("AttemptStarted", {"instance": 3, "attempt": 1, "at": 1.0}, "expected text @ $.instance"),
        ("AttemptStarted", {"instance": "a", "attempt": 1.0, "at": 1.0}, "expected an integer @ $.attempt"),
        ("AttemptStarted", {"instance": "a", "attempt": True, "at": 1.0}, "expected an integer @ $.attempt"),
        (
            "AttemptSucceeded",
            {"instance": "a", "attempt": 1, "outputs": [], "at": 1.0},
            "expected a mapping @ $.outputs",
        ),
        (
            "AttemptSucceeded",
            {"instance": "a", "attempt": 1, "outputs": {"x": [math.inf]}, "at": 1.0},
            "inf is not JSON @ $.outputs",
        ),
        (
            "AttemptSucceeded",
            {"instance": "a", "attempt": 1, "outputs": {}, "at": 1.0, "notes": "text"},
            "expected a list @ $.notes",
        ),
        (
            "AttemptFailed",
            {"instance": "a", "attempt": 1, "code": "x", "error": "x", "retry_at": "soon", "at": 1.0},
            "expected a number @ $.retry_at",
        ),
        ("FanOutStarted", {"step": "a", "items": "abc", "at": 1.0}, "expected a list @ $.items"),
        (
            "StepSkipped",
            {"instance": "a", "cause": "boredom", "reason": "", "at": 1.0},
            "'boredom' is not a valid SkipCause @ $.cause",
        ),
        ("StepSkipped", {"instance": "a", "cause": 1, "reason": "", "at": 1.0}, "expected text @ $.cause"),
        ("RunCreated", created(5), "@ $.flow"),
        ("RunCreated", created([]), "@ $.flow"),
        ("RunCreated", created({"sources": []}), "@ $.flow.sources"),
        ("RunCreated", created({"sources": {"a": {}}}), "missing @ $.flow.sources['a'].type"),
        ("RunCreated", created({"steps": [{"name": "a", "source": "b", "breakpoint": 1}]}), "expected true or false"),
        ("RunCreated", created({"steps": [5]}), "expected a mapping @ $.flow.steps"),
        ("RunCreated", created({"steps": [{"name": "a", "source": 5}]}), "expected text @ $.flow.steps.source"),
        (
            "RunCreated",
            created({"steps": [{"name": "a", "source": "b", "depends_on": ["c", 5]}]}),
            "expected text @ $.flow.steps.depends_on",
        ),
        (
            "RunCreated",
            created({"steps": [{"name": "a", "source": "b", "max_parallel": 0}]}),
            "'max_parallel' must be >= 1: 0 @ $.flow.steps",
        ),
        ("RunCreated", created({"max_workers": True}), "expected an integer @ $.flow.max_workers"),
        ("RunCreated", created({"on_error": "panic"}), "'panic' is not a valid OnError @ $.flow.on_error"),
    ],
)
def test_broken_payload_is_refused_and_named(type_: str, data: Json, problem: str) -> None:
    with pytest.raises(EventFormatError) as caught:
        decode(type_, 1, data)
    assert str(caught.value).startswith(f"broken {type_}: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("alien", [object(), {1: "one"}, b"bytes"])
def test_data_that_is_not_json_is_refused(alien: Json) -> None:
    with pytest.raises(EventFormatError, match="broken FanOutStarted"):
        decode("FanOutStarted", 1, {"step": "a", "items": [alien], "at": 1.0})


def test_only_the_first_problems_are_told() -> None:
    steps: list[Json] = [{"name": 1, "source": 2, "input": None, "outputs": 3, "timeout_s": "x", "retry": 4, "on": 1}]
    with pytest.raises(EventFormatError) as caught:
        decode("RunCreated", 1, created({"steps": steps}))
    assert str(caught.value).count(" @ ") == 5


class TestUpcasters:
    """ "Changes go through an upcaster": here a reason that was once called `why`, and before that did not exist."""

    @staticmethod
    def add_why(data: Data) -> Data:
        return {**data, "why": "unknown"}

    @staticmethod
    def rename_why(data: Data) -> Data:
        return {**{key: value for key, value in data.items() if key != "why"}, "reason": data["why"]}

    @pytest.fixture
    def codec(self) -> Codec[Event]:
        return Codec([EventType(RunStopRequested, (self.add_why, self.rename_why))])

    @pytest.mark.parametrize(
        ("schema", "data", "reason"),
        [
            (1, {"at": 1.0}, "unknown"),
            (2, {"at": 1.0, "why": "bored"}, "bored"),
            (3, {"at": 1.0, "reason": "late"}, "late"),
        ],
    )
    def test_every_schema_is_read(self, codec: Codec[Event], schema: int, data: Data, reason: str) -> None:
        assert codec.decode("RunStopRequested", schema, data) == RunStopRequested(reason=reason, at=Instant(1.0))

    def test_the_present_schema_is_written(self, codec: Codec[Event]) -> None:
        encoded = codec.encode(RunStopRequested(reason="late", at=Instant(1.0)))
        assert encoded == Encoded("RunStopRequested", 3, {"reason": "late", "at": 1.0})

    def test_newer_schema_is_refused(self, codec: Codec[Event]) -> None:
        with pytest.raises(EventFormatError, match=r"has schema 4, .* up to 3"):
            codec.decode("RunStopRequested", 4, {"at": 1.0})

    def test_broken_old_payload_is_refused(self, codec: Codec[Event]) -> None:
        with pytest.raises(EventFormatError, match="broken RunStopRequested of schema 2"):
            codec.decode("RunStopRequested", 2, {"at": 1.0})

    def test_other_types_are_unknown(self, codec: Codec[Event]) -> None:
        with pytest.raises(EventFormatError, match="RunStarted are not stored"):
            codec.encode(RunStarted(at=AT))


def test_json_is_compact_and_keeps_letters() -> None:
    assert to_json({"name": "Zoë", "n": [1, 2.5, None, True], "at": 1733524800.1234567}) == (
        '{"name":"Zoë","n":[1,2.5,null,true],"at":1733524800.1234567}'
    )


CIRCLE: Final[list[Json]] = []
CIRCLE.append(CIRCLE)


WIDE: Final[Data] = {"x": [{"y": [index]} for index in range(MAX_DEPTH)]}


def nested(depth: int) -> Data:
    data: Data = {}
    for _ in range(depth - 1):
        data = {"deeper": data}
    return data


@pytest.mark.parametrize(
    "data",
    [
        {"x": math.nan},
        {"x": [math.inf]},
        {"x": {"y": -math.inf}},
        {"x": "\ud800"},
        {"\udfff": 1},
        {"x": object()},
        {"x": CIRCLE},
        {"x": 10**5000},
        nested(MAX_DEPTH + 1),
        nested(100_000),
    ],
    ids=range(10),
)
def test_what_is_not_json_is_not_written(data: Data) -> None:
    with pytest.raises(EventFormatError, match="cannot be stored"):
        to_json(data)


@pytest.mark.parametrize("data", [nested(MAX_DEPTH), WIDE])
def test_what_is_not_too_deep_is_written(data: Data) -> None:
    assert from_json(to_json(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"at":NaN}',
        "[Infinity]",
        "[-Infinity]",
        '"\\ud800"',
        '{"\\udc00":1}',
        "[" * 100_000,
        '{"a":1}x',
        "[1e400]",
        "[-1e400]",
    ],
    ids=range(11),
)
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(EventFormatError, match="not JSON"):
        from_json(text)


def test_text_that_is_nested_too_deeply_is_told_in_words() -> None:
    with pytest.raises(EventFormatError) as told:
        from_json('{"a":' * 100_000)
    assert str(told.value) == "not JSON that can be read: lists and mappings are nested too deeply in it"


@pytest.mark.parametrize(
    ("text", "key"), [('{"a": 1, "b": 2, "a": 1}', "a"), (r'[{"x": {"b": [], "\u0062": {}}}]', "b")]
)
def test_a_repeated_key_is_refused_where_that_is_asked_for(text: str, key: str) -> None:
    with pytest.raises(EventFormatError, match=f"^not JSON: the key '{key}' is there more than once$"):
        from_json(text, unique=True)
    from_json(text)
    assert from_json('{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}', unique=True) == {
        "a": {"a": 1},
        "b": [{"a": 2}, {"a": 3}],
    }


def test_escapes_are_read() -> None:
    assert from_json(to_json({"x": "a\x00b\n\u2028😀"})) == {"x": "a\x00b\n\u2028😀"}
