"""Regular expressions of documents: contract safety, "no document can stand the program still"."""

import time
from threading import Event, Thread

import pytest

from flowcore_adapters.sources.patterns import WITHHELD, blacken, flaw, search

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
        ("(", "is no regular expression: missing ) at position 1"),
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
        "(a{1000})){1000}",
        # With other rules a bracket may be none, and a count may have spaces in it.
        "(?x)((a{1000}#)\n){1000}",
        "(?x)a{ 1 0 0 0 0 0 0 0 0 }",
        "(?#()((a{1000})){1000}",
    ],
)
def test_counts_that_would_fill_the_memory_are_refused_before_they_do(pattern: str) -> None:
    said = "repeats too much for a regular expression: its counts multiply; write smaller ones"
    assert flaw(pattern) == said


@pytest.mark.parametrize(
    "pattern",
    [
        "-".join(f"[0-9a-f]{{{count}}}" for count in (8, 4, 4, 4, 12)) + r"|\d{4}-\d{2}-\d{2}",
        r"\{9{3}\}[{9}]{2}(?:x{1,100}y){1,100}",
        "(?x) a{3} b{2} # and so on",
        "(a{20}b){20}",
    ],
)
def test_counts_in_daily_use_are_let_through(pattern: str) -> None:
    assert flaw(pattern) is None
