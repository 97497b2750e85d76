"""Evaluating a parsed expression, within its budget."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.visitor import Options, TreeInterpreter
from typing_extensions import override

from flowcore.errors import ExpressionError
from flowcore.values import Json, is_json, is_list, is_mapping

from .budget import Meter
from .functions import FlowFunctions
from .language import parse, shortened
from .nodes import children, name_of
from .references import Reference, references
from .searches import Searches, no_search

if TYPE_CHECKING:
    from jmespath.ast import Node

_LISTS: Final = {"array-string": "a list of texts", "array-number": "a list of numbers"}
_ITEMS: Final = {
    "int": "a number in it",
    "float": "a number in it",
    "str": "a text in it",
    "bool": "a boolean in it",
    "NoneType": "a null in it",
    "list": "a list in it",
    "dict": "an object in it",
}
"""What the interpreter calls the items of a list, by the names that Python has for them."""
_WRITES: Final = frozenset({"to_string", "to_json", "tojson", "unique", "contains", "sort_by", "group_by"})
"""Functions that write out or compare what they are given: it is measured first."""


class _Interpreter(TreeInterpreter):
    """JMESPath's interpreter, with a look at everything that can make a value grow."""

    def __init__(self, searches: Searches) -> None:
        super().__init__(Options(custom_functions=FlowFunctions(searches)))
        self._meter = Meter()

    @override
    def visit_multi_select_list(self, node: "Node", value: object) -> object:
        return self._checked(super().visit_multi_select_list(node, value))

    @override
    def visit_multi_select_dict(self, node: "Node", value: object) -> object:
        return self._checked(super().visit_multi_select_dict(node, value))

    @override
    def visit_flatten(self, node: "Node", value: object) -> object:
        return self._checked(super().visit_flatten(node, value))

    @override
    def visit_function_expression(self, node: "Node", value: object) -> object:
        if name_of(node) in _WRITES:
            for child in children(node):
                if child["type"] != "expref":
                    self._checked(self.visit(child, value))
        return self._checked(super().visit_function_expression(node, value))

    def _checked(self, value: object) -> object:
        self._meter.check(value)
        return value


class Expression:
    """A compiled expression.

    Attributes:
        text: As it was written.
        references: What it reads at the top; empty for a search.
    """

    def __init__(self, text: str, tree: "Node", found: tuple[Reference, ...], searches: Searches) -> None:
        """Take a parsed tree; use `compile_expression` or `compile_search`."""
        self._searches = searches
        self.text = text
        self.references = found
        self._tree = tree
        self._path = _plain_path(tree)

    def evaluate(self, context: Mapping[str, Json]) -> Json:
        """Return the value in *context*, whose members are the roots; what is missing is null.

        Raises:
            ExpressionError: A function got what it cannot use, or the value grew over its budget.
        """
        return self._evaluate(context)

    def evaluate_on(self, data: Json) -> Json:
        """Return the value for *data*: what the expression finds in it.

        Raises:
            ExpressionError: A function got what it cannot use, or the value grew over its budget.
        """
        return self._evaluate(data)

    def _evaluate(self, value: object) -> Json:
        if self._path is not None:
            return _follow(value, self._path)
        try:
            found = _Interpreter(self._searches).visit(self._tree, value)
        except ExpressionError as error:
            raise ExpressionError(f"`{shortened(self.text)}`: {error.message}", hint=error.hint) from None
        except JMESPathTypeError as error:
            wanted = " or ".join(_LISTS.get(name, name) for name in error.expected_types)
            reason = (
                f"`{error.function_name}` takes {wanted}, but got {_ITEMS.get(error.actual_type, error.actual_type)}"
            )
            raise ExpressionError(f"`{shortened(self.text)}`: {reason}", hint=_type_hint(error)) from None
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise ExpressionError(f"`{shortened(self.text)}` cannot be evaluated: {error}") from None
        return _plain(found, self.text)


def _type_hint(error: JMESPathTypeError) -> str | None:
    if error.actual_type in _ITEMS and "array-string" in error.expected_types:
        return "`map(&to_string(@), x)` makes a list of texts"
    if error.actual_type != "null":
        return None
    return f"what it looks at is missing: write `x | default('') | {error.function_name}`"


def _plain(value: object, text: str) -> Json:
    if is_json(value) and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    raise ExpressionError(f"`{shortened(text)}` gave no value that JSON can hold")


def _plain_path(tree: "Node") -> tuple[str | int, ...] | None:
    """Return the steps of a path of names and indexes, or None when *tree* is anything more."""
    match tree["type"]:
        case "field":
            return (tree["value"],)
        case "index":
            return (tree["value"],)
        case "subexpression" | "index_expression":
            parts = [_plain_path(child) for child in tree["children"]]
            found: list[str | int] = []
            for part in parts:
                if part is None:
                    return None
                found.extend(part)
            return tuple(found)
        case "identity":
            return ()
        case _:
            return None


def _follow(value: object, path: tuple[str | int, ...]) -> Json:
    """Walk *path*: most expressions are nothing but one, and this takes a tenth of the interpreter's time."""
    for part in path:
        if isinstance(part, str):
            value = value.get(part) if is_mapping(value) else None
        elif is_list(value) and -len(value) <= part < len(value):
            value = value[part]
        else:
            return None
    return value if is_json(value) else None


@lru_cache(maxsize=4_096)
def compile_expression(text: str, searches: Searches = no_search, *, recorded: bool = False) -> Expression:
    """Return the expression *text* over the roots `flows`, `sources`, ...

    Args:
        text: The expression.
        searches: Gives what looks for patterns that could take long; without it those are refused.
        recorded: Whether it stands in a flow that was recorded (see `language.parse`).

    Raises:
        ExpressionError: It cannot be read, or it does not say what it needs.
    """
    tree = parse(text, recorded=recorded)
    return Expression(text, tree, references(tree), searches)


@lru_cache(maxsize=4_096)
def compile_search(text: str, searches: Searches = no_search, *, recorded: bool = False) -> Expression:
    """Return the expression *text* over any data, as an output of type `jmespath` has it.

    Args:
        text: The expression.
        searches: As for `compile_expression`.
        recorded: As for `compile_expression`.

    Raises:
        ExpressionError: It cannot be read.
    """
    return Expression(text, parse(text, recorded=recorded), (), searches)
