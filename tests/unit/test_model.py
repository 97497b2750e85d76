"""The immutable model of a flow."""

from copy import deepcopy

import attrs
import pytest

from flowcore.catalog import Catalog, Kind, Parameter, SourceType
from flowcore.ids import StepName
from flowcore.model import (
    DEFAULT_MAX_WORKERS,
    DEFAULT_TIMEOUT_S,
    NO_RETRY,
    Breakpoints,
    Flow,
    OnError,
    Output,
    OutputType,
    RetryPolicy,
    Secret,
    Source,
    Step,
)
from flowcore.values import Json

STEP = Step(name=StepName("fetch"), source="api")
VALUES = [Flow(), STEP, Source(type="rest"), Output(name="users"), RetryPolicy(), Secret(env="API_TOKEN")]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_never_changes(value: attrs.AttrsInstance) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_the_same_when_they_say_the_same(value: attrs.AttrsInstance) -> None:
    assert deepcopy(value) == value


def test_a_flow_that_says_nothing_leaves_all_to_others() -> None:
    assert Flow() == Flow(name="", sources={}, steps=(), on_error=None, max_workers=None, secrets={})


def test_a_step_that_says_nothing_runs_once_within_five_minutes_and_leaves_nothing() -> None:
    assert (
        Step(
            name=StepName("fetch"),
            source="api",
            input=None,
            outputs=(),
            depends_on=(),
            when=None,
            for_each=None,
            max_parallel=None,
            retry=NO_RETRY,
            timeout_s=300.0,
            on_error=None,
            breakpoint=False,
        )
        == STEP
    )
    assert (DEFAULT_MAX_WORKERS, DEFAULT_TIMEOUT_S, NO_RETRY.max_attempts) == (4, 300.0, 1)


@pytest.mark.parametrize(
    ("when", "for_each", "guarded"),
    [
        (None, None, False),
        ("{{ x }}", None, True),
        (None, "{{ x }}", True),
        ("{{ x }}", [1], True),
        (False, None, True),
        (None, [], True),
    ],
)
def test_a_step_is_guarded_when_it_has_a_condition_or_a_list(when: Json, for_each: Json, guarded: bool) -> None:
    step = Step(name=StepName("a"), source="s", when=when, for_each=for_each)
    assert step.guarded is guarded


def test_words_are_what_documents_write() -> None:
    assert [str(word) for word in OnError] == ["fail", "skip", "continue"]
    assert [str(word) for word in OutputType] == ["raw", "json", "jmespath"]


def test_two_values_share_no_mapping() -> None:
    assert Flow().sources is not Flow().sources
    assert Source(type="a").configuration is not Source(type="a").configuration


def test_a_kind_of_source_that_says_nothing_blocks_and_declares_what_it_takes() -> None:
    wait = SourceType(
        name="wait",
        about="Wait.",
        parameters={"seconds": Parameter(kind=Kind.SECONDS, about="How long.", required=True)},
    )
    catalog: Catalog = {wait.name: wait}
    found = catalog["wait"]
    assert (found.blocking, found.values, found.open) == (True, False, False)
    assert (found.requires_any, found.payload_names, found.template_when) == ((), (), None)
    assert found.parameters["seconds"] == Parameter(
        kind=Kind.SECONDS, about="How long.", required=True, choices=(), default=None
    )


@pytest.mark.parametrize(
    "points", [Breakpoints(steps=None), Breakpoints(marked=True), Breakpoints(steps=(StepName("a"),))]
)
def test_no_breakpoint_concerns_an_unbroken_step(points: Breakpoints) -> None:
    step = Step(name=StepName("a"), source="s", breakpoint=True)
    assert points.covers(step)
    assert not points.covers(attrs.evolve(step, unbroken=True))
