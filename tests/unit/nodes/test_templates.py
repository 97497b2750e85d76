"""Variables in texts, as Go's `os.Expand` finds them; the names of objects; the words of commands."""

from uuid import RFC_4122, UUID

import pytest

from flowcore.artifacts import Well
from flowcore.documents.nodes.command_lines import broken_in, fill_command, split_command, variables_used
from flowcore.documents.nodes.object_names import (
    KEY_VARIABLES,
    Naming,
    encode_segment,
    name_on_edge,
    object_name,
    variables_of,
)
from flowcore.documents.nodes.templates import Broken, Part, Variable, fill, parse_template
from flowcore.ids import RunId
from flowcore.model import Flow
from flowcore.values import Instant


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("a${B}c", ("a", Variable("B"), "c")),
        ("$A$B", (Variable("A"), Variable("B"))),
        ("$A-b", (Variable("A"), "-b")),
        ("$A_1é", (Variable("A_1"), "é")),
        ("${A b:-d}", (Variable("A b:-d"),)),
        ("$$", (Variable("$"),)),
        ("$1x", (Variable("1"), "x")),
        ("$-", (Variable("-"),)),
        ("${}", (Broken("${}"),)),
        ("a${A", ("a", Broken("${"), "A")),
        ("${${A}", (Variable("${A"),)),
        ("${A}${", (Variable("A"), Broken("${"))),
        ("$", ("$",)),
        ("a$/b$", ("a$/b$",)),
        ("$ ${A}", ("$ ", Variable("A"))),
    ],
)
def test_the_parts_of_a_template(text: str, parts: tuple[Part, ...]) -> None:
    assert parse_template(text) == parts


def test_a_template_of_nothing_but_open_braces_is_read_in_good_time() -> None:
    assert len(parse_template("${" * 200_000)) == 200_000


def test_what_has_no_value_is_empty_and_what_is_broken_stays() -> None:
    assert fill(parse_template("<${A}|$B|${}|${"), {"A": "${B}", "C": "c"}) == "<${B}||${}|${"


NAMING = Naming(run="run_1772533800123", flow="../my flow", uuid="0190-uuid", at=Instant(1772533805.9))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${RUN_ID}", "run_1772533800123"),
        ("$RUN_ID.png", "run_1772533800123.png"),
        ("${FLOW_NAME}/${EDGE}", "%2E%2E%2Fmy%20flow/out-1"),
        ("${TIMESTAMP}", "2026-03-03T10%3A30%3A05Z"),
        ("${DATE}|${YEAR}|${MONTH}|${DAY}", "2026-03-03|2026|03|03"),
        ("${UUID}", "0190-uuid"),
        ("a/b c", "a/b c"),
        ("", ""),
    ],
)
def test_a_key_is_filled_and_otherwise_verbatim(template: str, expected: str) -> None:
    assert object_name(template, "out-1", NAMING, extension=".png") == expected


def test_without_a_key_an_object_is_named_after_its_run_and_edge() -> None:
    assert object_name(None, "out", NAMING) == "run_1772533800123/out"
    assert object_name(None, "out", NAMING, extension=".jpg") == "run_1772533800123/out.jpg"


def test_a_flow_without_a_name_leaves_no_empty_segment() -> None:
    nameless = Naming(run="r", flow="", uuid="u", at=Instant(0.0))
    assert object_name("${FLOW_NAME}/x", "e", nameless) == "unnamed/x"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("Az09._-", "Az09._-"),
        ("..", "%2E%2E"),
        (".a.b", "%2Ea.b"),
        ("a/b\\c:d%", "a%2Fb%5Cc%3Ad%25"),
        ("größe\n", "gr%C3%B6%C3%9Fe%0A"),
    ],
)
def test_a_clients_text_leads_nowhere_else(text: str, encoded: str) -> None:
    assert encode_segment(text) == encoded


def test_every_key_variable_has_a_value() -> None:
    template = "".join(f"${{{name}}}" for name in KEY_VARIABLES)
    assert variables_of(template) == KEY_VARIABLES
    assert "" not in [object_name(f"${{{name}}}", "e", NAMING) for name in KEY_VARIABLES]


@pytest.mark.parametrize(
    ("line", "values", "expected"),
    [
        ("", {}, ()),
        ("a  b\tc", {}, ("a", "b", "c")),
        ("a ${x}", {"x": "two words; rm -rf /"}, ("a", "two words; rm -rf /")),
        ("a ${x}", {"x": "' ${y} \"$z"}, ("a", "' ${y} \"$z")),
        ("a --w=$x.png", {"x": "1"}, ("a", "--w=1.png")),
        ("a 'b c' \"d ${x}\"", {"x": "e f"}, ("a", "b c", "d e f")),
        ("a ${x}", {"x": ""}, ("a", "")),
        ("a ${x} b", {}, ("a", "b")),
        ("a ${x}$y b", {}, ("a", "b")),
        ("a ${x}${y} b", {"y": "1"}, ("a", "1", "b")),
        ("a --m=${x} b", {}, ("a", "--m=", "b")),
        ("a '' b", {}, ("a", "", "b")),
        ("a ${} ${x", {"x": "1"}, ("a", "${}", "${x")),
        ('a "${my port}"', {"my port": "/p"}, ("a", "/p")),
        (r"a\ b c\$d", {"d": "1"}, ("a b", "c1")),
        ("a # b", {}, ("a", "#", "b")),
        ("a ; b | c > d && e `f` $(g)", {}, ("a", ";", "b", "|", "c", ">", "d", "&&", "e", "`f`", "$(g)")),
    ],
)
def test_a_command_is_split_before_it_is_filled(line: str, values: dict[str, str], expected: tuple[str, ...]) -> None:
    assert fill_command(split_command(line), values) == expected


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "\n", "'", '"', "${y}", "$y", "\\", "a\tb 'c' \"d\"", "--flag value"]
)
def test_a_value_never_adds_an_argument(value: str) -> None:
    words = split_command('run ${x} --in=${x} "${x}"')
    assert fill_command(words, {"x": value}) == ("run", value, f"--in={value}", value)


@pytest.mark.parametrize("line", ["a 'b", 'a "b', "a \\"])
def test_a_line_that_does_not_end_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="No "):
        split_command(line)


def test_the_variables_of_a_command() -> None:
    words = split_command("a ${x} $y ${x} ${} '${' ${}")
    assert variables_used(words) == ("x", "y")
    assert broken_in(words) == ("${}", "${")


def test_the_object_on_an_edge_of_a_run_is_always_called_the_same() -> None:
    wells = {"a": Well(store="s", key="${UUID}"), "b": Well(store="s", key="${UUID}"), "c": Well(store="s")}
    flow = Flow(name="f", wells=wells)
    at = Instant(1772533800.0)
    names = [name_on_edge(flow, edge, RunId(run), at) for edge, run in (("a", 1), ("a", 1), ("b", 1), ("a", 2))]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert {UUID(name).version for name in names} == {8}
    assert {UUID(name).variant for name in names} == {RFC_4122}
    assert name_on_edge(flow, "c", RunId(7), at, extension=".png") == "run_7/c.png"
