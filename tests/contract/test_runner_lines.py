"""The lines of attempts: recorded while a run is traced, whatever writes them, and nothing of them otherwise."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import pytest

from flowcore.catalog import SourceType
from flowcore.documents.flow_document import compile_flow
from flowcore.errors import SourceError
from flowcore.ids import RunId
from flowcore.model import Dialect
from flowcore.ports import SourceCall, SourceResult
from flowcore.run.commands import ToggleTrace
from flowcore.run.events import LogLine, StepLogged
from flowcore.service import create_run, request
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.registry import Registry
from flowcore_adapters.runner import lines
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.sources.value import ValueSource

Work = Callable[[SourceCall], SourceResult]
PLENTY_S: Final = 30.0


class Working:
    """A source that does what a test wants."""

    type = SourceType(name="work", about="A source of the tests.", parameters={}, blocking=True)

    def __init__(self, work: Work) -> None:
        self._work = work

    def call(self, call: SourceCall) -> SourceResult:
        return self._work(call)


class Bench:
    """Runs flows of the sources `work` and `value`, and tells what was recorded."""

    def __init__(self, work: Work) -> None:
        self.log = SharedMemoryEventLog()
        self._registry = Registry({"work": Working(work), "value": ValueSource()})
        self._engine = Engine(self.log, self._registry, SystemClock())
        self._engine.start()
        self.run_id = RunId(0)

    def start(
        self, *flow: Mapping[str, Json], trace: bool = True, dialect: Dialect = Dialect.FLOW, **document: Json
    ) -> threading.Event:
        compiled = compile_flow({"flow": list(flow), **document}, self._registry.catalog)
        compiled = attrs.evolve(compiled, dialect=dialect)
        self.run_id = create_run(self.log, compiled, at=SystemClock().now(), trace=trace)
        return self._engine.adopt(self.run_id)

    def run(self, *flow: Mapping[str, Json], trace: bool = True, dialect: Dialect = Dialect.FLOW, **more: Json) -> None:
        assert self.start(*flow, trace=trace, dialect=dialect, **more).wait(PLENTY_S)
        self._engine.check()

    def until(self, kind: type[object]) -> None:
        """Wait for an event of that kind."""
        position = 0
        while not any(isinstance(each.event, kind) for each in self.log.read(self.run_id)):
            position = self.log.wait(position, PLENTY_S)

    @property
    def events(self) -> list[StepLogged]:
        return [each.event for each in self.log.read(self.run_id) if isinstance(each.event, StepLogged)]

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """Step, stream and message of each line, durations left out."""
        return [(event.instance, line.stream, durations(line.message)) for event in self.events for line in event.lines]

    def close(self) -> None:
        self._engine.close(stop=True)
        self.log.close()


def durations(text: str) -> str:
    return re.sub(r"\d+\.\d+ s", "N s", text)


@pytest.fixture
def bench() -> Iterator[Callable[[Work], Bench]]:
    opened: list[Bench] = []

    def make(work: Work) -> Bench:
        opened.append(Bench(work))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def answer(call: SourceCall) -> SourceResult:
    call.log("asking")
    call.log("hi", stream="stdout")
    return SourceResult(data={"rows": [1, 2]}, meta={"status": 200})


WORK: Final[dict[str, Json]] = {
    "name": "fetch",
    "source": {"type": "work", "configuration": {}},
    "input": "{{ 'ü' }}",
    "output": [{"name": "rows", "type": "jmespath", "value": "rows"}],
}
VALUE: Final[dict[str, Json]] = {"name": "quick", "source": "value", "input": 1, "output": [{"name": "v"}]}


def test_what_a_traced_step_writes(bench: Callable[[Work], Bench]) -> None:
    found = bench(answer)
    found.run(WORK)
    assert found.lines == [
        ("fetch", "trace", "attempt 1 with source 'flow[0].source' (work)"),
        ("fetch", "trace", 'input: "ü"'),
        ("fetch", "trace", "configuration: {}"),
        ("fetch", "source", "asking"),
        ("fetch", "stdout", "hi"),
        ("fetch", "trace", "the source answered after N s"),
        ("fetch", "trace", 'about the answer: {"status":200}'),
        ("fetch", "trace", "output rows: [1,2]"),
        ("fetch", "trace", "succeeded after N s"),
    ]


def test_what_runs_on_the_loop_is_traced_too(bench: Callable[[Work], Bench]) -> None:
    found = bench(answer)
    found.run(VALUE)
    assert [message for _, _, message in found.lines][:2] == ["attempt 1 with source 'value' (value)", "input: 1"]


def test_a_failure_and_what_is_decided(bench: Callable[[Work], Bench]) -> None:
    def fail(_call: SourceCall) -> SourceResult:
        raise SourceError("refused", code="connection")

    found = bench(fail)
    found.run({**WORK, "retry": {"max_attempts": 2, "delay": 0.001}})
    assert [message for _, _, message in found.lines] == [
        "attempt 1 of 2 with source 'flow[0].source' (work)",
        'input: "ü"',
        "configuration: {}",
        "failed after N s: refused [connection]",
        "the next attempt is due in N s",
        "attempt 2 of 2 with source 'flow[0].source' (work)",
        'input: "ü"',
        "configuration: {}",
        "failed after N s: refused [connection]",
        "there is no further attempt",
    ]
    assert [event.first for event in found.events if event.attempt == 2] == [0]


def test_nothing_of_a_run_that_is_not_traced(bench: Callable[[Work], Bench]) -> None:
    found = bench(answer)
    found.run(WORK, VALUE, trace=False)
    assert found.events == []


def test_node_flows_always_keep_their_lines(bench: Callable[[Work], Bench]) -> None:
    found = bench(answer)
    found.run(WORK, trace=False, dialect=Dialect.NODES)
    assert ("fetch", "stdout", "hi") in found.lines


def test_switched_on_while_a_step_is_under_way(bench: Callable[[Work], Bench]) -> None:
    """And its lines are there while it goes on."""
    begun, go_on, end = threading.Event(), threading.Event(), threading.Event()

    def talk(call: SourceCall) -> SourceResult:
        call.log("before")
        begun.set()
        assert go_on.wait(PLENTY_S)
        while not end.wait(0.001):
            call.log("after")
        return SourceResult(data=None)

    found = bench(talk)
    ended = found.start(WORK, trace=False)
    assert begun.wait(PLENTY_S)
    request(found.log, found.run_id, ToggleTrace(enabled=True, at=SystemClock().now()))
    go_on.set()
    found.until(StepLogged)
    assert not ended.is_set()
    assert {message for _, _, message in found.lines} == {"after"}
    end.set()
    assert ended.wait(PLENTY_S)
    firsts = [event.first for event in found.events]
    counts = [len(event.lines) for event in found.events]
    # No line is missing and none is there twice.
    assert firsts == [sum(counts[:number]) for number in range(len(counts))]


def test_secrets_are_left_out(bench: Callable[[Work], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-value")

    def leak(call: SourceCall) -> SourceResult:
        call.log(f"with {call.payload}")
        return SourceResult(data={"rows": "the s3cr3t-value again"})

    found = bench(leak)
    secret = {**WORK, "input": {"whole": "{{ secrets.token }}", "part": "Bearer {{ secrets.token }}"}}
    found.run(secret, secrets={"token": {"env": "API_TOKEN"}})
    text = repr(found.lines)
    assert "s3cr3t" not in text
    assert ("fetch", "trace", 'input: {"whole":"***","part":"Bearer ***"}') in found.lines
    assert ("fetch", "trace", 'output rows: "the *** again"') in found.lines


def test_long_values_are_cut(bench: Callable[[Work], Bench]) -> None:
    found = bench(answer)
    found.run({**WORK, "input": "x" * 5000})
    message = next(message for _, _, message in found.lines if message.startswith("input"))
    assert message.endswith("x... (5002 characters)")
    assert len(message) < 2100


def test_what_is_no_text_is_cleaned(bench: Callable[[Work], Bench]) -> None:
    def odd(call: SourceCall) -> SourceResult:
        call.log("a\ud800b")
        return SourceResult(data=None)

    found = bench(odd)
    found.run(WORK)
    assert any(message.startswith("a") and message.endswith("b") for _, _, message in found.lines)


def test_an_attempt_has_only_so_many(bench: Callable[[Work], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 20)
    monkeypatch.setattr(lines, "_TOGETHER", 7)

    def chatter(call: SourceCall) -> SourceResult:
        for number in range(1000):
            call.log(str(number))
        return SourceResult(data=None)

    found = bench(chatter)
    found.run(WORK)
    assert len(found.lines) == 21
    assert found.lines[-1][2].startswith("further lines are not recorded")
    assert max(len(event.lines) for event in found.events) <= 7


def test_a_line_has_its_time(bench: Callable[[Work], Bench]) -> None:
    before = SystemClock().now()
    found = bench(answer)
    found.run(WORK)
    moments = [line.at for event in found.events for line in event.lines]
    assert moments == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= SystemClock().now()
    assert isinstance(found.events[0].lines[0], LogLine)
