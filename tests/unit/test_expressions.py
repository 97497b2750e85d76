"""The laws of the expression language: contract status, section 2, and the JMESPath rows of contract safety."""

import json
import re
import time
from collections.abc import Mapping

import pytest

from flowcore.errors import ExpressionError
from flowcore.expressions import (
    Reference,
    Search,
    check_template,
    compile_expression,
    compile_search,
    compile_template,
    constant,
    no_search,
    patient_search,
    spelled,
    to_text,
)
from flowcore.expressions.budget import Meter
from flowcore.expressions.functions import FlowFunctions
from flowcore.expressions.searches import reckoned
from flowcore.expressions.spellings import CALLS, FILTERS
from flowcore.values import Json

USERS: list[Json] = [{"id": 1, "name": "Ada", "age": 36}, {"id": 2, "name": "Bob", "age": 7}]
CONTEXT: Mapping[str, Json] = {
    "flows": {
        "fetch": {"users": USERS, "n": 5, "half": 2.5, "yes": True, "text": " Hi there ", "word": "abc", "none": None}
    },
    "run": {"id": 3, "name": "n", "started_at": None},
    "item": {"k": "v"},
}


def evaluate(text: str) -> Json:
    """Return the value of *text*."""
    return compile_expression(text).evaluate(CONTEXT)


def refusal(text: str) -> str:
    """Return why *text* is refused when it is compiled."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    return str(caught.value)


def trouble(text: str) -> str:
    """Return why *text* has no value."""
    expression = compile_expression(text)
    with pytest.raises(ExpressionError) as caught:
        expression.evaluate(CONTEXT)
    return str(caught.value)


class TestPaths:
    """`flows.fetch.users[0].id` reads the same as in the templates people know."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flows.fetch.users[0].id", 1),
            ("flows.fetch.users[-1].name", "Bob"),
            ("flows.fetch.users[9]", None),
            ("flows.fetch.n[0]", None),
            ("flows.fetch.n.deeper", None),
            ("flows.nobody.x.y", None),
            ("flows.fetch.yes", True),
            ("flows.fetch.half", 2.5),
            ('flows."fetch".n', 5),
            ("item.k", "v"),
            ("run.id", 3),
        ],
    )
    def test_a_path_leads_to_its_value_and_what_is_missing_is_null(self, text: str, value: Json) -> None:
        assert evaluate(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flows.fetch.users[].name", ["Ada", "Bob"]),
            ("flows.fetch.users[?age > `10`].name | [0]", "Ada"),
            ("flows.fetch.users[*].id", [1, 2]),
            ("flows.fetch.users[0:1]", USERS[:1]),
            ("{a: flows.fetch.n, b: [flows.fetch.yes]}", {"a": 5, "b": [True]}),
            ("flows.fetch.word == 'abc' && 'yes' || 'no'", "yes"),
            ("flows.fetch.none || 'dft'", "dft"),
            ("!flows.fetch.none", True),
            ("!flows.fetch.users[0].id", False),
            ("!flows.fetch.users[?id == `9`]", True),
            ("flows.fetch.users[0].* | length", 3),
            ("@.flows.fetch.n | @", 5),
        ],
    )
    def test_all_of_jmespath_is_there(self, text: str, value: Json) -> None:
        if text.startswith("@"):
            assert compile_search(text).evaluate_on(dict(CONTEXT)) == value
        else:
            assert evaluate(text) == value


class TestPipes:
    """After a pipe a function's name applies to what was piped; its subject is what was piped."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flows.fetch.users | length", 2),
            ("flows.fetch.word | upper", "ABC"),
            ("flows.fetch.text | trim | lower", "hi there"),
            ("flows.fetch | tojson | from_json(@) | n", 5),
            ("flows.nobody.x | default('none')", "none"),
            ("flows.fetch.text | trim | replace(' ', '_')", "Hi_there"),
            ("flows.fetch.users[].name | join(', ')", "Ada, Bob"),
            ("flows.fetch.users[].name | join(', ', @)", "Ada, Bob"),
            ("flows.fetch.users | length > `1`", True),
            ("flows.fetch.users | sort_by(&age) | [0].name", "Bob"),
            ("flows.fetch.users | map(&id)", [1, 2]),
            ("flows.fetch.users[0] | keys[0]", "id"),
            ("flows.fetch.word | contains('b')", True),
            ("flows.fetch.text | split", ["Hi", "there"]),
            ("flows.fetch.word | split('b')", ["a", "c"]),
            ("flows.fetch.half | round", 2),
            ("`3.14159` | round(`2`)", 3.14),
            ("flows.fetch.word | [upper(@), lower(@)]", ["ABC", "abc"]),
            ("flows.fetch.users | [0]", USERS[0]),
            ("flows.fetch | word", "abc"),
            ("flows.fetch.n | not_null(@, `1`)", 5),
            ("flows.fetch.word | `1`", 1),
            ("flows.fetch | upper(word)", "ABC"),
            ("flows.fetch | @.word", "abc"),
        ],
    )
    def test_daily_habits_keep_working(self, text: str, value: Json) -> None:
        assert evaluate(text) == value


class TestFunctions:
    """Functions for daily use beside JMESPath's own."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('to_json(`[1, "ä"]`)', '[1, "ä"]'),
            ("int('42')", 42),
            ("int(' 7 ')", 7),
            ("int(`2.9`)", 2),
            ("int(`true`)", 1),
            ('unique(`[1, 2, 1, {"a": 1}, {"a": 1}]`)', [1, 2, {"a": 1}]),
            ("regex_match('abc', '^a.c$')", True),
            ("regex_match('abc', 'x')", False),
            ("regex_match('a1b22', '[a-z]+\\d*[a-z]+')", True),
            ("regex_match('aXb', '(a|b)X')", True),
            ("regex_match('aaa', 'a{2,3}')", True),
            ("regex_match('()', '\\(\\)')", True),
            ("regex_match(')', ')')", None),
        ],
    )
    def test_what_they_give(self, text: str, value: Json) -> None:
        if value is None:
            assert "no regular expression" in trouble(text)
        else:
            assert evaluate(text) == value

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("from_json('nope')", "`from_json` got text that is no JSON: 'nope'"),
            ("from_json('[NaN]')", "`from_json` got text that is no JSON: '[NaN]'"),
            ("int('x')", "`int` got 'x', which is no whole number"),
            ("split('a', '')", "`split` needs a separator: a text that is not empty (`x | split` splits at spaces)"),
            ("split('a', `1`)", "`split` needs a separator: a text that is not empty (`x | split` splits at spaces)"),
            ("round(`1.5`, `true`)", "`round` takes a whole number of digits"),
            ("round(`1.5`, 'x')", "`round` takes a whole number of digits"),
            ("upper(`1`)", "`upper` takes string, but got number"),
            (
                "join(', ', [`1`])",
                "`join` takes a list of texts, but got a number in it (`map(&to_string(@), x)` makes a list of texts)",
            ),
            ("sum(['x'])", "`sum` takes a list of numbers, but got a text in it"),
            (
                "length(flows.nobody.x)",
                "but got null (what it looks at is missing: write `x | default('') | length`)",
            ),
            ("regex_match('a', '(a+)+')", "repeats a group that itself repeats or branches"),
            ("regex_match('a', '((a|b))*')", "repeats a group that itself repeats or branches"),
            ("regex_match('a', '(a*){9}')", "repeats a group that itself repeats or branches"),
            ("regex_match('a', '(aa?)+')", "repeats a group that itself repeats or branches"),
            ("regex_match('a', '[')", "is no regular expression"),
        ],
    )
    def test_what_they_cannot_use_is_said_in_words(self, text: str, message: str) -> None:
        assert message in trouble(text)

    def test_a_pattern_that_is_too_long_or_meets_too_much_text_is_refused(self) -> None:
        for searches in (no_search, patient_search):
            search = compile_search("regex_match(text, pattern)", searches)
            with pytest.raises(ExpressionError, match="longer than 1000 characters"):
                search.evaluate_on({"text": "a", "pattern": "a" * 1001})
            with pytest.raises(ExpressionError, match="no more than 100000 characters"):
                search.evaluate_on({"text": "a" * 100_001, "pattern": "a"})

    @pytest.mark.parametrize(
        ("pattern", "length"),
        [
            (r"^[\w.+-]+@[\w-]+\.[\w.-]+$", 50),
            (r"^https?://[^/\s]+/\S*$", 100),
            (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z?$", 1_000),
            ("-".join(f"[0-9a-f]{{{count}}}" for count in (8, 4, 4, 4, 12)), 10_000),
            (r"v\d+\.\d+\.\d+", 50),
            (".*foo.*bar.*", 50),
            ("^(?:GET|POST|PUT) /api/", 100_000),
            ("error|warning|fatal", 100_000),
            (r"^\s*$", 200),
            (r"\.(?:jpe?g|png|gif)$", 10_000),
            (r"(?x) [0-9]+ \. [0-9]+  # a number", 200),
            (r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", 10_000),
            ("(a{2}){2}b", 100_000),
            ("x{0,99}y{0,99}", 100),
            ("(?:a)[*+?{|]\\|b", 100_000),
            (r"(['\"]).*\1", 200),
            (r"(?P<day>\d\d)-(?P=day)", 1_000),
        ],
    )
    def test_patterns_of_daily_use_are_quick_enough_to_be_looked_for_at_once(self, pattern: str, length: int) -> None:
        expected = re.search(pattern, "." * length) is not None
        search = compile_search("regex_match(text, pattern)")
        assert search.evaluate_on({"text": "." * length, "pattern": pattern}) is expected

    @pytest.mark.parametrize(
        ("pattern", "length"),
        [
            ("a*a{3,}a*b", 1_000),
            ("a*b", 100_000),
            ("a{50000}b", 100_000),
            ("a?" * 40 + "b", 10),
            ("(a|a)" * 40 + "b", 10),
            ("x{0,999}y{0,1000}", 100),
            ("(?:a*b?)" * 30, 100),
            (r"(.+)\1z", 300),
            (r"(?=(?P<x>.+)(?P=x)\1z)", 200),
            (r"(.{1,99})\1z", 1_000),
        ],
    )
    def test_a_pattern_that_could_take_long_is_for_a_search_that_ends_in_time(self, pattern: str, length: int) -> None:
        asked: list[tuple[str, int]] = []

        def search(pattern: str, text: str) -> bool:
            asked.append((pattern, len(text)))
            return True

        given = {"text": "a" * length, "pattern": pattern}
        assert compile_search("regex_match(text, pattern)", lambda: search).evaluate_on(given) is True
        assert asked == [(pattern, length)]
        message = f"`regex_match` could take too long on {length} characters"
        with pytest.raises(ExpressionError, match=message):
            compile_search("regex_match(text, pattern)").evaluate_on(given)

    def test_many_searches_together_take_as_long_as_one(self) -> None:
        begun: list[None] = []
        asked: list[str] = []

        def look(pattern: str, text: str) -> bool:
            asked.append(f"{pattern} {len(text)}")
            return True

        def searches() -> Search:
            begun.append(None)
            return look

        search = compile_search("map(&regex_match(@, '[a-z]+'), @)", searches)
        assert search.evaluate_on(["x" * 1_000] * 15) == [True] * 15
        assert (len(begun), asked) == (1, ["[a-z]+ 1000"] * 5)
        # Each evaluation has its own.
        assert search.evaluate_on(["x" * 1_000] * 10) == [True] * 10
        assert (len(begun), len(asked)) == (1, 5)

    def test_a_search_that_takes_too_long_says_so(self) -> None:
        def search(pattern: str, text: str) -> bool:
            raise ValueError(f"takes too long on {len(text)} {pattern[0]}")

        given = compile_search("regex_match(@, '(a+)+')", lambda: search)
        with pytest.raises(ExpressionError, match="the pattern of `regex_match` takes too long on 3 "):
            given.evaluate_on("aaa")

    def test_a_patient_search_takes_the_time_that_it_takes(self) -> None:
        search = compile_search("regex_match(@, '(a+)+b')", patient_search)
        assert search.evaluate_on("aaab") is True
        assert search.evaluate_on("aaac") is False

    @pytest.mark.parametrize(
        ("pattern", "unbounded", "choices", "nested"),
        [
            (r"v\d+\.\d+\.\d+", 3, 1, False),
            ("a*?b{1}c{,9}|d", 1, 20, False),
            ("a?" * 3, 0, 8, False),
            ("(a|a)(a|b|c)", 0, 6, False),
            ("x{0,999}y{1,1000}", 0, 1_000_000, False),
            ("(a+)+", 2, 1, True),
            ("((a|b))*", 1, 2, True),
            (r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", 0, 81, False),
            ("((a|b){2}c?)?d{0}", 0, 16, False),
            ("(a|b){9999999}", 0, 1e12, False),
            ("(a|b)?+", 0, 4, False),
            ("(a*){9}", 1, 1, True),
            ("(aa?)+", 1, 2, True),
            ("(a+){1}b", 1, 1, False),
            ("(?x)(a+) +", 2, 1, True),
            ("(a+)(?#c)+", 2, 1, True),
            (r"(a\+)+[+(]+", 2, 1, False),
            ("(?P<n>a)(?P=n)*", 1, 1, False),
        ],
    )
    def test_what_a_pattern_may_take_is_reckoned(
        self, pattern: str, unbounded: int, choices: int, nested: bool
    ) -> None:
        found = reckoned(pattern)
        assert (found.unbounded, found.choices, found.nested) == (unbounded, choices, nested)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("uper(flows.a.b)", "there is no function `uper` (did you mean `upper`?)"),
            ("upper(flows.a.b, 'x')", "`upper` takes 1 argument, not 2 (write `x | upper`)"),
            ("replace(flows.a.b, 'x')", "`replace` takes 3 arguments, not 2 (write `x | replace('a', 'b')`)"),
            ("split(flows.a.b, 'x', 'y')", "`split` takes 1 to 2 arguments, not 3 (write `x | split(',')`)"),
            ("not_null()", "`not_null` takes at least 1 argument, not 0 (write `x | not_null`)"),
            ("flows.a.b | uper('x')", "there is no function `uper` (did you mean `upper`?)"),
            ("flows.a.b.upper()", "`upper` cannot be called behind a dot (write `x | upper`)"),
            ("flows.a.b.split(',')", "`split` cannot be called behind a dot (write `x | split(',')`)"),
            ("flows.a.b.contains(c)", "`contains` takes 2 arguments, not 1 (write `x | contains('a')`)"),
            ("flows.a.b.items()", "there is no function `items` (write `x | keys` or `x | values`)"),
            ("flows.a.b.get('c')", "there is no function `get` (write `x.name`)"),
            (
                "flows.a.b | default()",
                (
                    "`default` takes 2 arguments, not 1 (write `x | default('none')`, which stands in for null alone;"
                    " `x || 'none'` also for what is empty)"
                ),
            ),
            (
                "flows.a.b | map('name')",
                "`map` takes what to look at in each item, with `&` before it (write `x | map(&name)`)",
            ),
            (
                "sort_by(flows.a.b, age)",
                "`sort_by` takes what to look at in each item, with `&` before it (write `x | sort_by(&name)`)",
            ),
        ],
    )
    def test_a_call_that_cannot_work_is_refused_at_load(self, text: str, message: str) -> None:
        assert refusal(text) == message

    def test_a_misspelt_function_after_a_pipe_is_no_field(self) -> None:
        assert refusal("flows.a.b | lenght") == (
            "there is no function `lenght` to pipe into"
            " (did you mean `length`? If not: a field of that name is written `x.lenght`, or after a pipe `@.lenght`)"
        )
        compile_expression("flows.a.b | name")
        assert "(did you mean `to_json`, or `from_json` for what a text spells? If not: a field" in refusal(
            "flows.a.b | json"
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "flows.a | default.x",
                (
                    "`default` after a pipe is the function, and takes more than what is piped (write"
                    " `x | default('none')`; a field of that name is written `x.default`, or after a pipe `@.default`)"
                ),
            ),
            ("flows.a.x | join", "(write `x | join(', ')`; a field of that name is written `x.join`"),
            (
                "flows.a | length.x",
                (
                    "`length` after a pipe is the function, and what it gives has no fields (a field of that name is"
                    " written `x.length`, or after a pipe `@.length`)"
                ),
            ),
            ("flows.a | keys.x[0]", "or after a pipe `@.keys`)"),
            (
                "flows.a.x | default('y', `true`)",
                "`default` has all its arguments already, so what was piped is lost (write `x | default('none')`,",
            ),
            ("flows.a.x | default('y', true)", "so what was piped is lost"),
            ("flows.a.x | int(`0`)", "so what was piped is lost (write `x | int`)"),
            (
                "flows.a.x | contains(flows.b.y)",
                (
                    "`flows` is looked for in what was piped (for a value from elsewhere write `contains(x, y)`"
                    " without a pipe, for a field `@.flows`)"
                ),
            ),
            ("flows.a.x | join(secrets.glue)", "write `join(y, x)` without a pipe"),
            ("flows.a.x | default([])", "`[]` takes apart what was piped (an empty list is written `` `[]` ``)"),
        ],
    )
    def test_what_could_only_give_null_after_a_pipe_is_refused(self, text: str, message: str) -> None:
        assert message in refusal(text)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flows.fetch | @.word | length", 3),
            ("flows.fetch.users | keys[0]", None),
            ("flows.fetch.users[0] | keys[0]", "id"),
            ("flows.fetch | to_json | from_json.n", 5),
            ("flows.fetch | contains(word, 'b')", True),
            ("flows.fetch | length(users)", 2),
            ("flows.fetch | join(word, ['a', 'b'])", "aabcb"),
            ("flows.fetch | merge(users[0]) | id", 1),
            ("flows.fetch.none | default(`[]`)", []),
            ("flows.fetch.users | map(&name)", ["Ada", "Bob"]),
        ],
    )
    def test_what_looks_at_what_was_piped_is_not(self, text: str, value: Json) -> None:
        if value is None:
            assert "`keys` takes object" in trouble(text)
        else:
            assert evaluate(text) == value

    @pytest.mark.parametrize(
        ("text", "counterpart"),
        [
            ("x | first", "write `x | [0]`"),
            ("x | first.name", "write `x | [0]`"),
            ("(x | first).name", "write `x | [0]`"),
            ("x | last || 'none'", "write `x | [-1]`"),
            ("x | unique | list", "leave it away"),
            ("x | count > `3`", "write `x | length`"),
            ("x | float", "write `x | to_number`"),
            ("x | title", "there is no counterpart"),
            ("x | dictsort", "write `x | sort(keys(@))`"),
            ("x | e", "nothing is escaped here"),
            ("x | urlencode", "encodes its `params` itself"),
            ("x | random", "there is no counterpart"),
            ("x | wordcount", "write `x | split | length`"),
            ("x | strip", "write `x | trim`"),
            ("x | len", "write `x | length`"),
            ("x | bool", "a condition takes any value as it is"),
        ],
    )
    def test_a_filter_of_others_after_a_pipe_is_no_field(self, text: str, counterpart: str) -> None:
        for read in (compile_expression, compile_search):
            with pytest.raises(ExpressionError, match=r"there is no function `[a-z]+` to pipe into") as caught:
                read(f"flows.a.{text}" if text[0] == "x" else text)
            assert counterpart in str(caught.value)
            assert "; a field of that name is written `x." in str(caught.value)

    def test_every_counterpart_can_be_read_and_is_needed(self) -> None:
        for name, counterpart in {**FILTERS, **CALLS}.items():
            assert name not in FlowFunctions.FUNCTION_TABLE
            for spelling in re.findall(r"write `([^`]+)`", counterpart):
                compile_search(spelling)

    @pytest.mark.parametrize(
        "text",
        ["flows.a.first", "flows.a.first.last", "flows.a | @.first", "flows.a | items[0].id", "flows.a.x[?size].count"],
    )
    def test_a_field_of_that_name_stays_one(self, text: str) -> None:
        assert compile_expression(text).references[0].names[0] == "a"

    def test_a_call_of_a_filter_of_others_is_told_its_counterpart(self) -> None:
        assert refusal("flows.a.x | float('1')") == "there is no function `float` (write `x | to_number`)"

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("flows.a.x | default(none)", "null"),
            ("default(flows.a.x, None)", "null"),
            ("flows.a.x == true", "true"),
            ("flows.a.x[?y != False]", "false"),
        ],
    )
    def test_a_word_of_others_is_no_field(self, text: str, written: str) -> None:
        assert f"write `` `{written}` `` in backticks" in refusal(text)

    @pytest.mark.parametrize("fallback", ["other", "flows.b.x", "flows.b.x[0]"])
    def test_a_fallback_from_elsewhere_stands_behind_bars(self, fallback: str) -> None:
        assert "write `x || y`" in refusal(f"flows.a.x | default({fallback})")
        compile_expression(f"default(flows.a.x, {fallback})")

    def test_an_unknown_function_far_from_any_lists_those_there_are(self) -> None:
        assert "known: abs, avg" in refusal("qqqqqqqq(flows.a.b)")


class TestRefusals:
    """Jinja-only spellings are refused with the JMESPath spelling beside."""

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("a.x if a.y else a.z", "`condition && a || b`"),
            ("a.x is defined", "what is missing is null"),
            ("a.x in a.y", "`contains(list, value)`"),
            ("a.x and a.y", "`&&` for and"),
            ("not a.x", "`!` for not"),
            ("a['k']", "write `x.key`"),
            ("a.x > 3", "a number is written in backticks"),
            ("3 > a.x", "a number is written in backticks"),
            ("a.x | round(2)", "a number is written in backticks"),
            ("a.x + a.y", "there is no arithmetic"),
            ("a.x - 1", "there is no arithmetic"),
            ("a.x ~ 'b'", "there is no arithmetic"),
            ("a.x // a.y", "there is no arithmetic"),
            ("- x -", "write `{{ x }}` without the dash"),
            ("x -", "write `{{ x }}` without the dash"),
            ("a.x ? 'b' : 'c'", "for a choice write `condition && a || b`"),
            ("a.x ?? 'b'", "for what stands in for null write `a || b`"),
            ("a.x[?y] ? 'b' : 'c'", "for a choice write `condition && a || b`"),
            ("$.users[0]", "that is JSONPath"),
            ("let $x = a.b in $x", "there is no `let`"),
            ("map(attribute='x', a.b)", "what a function takes has no names"),
            ("a.x = 'b'", "equal is written `==`"),
            ("a.x | tojson(indent=2)", "write `x | to_json`: it takes nothing else"),
            ("a.x | to_json(2)", "write `x | to_json`: it takes nothing else"),
            ("a.x | sort(reverse=1)", "what a function takes has no names"),
            ("a.x | default(0)", "a number is written in backticks: `` `0` ``"),
            ("a.x | default({})", "an empty mapping is written `` `{}` ``"),
            ("a.x | truncate(20)", "there is no function `truncate`: there is no counterpart"),
            ("a.x | selectattr('y', 'eq', 1)", "there is no function `selectattr`: write `x[?condition]`"),
            ("range(3)", "there is no function `range`"),
            ("a.x | round(2)", "a number is written in backticks: `` `2` ``"),
            ('a.x | default("none")', "write 'none' in single quotes"),
            ('a.x == "none"', "write 'none' in single quotes"),
        ],
    )
    def test_jinja_is_translated(self, text: str, hint: str) -> None:
        assert hint in refusal(text)

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("flows.fetch-users.o", '(such a name stands in double quotes: write `flows."fetch-users".o`)'),
            ("flows.sign-in.token", 'write `flows."sign-in".token`'),
            ("!flows.opt-in.x | default('a-b')", 'write `flows."opt-in".x`'),
            ("flows.step-1.o", 'write `flows."step-1".o`'),
            ("flows.2fa.token", 'write `flows."2fa".token`'),
            ("flows.prüfen.o", 'write `flows."prüfen".o`'),
            ("flows.a.user-id[0]", 'write `flows.a."user-id"`'),
            ("sources.my-env.TOKEN", 'write `sources."my-env".TOKEN`'),
            ("secrets.api-key", 'write `secrets."api-key"`'),
            ("item.user-id.x", 'write `item."user-id".x`'),
            ("flows.a-b.c == 'x' and flows.d.e", 'write `flows."a-b".c`'),
            ('flows."a-b".user-id', '"user-id"`; there is no arithmetic)'),
            ("user-id", '(a name with a hyphen stands in double quotes, `"user-id"`; there is no arithmetic)'),
            ("flows.a.x | sort_by(&last-name)", 'in double quotes, `"last-name"`'),
            ("flows.a.n-1", "(there is no arithmetic"),
            ("item.n-1", "(there is no arithmetic"),
            ("flows.a.n-flows.b.n", "(there is no arithmetic"),
            ("flows.a.n - x", "(there is no arithmetic"),
            ('flows."sign-in".x + `1`', "(there is no arithmetic"),
            ("'a' + flows.a.x", "(there is no arithmetic"),
            ("flows.'sign-in'.x", """write `x.key`, or `x."a key"`"""),
            ('flows["sign-in"].x', """write `x.key`, or `x."a key"`"""),
        ],
    )
    def test_a_hyphen_in_a_name_is_no_minus(self, text: str, hint: str) -> None:
        assert hint in refusal(text)

    @pytest.mark.parametrize(
        ("name", "written"),
        [("a", "a"), ("_1", "_1"), ("a-b", '"a-b"'), ("1", '"1"'), ('a"b', '"a\\"b"'), ("ä", '"ä"'), ("", '""')],
    )
    def test_a_name_is_spelled_so_that_it_can_be_read(self, name: str, written: str) -> None:
        assert spelled(name) == written
        assert compile_expression(f"flows.{written}").references == (Reference("flows", (name,)),)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the expression is empty"),
            ("a.b ; c", "`a.b ; c` is no JMESPath at character 5: unknown token ;"),
            ("  a #", "`a #` is no JMESPath at character 3: unknown token #"),
            ("a[?b == 'c]", "is no JMESPath at character 9: unclosed ' delimiter"),
            ("a[[", "`a[[` is no JMESPath at character 3: expecting: star, got: lbracket"),
            ("a.", "`a.` is no JMESPath"),
            ("a" * 4097, "the expression is longer than 4096 characters"),
            ("!" * 4000 + "a", "the expression is nested deeper than 50 levels"),
            (" | ".join(["a.b"] * 60), "the expression is nested deeper than 50 levels"),
            ("@", "`@` alone means everything there is"),
            ("length(@)", "`@` alone means everything there is"),
            ("[0]", "`@` alone means everything there is"),
            ("a." + "b" * 200 + "[[", "..."),
        ],
    )
    def test_what_cannot_be_read_is_refused_at_load(self, text: str, message: str) -> None:
        assert message in refusal(text)


class TestReferences:
    """Dependencies are read from the parsed expression wherever it stands, never by regex."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("flows.a.b", [("flows", "a", "b")]),
            ("flows.a.users[0].id", [("flows", "a", "users")]),
            ("flows.a.users[].id | length", [("flows", "a", "users")]),
            ("flows.a.users[?flows.x.y].id", [("flows", "a", "users")]),
            ("flows.a.b || flows.c.d", [("flows", "a", "b"), ("flows", "c", "d")]),
            ("flows.a.b && !flows.a.b", [("flows", "a", "b")]),
            ("join(', ', [flows.a.b, sources.e.V])", [("flows", "a", "b"), ("sources", "e", "V")]),
            ("{x: flows.a.b}.x", [("flows", "a", "b")]),
            ("map(&flows.x.y, flows.a.b)", [("flows", "a", "b")]),
            ("flows", [("flows",)]),
            ("flows.*", [("flows",)]),
            ("keys(flows)", [("flows",)]),
            ("flows.a.*.x", [("flows", "a")]),
            ("flows.a.{x: y}", [("flows", "a")]),
            ("name", [("name",)]),
            ("'flows.a.b'", []),
            ("flows.a.b == `1`", [("flows", "a", "b")]),
        ],
    )
    def test_only_names_at_the_top_count(self, text: str, found: list[tuple[str, ...]]) -> None:
        expected = tuple(Reference(root, names) for root, *rest in found for names in [tuple(rest)])
        assert compile_expression(text).references == expected

    def test_a_search_has_none(self) -> None:
        assert compile_search("flows.a.b").references == ()


class TestBudget:
    """A JMESPath bomb is stopped by budget, with a named error."""

    @pytest.mark.parametrize(
        "stages",
        [
            ["[@,@]"] * 40,
            ["{a: @, b: @}"] * 30,
            ["[@,@]"] * 20 + ["to_string"],
            ["[[@,@],[@,@]][]"] * 30,
            ["[@,@][]"] * 40,
        ],
    )
    def test_doubling_is_stopped(self, stages: list[str]) -> None:
        assert "larger than 10 MB" in trouble(" | ".join(["flows.fetch.users", *stages]))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (" | ".join(["flows.fetch.word", *["join('', [@,@])"] * 39]), "larger than 10 MB"),
            ("join(x, y)", "`join` would make a text of more than 10 MB"),
            ("replace(x, 'x', x)", "`replace` would make a text of more than 10 MB"),
        ],
    )
    def test_text_that_grows_is_stopped(self, text: str, message: str) -> None:
        context: Mapping[str, Json] = {**CONTEXT, "x": "x" * 10_000, "y": ["y"] * 2_000}
        with pytest.raises(ExpressionError, match=message):
            compile_expression(text).evaluate(context)

    def test_a_value_too_deep_to_measure_is_refused(self) -> None:
        value: Json = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(ExpressionError, match="nested too deeply"):
            Meter().check(value)

    def test_what_json_cannot_hold_is_no_result(self) -> None:
        assert "gave no value that JSON can hold" in trouble("to_number('1e999')")

    def test_a_fault_of_an_operation_is_said(self) -> None:
        assert trouble("flows.fetch.users[::0]") == (
            "`flows.fetch.users[::0]` cannot be evaluated: slice step cannot be zero"
        )

    def test_a_search_looks_at_any_data(self) -> None:
        assert compile_search("[1]").evaluate_on(["a", "b"]) == "b"
        assert compile_search("@").evaluate_on(3) == 3


class TestTemplates:
    """A lone expression keeps the value's type; otherwise values are written into the text."""

    @pytest.mark.parametrize(
        ("value", "rendered"),
        [
            ("{{ flows.fetch.n }}", 5),
            ("  {{ flows.fetch.users }}  ", USERS),
            ("{{ flows.fetch.none }}", None),
            ("n={{ flows.fetch.n }}", "n=5"),
            ("{{ flows.fetch.word }}{{ flows.fetch.word }}", "abcabc"),
            ("{{ flows.fetch.yes }}!", "True!"),
            ("{{ flows.fetch.users[0] }}.", '{"id": 1, "name": "Ada", "age": 36}.'),
            ({"a": ["{{ flows.fetch.n }}", "k"], "b": 1}, {"a": [5, "k"], "b": 1}),
            (["x", ("{{ flows.fetch.n }}",)], ["x", [5]]),
            ("{{ {a: {b: flows.fetch.n}} }}", {"a": {"b": 5}}),
            ("{{ '}}' }}{{ '{{' }}", "}}{{"),
            ("{{ 'it\\'s' }}", "it's"),
            ("echo ${#x} {not} one}}", "echo ${#x} {not} one}}"),
            ({"{{ key }}": 1}, {"{{ key }}": 1}),
            (7, 7),
            (None, None),
        ],
    )
    def test_what_comes_of_a_value(self, value: Json, rendered: Json) -> None:
        assert compile_template(value).render(CONTEXT) == rendered

    def test_a_value_without_expressions_is_itself(self) -> None:
        value: Json = {"a": [1, "b", {"c": None}]}
        template = compile_template(value)
        assert template.constant
        assert template.render({}) is value

    def test_null_has_no_place_inside_a_text(self) -> None:
        with pytest.raises(ExpressionError) as caught:
            compile_template("x {{ flows.nobody.y }}").render(CONTEXT)
        assert str(caught.value) == (
            "`flows.nobody.y` is null, which has no place inside a text (write `flows.nobody.y | default('')`)"
        )

    def test_a_text_that_grows_too_large_is_refused(self) -> None:
        template = compile_template("{{ x }}" * 11)
        with pytest.raises(ExpressionError, match="larger than 10 MB"):
            template.render({"x": "x" * 1_000_000})

    def test_references_are_gathered_once_each(self) -> None:
        template = compile_template({"a": "{{ flows.a.b }} {{ flows.a.b }}", "c": ["{{ flows.c.d }}"]})
        assert template.references == (Reference("flows", ("a", "b")), Reference("flows", ("c", "d")))

    def test_everything_wrong_is_told_with_its_place(self) -> None:
        found, errors = check_template({"a": ["ok", "{{ a[[ }}"], "b": "{{ x['k'] }}", "c": "{{ open", "d": "{{ e }}"})
        assert found == (Reference("e", ()),)
        assert [path for path, _ in errors] == [("a", 1), ("b",), ("c",)]
        with pytest.raises(ExpressionError):
            compile_template("{{ a[[ }}")

    @pytest.mark.parametrize(
        ("text", "told", "found"),
        [
            (
                "{{ x['k'] }} {{ 'a' if b else 'c' }} {{ sound.one }} {% if x %} {% set y = 1 %}{% endif %}",
                ["`x['k']`", "`'a' if b else 'c'`", "`{% if x %}`", "`{% set y = 1 %}`"],
                (),
            ),
            ("{{ x['k'] }} {{ sound.one }} {{ y['k'] }}", ["`x['k']`", "`y['k']`"], ("sound",)),
            ("{{ x['k'] }} {{ open", ["`x['k']`", "`{{ open`"], ()),
            ("a{% endif %}{% else %}", ["`{% endif %}`"], ()),
        ],
    )
    def test_every_fault_of_one_text_is_told(self, text: str, told: list[str], found: tuple[str, ...]) -> None:
        references, errors = check_template(text)
        assert [error.message.split(" is no ")[0].split(" opens ")[0] for _, error in errors] == told
        assert tuple(reference.root for reference in references) == found

    @pytest.mark.parametrize(
        ("text", "count", "last"),
        [
            ("{{ x['k'] }}" * 20_000, 1, "`x['k']` is no JMESPath"),
            ("".join(f"{{{{ x['{n}'] }}}}" for n in range(20)), 20, "`x['19']` is no JMESPath"),
            (
                "".join(f"{{{{ x['{n}'] }}}}" for n in range(20_000)),
                21,
                "20 expressions of this text are wrong; 19980 more were not looked at (mend those first)",
            ),
            ("{% if x %}" * 20, 20, "`{% if x %}` is no expression"),
            ("{% if x %}" * 20_000, 21, "19980 more `{% ... %}` of this text are none either"),
            ("{% if x " * 20_000 + "%}", 1, "`{% if x %}` is no expression"),
        ],
    )
    def test_of_very_many_faults_in_one_text_the_first_are_told(self, text: str, count: int, last: str) -> None:
        began = time.process_time()
        _found, errors = check_template(text)
        took_s = time.process_time() - began
        assert len(errors) == count
        assert str(errors[-1][1]).startswith(last)
        # Every one of them takes 0.1 ms, and a search from each to the end of the text 10 s in all.
        assert took_s < 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{% if x %}a{% endif %}", "give the step a `when`"),
            ("{%- for x in y %}", "give it a `for_each`"),
            ("{% set x = 1 %}", "let a step of its own compute the value"),
            ("{% include 'x' %}", "only `{{ expressions }}` are known here"),
            ("{{ a", "opens an expression that is never closed"),
            ("{{ 'a }}", "opens an expression that is never closed"),
            ("{{ {a: b }}", "opens an expression that is never closed"),
        ],
    )
    def test_what_is_no_template_is_refused(self, text: str, message: str) -> None:
        with pytest.raises(ExpressionError, match=message.replace("{", r"\{").replace("`", "`")):
            compile_template(text)

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a", "a"),
            (None, ""),
            (True, "True"),
            (1, "1"),
            (1.5, "1.5"),
            ([1, "ä"], '[1, "ä"]'),
            ({"a": None}, '{"a": null}'),
        ],
    )
    def test_a_value_as_text(self, value: Json, text: str) -> None:
        assert to_text(value) == text

    def test_a_rendered_value_is_never_rendered_again(self) -> None:
        assert compile_template("{{ x }}").render({"x": "{{ y }}", "y": 1}) == "{{ y }}"

    def test_output_is_json(self) -> None:
        assert json.loads(to_text({"a": [1]})) == {"a": [1]}


def test_in_a_constant_no_braces_mean_anything() -> None:
    template = constant({"a": "{{ flows.a.b }}"})
    assert (template.constant, template.references) == (True, ())
    assert template.render({}) == {"a": "{{ flows.a.b }}"}


class TestRecorded:
    """A flow that was recorded by an earlier version goes on as it did: only what cannot be evaluated is refused."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flows.fetch.word.split('a,b', ',')", ["a", "b"]),
            ("flows.fetch.n | int('7')", 7),
            ("flows.fetch.text | length.x", None),
            ("flows.fetch.users | first", None),
            ("flows.fetch.none | default(none)", None),
            ("flows.fetch.none | default('x', `true`)", "x"),
            ("flows.fetch.users | lenght", None),
            ('flows.fetch.none | default("word")', None),
            ("flows.fetch.yes == true", False),
        ],
    )
    def test_what_is_refused_in_documents_may_be_evaluated(self, text: str, value: Json) -> None:
        with pytest.raises(ExpressionError):
            compile_expression(text)
        assert compile_expression(text, recorded=True).evaluate(CONTEXT) == value
        assert compile_template(f"{{{{ {text} }}}}", recorded=True).render(CONTEXT) == value

    def test_a_search(self) -> None:
        with pytest.raises(ExpressionError):
            compile_search("word | split('a,b', ',')")
        assert compile_search("word | split('a,b', ',')", recorded=True).evaluate_on({"word": 1}) == ["a", "b"]

    @pytest.mark.parametrize("text", ["flows.fetch.", "nothing(flows.fetch.n)", "length()", "", "x | sortt(@)"])
    def test_what_cannot_be_evaluated_is_refused(self, text: str) -> None:
        with pytest.raises(ExpressionError):
            compile_expression(text, recorded=True)


def test_what_was_meant_by_a_long_expression_is_looked_for_at_its_beginning() -> None:
    with pytest.raises(ExpressionError) as near:
        compile_template("{{ a ?? b " + "0" * 4_000 + " }}")
    assert near.value.hint == "for what stands in for null write `a || b`"
    with pytest.raises(ExpressionError) as far:
        compile_template("{{ a b" + "0" * 4_000 + " ?? c }}")
    assert far.value.hint is None
