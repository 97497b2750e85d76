"""What a failure means, word for word from the table of contract status, section 4: F fails, D depends on F."""

import pytest

from flowcore.model import Dialect, Flow, OnError, Step
from flowcore.run.policy import policy, stops_run, tolerated, word
from tests.builders import step

FAIL, SKIP, CONTINUE = OnError.FAIL, OnError.SKIP, OnError.CONTINUE


def said(*words: OnError | None) -> list[Step]:
    """Return a dependent for each of *words*."""
    return [step(f"D{number}", "F", on_error=on_error) for number, on_error in enumerate(words)]


@pytest.mark.parametrize(
    ("own", "flow", "expected"),
    [
        (None, None, FAIL),
        (None, SKIP, SKIP),
        (None, CONTINUE, CONTINUE),
        (None, FAIL, FAIL),
        (SKIP, CONTINUE, SKIP),
        (FAIL, CONTINUE, FAIL),
        (CONTINUE, None, CONTINUE),
    ],
)
def test_a_steps_own_word_comes_before_the_flows_and_then_fail(
    own: OnError | None, flow: OnError | None, expected: OnError
) -> None:
    assert policy(Flow(on_error=flow), step("F", on_error=own)) is expected


@pytest.mark.parametrize(
    ("failed", "dependent", "flow", "expected"),
    [
        # D says skip; D says continue; D says fail: whatever F and the flow say.
        *[(failed, own, flow, own) for own in OnError for failed in (None, *OnError) for flow in (None, *OnError)],
        # D says nothing: F's word, then the flow's, then fail.
        (None, None, None, FAIL),
        (SKIP, None, None, SKIP),
        (CONTINUE, None, FAIL, CONTINUE),
        (None, None, SKIP, SKIP),
        (None, None, CONTINUE, CONTINUE),
    ],
)
def test_the_dependents_own_word_comes_first_then_the_failed_steps_then_the_flows(
    failed: OnError | None, dependent: OnError | None, flow: OnError | None, expected: OnError
) -> None:
    assert word(Flow(on_error=flow), step("F", on_error=failed), step("D", "F", on_error=dependent)) is expected


def test_in_a_workflow_the_failed_node_alone_says_what_its_failure_means() -> None:
    flow = Flow(dialect=Dialect.WORKFLOW)
    assert word(flow, step("F"), step("D", "F", on_error=CONTINUE)) is FAIL
    assert word(flow, step("F", on_error=CONTINUE), step("D", "F")) is CONTINUE


@pytest.mark.parametrize(
    ("failed", "dependents", "stops"),
    [
        (None, (), False),
        (None, (None,), True),
        (None, (FAIL,), True),
        (None, (SKIP, CONTINUE), False),
        (None, (SKIP, CONTINUE, None), True),
        (CONTINUE, (None, None), False),
        (SKIP, (None,), False),
        (CONTINUE, (SKIP, FAIL), True),
    ],
)
def test_one_dependent_that_cannot_do_without_stops_the_run(
    failed: OnError | None, dependents: tuple[OnError | None, ...], stops: bool
) -> None:
    assert stops_run(Flow(), step("F", on_error=failed), said(*dependents)) is stops


@pytest.mark.parametrize(
    ("failed", "dependents", "allowed"),
    [
        (None, (), False),
        (FAIL, (), False),
        (SKIP, (), True),
        (CONTINUE, (), True),
        (None, (None,), False),
        (None, (SKIP,), True),
        (None, (CONTINUE, SKIP), True),
        (FAIL, (CONTINUE,), True),
        (CONTINUE, (None,), True),
        (CONTINUE, (FAIL,), False),
    ],
)
def test_a_failure_is_tolerated_when_the_step_or_all_its_dependents_say_so(
    failed: OnError | None, dependents: tuple[OnError | None, ...], allowed: bool
) -> None:
    assert tolerated(Flow(), step("F", on_error=failed), said(*dependents)) is allowed


def test_the_flows_word_tolerates_a_leaf_that_says_nothing() -> None:
    assert tolerated(Flow(on_error=CONTINUE), step("F"), []) is True
