"""Why a step stands where it stands: from the state, in words."""

import attrs
import pytest

from flowcore.errors import CommandRejectedError
from flowcore.ids import InstanceId, RunId
from flowcore.model import OnError
from flowcore.run.events import Event, PauseCause, RunPaused, RunStopRequested, SkipCause, StepPaused
from flowcore.views.explain import AttemptReport, explain
from tests.builders import (
    LOST,
    RUN,
    T0,
    T1,
    T2,
    begun,
    created,
    failed,
    fanned,
    held,
    imported,
    lost,
    recorded,
    resumed,
    skipped,
    started,
    step,
    stopped,
    succeeded,
)

STOP = RunStopRequested(reason="enough", at=T1)
CHAIN = begun(step("a"), step("b", "a"), step("c", "b"), max_workers=1)


def said(name: str, *events: Event) -> tuple[str, ...]:
    return explain(recorded(events), name).sentences


class TestWaiting:
    def test_what_it_waits_for_and_what_holds_that_up(self) -> None:
        assert said("c", *CHAIN, started("a")) == (
            "it waits for step 'b', which is pending",
            "what holds all up is step 'a', which is running",
        )
        assert said("b", *CHAIN) == ("it waits for step 'a', which is ready",)

    def test_many_are_counted(self) -> None:
        steps = [step(f"s{number}") for number in range(8)]
        run = begun(*steps, step("z", *(each.name for each in steps)))
        assert said("z", *run)[-1] == "it waits for 3 more steps"

    def test_a_run_in_the_queue(self) -> None:
        assert said("a", created(step("a"))) == ("the run has not started",)

    def test_the_limit_of_workers(self) -> None:
        run = begun(step("a"), step("b"), max_workers=1)
        (sentence,) = said("b", *run, started("a"))
        assert sentence.endswith("it is ready, but 1 of at most 1 attempts are under way (`max_workers`)")

    def test_a_condition_to_look_at_in_a_paused_run(self) -> None:
        assert said("a", *begun(step("a", when="x")), RunPaused(at=T1)) == (
            "everything it depends on is settled; it is ready to have its condition looked at",
            "the run is paused: nothing new starts",
        )

    @pytest.mark.parametrize(
        ("cause", "place"),
        [
            (PauseCause.BREAKPOINT_PRE, "at a breakpoint before"),
            (PauseCause.BREAKPOINT_POST, "at a breakpoint after"),
            (PauseCause.WAIT, "as is asked for by"),
        ],
    )
    def test_a_run_that_has_paused_at_a_step(self, cause: PauseCause, place: str) -> None:
        pause = StepPaused(instance=InstanceId("a"), cause=cause, at=T1)
        paused = f"the run is paused {place} step 'a': nothing new starts"
        assert said("b", *begun(step("a"), step("b")), pause)[-1] == paused
        if cause is not PauseCause.BREAKPOINT_POST:
            first = "everything it depends on is settled, and the run has paused before it"
            assert said("a", *begun(step("a")), pause) == (first, paused)

    def test_items_wait_for_their_turn(self) -> None:
        run = (*begun(step("f", for_each="x", max_parallel=1)), fanned("f", 1, 2))
        assert said("f/1", *run) == ("it waits for its turn: at most 1 items of its step go on at once",)
        assert said("f", *run) == ("0 of its 2 items are settled",)

    def test_a_retry(self) -> None:
        run = (*begun(step("a", retry=3)), started("a"), failed("a", retry=T2))
        assert said("a", *run) == (
            "attempt 1 came to nothing: no",
            "the next attempt is due; 2 of its attempts are left",
        )

    def test_a_run_that_nobody_drives(self) -> None:
        events = recorded((*CHAIN, started("a")))
        gone = ("attempt 1 was under way when the program that drove the run went away",)
        assert explain(events, "a", driven=False).sentences == gone
        assert explain(events, "b", driven=False) == explain(events, "b")

    def test_a_run_that_is_ending(self) -> None:
        run = (*begun(step("a"), step("b", "a"), step("c")), started("a"), started("c"), failed("a"))
        assert said("c", *run) == ("attempt 1 is under way", "the run is ending because step 'a' failed")
        assert said("a", *CHAIN, started("a"), STOP) == ("attempt 1 is under way", "the run is being stopped: enough")


class TestSettled:
    def test_success(self) -> None:
        run = (*begun(step("a", retry=2)), started("a"))
        assert said("a", *run, succeeded("a")) == ("it succeeded",)
        again = explain(recorded([*run, failed("a", retry=T1), started("a", 2, at=T1), succeeded("a", attempt=2)]), "a")
        assert again.sentences == ("it succeeded in attempt 2",)
        assert again.attempts == (
            AttemptReport(attempt=1, started_at=T0, ended_at=T1, outcome="failed", error="no"),
            AttemptReport(attempt=2, started_at=T1, ended_at=T1, outcome="succeeded"),
        )
        assert (again.run_id, again.step, again.status) == (RUN, "a", "succeeded")

    def test_what_was_taken_over(self) -> None:
        born = attrs.evolve(created(step("a")), parent=RunId(7))
        assert said("a", born, imported("a")) == ("it was taken over from run 7: it had succeeded there",)

    def test_a_lost_attempt(self) -> None:
        found = explain(recorded([*CHAIN, started("a"), resumed(), lost("a")]), "a")
        assert found.sentences[0] == f"attempt 1 came to nothing: {LOST}"
        assert found.attempts == (AttemptReport(attempt=1, started_at=T0, ended_at=T1, outcome="lost", error=LOST),)

    def test_a_stopped_attempt(self) -> None:
        found = explain(recorded([*CHAIN, started("a"), STOP, stopped("a")]), "a")
        assert found.sentences == ("it was under way when the run was stopped: enough",)
        assert found.attempts[0].outcome == "stopped"

    def test_a_failure_and_what_it_means_and_who_says_so(self) -> None:
        run = begun(
            step("a"),
            step("b", "a", on_error=OnError.CONTINUE),
            step("c", "a", on_error=OnError.SKIP),
            step("d", "a"),
        )
        assert said("a", *run, started("a"), failed("a")) == (
            "it failed: no",
            "for step 'b' that means: it runs all the same (its own `on_error: continue`)",
            "for step 'c' that means: it is skipped (its own `on_error: skip`)",
            "for step 'd' that means: the run stops for it (no `on_error` says otherwise)",
        )

    @pytest.mark.parametrize(
        ("own", "flow", "whose"),
        [
            (OnError.SKIP, None, "`on_error: skip` of 'a'"),
            (None, OnError.SKIP, "`on_error: skip` of the flow"),
        ],
    )
    def test_a_skip_is_traced_to_its_beginning(self, own: OnError | None, flow: OnError | None, whose: str) -> None:
        run = begun(step("a", on_error=own), step("b", "a"), step("c", "b"), on_error=flow)
        gone = (started("a"), failed("a"), skipped("b", "step 'a' failed"), skipped("c", "step 'b' was skipped"))
        assert said("c", *run, *gone) == (
            "it was skipped: step 'b' was skipped",
            f"step 'a' failed: no ({whose})",
        )

    def test_a_skip_that_began_with_a_condition(self) -> None:
        run = begun(step("a", when="x"), step("b", "a"))
        gone = (skipped("a", "its condition is not met", SkipCause.CONDITION), skipped("b", "step 'a' was skipped"))
        assert said("b", *run, *gone) == (
            "it was skipped: step 'a' was skipped",
            "it began with step 'a', which was skipped",
        )
        assert said("a", *run, *gone) == ("it was skipped: its condition is not met",)

    def test_items(self) -> None:
        run = (*begun(step("f", for_each="x"), step("g", "f")), fanned("f", 1, 2), started("f/0"), failed("f/0"))
        assert said("f/0", *run) == ("it failed: no",)
        assert said("f/1", *run, skipped("f/1", "the fan-out was given up")) == (
            "it was skipped: the fan-out was given up",
        )

    def test_a_diamond_is_walked_once(self) -> None:
        run = begun(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
        assert said("d", *run)[-1] == "what holds all up is step 'a', which is ready"


class TestUnknown:
    def test_a_step_that_is_not_there(self) -> None:
        with pytest.raises(CommandRejectedError, match=r"has no step 'fech'; did you mean `fetch`\?") as error:
            said("fech", *begun(step("fetch")))
        assert error.value.code == "unknown-step"
        with pytest.raises(CommandRejectedError, match=r"has no step 'x'$"):
            said("x", *begun(step("fetch")))

    def test_a_run_that_is_not_there(self) -> None:
        with pytest.raises(CommandRejectedError) as error:
            explain([], "a")
        assert error.value.code == "run-missing"


def test_why_a_step_is_held() -> None:
    why = "it waits for what others use"
    ready = explain(recorded([*begun(step("a")), held("a", why)]), "a").sentences
    assert ready == ("everything it depends on is settled; it is ready", why)
    again = (*begun(step("a", retry=2)), started("a"), failed("a", retry=T2), held("a", why))
    assert explain(recorded(again), "a").sentences[-1] == why
