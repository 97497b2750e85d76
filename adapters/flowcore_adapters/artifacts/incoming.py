"""Files on their way into a store: nobody sees them before they are whole, and none is left behind.

Whoever writes one holds a lock on it, which ends with the program at the latest: a file that can be locked by somebody
else is the rest of a program that died, and goes.
"""

import fcntl
import os
from contextlib import suppress
from secrets import token_hex
from typing import Final

from flowcore.errors import ObjectExistsError, ObjectNameError

DIRECTORY: Final = ".incoming"
"""A name that no object can have."""
_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class IncomingFile:
    """A file that is being written; `publish` it, and `close` it in any case."""

    def __init__(self, directory: int) -> None:
        """Make one in the descriptor *directory*, which stays open."""
        self._directory = directory
        while True:
            self._name = token_hex(16)
            self._descriptor = os.open(self._name, _CREATE, mode=0o600, dir_fd=directory)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.fstat(self._descriptor).st_nlink:
                return
            # Somebody who clears up came between the two.
            os.close(self._descriptor)

    def write(self, chunk: bytes) -> None:
        """Write the next bytes."""
        left = memoryview(chunk)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def finish(self) -> os.stat_result:
        """See that everything is on the disk, and return what became of it."""
        os.fsync(self._descriptor)
        return os.fstat(self._descriptor)

    def publish(self, directory: int, name: str, *, create: bool) -> None:
        """Let it be *name* in the descriptor *directory*, at once and whole.

        Raises:
            ObjectExistsError: *create*, and there is one.
            ObjectNameError: The name is that of a directory.
            FileNotFoundError: The directory was removed in the meantime.
        """
        if create:
            try:
                os.link(self._name, name, src_dir_fd=self._directory, dst_dir_fd=directory, follow_symlinks=False)
            except FileExistsError:
                raise ObjectExistsError("there is an object of that name already") from None
        else:
            try:
                os.replace(self._name, name, src_dir_fd=self._directory, dst_dir_fd=directory)
            except IsADirectoryError:
                raise ObjectNameError(f"'{name}' cannot be an object: there are objects below it") from None
        os.fsync(directory)

    def close(self) -> None:
        """Let go of it; what was not published is gone."""
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)
        os.close(self._descriptor)


def clear_abandoned(directory: int) -> None:
    """Remove from the descriptor *directory* what programs left that died while they wrote."""
    for name in os.listdir(directory):
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=directory)
        except OSError:
            # Somebody is writing it, or was quicker than us.
            continue
        finally:
            os.close(descriptor)
