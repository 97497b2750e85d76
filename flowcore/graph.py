"""The order of steps: who waits for whom, and where that goes in a circle.

Everything here is linear in steps and dependencies, and nothing recurses: a chain of 10,000 steps is an ordinary flow.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

T = TypeVar("T")


def dependents(dependencies: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return, for each step, the steps that wait for it, both by their index, in file order."""
    result: list[list[int]] = [[] for _ in dependencies]
    for index, needed in enumerate(dependencies):
        for parent in needed:
            result[parent].append(index)
    return result


MOST_CYCLES: Final = 20
"""How many circles are told, each member in one of them at most."""
LONGEST_WALK: Final = 12
"""How many names of a circle are told."""


def find_cycles(dependencies: Mapping[T, Sequence[T]]) -> Iterator[tuple[T, ...]]:
    """Yield cycles as `find_cycle` returns them, each name in one of them at most; the first `MOST_CYCLES`."""
    left = dict(dependencies)
    for _ in range(MOST_CYCLES):
        cycle = find_cycle(left)
        if cycle is None:
            return
        left = {name: needs for name, needs in left.items() if name not in cycle}
        yield cycle


def walked(cycle: Sequence[str]) -> str:
    """Return *cycle* as people read it, a long one without its middle."""
    shown = cycle if len(cycle) <= LONGEST_WALK else (*cycle[: LONGEST_WALK - 2], "...", cycle[-1])
    return " -> ".join(shown)


def find_cycle(dependencies: Mapping[T, Sequence[T]]) -> tuple[T, ...] | None:
    """Return one cycle as it is walked, ``(a, b, a)`` when `a` waits for `b` and `b` for `a`, or None.

    Names that are no keys are passed over: a missing dependency is somebody else's finding.
    """
    unmet = dict.fromkeys(dependencies, 0)
    waiting: dict[T, list[T]] = {name: [] for name in dependencies}
    for name, needed in dependencies.items():
        for parent in needed:
            if parent in waiting:
                unmet[name] += 1
                waiting[parent].append(name)
    free = deque(name for name, count in unmet.items() if not count)
    while free:
        for name in waiting[free.popleft()]:
            unmet[name] -= 1
            if not unmet[name]:
                free.append(name)
    stuck = {name for name, count in unmet.items() if count}
    if not stuck:
        return None
    # Whoever is stuck waits for somebody who is stuck: walking on must come round to a step already seen.
    seen: dict[T, int] = {}
    walk: list[T] = []
    here = next(name for name in dependencies if name in stuck)
    while here not in seen:
        seen[here] = len(walk)
        walk.append(here)
        here = next(parent for parent in dependencies[here] if parent in stuck)
    return (*walk[seen[here] :], here)
