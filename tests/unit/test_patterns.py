"""The laws of the parts of a pattern: they say what `re` says, however it was spelled."""

import re

import pytest

from flowcore.expressions.patterns import Kind, compiled, parts, written_out

TEXTS = (
    "",
    "a",
    "aa",
    "ab",
    "a b",
    "b1",
    "a#",
    "x{1}",
    "xx",
    "{e}",
    "]",
    "-",
    "^",
    "\x01",
    "a1",
    "aa1",
    ":",
    "(",
    "a\nb",
    "a\\",
)


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("abc", "abc"),
        ("a.b^c$", "a.b^c$"),
        ("token{e}", r"token\{e\}"),
        ("{}{ 1 }", r"\{\}\{\ 1\ \}"),
        ("x{2}y{,3}z{4,}w{5,6}", "x{2,2}y{0,3}z{4,}w{5,6}"),
        ("a*b+?c?+d{1}?", "a*b+?c?+d{1,1}?"),
        ("(?x) a {2} # {e}\n b\\ [ #]", r"(?x)a{2,2}b\ [\ \#]"),
        ("(?x)a # b\\\nc\nd", "(?x)ad"),
        ("(?x:a b)c d", r"(?x:ab)c\ d"),
        ("(?x)a (?-x:b c) d", r"(?x)a(?-x:b\ c)d"),
        ("(?x)a (b c) (?i: d)", "(?x)a(bc)(?i:d)"),
        ("a(?#(b[)c", "ac"),
        (r"a(?#b\)c)d", "ad"),
        ("(?x)a # the end", "(?x)a"),
        ("(a|b)|(?:c)", "(a|b)|(?:c)"),
        ("(?P<n>a)(?P=n)(?(n)b|c)", "(?P<n>a)(?P=n)(?(n)b|c)"),
        ("(?=a)(?!b)(?<=c)(?<!d)(?>e)", "(?=a)(?!b)(?<=c)(?<!d)(?>e)"),
        (r"(a)\1 1", r"(a)(?:\1)\ 1"),
        (r"\0\07\141\x61", r"\x00\x07\x61\x61"),
        (r"\N{DIGIT ONE}\u0061\U00000061\d\.\#", r"\N{DIGIT ONE}\u0061\U00000061\d\.\#"),
        ("[[:alpha:]]", r"[\[:alpha:]\]"),
        ("[]a-c]", r"[\]a-c]"),
        ("[^]^]", r"[^\]\^]"),
        (r"[\1\w\]\x61-z-]", r"[\x01\w\]\x61-z\-]"),
        ("[a-c-e]", r"[a-c\-e]"),
        ("[--a]", r"[\--a]"),
        ("[+--]", r"[\+-\-]"),
        ("[a-]b--", r"[a\-]b\-\-"),
        ("(?ix)a", "(?ix)a"),
        ("", ""),
    ],
)
def test_a_part_is_written_so_that_it_can_be_taken_for_nothing_else(pattern: str, written: str) -> None:
    found = "".join(part.text for part in parts(pattern))
    assert found == written
    given = compiled(pattern)
    for text in TEXTS:
        assert bool(re.search(found, text)) == bool(given.search(text))


def test_a_count_says_how_often() -> None:
    counts = [(part.least, part.most) for part in parts("a*b+c?d{2}e{3,}f{,4}g{5,6}") if part.kind is Kind.COUNT]
    assert counts == [(0, None), (1, None), (0, 1), (2, 2), (3, None), (0, 4), (5, 6)]


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("", 0),
        ("abc", 3),
        ("a{3}", 3),
        ("a{3,}b", 4),
        ("a{0,9}b*", 2),
        ("[a{9}]{2}", 2),
        (r"\{9{3}\}", 5),
        ("(ab){3}", 9),
        ("((a{10}){10}){10}|b", 1_112),
        ("(?x) a { 9 } # {9}", 4),
    ],
)
def test_a_pattern_is_as_large_as_it_is_written_out(pattern: str, size: int) -> None:
    assert written_out(pattern) == size


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is no regular expression: missing ), unterminated subpattern at position 0"),
        ("a{99999999999}", "cannot be used as a regular expression: the repetition number is too large"),
    ],
)
def test_what_is_no_regular_expression_says_why(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("[[a]+", "a["), ("[+--]+", "+,-"), ("(?#)(?i)(?ix)[&&] [||]", "&|"), ("(?m)[~~^]$", "~"), ("(?#x) [^[]", " a")],
)
def test_what_python_warns_of_is_read_in_silence(pattern: str, text: str) -> None:
    # Warnings are errors here.
    assert compiled(pattern).fullmatch(text)


@pytest.mark.parametrize("pattern", ["[[", "||)", "--\\", "[--", "[[a]**"])
def test_what_is_no_pattern_is_none_for_that(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        compiled(pattern)
