"""The laws of YAML text: the YAML rows of contract safety."""

import time
from collections.abc import Sequence

import pytest
import yaml

from flowcore.documents import yaml_composer, yaml_text
from flowcore.documents.yaml_text import load_yaml, locate
from flowcore.errors import FlowDocumentError, Path, Problem
from flowcore.values import Json


@pytest.fixture(params=["C", "Python"])
def _each_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = yaml.CSafeLoader if request.param == "C" else yaml.SafeLoader
    monkeypatch.setattr(yaml_text, "_LOADER", loader)


pytestmark = pytest.mark.usefixtures("_each_parser")


def problems_of(text: str, *, file: str | None = None) -> Sequence[Problem]:
    """Return why *text* is refused."""
    with pytest.raises(FlowDocumentError) as caught:
        load_yaml(text, file=file)
    return caught.value.problems


def problem_of(text: str) -> Problem:
    """Return the one reason why *text* is refused."""
    (problem,) = problems_of(text)
    return problem


def refusals(text: str) -> list[tuple[str, int | None, int | None, Path]]:
    """Return the code, line, column and path of all that is wrong with *text*."""
    return [(found.code, found.line, found.column, found.path) for found in problems_of(text)]


def code_and_place(text: str) -> tuple[str, int | None, int | None]:
    """Return the code, line and column of the one reason why *text* is refused."""
    found = problem_of(text)
    return found.code, found.line, found.column


# What is accepted


def test_a_flow_file_is_plain_data() -> None:
    text = """
    sources:
      api: {type: rest, configuration: {url: "http://localhost", timeout: 2.5}}
    flow:
    - name: fetch   # a comment
      source: api
      output:
      - {name: id, type: jmespath, value: data.id}
      - name: raw
      depends_on: []
      input: |
        two
        lines
      when:
    """
    assert load_yaml(text) == {
        "sources": {"api": {"type": "rest", "configuration": {"url": "http://localhost", "timeout": 2.5}}},
        "flow": [
            {
                "name": "fetch",
                "source": "api",
                "output": [{"name": "id", "type": "jmespath", "value": "data.id"}, {"name": "raw"}],
                "depends_on": [],
                "input": "two\nlines\n",
                "when": None,
            }
        ],
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "%YAML 1.2\n---\n", "~"])
def test_an_empty_document_is_null(text: str) -> None:
    assert load_yaml(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [("a", "a"), ("3", 3), ("[1, [2]]", [1, [2]]), ("{}", {}), ("\ufeffa", "a")]
)
def test_a_document_may_be_anything(text: str, value: Json) -> None:
    assert load_yaml(text) == value


PLAIN: list[tuple[str, Json]] = [
    *((word, None) for word in ("null", "Null", "NULL", "~", "")),
    *((word, True) for word in ("true", "True", "TRUE")),
    *((word, False) for word in ("false", "False", "FALSE")),
    *((word, word) for word in ("no", "No", "yes", "on", "off", "y", "n", "tRUE", "nULL", "nothing", "fail", "Nan")),
    *((word, word) for word in ("1:30", "12:30:45", "2024-01-01", "2024-01-01T00:00:00Z", "1_000", "0b1", "1.2.3")),
    *((word, word) for word in ("--", "+", ".", "-.", "e3", "1e", "0x", "0xg", "0o8", "-0x1", "+0o1", ".in", "<<")),
    *(("0", 0), ("010", 10), ("-12", -12), ("+7", 7), ("0o17", 15), ("0x1F", 31), ("0xff", 255)),
    *(("1.5", 1.5), ("-.5", -0.5), ("1.", 1.0), ("1e3", 1000.0), ("+1.5E-1", 0.15), ("08.5", 8.5), ("1e-999", 0.0)),
    *(("٣", "٣"), ("1٣", "1٣"), ("1" * 1_000, int("1" * 1_000)), ("0x" + "f" * 998, 16**998 - 1)),
]


@pytest.mark.parametrize(("text", "value"), PLAIN, ids=[text[:20] for text, _ in PLAIN])
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Json) -> None:
    (loaded,) = _list(load_yaml(f"- {text}"))
    assert (type(loaded), loaded) == (type(value), value)


def _list(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value


@pytest.mark.parametrize("text", ["'3'", '"true"', "''", '"\\0"', "'no'", "|-\n  null", ">-\n  1.5"])
def test_what_is_quoted_or_a_block_is_text(text: str) -> None:
    assert isinstance(load_yaml(text), str)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 3", "3"),
        ("!!str", ""),
        ("! 3", "3"),
        ("!!int '5'", 5),
        ("!!float 1", 1.0),
        ("!!float 1.5", 1.5),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
        ("! [1]", [1]),
        ("!<tag:yaml.org,2002:int> 3", 3),
        ("%TAG !core! tag:yaml.org,2002:\n---\n!core!str 3", "3"),
    ],
)
def test_tags_of_the_core_schema_are_honoured(text: str, value: Json) -> None:
    loaded = load_yaml(text)
    assert (type(loaded), loaded) == (type(value), value)


def test_keys_are_their_text() -> None:
    text = "1: a\ntrue: b\nnull: c\n010: d\n.inf: e\n'quoted': f\n!!int 7: g\n? \n: h\n2024-01-01: i\n"
    expected = dict(
        zip(["1", "true", "null", "010", ".inf", "quoted", "7", "", "2024-01-01"], "abcdefghi", strict=True)
    )
    assert load_yaml(text) == expected


def test_aliases_stand_for_their_anchor() -> None:
    text = "a: &x [1, &y 2]\nb: *x\nc: {*y : *y}\n&z d: *y\ne: [*z]\n"
    assert load_yaml(text) == {"a": [1, 2], "b": [1, 2], "c": {"2": 2}, "d": 2, "e": ["d"]}


def test_an_anchor_may_be_given_again() -> None:
    assert load_yaml("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]
    assert load_yaml("[&a [&a 1, *a], *a]") == [[1, 1], 1]


def test_a_merge_brings_what_is_not_given() -> None:
    text = "base: &base {a: 1, b: 1}\nown: {b: 2, <<: *base, c: 2}\ninline:\n  <<: {a: 3}\nempty: {<<: {}}\n"
    assert load_yaml(text) == {
        "base": {"a": 1, "b": 1},
        "own": {"a": 1, "b": 2, "c": 2},
        "inline": {"a": 3},
        "empty": {},
    }


def test_of_several_merged_mappings_the_earlier_wins() -> None:
    assert load_yaml("[&x {a: 1}, &y {a: 2, b: 2}, {<<: [*x, *y]}]") == [{"a": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2}]


def test_merged_mappings_may_be_merged_again() -> None:
    links = "".join(f"- &m{number} {{<<: *m{number - 1}, k{number}: 1}}\n" for number in range(1, 200))
    last = _list(load_yaml("- &m0 {k0: 1}\n" + links))[-1]
    assert last == {f"k{number}": 1 for number in range(200)}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert load_yaml("'<<': 1") == {"<<": 1}


@pytest.mark.parametrize("value", ["1", "[{a: 1}, 2]", "text", ""])
def test_only_mappings_can_be_merged(value: str) -> None:
    assert refusals(f"a:\n  b: 1\n  <<: {value}\n") == [("yaml-value", 3, 3, ("a", "<<"))]


# What is refused


@pytest.mark.parametrize("word", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", ".NAN", "1e400", "-1e999"])
def test_numbers_that_json_cannot_hold_are_refused(word: str) -> None:
    assert refusals(f"a:\n- 1\n- {word}\n") == [("yaml-value", 3, 3, ("a", 1))]


@pytest.mark.parametrize("number", ["1" * 5_000, "-" + "9" * 1_000, "0x" + "f" * 5_000, "1." + "0" * 5_000])
def test_absurdly_long_numbers_are_refused(number: str) -> None:
    assert code_and_place(f"a: {number}") == ("yaml-value", 1, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!!int x", "`!!int` takes a whole number, not `x`"),
        ("!!int true", "`!!int` takes a whole number, not `true`"),
        ("!!int 1.5", "`!!int` takes a whole number, not `1.5`"),
        ("!!float true", "`!!float` takes a number, not `true`"),
        ("!!float x", "`!!float` takes a number, not `x`"),
        ("!!bool yes", "`!!bool` takes `true` or `false`, not `yes`"),
        ("!!null 'x'", "`!!null` takes nothing or `null`, not `x`"),
        (f"!!float {'1' * 400}", f"`{'1' * 57}...` is a number too large for `!!float`"),
    ],
)
def test_a_value_must_fit_its_tag(text: str, message: str) -> None:
    problem = problem_of(text)
    assert (problem.code, problem.message) == ("yaml-value", message)


@pytest.mark.parametrize(
    ("tag", "node"),
    [
        ("!!python/object/apply:os.system", "['id']"),
        ("!!python/name:os.system", "''"),
        ("!custom", "{a: 1}"),
        ("!custom", "text"),
        ("!!timestamp", "2024-01-01"),
        ("!!binary", "aGk="),
        ("!!set", "{a}"),
        ("!!map", "[1]"),
        ("!!seq", "{a: 1}"),
        ("!!map", "text"),
        ("!!str", "[1]"),
        ("!nowhere!thing", "text"),
    ],
)
def test_any_other_tag_is_refused_by_name(tag: str, node: str) -> None:
    problem = problem_of(f"a: 1\nb: {tag} {node}\n")
    assert (problem.code, problem.line, problem.column) == ("yaml-tag", 2, 4)
    assert f"`{tag}`" in problem.message


def test_a_tag_on_a_key_must_be_known() -> None:
    assert code_and_place("!custom a: 1") == ("yaml-tag", 1, 1)


def test_messages_hold_no_control_characters() -> None:
    assert "`!\\x1b[31m`" in problem_of("!%1B%5B31m text").message
    assert "`\\x1b[31m`" in problem_of('"\\e[31m": 1\n"\\e[31m": 2\n').message


def test_duplicate_keys_are_refused_with_both_lines() -> None:
    problem = problem_of("flow:\n- name: a\n  source: x\n  name: b\n")
    assert (problem.code, problem.line, problem.column, problem.path) == (
        "yaml-duplicate-key",
        4,
        3,
        ("flow", 0, "name"),
    )
    assert problem.message == "the key `name` is given twice: here and in line 2"


@pytest.mark.parametrize("text", ["1: a\n'1': b", "{true: a, 'true': b}", "&k a: 1\n*k : 2", "a:\na:\n", "? a\n? a\n"])
def test_keys_of_the_same_text_are_the_same_key(text: str) -> None:
    assert problem_of(text).code == "yaml-duplicate-key"


def test_a_second_merge_key_is_pointed_to_the_list() -> None:
    text = "- &x {a: 1}\n- <<: *x\n  <<: *x\n"
    problem = problem_of(text)
    assert (problem.code, problem.line) == ("yaml-duplicate-key", 3)
    assert problem.hint == "several mappings are merged by a list: `<<: [*first, *second]`"


def test_all_problems_are_reported_together() -> None:
    text = "a: 1\na: 2\nb: !custom 3\nc: .nan\n[x]: 4\nd: *nowhere\ne: [@]\n"
    assert [(problem.code, problem.line) for problem in problems_of(text, file="flow.yaml")] == [
        ("yaml-duplicate-key", 2),
        ("yaml-tag", 3),
        ("yaml-value", 4),
        ("yaml-key", 5),
        ("yaml-alias", 6),
        ("yaml-syntax", 7),
    ]
    assert {problem.file for problem in problems_of(text, file="flow.yaml")} == {"flow.yaml"}


def test_a_hundred_problems_are_enough() -> None:
    assert len(problems_of("a: 1\n" * 100_000)) == 100


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\n? [b, c]\n: 2\nd: 3\n", (2, 3)),
        ("a: 1\n? {b: c}\n: 2\nd: 3\n", (2, 3)),
        ("a: &x [1]\n*x : 2\n", (2, 1)),
        ("a: &x {b: 1}\n*x : 2\n", (2, 1)),
    ],
)
def test_keys_must_be_scalars(text: str, place: tuple[int, int]) -> None:
    assert code_and_place(text) == ("yaml-key", *place)


def test_what_is_wrong_inside_a_key_has_the_path_around_it() -> None:
    assert refusals("a:\n  ? [.nan]\n  : 1\n") == [
        ("yaml-key", 2, 5, ("a",)),
        ("yaml-value", 2, 6, ("a",)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: {{ flows.x.y }}\n",
        "a: {{ flows.x | default('z') }} and more\n",
        "- {{ a['b'] }}\n",
        "a: {{ b\nc: 1\n",
    ],
)
def test_an_expression_without_quotes_is_told_about_quotes(text: str) -> None:
    assert problems_of(text)[-1].hint == 'put text with an expression in quotes: "{{ ... }}"'


def test_an_alias_of_nothing_is_refused() -> None:
    assert refusals("a:\n  b: [1, *x]\n*y : 2\n*")[:2] == [
        ("yaml-alias", 2, 10, ("a", "b", 1)),
        ("yaml-alias", 3, 1, ()),
    ]
    assert code_and_place("*x") == ("yaml-alias", 1, 1)


@pytest.mark.parametrize("text", ["a: &x [*x]", "&x {a: {b: *x}}", "a: &x\n  <<: *x\n", "&x {*x : 1}"])
def test_a_recursive_alias_is_refused(text: str) -> None:
    problem = problem_of(text)
    assert (problem.code, problem.line) == ("yaml-alias", 1 if "\n" not in text else 2)
    assert problem.message == "the alias `*x` stands for nothing: it stands inside what it stands for"


def test_aliases_may_not_stand_for_more_than_a_million_values() -> None:
    levels = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10))
    assert problem_of("a0: &a0 [x, x, x]\n" + levels).code == "yaml-alias"


def test_a_long_text_counts_for_more_than_one_value() -> None:
    text = f"- &long {'x' * 100_000}\n- &nest ['{'x' * 100_000}']\n"
    assert problem_of(text + "- *long\n" * 1_000).code == "yaml-alias"
    assert problem_of(text + "- *nest\n" * 1_000).code == "yaml-alias"
    assert len(_list(load_yaml(text + "- *nest\n" * 900))) == 902


def nested(depth: int, opening: str, closing: str) -> str:
    """Return mappings or lists that are *depth* levels deep."""
    return opening * depth + closing * depth


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", ""), ("[{a: ", "}]")])
def test_sixty_four_levels_are_deep_enough(opening: str, closing: str) -> None:
    per_unit = 2 if opening == "[{a: " else 1
    load_yaml(nested(64 // per_unit, opening, closing))
    assert problem_of(nested(64 // per_unit + 1, opening, closing)).code == "yaml-depth"


def test_aliases_add_to_the_depth() -> None:
    chain = "- &a1 []\n" + "".join(f"- &a{level} [*a{level - 1}]\n" for level in range(2, 64))
    load_yaml(chain)
    assert code_and_place(chain + "- [*a63]\n") == ("yaml-depth", 64, 4)


def test_a_document_has_a_bounded_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_composer, "MAX_EVENTS", 10)
    load_yaml("[1, 2, 3, 4]")  # and the ends of the list, the document and the text
    assert problem_of("[1, 2, 3, 4, 5]").code == "yaml-size"


def test_tag_directives_are_bounded() -> None:
    directives = "".join(f"%TAG !e{number}! tag:example.org,{number}:\n" for number in range(1_001))
    assert problem_of(directives + "---\na\n").code == "yaml-size"


def test_a_second_document_is_refused() -> None:
    assert code_and_place("a: 1\n---\nb: 2\n---\nc: 3\n") == ("yaml-documents", 2, 1)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x80", "\ud800", "\ufffe", "\uffff"])
def test_characters_that_no_text_has_are_refused(character: str) -> None:
    problem = problem_of(f"a: 1\r\nb: 2\nc: 'é{character}'\n")
    assert (problem.code, problem.line, problem.column) == ("yaml-syntax", 3, 6)
    assert problem.message == f"the character U+{ord(character):04X} may not stand in a YAML text"


def test_half_a_character_is_refused_as_an_escape_too() -> None:
    assert problem_of('a: "\\ud83d"').code in {"yaml-syntax", "yaml-value"}
    assert problem_of('"\\ud83d": a').code in {"yaml-syntax", "yaml-value"}


@pytest.mark.parametrize("text", ['"\\UFFFFFFFF"', '"\\U00110000"', f"%YAML 1.{'9' * 5_000}\n---\na"])
def test_what_the_parser_stumbles_over_is_no_yaml(text: str) -> None:
    assert problem_of(text).code == "yaml-syntax"


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a:\n\t- b\n", (2, 1), "indent with spaces: for YAML a tab is no indentation"),
        ("a:\n  b: 1\n\tc: 2\n", (3, None), "indent with spaces: for YAML a tab is no indentation"),
        ("a: b: c\n", (1, 5), "put text that holds `: ` in quotes, and check the indentation"),
        (
            'a: "{{ flows."b-c".d }}"\n',
            (1, 15),
            """for double quotes in an expression write single ones around it: '{{ flows."a-b".c }}'""",
        ),
        ("a: @b\n", (1, 4), "put text that begins with this character in quotes"),
        ("a: 'b\n", (2, 1), "a quote is opened and never closed"),
        ("a:\n- b\n  c\n d: 1\n", (4, None), None),
        ("- a\nb: 1\n", (2, 1), "check the indentation of this line and of those before it"),
        ("a: 1\n- b\n", (2, 1), "check the indentation of this line and of those before it"),
        ("a: [1,\nb: 2", (2, None), None),
        ("a: ]\n", (1, 4), None),
    ],
)
def test_broken_syntax_is_told_in_one_line(text: str, place: tuple[int, int | None], hint: str | None) -> None:
    problem = problem_of(text)
    assert problem.code == "yaml-syntax"
    assert "\n" not in str(problem)
    if yaml_text._LOADER is yaml.CSafeLoader and hint is not None:
        # The parsers differ on where they notice and in their words.
        assert (problem.line, problem.hint) == (place[0], hint)
        assert place[1] in (problem.column, None)


@pytest.mark.parametrize("inside", ["{{", '{{"', ": ", "- {{"])
def test_a_long_line_with_an_error_takes_no_time(inside: str) -> None:
    # A pattern that went back for each of the braces took minutes.
    before = time.process_time()
    problem = problem_of(f'x: "{inside * 20_000}" y\n')
    assert problem.code == "yaml-syntax"
    assert time.process_time() - before < 2


def test_quotes_in_an_expression_are_noticed_far_along_a_line() -> None:
    problem = problem_of(f"""x: ["{"a" * 20_000}", "{{{{ flows."b-c".d }}}}"]\n""")
    if yaml_text._LOADER is yaml.CSafeLoader:
        assert (problem.hint or "").startswith("for double quotes in an expression write single ones")


def test_where_the_broken_thing_begins_is_told() -> None:
    message = problem_of("a: 1\nb:\n  - c\n  d: 2\n").message
    assert message.startswith("this is not YAML: ")
    assert message.endswith("while parsing a block collection that begins in line 3")


def test_an_error_without_a_place_stands_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise yaml.MarkedYAMLError

    monkeypatch.setattr(yaml, "parse", fail)
    assert code_and_place("a") == ("yaml-syntax", 1, 1)


BOMBS = {
    "aliases": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
    "recursive": "&a [*a, &b {c: *b}]",
    "500 brackets": nested(500, "[", "]"),
    "100,000 braces": nested(100_000, "{a: ", "}"),
    "100,000 brackets": "[" * 100_000,
    "100,000 dashes": "- " * 100_000,
    "100,000 question marks": "? " * 100_000,
    "duplicates": "a: 1\n" * 100_000,
    "python": "!!python/object/apply:os.system ['id']",
    "tag directives": "".join(f"%TAG !e{n}! t:{n}\n" for n in range(50_000)),
    "digits": "a: " + "1" * 100_000,
}


@pytest.mark.parametrize("_each_parser", ["C"], indirect=True)  # the one in Python is slow with anything
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(name: str) -> None:
    took: list[float] = []
    for _ in range(3):  # the best of three: others use this machine too
        before = time.perf_counter()
        problems_of(BOMBS[name])
        took.append(time.perf_counter() - before)
    assert min(took) < 0.05


# Places


TEXT = """\
# a comment
sources:
  api: &api
    type: rest
    configuration: {url: x}
  &other other: *api
flow:
- name: first
  output:
  - {name: id}
  -
    name: more
- name: second
  <<: {source: api}
*other : last
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (2, 1)),
        (("sources",), (2, 1)),
        (("sources", "api", "configuration", "url"), (5, 21)),
        (("flow",), (7, 1)),
        (("flow", 0), (8, 3)),
        (("flow", 0, "output", 0, "name"), (10, 6)),
        (("flow", 0, "output", 1), (12, 5)),
        (("flow", 1, "name"), (13, 3)),
        (("other",), (15, 1)),
    ],
)
def test_a_path_stands_at_its_key_or_item(path: Path, place: tuple[int, int]) -> None:
    assert locate(TEXT, [path]) == {path: place}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("nothing",), (2, 1)),
        (("flow", 7, "name"), (7, 1)),
        (("flow", "name"), (7, 1)),
        (("flow", 1, "retry", "max_attempts"), (13, 3)),
        (("flow", 1, "source"), (13, 3)),
        (("sources", 0), (2, 1)),
        (("sources", "other", "type"), (6, 3)),
        (("flow", 0, "name", "deeper"), (8, 3)),
    ],
)
def test_a_path_that_is_not_there_stands_at_its_nearest_ancestor(path: Path, place: tuple[int, int]) -> None:
    assert locate(TEXT, [path]) == {path: place}


def test_many_paths_are_located_together() -> None:
    paths: list[Path] = [("flow", 0, "name"), ("flow", 1, "name"), ("flow",), ()]
    assert locate(TEXT, paths) == {paths[0]: (8, 3), paths[1]: (13, 3), paths[2]: (7, 1), paths[3]: (2, 1)}
    assert locate(TEXT, []) == {}


@pytest.mark.parametrize(("text", "place"), [("", (1, 1)), ("\n\n  word\n", (3, 3)), ("\n[1, 2]", (2, 1))])
def test_every_path_has_a_place_in_every_document(text: str, place: tuple[int, int]) -> None:
    assert locate(text, [("flow", 0)]) == {("flow", 0): place}
