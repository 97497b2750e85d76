"""`GET /outputs`: documents/status-api.md, and what contract reliability, I22 asks of every view."""

import json
from collections.abc import Mapping

import attrs
import pytest

from flowcore.model import Dialect, Loop
from flowcore.ports import Recorded
from flowcore.run.events import Event, RunStarted, RunStopRequested, RunSucceeded
from flowcore.secrets import reference
from flowcore.values import Json
from flowcore.views.outputs import OutputsView
from tests.builders import (
    T0,
    T1,
    T2,
    begun,
    body,
    broken,
    created,
    entered,
    failed,
    fanned,
    imported,
    iterated,
    joined,
    left,
    recorded,
    skipped,
    started,
    step,
    succeeded,
)


def viewed(*events: Event) -> OutputsView:
    """Return a view of *events*."""
    view = OutputsView()
    for each in recorded(events):
        view.evolve(each)
    return view


def outputs(*events: Event) -> Mapping[str, Mapping[str, Json]]:
    """Return the outputs after *events*."""
    return viewed(*events).render()


USERS: Json = [{"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}]
RUN = begun(
    step("fetch_users", outputs=("users", "count")),
    step("f", "fetch_users", for_each="x", outputs=("v", "w")),
    step("quiet", "fetch_users"),
)
FETCHED = (*RUN, started("fetch_users"), succeeded("fetch_users", {"users": USERS, "count": 2}))
FAN = (*FETCHED, fanned("f", "x", "y"), started("f/0"), started("f/1"))
HISTORY = (
    *FAN,
    succeeded("f/1", {"v": "y", "w": None}),
    started("quiet"),
    succeeded("quiet"),
    succeeded("f/0", {"v": "ünï", "w": 1.5}),
    joined("f"),
    RunSucceeded(at=T2),
)


class TestOutputs:
    """Returns output values from all completed steps.

    Returns an object where:
    - Keys are step names
    - Values are objects containing the step's output variables

    Step outputs are available immediately after step completion.
    `200` - Success (returns `{}` if no outputs available).
    """

    def test_there_are_none_before_a_step_is_done(self) -> None:
        for cut in range(len(RUN) + 2):
            assert outputs(*FETCHED[:cut]) == {}
            assert viewed(*FETCHED[:cut]).encode() == b"{}"

    def test_they_are_there_as_soon_as_a_step_is_done(self) -> None:
        assert outputs(*FETCHED) == {"fetch_users": {"users": USERS, "count": 2}}

    def test_a_step_without_outputs_is_listed_as_empty(self) -> None:
        assert outputs(*FETCHED, started("quiet"), succeeded("quiet"))["quiet"] == {}

    def test_steps_stand_in_the_order_in_which_they_were_done(self) -> None:
        assert list(outputs(*HISTORY)) == ["fetch_users", "quiet", "f"]

    @pytest.mark.parametrize(
        "events",
        [
            (started("quiet"), failed("quiet")),
            (started("quiet"), failed("quiet", retry=T2)),
            (skipped("quiet", "why"),),
            (RunStopRequested(reason="enough", at=T1),),
        ],
    )
    def test_a_step_that_did_not_succeed_is_absent(self, events: tuple[Event, ...]) -> None:
        assert list(outputs(*FETCHED, *events)) == ["fetch_users"]


class TestFanOuts:
    """Each output of a step with `for_each` is the list of its items' values."""

    def test_nothing_is_shown_before_the_join(self) -> None:
        assert list(outputs(*FAN, succeeded("f/1", {"v": 1, "w": 2}))) == ["fetch_users"]

    def test_values_stand_in_the_order_of_the_items(self) -> None:
        assert outputs(*HISTORY)["f"] == {"v": ["ünï", "y"], "w": [1.5, None]}

    def test_an_empty_list_has_empty_outputs(self) -> None:
        assert outputs(*FETCHED, fanned("f"), joined("f"))["f"] == {"v": [], "w": []}

    def test_an_item_that_left_nothing_counts_as_null(self) -> None:
        done = (succeeded("f/0", {"v": 1}), succeeded("f/1"), joined("f"))
        assert outputs(*FAN, *done)["f"] == {"v": [1, None], "w": [None, None]}

    def test_a_fan_out_that_failed_is_absent(self) -> None:
        done = (succeeded("f/0", {"v": 1, "w": 2}), failed("f/1"), broken("f"))
        assert list(outputs(*FAN, *done)) == ["fetch_users"]


class TestSecrets:
    """A secret shows as `***`."""

    def test_a_secret_is_black_wherever_it_stands(self) -> None:
        value: dict[str, Json] = {"users": [reference("TOKEN"), {"deep": reference("PIN")}], "count": reference("N")}
        view = viewed(*RUN, started("fetch_users"), succeeded("fetch_users", value))
        assert view.render() == {"fetch_users": {"users": ["***", {"deep": "***"}], "count": "***"}}
        assert b"TOKEN" not in view.encode()

    def test_a_secret_of_an_item_is_black_too(self) -> None:
        done = (succeeded("f/0", {"v": reference("TOKEN"), "w": 1}), succeeded("f/1", {"v": 2, "w": 3}), joined("f"))
        assert outputs(*FAN, *done)["f"] == {"v": ["***", 2], "w": [1, 3]}


class TestFolding:
    """The bytes are those of the document, whenever they were asked for."""

    def test_the_bytes_are_the_document_after_every_event(self) -> None:
        view = OutputsView()
        for each in recorded(HISTORY):
            view.evolve(each)
            assert json.loads(view.encode()) == view.render()
            assert (view.version, view.position) == (each.version, each.position)

    @pytest.mark.parametrize("cut", range(len(HISTORY) + 1))
    def test_who_asks_once_gets_the_bytes_of_who_asked_all_the_time(self, cut: int) -> None:
        often = OutputsView()
        for each in recorded(HISTORY[:cut]):
            often.evolve(each)
            often.encode()
        assert viewed(*HISTORY[:cut]).encode() == often.encode() == often.encode()

    def test_what_was_rendered_before_never_changes(self) -> None:
        view = viewed(*FETCHED)
        before = view.render()
        later: list[Recorded] = recorded([*FETCHED, started("quiet"), succeeded("quiet")])[len(FETCHED) :]
        for each in later:
            view.evolve(each)
        assert (list(before), list(view.render())) == (["fetch_users"], ["fetch_users", "quiet"])

    def test_the_bytes_are_compact_json_in_utf_8(self) -> None:
        run = begun(step("ü", outputs=("v",)))
        assert viewed(*run, started("ü"), succeeded("ü", {"v": ["ä", 1]})).encode().decode() == '{"ü":{"v":["ä",1]}}'


def test_what_was_taken_over_is_shown_like_the_rest() -> None:
    run = (created(step("a", outputs=("x",))), imported("a", {"x": reference("token")}))
    assert outputs(*run) == {"a": {"x": "***"}}


class TestBodies:
    """A body leaves nothing of its own, and what its steps have left is for them alone."""

    def test_a_step_with_a_body_has_no_outputs(self) -> None:
        inner = (step("b", outputs=("v",)), step("f", for_each="x", outputs=("v",)))
        run = (*begun(body("a", *inner)), entered("a"), started("a/b"), succeeded("a/b", {"v": 1}))
        run = (*run, fanned("a/f", 1), started("a/f/0"), succeeded("a/f/0", {"v": 1}), joined("a/f"))
        assert outputs(*run) == {}
        assert outputs(*run, left("a")) == {"a": {}}

    def test_nor_has_one_that_runs_for_items_or_in_a_loop(self) -> None:
        run = (*begun(body("a", step("b"), for_each="x")), fanned("a", 1), entered("a/0"), left("a/0"))
        assert outputs(*run, joined("a")) == {"a": {}}
        run = (*begun(body("a", step("b"), loop=Loop(condition="x"))), iterated("a", 0), left("a/0"))
        assert outputs(*run, joined("a")) == {"a": {}}


def test_steps_that_help_a_node_of_a_workflow_leave_nothing_of_their_own() -> None:
    """What a loop's condition was looked at for is no output of a node."""
    steps = (step("l%.check", outputs=("again",)), step("l", "l%.check", outputs=("data",)))
    first = created(*steps)
    run = (attrs.evolve(first, flow=attrs.evolve(first.flow, dialect=Dialect.WORKFLOW)), RunStarted(at=T0))
    done = (started("l%.check"), succeeded("l%.check", {"again": True}), started("l"), succeeded("l", {"data": 1}))
    assert outputs(*run, *done) == {"l": {"data": 1}}
    assert outputs(*run, imported("l%.check", {"again": True}), imported("l", {"data": 2})) == {"l": {"data": 2}}
    assert set(outputs(*begun(*steps), *done)) == {"l%.check", "l"}
