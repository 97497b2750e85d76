"""Letting in only so many requests that take long, so that the quick ones always find a thread."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Semaphore
from typing import Final

import falcon

KEPT_FREE: Final = 4
"""How many threads of a server are never taken by requests that wait for news."""
FULL: Final = "too many requests are waiting for news; ask without 'wait', or again in a second"
RETRY_AFTER_S: Final = 1


class Admission:
    """Places for long-lived requests: as many as a server of so many threads can spare, none if need be."""

    def __init__(self, threads: int) -> None:
        """Leave `KEPT_FREE` of *threads* alone."""
        self._places = Semaphore(max(0, threads - KEPT_FREE))

    @contextmanager
    def enter(self) -> Generator[None]:
        """Take a place for as long as the block lasts.

        Raises:
            HTTPServiceUnavailable: There is none.
        """
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def take(self) -> None:
        """Take a place until `give_back`.

        Raises:
            HTTPServiceUnavailable: There is none.
        """
        if not self._places.acquire(blocking=False):
            raise falcon.HTTPServiceUnavailable(title=FULL, retry_after=RETRY_AFTER_S)

    def give_back(self) -> None:
        """Give a place back that was taken."""
        self._places.release()
