"""Reading an expression: JMESPath, with pipes into functions as people write them, and hints for what is not JMESPath.

After a pipe a function's name applies to what was piped: ``x | length``, ``x | default('none')``, ``x | join(', ')``.
"""

import re
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from jmespath.exceptions import JMESPathError, LexerError
from jmespath.lexer import Lexer
from jmespath.parser import Parser

from flowcore.errors import ExpressionError

from .functions import OPTIONAL, SUBJECT, FlowFunctions
from .names import name_hint
from .nodes import children, depth, name_of, rebuilt, walk
from .spellings import FILTERS, IDIOMS, LITERALS

if TYPE_CHECKING:
    from jmespath.ast import Node

_SHOWN: Final = 100
_MISSPELT: Final = 0.8
"""How much a name after a pipe must be like that of a function to be taken for it."""
MAX_LENGTH: Final = 4_096
MAX_DEPTH: Final = 50
_QUOTED_ENDS: Final = frozenset({"comma", "rparen", "eof", "eq", "ne", "or", "and", "pipe"})
_QUOTED_STARTS: Final = frozenset({"comma", "lparen", "eq", "ne", "or", "and"})

_PATHS: Final = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten"}
)
_ELEMENTS: Final = frozenset({"first", "last"})
"""Filters whose result people look into (`x | first.name`); any other name with a path behind it is a field."""
_QUOTED: Final = re.compile(r"(['\"`])(?:\\.|(?!\1)[^\\])*\1", re.DOTALL)


def parse(text: str) -> "Node":
    """Return the tree of *text*, its pipes into functions spelled out and its calls checked.

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
    _refuse_quoted(text)
    tree = _spelled_out(tree)
    for node in walk(tree):
        if node["type"] == "function_expression":
            _check_call(node)
        if node["type"] in {"function_expression", "comparator"}:
            _refuse_words(node)
    return tree


def shortened(text: str) -> str:
    """Return *text* as an error shows it."""
    text = text.strip()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _too_deep() -> ExpressionError:
    return ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")


def _unreadable(text: str, error: JMESPathError) -> ExpressionError:
    bare = _QUOTED.sub(r"\1\1", text.strip())
    hint = name_hint(bare) or next((hint for pattern, hint in IDIOMS if pattern.search(bare)), None)
    reason = str(error).splitlines()[0] if str(error) else "it cannot be read"
    shown = shortened(text)
    reason = re.sub(r"^(?:Invalid jmespath expression|Bad jmespath expression): ?", "", reason)
    place = _place(error)
    where = "" if place is None else f" at character {place - (len(text) - len(text.lstrip())) + 1}"
    detail = reason.split(": Parse error")[0].split(" at column")[0].strip().rstrip(":").lower() or "it ends too early"
    return ExpressionError(f"`{shown}` is no JMESPath{where}: {detail}", hint=hint)


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


def _spelled_out(node: "Node") -> "Node":
    below = [_spelled_out(child) for child in children(node)]
    if node["type"] == "pipe":
        below = [below[0], *(_applied(child) for child in below[1:])]
    elif node["type"] in _PATHS and below[0]["type"] == "not_expression":
        # The parser binds `!` tighter than the dot: `!a.b` would look for the `b` of a boolean.
        (inner,) = children(below[0])
        return rebuilt(below[0], [rebuilt(node, [inner, *below[1:]])])
    return rebuilt(node, below)


def _applied(node: "Node", *, alone: bool = True) -> "Node":
    """Return the right side of a pipe with its leftmost function applied to what was piped.

    Args:
        alone: Whether nothing looks into what *node* finds, as in `.name` or `[0]`.
    """
    name = name_of(node)
    if node["type"] == "field" and name is not None:
        if name in FlowFunctions.FUNCTION_TABLE:
            return {"type": "function_expression", "value": name, "children": [{"type": "current", "children": []}]}
        if name in FILTERS and (alone or name in _ELEMENTS):
            hint = f"{FILTERS[name]}; a field of that name is written `x.{name}`, or after a pipe `@.{name}`"
            raise ExpressionError(f"there is no function `{name}` to pipe into", hint=hint)
        close = get_close_matches(name, FlowFunctions.FUNCTION_TABLE, n=1, cutoff=_MISSPELT)
        if close:
            hint = f"did you mean `{close[0]}`? The field is written without a pipe: `.{name}`"
            raise ExpressionError(f"there is no function `{name}` to pipe into", hint=hint)
    if node["type"] == "function_expression" and name is not None:
        return _called(node, name)
    match node["type"]:
        case "field" | "literal" | "multi_select_list" | "multi_select_dict" | "expref":
            return node
        case _:
            below = children(node)
            alone = alone and node["type"] not in _PATHS
            return rebuilt(node, [_applied(below[0], alone=alone), *below[1:]]) if below else node


def _called(node: "Node", name: str) -> "Node":
    arguments = children(node)
    if any(here["type"] == "current" for argument in arguments for here in walk(argument)):
        return node
    _least, most = _arity(name)
    if most is not None and len(arguments) >= most:
        return node
    if name == "default":
        for argument in arguments:
            _refuse_lost(argument)
    place = SUBJECT.get(name, 0)
    current: Node = {"type": "current", "children": []}
    return rebuilt(node, [*arguments[:place], current, *arguments[place:]])


def _refuse_lost(fallback: "Node") -> None:
    """Refuse `x | default(y)`: the field is looked for in what was piped, which is null whenever it is needed."""
    path = fallback
    while path["type"] in _PATHS:
        path = children(path)[0]
    name = name_of(path)
    if path["type"] == "field" and name is not None and name not in LITERALS:
        hint = "write `x || y` for a value from elsewhere, or the text in single quotes"
        raise ExpressionError(f"the fallback `{name}` is looked for in what was piped, which is null then", hint=hint)


def _refuse_words(node: "Node") -> None:
    """Refuse `default(none)` and `x == true`: in JMESPath a bare word names a field."""
    for child in children(node):
        name = name_of(child) if child["type"] == "field" else None
        if name is not None and name in LITERALS:
            raise ExpressionError(
                f"`{name}` names a field; it is no value",
                hint=f"write `` `{LITERALS[name]}` `` in backticks; what is missing is null anyway",
            )


def _arity(name: str) -> tuple[int, int | None]:
    """Return how many arguments a function takes at least and at most (None: any number)."""
    specification = FlowFunctions.FUNCTION_TABLE.get(name)
    if specification is None:
        return 0, None
    count = len(specification["signature"])
    if name in OPTIONAL:
        return count, OPTIONAL[name]
    variadic = bool(count) and specification["signature"][-1].get("variadic", False)
    return count, None if variadic else count


def _check_call(node: "Node") -> None:
    name = name_of(node) or ""
    if name not in FlowFunctions.FUNCTION_TABLE:
        close = get_close_matches(name, FlowFunctions.FUNCTION_TABLE, n=1)
        known = f"did you mean `{close[0]}`?" if close else "known: " + ", ".join(sorted(FlowFunctions.FUNCTION_TABLE))
        raise ExpressionError(f"there is no function `{name}`", hint=FILTERS.get(name, known))
    least, most = _arity(name)
    count = len(children(node))
    if count < least or (most is not None and count > most):
        wanted = str(least) if most == least else f"{least} to {most}" if most is not None else f"at least {least}"
        many = "argument" if wanted.endswith("1") else "arguments"
        piped = f"write `x | {name}`" if count == 0 else None
        raise ExpressionError(f"`{name}` takes {wanted} {many}, not {count}", hint=piped)
