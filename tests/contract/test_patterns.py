"""Regular expressions of documents: contract safety, "no document can stand the program still"."""

import time
from threading import Event, Thread

import pytest

from flowcore.expressions.patterns import compiled
from flowcore.values import Json
from flowcore_adapters import LocalRunner
from flowcore_adapters.sources.patterns import (
    WITHHELD,
    WITHHELD_FROM_TOO_LARGE,
    blacken,
    evaluation_search,
    flaw,
    misspelling,
    search,
)

_HOSTILE = "a" * 60 + "b"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 40_000 + "b"),
        ("(a|a)*$", _HOSTILE),
        ("(?:a{1,1000}){1,1000}b", "a" * 1_000),
        (r"(a+)(\1)+$", "a" * 1_000_000 + "b"),
        ("(.*)(.*)(.*)(.*)[^a]c", "a" * 2_000),
        ("a*a*a*a*a*[^a]c", "a" * 2_000),
        ("(a|ab)*[^ab]c", "ab" * 2_000),
        ("a?" * 40 + "[a-b]" * 40 + "c$", _HOSTILE),
    ],
)
def test_blackening_ends_in_time_and_shows_nothing_that_it_has_not_looked_at(pattern: str, text: str) -> None:
    assert flaw(pattern) is None
    began = time.monotonic()
    found = blacken(text, [pattern])
    took_s = time.monotonic() - began
    assert found in {WITHHELD, text}
    assert took_s < 6


def test_other_threads_go_on_in_the_meantime() -> None:
    done, turns = Event(), 0

    def work() -> None:
        blacken(_HOSTILE, ["(a|a)*$"])
        done.set()

    worker = Thread(target=work)
    worker.start()
    while not done.wait(0.01):
        turns += 1
    worker.join()
    assert turns > 10


def test_all_patterns_share_the_time() -> None:
    began = time.monotonic()
    assert blacken(_HOSTILE, ["(a|a)*$"] * 50) == WITHHELD
    assert time.monotonic() - began < 6


def test_what_matches_is_blackened_by_every_pattern() -> None:
    assert blacken("key=1 token=abc\n", [r"key=\d+", "token=[a-z]+"]) == "*** ***\n"
    assert blacken("text", []) == "text"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is no regular expression: missing ), unterminated subpattern at position 0"),
        (r"\p{Nothing}", "is no regular expression: bad escape \\p at position 0"),
        ("(a{10})){10}", "is no regular expression: unbalanced parenthesis at position 7"),
        ("x" * 10_001, "is longer than 10000 characters, too long for a regular expression"),
        ("(?:" * 2_000 + ")" * 2_000, "cannot be used as a regular expression: maximum recursion depth exceeded"),
    ],
)
def test_what_is_no_regular_expression_says_so(pattern: str, said: str) -> None:
    assert (flaw(pattern) or "").startswith(said)
    with pytest.raises(ValueError, match="regular expression"):
        blacken("x", [pattern])
    with pytest.raises(ValueError, match="regular expression"):
        search(pattern, "x", case_sensitive=False)


@pytest.mark.parametrize(
    "pattern",
    [
        "((a{1000}){1000}){1000}",
        "a{100000000}",
        "(?:[ab]c{300,}){300}",
        # A bracket in a comment is none.
        "(?x)((a{1000}#)\n)){1000}",
        "(?#()((a{1000})){1000}",
        "a{99999999999}",
        # None of these is one for `re`.
        r"(\p{L}{1000}|b){1000}",
        r"[\p{L}{9}]{100000}",
        r"(?x)\p{L}{ 1000000 }",
        r"(?x)(\p{L}{1000}){1000}",
        r"(?<n>\p{L})){1000}(a{1000}){1000}",
    ],
)
def test_counts_that_would_fill_the_memory_are_refused_before_they_do(pattern: str) -> None:
    said = "repeats too much for a regular expression: its counts multiply; write smaller ones"
    assert flaw(pattern) == said
    # A run that was recorded with it goes on, and shows nothing.
    assert misspelling(pattern) is None
    assert blacken("text", [pattern]) == WITHHELD_FROM_TOO_LARGE
    assert misspelling("(") == flaw("(")


@pytest.mark.parametrize(
    ("pattern", "text", "blackened"),
    [
        (r"\p{Lu}+", "ABc", "***c"),
        ("(?<name>x)y", "axyb", "a***b"),
        ("(?<=a+)b", "aab", "aa***"),
        ("a(?i)b", "aBc", "***c"),
        (r"\h+", "a \t\n", "a***\n"),
        (r"\X", "e\u0301", "***"),
        (r"(\p{L}{3}-){2}\d{1,100}[{9}]?", "abc-def-1{", "***"),
        (r"\p{Lu}{1000}", "A", "A"),
        (r"(?:\p{L}{20}-){20}", "A", "A"),
        (r"(?x) \p{L} {2} # and so on", "ab1", "***1"),
    ],
)
def test_what_re_cannot_read_and_regex_can_means_what_regex_says(pattern: str, text: str, blackened: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        compiled(pattern)
    assert flaw(pattern) is None
    assert misspelling(pattern) is None
    assert blacken(text, [pattern]) == blackened
    assert search(pattern, text, case_sensitive=True) is (blackened != text)


@pytest.mark.parametrize(
    "pattern",
    [
        "-".join(f"[0-9a-f]{{{count}}}" for count in (8, 4, 4, 4, 12)) + r"|\d{4}-\d{2}-\d{2}",
        r"\{9{3}\}[{9}]{2}(?:x{1,100}y){1,100}",
        "(?x) a{3} b{2} # and so on",
        "(a{20}b){20}",
        "(?x)a{ 1 0 0 0 0 0 0 0 0 }",
        "(?x) [0-9]{4} - [0-9]{2}  # {9999999} of them",
        "a{1,100000000}",
        "[A-Za-z0-9]{40000}",
    ],
)
def test_counts_in_daily_use_are_let_through(pattern: str) -> None:
    assert flaw(pattern) is None


_TEXTS = (
    *(
        "token{e}",
        "tokem",
        "a{e<=1}",
        "b",
        "x{1}",
        "xx",
        "x{ 2 }",
        "x{2}",
        "{}",
        "[:alpha:]",
        "a]",
        "a:]",
        "q]",
        "-",
        "^",
    ),
    *(
        "e\u0301",
        "e\x1cf",
        "a b",
        "ab",
        "# c",
        "a#b",
        "aa1",
        "\x01",
        "A",
        "n\n",
        "(",
        "a.b",
        "caf\u00e9",
        "na\u00efve x",
        "\u0301 ",
    ),
)


@pytest.mark.parametrize(
    "pattern",
    [
        "token{e}",
        "a{e<=1}",
        "x{1}",
        "x{ 2 }",
        "x{2}",
        "x{,2}y?",
        "(?x) x{ 2 }",
        "(?x) x {2} # and {e}",
        "(?x: a b)#",
        "(?x: a (?-x: ) b)",
        "(?#a{e}[)a",
        "{}",
        "[[:alpha:]]",
        "[]a-]+",
        "[^]a]",
        r"[\w-]+$",
        r"(a)\1{1}",
        r"(?x)(a)\1 1",
        r"\bb",
        r"\Bb",
        r"^\w+$",
        r"\W",
        r"e\sf",
        r"e\S",
        r"[\s]f",
        r"(?a)^\w+$",
        r"\01",
        r"\141",
        r"[\1]",
        r"\x61\N{DIGIT ONE}?",
        "(?P<n>a)(?P=n)",
        "(?i)A",
        "a{1,2}+b",
        "(?(1)a|b)",
    ],
)
def test_a_pattern_means_what_re_says(pattern: str) -> None:
    if "(1)" in pattern:
        pattern = f"(a)?{pattern}"
    expected = [text for text in _TEXTS if compiled(pattern).search(text)]
    assert flaw(pattern) is None
    assert [text for text in _TEXTS if search(pattern, text, case_sensitive=True)] == expected
    assert [text for text in _TEXTS if evaluation_search()(pattern, text)] == expected
    blackened = [text for text in _TEXTS if blacken(text, [pattern]) != text]
    # What `regex` has alone counts too, where that uncovers nothing.
    assert set(blackened) >= set(expected)
    assert blackened == expected or pattern in {"token{e}", "a{e<=1}", "[[:alpha:]]"}


@pytest.mark.parametrize(
    ("pattern", "text", "hidden"),
    [
        ("[[:xdigit:]]{16}", "--token=0123456789abcdef", "0123"),
        ("[^[:alpha:]]{3}", "abc123def", "123"),
        ("(?:secret){e<=1}", "my secrit", "secrit"),
        ("token{e}", "a token{e} b", "token"),
        ("[[:alpha:]]", "[:a]", "a"),
        ("[[:alpha:]]", "x a] y", "a]"),
    ],
)
def test_what_either_reading_finds_is_blackened(pattern: str, text: str, hidden: str) -> None:
    found = blacken(text, [pattern])
    assert hidden not in found
    assert "***" in found


@pytest.mark.parametrize("pattern", ["a*a*a*a*[bc]", "(a+)+[bc]", "(a|aa)+[bc]"])
def test_a_search_of_an_expression_ends_in_time(pattern: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="takes too long on a text of 1000 characters"):
        evaluation_search()(pattern, "a" * 1_000)
    assert time.monotonic() - began < 6


def test_all_searches_of_one_evaluation_share_the_time() -> None:
    look = evaluation_search()
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(ValueError, match="takes too long"):
            look("(a|a)*$", _HOSTILE)
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("pattern", ["[" * 10_000, "[" * 9_999 + "\\", "[]" + "[" * 9_998])
def test_brackets_that_are_never_closed_are_looked_for_once(pattern: str) -> None:
    before = time.process_time()
    assert (flaw(pattern) or "").startswith("is no regular expression")
    assert time.process_time() - before < 1


def test_many_quick_searches_are_no_long_one() -> None:
    look = evaluation_search()
    assert all(look("^[a-z]+$", "word") for _ in range(10_000))


@pytest.mark.parametrize("member", ["when", "input", "for_each", "output"])
def test_a_step_whose_expression_takes_too_long_says_so(member: str) -> None:
    call = "regex_match(@, 'a*a*a*a*[bc]')"
    value = "a" * 1_000
    step: dict[str, Json] = {"name": "b", "source": {"type": "value", "configuration": {"value": value}}}
    if member == "output":
        step["output"] = [{"name": "found", "type": "jmespath", "value": call}]
    else:
        step[member] = f"{{{{ flows.a.v | [{call}] }}}}"
    first: Json = {
        "name": "a",
        "source": {"type": "value", "configuration": {"value": value}},
        "output": [{"name": "v"}],
    }
    runner = LocalRunner({"flow": [first, step]})
    began = time.monotonic()
    runner.run()
    assert time.monotonic() - began < 6
    assert (runner.status.steps["b"].error or "").endswith(
        "the pattern of `regex_match` takes too long on a text of 1000 characters"
    )


def test_patterns_of_daily_use_are_found_in_long_texts() -> None:
    text = "word " * 10_000 + "foo ab-cd bar"
    patterns = (
        ".*foo.*bar.*",
        r"^(\w+\s?)+",
        "(?:[a-z]+-)*[a-z]+ bar$",
        r"\bfoo\b",
        "error.*timeout",
        r"v\d+\.\d+\.\d+",
    )
    found = " ".join(f"{{{{ flows.a.v | regex_match('{pattern}') }}}}" for pattern in patterns)
    flow: dict[str, Json] = {
        "flow": [
            {
                "name": "a",
                "source": {"type": "value", "configuration": {"value": text}},
                "output": [{"name": "v"}],
            },
            {
                "name": "b",
                "source": {"type": "value", "configuration": {"value": found}},
                "output": [{"name": "v"}],
            },
        ]
    }
    runner = LocalRunner(flow)
    runner.run()
    assert runner.flows["b"] == {"v": "True True True True False False"}
