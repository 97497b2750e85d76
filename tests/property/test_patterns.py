"""A pattern means to what ends in time what it means to Python's `re`, with which expressions look first."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowcore.expressions.patterns import compiled
from flowcore_adapters.sources.patterns import blacken, evaluation_search

pytestmark = pytest.mark.property

CHARACTERS = (
    *("a", "K", "i", "\u0130", "\u0131", "e", "\u0301", "\u0345", "\u03b9", "_", "1", "-", " ", ".", "\x1c"),
    *(r"\w", r"\W", r"\s", r"\S", r"\d", r"\D"),
    *(r"[\W]", r"[^\W\d]", r"[\S]", r"[^\S\n]", r"[\We]", r"[^\w\u0301]", r"[a-z\W]", "[^a-z]", r"[\D_]", "[h-j]"),
)
PLACES = ("^", "$", r"\b", r"\B", r"\A", r"\Z")
GROUPS = ("(?:", "(?i:", "(?-i:", "(?a:", "(?=", "(?!", "(?s:", "(?>", "(")
COUNTS = ("", "", "", "*", "+", "?", "{2}", "+?")


def _grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("{}{})".format, st.sampled_from(GROUPS), inner)
    return st.builds("{}{}|{}".format, inner, group, inner) | st.builds("{}{}".format, inner, group)


items = st.builds("{}{}".format, st.sampled_from(CHARACTERS), st.sampled_from(COUNTS)) | st.sampled_from(PLACES)
patterns = st.builds(
    "{}{}".format,
    st.sampled_from(("", "", "(?i)", "(?a)")),
    st.recursive(st.lists(items, min_size=1, max_size=3).map("".join), _grouped, max_leaves=3),
)
texts = st.text(st.sampled_from("aAkKiI\u0130\u0131eE\u0301\u0345\u03b9\u0399_1- .\x1c\n\xa0\u00b2\u00e9"), max_size=6)


@settings(max_examples=1_500, deadline=None, derandomize=True)
@given(patterns, texts)
@example(r"^e[\W]+ok$", "e\u0301 ok")
@example(r"^(e[\W]+)+ok$", "e\u0301 ok")
@example(r"(?a:\w+)\w+", "a\u00e9")
@example(r"(?i)\u0130", "i")
@example(r"\B", "")
def test_what_is_sent_elsewhere_is_found_where_re_finds_it(pattern: str, text: str) -> None:
    read = compiled(pattern)
    assert evaluation_search()(pattern, text) is (read.search(text) is not None)
    assert blacken(text, [pattern]) == read.sub("***", text)
