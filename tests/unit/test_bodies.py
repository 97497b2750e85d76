"""Steps with a body: once, for each item, or in a loop; each run of a body is a scope of its own."""

from typing import Final

import attrs
import pytest

from flowcore.ids import InstanceId
from flowcore.model import Breakpoints, Dialect, Loop, Moment, OnError, Step
from flowcore.run.commands import ReportGuard, ReportIteration, ResumeRun, Settle, StartAttempt
from flowcore.run.effects import Consequences, Effect, Iterate, Perform, Resolve, pending
from flowcore.run.events import (
    BodyFailed,
    BodyStarted,
    BodySucceeded,
    Event,
    FanOutFailed,
    FanOutSucceeded,
    IterationStarted,
    PauseCause,
    RunContinued,
    RunFailed,
    RunPaused,
    RunStarted,
    RunStopped,
    RunStopRequested,
    RunSucceeded,
    SkipCause,
)
from flowcore.run.evolve import fold
from flowcore.run.machine import StepStatus
from flowcore.run.settlement import called
from flowcore.run.sight import Place, outputs_left, outputs_seen, place_of, shared
from flowcore.run.takeover import MAX_LOST
from flowcore.testing import given
from tests.builders import (
    LOST,
    T0,
    T1,
    T2,
    abandoned,
    arrived,
    begun,
    body,
    created,
    entered,
    failed,
    fanned,
    imported,
    iterated,
    joined,
    left,
    lost,
    met,
    paused,
    resumed,
    skipped,
    started,
    step,
    stopped,
    succeeded,
    unwell,
)

SETTLE: Final = Settle(at=T2)
STOP: Final = RunStopRequested(reason="enough", at=T1)
STOPPED: Final = "the run was stopped: enough"
DONE, FAILED = RunSucceeded(at=T2), RunFailed(at=T2)


def doing(*events: Event) -> tuple[Effect, ...]:
    return pending(fold(events), T2)


def perform(name: str) -> Perform:
    return Perform(InstanceId(name))


def again(name: str, number: int, *, more: bool = True, error: str | None = None) -> ReportIteration:
    return ReportIteration(step=step(name).name, number=number, again=more, error=error, at=T2)


ONCE: Final = begun(body("g", step("a"), step("b", "a")), step("z", "g"))
EACH: Final = (
    *begun(body("g", step("a", outputs=("v",)), step("b", "a"), for_each="x"), step("z", "g")),
    fanned("g", "p", "q"),
)
LOOP: Final = begun(body("l", step("a", outputs=("v",)), loop=Loop(condition="x", max_iterations=2)), step("z", "l"))


class TestOnce:
    """A plain body runs in the place of its step."""

    def test_its_steps_start_in_their_order_and_the_step_ends_with_them(self) -> None:
        given(*ONCE).when(SETTLE).then(entered("g"))
        run = (*ONCE, entered("g"))
        assert doing(*run) == (perform("g/a"),)
        run = (*run, started("g/a"), succeeded("g/a"))
        assert doing(*run) == (perform("g/b"),)
        run = (*run, started("g/b"), succeeded("g/b"))
        given(*run).when(SETTLE).then(left("g"))
        run = (*run, left("g"))
        assert doing(*run) == (perform("z"),)
        assert fold(run).outputs["g"] == {}
        given(*run, started("z"), succeeded("z")).when(SETTLE).then(DONE)

    def test_a_failure_inside_fails_the_step(self) -> None:
        run = (*ONCE, entered("g"), started("g/a"), failed("g/a"))
        halted = skipped("g/b", "step 'a' failed")
        given(*run).when(SETTLE).then(halted)
        error = "step 'a' failed: no"
        given(*run, halted).when(SETTLE).then(unwell("g", error))
        run = (*run, halted, unwell("g", error))
        assert fold(run).instances[InstanceId("g")].error == error
        given(*run).when(SETTLE).then(skipped("z", "step 'g' failed"))

    def test_a_failure_that_is_tolerated_inside_is_none_outside(self) -> None:
        run = (*begun(body("g", step("a", on_error=OnError.CONTINUE))), entered("g"), started("g/a"), failed("g/a"))
        given(*run).when(SETTLE).then(left("g"))

    def test_a_failure_halts_its_own_body_only(self) -> None:
        inner = (step("a"), step("b", "a"), step("c", retry=2))
        run = (*begun(body("g", *inner, on_error=OnError.CONTINUE), step("y")), entered("g"))
        run = (*run, started("g/a"), started("g/c"), failed("g/c", retry=T1), failed("g/a"))
        assert doing(*run) == (Consequences(),)
        given(*run).when(SETTLE).then(skipped("g/b", "step 'a' failed"), abandoned("g/c"))
        run = (*run, skipped("g/b", "step 'a' failed"), abandoned("g/c"))
        given(*run).when(SETTLE).then(unwell("g", "step 'a' failed: no"))
        assert doing(*run, unwell("g", "step 'a' failed: no")) == (perform("y"),)

    def test_it_waits_for_its_condition_and_for_the_steps_before(self) -> None:
        run = begun(step("y"), body("g", step("a"), when="x", needs=("y",)))
        assert doing(*run) == (perform("y"),)
        run = (*run, started("y"), succeeded("y"))
        assert doing(*run) == (Resolve(step("g").name),)
        guard = ReportGuard(step=step("g").name, met=True, at=T1)
        given(*run).when(guard).then(met("g"))
        assert doing(*run, met("g")) == (Consequences(),)
        given(*run, met("g")).when(SETTLE).then(entered("g"))

    def test_an_empty_body_is_done_at_once(self) -> None:
        empty = attrs.evolve(step("g"), body=())
        assert not empty.body
        run = (*begun(body("g", body("h", step("a", when="x")))), entered("g"), entered("g/h"))
        run = (*run, skipped("g/h/a", "its condition is not met", SkipCause.CONDITION))
        given(*run).when(SETTLE).then(left("g/h"))
        given(*run, left("g/h")).when(SETTLE).then(left("g"))

    def test_it_cannot_be_tried(self) -> None:
        given(*ONCE).when(StartAttempt(instance=InstanceId("g"), at=T1)).then_rejected("not-startable")

    def test_nothing_begins_in_a_paused_run(self) -> None:
        run = (*ONCE, RunPaused(at=T1))
        assert doing(*run) == ()
        given(*run).when(SETTLE).then()

    def test_its_steps_never_pause(self) -> None:
        points = Breakpoints(steps=None)
        first = attrs.evolve(created(body("g", step("a", pause=True))), breakpoints=points)
        run: tuple[Event, ...] = (first, RunStarted(at=T0), paused("g"), RunContinued(at=T2))
        given(*run).when(SETTLE).then(entered("g"))
        run = (*run, entered("g"))
        assert doing(*run) == (perform("g/a"),)
        run = (*run, started("g/a"), succeeded("g/a"))
        given(*run).when(SETTLE).then(left("g"))

    def test_the_step_itself_pauses_after_its_body(self) -> None:
        points = Breakpoints(steps=None, moment=Moment.POST)
        first = attrs.evolve(created(body("g", step("a"))), breakpoints=points)
        run = (first, RunStarted(at=T0), entered("g"), started("g/a"), succeeded("g/a"), left("g"))
        given(*run).when(SETTLE).then(paused("g", PauseCause.BREAKPOINT_POST))


class TestForEach:
    """A body runs once for each item."""

    def test_each_item_has_its_own_steps(self) -> None:
        given(*EACH).when(SETTLE).then(entered("g/0"), entered("g/1"))
        run = (*EACH, entered("g/0"), entered("g/1"))
        assert doing(*run) == (perform("g/0/a"), perform("g/1/a"))
        run = (*run, started("g/0/a"), succeeded("g/0/a", {"v": 1}), started("g/0/b"), succeeded("g/0/b"))
        given(*run).when(SETTLE).then(left("g/0"))
        run = (*run, left("g/0"), started("g/1/a"), succeeded("g/1/a", {"v": 2}), started("g/1/b"), succeeded("g/1/b"))
        given(*run).when(SETTLE).then(left("g/1"))
        given(*run, left("g/1")).when(SETTLE).then(joined("g"))
        assert fold([*run, left("g/1"), joined("g")]).outputs["g"] == {}

    def test_max_parallel_counts_bodies(self) -> None:
        run = (*begun(body("g", step("a"), for_each="x", max_parallel=1)), fanned("g", 1, 2))
        given(*run).when(SETTLE).then(entered("g/0"))
        run = (*run, entered("g/0"), started("g/0/a"), succeeded("g/0/a"), left("g/0"))
        given(*run).when(SETTLE).then(entered("g/1"))

    def test_the_failure_of_one_gives_up_the_bodies_of_the_others(self) -> None:
        run = (*EACH, entered("g/0"), entered("g/1"), started("g/0/a"), started("g/1/a"), failed("g/0/a"))
        run = (*run, skipped("g/0/b", "step 'a' failed"), unwell("g/0", "step 'a' failed: no"))
        reason = "the fan-out was given up"
        given(*run).when(SETTLE).then(skipped("g/1/b", reason))
        run = (*run, skipped("g/1/b", reason), succeeded("g/1/a", {"v": 1}))
        given(*run).when(SETTLE).then(unwell("g/1", reason))
        run = (*run, unwell("g/1", reason))
        given(*run).when(SETTLE).then(FanOutFailed(step=step("g").name, error="item 0: step 'a' failed: no", at=T2))

    def test_items_that_have_not_begun_are_skipped(self) -> None:
        run = (*begun(body("g", step("a"), for_each="x", max_parallel=1)), fanned("g", 1, 2), entered("g/0"))
        run = (*run, started("g/0/a"), failed("g/0/a"), unwell("g/0", "step 'a' failed: no"))
        given(*run).when(SETTLE).then(skipped("g/1", "the fan-out was given up"))

    def test_what_an_item_sees(self) -> None:
        run = (*begun(step("y", outputs=("v",)), *fold(EACH).flow.steps), started("y"), succeeded("y", {"v": 0}))
        run = (*run, fanned("g", "p", "q"), entered("g/0"), entered("g/1"))
        run = (*run, started("g/1/a"), succeeded("g/1/a", {"v": 2}))
        state = fold(run)
        b = state.instances[InstanceId("g/1/b")]
        assert outputs_seen(state, b, ["a", "y", "z", "nobody"]) == {"a": {"v": 2}, "y": {"v": 0}}
        assert place_of(state, b) == Place(1, "q")
        assert place_of(state, state.instances[InstanceId("g/0")]) == Place(0, "p")
        assert place_of(state, state.instances[InstanceId("y")]) is None
        assert outputs_seen(state, state.instances[InstanceId("y")], ["y", "a"]) == {"y": {"v": 0}}
        assert shared(state) == {}


class TestLoop:
    """do-while: the condition is looked at after each iteration."""

    def test_it_goes_on_as_long_as_its_condition_says(self) -> None:
        given(*LOOP).when(SETTLE).then(iterated("l", 0))
        run = (*LOOP, iterated("l", 0))
        assert doing(*run) == (perform("l/0/a"),)
        run = (*run, started("l/0/a"), succeeded("l/0/a", {"v": 1}))
        given(*run).when(SETTLE).then(left("l/0"))
        run = (*run, left("l/0"))
        assert doing(*run) == (Iterate(step("l").name, 0),)
        given(*run).when(again("l", 0)).then(iterated("l", 1))
        run = (*run, iterated("l", 1), started("l/1/a"), succeeded("l/1/a", {"v": 2}), left("l/1"))
        state = fold(run)
        loop = state.instances[InstanceId("l")]
        assert outputs_left(state, loop, 1, ["a", "z"]) == {"a": {"v": 2}}
        assert place_of(state, state.instances[InstanceId("l/1/a")]) == Place(1, None)
        given(*run).when(again("l", 1, more=False)).then(joined("l"))
        assert doing(*run, joined("l")) == (perform("z"),)

    def test_too_many_iterations_fail_it(self) -> None:
        run = LOOP
        for number in (0, 1):
            name = f"l/{number}/a"
            run = (*run, iterated("l", number), started(name), succeeded(name, {"v": 1}), left(f"l/{number}"))
        error = "it would go on after 2 iterations, the most that are allowed"
        given(*run).when(again("l", 1)).then(FanOutFailed(step=step("l").name, error=error, at=T2))

    def test_a_condition_without_an_answer_fails_it(self) -> None:
        run = (*LOOP, iterated("l", 0), started("l/0/a"), succeeded("l/0/a", {"v": 1}), left("l/0"))
        given(*run).when(again("l", 0, error="no answer")).then(
            FanOutFailed(step=step("l").name, error="no answer", at=T2)
        )

    def test_the_failure_of_an_iteration_fails_it(self) -> None:
        run = (*LOOP, iterated("l", 0), started("l/0/a"), failed("l/0/a"), unwell("l/0", "step 'a' failed: no"))
        given(*run).when(SETTLE).then(
            FanOutFailed(step=step("l").name, error="iteration 0: step 'a' failed: no", at=T2)
        )

    @pytest.mark.parametrize(
        "report", [again("nobody", 0), again("z", 0), again("l", 1)], ids=["unknown", "no loop", "another iteration"]
    )
    def test_what_is_late_or_wrong_adds_nothing(self, report: ReportIteration) -> None:
        run = (*LOOP, iterated("l", 0), started("l/0/a"), succeeded("l/0/a", {"v": 1}), left("l/0"))
        given(*run).when(report).then()

    def test_a_paused_run_does_not_ask(self) -> None:
        run = (*LOOP, iterated("l", 0), started("l/0/a"), succeeded("l/0/a", {"v": 1}), left("l/0"), RunPaused(at=T1))
        assert doing(*run) == ()
        given(*run).when(again("l", 0)).then()

    def test_a_loop_that_is_given_up_while_it_asks_fails(self) -> None:
        steps = (*fold(LOOP).flow.steps[:1], step("y"), step("x", "y"))
        run = (*begun(*steps), iterated("l", 0), started("l/0/a"), started("y"), succeeded("l/0/a", {"v": 1}))
        run = (*run, left("l/0"), failed("y"))
        given(*run).when(SETTLE).then(
            skipped("x", "step 'y' failed"), FanOutFailed(step=step("l").name, error="not every item ran", at=T2)
        )

    def test_it_asks_while_others_start(self) -> None:
        steps = (*fold(LOOP).flow.steps[:1], step("y"))
        run = (*begun(*steps), iterated("l", 0), started("l/0/a"), succeeded("l/0/a", {"v": 1}), left("l/0"))
        assert doing(*run) == (Iterate(step("l").name, 0), perform("y"))


class TestNesting:
    def test_bodies_may_be_in_bodies(self) -> None:
        inner = body("l", step("a"), loop=Loop(condition="x"))
        run = (*begun(body("g", inner, for_each="x")), fanned("g", "p"), entered("g/0"))
        given(*run).when(SETTLE).then(iterated("g/0/l", 0))
        run = (*run, iterated("g/0/l", 0), started("g/0/l/0/a"), succeeded("g/0/l/0/a"))
        run = (*run, left("g/0/l/0"), iterated("g/0/l", 1))
        state = fold(run)
        assert place_of(state, state.instances[InstanceId("g/0/l/1/a")]) == Place(1, None)
        assert place_of(state, state.instances[InstanceId("g/0/l")]) == Place(0, "p")
        assert state.instances[InstanceId("g/0/l/1/a")].path == "g/l/a"
        run = (*run, started("g/0/l/1/a"), succeeded("g/0/l/1/a"), left("g/0/l/1"), joined("g/0/l"))
        given(*run).when(SETTLE).then(left("g/0"))
        assert fold([*run, left("g/0"), joined("g"), DONE]).instances[InstanceId("g")].status is StepStatus.SUCCEEDED

    def test_a_fan_out_may_be_in_a_body(self) -> None:
        run = (*begun(body("g", step("f", for_each="x"), step("b", "f"))), entered("g"))
        assert doing(*run) == (Resolve(step("g/f").name),)
        run = (*run, fanned("g/f", 1), started("g/f/0"), succeeded("g/f/0"))
        given(*run).when(SETTLE).then(joined("g/f"))
        assert doing(*run, joined("g/f")) == (perform("g/b"),)

    def test_a_stop_reaches_everything(self) -> None:
        inner = body("h", step("a"), step("b", "a"))
        run = (*begun(body("g", inner, step("c", "h"))), entered("g"), entered("g/h"), started("g/h/a"), STOP)
        given(*run).when(SETTLE).then(
            skipped("g/c", STOPPED, SkipCause.RUN_STOPPED), skipped("g/h/b", STOPPED, SkipCause.RUN_STOPPED)
        )
        run = (*run, skipped("g/c", STOPPED, SkipCause.RUN_STOPPED), skipped("g/h/b", STOPPED, SkipCause.RUN_STOPPED))
        run = (*run, stopped("g/h/a"))
        given(*run).when(SETTLE).then(unwell("g/h", STOPPED))
        given(*run, unwell("g/h", STOPPED)).when(SETTLE).then(unwell("g", f"step 'h' failed: {STOPPED}"))
        run = (*run, unwell("g/h", STOPPED), unwell("g", f"step 'h' failed: {STOPPED}"))
        given(*run).when(SETTLE).then(RunStopped(at=T2))

    def test_what_is_ready_to_begin_is_given_up_too(self) -> None:
        run = (*begun(body("g", step("a"))), STOP)
        given(*run).when(SETTLE).then(skipped("g", STOPPED, SkipCause.RUN_STOPPED))

    def test_a_halt_outside_gives_up_what_is_inside(self) -> None:
        run = (*begun(body("g", step("a"), step("b", "a")), step("y"), step("x", "y")), entered("g"))
        run = (*run, started("g/a"), started("y"), failed("y"))
        reason = "the run stopped because step 'y' failed"
        given(*run).when(SETTLE).then(skipped("x", "step 'y' failed"), skipped("g/b", reason, SkipCause.RUN_FAILED))


def test_what_has_arrived_before_the_body_begins_is_there() -> None:
    run = (
        *begun(body("g", step("a", awaits=("photo",))), step("y", awaits=("photo",))),
        arrived("photo"),
        entered("g"),
    )
    assert doing(*run) == (perform("y"), perform("g/a"))
    run = (*begun(body("g", step("a", awaits=("photo",)))), entered("g"))
    assert doing(*run) == ()
    assert doing(*run, arrived("photo")) == (perform("g/a"),)


class TestTakeover:
    """What the loss of one attempt gives up is not tried again, wherever it is."""

    RESUME: Final = ResumeRun(owner="process 2", epoch=99, at=T1)
    AT_AN_END: Final = f"{LOST}; it has happened {MAX_LOST + 1} times, so there is no further attempt"

    @staticmethod
    def worn_out(name: str) -> list[Event]:
        history: list[Event] = []
        for attempt in range(1, MAX_LOST + 1):
            history += [started(name, attempt), resumed(attempt + 1), lost(name, attempt)]
        return [*history, started(name, MAX_LOST + 1)]

    def test_a_body_that_is_halted_tries_nothing_again(self) -> None:
        steps = (body("g", step("a"), step("b", "a"), body("h", step("c")), on_error=OnError.CONTINUE), step("y"))
        run = [*begun(*steps), entered("g"), entered("g/h"), *self.worn_out("g/a"), started("g/h/c"), started("y")]
        end = lost("g/a", MAX_LOST + 1, retry=None, error=self.AT_AN_END)
        given(*run).when(self.RESUME).then(resumed(99), end, lost("g/h/c", retry=None), lost("y"))

    def test_an_item_that_ends_a_fan_out_ends_the_attempts_in_its_other_bodies(self) -> None:
        steps = (body("g", step("f", for_each="x"), for_each="x"), step("y"))
        run = [*begun(*steps), fanned("g", 1), entered("g/0"), fanned("g/0/f", 1, 2)]
        run += [*self.worn_out("g/0/f/0"), started("g/0/f/1"), started("y")]
        end = lost("g/0/f/0", MAX_LOST + 1, retry=None, error=self.AT_AN_END)
        given(*run).when(self.RESUME).then(resumed(99), end, lost("g/0/f/1", retry=None), lost("y"))


class TestWorkflows:
    """The steps of a workflow share data and variables."""

    @staticmethod
    def begun(*steps: Step) -> tuple[Event, ...]:
        first = created(*steps)
        return attrs.evolve(first, flow=attrs.evolve(first.flow, dialect=Dialect.WORKFLOW)), RunStarted(at=T0)

    def test_what_a_step_leaves_is_shared(self) -> None:
        run = self.begun(step("a", outputs=("data", "variables")), step("b", "a"))
        assert shared(fold(run)) == {"data": {}, "variables": {}}
        run = (*run, started("a"), succeeded("a", {"data": {"k": 1}, "variables": None}))
        assert shared(fold(run)) == {"data": {"k": 1}, "variables": {}}

    def test_what_a_parent_left_is_shared(self) -> None:
        first = self.begun(step("a", outputs=("data", "variables")))[0]
        run = (first, imported("a", {"data": {"k": 1}, "variables": {"n": 2}}))
        assert shared(fold(run)) == {"data": {"k": 1}, "variables": {"n": 2}}

    def test_what_is_said_names_nodes_and_no_steps_that_help_them(self) -> None:
        run = self.begun(body("l", step("a"), step("l%.next", "a"), loop=Loop(condition="x")), step("b", "l"))
        run = (*run, iterated("l", 0), started("l/0/a"), succeeded("l/0/a"), started("l/0/l%.next"))
        run = (*run, failed("l/0/l%.next"))
        given(*run).when(SETTLE).then(unwell("l/0", "node 'l' failed: no"))
        run = (*run, unwell("l/0", "node 'l' failed: no"))
        error = "iteration 0: node 'l' failed: no"
        given(*run).when(SETTLE).then(FanOutFailed(step=step("l").name, error=error, at=T2))
        run = (*run, FanOutFailed(step=step("l").name, error=error, at=T2))
        assert called(fold(run).flow, "a%2Fb") == "node 'a/b'"
        assert called(fold(run).flow, "%.fault") == "node '%.fault'"

    def test_items_and_iterations_are_variables(self) -> None:
        run = (*self.begun(body("g", step("a"), for_each="x")), fanned("g", "p", "q"), entered("g/1"))
        assert shared(fold(run)) == {"data": {}, "variables": {"index": 1, "item": "q"}}
        run = (*self.begun(body("l", step("a"), loop=Loop(condition="x"))), iterated("l", 0))
        assert shared(fold(run)) == {"data": {}, "variables": {"index": 0}}
        run = (*self.begun(body("g", step("a"))), entered("g"))
        assert shared(fold(run)) == {"data": {}, "variables": {}}


def test_the_events_name_what_they_are_about() -> None:
    assert entered("g/0") == BodyStarted(instance=InstanceId("g/0"), at=T2)
    assert left("g") == BodySucceeded(instance=InstanceId("g"), at=T2)
    assert unwell("g", "x") == BodyFailed(instance=InstanceId("g"), error="x", at=T2)
    assert iterated("l", 1) == IterationStarted(step=step("l").name, number=1, at=T2)
    assert joined("l") == FanOutSucceeded(step=step("l").name, at=T2)
