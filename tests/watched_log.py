"""A log that tells when somebody waits for it."""

import threading

from typing_extensions import override

from flowcore_adapters.logs.memory import SharedMemoryEventLog


class WatchedLog(SharedMemoryEventLog):
    """A log in memory.

    Attributes:
        waited_for: Released whenever somebody begins to wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Semaphore(0)

    @override
    def wait(self, position: int, timeout_s: float) -> int:
        self.waited_for.release()
        return super().wait(position, timeout_s)
