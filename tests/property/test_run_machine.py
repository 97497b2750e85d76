"""The laws of a run, checked after every event of generated histories (contract reliability, I1 to I16).

A small shell drives the machine: it does what `pending` asks for, reports random outcomes for what is in the air, and
now and then disturbs (pauses, stops, late and repeated reports, guards looked at too early). `Ledger` knows nothing of
the machine but its events, and takes the meaning of failures from the table of contract status, section 4.
"""

import json
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, StepName
from flowcore.model import Flow, OnError, Output, RetryPolicy, Source, Step
from flowcore.ports import Recorded
from flowcore.run.commands import (
    Command,
    ContinueRun,
    CreateRun,
    PauseRun,
    ReportFailure,
    ReportGuard,
    ReportGuardFailure,
    ReportSuccess,
    Settle,
    StartAttempt,
    StartRun,
    StopRun,
)
from flowcore.run.decide import decide
from flowcore.run.effects import Cancel, Consequences, Effect, Iterate, Perform, Resolve, pending, wake_at
from flowcore.run.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    ConditionMet,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    RetryAbandoned,
    RunContinued,
    RunCreated,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
    StepSkipped,
)
from flowcore.run.evolve import evolve, fold
from flowcore.run.machine import RUN_TRANSITIONS, SETTLED, STEP_TRANSITIONS, RunStatus, StepStatus
from flowcore.run.state import RunState
from flowcore.values import Instant
from flowcore.views.flow_runs import FlowRunView
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusDocument, StatusView
from tests.builders import RUN, T0, digest

pytestmark = pytest.mark.property

NAMES: Final = "abcdefgh"
MOST_ITEMS: Final = 4
SIZES: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 8)
POLICIES: Final = (None, OnError.FAIL, OnError.SKIP, OnError.CONTINUE)

STOP, SKIP, RUN_ON = "the run stops", "D is skipped", "D runs"
MEANING: Final[dict[tuple[OnError, OnError | None], str]] = {
    # What F's own word is (else the flow's, else fail) and what D says: what F's failure means.
    (OnError.FAIL, None): STOP,
    (OnError.FAIL, OnError.FAIL): STOP,
    (OnError.FAIL, OnError.SKIP): SKIP,
    (OnError.FAIL, OnError.CONTINUE): RUN_ON,
    (OnError.SKIP, None): SKIP,
    (OnError.SKIP, OnError.FAIL): STOP,
    (OnError.SKIP, OnError.SKIP): SKIP,
    (OnError.SKIP, OnError.CONTINUE): RUN_ON,
    (OnError.CONTINUE, None): RUN_ON,
    (OnError.CONTINUE, OnError.FAIL): STOP,
    (OnError.CONTINUE, OnError.SKIP): SKIP,
    (OnError.CONTINUE, OnError.CONTINUE): RUN_ON,
}
"""The table of contract status, section 4: F fails, D depends on F."""


def make_flow(random: Random) -> Flow:
    """Return a flow of a few steps in any file order, their dependencies without a cycle."""
    steps: list[Step] = []
    looks, lists = random.choice([0.0, 0.2, 0.7]), random.choice([0.0, 0.3, 0.8])
    crowd = random.choice([0, 1, 1, 2, 3])
    words = random.choice([POLICIES, (None, OnError.FAIL), (None, OnError.CONTINUE, OnError.SKIP)])
    for name in NAMES[: random.choice(SIZES)]:
        earlier = [step.name for step in steps]
        fan_out = random.random() < lists
        steps.append(
            Step(
                name=StepName(name),
                source="source",
                outputs=(Output(name="v"),),
                depends_on=tuple(random.sample(earlier, min(len(earlier), random.randint(0, crowd)))),
                when="x" if random.random() < looks else None,
                for_each="x" if fan_out else None,
                max_parallel=random.choice([None, None, 1, 2]) if fan_out else None,
                retry=RetryPolicy(max_attempts=random.choice([1, 2, 5]), delay_s=random.choice([0.0, 1.0, 10.0])),
                on_error=random.choice(words),
            )
        )
    random.shuffle(steps)
    return Flow(sources={"source": Source(type="value")}, steps=tuple(steps), on_error=random.choice(POLICIES))


class Ledger:
    """What the events of one run say, and the laws that each of them must keep."""

    def __init__(self, flow: Flow, max_workers: int) -> None:
        self.steps = {str(step.name): step for step in flow.steps}
        self.flow = flow
        self.max_workers = max_workers
        self.words = dict.fromkeys(self.steps, "pending")
        """The word of `/status` for each step."""
        self.settled: dict[str, str] = {}
        """How each instance ended."""
        self.causes: dict[str, SkipCause] = {}
        self.sizes: dict[str, int] = {}
        self.looked_at: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.air: set[str] = set()
        self.due: dict[str, Instant] = {}
        self.created = self.running = self.paused = self.stopping = self.ended = False

    def dependents(self, name: str) -> list[Step]:
        return [step for step in self.flow.steps if name in step.depends_on]

    def own_word(self, name: str) -> OnError:
        return self.steps[name].on_error or self.flow.on_error or OnError.FAIL

    def meaning(self, failed: str, dependent: Step) -> str:
        return MEANING[self.own_word(failed), dependent.on_error]

    def halts(self, failed: str) -> bool:
        return any(self.meaning(failed, dependent) == STOP for dependent in self.dependents(failed))

    def untolerated(self, failed: str) -> bool:
        return self.halts(failed) if self.dependents(failed) else self.own_word(failed) is OnError.FAIL

    def failures(self) -> list[str]:
        return [name for name in self.steps if self.settled.get(name) == "failed"]

    @property
    def halted(self) -> bool:
        return any(self.halts(name) for name in self.failures())

    def broken(self, step: str) -> bool:
        """Return whether the fan-out of *step* was given up."""
        items = (f"{step}/{number}" for number in range(self.sizes[step]))
        lost = any(self.settled.get(item) == "failed" for item in items) and self.own_word(step) is OnError.FAIL
        return lost or self.halted or self.stopping

    def satisfied(self, parent: str, dependent: Step) -> bool:
        """Return whether *dependent* may start as far as *parent* goes."""
        match self.settled.get(parent):
            case "succeeded":
                return True
            case "failed":
                return self.meaning(parent, dependent) == RUN_ON
            case "skipped":
                return self.causes[parent] is SkipCause.CONDITION and dependent.on_error is OnError.CONTINUE
            case _:
                return False

    def may_begin(self, name: str) -> bool:
        """Return whether a step may start, or be looked at, at all."""
        step = self.steps[name]
        live = self.running and not self.halted and not self.stopping
        return live and name not in self.settled and all(self.satisfied(each, step) for each in step.depends_on)

    def take(self, event: Event) -> None:
        assert not self.ended, "nothing happens after the end"
        match event:
            case AttemptStarted(instance=instance, attempt=attempt, at=at):
                self.start(instance, attempt, at)
            case AttemptSucceeded(instance=instance, attempt=attempt):
                self.land(instance, attempt)
                self.settle(instance, "succeeded")
            case AttemptFailed(instance=instance, attempt=attempt, retry_at=due, at=at):
                self.land(instance, attempt)
                step, item = self.place(instance)
                if due is None:
                    self.settle(instance, "failed")
                else:
                    assert attempt < self.steps[step].retry.max_attempts
                    assert due >= at
                    assert not self.halted
                    assert not self.stopping
                    assert item is None or not self.broken(step)
                    self.due[instance] = due
            case AttemptStopped(instance=instance, attempt=attempt):
                assert self.stopping
                self.land(instance, attempt)
                self.settle(instance, "stopped")
            case RetryAbandoned(instance=instance):
                step, item = self.place(instance)
                assert self.halted or self.stopping or (item is not None and self.broken(step))
                del self.due[instance]
                self.settle(instance, "failed")
            case ConditionMet(step=name):
                assert self.may_begin(name)
                assert self.steps[name].when is not None
                assert self.steps[name].for_each is None
                assert name not in self.looked_at
                self.looked_at.add(name)
            case FanOutStarted(step=name, items=items):
                assert self.may_begin(name)
                assert self.steps[name].for_each is not None
                assert name not in self.looked_at
                self.looked_at.add(name)
                self.sizes[name] = len(items)
                self.words[name] = "running"
            case GuardFailed(step=name):
                assert self.may_begin(name)
                assert self.steps[name].guarded
                assert name not in self.looked_at
                self.settle(name, "failed")
            case FanOutSucceeded(step=name):
                assert self.items(name) == {"succeeded"} or not self.sizes[name]
                self.settle(name, "succeeded")
            case FanOutFailed(step=name):
                assert self.items(name) - {"succeeded"}
                self.settle(name, "failed")
            case StepSkipped(instance=instance, cause=cause):
                self.skip(instance, cause)
            case _:
                self.take_run(event)

    def take_run(self, event: Event) -> None:
        failed = any(self.untolerated(name) for name in self.failures())
        match event:
            case RunCreated():
                assert not self.created
                self.created = True
            case RunStarted():
                assert not self.running
                self.running = True
            case RunPaused():
                assert self.running
                assert not self.paused
                assert not self.stopping
                self.paused = True
            case RunContinued():
                assert self.paused
                self.paused = False
            case RunStopRequested():
                assert self.running
                assert not self.stopping
                self.stopping, self.paused = True, False
            case RunSucceeded():
                assert not self.stopping, "after an accepted stop the run never succeeds"
                assert not failed
                self.end()
            case RunFailed():
                assert not self.stopping
                assert failed
                self.end()
            case RunStopped():
                assert self.stopping or not self.running
                self.end()
            case _:
                raise AssertionError(event)

    def place(self, instance: str) -> tuple[str, int | None]:
        step, slash, number = instance.partition("/")
        return step, int(number) if slash else None

    def items(self, step: str) -> set[str]:
        """Return how the items of a fan-out ended, all of which must have."""
        return {self.settled[f"{step}/{number}"] for number in range(self.sizes[step])}

    def start(self, instance: str, attempt: int, at: Instant) -> None:
        name, item = self.place(instance)
        step = self.steps[name]
        assert not self.paused
        assert self.may_begin(name)
        assert instance not in self.settled
        assert instance not in self.air
        assert len(self.air) < self.max_workers
        assert attempt == self.attempts[instance] + 1
        assert attempt <= step.retry.max_attempts
        if attempt > 1:
            assert at >= self.due.pop(instance), "a retry waits until it is due"
        if item is None:
            assert not step.guarded or name in self.looked_at
            assert step.for_each is None
        else:
            assert item < self.sizes[name]
            siblings = {each for each in (self.air | set(self.due)) - {instance} if each.startswith(f"{name}/")}
            assert step.max_parallel is None or len(siblings) < step.max_parallel
        self.attempts[instance] = attempt
        self.air.add(instance)
        self.words[name] = "running"

    def land(self, instance: str, attempt: int) -> None:
        assert self.attempts[instance] == attempt
        self.air.remove(instance)

    def settle(self, instance: str, how: str) -> None:
        assert instance not in self.settled, "what is settled stays settled"
        self.settled[instance] = how
        if instance in self.words:
            self.words[instance] = "failed" if how == "stopped" else how

    def skip(self, instance: str, cause: SkipCause) -> None:
        name, item = self.place(instance)
        step = self.steps[name]
        assert instance not in self.air
        assert instance not in self.due
        if item is not None:
            assert self.broken(name)
        elif cause is SkipCause.CONDITION:
            assert self.may_begin(name)
            assert step.when is not None
            assert name not in self.looked_at
        elif cause is SkipCause.UPSTREAM:
            ended = [parent for parent in step.depends_on if parent in self.settled]
            assert not all(self.satisfied(parent, step) for parent in ended)
        elif cause is SkipCause.RUN_FAILED:
            assert self.halted
        else:
            assert self.stopping or not self.running
        self.causes[instance] = cause
        self.settle(instance, "skipped")

    def end(self) -> None:
        assert set(self.steps) <= set(self.settled), "an ended run has no open step"
        assert not self.air
        assert not self.due
        self.ended = True

    def check_document(self, document: StatusDocument) -> None:
        words = {name: row["state"] for name, row in document["steps"].items()}
        running = [name for name, word in words.items() if word == "running"]
        assert words == self.words
        assert list(words) == list(self.steps)
        assert document["total_steps"] == len(self.steps)
        assert document["completed_steps"] == sum(word in {"succeeded", "failed"} for word in words.values())
        assert document["running_steps"] == running
        assert document["running_count"] == len(running)
        assert document["current_step"] == (running[0] if running else None)
        assert (document["ended_at"] is not None) == self.ended


@attrs.frozen
class Weather:
    """How often things go wrong in one history; drawn anew for each, for fixed odds leave corners unvisited."""

    failure: float
    lasting: float
    disturbance: float
    stop: float
    pause: float
    report: float


def make_weather(random: Random) -> Weather:
    return Weather(
        failure=random.choice([0.0, 0.1, 0.3, 0.6, 1.0]),
        lasting=random.choice([0.0, 0.3, 0.7]),
        disturbance=random.choice([0.0, 0.1, 0.4]),
        stop=random.choice([0.0, 0.0, 0.0, 0.01, 0.05]),
        pause=random.choice([0.0, 0.0, 0.1]),
        report=random.choice([0.1, 0.5, 0.9]),
    )


class Shell:
    """Drives one run in memory and checks every law after every event."""

    def __init__(self, flow: Flow, max_workers: int, weather: Weather, random: Random) -> None:
        self.flow = flow
        self.weather = weather
        self.random = random
        self.now = T0
        self.state = RunState()
        self.ledger = Ledger(flow, max_workers)
        self.status = StatusView()
        self.outputs = OutputsView()
        self.flow_run = FlowRunView()
        self.log: list[Recorded] = []
        self.said: list[Command] = []
        self.asked: deque[Effect] = deque(maxlen=8)
        self.decisions = 0
        items = MOST_ITEMS * len(flow.steps)
        attempts = sum(step.retry.max_attempts for step in flow.steps) * (MOST_ITEMS + 1)
        self.most_events = 10 + 2 * attempts + 3 * (items + len(flow.steps))
        self.execute(CreateRun(run_id=RUN, flow=flow, at=self.now, max_workers=max_workers))

    def execute(self, command: Command) -> tuple[Event, ...]:
        """Decide *command* and take what follows, checking all the way."""
        before = digest(self.state)
        events = decide(command, self.state)
        assert digest(self.state) == before, "deciding changes nothing"
        if events and isinstance(command, ReportFailure) and command.stopped and self.state.stop_requested:
            assert isinstance(events[0], AttemptStopped)
        for event in events:
            self.take(event)
        try:
            again = decide(command, self.state)
        except CommandRejectedError:
            again = ()
        assert not [event for event in again if event in events], "deciding twice repeats nothing"
        assert not again or isinstance(command, Settle)
        if not isinstance(command, StartAttempt):  # which says nothing that could be recognised as said before
            self.said.append(command)
        return events

    def take(self, event: Event) -> None:
        state = self.state
        run_before = state.status
        before = {name: instance.status for name, instance in state.instances.items()}
        evolve(state, event)
        self.log.append(Recorded(RUN, len(self.log) + 1, len(self.log) + 1, event))
        self.ledger.take(event)
        self.check_transition(event, run_before, before)
        assert digest(fold(each.event for each in self.log)) == digest(state), "replay equals the live state"
        assert len(state.in_the_air) <= state.max_workers
        self.check_views()

    def check_transition(self, event: Event, run_before: RunStatus, before: dict[InstanceId, StepStatus]) -> None:
        state = self.state
        touched: str | None = getattr(event, "instance", None) or getattr(event, "step", None)
        if touched is None:
            assert state.status is RUN_TRANSITIONS[run_before][type(event)]
        else:
            assert state.status is run_before
        for name, status in before.items():
            now = state.instances[name].status
            if name == touched:
                assert now in STEP_TRANSITIONS[status][type(event)]
            else:
                assert now is status or (status, now) == (StepStatus.PENDING, StepStatus.READY)
        settled = {str(name) for name, each in state.instances.items() if each.status in SETTLED}
        assert settled == set(self.ledger.settled)

    def check_views(self) -> None:
        self.status.evolve(self.log[-1])
        self.outputs.evolve(self.log[-1])
        self.flow_run.evolve(self.log[-1])
        assert json.loads(self.flow_run.encode()) == self.flow_run.render()
        document = self.status.render()
        scratch, scratch_outputs = StatusView(), OutputsView()
        for each in self.log:
            scratch.evolve(each)
            scratch_outputs.evolve(each)
        assert scratch.render() == document
        assert json.loads(self.status.encode()) == document
        assert self.status.encode() == scratch.encode()
        assert json.loads(self.outputs.encode()) == self.outputs.render() == scratch_outputs.render()
        self.ledger.check_document(document)
        done = [name for name, row in document["steps"].items() if row["state"] == "succeeded"]
        assert sorted(self.outputs.render()) == sorted(done)
        assert {name: list(row) for name, row in self.outputs.render().items()} == {
            name: document["steps"][name]["outputs"] for name in self.outputs.render()
        }

    def run(self) -> None:
        """Drive the run until it has ended."""
        if self.chance(self.weather.stop):
            self.execute(StopRun(at=self.now))
            assert self.state.status is RunStatus.STOPPED
            return
        self.execute(StartRun(at=self.now))
        disturbances = 20
        while not self.state.ended:
            self.decisions += 1
            assert self.decisions <= self.most_events + 40, "every run ends within a bounded number of decisions"
            self.now = Instant(self.now + self.random.choice([0.0, 0.0, 0.5, 3.0, 9.0, -2.0]))
            if disturbances and self.chance(self.weather.disturbance):
                disturbances -= 1
                self.disturb()
            elif not (disturbances and self.interfere()):
                self.advance()
            else:
                disturbances -= 1
        assert pending(self.state, self.now) == ()
        assert wake_at(self.state) is None

    def chance(self, odds: float) -> bool:
        return odds > 0 and self.random.random() < odds

    def interfere(self) -> bool:
        """Stop or pause now and then; return whether anything was asked for."""
        if self.chance(self.weather.stop):
            self.execute(StopRun(at=self.now))
            assert self.state.stop_requested
            return True
        if self.chance(self.weather.pause):
            self.execute(PauseRun(at=self.now))
            return True
        return False

    def advance(self) -> None:
        """Do one thing that leads on: an effect, a report, or waiting for the next moment."""
        state = self.state
        effects = pending(state, self.now)
        self.check_effects(effects)
        self.asked.extend(effects)
        air = list(state.in_the_air)
        if air and (not effects or isinstance(effects[0], Cancel) or self.chance(self.weather.report)):
            assert self.execute(self.report(self.random.choice(air)))
        elif effects:
            first, *others = self.random.sample(effects, len(effects))
            assert self.execute(self.command(first)), "what is pending leads on"
            if self.chance(0.5):
                for effect in others:
                    self.try_late(effect)
        elif state.status is RunStatus.PAUSED:
            assert self.execute(ContinueRun(at=self.now))
        else:
            due = wake_at(state)
            assert due is not None, "nothing is pending, in the air or due: the run hangs"
            assert due > self.now
            self.now = due
            assert pending(state, self.now)

    def check_effects(self, effects: tuple[Effect, ...]) -> None:
        state = self.state
        if not effects or isinstance(effects[0], Consequences):
            assert len(effects) <= 1
        elif isinstance(effects[0], Cancel):
            assert effects == tuple(Cancel(instance) for instance in state.in_the_air)
        else:
            assert state.status is RunStatus.RUNNING
            assert len(set(effects)) == len(effects) <= state.max_workers - len(state.in_the_air)

    def command(self, effect: Effect) -> Command:
        match effect:
            case Consequences():
                return Settle(at=self.now)
            case Perform(instance=instance):
                return StartAttempt(instance=instance, at=self.now)
            case Resolve(step=step):
                return self.guard(step)
            case Cancel(instance=instance):
                return self.report(instance)
            case Iterate():
                raise AssertionError("none of these flows has a loop")

    def guard(self, name: StepName) -> Command:
        step = self.ledger.steps[name]
        if self.chance(self.weather.failure / 4):
            return ReportGuardFailure(step=name, code="expression", error="no answer", at=self.now)
        met = step.when is None or self.random.random() < 0.7
        items = tuple(range(self.random.randint(0, MOST_ITEMS))) if met and step.for_each is not None else None
        return ReportGuard(step=name, met=met, items=items, at=self.now)

    def report(self, instance: InstanceId) -> Command:
        attempt = self.state.instances[instance].attempt
        if self.chance(self.weather.failure):
            return ReportFailure(
                instance=instance,
                attempt=attempt,
                code="source-failed",
                error="no",
                at=self.now,
                retryable=not self.chance(self.weather.lasting),
                retry_after_s=self.random.choice([None, None, 5.0, 500.0]),
                chance=self.random.random(),
                stopped=self.state.stop_requested and self.chance(0.8),
            )
        return ReportSuccess(instance=instance, attempt=attempt, outputs={"v": attempt}, at=self.now)

    def try_late(self, effect: Effect) -> None:
        """Do what was asked for some time ago, though it may be out of place by now."""
        if isinstance(effect, Perform) and self.state.instances[effect.instance].status is StepStatus.RETRYING:
            return  # the machine trusts its shell not to start a retry before it is due
        if isinstance(effect, Cancel) and effect.instance not in self.state.in_the_air:
            return
        self.try_to(self.command(effect))

    def try_to(self, command: Command) -> None:
        """Execute a command that may be refused: it is late, repeated or early."""
        try:
            self.execute(command)
        except CommandRejectedError as error:
            assert error.code in {"run-exists", "run-ended", "not-startable"}  # noqa: PT017 - it need not be refused

    def disturb(self) -> None:
        """Say something that is late, repeated, early or about nobody."""
        name = self.random.choice([*self.state.instances, InstanceId("nobody")])
        known = self.state.instances.get(name)
        other = (known.attempt if known else 1) + self.random.choice([-1, 1])
        guarded = [step.name for step in self.flow.steps if step.guarded]
        idle = [
            each.id for each in self.state.instances.values() if each.status in {StepStatus.PENDING, StepStatus.READY}
        ]
        disturbances: list[Callable[[], None]] = [
            lambda: self.try_to(self.random.choice(self.said)),
            lambda: self.try_to(ReportSuccess(instance=name, attempt=other, outputs={"v": "late"}, at=self.now)),
            lambda: self.try_to(ReportFailure(instance=name, attempt=other, code="x", error="late", at=self.now)),
            lambda: self.try_to(ReportGuard(step=StepName("nobody"), met=True, at=self.now)),
            lambda: self.try_to(Settle(at=self.now)),
            lambda: self.try_to(ContinueRun(at=self.now)),
            lambda: self.try_to(StartRun(at=self.now)),
        ]
        if self.asked:
            disturbances += 3 * [lambda: self.try_late(self.random.choice(self.asked))]
        if guarded:
            disturbances += 2 * [lambda: self.try_to(self.guard(self.random.choice(guarded)))]
        if idle:
            disturbances += 2 * [lambda: self.try_to(StartAttempt(instance=self.random.choice(idle), at=self.now))]
        self.random.choice(disturbances)()


def drive(random: Random) -> Shell:
    """Drive a run of a flow, both made by *random*, to its end."""
    shell = Shell(make_flow(random), random.randint(1, 4), make_weather(random), random)
    shell.run()
    return shell


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False))
def test_every_law_holds_after_every_event(random: Random) -> None:
    drive(random)


@pytest.mark.parametrize("seed", range(10))
def test_every_law_holds_in_many_histories(seed: int) -> None:
    for number in range(100):
        try:
            drive(Random(f"{seed}/{number}"))
        except Exception as error:
            error.add_note(f"the history of the seed {seed}/{number}")
            raise
