"""A run without its sources: results from a script, and time that passes at once."""

import attrs
import pytest

from flowcore.model import Flow, Loop, OnError, RetryPolicy
from flowcore.rehearsal import Failure, Rehearsal, Script, Success, recorded_results, rehearse
from flowcore.run.events import AttemptStarted, Event, RunStarted
from flowcore.values import Json
from tests.builders import (
    T0,
    T1,
    begun,
    body,
    created,
    failed,
    flow_of,
    imported,
    lost,
    recorded,
    started,
    step,
    succeeded,
)

DONE = Success()


def states(flow: Flow, script: Script) -> dict[str, str]:
    return dict(rehearse(flow, script).states)


def test_results_come_from_the_script() -> None:
    flow = flow_of(step("a", outputs=("x",)), step("b", "a"))
    found = rehearse(flow, {"a": [Success({"x": 1}, took_s=60.0)], "b": [DONE]})
    assert (found.states, found.outputs) == ({"a": "succeeded", "b": "succeeded"}, {"a": {"x": 1}, "b": {}})
    assert (found.took_s, found.missing, found.status.state) == (60.0, (), "succeeded")


def test_a_retry_plan_of_hours_takes_no_time() -> None:

    patient = attrs.evolve(
        step("a"), retry=RetryPolicy(max_attempts=9, delay_s=3_600.0, factor=1.0, max_delay_s=3_600.0, jitter=0.0)
    )
    found = rehearse(flow_of(patient), {"a": [*[Failure("busy")] * 8, DONE]})
    assert (found.states, found.took_s) == ({"a": "succeeded"}, 8 * 3_600.0)
    assert sum(isinstance(each.event, AttemptStarted) for each in found.events) == 9


def test_the_last_result_repeats() -> None:
    assert states(flow_of(step("a", retry=3)), {"a": [Failure()]}) == {"a": "failed"}
    asked = Failure(retry_after_s=30.0)
    assert rehearse(flow_of(step("a", retry=2)), {"a": [asked, DONE]}).took_s == 30.0


def test_a_pattern_is_looked_for_as_long_as_it_takes_or_with_what_is_given() -> None:
    guarded = attrs.evolve(step("b", "a"), when="{{ flows.a.x | regex_match('^(o+)+$') }}")
    flow = flow_of(step("a", outputs=("x",)), guarded)
    script = {"a": [Success({"x": "ooo"})], "b": [DONE]}
    assert rehearse(flow, script).states["b"] == "succeeded"
    asked: list[str] = []

    def search(pattern: str, text: str) -> bool:
        asked.append(f"{pattern} {text}")
        return False

    assert rehearse(flow, script, searches=lambda: search).states["b"] == "skipped"
    assert asked == ["^(o+)+$ ooo"]


def test_steps_go_on_side_by_side() -> None:
    flow = flow_of(*(step(name) for name in "abcd"))
    script = {name: [Success(took_s=10.0)] for name in "abcd"}
    assert rehearse(flow, script).took_s == 10.0
    assert rehearse(flow, script, max_workers=1).took_s == 40.0


def test_what_the_script_has_nothing_for_fails_and_is_named() -> None:
    found = rehearse(flow_of(step("a"), step("b", on_error=OnError.CONTINUE)), {"a": [DONE]})
    assert (found.missing, found.states["b"]) == (("b",), "failed")
    assert found.status.steps["b"].error == "there is no result for 'b' in the script"


class TestGuards:
    @staticmethod
    def rehearsed(*, when: str | None = None, for_each: str | None = None) -> Rehearsal:
        flow = flow_of(step("a", outputs=("n",)), step("b", "a", when=when, for_each=for_each, outputs=("v",)))
        script = {"a": [Success({"n": [1, 2]})], "b": [Success({"v": 0})]}
        return rehearse(flow, {**script, "b/0": [Success({"v": 1})], "b/1": [Success({"v": 2})]})

    @pytest.mark.parametrize(
        ("when", "state"),
        [("{{ flows.a.n }}", "succeeded"), ("{{ flows.a.nothing }}", "skipped"), ("{{ int('x') }}", "failed")],
    )
    def test_conditions_are_evaluated(self, when: str, state: str) -> None:
        assert self.rehearsed(when=when).states["b"] == state

    def test_lists_are_evaluated(self) -> None:
        assert self.rehearsed(for_each="{{ flows.a.n }}").outputs["b"] == {"v": [1, 2]}
        assert self.rehearsed(for_each="{{ run.id }}").status.steps["b"].error == "'for_each' gave no list"

    def test_a_condition_that_fails_ends_what_has_not_begun(self) -> None:
        flow = flow_of(step("a", when="{{ int('x') }}"), step("b"), step("c", "a"))
        assert states(flow, {"b": [DONE], "c": [DONE]}) == {"a": "failed", "b": "skipped", "c": "skipped"}


class TestWhatNobodyIsThereFor:
    def test_pauses_are_passed_over(self) -> None:
        assert states(flow_of(step("a", pause=True), step("b", "a")), {"a": [DONE], "b": [DONE]}) == {
            "a": "succeeded",
            "b": "succeeded",
        }

    def test_artifacts_are_there_at_once(self) -> None:
        flow = flow_of(step("a", awaits=("photo", "mask")), step("b", awaits=("photo",)), step("c"))
        script = {"a": [DONE], "b": [DONE], "c": [Success(took_s=5.0)]}
        assert set(states(flow, script).values()) == {"succeeded"}


class TestBodies:
    def test_a_loop_goes_on_by_its_condition(self) -> None:
        loop = body("l", step("a", outputs=("n",)), loop=Loop(condition="{{ flows.a.n < `2` && index < `9` }}"))
        results = [Success({"n": number}) for number in range(3)]
        found = rehearse(flow_of(loop), {f"l/{number}/a": [result] for number, result in enumerate(results)})
        assert found.states == {"l": "succeeded"}
        assert sum(isinstance(each.event, AttemptStarted) for each in found.events) == 3

    def test_a_condition_without_an_answer_fails_the_loop(self) -> None:
        loop = body("l", step("a"), loop=Loop(condition="{{ int('x') }}"))
        assert rehearse(flow_of(loop), {"l/0/a": [DONE]}).states == {"l": "failed"}

    def test_conditions_inside_see_the_item(self) -> None:
        each = body("g", step("a", when="{{ item == 'p' && index == `0` }}"), for_each=["p", "q"])
        found = rehearse(flow_of(each), {"g/0/a": [DONE]})
        assert (found.states, found.missing) == ({"g": "succeeded"}, ())


def test_what_a_run_recorded_is_a_script() -> None:
    run = (*begun(step("a", retry=3), step("b")), started("a"), failed("a", retry=T1), started("b"), lost("b"))
    more = (started("a", 2, at=T1), succeeded("a", attempt=2), started("b", 2, at=T1), failed("b", attempt=2))
    script = recorded_results(recorded([*run, *more]))
    assert script == {
        "a": [Failure("no", "source-failed", took_s=1.0), Success({}, 0.0)],
        "b": [Failure("no", "source-failed", retryable=False)],
    }
    assert states(flow_of(step("a", retry=3), step("b")), script) == {"a": "succeeded", "b": "failed"}


def test_what_a_run_took_over_is_in_its_script() -> None:
    """The run is the second try of another one: it recorded attempts only of what went wrong there."""
    a, many = step("a", outputs=("n",)), step("many", "a", for_each="{{ flows.a.n }}", outputs=("v", "w"))
    bare, last = step("bare", "a", for_each="{{ flows.a.n }}"), step("last", "many", outputs=("x",))
    left: dict[str, dict[str, Json]] = {"a": {"n": ["p", "q"]}, "many": {"v": [1, 2], "w": [None, "k"]}, "bare": {}}
    taken = [imported(name, outputs) for name, outputs in left.items()]
    events: list[Event] = [
        created(a, many, bare, last),
        *taken,
        RunStarted(at=T0),
        started("last"),
        succeeded("last", {"x": 3}),
    ]
    script = recorded_results(recorded(events))
    assert (script["many/1"], "many" in script) == ([Success({"v": 2, "w": "k"})], False)
    found = rehearse(flow_of(a, many, bare, last), script)
    assert (found.missing, found.outputs) == ((), {**left, "last": {"x": 3}})


def test_an_item_without_a_result_of_its_own_has_that_of_its_step() -> None:
    flow = flow_of(step("a", for_each=["p", "q"], outputs=("v",)))
    found = rehearse(flow, {"a": [Success({"v": 0})], "a/1": [Success({"v": 1})]})
    assert found.outputs == {"a": {"v": [0, 1]}}
