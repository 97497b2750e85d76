"""Holding Python's garbage collector back while something large is built."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """Let the garbage collector wait until this is done.

    While a long run is loaded it would go over the growing state again and again, only to find that all of it is
    needed: half of the time. Several threads may do so at once: the first one to be done ends it for all, which costs
    the others some time and nothing else.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
