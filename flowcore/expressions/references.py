"""What an expression refers to, read off its tree: only names that stand at the top, never those of some element."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from flowcore.errors import ExpressionError

from .nodes import children, name_of

if TYPE_CHECKING:
    from jmespath.ast import Node


@attrs.frozen
class Reference:
    """A place that an expression reads: ``flows.fetch.users[0].id`` is root `flows`, names `fetch` and `users`.

    Attributes:
        names: The names after the root as far as they are known beforehand.
    """

    root: str
    names: tuple[str, ...]


def references(tree: "Node") -> tuple[Reference, ...]:
    """Return what *tree* refers to at its top, each once, in order.

    Raises:
        ExpressionError: It takes everything there is (`@`), so nobody can tell what it needs.
    """
    return tuple(dict.fromkeys(_top(tree)))


def _top(node: "Node") -> Iterator[Reference]:
    """Yield the references of *node*, which looks at the top."""
    path = _path(node)
    if path is not None:
        yield Reference(path[0], path[1:6])
        return
    match node["type"]:
        case "current" | "identity":
            raise ExpressionError(
                "`@` alone means everything there is", hint="name what you need: `flows.<step>.<output>`"
            )
        case "literal" | "expref":
            return
        case (
            "and_expression"
            | "or_expression"
            | "not_expression"
            | "comparator"
            | "function_expression"
            | "multi_select_list"
            | "multi_select_dict"
            | "key_val_pair"
        ):
            for child in children(node):
                yield from _top(child)
        case _:
            # Everything else looks at what its first child has found.
            yield from _top(children(node)[0])


def _path(node: "Node") -> tuple[str, ...] | None:
    """Return the names of a dotted path from the top, or None when *node* is something else."""
    if node["type"] == "field":
        return (name_of(node) or "",)
    if node["type"] != "subexpression":
        return None
    first, *rest = children(node)
    head = _path(first)
    if head is None:
        return None
    names: list[str] = []
    for child in rest:
        first_name = _leftmost(child)
        if first_name is None:
            break
        names.append(first_name)
        if child["type"] != "field":
            break
    return (*head, *names)


def _leftmost(node: "Node") -> str | None:
    """Return the name that *node* looks at first, as `users` in ``users[0]``, or None."""
    while node["type"] in {"index_expression", "subexpression", "projection", "filter_projection", "flatten"}:
        node = children(node)[0]
    return name_of(node) if node["type"] == "field" else None
