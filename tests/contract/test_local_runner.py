"""The runner and its engine, with sources of the tests: what a program that runs a flow can rely on."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from flowcore.catalog import Kind, Parameter, SourceType
from flowcore.errors import FlowDocumentError, LogError, SourceError
from flowcore.ids import RunId, StepName
from flowcore.model import Flow, Source, Step
from flowcore.ports import AnyAppend, SourceCall, SourceResult
from flowcore.run.commands import ContinueRun, PauseRun, StopRun
from flowcore.run.events import AttemptStarted, Event
from flowcore.service import create_run, load, request
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import Registry
from flowcore_adapters.runner import local
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.runner.local import LocalRunner, run_flow
from flowcore_adapters.sources.env import EnvSource
from flowcore_adapters.sources.value import ValueSource

Work = Callable[[SourceCall], object]


class FunctionSource:
    """A source that does what the test says."""

    def __init__(self, name: str, work: Work, *, blocking: bool = True) -> None:
        """Do *work* for every call."""
        self._work = work
        self.type = SourceType(
            name=name,
            about="A source of the tests.",
            parameters={"option": Parameter(kind=Kind.ANY, about="Anything.")},
            blocking=blocking,
            grace_s=0.2,
        )

    def call(self, call: SourceCall) -> SourceResult:
        """Do it."""
        return SourceResult(data=self._work(call))


def registry(**works: Work) -> Registry:
    """Return a registry with `value`, `env` and a blocking source for each of *works*."""
    own = {name: FunctionSource(name, work) for name, work in works.items()}
    return Registry({"value": ValueSource(), "env": EnvSource(), **own})


def step(name: str, source: Json, **members: Json) -> dict[str, Json]:
    """Return a step of a flow document."""
    return {"name": name, "source": source, **members}


def runner(*steps: Mapping[str, Json], sources: Registry | None = None, **members: Json) -> LocalRunner:
    """Return a runner of a flow of *steps*."""
    return LocalRunner({"flow": list(steps), **members}, registry=sources or registry())


def states(run: LocalRunner) -> dict[str, str]:
    """Return the state of every step."""
    return {name: report.state for name, report in run.status.steps.items()}


VALUE: list[Json] = [{"name": "v"}]


def fails(_call: SourceCall) -> object:
    """Fail."""
    raise SourceError("no luck", code="unlucky")


class TestRunning:
    """A flow is run to its end, whatever becomes of its steps."""

    def test_outputs_flow_from_step_to_step(self) -> None:
        run = runner(
            step("a", "value", input={"n": 20}, output=[{"name": "n", "type": "jmespath", "value": "n"}]),
            step("b", "value", input="{{ flows.a.n }}", output=VALUE),
            step("c", "value", input="n={{ flows.a.n }}", output=VALUE),
        )
        run.run()
        assert run.flows == {"a": {"n": 20}, "b": {"v": 20}, "c": {"v": "n=20"}}

    def test_a_failing_step_is_no_exception(self) -> None:
        run = runner(step("bad", "fails"), sources=registry(fails=fails))
        run.run()
        assert run.status.steps["bad"].error == "no luck"
        assert run.status.state == "failed"
        assert run.flows == {}

    def test_a_flow_that_cannot_run_raises(self) -> None:
        run = runner(step("a", "value", depends_on=["b"]), step("b", "value", depends_on=["a"]))
        with pytest.raises(FlowDocumentError, match="a -> b -> a"):
            run.run()

    def test_before_the_run_every_step_is_pending(self) -> None:
        run = runner(step("a", "value"), step("b", "value"))
        assert states(run) == {"a": "pending", "b": "pending"}
        assert run.status.started_at is None

    def test_running_twice_makes_two_runs(self) -> None:
        run = runner(step("a", "value"))
        run.run()
        first = run.run_id
        run.run()
        assert run.run_id > first
        assert run.log.runs() == [run.run_id, first]

    def test_an_empty_flow_succeeds(self) -> None:
        run = LocalRunner({}, registry=registry())
        run.run()
        assert run.status.state == "succeeded"

    def test_at_most_max_workers_run_at_once(self) -> None:
        lock = threading.Lock()
        now, most = 0, 0

        def work(_call: SourceCall) -> object:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1
            return None

        run = LocalRunner(
            {"flow": [step(f"s{number}", "work") for number in range(12)]},
            max_workers=3,
            registry=registry(work=work),
        )
        run.run()
        assert most == 3

    def test_steps_that_sleep_run_side_by_side(self) -> None:
        barrier = threading.Barrier(4, timeout=5)
        run = runner(
            *(step(f"s{number}", "meet") for number in range(4)),
            sources=registry(meet=lambda _call: barrier.wait()),
        )
        run.run()
        assert run.status.state == "succeeded"

    def test_ready_steps_start_in_file_order(self) -> None:
        order: list[str] = []
        run = LocalRunner(
            {"flow": [step(name, "note") for name in "dbca"]},
            max_workers=1,
            registry=registry(note=lambda call: order.append(call.instance)),
        )
        run.run()
        assert order == ["d", "b", "c", "a"]

    def test_every_attempt_has_a_key_of_its_own(self) -> None:
        keys: list[str] = []

        def work(call: SourceCall) -> object:
            keys.append(call.idempotency_key)
            if call.attempt < 3:
                raise SourceError("again")
            return None

        retry: Json = {"max_attempts": 3, "delay": 0, "jitter": 0}
        run = runner(step("a", "work", retry=retry), sources=registry(work=work))
        run.run()
        assert keys == [f"{run.run_id}/a/{attempt}" for attempt in (1, 2, 3)]
        assert run.status.state == "succeeded"

    def test_a_retry_waits_for_its_moment(self) -> None:
        times: list[float] = []

        def work(_call: SourceCall) -> object:
            times.append(time.monotonic())
            if len(times) < 2:
                raise SourceError("again", retry_after_s=0.2)
            return None

        retry: Json = {"max_attempts": 2, "delay": 0.01, "jitter": 0}
        run = runner(step("a", "work", retry=retry), sources=registry(work=work))
        run.run()
        assert times[1] - times[0] >= 0.2

    def test_a_fan_out_runs_a_step_for_every_item(self) -> None:
        run = runner(
            step("list", "value", input=["a", "b"], output=VALUE),
            step("each", "work", for_each="{{ flows.list.v }}", input="{{ item }}-{{ index }}", output=VALUE),
            step("after", "value", input="{{ flows.each.v | join(' ', @) }}", output=VALUE),
            sources=registry(work=lambda call: call.payload),
        )
        run.run()
        assert run.flows["each"] == {"v": ["a-0", "b-1"]}
        assert run.flows["after"] == {"v": "a-0 b-1"}

    @pytest.mark.parametrize(("when", "state"), [("`true`", "succeeded"), ("`false`", "skipped"), ("`[]`", "skipped")])
    def test_a_condition_decides(self, when: str, state: str) -> None:
        run = runner(step("a", "value", when=f"{{{{ {when} }}}}"))
        run.run()
        assert states(run) == {"a": state}

    def test_a_condition_without_an_answer_fails_the_step(self) -> None:
        run = runner(
            step("a", "value", input=1, output=VALUE), step("b", "value", when="{{ flows.a.v | upper }}", input=1)
        )
        run.run()
        assert states(run) == {"a": "succeeded", "b": "failed"}

    def test_a_required_output_that_is_missing_fails_the_step(self) -> None:
        output: Json = [{"name": "v", "type": "jmespath", "value": "nope", "required": True}]
        run = runner(step("a", "value", input={}, output=output))
        run.run()
        assert run.status.steps["a"].error == "output 'v' is required, but the data has none"

    def test_data_that_json_cannot_hold_is_cleaned_with_a_note(self) -> None:
        run = runner(step("a", "odd", output=VALUE), sources=registry(odd=lambda _call: {"n": float("nan")}))
        run.run()
        assert run.flows == {"a": {"v": {"n": None}}}
        assert run.status.steps["a"].notes == ("a number that JSON cannot hold (NaN or infinite) became null",)

    def test_data_that_is_no_data_fails_the_step(self) -> None:
        run = runner(step("a", "odd", output=VALUE), sources=registry(odd=lambda _call: object()))
        run.run()
        assert run.status.steps["a"].error == "the data holds a object, which is no JSON"

    def test_a_fault_of_a_source_is_a_failure_of_the_step(self) -> None:
        def work(_call: SourceCall) -> object:
            raise RuntimeError("a bug")

        run = runner(step("a", "work"), sources=registry(work=work))
        run.run()
        assert run.status.steps["a"].error == "RuntimeError: a bug"

    def test_data_that_looks_like_a_template_is_never_rendered(self) -> None:
        run = runner(
            step("a", "evil", output=VALUE),
            step("b", "value", input="{{ flows.a.v }}", output=VALUE),
            sources=registry(evil=lambda _call: "{{ secrets.x }}"),
        )
        run.run()
        assert run.flows["b"] == {"v": "{{ secrets.x }}"}


class TestOnStatus:
    """`on_status(step, state)` is called after the state is recorded; its exceptions are logged."""

    def test_every_change_is_told_in_order(self) -> None:
        told: list[tuple[str, str]] = []
        run = LocalRunner(
            {"flow": [step("a", "value"), step("b", "fails", depends_on="a"), step("c", "value", depends_on="b")]},
            lambda name, state: told.append((name, state)),
            registry=registry(fails=fails),
        )
        run.run()
        assert told == [
            ("a", "running"),
            ("a", "succeeded"),
            ("b", "running"),
            ("b", "failed"),
            ("c", "skipped"),
        ]

    def test_what_it_changes_in_the_outputs_is_its_own(self) -> None:
        """The memory log, the steps below and the next caller see what the step left."""
        told = threading.Event()

        def sorting(name: str, state: str) -> None:
            if (name, state) == ("a", "succeeded"):
                run.flows["a"]["v"]["o"].sort()
                run.flows["a"]["v"]["o"].append(9)
                told.set()

        steps = [
            step("a", "value", input={"o": [3, 1, 2]}, output=VALUE),
            step("late", "late", depends_on="a"),
            step("b", "value", depends_on="late", input="{{ flows.a.v.o }}", output=VALUE),
        ]
        run = LocalRunner({"flow": steps}, sorting, registry=registry(late=lambda _call: told.wait(20.0)))
        run.run()
        assert run.flows == {"a": {"v": {"o": [3, 1, 2]}}, "late": {}, "b": {"v": [3, 1, 2]}}

    def test_what_it_raises_changes_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(_name: str, _state: str) -> None:
            raise RuntimeError("no")

        run = LocalRunner({"flow": [step("a", "value")]}, broken, registry=registry())
        run.run()
        assert run.status.state == "succeeded"
        assert "on_status failed" in caplog.text

    def test_items_of_a_fan_out_are_not_told(self) -> None:
        told: list[tuple[str, str]] = []
        run = LocalRunner(
            {"flow": [step("a", "value", for_each=[1, 2])]},
            lambda name, state: told.append((name, state)),
            registry=registry(),
        )
        run.run()
        assert told == [("a", "running"), ("a", "succeeded")]


class TestStopping:
    """A stop cancels what is in the air; the run is recorded as stopped."""

    def test_a_stop_ends_a_waiting_source_at_once(self) -> None:
        entered = threading.Event()

        def work(call: SourceCall) -> object:
            entered.set()
            assert call.cancel.wait(30)
            raise SourceError("stopped", code="cancelled")

        run = runner(step("a", "work"), step("b", "value", depends_on="a"), sources=registry(work=work))
        thread = threading.Thread(target=run.run)
        thread.start()
        assert entered.wait(5)
        run.stop("enough")
        thread.join(5)
        assert not thread.is_alive()
        assert states(run) == {"a": "failed", "b": "skipped"}
        assert run.status.steps["a"].notes == ("stopped",)
        assert run.status.state == "stopped"

    def test_a_source_that_does_not_listen_is_given_up(self) -> None:
        release = threading.Event()
        run = runner(
            step("deaf", "work", timeout=0.05),
            step("after", "value", depends_on="deaf", on_error="continue"),
            sources=registry(work=lambda _call: release.wait(30)),
        )
        run.run()
        release.set()
        assert run.status.steps["deaf"].error == "timeout after 0.05 s; the source did not end and was given up"
        assert states(run)["after"] == "succeeded"

    def test_a_paused_run_starts_nothing_until_it_continues(self) -> None:
        entered, release = threading.Event(), threading.Event()

        def work(call: SourceCall) -> object:
            entered.set()
            return release.wait(10) and call.instance

        sources = registry(work=work)
        log = SharedMemoryEventLog()
        flow = Flow(
            sources={"work": Source(type="work"), "value": Source(type="value")},
            steps=(
                Step(name=StepName("a"), source="work"),
                Step(name=StepName("b"), source="value", depends_on=(StepName("a"),)),
            ),
        )
        run_id = create_run(log, flow, at=SystemClock().now())
        engine = Engine(log, sources, SystemClock())
        ended = engine.adopt(run_id)
        engine.start()
        assert entered.wait(5)
        engine.request(run_id, PauseRun(at=SystemClock().now()))
        while load(log, run_id).status != "paused":
            log.wait(log.position(), 5)
        release.set()
        while load(log, run_id).in_the_air:
            log.wait(log.position(), 5)
        assert not ended.wait(0.1)
        engine.request(run_id, ContinueRun(at=SystemClock().now()))
        assert ended.wait(5)
        engine.close()
        assert load(log, run_id).status == "succeeded"

    def test_a_request_that_somebody_appends_to_the_log_is_obeyed(self) -> None:
        entered, release = threading.Event(), threading.Event()

        def work(_call: SourceCall) -> object:
            entered.set()
            return release.wait(10)

        run = runner(step("a", "work"), step("b", "value", depends_on="a"), sources=registry(work=work))
        thread = threading.Thread(target=run.run)
        thread.start()
        assert entered.wait(5)
        request(run.log, run.run_id, StopRun(at=SystemClock().now(), reason="from outside"))
        release.set()
        thread.join(5)
        assert run.status.state == "stopped"
        assert states(run) == {"a": "succeeded", "b": "skipped"}


class TestEngine:
    """One engine drives any number of runs."""

    def test_many_runs_at_once(self) -> None:
        log = SharedMemoryEventLog()
        flow = Flow(
            sources={"value": Source(type="value"), "work": Source(type="work")},
            steps=tuple(
                Step(name=StepName(f"s{number}"), source="work" if number % 2 else "value") for number in range(5)
            ),
        )
        engine = Engine(log, registry(work=lambda _call: None), SystemClock(), pool_size=3)
        engine.start()
        runs = [create_run(log, flow, at=SystemClock().now()) for _ in range(50)]
        flags = [engine.adopt(run_id) for run_id in runs]
        assert all(flag.wait(20) for flag in flags)
        engine.close()
        assert {load(log, run_id).status for run_id in runs} == {"succeeded"}

    def test_what_a_listener_hears_is_in_the_log_already(self) -> None:
        log = SharedMemoryEventLog()
        heard: list[bool] = []

        def listen(run_id: RunId, events: Sequence[Event]) -> None:
            versions = [recorded.event for recorded in log.read(run_id)]
            heard.append(all(event in versions for event in events))

        flow = Flow(sources={"value": Source(type="value")}, steps=(Step(name=StepName("a"), source="value"),))
        engine = Engine(log, registry(), SystemClock(), listener=listen)
        engine.start()
        assert engine.adopt(create_run(log, flow, at=SystemClock().now())).wait(5)
        engine.close()
        assert heard
        assert all(heard)

    def test_a_log_that_cannot_be_written_is_an_error_for_the_caller(self) -> None:
        class Full(SharedMemoryEventLog):
            """A log whose disk is full after the run was created."""

            @override
            def append(self, *appends: AnyAppend) -> int:
                events = [event for append in appends for event in append.events]
                if any(isinstance(event, AttemptStarted) for event in events):
                    raise LogError("the disk is full")
                return super().append(*appends)

        run = LocalRunner({"flow": [step("a", "value")]}, log=Full(), registry=registry())
        with pytest.raises(LogError, match="the disk is full"):
            run.run()

    def test_closing_with_stop_ends_the_runs(self) -> None:
        entered = threading.Event()

        def work(call: SourceCall) -> object:
            entered.set()
            return call.cancel.wait(30)

        log = SharedMemoryEventLog()
        flow = Flow(sources={"work": Source(type="work")}, steps=(Step(name=StepName("a"), source="work"),))
        engine = Engine(log, registry(work=work), SystemClock())
        engine.start()
        run_id = create_run(log, flow, at=SystemClock().now())
        engine.adopt(run_id)
        assert entered.wait(5)
        engine.close(stop=True)
        assert load(log, run_id).status == "stopped"


class TestSecrets:
    """Values of secrets are used, but never stored and never shown."""

    @pytest.fixture
    def secret(self, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("API_TOKEN", "hunter2-hunter2")
        return "hunter2-hunter2"

    def test_a_secret_reaches_the_source_and_no_event(self, secret: str, tmp_path: Path) -> None:
        seen: list[Json] = []
        lines: list[str] = []

        def work(call: SourceCall) -> object:
            seen.append(call.payload)
            call.log(f"using {call.payload}")
            return {"whole": secret, "part": f"<{secret}>", "fake": {"$secret": "API_TOKEN"}}

        log = SqliteEventLog(tmp_path / "log.db")
        run = LocalRunner(
            {
                "secrets": ["API_TOKEN"],
                "flow": [
                    step("a", "work", input="{{ secrets.API_TOKEN }}", output=VALUE),
                    step("b", "work", input="{{ flows.a.v.whole }}", output=VALUE),
                    step("c", "fails", input="{{ flows.a.v.whole }}"),
                ],
            },
            log=log,
            registry=registry(work=work, fails=lambda call: fails_with(str(call.payload))),
        )
        run.run()
        lines.extend(repr(recorded) for recorded in log.read(run.run_id))
        log.close()
        assert seen == [secret, secret]
        assert not any(secret in line for line in lines)
        assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())

    def test_outputs_show_stars(self, secret: str) -> None:
        data = {"whole": secret, "part": f"<{secret}>", "fake": {"$secret": "API_TOKEN"}}
        run = runner(
            step("a", "work", output=VALUE),
            secrets=["API_TOKEN"],
            sources=registry(work=lambda _call: data),
        )
        run.run()
        assert run.flows == {"a": {"v": {"whole": "***", "part": "<***>", "fake": "***"}}}

    def test_an_env_source_marked_secret_is_one(self, secret: str) -> None:
        seen: list[Json] = []
        run = LocalRunner(
            {
                "sources": {"creds": {"type": "env", "configuration": {"vars": ["API_TOKEN"], "secret": True}}},
                "flow": [
                    step("a", "creds", output=VALUE),
                    step("b", "work", input="{{ sources.creds.API_TOKEN }}/{{ flows.a.v.API_TOKEN }}", output=VALUE),
                ],
            },
            registry=registry(work=lambda call: seen.append(call.payload)),
        )
        run.run()
        assert seen == [f"{secret}/{secret}"]
        assert run.flows["a"] == {"v": {"API_TOKEN": "***"}}

    def test_a_note_never_holds_a_secret(self, secret: str) -> None:
        run = runner(
            step("a", "work", input="{{ secrets.API_TOKEN }}"),
            secrets={"API_TOKEN": {"env": "API_TOKEN"}},
            sources=registry(work=lambda call: fails_with(str(call.payload))),
        )
        run.run()
        assert run.status.steps["a"].error == "cannot use ***"
        assert secret not in repr(run.status)

    def test_a_secret_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text("from-a-file\n", encoding="utf-8")
        seen: list[Json] = []
        run = runner(
            step("a", "work", input="{{ secrets.TOKEN }}"),
            secrets={"TOKEN": {"file": str(path)}},
            sources=registry(work=lambda call: seen.append(call.payload)),
        )
        run.run()
        assert seen == ["from-a-file"]

    def test_a_secret_that_is_not_there_is_named_before_anything_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
        run = runner(step("a", "value"), secrets=["NO_SUCH_TOKEN"])
        with pytest.raises(FlowDocumentError, match="environment variable NO_SUCH_TOKEN is not set"):
            run.run()


def fails_with(text: str) -> object:
    """Fail with *text* in the message."""
    raise SourceError(f"cannot use {text}")


def test_a_guard_that_fails_beside_a_step_that_is_ready_halts_the_run_and_nothing_else() -> None:
    run = runner(
        step("z", "value"),
        step("a", "value", depends_on="z", when="{{ from_json('{') }}"),
        step("D", "value", depends_on="a"),
        step("b", "value", depends_on="z"),
    )
    run.run()
    assert states(run) == {"z": "succeeded", "a": "failed", "D": "skipped", "b": "skipped"}


def test_a_stop_that_comes_before_the_engine_is_up_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(call: SourceCall) -> object:
        assert call.cancel.wait(30)
        raise SourceError("stopped")

    run = runner(step("a", "work"), sources=registry(work=work))

    def stopped_first(*given: Any, **named: Any) -> Engine:  # noqa: ANN401 - whatever an engine takes
        run.stop("early")
        return Engine(*given, **named)

    monkeypatch.setattr(local, "Engine", stopped_first)
    run.run()
    assert run.status.state == "stopped"


def test_a_report_that_comes_after_the_engine_has_closed_keeps_no_thread_busy() -> None:
    entered, release = threading.Event(), threading.Event()

    def work(_call: SourceCall) -> object:
        entered.set()
        return release.wait(30)

    log = SharedMemoryEventLog()
    flow = Flow(sources={"work": Source(type="work")}, steps=(Step(name=StepName("a"), source="work"),))
    engine = Engine(log, registry(work=work), SystemClock())
    engine.start()
    before = set(threading.enumerate())
    engine.adopt(create_run(log, flow, at=SystemClock().now()))
    assert entered.wait(5)
    workers = [thread for thread in threading.enumerate() if thread not in before]
    engine.close()
    release.set()
    for thread in workers:
        thread.join(5)
    assert not any(thread.is_alive() for thread in workers)


@pytest.mark.parametrize("config", [None, [], "abc"])
def test_a_flow_that_is_no_mapping_is_refused_as_such(config: object) -> None:
    with pytest.raises(FlowDocumentError, match="a flow is a mapping with `flow` and `sources`, not"):
        LocalRunner(config)  # type: ignore[arg-type]  # what programs without types do


def test_one_file_may_be_given_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("flow: [{name: a, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}]")
    assert run_flow(str(path))[0] == {"a": {"v": 1}}
