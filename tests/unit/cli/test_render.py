"""Text for people: values, tables, times; and nothing that a terminal would obey."""

import json

import click
import pytest

from flowcore.values import Json
from flowcore_cli.render import (
    MOST_CHARACTERS,
    MOST_LINES,
    cell_width,
    counted,
    duration,
    mark,
    outputs_text,
    table,
    to_json,
    visible,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fetch_users", "fetch_users"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edef", "abc\\u202edef"),
        ("\udc80", "\\udc80"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("[bold]héllo 世界 👩‍💻[/bold]", "[bold]héllo 世界 👩‍💻[/bold]"),
    ],
)
def test_control_characters_are_made_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_json_holds_no_character_that_a_terminal_obeys_and_means_the_same() -> None:
    value = {"a": "\x1b[31m\x9b2J\x7f\u202e é", "b": [1, 2.5, None, True]}
    text = to_json(value, indent=None)
    assert text == '{"a": "\\u001b[31m\\u009b2J\\u007f\\u202e é", "b": [1, 2.5, null, true]}'
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1.0, "0.00 s"),
        (0.4249, "0.42 s"),
        (9.99, "9.99 s"),
        (9.999, "10.0 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_durations_read_naturally(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_counted_things_agree_with_their_number() -> None:
    assert [counted(number, "step") for number in (0, 1, 2, 12_000)] == ["0 steps", "1 step", "2 steps", "12,000 steps"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "v: 3"),
        (None, "v: null"),
        (True, "v: true"),
        (1.5, "v: 1.5"),
        ("plain text, with a comma", "v: plain text, with a comma"),
        ("https://example.com/a?b=c", "v: https://example.com/a?b=c"),
        ("3 users", "v: 3 users"),
        ("", 'v: ""'),
        ("12", 'v: "12"'),
        ("null", 'v: "null"'),
        ("- dash", 'v: "- dash"'),
        (" space", 'v: " space"'),
        ("key: value", 'v: "key: value"'),
        ("\x1b[31mred", 'v: "\\u001b[31mred"'),
        ("a\x9b", 'v: "a\\x9b"'),
        ([], "v: []"),
        ({}, "v: {}"),
        ([1, "two", None], "v: [1, two, null]"),
        ([{"id": 1}], "v: [{id: 1}]"),
        ({"a": {"b": "c, d"}}, 'v: {a: {b: "c, d"}}'),
        ([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}], "v:\n  - {id: 1, name: Ada}\n  - {id: 2, name: Bob}"),
        ("one\ntwo\n", "v: |\n  one\n  two"),
        ("one\ntwo", "v: |-\n  one\n  two"),
        ("\x1b[2J\n\tx\r\n", "v: |\n  \\x1b[2J\n      x"),
        ("w" * 120, f"v: {'w' * 120}"),
        (["a" * 60, "b" * 60], f"v:\n  - {'a' * 60}\n  - {'b' * 60}"),
        ({"a": "x" * 98, "b": [1]}, f"v:\n  a: {'x' * 98}\n  b: [1]"),
        (
            [{"a": "x" * 98, "b": [1]}, ["y" * 90, "z" * 90]],
            f"v:\n  - a: {'x' * 98}\n    b: [1]\n  - - {'y' * 90}\n    - {'z' * 90}",
        ),
        (["one\ntwo\n"], "v:\n  - |\n    one\n    two"),
    ],
)
def test_outputs_read_like_yaml(value: Json, expected: str) -> None:
    lines = "\n".join(f"  {line}" for line in expected.split("\n"))
    assert click.unstyle(outputs_text({"step": {"v": value}}, shorten=False)) == f"step\n{lines}"


def test_steps_stand_in_blocks_and_one_without_outputs_is_listed() -> None:
    text = outputs_text({"a": {"x": 1, "y": 2}, "[red]b": {}}, shorten=False)
    assert click.unstyle(text) == "a\n  x: 1\n  y: 2\n\n[red]b  no outputs"


def test_no_steps_give_no_text() -> None:
    assert outputs_text({}, shorten=True) == ""


def test_a_terminal_gets_the_start_of_what_is_long_and_is_told_so() -> None:
    long = click.unstyle(outputs_text({"s": {"v": "x\n" * 500}}, shorten=True)).splitlines()
    assert len(long) == MOST_LINES + 2
    assert long[-1] == "    ... there is more: --json prints all of it"
    wide = click.unstyle(outputs_text({"s": {"v": "x" * (MOST_CHARACTERS + 5)}}, shorten=True))
    assert wide == f"s\n  v: {'x' * MOST_CHARACTERS} ... 5 more characters"


def test_a_table_aligns_wide_characters_and_keeps_each_cell_on_its_line() -> None:
    rows = [["世界", "succeeded", "x"], ["a\nb", "failed", ""], ["e\u0301e", "ok", "y"]]
    assert click.unstyle(table(["NAME", "STATE", ""], rows, states=1)).splitlines() == [
        "NAME  STATE",
        "世界  succeeded  x",
        "a\\nb  failed",
        "e\u0301e    ok         y",
    ]
    assert cell_width("世a") == 3


def test_states_have_signs_and_plain_ones_where_the_encoding_lacks_them() -> None:
    assert click.unstyle(mark("succeeded")) == "✓"
    assert click.unstyle(mark("failed", ascii_only=True)) == "x"
    assert click.unstyle(mark("pending")) == "·"
