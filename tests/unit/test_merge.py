"""The laws of merging flow files: contract status, section 1."""

import pytest

from flowcore.documents.merge import check_top_level, merge
from flowcore.errors import FlowDocumentError
from flowcore.values import Json


def test_nothing_merges_to_an_empty_mapping() -> None:
    assert merge([]) == {}


def test_mappings_merge_deeply() -> None:
    first: dict[str, Json] = {"runner": {"on_error": "skip", "limits": {"a": 1}}, "name": "one"}
    second: dict[str, Json] = {"runner": {"max_workers": 2, "limits": {"b": 2}}}
    expected = {"runner": {"on_error": "skip", "limits": {"a": 1, "b": 2}, "max_workers": 2}, "name": "one"}
    assert merge([first, second]) == expected


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param([1, 2], [3], id="a list"),
        pytest.param({"a": 1}, None, id="null over a mapping"),
        pytest.param({"a": 1}, [], id="a list over a mapping"),
        pytest.param("text", {"a": 1}, id="a mapping over text"),
        pytest.param(None, {"a": 1}, id="a mapping over null"),
    ],
)
def test_anything_else_is_replaced_by_the_later(earlier: Json, later: Json) -> None:
    assert merge([{"key": earlier}, {"key": later}]) == {"key": later}


def test_files_merge_from_left_to_right() -> None:
    assert merge([{"a": {"x": 1}}, {"a": {"x": 2, "y": 2}}, {"a": {"x": 3}}]) == {"a": {"x": 3, "y": 2}}


def test_keys_keep_the_order_in_which_they_first_came() -> None:
    assert list(merge([{"b": 1, "a": 1}, {"c": 1, "a": 2}])) == ["b", "a", "c"]


def test_the_documents_stay_as_they_are() -> None:
    shared: dict[str, Json] = {"x": 1}
    first: dict[str, Json] = {"a": shared, "b": shared}
    merged = merge([first, {"a": {"x": 2}}])
    assert merged == {"a": {"x": 2}, "b": {"x": 1}}
    assert first == {"a": {"x": 1}, "b": {"x": 1}}


def test_depth_is_no_matter_of_the_stack() -> None:
    deep: dict[str, Json] = {"leaf": 1}
    other: dict[str, Json] = {"leaf": 2}
    for _ in range(100_000):
        deep, other = {"in": deep}, {"in": other}
    level: Json = merge([deep, other])
    while isinstance(level, dict) and "in" in level:
        level = level["in"]
    assert level == {"leaf": 2}


def test_an_empty_document_is_an_empty_mapping() -> None:
    assert check_top_level(None, "flow.yaml") == {}


def test_a_mapping_is_taken_as_it_is() -> None:
    document: dict[str, Json] = {"flow": []}
    assert check_top_level(document, None) is document


@pytest.mark.parametrize(
    ("value", "kind", "hint"),
    [
        ([{"name": "a"}], "a list", "put the steps under the key `flow:`"),
        ("text", "text", None),
        (3, "a number", None),
        (False, "a boolean", None),
    ],
)
def test_any_other_document_is_refused(value: Json, kind: str, hint: str | None) -> None:
    with pytest.raises(FlowDocumentError) as caught:
        check_top_level(value, "flow.yaml")
    (problem,) = caught.value.problems
    assert (problem.code, problem.file, problem.line, problem.column) == ("not-a-mapping", "flow.yaml", 1, 1)
    assert problem.message.endswith(f"not {kind}")
    assert problem.hint == hint
