"""The store that is always there: files below one directory, each put in place whole."""

import os
import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flowcore.errors import ObjectNotFoundError, ObjectTooLargeError, StoreError
from flowcore.stores import ObjectReader, StoredObject, check_object_name
from flowcore.values import Instant

from .chunks import capped, part_of
from .directories import descend, files_below, open_real, open_root, prune
from .incoming import DIRECTORY, IncomingFile, clear_abandoned, held

CHUNK: Final = 256 * 1024
"""How much is read at a time, in bytes."""
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: a named pipe in the place of a file must not hold us up."""
_PUBLISHING: Final = 5
"""How often a directory may be removed under our hands by somebody who deletes its last file."""


class FileReader:
    """An open file, or a part of it."""

    def __init__(self, descriptor: int, stored: StoredObject, start: int, length: int) -> None:
        """Read *length* bytes of *descriptor*, which is ours from here on, from *start*."""
        self._descriptor = descriptor
        self._start = start
        self._left = length
        self.stored = stored

    def __iter__(self) -> Iterator[bytes]:
        """Return the chunks."""
        while self._left > 0 and self._descriptor >= 0:
            chunk = os.pread(self._descriptor, min(CHUNK, self._left), self._start)
            if not chunk:
                return
            self._start += len(chunk)
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class LocalArtifactStore:
    """Files below a directory; several processes may share it."""

    def __init__(self, directory: str | Path, *, resolved: bool = False) -> None:
        """Keep objects below *directory*, which is made when it is missing; only this user may look into it.

        Args:
            directory: The directory.
            resolved: True when it is a real path, and whoever puts a link in its place later must not be followed.

        Raises:
            StoreError: It cannot be used.
        """
        self._path = os.fspath(directory)
        self._resolved = resolved
        with self._trouble():
            Path(self._path).mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._directory([DIRECTORY], make=True) as incoming:
                clear_abandoned(incoming)

    @property
    def directory(self) -> str:
        """The directory, by the one path that all its names lead to."""
        return os.path.realpath(self._path)

    def put(
        self, name: str, chunks: Iterable[bytes], *, max_bytes: int | None = None, create: bool = False
    ) -> StoredObject:
        """Keep *chunks*; what is acknowledged is on the disk."""
        check_object_name(name)
        if isinstance(chunks, IncomingFile):
            # It was received here, see `receive`.
            if max_bytes is not None and chunks.size > max_bytes:
                raise ObjectTooLargeError(f"the object is larger than {max_bytes} bytes")
            return self._finish(name, chunks, create=create)
        new = self.receive()
        try:
            # What the sender raises is the sender's: only what is ours is translated.
            for chunk in capped(chunks, max_bytes):
                with self._trouble(name):
                    new.write(chunk)
            return self._finish(name, new, create=create)
        finally:
            new.close()

    def receive(self) -> IncomingFile:
        """Return a file to write an object to that has no name yet; `put` takes it as it is. `close` it in any case."""
        with self._trouble(), self._directory([DIRECTORY], make=True) as incoming:
            return IncomingFile(incoming)

    @contextmanager
    def hold(self, key: str) -> Generator[None]:
        """Keep everybody else who holds *key*, in any process that shares the directory, out of the block.

        Raises:
            ObjectExistsError: Somebody else is in it.
        """
        with self._trouble(), self._directory([DIRECTORY], make=True) as incoming:
            directory = os.dup(incoming)
        try:
            with held(directory, key):
                yield
        finally:
            os.close(directory)

    def _finish(self, name: str, new: IncomingFile, *, create: bool) -> StoredObject:
        *directories, file = name.split("/")
        with self._trouble(name):
            found = new.finish()
            self._publish(new, directories, file, create=create)
        return _stored(name, found)

    def _publish(self, new: IncomingFile, directories: list[str], file: str, *, create: bool) -> None:
        for remaining in reversed(range(_PUBLISHING)):
            try:
                with self._directory(directories, make=True) as directory:
                    new.publish(directory, file, create=create)
            except (FileNotFoundError, ObjectNotFoundError):
                if not remaining:
                    raise
            else:
                return

    def open(self, name: str, *, start: int = 0, length: int | None = None) -> ObjectReader:
        """Open a file to read from."""
        with self._trouble(name):
            descriptor = self._open(name)
            try:
                stored = _stored(name, os.fstat(descriptor))
                return FileReader(descriptor, stored, start, part_of(stored, start, length))
            except BaseException:
                os.close(descriptor)
                raise

    def head(self, name: str) -> StoredObject:
        """Look at a file."""
        with self._trouble(name):
            descriptor = self._open(name)
            try:
                return _stored(name, os.fstat(descriptor))
            finally:
                os.close(descriptor)

    def delete(self, name: str) -> None:
        """Delete a file, and the directories that it leaves empty."""
        *directories, file = check_object_name(name).split("/")
        with self._trouble(name), self._root() as root:
            try:
                with self._directory(directories, make=False) as directory:
                    os.unlink(file, dir_fd=directory)
                    os.fsync(directory)
            except (FileNotFoundError, IsADirectoryError, ObjectNotFoundError):
                return
            prune(root, directories)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the files."""
        segments = check_object_name(prefix.rstrip("/")).split("/") if prefix else []
        with self._trouble(prefix), self._root() as root:
            try:
                directory = descend(root, segments, make=False)
            except ObjectNotFoundError:
                return
            behind = "/".join([*segments, ""])
            for name, found in files_below(directory, behind):
                yield _stored(name, found)

    def _open(self, name: str) -> int:
        *directories, file = check_object_name(name).split("/")
        try:
            with self._directory(directories, make=False) as directory:
                descriptor = os.open(file, _FILE, dir_fd=directory)
        except (FileNotFoundError, ObjectNotFoundError):
            raise ObjectNotFoundError(f"there is no object '{name}'") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ObjectNotFoundError(f"there is no object '{name}'")
        return descriptor

    @contextmanager
    def _root(self) -> Generator[int]:
        root = open_real(self._path) if self._resolved else open_root(self._path)
        try:
            yield root
        finally:
            os.close(root)

    @contextmanager
    def _directory(self, segments: Sequence[str], *, make: bool) -> Generator[int]:
        with self._root() as root:
            directory = descend(root, segments, make=make)
        try:
            yield directory
        finally:
            os.close(directory)

    @contextmanager
    def _trouble(self, name: str = "") -> Generator[None]:
        """Turn what the system says into what a store says, without the paths of this machine."""
        try:
            yield
        except OSError as error:
            where = f"'{name}' in the store" if name else f"the store at {self._path}"
            raise StoreError(f"{where} cannot be used: {error.strerror or error}") from error


def _stored(name: str, found: os.stat_result) -> StoredObject:
    return StoredObject(name=name, size_bytes=found.st_size, modified_at=Instant(found.st_mtime))
