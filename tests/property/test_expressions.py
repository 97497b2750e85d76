"""Whatever an expression says, it has a value or a typed error; whatever a template holds, it renders or says why."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcore.errors import ExpressionError
from flowcore.expressions import check_template, compile_expression, compile_search, compile_template, to_text
from flowcore.values import Json

pytestmark = pytest.mark.property

plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
values: st.SearchStrategy[Json] = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
WORDS = (
    *("flows", "a", "v", ".", "[0]", "[]", "[*]", "[?", "]", "|", "||", "&&", "!", "(", ")", ",", "@", "&", "*", "{a:"),
    *(
        "}",
        "'x'",
        '"y"',
        "`1`",
        "==",
        "<",
        "length",
        "upper",
        "join",
        "sort_by",
        "default",
        "split",
        "to_json",
        " ",
        "::",
    ),
)
expressions = st.lists(st.sampled_from(WORDS), max_size=14).map("".join) | st.text(max_size=30)


@settings(max_examples=400, deadline=None)
@given(expressions, values)
def test_any_text_is_refused_or_has_a_value(text: str, data: Json) -> None:
    for compiling in (compile_expression, compile_search):
        with suppress(ExpressionError):
            compiling(text).evaluate_on({"flows": {"a": {"v": data}}})


@settings(max_examples=200, deadline=None)
@given(values)
def test_a_lone_expression_keeps_its_value_and_its_type(data: Json) -> None:
    rendered = compile_template("{{ flows.a.v }}").render({"flows": {"a": {"v": data}}})
    assert rendered == data
    assert type(rendered) is type(data)


@settings(max_examples=200, deadline=None)
@given(values)
def test_lists_and_mappings_are_written_as_json(data: Json) -> None:
    if isinstance(data, (list, dict)):
        assert json.loads(to_text(data)) == data


@settings(max_examples=300, deadline=None)
@given(values | st.lists(expressions.map(lambda text: f"{{{{ {text} }}}}"), max_size=3))
def test_any_value_is_a_template_or_says_where_it_is_wrong(value: Json) -> None:
    _, errors = check_template(value)
    if errors:
        with pytest.raises(ExpressionError):
            compile_template(value)
        return
    with suppress(ExpressionError):
        compile_template(value).render({"flows": {"a": {"v": 1}}})
