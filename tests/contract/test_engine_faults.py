"""What must not bring an engine to a standstill: odd values, failing logs, other people's code, clocks and races."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import override

from flowcore.catalog import SourceType
from flowcore.documents.flow_document import compile_flow
from flowcore.errors import FlowDocumentError, LogError
from flowcore.ids import RunId
from flowcore.ports import AnyAppend, EventLog, Owner, SourceCall, SourceResult
from flowcore.run.commands import ContinueRun, PauseRun
from flowcore.run.events import AttemptStarted, AttemptSucceeded, Event, ReportRejected, RunResumed
from flowcore.run.machine import RunStatus
from flowcore.service import create_run, load, request
from flowcore.values import Instant, Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import Registry, load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.runner.inbox import Item
from flowcore_adapters.runner.local import LocalRunner
from flowcore_adapters.runner.ownership import LEASE_S
from flowcore_adapters.sources.env import EnvSource
from flowcore_adapters.sources.value import ValueSource
from flowcore_adapters.sources.wait import WaitSource

PLENTY_S: Final = 20.0
NOW: Final = Instant(1_700_000_000.0)
SECRET: Final = "tok-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789"
Steps = list[dict[str, Json]]


class Work:
    """A blocking source of the tests."""

    type = SourceType(name="work", about="A source of the tests.", parameters={}, blocking=True)

    def __init__(self, work: Callable[[SourceCall], object]) -> None:
        self._work = work

    def call(self, call: SourceCall) -> SourceResult:
        """Do it."""
        found = self._work(call)
        return found if isinstance(found, SourceResult) else SourceResult(data=found)


def registry(work: Callable[[SourceCall], object] = lambda _call: None) -> Registry:
    return Registry({"work": Work(work), "value": ValueSource(), "env": EnvSource(), "wait": WaitSource()})


def wait(name: str, seconds: float, *needs: str) -> dict[str, Json]:
    return {"name": name, "source": {"type": "wait", "configuration": {"seconds": seconds}}, "depends_on": list(needs)}


def states(runner: LocalRunner) -> dict[str, str]:
    return {name: report.state for name, report in runner.status.steps.items()}


def events_of(log: EventLog, run_id: RunId) -> list[Event]:
    return [recorded.event for recorded in log.read(run_id)]


class TestHandingOut:
    def test_no_job_is_left_in_the_pool_while_a_worker_sleeps(self) -> None:
        class Slow(SharedMemoryEventLog):
            """A log whose disk takes its time: turns follow one another without a pause."""

            @override
            def append(self, *appends: AnyAppend) -> int:
                time.sleep(0.03)
                return super().append(*appends)

        flow: Steps = []
        for number in range(2):
            flow += [wait(f"a{number}", 0.2), wait(f"b{number}", 0.8, f"a{number}")]
        runner = LocalRunner({"flow": flow}, log=Slow(), registry=registry())
        runner.run()
        status = runner.status
        # One after the other they would take 1.8 s: the second would start when the first has ended.
        starts = [status.steps[f"b{number}"].started_at or 0.0 for number in range(2)]
        ends = [status.steps[f"b{number}"].ended_at or 0.0 for number in range(2)]
        assert max(starts) < min(ends)
        assert max(ends) - max(starts) < 1.4

    def test_a_retry_that_is_due_while_the_pool_is_full_costs_nothing(self) -> None:
        # What it costs to wait is measured in turns: a loop that spins takes thousands.
        turns = 0

        class Counted(Engine):
            @override
            def _lead_turn(self, items: Sequence[Item], *, wake: bool = False) -> None:
                nonlocal turns
                turns += 1
                super()._lead_turn(items, wake=wake)

        calls: list[str] = []

        def work(call: SourceCall) -> object:
            calls.append(call.instance)
            if call.instance == "slow":
                call.cancel.wait(1.0)
            elif call.attempt == 1:
                raise ValueError("no luck")
            return None

        log = SharedMemoryEventLog()
        sources = registry(work)
        flow = compile_flow(
            {
                "flow": [
                    {"name": "fails", "source": "work", "retry": {"max_attempts": 2, "delay": 0.05, "jitter": 0}},
                    {"name": "slow", "source": "work"},
                ]
            },
            sources.catalog,
        )
        engine = Counted(log, sources, SystemClock(), pool_size=1)
        ended = engine.adopt(create_run(log, flow, at=SystemClock().now(), max_workers=1))
        other = engine.adopt(create_run(log, flow, at=SystemClock().now(), max_workers=1))
        engine.start()
        assert ended.wait(PLENTY_S)
        assert other.wait(PLENTY_S)
        engine.close()
        assert turns < 200

    def test_what_finds_no_place_holds_up_nothing_that_needs_none(self) -> None:
        go_on = threading.Event()
        log = SharedMemoryEventLog()
        sources = registry(lambda _call: go_on.wait(PLENTY_S))
        engine = Engine(log, sources, SystemClock(), pool_size=1)

        def begin(*steps: Json) -> tuple[RunId, threading.Event]:
            run_id = create_run(log, compile_flow({"flow": list(steps)}, sources.catalog), at=NOW, max_workers=1)
            return run_id, engine.adopt(run_id)

        _, first = begin({"name": "all", "source": {"type": "work"}})
        engine.start()
        waiting: list[Json] = [{"name": f"w{number}", "source": {"type": "work"}} for number in range(5)]
        run_id, second = begin(*waiting, {"name": "v", "source": "value"}, {"name": "last", "source": "value"})
        until = time.monotonic() + PLENTY_S
        while len(load(log, run_id).outputs) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert set(load(log, run_id).outputs) == {"v", "last"}
        go_on.set()
        assert first.wait(PLENTY_S)
        assert second.wait(PLENTY_S)
        engine.close()
        engine.check()
        assert load(log, run_id).status is RunStatus.SUCCEEDED

    def test_what_a_request_has_come_before_does_not_go_out(self) -> None:
        class Overtaken(SharedMemoryEventLog):
            """A log in which somebody asks for a pause just before it is recorded that step `b` has started."""

            paused = False

            @override
            def append(self, *appends: AnyAppend) -> int:
                started = [
                    event.instance for each in appends for event in each.events if isinstance(event, AttemptStarted)
                ]
                if started == ["b"] and not self.paused:
                    self.paused = True
                    request(self, RunId(appends[0].stream), PauseRun(at=NOW))
                return super().append(*appends)

        calls: list[str] = []
        log = Overtaken()
        flow = compile_flow({"flow": [{"name": name, "source": {"type": "work"}} for name in "ab"]}, registry().catalog)
        # One place in the pool: what does not go out must not keep it.
        engine = Engine(log, registry(lambda call: calls.append(call.instance)), SystemClock(), pool_size=1)
        run_id = create_run(log, flow, at=NOW, max_workers=1)
        ended = engine.adopt(run_id)
        engine.start()
        until = time.monotonic() + PLENTY_S
        while load(log, run_id).status is not RunStatus.PAUSED and time.monotonic() < until:
            time.sleep(0.01)
        assert not ended.wait(0.1)
        assert (calls, load(log, run_id).in_the_air) == (["a"], {})
        request(log, run_id, ContinueRun(at=NOW))
        assert ended.wait(PLENTY_S)
        engine.close()
        engine.check()
        assert (calls, load(log, run_id).status) == (["a", "b"], RunStatus.SUCCEEDED)


class TestOddValues:
    """One value that JSON cannot hold is one step's failure, or is cleaned; the others go on."""

    BAD: Final[Mapping[str, dict[str, Json]]] = {
        "an output": {
            "name": "bad",
            "source": "text",
            "output": [{"name": "o", "type": "jmespath", "value": "from_json(@)"}],
        },
        "a list": {"name": "bad", "source": "value", "for_each": "{{ from_json(flows.text.o) }}"},
    }

    @pytest.mark.parametrize("text", ["[1e999]", '["\\ud800"]'])
    @pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
    def test_it_spoils_nothing(self, tmp_path: Path, bad: dict[str, Json], text: str) -> None:
        config = {
            "sources": {"text": {"type": "value", "configuration": {"value": text}}},
            "flow": [{"name": "text", "source": "text", "output": [{"name": "o"}]}, bad, wait("good", 0.1)],
        }
        log = SqliteEventLog(tmp_path / "log.db")
        runner = LocalRunner(config, log=log)
        runner.run()
        assert states(runner)["good"] == "succeeded"
        assert runner.status.state in {"succeeded", "failed"}
        log.close()

    def test_a_note_that_is_no_text_is_cleaned(self, tmp_path: Path) -> None:
        sources = registry(lambda _call: SourceResult(data=1, notes=("file \udcff read",)))
        log = SqliteEventLog(tmp_path / "log.db")
        runner = LocalRunner({"flow": [{"name": "a", "source": "work"}]}, log=log, registry=sources)
        runner.run()
        assert runner.status.steps["a"].notes == ("file \ufffd read",)
        log.close()

    def test_a_source_that_leaves_the_program_is_a_failure_of_the_step(self) -> None:
        runner = LocalRunner({"flow": [{"name": "a", "source": "work"}]}, registry=registry(lambda _call: sys.exit(3)))
        runner.run()
        assert runner.status.steps["a"].error == "SystemExit: 3"


class TestSecrets:
    """Invariant I22: also where texts are cut, and where they are written otherwise."""

    @pytest.fixture(autouse=True)
    def secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOK", SECRET)

    def test_the_end_of_stderr_is_cut_after_it_was_blackened(self) -> None:
        script = 'printf "rejected %s " "$T" >&2; printf %0380d 0 >&2; exit 1'
        config: dict[str, Json] = {
            "secrets": {"T": {"env": "TOK"}},
            "flow": [
                {
                    "name": "a",
                    "source": {
                        "type": "process",
                        "configuration": {"command": ["sh", "-c", script], "env": {"T": "{{ secrets.T }}"}},
                    },
                }
            ],
        }
        runner = LocalRunner(config)
        runner.run()
        note = str(runner.status.steps["a"].error)
        assert "0000" in note
        assert not any(SECRET[start : start + 6] in note for start in range(len(SECRET) - 6))

    def test_a_long_note_is_cut_after_it_was_blackened(self) -> None:
        def work(_call: SourceCall) -> object:
            raise ValueError("x" * 9_980 + SECRET)

        config: dict[str, Json] = {"secrets": {"T": {"env": "TOK"}}, "flow": [{"name": "a", "source": "work"}]}
        runner = LocalRunner(config, registry=registry(work))
        runner.run()
        assert SECRET[:4] not in str(runner.status.steps["a"].error)

    def test_a_secret_that_comes_from_a_step_is_refused(self) -> None:
        config: dict[str, Json] = {
            "flow": [
                {"name": "n", "source": "value", "output": [{"name": "o"}]},
                {
                    "name": "e",
                    "source": {"type": "env", "configuration": {"vars": ["{{ flows.n.o }}"], "secret": True}},
                },
            ]
        }
        with pytest.raises(FlowDocumentError, match="a secret must be known before the run starts") as error:
            compile_flow(config, load_registry().catalog)
        assert [problem.code for problem in error.value.problems] == ["secret-from-step"]


class TestFaults:
    class Full(SharedMemoryEventLog):
        """A log whose disk is full when a step has succeeded, or after the first start."""

        @override
        def append(self, *appends: AnyAppend) -> int:
            if any(isinstance(event, AttemptSucceeded) for append in appends for event in append.events):
                raise LogError("the disk is full")
            return super().append(*appends)

    def test_no_process_is_left_behind(self, tmp_path: Path) -> None:
        program = f"""
import sys
from flowcore.errors import LogError
from flowcore_adapters import LocalRunner
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.contract.test_engine_faults import TestFaults
script = "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"
child = {{"name": "child", "source": {{"type": "process", "configuration": {{"command": ["sh", "-c", script]}}}}}}
wait = {{"name": "w", "source": {{"type": "wait", "configuration": {{"seconds": 0.5}}}}}}
try:
    LocalRunner({{"flow": [child, wait]}}, log=TestFaults.Full()).run()
except LogError as error:
    print(error)
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=PLENTY_S,
        )
        assert (done.stdout, done.returncode) == ("the disk is full\n", 0), done.stderr
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    def test_an_engine_that_has_failed_takes_no_more_runs(self) -> None:
        log = self.Full()
        sources = registry()
        flow = compile_flow({"flow": [{"name": "a", "source": "work"}]}, sources.catalog)
        engine = Engine(log, sources, SystemClock())
        first, second = (create_run(log, flow, at=SystemClock().now()) for _ in range(2))
        ended = engine.adopt(first)
        engine.start()
        assert ended.wait(PLENTY_S)
        with pytest.raises(LogError, match="the disk is full"):
            engine.adopt(second)
        engine.close()

    def test_who_waits_for_a_run_of_a_closed_engine_is_told(self) -> None:
        log = SharedMemoryEventLog()
        sources = registry()
        flow = compile_flow({"flow": [wait("a", 60.0)]}, sources.catalog)
        engine = Engine(log, sources, SystemClock())
        late = engine.adopt(create_run(log, flow, at=SystemClock().now()))
        engine.close()
        assert late.wait(PLENTY_S)
        with pytest.raises(LogError, match="closed"):
            engine.adopt(create_run(log, flow, at=SystemClock().now()))

    def test_a_callback_that_leaves_the_program_stops_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        def on_status(step: str, state: str) -> None:
            if (step, state) == ("a", "succeeded"):
                sys.exit(1)

        flow: Steps = [wait("a", 0.01), wait("b", 0.01, "a")]
        runner = LocalRunner({"flow": flow}, on_status)
        runner.run()
        assert states(runner) == {"a": "succeeded", "b": "succeeded"}
        assert "on_status failed" in caplog.text or "a listener failed" in caplog.text

    def test_a_callback_that_takes_its_time_holds_up_nobody(self) -> None:
        released = threading.Event()

        def on_status(step: str, state: str) -> None:
            if (step, state) == ("a", "running"):
                released.wait(PLENTY_S)

        def work(_call: SourceCall) -> object:
            # Only a run that goes on while the callback waits comes here.
            released.set()
            return None

        config: dict[str, Json] = {"flow": [wait("a", 0.01), {"name": "b", "source": "work", "depends_on": ["a"]}]}
        runner = LocalRunner(config, on_status, registry=registry(work))
        runner.run()
        assert states(runner) == {"a": "succeeded", "b": "succeeded"}


class TestClocks:
    def test_a_clock_that_is_put_back_delays_no_retry(self) -> None:
        class PutBack(SystemClock):
            """A clock that is put back an hour when the first attempt has failed."""

            back = 0.0

            @override
            def now(self) -> Instant:
                return Instant(super().now() - self.back)

        clock = PutBack()

        def work(call: SourceCall) -> object:
            if call.attempt == 1:
                threading.Timer(0.1, lambda: setattr(clock, "back", 3600.0)).start()
                raise ValueError("no luck")
            return None

        log, sources = SharedMemoryEventLog(), registry(work)
        retry: dict[str, Json] = {"max_attempts": 2, "delay": 0.4, "jitter": 0}
        flow = compile_flow({"flow": [{"name": "a", "source": "work", "retry": retry}]}, sources.catalog)
        engine = Engine(log, sources, clock)
        run_id = create_run(log, flow, at=clock.now())
        ended = engine.adopt(run_id)
        engine.start()
        assert ended.wait(PLENTY_S)
        engine.close()
        assert load(log, run_id).status == "succeeded"


class TestTakeover:
    """A fenced runner appends nothing, and its late report is recorded as rejected."""

    def test_a_program_that_was_taken_over_lets_go(self) -> None:
        entered, go_on = threading.Event(), threading.Event()

        def work(call: SourceCall) -> object:
            if call.attempt == 1:
                entered.set()
                go_on.wait(PLENTY_S)
            return call.attempt

        log, sources, clock = SharedMemoryEventLog(), registry(work), SystemClock()
        flow = compile_flow(
            {"flow": [{"name": "a", "source": "work", "output": [{"name": "v"}]}, wait("b", 0.3)]}, sources.catalog
        )
        run_id = create_run(log, flow, at=clock.now())
        first, second = Engine(log, sources, clock), Engine(log, sources, clock)
        lost = first.adopt(run_id)
        first.start()
        assert entered.wait(PLENTY_S)
        gone = log.ownership(run_id).owner
        assert gone is not None
        stranger = Owner("stranger", "a program that takes it over")
        log.claim(run_id, stranger, now=clock.now(), ttl_s=0.0, over=gone.id)
        ended = second.adopt(run_id)
        second.start()
        assert ended.wait(PLENTY_S)
        go_on.set()
        assert lost.wait(PLENTY_S)
        deadline = time.monotonic() + PLENTY_S
        while not any(isinstance(event, ReportRejected) for event in events_of(log, run_id)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.close()
        second.close()
        with pytest.raises(LogError, match="taken over by another program"):
            first.check()
        events = events_of(log, run_id)
        assert [event.epoch for event in events if isinstance(event, RunResumed)] == [3]
        assert [event.outputs for event in events if isinstance(event, AttemptSucceeded) and event.instance == "a"] == [
            {"v": 2}
        ]

    def test_a_lease_is_renewed_as_long_as_the_program_lives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flowcore_adapters.runner.ownership.RENEW_S", 0.1)
        log, sources, clock = SharedMemoryEventLog(), registry(), SystemClock()
        flow = compile_flow({"flow": [wait("a", 1.0)]}, sources.catalog)
        run_id = create_run(log, flow, at=clock.now())
        engine = Engine(log, sources, clock)
        ended = engine.adopt(run_id)
        engine.start()
        first = log.ownership(run_id).expires_at
        assert first <= clock.now() + LEASE_S
        # Before its end: then it is let go of.
        while log.ownership(run_id).expires_at <= first:
            assert not ended.wait(0.02)
        assert ended.wait(PLENTY_S)
        engine.close()


@pytest.mark.parametrize("running", [False, True])
def test_a_run_that_is_adopted_twice_is_driven_once(tmp_path: Path, running: bool) -> None:
    """As when somebody continues a run while a server that has just started goes on with it."""
    log = SqliteEventLog(tmp_path / "x.db")
    engine = Engine(log, registry(), SystemClock())
    flow = compile_flow({"flow": [wait("a", 0.3), wait("b", 0.01, "a")]}, registry().catalog)
    run_id = create_run(log, flow, at=SystemClock().now())
    if running:
        engine.start()
    found: list[threading.Event] = []
    threads = [threading.Thread(target=lambda: found.append(engine.adopt(run_id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PLENTY_S)
    if not running:
        engine.start()
    assert all(ended.wait(PLENTY_S) for ended in found)
    engine.check()
    engine.close()
    claims = [event for event in events_of(log, run_id) if isinstance(event, RunResumed)]
    assert (load(log, run_id).status, len(found), len(claims)) == (RunStatus.SUCCEEDED, 4, 0)
    log.close()
