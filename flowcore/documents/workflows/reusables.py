"""Sub-flows by name: what belongs to each, and which of them run which (contract executions, section 8)."""

from collections.abc import Mapping
from typing import Final

import attrs

from .faults import Fault
from .graph import Graph
from .references import to_text

REUSABLE: Final = "reusable.reusable"
END: Final = "reusable.end"
RUN: Final = "reusable.runReusable"
_LONGEST_WALK: Final = 12


@attrs.frozen
class Reusable:
    """A sub-flow.

    Attributes:
        root: The index of its `reusable` node.
        members: The nodes that belong to it, the ends that close it among them, its root not.
        runs: The names of the sub-flows that its members run.
        needs: The nodes outside all sub-flows that give a value to one of its members.
    """

    root: int
    members: frozenset[int]
    runs: tuple[str, ...]
    needs: tuple[int, ...]


def context_name(graph: Graph, index: int) -> str:
    """Return the name that a `reusable` or a `runReusable` node bears; empty when it bears none."""
    return to_text(graph.nodes[index].data.get("contextName")).strip()


def find_reusables(graph: Graph) -> tuple[Mapping[str, Reusable], list[Fault]]:
    """Return the sub-flows of *graph* by name, and what is wrong with them."""
    faults: list[Fault] = []
    roots: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        if node.type != REUSABLE:
            continue
        name = context_name(graph, index)
        if not name:
            faults.append(Fault(f"Reusable node {node.id} must have a context name", node.id))
        elif name in roots:
            other = graph.nodes[roots[name]].id
            message = f'Duplicate context name "{name}" found in reusable nodes {other} and {node.id}'
            faults.append(Fault(message, node.id))
        else:
            roots[name] = index
    members = {name: _members(graph, root) for name, root in roots.items()}
    hidden = frozenset(roots.values()).union(*members.values())
    takes: dict[int, list[int]] = {}
    for source, target, edge in graph.edges:
        if not edge.control and source not in hidden:
            takes.setdefault(target, []).append(source)
    found = {
        name: Reusable(
            root=root,
            members=members[name],
            runs=tuple(_runs(graph, members[name])),
            needs=tuple(dict.fromkeys(source for index in sorted(members[name]) for source in takes.get(index, ()))),
        )
        for name, root in roots.items()
    }
    faults.extend(_missing(graph, found))
    return found, [*faults, *_circles(graph, found)]


def _members(graph: Graph, root: int) -> frozenset[int]:
    """Return what lies between *root* and the ends that close it; sub-flows inside it have ends of their own."""
    found: set[int] = set()
    waiting = [(target, 0) for target in reversed(graph.follow[root])]
    while waiting:
        index, depth = waiting.pop()
        if index in found or index == root:
            continue
        found.add(index)
        kind = graph.nodes[index].type
        if kind == END and depth == 0:
            continue
        below = depth + 1 if kind == REUSABLE else depth - 1 if kind == END else depth
        waiting.extend((target, below) for target in reversed(graph.follow[index]))
    return frozenset(found)


def _runs(graph: Graph, members: frozenset[int]) -> dict[str, None]:
    found = (index for index in sorted(members) if graph.nodes[index].type == RUN and not graph.nodes[index].bypassed)
    return dict.fromkeys(context_name(graph, index) for index in found)


def _missing(graph: Graph, reusables: Mapping[str, Reusable]) -> list[Fault]:
    faults: list[Fault] = []
    for index, node in enumerate(graph.nodes):
        if node.type != RUN:
            continue
        name = context_name(graph, index)
        if not name:
            faults.append(Fault(f"Run Reusable node {node.id} must specify a context name", node.id))
        elif name not in reusables:
            message = f'Run Reusable node {node.id} references non-existent reusable flow "{name}"'
            faults.append(Fault(message, node.id))
    return faults


def _circles(graph: Graph, reusables: Mapping[str, Reusable]) -> list[Fault]:
    """Return the first sub-flow that runs itself, on whatever way: it would never end."""
    done: set[str] = set()
    for name in reusables:
        walk: dict[str, None] = {}
        stack = [(name, iter(reusables[name].runs))]
        walk[name] = None
        while stack:
            here, left = stack[-1]
            following = next((each for each in left if each in reusables and each not in done), None)
            if following is None:
                stack.pop()
                del walk[here]
                done.add(here)
            elif following in walk:
                names = [*walk]
                circle = [*names[names.index(following) :], following]
                shown = circle if len(circle) <= _LONGEST_WALK else [*circle[: _LONGEST_WALK - 2], "...", following]
                message = f'Reusable flow "{following}" runs itself: {" -> ".join(shown)}'
                return [Fault(message, graph.nodes[reusables[following].root].id)]
            else:
                walk[following] = None
                stack.append((following, iter(reusables[following].runs)))
    return []
