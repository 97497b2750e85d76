"""References, made-up data and numbers in the texts of workflows: contract executions, section 8, "Data"."""

import itertools
import re
from collections.abc import Callable
from typing import Final

import pytest

from flowcore.documents.workflows.fakes import KEYS, Fakes
from flowcore.documents.workflows.numbers import number_of, whole_number_of
from flowcore.documents.workflows.references import (
    MAX_SIZE,
    Missing,
    Scope,
    follow,
    interpolate,
    interpolate_text,
    to_text,
    whole_reference,
)
from flowcore.errors import ExpressionError
from flowcore.values import Instant, Json

DATA: Final[dict[str, Json]] = {
    "api": {"body": {"users": [{"id": 7, "name": "Ada"}], "n": None, "ok": True}, "headers": {"content-type": "x"}},
    "sneaky": "${variables.secret}",
}
VARIABLES: Final[dict[str, Json]] = {"name": "Ada", "secret": "s3cret", "node-1": 5, "list": [1, 2], "half": 0.5}
SCOPE: Final = Scope(data=DATA, variables=VARIABLES)
NOW: Final = Instant(1_700_000_000.25)


def chances(*values: float) -> Callable[[], float]:
    """Return a chance that gives *values* over and over."""
    return itertools.cycle(values).__next__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $ { text", "plain $ { text"),
        ("Hi ${variables.name}!", "Hi Ada!"),
        ("${variables.name}${variables.name}", "AdaAda"),
        ("${data.api.body.users[0].name}", "Ada"),
        ("${data.api.body.users.0.id}", "7"),
        ("${data.api['body'].ok}", "true"),
        ('${data.api["body"]["users"][0]["id"]}', "7"),
        ("${data.api.body.users.length} ${variables.name.length}", "1 3"),
        ("${data.api.body.users}", '[{"id":7,"name":"Ada"}]'),
        ("<${data.api.body.n}>", "<>"),
        ("${variables.half} ${variables.list}", "0.5 [1,2]"),
    ],
)
def test_references_are_filled_in_and_always_give_text(text: str, expected: str) -> None:
    assert interpolate_text(text, SCOPE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${variables.nobody}",
        "${data.api.body.users[9].id}",
        "${data.api.body.users.first}",
        "${data.api.body.ok.more}",
        "${variables.node-1}",
        "${data.api.headers['content-type']}",
        "${data}",
        "${other.name}",
        "${data.api",
        "${dynamic.email}",
        "${data.api.body.users[99999999999999999999]}",
    ],
)
def test_what_leads_nowhere_or_is_no_reference_stays_text(text: str) -> None:
    assert interpolate_text(text, SCOPE) == text


def test_data_that_looks_like_a_reference_stays_data() -> None:
    assert interpolate_text("${data.sneaky}", SCOPE) == "${variables.secret}"


def test_texts_at_any_depth_are_filled_in_and_nothing_else_changes() -> None:
    given: Json = {"a": ["${variables.name}", 1, None, True], "${variables.name}": {"b": "x${variables.half}"}}
    assert interpolate(given, SCOPE) == {"a": ["Ada", 1, None, True], "${variables.name}": {"b": "x0.5"}}


def test_a_text_that_becomes_too_long_is_an_error() -> None:
    scope = Scope(data={"big": "x" * (MAX_SIZE // 2)}, variables={})
    with pytest.raises(ExpressionError, match="larger than 10 MB"):
        interpolate_text("${data.big}${data.big}${data.big}", scope)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (2.0, "2"),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (2.5, "2.5"),
        ({"ä": 1}, '{"ä":1}'),
    ],
)
def test_values_as_text(value: Json, expected: str) -> None:
    assert to_text(value) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("users[0].id", 7),
        ("$.users.0.name", "Ada"),
        ("['users'][0]", {"id": 7, "name": "Ada"}),
        ("n", None),
        ("users.length", 1),
    ],
)
def test_paths_into_a_body(path: str, expected: Json) -> None:
    assert follow({"users": [{"id": 7, "name": "Ada"}], "n": None}, path) == expected


def test_a_name_in_a_path_may_have_any_character() -> None:
    assert follow({"headers": {"content-type": "x"}}, "headers.content-type") == "x"
    assert isinstance(follow({"a": 1}, "b"), Missing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ${data.api.users[0]} ", ("data", ("api", "users", "0"))),
        ("${variables.list}", ("variables", ("list",))),
        ("${dynamic.email}", None),
        ("x ${data.api}", None),
        ("items", None),
    ],
)
def test_a_text_that_is_one_reference(text: str, expected: object) -> None:
    assert whole_reference(text) == expected


class TestFakes:
    """`${dynamic.key}` makes fake data."""

    def test_the_same_chance_makes_the_same_data(self) -> None:
        for key in KEYS:
            first = Fakes(chances(0.1, 0.7, 0.3), NOW).make(key)
            assert first
            assert first == Fakes(chances(0.1, 0.7, 0.3), NOW).make(key)

    @pytest.mark.parametrize("value", [0.0, 0.999999])
    def test_every_key_works_at_the_ends_of_chance(self, value: float) -> None:
        assert all(Fakes(chances(value), NOW).make(key) for key in KEYS)

    @pytest.mark.parametrize(
        ("key", "pattern"),
        [
            ("guid", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
            ("randomUUID", r"[0-9a-f-]{36}"),
            ("timestamp", "1700000000"),
            ("isoTimestamp", r"2023-11-14T22:13:20\.250Z"),
            ("randomEmail", r"[a-z]+\.[a-z]+[0-9]+@example\.com"),
            ("email", r".+@example\.com"),
            ("randomInt", "[0-9]{1,4}"),
            ("randomFullName", "[A-Z][a-z]+ [A-Z][a-z]+"),
            ("randomHexColor", "#[0-9a-f]{6}"),
            ("randomDatePast", r"202[23]-.*Z"),
        ],
    )
    def test_well_known_keys(self, key: str, pattern: str) -> None:
        found = Fakes(chances(0.3, 0.6), NOW).make(key)
        assert found is not None
        assert re.fullmatch(pattern, found)

    def test_an_unknown_key_stays_text(self) -> None:
        scope = Scope(data={}, variables={}, fakes=Fakes(chances(0.5), NOW))
        assert interpolate_text("${dynamic.nonsense} ${dynamic.timestamp}", scope) == "${dynamic.nonsense} 1700000000"


@pytest.mark.parametrize(
    ("value", "number", "whole"),
    [
        (5, 5.0, 5),
        (5.7, 5.7, 5),
        ("12", 12.0, 12),
        (" 12.5px", 12.5, 12),
        (".5", 0.5, None),
        ("-3", -3.0, -3),
        ("1e400", None, 1),
        ("many", None, None),
        (True, None, None),
        (None, None, None),
        (10**400, None, 10**400),
        (float("inf"), None, None),
    ],
)
def test_numbers_as_people_write_them(value: Json, number: float | None, whole: int | None) -> None:
    assert number_of(value) == number
    assert whole_number_of(value) == whole
