"""Many histories, on all processors: the seeds that are found to break something."""

import gc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Final

import attrs

from .world import History, simulate

_PIECE: Final = 250
"""How many seeds a process takes at a time."""


@attrs.frozen
class Piece:
    """What some seeds came to.

    Attributes:
        found: The histories in which something was wrong.
    """

    schedules: int
    events: int
    found: tuple[History, ...]


def search(first: int, count: int, jobs: int) -> Iterator[Piece]:
    """Yield what the seeds from *first* on come to, piece by piece, in their order."""
    pieces = [range(start, min(start + _PIECE, first + count)) for start in range(first, first + count, _PIECE)]
    if jobs == 1 or len(pieces) == 1:
        yield from map(_live_through, pieces)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        # No more than a few pieces ahead: a search that is over early must not have to wait for the rest.
        ahead = iter(pieces)
        waiting = [pool.submit(_live_through, seeds) for seeds in islice(ahead, 2 * jobs)]
        while waiting:
            yield waiting.pop(0).result()
            waiting.extend(pool.submit(_live_through, seeds) for seeds in islice(ahead, 1))


def _live_through(seeds: range) -> Piece:
    # Next to nothing here goes in circles: looking for it takes a tenth of the time.
    gc.disable()
    try:
        histories = [simulate(seed) for seed in seeds]
    finally:
        gc.enable()
        gc.collect()
    found = tuple(history for history in histories if history.violation is not None)
    return Piece(len(histories), sum(history.events for history in histories), found)
