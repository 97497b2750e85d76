"""Walking the directories of a store without ever following a symbolic link.

Every step goes from a directory that is open already, so nobody can swap one for a link between a look and its use.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from typing import Final

from flowcore.errors import ObjectNameError, ObjectNotFoundError, StoreError

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_DIRECTORY: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
"""What the system says of a link, or of a file, where a directory should be."""


def open_root(path: str) -> int:
    """Return a descriptor of the store's own directory; links on the way to it are the operator's business."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_real(path: str) -> int:
    """Return a descriptor of the directory at the absolute *path*, on which there may be no link.

    Raises:
        StoreError: There is one, or there is no such directory.
    """
    top = open_root("/")
    try:
        return descend(top, [segment for segment in path.split("/") if segment], make=False)
    except ObjectNotFoundError:
        raise StoreError(f"the store at {path} cannot be used: it is no directory, or a link leads there") from None
    finally:
        os.close(top)


def descend(root: int, segments: Sequence[str], *, make: bool) -> int:
    """Return a new descriptor of the directory that *segments* lead to from the descriptor *root*.

    Args:
        root: Where to begin; stays open.
        segments: The names of the directories on the way.
        make: True to make what is missing.

    Raises:
        ObjectNotFoundError: A directory is missing, or is something else: a link, or a file.
        ObjectNameError: The same, where they were to be made.
    """
    here = os.dup(root)
    try:
        for segment in segments:
            if make:
                _make(segment, here)
            below = os.open(segment, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
    except OSError as error:
        os.close(here)
        raise _explained(error, segments, make=make) from None
    return here


def _make(segment: str, here: int) -> None:
    try:
        os.mkdir(segment, mode=0o700, dir_fd=here)
    except FileExistsError:
        return
    # Or the directory, and with it the file in it, would be gone after a power failure.
    os.fsync(here)


def _explained(error: OSError, segments: Sequence[str], *, make: bool) -> Exception:
    if isinstance(error, FileNotFoundError) or (error.errno in _NO_DIRECTORY and not make):
        return ObjectNotFoundError(f"there is no object below '{'/'.join(segments)}'")
    if error.errno in _NO_DIRECTORY:
        return ObjectNameError(f"nothing can be kept below '{'/'.join(segments)}': a part of it is an object itself")
    return error


def prune(root: int, segments: Sequence[str]) -> None:
    """Remove the directories that *segments* lead to from *root*, the innermost first, as far as they are empty."""
    for depth in range(len(segments), 0, -1):
        try:
            above = descend(root, segments[: depth - 1], make=False)
        except ObjectNotFoundError:
            return
        try:
            os.rmdir(segments[depth - 1], dir_fd=above)
        except OSError:
            return
        finally:
            os.close(above)


def files_below(directory: int, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the regular files below the descriptor *directory* with their names from there, sorted, behind *prefix*."""
    try:
        with os.scandir(directory) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
        # `a.txt` stands before `a/b`, as in the sorted list of whole names.
        for entry in sorted(found, key=lambda each: each.name + ("/" if each.is_dir(follow_symlinks=False) else "")):
            try:
                if entry.is_dir(follow_symlinks=False):
                    below = os.open(entry.name, _DIRECTORY, dir_fd=directory)
                    yield from files_below(below, f"{prefix}{entry.name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield prefix + entry.name, os.stat(entry.name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                # Deleted in this moment.
                continue
    finally:
        os.close(directory)
