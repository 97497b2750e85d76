"""Flows that were recorded by other versions: what is wrong with one step is that step's own failure."""

import json
from contextlib import closing
from typing import Any

import attrs
import pytest

from flowcore.ids import StepName
from flowcore.model import Flow, OnError, Output, OutputType, Source, Step
from flowcore.run.machine import RunStatus
from flowcore.service import create_run, load
from flowcore.values import Json
from flowcore.views.follow import catch_up
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusView
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine

PLENTY_S = 20.0
BROKEN = "{{ flows.first.v | nothing(@) }}"
FIRST = Step(name=StepName("first"), source="one", outputs=(Output(name="v"),))


def run(*steps: Step, sources: dict[str, Source] | None = None) -> tuple[Any, Json, RunStatus]:
    """Drive a run of *steps*, and a sound one beside it; return the steps, the outputs and the state of the first."""
    log = SharedMemoryEventLog()
    one = {"one": Source(type="value", configuration={"value": "a,b"})}
    engine = Engine(log, load_registry(), SystemClock())
    engine.start()
    with closing(engine):
        run_ids = [
            create_run(log, Flow(sources={**one, **(sources or {})}, steps=each), at=SystemClock().now())
            for each in (steps, (FIRST,))
        ]
        for ended in [engine.adopt(run_id) for run_id in run_ids]:
            assert ended.wait(PLENTY_S)
        engine.check()
    assert load(log, run_ids[1]).status is RunStatus.SUCCEEDED
    shown = json.loads(catch_up(StatusView(), log, run_ids[0]).encode())["steps"]
    outputs = json.loads(catch_up(OutputsView(), log, run_ids[0]).encode())
    return shown, outputs, load(log, run_ids[0]).status


SECOND = Step(name=StepName("second"), source="one", depends_on=(StepName("first"),), outputs=(Output(name="v"),))


def test_what_may_have_been_meant_otherwise_is_evaluated_as_it_was() -> None:
    given: Json = {"a": "{{ flows.first.v.split('x y', ' ') }}", "b": "{{ flows.first.v | title }}"}
    named = Output(name="v", type=OutputType.JMESPATH, value="@ | int('7')")
    _, outputs, status = run(FIRST, attrs.evolve(SECOND, input=given, when="{{ flows.first | first }}"))
    assert status is RunStatus.SUCCEEDED
    assert outputs == {"first": {"v": "a,b"}}
    step, third = (
        attrs.evolve(SECOND, source="two", input=given),
        attrs.evolve(SECOND, outputs=(named,), name=StepName("third")),
    )
    _, outputs, status = run(FIRST, step, third, sources={"two": Source(type="value")})
    assert status is RunStatus.SUCCEEDED
    assert outputs == {"first": {"v": "a,b"}, "second": {"v": {"a": ["x", "y"], "b": None}}, "third": {"v": 7}}


@pytest.mark.parametrize("where", ["input", "configuration", "output", "when", "for_each"])
def test_what_cannot_be_evaluated_fails_its_step(where: str) -> None:
    sources: dict[str, Source] = {}
    match where:
        case "input":
            step = attrs.evolve(SECOND, input=BROKEN)
        case "configuration":
            step, sources = (
                attrs.evolve(SECOND, source="two"),
                {"two": Source(type="value", configuration={"value": BROKEN})},
            )
        case "output":
            step = attrs.evolve(SECOND, outputs=(Output(name="v", type=OutputType.JMESPATH, value="nothing(@)"),))
        case "when":
            step = attrs.evolve(SECOND, when=BROKEN)
        case _:
            step = attrs.evolve(SECOND, for_each=BROKEN)
    steps, outputs, status = run(FIRST, attrs.evolve(step, on_error=OnError.CONTINUE), sources=sources)
    assert status is RunStatus.SUCCEEDED
    assert steps["second"]["state"] == "failed"
    assert "there is no function `nothing`" in steps["second"]["notes"][0]
    assert outputs == {"first": {"v": "a,b"}}


def test_an_env_source_that_cannot_be_read_shows_nothing() -> None:
    sources = {"env": Source(type="env", configuration={"vars": ["{{ nothing(`1`) }}"]}), "two": Source(type="value")}
    step = attrs.evolve(SECOND, source="two", input={"path": "{{ sources.env.PATH }}"})
    _, outputs, status = run(FIRST, step, sources=sources)
    assert status is RunStatus.SUCCEEDED
    assert outputs == {"first": {"v": "a,b"}, "second": {"v": {"path": None}}}
