"""Small readers for the nodes that JMESPath's parser makes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jmespath.ast import Node

PATHS: Final = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten"}
)
"""Nodes whose first child finds what the others look into."""


def children(node: "Node") -> "list[Node]":
    """Return the nodes below *node*."""
    return [] if node["type"] == "slice" else node["children"]


def name_of(node: "Node") -> str | None:
    """Return the name that a field, a function, a comparator or a key goes by, or None."""
    match node["type"]:
        case "field" | "function_expression" | "comparator" | "key_val_pair":
            return node["value"]
        case _:
            return None


def rebuilt(node: "Node", below: "list[Node]") -> "Node":
    """Return *node* with *below* as its children; parsed nodes are shared, so they are never changed."""
    match node["type"]:
        case "slice" | "index" | "literal":
            return node
        case "field" | "function_expression" | "comparator" | "key_val_pair":
            return {"type": node["type"], "value": node["value"], "children": below}
        case _:
            return {"type": node["type"], "children": below}


def depth(node: "Node") -> int:
    """Return how deep the tree below *node* is, *node* included."""
    deepest = 0
    stack = [(node, 1)]
    while stack:
        here, level = stack.pop()
        deepest = max(deepest, level)
        stack.extend((child, level + 1) for child in children(here))
    return deepest


def walk(node: "Node") -> "Iterator[Node]":
    """Yield *node* and everything below it."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(reversed(children(here)))
