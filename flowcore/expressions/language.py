"""Reading an expression: JMESPath, with pipes into functions as people write them, and hints for what is not JMESPath.

After a pipe a function's name applies to what was piped: ``x | length``, ``x | default('none')``, ``x | join(', ')``.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from jmespath.exceptions import JMESPathError, LexerError
from jmespath.lexer import Lexer
from jmespath.parser import Parser

from flowcore.errors import ExpressionError

from .calls import call_hint, check_call, check_method, piped, refuse_words
from .names import name_hint
from .nodes import PATHS, children, depth, rebuilt, walk
from .spellings import IDIOMS

if TYPE_CHECKING:
    from jmespath.ast import Node

_SHOWN: Final = 100
_LOOKED_AT: Final = 500
"""How much of an expression that cannot be read is searched for what was meant: the time is that number's square."""
MAX_LENGTH: Final = 4_096
MAX_DEPTH: Final = 50
_QUOTED_ENDS: Final = frozenset({"comma", "rparen", "eof", "eq", "ne", "or", "and", "pipe"})
_QUOTED_STARTS: Final = frozenset({"comma", "lparen", "eq", "ne", "or", "and"})

_QUOTED: Final = re.compile(r"(['\"`])(?:\\.|(?!\1)[^\\])*\1", re.DOTALL)


def parse(text: str, *, recorded: bool = False) -> "Node":
    """Return the tree of *text*, its pipes into functions spelled out and its calls checked.

    Args:
        text: The expression.
        recorded: Whether it stands in a flow that was recorded, perhaps by an earlier version. What can be evaluated is
            taken as it is then: that it may have been meant otherwise is for those who write it.

    Raises:
        ExpressionError: It cannot be read, or is longer or deeper than anybody needs; with a hint where there is one.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    if not text.strip():
        raise ExpressionError("the expression is empty", hint="write `flows.<step>.<output>` between the braces")
    try:
        tree = Parser().parse(text).parsed
    except JMESPathError as error:
        raise _unreadable(text, error) from None
    except RecursionError:
        raise _too_deep() from None
    if depth(tree) > MAX_DEPTH:
        raise _too_deep()
    tree = _spelled_out(tree, recorded=recorded)
    if not recorded:
        _refuse_meant_otherwise(text, tree)
    for node in walk(tree):
        if node["type"] == "function_expression":
            check_call(node)
    return tree


def _refuse_meant_otherwise(text: str, tree: "Node") -> None:
    _refuse_quoted(text)
    for node in walk(tree):
        if node["type"] == "subexpression":
            check_method(node)
        if node["type"] in {"function_expression", "comparator"}:
            refuse_words(node)


def shortened(text: str) -> str:
    """Return *text* as an error shows it."""
    text = text.strip()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _too_deep() -> ExpressionError:
    return ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")


def _unreadable(text: str, error: JMESPathError) -> ExpressionError:
    bare = _QUOTED.sub(r"\1\1", text.strip()[:_LOOKED_AT])
    hint = name_hint(bare) or call_hint(bare) or next(_idioms(bare), None)
    reason = str(error).splitlines()[0] if str(error) else "it cannot be read"
    shown = shortened(text)
    reason = re.sub(r"^(?:Invalid jmespath expression|Bad jmespath expression): ?", "", reason)
    place = _place(error)
    where = "" if place is None else f" at character {place - (len(text) - len(text.lstrip())) + 1}"
    detail = reason.split(": Parse error")[0].split(" at column")[0].strip().rstrip(":").lower() or "it ends too early"
    return ExpressionError(f"`{shown}` is no JMESPath{where}: {detail}", hint=hint)


def _idioms(bare: str) -> Iterator[str]:
    for pattern, hint in IDIOMS:
        found = pattern.search(bare)
        if found is not None:
            yield found.expand(hint)


def _place(error: JMESPathError) -> int | None:
    """Return where *error* stands in the text, counted from 0, or None at its end."""
    if isinstance(error, LexerError):
        return error.lexer_position
    found = re.search(r"at column (\d+)", str(error))
    return None if found is None else int(found[1])


def _refuse_quoted(text: str) -> None:
    """Refuse `default("none")`: in JMESPath a text in double quotes names a field."""
    before = "eof"
    tokens = list(Lexer().tokenize(text))
    for token, following in pairwise(tokens):
        if token["type"] == "quoted_identifier" and before in _QUOTED_STARTS and following["type"] in _QUOTED_ENDS:
            value = str(token["value"])
            raise ExpressionError(
                f'in double quotes "{value}" names a field; it is no text', hint=f"write '{value}' in single quotes"
            )
        before = token["type"]


def _spelled_out(node: "Node", *, recorded: bool) -> "Node":
    below = [_spelled_out(child, recorded=recorded) for child in children(node)]
    if node["type"] == "pipe":
        below = [below[0], *(piped(child, recorded=recorded) for child in below[1:])]
    elif node["type"] in PATHS and below[0]["type"] == "not_expression":
        # The parser binds `!` tighter than the dot: `!a.b` would look for the `b` of a boolean.
        (inner,) = children(below[0])
        return rebuilt(below[0], [rebuilt(node, [inner, *below[1:]])])
    return rebuilt(node, below)
