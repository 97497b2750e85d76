"""A log that dies with whoever appends: before anything is stored, or when it is stored and not yet acknowledged."""

from collections.abc import Callable
from itertools import islice

from typing_extensions import override

from flowcore.memory_log import MemoryEventLog
from flowcore.ports import AnyAppend, AppendBatch, Recorded


class CrashError(Exception):
    """The program that was appending is dead."""


class FaultyLog(MemoryEventLog):
    """A log in memory whose appends may end in a crash, and that shows every event to a witness.

    Attributes:
        dies: Asked before every append: None to go through, else whether it reaches the log before the crash.
    """

    def __init__(self, dies: Callable[[], bool | None], witness: Callable[[Recorded], None]) -> None:
        """Start empty."""
        super().__init__()
        self.dies = dies
        self._witness = witness

    @override
    def append(self, *appends: AnyAppend) -> int:
        torn = self.dies()
        if torn is False:
            raise CrashError
        position = super().append(*appends)
        for append in appends:
            if isinstance(append, AppendBatch):
                continue
            for recorded in islice(self.read(append.run_id, after=append.expected_version), len(append.events)):
                self._witness(recorded)
        if torn:
            raise CrashError
        return position
