"""Whether anything was committed, by whichever process, without asking SQLite."""

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

_QUIET_NS: Final = 100_000_000
"""A file that was written to longer ago than this, in nanoseconds, gets another time when it is written to again: file
systems count time in ticks of some milliseconds."""


class Look(NamedTuple):
    """What the file looked like. Two looks are equal when nothing was written in between, if the first one is quiet."""

    written_at: int
    size: int
    inode: int

    @property
    def quiet(self) -> bool:
        """Whether a later commit would certainly show."""
        return time.time_ns() - self.written_at > _QUIET_NS


class CommitFile:
    """The write-ahead log beside a database: every commit writes to it before it is acknowledged."""

    def __init__(self, database: Path) -> None:
        """Look at the one of *database*."""
        self._path = f"{database}-wal"

    def look(self) -> Look | None:
        """Return what it looks like; None when it is not there."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - a `Path` takes longer than the question
        except OSError:
            return None
        return Look(found.st_mtime_ns, found.st_size, found.st_ino)
