"""Laws of YAML text for generated documents."""

import json
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcore.documents.yaml_text import load_yaml, locate
from flowcore.errors import FlowDocumentError, Path
from flowcore.values import Json

pytestmark = pytest.mark.property

# JSON writes what is beyond U+FFFF as two escapes, which YAML does not put together; YAML keys have 1,024 characters.
WORDS: Final = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=40)
JSON: Final[st.SearchStrategy[Json]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=30,
)
# Arbitrary text hardly ever gets past the first token.
PIECES: Final = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "b: ",
                "- ",
                "? ",
                ": ",
                "\n",
                "\n  ",
                "\t",
                "[",
                "]",
                "{",
                "}",
                ", ",
                "&x ",
                "*x",
                "<<: ",
                "'",
                '"',
            ),
            *("|\n", ">\n", "# ", "!!str ", "!!int ", "!t ", "!x!y ", "---\n", "...\n", "%TAG !x! t:\n", "%YAML 1.2\n"),
            *(
                "1",
                ".nan",
                "1e999",
                "\\ud800",
                "\\UFFFFFFFF",
                "@",
                "{{ a }}",
                "~",
                "\x00",
                "\ud800",
                "\ufeff",
                "\u2028",
            ),
        ]
    ),
    max_size=40,
).map("".join)
PATHS: Final[st.SearchStrategy[list[Path]]] = st.lists(
    st.lists(st.sampled_from(["a", "b", "", "<<"]) | st.integers(-1, 3), max_size=4).map(tuple), max_size=5
)


@given(text=st.text() | PIECES, paths=PATHS)
@settings(max_examples=300, deadline=None)
def test_any_text_is_data_or_refused_by_name(text: str, paths: list[Path]) -> None:
    try:
        value = load_yaml(text, file="flow.yaml")
    except FlowDocumentError as error:
        assert error.problems  # noqa: PT017 (the law is about both outcomes)
        for problem in error.problems:
            assert problem.code.startswith("yaml-")
            assert problem.file == "flow.yaml"
            assert problem.line is not None
            assert problem.column is not None
            assert min(problem.line, problem.column) >= 1
            assert "\n" not in problem.message
    else:
        json.dumps(value, allow_nan=False).encode()
        places = locate(text, paths)
        assert set(places) == set(paths)
        assert all(line >= 1 and column >= 1 for line, column in places.values())


@given(value=JSON, indent=st.none() | st.integers(1, 4))
@settings(max_examples=300, deadline=None)
def test_json_is_yaml(value: Json, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert json.dumps(load_yaml(text)) == json.dumps(value)


@given(value=JSON)
@settings(max_examples=200, deadline=None)
def test_every_path_of_a_document_is_found_in_its_line(value: Json) -> None:
    text = json.dumps(value, indent=1)
    lines = text.splitlines()
    paths = dict(_paths(value, ()))
    for path, (line, column) in locate(text, list(paths)).items():
        rest = lines[line - 1][column - 1 :]
        if path and isinstance(path[-1], str):
            assert rest.startswith(json.dumps(path[-1]) + ":")
        else:
            assert rest.startswith(json.dumps(paths[path], indent=1).splitlines()[0])


def _paths(value: Json, path: Path) -> list[tuple[Path, Json]]:
    found: list[tuple[Path, Json]] = [(path, value)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _paths(item, (*path, index))
    return found
