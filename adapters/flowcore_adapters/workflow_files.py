"""Finding the files of a folder below the one root that requests may name folders in (contract safety).

Nothing outside the root is opened: neither by `..`, nor by an absolute path, nor through a symbolic link.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import translate
from pathlib import Path
from re import IGNORECASE, Pattern
from re import compile as compile_pattern
from typing import Final

import attrs

from flowcore.errors import FlowcoreError

from .file_text import decode_text

MAX_FILES: Final = 10_000
"""How many files of a folder are looked at."""
MAX_FILE: Final = 10 * 1024 * 1024
"""How large one of them may be, in bytes."""
MAX_FOLDERS: Final = 10_000
"""How many folders below the one that was named are looked into."""
_LONGEST_PATH: Final = 4_096


class FolderError(FlowcoreError, ValueError):
    """A folder that cannot be looked at; its code says whether there is none or it may not be."""

    def __init__(self, message: str, *, code: str = "folder-refused") -> None:
        """Say what is wrong."""
        self.code = code
        super().__init__(message)


@attrs.frozen
class FoundFile:
    """A file of a folder.

    Attributes:
        name: Its name.
        path: The folder, as the caller wrote it, and the way from there.
        text: What stands in it; None when it cannot be read.
        problem: Why it cannot be read, or None.
    """

    name: str
    path: str
    text: str | None
    problem: str | None = None


class WorkflowFolders:
    """The folders below one root."""

    def __init__(self, root: Path) -> None:
        """Let folders below *root* be named, and that one itself."""
        self._root = Path(os.path.realpath(root))

    def files(self, folder: str, pattern: str = "*.json", *, recursive: bool = False) -> Iterator[FoundFile]:
        """Return the files of *folder* that match *pattern*, sorted by their ways from there.

        Args:
            folder: The folder, from the root; a leading `./` is dropped.
            pattern: `*` and `?` stand for any characters and any one; the whole name, in either case of letters.
            recursive: Whether to look into its folders too.

        Raises:
            FolderError: It is outside the root, or no folder, or holds too much.
        """
        place = self._place(folder)
        wanted = _pattern(pattern)
        found = sorted(self._walk(place, wanted, recursive=recursive))
        written = folder.rstrip("/") or folder
        return (self._read(place, way, written) for way in found)

    def _place(self, folder: str) -> Path:
        """Return where *folder* is."""
        if not folder or len(folder) > _LONGEST_PATH or "\0" in folder:
            raise FolderError("'folderPath' must be the path of a folder below the workflows root")
        if folder.startswith("/"):
            # One inside the root too: what a path means must not depend on where the server keeps its files.
            advice = "name the folder by its way from the workflows root, './flows' for instance"
            raise FolderError(f"'{folder[:200]}' is an absolute path, which is never allowed: {advice}")
        if folder.startswith("~") or "\\" in folder:
            raise FolderError(f"'{folder[:200]}' is outside the workflows root: name a folder from there")
        place = Path(os.path.realpath(self._root / folder))
        if not place.is_relative_to(self._root):
            raise FolderError(f"'{folder[:200]}' is outside the workflows root: name a folder from there")
        if not place.is_dir():
            kind = "is no folder" if place.exists() else "does not exist"
            raise FolderError(f"Folder not found: '{folder[:200]}' {kind}", code="folder-not-found")
        return place

    def _walk(self, place: Path, wanted: Pattern[str], *, recursive: bool) -> list[str]:
        """Return the ways from *place* to its files whose names are *wanted*; links to folders are not followed."""
        found: list[str] = []
        rest = [""]
        looked = 0
        while rest:
            way = rest.pop()
            looked += 1
            if looked > MAX_FOLDERS:
                raise FolderError(f"more than {MAX_FOLDERS} folders are in there: name one further down")
            # A folder that cannot be read has no files for us.
            with suppress(OSError), os.scandir(place / way) as entries:
                for entry in entries:
                    below = f"{way}/{entry.name}" if way else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if recursive:
                            rest.append(below)
                    elif wanted.fullmatch(entry.name):
                        found.append(below)
            if len(found) > MAX_FILES:
                raise FolderError(f"more than {MAX_FILES} files are in there: a narrower 'pattern' finds fewer")
        return found

    def _read(self, place: Path, way: str, written: str) -> FoundFile:
        name, path = way.rpartition("/")[2], f"{written}/{way}"
        real = Path(os.path.realpath(place / way))
        if not real.is_relative_to(self._root):
            return FoundFile(name, path, None, "it is a link to a place outside the workflows root")
        try:
            return FoundFile(name, path, read_text(real))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return FoundFile(name, path, None, f"it cannot be read: {reason}")


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no regular file, too large, or no UTF-8 text.
    """
    # A pipe would keep us waiting for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    with path.open("rb") as stream:
        data = stream.read(MAX_FILE + 1)
    return text_of(data)


def text_of(data: bytes) -> str:
    """Return the text of a file that holds *data*.

    Raises:
        ValueError: It is too large, or no UTF-8 text.
    """
    if len(data) > MAX_FILE:
        raise ValueError(f"it is larger than {MAX_FILE // (1024 * 1024)} MiB")
    return decode_text(data)


def _pattern(pattern: str) -> Pattern[str]:
    if not pattern or len(pattern) > 200 or "/" in pattern:  # noqa: PLR2004 - longer than any name
        raise FolderError("'pattern' must be a file name with `*` and `?`", code="bad-pattern")
    # Brackets mean themselves here.
    quoted = pattern.replace("[", "[[]")
    return compile_pattern(translate(quoted), IGNORECASE)
