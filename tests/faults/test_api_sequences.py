"""Sequences of what programs and clients do, through the WSGI application without sockets, against a simple model."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, RunId, StepName
from flowcore.model import Flow, OnError, Output, RetryPolicy, Source, Step
from flowcore.ports import Owner
from flowcore.run.commands import (
    Command,
    ContinueRun,
    PauseRun,
    ReportFailure,
    ReportSuccess,
    Settle,
    StartAttempt,
    StartRun,
    StopRun,
)
from flowcore.run.effects import Consequences, pending
from flowcore.service import RunSession, commit, create_run, request
from flowcore.testing import MemoryEventLog
from flowcore.values import Instant
from flowcore_adapters.http.app import create_app
from tests.contract.wsgi_client import Answer, call
from tests.faults.model_run import SHAPES, WORKERS, ModelRun
from tests.simulation.mutants import MUTANTS, Mutant

pytestmark = pytest.mark.faults

MACHINES: Final = 300
STEPS: Final = 50
PARTS: Final = 4
"""Tests that share the machines between them and may run side by side."""
SPELLINGS: Final = ("{}", "exec-{}", "run_{}")
OWNER: Final = Owner("1", "the program")


class Sequences(RuleBasedStateMachine):
    """A program that drives runs, clients that steer them, and readers of all views."""

    runs: Bundle[int] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.log = MemoryEventLog()
        self.app = create_app(self.log)
        self.now = 1000.0
        self.sessions: dict[int, RunSession] = {}
        self.models: dict[int, ModelRun] = {}
        self.positions: dict[int, int] = {}
        self.past: list[tuple[int, int, dict[str, Any], dict[str, Any]]] = []

    # The program.

    @rule(
        target=runs,
        shape=st.sampled_from(SHAPES),
        policy=st.sampled_from(["fail", "skip", "continue"]),
        tries=st.sampled_from([1, 2]),
        started=st.sampled_from([True, True, True, False]),
    )
    def create(self, shape: Mapping[str, Sequence[str]], policy: str, tries: int, started: bool) -> int:
        retry = RetryPolicy(max_attempts=tries, delay_s=0.0, jitter=0.0)
        steps = tuple(
            Step(
                name=StepName(name),
                source="s",
                depends_on=tuple(map(StepName, needs)),
                outputs=(Output(name="v"),),
                retry=retry,
            )
            for name, needs in shape.items()
        )
        flow = Flow(sources={"s": Source(type="value")}, steps=steps, on_error=OnError(policy))
        run_id = create_run(self.log, flow, at=Instant(self.now), max_workers=WORKERS)
        self.models[run_id] = ModelRun(run_id, shape, policy, tries)
        self.remember(run_id)
        if started:
            self.start(run_id)
        return run_id

    def start(self, run: int) -> None:
        model = self.models[run]
        if model.status == "queued":
            epoch = self.log.claim(RunId(run), OWNER, now=Instant(self.now), ttl_s=10.0)
            self.sessions[run] = RunSession(self.log, RunId(run), epoch)
            self.act(run, StartRun(at=Instant(self.now)))
            model.start(self.now)
            self.remember(run)

    @rule(run=runs, data=st.data())
    def begin(self, run: int, data: st.DataObject) -> None:
        if run not in self.sessions:
            self.start(run)
            return
        model = self.models[run]
        name = data.draw(st.sampled_from([*model.startable(), *model.steps]))
        if name in model.startable():
            self.act(run, StartAttempt(instance=InstanceId(name), at=Instant(self.now)))
            model.begin(name, self.now)
            self.remember(run)
        else:
            with pytest.raises(CommandRejectedError):
                self.act(run, StartAttempt(instance=InstanceId(name), at=Instant(self.now)))

    @rule(run=runs, data=st.data(), outcome=st.sampled_from(["well", "well", "badly", "cancelled"]), late=st.booleans())
    def end(self, run: int, data: st.DataObject, outcome: str, late: bool) -> None:
        model = self.models[run]
        if run not in self.sessions or not model.running():
            return
        name = data.draw(st.sampled_from(model.running()))
        attempt = model.steps[name].attempt
        at = Instant(self.now)
        report: ReportSuccess | ReportFailure
        if outcome == "well":
            outputs = {"v": f"{run}/{name}/{attempt}"}
            report = ReportSuccess(instance=InstanceId(name), attempt=attempt, outputs=outputs, at=at)
            self.act(run, report)
            model.succeed(name, outputs, self.now)
        else:
            cancelled = outcome == "cancelled" and model.stopping
            report = ReportFailure(
                instance=InstanceId(name), attempt=attempt, code="source-failed", error="no", at=at, stopped=cancelled
            )
            self.act(run, report)
            if cancelled:
                model.give_way(name, self.now)
            else:
                model.fail(name, self.now)
        self.remember(run)
        if late:
            before = self.log.position()
            self.act(run, report)
            assert self.log.position() == before, "a report that comes again changes nothing"

    @rule(run=runs, data=st.data(), outcome=st.sampled_from(["well", "badly"]))
    def work(self, run: int, data: st.DataObject, outcome: str) -> None:
        """Begin and end an attempt: what happens most."""
        if self.models[run].startable():
            self.begin(run, data)
            self.end(run, data, outcome, late=False)

    @rule(run=runs, data=st.data())
    def work_well(self, run: int, data: st.DataObject) -> None:
        self.work(run, data, "well")

    # Clients.

    @rule(run=runs, kind=st.sampled_from([PauseRun, ContinueRun, ContinueRun, StopRun]), again=st.booleans())
    def steer(self, run: int, kind: type[PauseRun | ContinueRun | StopRun], again: bool) -> None:
        model = self.models[run]
        before = self.log.position()
        if model.over and kind is not StopRun:
            with pytest.raises(CommandRejectedError, match="the run is over"):
                request(self.log, RunId(run), kind(at=Instant(self.now)))
            return
        for _ in range(1 + again):
            request(self.log, RunId(run), kind(at=Instant(self.now)))
        change = {StopRun: lambda: model.stop(self.now), PauseRun: model.pause, ContinueRun: model.go_on}[kind]
        changed = change()
        self.settle(run)
        assert (self.log.position() > before) is changed
        self.remember(run)

    @rule(pause=st.sampled_from([0.25, 1.0, 60.0]))
    def time_passes(self, pause: float) -> None:
        self.now += pause

    # Readers.

    def read_a_run(self, run: int) -> None:
        """See that all views of a run are right; done after everything that happens to it."""
        model = self.models[run]
        name = SPELLINGS[self.positions[run] % len(SPELLINGS)].format(run)
        answer = self.get(f"/status?run_id={name}")
        assert without_notes(answer) == model.shown()
        assert answer.headers["x-flowcore-run-id"] == str(run)
        assert answer.etag == f'"{self.positions[run]}"'
        assert self.get(f"/status?run_id={name}", 304, answer.etag).body == b""
        self.get(f"/status?run_id={name}", 200, f'"{self.positions[run] - 1}"')
        assert self.get(f"/outputs?run_id={name}").document == model.outputs()

    def read_the_latest(self) -> None:
        answer = self.get("/status")
        if self.models:
            assert without_notes(answer) == self.models[max(self.models)].shown()
            assert self.get("/outputs").document == self.models[max(self.models)].outputs()
        else:
            assert answer.document == {"status": "no-runner"}
            assert self.get("/outputs").document == {}

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        run, position, status, outputs = data.draw(st.sampled_from(self.past))
        assert without_notes(self.get(f"/status?run_id={run}&at={position}")) == status
        assert self.get(f"/outputs?run_id={run}&at={position}").document == outputs

    @rule(run=runs, distance=st.integers(-3, 3))
    def ask_for_news(self, run: int, distance: int) -> None:
        self.read_the_latest()
        after = max(self.positions[run] + distance, 0)
        self.get(f"/status?run_id={run}&after={after}", 304 if after >= self.positions[run] else 200)

    @rule(run=runs, limit=st.integers(1, 7))
    def read_pages(self, run: int, limit: int) -> None:
        found: list[tuple[int, str]] = []
        after = 0
        while True:
            page = self.get(f"/api/runs/{run}/events?after={after}&limit={limit}").document
            found += [(event["position"], event["type"]) for event in page["events"]]
            if len(page["events"]) < limit:
                break
            after = page["next"]
        assert found == [(each.position, type(each.event).__name__) for each in self.log.read(RunId(run))]

    @rule(run=runs, data=st.data())
    def ask_why(self, run: int, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([*self.models[run].steps, "nobody"]))
        answer = self.get(f"/api/runs/{run}/explain?step={name}", 404 if name == "nobody" else 200)
        self.get(f"/api/runs/nobody/explain?step={name}", 404)
        if name != "nobody":
            step, found = self.models[run].steps[name], answer.document
            assert (found["run_id"], found["step"], found["status"]) == (run, name, step.status)
            assert [attempt["outcome"] for attempt in found["attempts"]] == step.outcomes
            assert found["sentences"]

    @rule(run=runs, other=runs)
    def compare(self, run: int, other: int) -> None:
        found = self.get(f"/api/runs/{run}/diff/{other}").document
        ours, theirs = (self.models[each].shown()["steps"] for each in (run, other))
        names = [
            name for name in {**ours, **theirs} if ours.get(name, {}).get("state") != theirs.get(name, {}).get("state")
        ]
        assert {each["step"] for each in found["states"]} == set(names)
        if run == other:
            assert found["equal"]
            assert found["parting"] is None

    # How it is done.

    def get(self, target: str, status: int = 200, etag: str | None = None) -> Answer:
        answer = call(self.app, target, headers={} if etag is None else {"If-None-Match": etag})
        assert answer.status == status, (target, answer)
        return answer

    def act(self, run: int, command: Command) -> None:
        session = self.sessions[run]
        session.refresh(self.log)
        session.execute(command)
        self.settle(run)

    def settle(self, run: int) -> None:
        """Have the program draw the consequences, as it does whenever something happens."""
        session = self.sessions.get(run)
        if session is None:
            return
        session.refresh(self.log)
        for _ in range(10):
            if pending(session.state, Instant(self.now)) == (Consequences(),):
                session.execute(Settle(at=Instant(self.now)))
        commit(self.log, [session])

    def remember(self, run: int) -> None:
        self.positions[run] = list(self.log.read(RunId(run)))[-1].position
        model = self.models[run]
        self.past.append((run, self.log.position(), model.shown(), model.outputs()))
        self.read_a_run(run)


def without_notes(answer: Answer) -> dict[str, Any]:
    """Return a status without the sentences in it."""
    document: dict[str, Any] = deepcopy(answer.document)
    for step in document["steps"].values():
        assert isinstance(step.pop("notes"), list)
    return document


def run_machines(number: int, count: int, *phases: Phase) -> None:
    """Live through *count* machines."""
    run_state_machine_as_test(
        seed(number)(Sequences),
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_every_view_shows_what_the_model_says(part: int) -> None:
    run_machines(part, MACHINES // PARTS, Phase.generate, Phase.shrink)


PLANTED: Final = (
    "a report counts twice",
    "a skip is not handed on",
)


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.about in PLANTED], ids=lambda each: each.about)
def test_what_is_wrong_in_the_engine_is_seen_from_outside(mutant: Mutant) -> None:
    with mutant.planted(), pytest.raises((AssertionError, LookupError, pytest.fail.Exception)):
        run_machines(0, MACHINES, Phase.generate)
