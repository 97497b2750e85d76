"""Templates: any value whose texts hold `{{ expressions }}`, wherever they stand.

A text that is one expression and nothing else gives the expression's value with its type; otherwise values are written
into the text. What an expression gives is never looked at for expressions again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs

from flowcore.errors import ExpressionError, Path
from flowcore.values import Json

from .budget import MAX_SIZE
from .evaluation import Expression, compile_expression
from .references import Reference
from .searches import Searches, no_search

_Compiled: TypeAlias = Callable[[str], Expression]
"""Compiles one expression, or says why it cannot be."""
_STATEMENT: Final = re.compile(r"\{%-?\s*(?P<word>[a-z]+)\b(?:(?!\{%|%\}).)*%\}", re.DOTALL)
_STATEMENT_HINTS: Final[Mapping[str, str]] = {
    "if": "for a choice write `{{ condition && a || b }}`, or give the step a `when`",
    "for": "to run a step for every item of a list give it a `for_each`; a list is shaped by `{{ list[].name }}`",
    "set": "let a step of its own compute the value",
}
_MOST_TOLD: Final = 20
"""How many faults of one text are told: whoever makes the same mistake 20,000 times sees it in these."""
_QUOTES: Final = frozenset("'\"`")


def to_text(value: Json) -> str:
    """Return *value* as text: text as it is, lists and mappings as JSON, true as `True`, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


@attrs.frozen
class _Text:
    """A text with expressions in it."""

    parts: tuple[str | Expression, ...]

    def render(self, context: Mapping[str, Json]) -> Json:
        found: list[str] = []
        size = 0
        for part in self.parts:
            text = part if isinstance(part, str) else _written(part, context)
            size += len(text)
            if size > MAX_SIZE:
                raise ExpressionError("the text is larger than 10 MB when its expressions are filled in")
            found.append(text)
        return "".join(found)


def _written(expression: Expression, context: Mapping[str, Json]) -> str:
    value = expression.evaluate(context)
    if value is None:
        shown = expression.text.strip()
        raise ExpressionError(
            f"`{shown}` is null, which has no place inside a text", hint=f"write `{shown} | default('')`"
        )
    return to_text(value)


@attrs.frozen
class _Mapping:
    members: tuple[tuple[str, "_Node"], ...]

    def render(self, context: Mapping[str, Json]) -> Json:
        return {key: node.render(context) for key, node in self.members}


@attrs.frozen
class _List:
    items: tuple["_Node", ...]

    def render(self, context: Mapping[str, Json]) -> Json:
        return [node.render(context) for node in self.items]


@attrs.frozen
class _Alone:
    expression: Expression

    def render(self, context: Mapping[str, Json]) -> Json:
        return self.expression.evaluate(context)


@attrs.frozen
class _Constant:
    value: Json

    def render(self, context: Mapping[str, Json]) -> Json:  # noqa: ARG002 - one shape for all nodes
        return self.value


_Node: TypeAlias = _Text | _Mapping | _List | _Alone | _Constant


class Template:
    """A compiled template.

    Attributes:
        constant: Whether there is no expression in it: it always renders to the value itself.
        references: What its expressions read, each once, in order.
    """

    __slots__ = ("_node", "constant", "references", "render")

    def __init__(self, node: _Node, references: tuple[Reference, ...]) -> None:
        """Take a compiled node; use `compile_template`."""
        self._node = node
        self.constant = isinstance(node, _Constant)
        self.references = references
        # The node's own method: one call less for every step of every run.
        self.render = node.render


def compile_template(value: Json, searches: Searches = no_search, *, recorded: bool = False) -> Template:
    """Return the template that *value* is.

    Args:
        value: What a document holds.
        searches: Gives what looks for patterns that could take long; without it those are refused.
        recorded: Whether it stands in a flow that was recorded (see `language.parse`).

    Raises:
        ExpressionError: An expression in it cannot be read; the first of them.
    """
    node, found, errors = _checked(value, partial(compile_expression, searches=searches, recorded=recorded))
    if errors:
        raise errors[0][1]
    return Template(node, found)


def constant(value: Json) -> Template:
    """Return the template that always renders to *value*, whatever stands in it."""
    return Template(_Constant(value), ())


def check_template(value: Json) -> tuple[Sequence[Reference], Sequence[tuple[Path, ExpressionError]]]:
    """Return what the sound expressions of *value* read, and everything that is wrong with the others and where."""
    _, found, errors = _checked(value, compile_expression)
    return found, errors


def _checked(
    value: Json, compiled: _Compiled
) -> tuple[_Node, tuple[Reference, ...], Sequence[tuple[Path, ExpressionError]]]:
    errors: list[tuple[Path, ExpressionError]] = []
    found: dict[Reference, None] = {}
    node = _Compiler(compiled, errors, found).compile(value, ())
    return node, tuple(found), errors


class _Compiler:
    """One compilation: what it finds in the texts of a value."""

    def __init__(
        self, compiled: _Compiled, errors: list[tuple[Path, ExpressionError]], found: dict[Reference, None]
    ) -> None:
        self._compiled = compiled
        self._errors = errors
        self._found = found

    def compile(self, value: Json, path: Path) -> _Node:
        if isinstance(value, str):
            wrong: list[ExpressionError] = []
            node = self._text(value, wrong)
            self._errors.extend((path, error) for error in wrong)
            return node
        if isinstance(value, dict):
            members = tuple((key, self.compile(item, (*path, key))) for key, item in value.items())
            if not all(isinstance(node, _Constant) for _, node in members):
                return _Mapping(members)
        if isinstance(value, (list, tuple)):
            items = tuple(self.compile(item, (*path, number)) for number, item in enumerate(value))
            if not all(isinstance(node, _Constant) for node in items):
                return _List(items)
        return _Constant(value)

    def _text(self, text: str, errors: list[ExpressionError]) -> _Node:
        if "{" not in text:
            return _Constant(text)
        parts = tuple(_parts(text, errors, self._compiled))
        statements = _statements(text)
        errors.extend(statements)
        for part in parts:
            # Inside `{% for x in list %}` nobody can tell what an `x` is.
            if isinstance(part, Expression) and not statements:
                self._found.update(dict.fromkeys(part.references))
        if not any(isinstance(part, Expression) for part in parts):
            return _Constant(text)
        told = [part for part in parts if not (isinstance(part, str) and not part.strip())]
        if len(told) == 1 and isinstance(told[0], Expression):
            return _Alone(told[0])
        return _Text(parts)


def _statements(text: str) -> Sequence[ExpressionError]:
    """Return what to say about each `{% ... %}` in *text*; those that only go on or end one say nothing new."""
    found = list(_STATEMENT.finditer(text))
    openers = [statement for statement in found if not statement["word"].startswith(("end", "el"))]
    left = len(openers) - _MOST_TOLD
    told = [
        ExpressionError(
            f"`{statement.group()[:60]}` is no expression",
            hint=_STATEMENT_HINTS.get(statement["word"], "only `{{ expressions }}` are known here"),
        )
        for statement in openers[:_MOST_TOLD] or found[:1]
    ]
    return told if left <= 0 else [*told, ExpressionError(f"{left} more `{{% ... %}}` of this text are none either")]


def _parts(text: str, errors: list[ExpressionError], compiled: _Compiled) -> Iterator[str | Expression]:
    """Yield the plain pieces and the sound expressions of *text*; what is wrong with the others goes to *errors*.

    The same fault is told once, and after 20 the others are only counted: each takes as long to read as a sound one.
    """
    start = 0
    wrong: set[str] = set()
    while (opening := text.find("{{", start)) >= 0:
        if len(wrong) == _MOST_TOLD:
            left = text.count("{{", opening)
            message = f"{_MOST_TOLD} expressions of this text are wrong; {left} more were not looked at"
            errors.append(ExpressionError(message, hint="mend those first"))
            return
        if opening > start:
            yield text[start:opening]
        try:
            closing = expression_end(text, opening + 2)
        except ExpressionError as error:
            errors.append(error)
            return
        expression = text[opening + 2 : closing].strip()
        start = closing + 2
        if expression in wrong:
            continue
        try:
            yield compiled(expression)
        except ExpressionError as error:
            wrong.add(expression)
            errors.append(error)
    if start < len(text):
        yield text[start:]


def expression_end(text: str, start: int) -> int:
    """Return where the `}}` is that ends the expression from *start* on: outside quotes, braces balanced.

    Raises:
        ExpressionError: There is none.
    """
    depth = 0
    quote = ""
    place = start
    while place < len(text):
        character = text[place]
        if quote:
            if character == "\\":
                place += 1
            elif character == quote:
                quote = ""
        elif character in _QUOTES:
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0 and text.startswith("}}", place):
                return place
            depth -= 1
        place += 1
    raise ExpressionError(
        f"`{text[start - 2 : start + 40]}` opens an expression that is never closed",
        hint="write `}}` at its end; for the two characters themselves write `{{ '{{' }}`",
    )
