"""One seed, one history: programs, clients and clocks take turns, and every event is checked when it is stored.

First everything may go wrong (safety); then nothing does any more, and every run must come to its end (liveness).
"""

from collections.abc import Callable
from random import Random
from typing import Final, cast

import attrs

from flowcore.artifacts import Artifact
from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, RunId
from flowcore.invariants import RunChecker
from flowcore.json_text import from_json, to_json
from flowcore.ports import Recorded
from flowcore.run.commands import (
    Command,
    ContinueRun,
    DeliverArtifact,
    PauseRun,
    ReportFailure,
    SkipPaused,
    StopRun,
    ToggleTrace,
)
from flowcore.run.decide import decide
from flowcore.run.events import AttemptFailed, AttemptStarted, AttemptSucceeded, Event, RunCreated
from flowcore.run.evolve import evolve, fold
from flowcore.run.machine import RunStatus
from flowcore.run.snapshot import StateData, dump, restore
from flowcore.run.state import RunState
from flowcore.service import create_run, load, request
from flowcore.values import Instant, Json
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusView

from .log import CrashError, FaultyLog
from .program import LEASE_S, Program, Work
from .violation import ViolationError
from .weather import Weather, draw_breakpoints, draw_descent, draw_flow, draw_weather

_START: Final = 1_700_000_000.0
_EVEN: Final = 0.5
_HOUR_S: Final = 3600.0
_CALM_MOVES: Final = 2_000
"""Within so many moves after the last fault every run must have ended."""
_PHOTO: Final = Artifact(store="default", name="photo.png")


@attrs.frozen
class History:
    """What became of one seed.

    Attributes:
        violation: What does not hold, or None.
        events: How many events were stored.
        lines: What happened, when it was asked for.
    """

    seed: int
    violation: str | None
    events: int
    lines: tuple[str, ...] = ()


class _Watched:
    """What is known of one run from its events: folded as they come, and checked."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.checker = RunChecker()
        self.state = RunState()
        self.status = StatusView()
        self.outputs = OutputsView()


class World:
    """Everything in one history."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        """Draw the weather and the flows from *seed*; with *trace* keep a line for everything that happens."""
        self.seed = seed
        self.random = Random(seed)
        self.weather: Weather = draw_weather(self.random)
        self.lines: list[str] | None = [] if trace else None
        self.now = _START
        self.calm = False
        self.appending: Program | None = None
        self.log = FaultyLog(self._dies, self._witness)
        self.runs: dict[RunId, _Watched] = {}
        self.events = 0
        self._numbers = 0
        self._done: set[Work] = set()
        self.programs: list[Program] = []

    def run(self) -> History:
        """Live through the history and return what became of it."""
        violation = None
        try:
            self._begin()
            self._live()
            if self._descend():
                self._live()
            self._look_back()
        except ViolationError as error:
            violation = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is raised here is a find
            violation = f"{type(error).__name__}: {error}"
        return History(self.seed, violation, self.events, tuple(self.lines or ()))

    # What happens.

    def _begin(self) -> None:
        self._say(f"seed {self.seed}: {self.weather}")
        for _ in range(self.weather.runs):
            flow = draw_flow(self.random)
            self._say(f"flow: {flow}")
            points = draw_breakpoints(self.random)
            create_run(self.log, flow, at=Instant(self.now), max_workers=self.weather.workers, breakpoints=points)
        for _ in range(self.weather.programs):
            self._start_program()

    def _live(self) -> None:
        """Let things happen, and then let everything come to its end."""
        self.calm = False
        for _ in range(self.weather.moves):
            self._move()
            if all(run.state.ended for run in self.runs.values()) and self._even():
                break
        self._calm_down()

    def _descend(self) -> bool:
        """Begin a run that takes over what one of the others came to, if there is to be one; return whether."""
        state = self.random.choice(tuple(self.runs.values())).state
        descent = draw_descent(self.random, state)
        if descent is None:
            return False
        self._say(f"a descendant: {descent}")
        points = draw_breakpoints(self.random)
        create_run(self.log, state.flow, at=Instant(self.now), descent=descent, breakpoints=points)
        return True

    def _start_program(self) -> None:
        self._numbers += 1
        self.programs.append(Program(self._numbers, self.log, self.random, self.weather))

    def _chance(self, odds: float) -> bool:
        return not self.calm and odds > 0 and self.random.random() < odds

    def _even(self) -> bool:
        return self.random.random() < _EVEN

    def _move(self) -> None:
        """Let one thing happen."""
        weather = self.weather
        self.now += self.random.choice((0.0, 0.0, 0.1, 1.0, 5.0))
        if self._chance(weather.stop):
            self._ask(StopRun)
        if self._chance(weather.pause):
            self._ask(self.random.choice((PauseRun, ContinueRun, ContinueRun, SkipPaused)))
        if self._chance(weather.deliver):
            self._bring()
        program = self.random.choice(self.programs)
        if program.frozen_until > self.now:
            return
        if self._chance(weather.jump):
            program.skew = self.random.choice((-_HOUR_S, 0.0, _HOUR_S))
            self._say(f"the clock of {program.owner.name} is {program.skew:+.0f} s off")
        if self._chance(weather.freeze):
            program.frozen_until = self.now + self.random.choice((5.0, 30.0, 300.0))
            self._say(f"{program.owner.name} stands still")
            return
        if self._chance(weather.crash):
            self._bury(program, "dies")
            return
        self._act(program)

    def _act(self, program: Program) -> None:
        """Let *program* do something: report, claim, or take a turn."""
        now = Instant(self.now + program.skew)
        self.appending = program
        try:
            self.log.renew(program.owner, now=now, ttl_s=LEASE_S)
            if program.air and self._even():
                work = self.random.choice(tuple(program.air))
                program.deliver(work, now)
            elif program.kept and (self.calm or self._even()):
                self._deliver_late(program)
            self._claim_some(program, now)
            program.turn(now)
        except CrashError:
            self._bury(program, "dies while it appends")
        finally:
            self.appending = None
        for work in program.started:
            self._hand_out(work)
        program.started.clear()

    def _deliver_late(self, program: Program) -> None:
        run_id, report = program.kept.pop(self.random.randrange(len(program.kept)))
        session = program.sessions.get(run_id)
        if session is not None:
            program.send(run_id, report)
        else:
            program.reject(run_id, report, 1)

    def _claim_some(self, program: Program, now: Instant) -> None:
        for run_id in self.runs:
            if run_id in program.sessions or self.runs[run_id].state.ended:
                continue
            owner = self.log.ownership(run_id).owner
            gone = owner is not None and all(each.owner.id != owner.id for each in self.programs)
            wanted = owner is None or gone or self.calm or self._chance(self.weather.rival)
            if wanted and program.claim(run_id, now, owner.id if gone and owner is not None else None):
                self._say(f"{program.owner.name} drives run {run_id}")

    def _ask(self, kind: Callable[..., StopRun | PauseRun | ContinueRun | SkipPaused]) -> None:
        """Have a client ask for something, and ask again when it hears nothing."""
        command = kind(at=Instant(self.now))
        if isinstance(command, ContinueRun) and self._even():
            command = ContinueRun(at=Instant(self.now), breakpoints=False)
        self._request(self.random.choice(tuple(self.runs)), command)

    def _bring(self) -> None:
        """Have a client bring an artifact, or ask for the lines of attempts."""
        run_id = self.random.choice(tuple(self.runs))
        self._request(run_id, ToggleTrace(enabled=self._even(), at=Instant(self.now)))
        self._request(run_id, DeliverArtifact(edge="photo", artifact=_PHOTO, at=Instant(self.now)))

    def _request(self, run_id: RunId, command: Command) -> None:
        for _ in range(2 if self._chance(self.weather.twice) else 1):
            try:
                # What leads to nothing needs no folding of the run: most of what is asked for was asked for before.
                if decide(command, self.runs[run_id].state):
                    request(self.log, run_id, command)
            except CommandRejectedError as error:
                if error.code not in {"run-ended", "artifact-unknown"}:
                    raise

    def _bury(self, program: Program, how: str) -> None:
        self._say(f"{program.owner.name} {how}")
        self.programs.remove(program)
        self._start_program()

    def _dies(self) -> bool | None:
        """Tell whether the append that is coming ends in a crash, and whether it is stored before."""
        if self.appending is None or not self._chance(self.weather.crash / 2):
            return None
        return self.random.random() < self.weather.torn

    # The end of all faults.

    def _calm_down(self) -> None:
        self._say("from here on nothing goes wrong any more")
        self.calm = True
        survivor = self.random.choice(self.programs)
        for program in self.programs:
            program.skew, program.frozen_until = 0.0, 0.0
        self.now += _HOUR_S + 2 * LEASE_S
        self.programs = [survivor]
        going_on: list[RunId] = []
        for _ in range(_CALM_MOVES):
            going_on = [run_id for run_id, run in self.runs.items() if not run.state.ended]
            if not going_on:
                return
            for run_id in going_on:
                if self.runs[run_id].state.status is RunStatus.PAUSED:
                    request(self.log, run_id, ContinueRun(at=Instant(self.now)))
                elif self.runs[run_id].state.awaiting and self.runs[run_id].state.flow.await_s is None:
                    # The others give up waiting by themselves.
                    request(self.log, run_id, DeliverArtifact(edge="photo", artifact=_PHOTO, at=Instant(self.now)))
            for work, report in survivor.air.items():
                if report is None and not self.runs[work.run_id].state.stop_requested:
                    # Its time is over; that of a run which is being stopped is not waited for.
                    survivor.air[work] = survivor.time_out(work)
            self.now += 60.0
            self._act(survivor)
        raise ViolationError(f"liveness: {len(going_on)} runs have not ended after {_CALM_MOVES} moves without a fault")

    # What is checked.

    def _witness(self, recorded: Recorded) -> None:
        """Check an event that has just been stored."""
        run = self.runs.get(recorded.run_id)
        if run is None:
            run = self.runs[recorded.run_id] = _Watched()
        self.events += 1
        event = recorded.event
        if self.lines is not None:
            self._say(f"{recorded.position:>4} run {recorded.run_id} v{recorded.version} e{recorded.epoch}: {event}")
        for found in run.checker.check(recorded):
            raise ViolationError(f"{found.invariant}: {found.message} (position {found.position})")
        self._check_effects(recorded.run_id, event)
        run.events.append(recorded)
        evolve(run.state, event)
        run.status.evolve(recorded)
        run.outputs.evolve(recorded)

    def _check_effects(self, run_id: RunId, event: Event) -> None:
        match event:
            case AttemptSucceeded(instance=instance, attempt=attempt, outputs=outputs):
                if Work(run_id, instance, attempt) not in self._done:
                    raise ViolationError(f"I6: '{instance}' succeeded in attempt {attempt}, which was never made")
                if outputs != {"v": f"{instance}/{attempt}"}:
                    raise ViolationError(f"I6: '{instance}' came to what another attempt has left")
            case AttemptFailed(instance=instance, attempt=attempt, retry_at=due):
                self._check_failure(self.runs[run_id].state, Work(run_id, instance, attempt), due)
            case _:
                pass

    def _check_failure(self, state: RunState, work: Work, due: Instant | None) -> None:
        """See that a failure is the one that was reported, and that the policy was kept (I7); before it is folded."""
        report = None if self.appending is None else self.appending.reported.get(work)
        if not isinstance(report, ReportFailure):
            raise ViolationError(f"I6: attempt {work.attempt} of '{work.instance}' failed, which nobody reported")
        instance = state.instances[work.instance]
        left = state.step_of(instance).retry.max_attempts - (work.attempt - instance.lost)
        again = report.retryable and left > 0 and not state.gives_up(instance)
        if again is not (due is not None):
            raise ViolationError(f"I7: '{work.instance}' has {left} attempts left, and the next one is due: {due}")

    def _hand_out(self, work: Work) -> None:
        """Note that an attempt was handed to its source."""
        if work in self._done:
            raise ViolationError(f"I7: attempt {work.attempt} of '{work.instance}' was made twice")
        self._done.add(work)
        known = any(
            isinstance(each.event, AttemptStarted)
            and (each.event.instance, each.event.attempt) == (work.instance, work.attempt)
            for each in self.runs[work.run_id].events
        )
        if not known:
            raise ViolationError(f"I17: attempt {work.attempt} of '{work.instance}' was made before it was recorded")

    def _look_back(self) -> None:
        """Compare what was folded as it came with what the log gives now."""
        for run_id, run in self.runs.items():
            stored = list(self.log.read(run_id))
            if stored != run.events:
                raise ViolationError("I17: the log does not hold what was stored in it")
            self._same("the state that is loaded", vars(run.state), vars(load(self.log, run_id)))
            self._fold_again(run, [each.event for each in stored])
            status, outputs = StatusView(), OutputsView()
            for each in stored:
                status.evolve(each)
                outputs.evolve(each)
            self._same("/status", run.status.encode(), status.encode())
            self._same("/outputs", run.outputs.encode(), outputs.encode())
            self._count(run)
            left = {e.event.instance: e.event.outputs for e in stored if isinstance(e.event, AttemptSucceeded)}
            for name, kept in run.state.outputs.items():
                if left.get(InstanceId(name), kept) != kept:
                    raise ViolationError(f"I6: '{name}' shows other outputs than it has left")

    def _fold_again(self, run: _Watched, events: list[Event]) -> None:
        """See that the events, and a snapshot of any moment with what came after it, amount to the same."""
        place = self.random.randrange(1, len(events) + 1)
        created = events[0]
        if isinstance(created, RunCreated):
            state = fold(events[:place])
            data = cast("StateData", from_json(to_json(cast("Json", dump(state)))))
            later = restore(created, data)
            self._same(f"a snapshot at version {place}", vars(state), vars(later))
            self._same("the state", vars(run.state), vars(fold(events[place:], state)))
            self._same(
                f"what follows a snapshot at version {place}", vars(run.state), vars(fold(events[place:], later))
            )

    def _same(self, what: str, one: object, other: object) -> None:
        if one != other:
            raise ViolationError(f"I3: {what} is not the same when it is folded again")

    def _count(self, run: _Watched) -> None:
        """See that the counters add up (I12), and that no duration is negative (I14)."""
        shown = run.status.render()
        words = [row["state"] for row in shown["steps"].values()]
        if shown["completed_steps"] != sum(word in {"succeeded", "failed"} for word in words):
            raise ViolationError("I12: the completed steps do not add up")
        if shown["running_count"] or run.state.root.open or run.state.in_the_air:
            raise ViolationError("I12: an ended run has steps that run")
        for name, row in shown["steps"].items():
            begun, over = row["started_at"], row["ended_at"]
            if begun is not None and over is not None and over < begun:
                raise ViolationError(f"I14: step '{name}' ended before it began")
            succeeded = row["state"] == "succeeded"
            if succeeded is not (InstanceId(name) in run.state.outputs):
                raise ViolationError(f"I6: step '{name}' has outputs and no success, or the other way round")

    def _say(self, line: str) -> None:
        if self.lines is not None:
            self.lines.append(f"{self.now - _START:9.1f} {line}")


def simulate(seed: int, *, trace: bool = False) -> History:
    """Live through the history of *seed*; the same seed gives the same history, on every machine."""
    return World(seed, trace=trace).run()
