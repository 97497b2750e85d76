"""Calls of functions: what is piped into them, how many arguments they take, and what in their arguments means nothing.

JMESPath takes almost anything for the name of a field, and gives null where there is none. What can only ever give
null, or the same whatever was piped, was meant otherwise: it is refused, with what to write.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from flowcore.errors import ExpressionError

from .functions import OPTIONAL, SUBJECT, FlowFunctions
from .nodes import PATHS, children, name_of, rebuilt, walk
from .spellings import CALLS, FILTERS, LITERALS

if TYPE_CHECKING:
    from jmespath.ast import Node

_MISSPELT: Final = 0.8
"""How much a name after a pipe must be like that of a function to be taken for it."""
_ELEMENTS: Final = frozenset({"first", "last"})
"""Filters whose result people look into (`x | first.name`); any other name with a path behind it is a field."""
_OBJECTS: Final = frozenset({"default", "from_json", "max_by", "merge", "min_by", "not_null"})
"""Functions that may give an object, so that a name may stand behind them."""
_ROOTS: Final = frozenset({"flows", "sources", "secrets"})
_OTHERS: Final[Mapping[str, str]] = {**FILTERS, **CALLS}
_CALL: Final = re.compile(r"(?<!\w)(\w+)\(")
_EXAMPLES: Final[Mapping[str, str]] = {
    "contains": "x | contains('a')",
    "default": "x | default('none')",
    "ends_with": "x | ends_with('a')",
    "join": "x | join(', ')",
    "map": "x | map(&name)",
    "max_by": "x | max_by(&name)",
    "min_by": "x | min_by(&name)",
    "regex_match": "x | regex_match('^a')",
    "replace": "x | replace('a', 'b')",
    "sort_by": "x | sort_by(&name)",
    "split": "x | split(',')",
    "starts_with": "x | starts_with('a')",
}
"""How functions are called that take more than what is piped."""


def piped(node: "Node", *, behind: str = "", recorded: bool = False) -> "Node":
    """Return the right side of a pipe with its leftmost function applied to what was piped.

    Args:
        node: The right side.
        recorded: Whether it stands in a flow that was recorded: then nothing is refused for what it seems to mean.
        behind: What stands around *node* and looks into what it finds: `subexpression` for `.name`, ...; else empty.

    Raises:
        ExpressionError: A name is that of no function, and people would take it for one.
    """
    name = name_of(node)
    if node["type"] == "field" and name is not None:
        return _piped_into(node, name, behind, recorded=recorded)
    if node["type"] == "function_expression" and name is not None:
        return _called(node, name, recorded=recorded)
    match node["type"]:
        case "literal" | "multi_select_list" | "multi_select_dict" | "expref":
            return node
        case _:
            below = children(node)
            if not below:
                return node
            behind = node["type"] if node["type"] in PATHS else behind
            return rebuilt(node, [piped(below[0], behind=behind, recorded=recorded), *below[1:]])


def _piped_into(node: "Node", name: str, behind: str, *, recorded: bool) -> "Node":
    field = f"a field of that name is written `x.{name}`, or after a pipe `@.{name}`"
    if name in FlowFunctions.FUNCTION_TABLE:
        if behind == "subexpression" and name not in _OBJECTS and not recorded:
            raise ExpressionError(f"`{name}` after a pipe is the function, and what it gives has no fields", hint=field)
        if _arity(name)[0] > 1:
            message = f"`{name}` after a pipe is the function, and takes more than what is piped"
            raise ExpressionError(message, hint=f"write `{_EXAMPLES[name]}`; {field}")
        return {"type": "function_expression", "value": name, "children": [{"type": "current", "children": []}]}
    if recorded:
        return node
    if name in FILTERS and (not behind or name in _ELEMENTS):
        raise ExpressionError(f"there is no function `{name}` to pipe into", hint=f"{FILTERS[name]}; {field}")
    close = get_close_matches(name, FlowFunctions.FUNCTION_TABLE, n=1, cutoff=_MISSPELT)
    if close:
        hint = f"{CALLS.get(name, f'did you mean `{close[0]}`')}? If not: {field}"
        raise ExpressionError(f"there is no function `{name}` to pipe into", hint=hint)
    return node


def _called(node: "Node", name: str, *, recorded: bool) -> "Node":
    arguments = children(node)
    if name not in FlowFunctions.FUNCTION_TABLE:
        return node
    if any(here["type"] == "current" for argument in arguments for here in walk(argument)):
        return node
    _least, most = _arity(name)
    if most is not None and len(arguments) >= most:
        if arguments and all(map(_is_constant, arguments)) and not recorded:
            raise ExpressionError(f"`{name}` has all its arguments already, so what was piped is lost", hint=_use(name))
        return node
    if not recorded:
        for argument in arguments:
            _refuse_lost(argument, name)
    place = SUBJECT.get(name, 0)
    current: Node = {"type": "current", "children": []}
    return rebuilt(node, [*arguments[:place], current, *arguments[place:]])


def _is_constant(node: "Node") -> bool:
    """Return whether *node* is the same whatever it is applied to; what is done with each item does not count."""
    return node["type"] in {"literal", "expref"} or (node["type"] == "field" and name_of(node) in LITERALS)


def _use(name: str) -> str:
    """Return how *name* is used after a pipe, for a hint."""
    if name == "default":
        return "write `x | default('none')`, which stands in for null alone; `x || 'none'` also for what is empty"
    return f"write `{_EXAMPLES.get(name, f'x | {name}')}`"


def _refuse_lost(argument: "Node", name: str) -> None:
    """Refuse `x | default(y)`: the field is looked for in what was piped, which is null whenever it is needed."""
    path = argument
    dotted = False
    while path["type"] in PATHS:
        dotted = dotted or path["type"] == "subexpression"
        path = children(path)[0]
    root = name_of(path)
    if name == "default" and path["type"] == "identity":
        raise ExpressionError("`[]` takes apart what was piped", hint="an empty list is written `` `[]` ``")
    if path["type"] != "field" or root is None or root in LITERALS:
        return
    if name == "default":
        hint = "write `x || y` for a value from elsewhere, or the text in single quotes"
        raise ExpressionError(f"the fallback `{root}` is looked for in what was piped, which is null then", hint=hint)
    if dotted and root in _ROOTS:
        arguments = "y, x" if SUBJECT.get(name) else "x, y"
        message = f"`{root}` is looked for in what was piped"
        hint = f"for a value from elsewhere write `{name}({arguments})` without a pipe, for a field `@.{root}`"
        raise ExpressionError(message, hint=hint)


def check_method(node: "Node") -> None:
    """Refuse `x.split(',')`: the function would be applied to its arguments alone, whatever `x` is.

    Raises:
        ExpressionError: The function that *node* calls behind a dot looks at nothing that stands before it.
    """
    _, *rest = children(node)
    for called in rest:
        name = name_of(called)
        if called["type"] == "function_expression" and name in FlowFunctions.FUNCTION_TABLE:
            arguments = children(called)
            if all(map(_is_constant, arguments)):
                raise ExpressionError(f"`{name}` cannot be called behind a dot", hint=_use(name))


def call_hint(bare: str) -> str | None:
    """Return what to write instead of the first function of others that is called in *bare*, or None.

    Args:
        bare: An expression without what stands in its quotes.
    """
    names = (found[1] for found in _CALL.finditer(bare))
    return next((f"there is no function `{each}`: {_OTHERS[each]}" for each in names if each in _OTHERS), None)


def check_call(node: "Node") -> None:
    """Refuse a call that can never work.

    Raises:
        ExpressionError: There is no such function, or it takes other arguments.
    """
    name = name_of(node) or ""
    if name not in FlowFunctions.FUNCTION_TABLE:
        close = get_close_matches(name, FlowFunctions.FUNCTION_TABLE, n=1)
        known = f"did you mean `{close[0]}`?" if close else "known: " + ", ".join(sorted(FlowFunctions.FUNCTION_TABLE))
        raise ExpressionError(f"there is no function `{name}`", hint=_OTHERS.get(name, known))
    least, most = _arity(name)
    arguments = children(node)
    count = len(arguments)
    if count < least or (most is not None and count > most):
        wanted = str(least) if most == least else f"{least} to {most}" if most is not None else f"at least {least}"
        many = "argument" if wanted.endswith("1") else "arguments"
        raise ExpressionError(f"`{name}` takes {wanted} {many}, not {count}", hint=_use(name))
    types = [declared["types"] for declared in FlowFunctions.FUNCTION_TABLE[name]["signature"]]
    for declared, argument in zip(types, arguments, strict=False):
        if declared == ["expref"] and argument["type"] != "expref":
            message = f"`{name}` takes what to look at in each item, with `&` before it"
            raise ExpressionError(message, hint=f"write `{_EXAMPLES[name]}`")


def refuse_words(node: "Node") -> None:
    """Refuse `default(none)` and `x == true`: in JMESPath a bare word names a field.

    Raises:
        ExpressionError: There is such a word.
    """
    for child in children(node):
        name = name_of(child) if child["type"] == "field" else None
        if name is not None and name in LITERALS:
            raise ExpressionError(
                f"`{name}` names a field; it is no value",
                hint=f"write `` `{LITERALS[name]}` `` in backticks; what is missing is null anyway",
            )


def _arity(name: str) -> tuple[int, int | None]:
    """Return how many arguments a function takes at least and at most (None: any number)."""
    specification = FlowFunctions.FUNCTION_TABLE[name]
    count = len(specification["signature"])
    if name in OPTIONAL:
        return count, OPTIONAL[name]
    variadic = bool(count) and specification["signature"][-1].get("variadic", False)
    return count, None if variadic else count
