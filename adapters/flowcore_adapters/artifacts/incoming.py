"""Files on their way into a store: nobody sees them before they are whole, and none is left behind.

Whoever writes one holds a lock on it, which ends with the program at the latest: a file that can be locked by somebody
else is the rest of a program that died, and goes.
"""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from secrets import token_hex
from threading import Thread
from typing import Final

from flowcore.errors import ObjectExistsError, ObjectNameError

DIRECTORY: Final = ".incoming"
"""A name that no object can have."""
_CHUNK: Final = 256 * 1024
_HOLD: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_EARLY: Final = 16 * 1024 * 1024
"""After so many bytes what there is begins to be written to the disk."""
_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class IncomingFile:
    """A file that is being written; `publish` it, and `close` it in any case.

    Attributes:
        size: How many bytes are in it.
    """

    def __init__(self, directory: int) -> None:
        """Make one in the descriptor *directory*."""
        self.size = 0
        self._failure: OSError | None = None
        self._sent = 0
        self._sending: Thread | None = None
        self._directory = os.dup(directory)
        try:
            self._name, self._descriptor = _make(self._directory)
        except BaseException:
            os.close(self._directory)
            raise

    def write(self, chunk: bytes | memoryview) -> None:
        """Write the next bytes."""
        left = memoryview(chunk)
        while left:
            written = os.write(self._descriptor, left)
            self.size += written
            left = left[written:]
        if self.size - self._sent >= _EARLY and (self._sending is None or not self._sending.is_alive()):
            self._sent = self.size
            self._sending = Thread(target=self._send, name="flowcore-write-out", daemon=True)
            self._sending.start()

    def _send(self) -> None:
        """Have written to the disk what there is, while more is coming: nobody waits for it at the end."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            # The system tells it once, and `finish` would not hear of it.
            self._failure = self._failure or error

    def take(self, chunk: bytes | memoryview) -> None:
        """Write the next bytes for somebody who cannot be told what goes wrong: `finish` will tell it."""
        if self._failure is None:
            try:
                self.write(chunk)
            except OSError as error:
                self._failure = error

    def read(self, start: int, length: int) -> bytes:
        """Return at most *length* bytes from *start* on."""
        return os.pread(self._descriptor, length, start)

    def __iter__(self) -> Iterator[bytes]:
        """Return what is in it."""
        start = 0
        while piece := self.read(start, _CHUNK):
            start += len(piece)
            yield piece

    def finish(self) -> os.stat_result:
        """See that everything is on the disk, and return what became of it."""
        self._await_sending()
        if self._failure is not None:
            raise self._failure
        os.fsync(self._descriptor)
        return os.fstat(self._descriptor)

    def _await_sending(self) -> None:
        if self._sending is not None:
            self._sending.join()

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
        """Let go of it; what was not published is gone. May be called again."""
        if self._descriptor < 0:
            return
        self._await_sending()
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)
        os.close(self._descriptor)
        os.close(self._directory)
        self._descriptor = -1


def _make(directory: int) -> tuple[str, int]:
    while True:
        name = token_hex(16)
        descriptor = os.open(name, _CREATE, mode=0o600, dir_fd=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        # Somebody who clears up came between the two.
        os.close(descriptor)


@contextmanager
def held(directory: int, key: str) -> Generator[None]:
    """Keep everybody else who asks for *key*, in whatever process, out of the block.

    Raises:
        ObjectExistsError: Somebody else is in it.
    """
    name = f"held-{sha256(key.encode()).hexdigest()}"
    descriptor = os.open(name, _HOLD, mode=0o600, dir_fd=directory)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ObjectExistsError("this object is just being put by somebody else") from None
        if not os.fstat(descriptor).st_nlink:
            raise ObjectExistsError("this object has just been put by somebody else")
        try:
            yield
        finally:
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(descriptor)


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
