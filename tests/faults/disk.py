"""A disk as it may be after a power cut: what was synced is there, of the rest anything may be.

What POSIX promises and no more: `fsync` and `fdatasync` of a file keep what was written to it before, `fsync` of a
directory keeps the names in it. Until then each write may be lost, torn between sectors or in the midst of one, or
overtake others, and each name may be missing, old or new.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from random import Random
from typing import Final

import attrs

SECTOR: Final = 512


@attrs.frozen
class Write:
    """Bytes that were written to a file at *offset*."""

    offset: int
    data: bytes


@attrs.frozen
class Truncate:
    """A file was cut to *size*, or made longer with zeros."""

    size: int


@attrs.define(eq=False)
class File:
    """A file without its name.

    Attributes:
        kept: What the disk is sure to have.
        pending: What was done since, and may or may not be on the disk.
        size: Its length as programs see it.
        done: How many changes the disk is sure to have.
    """

    kept: bytearray = attrs.field(factory=bytearray)
    pending: list[Write | Truncate] = attrs.field(factory=list[Write | Truncate])
    size: int = 0
    done: int = 0

    @property
    def changes(self) -> int:
        """How often it was changed."""
        return self.done + len(self.pending)

    def write(self, offset: int | None, data: bytes) -> None:
        """Write *data* at *offset*, or to the end."""
        start = self.size if offset is None else offset
        self.pending.append(Write(start, data))
        self.size = max(self.size, start + len(data))

    def truncate(self, size: int) -> None:
        """Make it *size* bytes long."""
        self.pending.append(Truncate(size))
        self.size = size

    def keep(self, changes: int) -> None:
        """Have the first *changes* of all that was done to it on the disk."""
        count = max(changes - self.done, 0)
        for change in self.pending[:count]:
            _apply(self.kept, change)
        del self.pending[:count]
        self.done += count

    def after_cut(self, random: Random, odds: float) -> bytes:
        """Return what may be in it after a power cut; each pending change is there with *odds*."""
        content = bytearray(self.kept)
        pending = list(self.pending)
        if random.random() < 0.3:  # the disk has kept their order
            pending = pending[: random.randint(0, len(pending))]
        elif random.random() < 0.3:
            random.shuffle(pending)
        for change in pending:
            if random.random() < odds:
                _apply(content, change)
            elif isinstance(change, Write):
                _tear(content, change, random, odds)
        return bytes(content)


@attrs.frozen(eq=False)
class Naming:
    """A name was given to a file, or taken away.

    Attributes:
        file: The file, None for a directory.
    """

    path: PurePosixPath
    file: File | None
    there: bool


@attrs.define(eq=False)
class Disk:
    """The files below one directory.

    Attributes:
        names: The files as programs see them; directories are None.
        kept: The names that the disk is sure to have.
        pending: What was done with names since, in its order.
    """

    names: dict[PurePosixPath, File | None] = attrs.field(factory=dict[PurePosixPath, File | None])
    kept: dict[PurePosixPath, File | None] = attrs.field(factory=dict[PurePosixPath, File | None])
    pending: list[Naming] = attrs.field(factory=list[Naming])

    def name(self, path: PurePosixPath, file: File | None) -> None:
        """Give *file* a name; whatever had it before has lost it."""
        self.names[path] = file
        self.pending.append(Naming(path, file, there=True))

    def forget(self, path: PurePosixPath) -> None:
        """Take a name away."""
        self.pending.append(Naming(path, self.names.pop(path), there=False))

    def rename(self, old: PurePosixPath, new: PurePosixPath) -> None:
        """Give what is called *old* the name *new*."""
        file = self.names.pop(old)
        self.names[new] = file
        self.pending += [Naming(new, file, there=True), Naming(old, file, there=False)]

    def keep_names(self, directory: PurePosixPath, namings: Sequence[Naming]) -> None:
        """Have those of *namings* that are about *directory* on the disk."""
        kept = [naming for naming in self.pending if naming in namings and naming.path.parent == directory]
        for naming in kept:
            _rename(self.kept, naming)
        self.pending = [naming for naming in self.pending if naming not in kept]

    def cut(self, random: Random, home: Path) -> None:
        """Write below *home* what may be found when the power is back."""
        names = dict(self.kept)
        odds = random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for naming in self.pending:
            if random.random() < odds:
                _rename(names, naming)
        odds = random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for path, file in sorted(names.items()):
            place = home / path
            if PurePosixPath(path.parent) != PurePosixPath() and path.parent not in names:
                continue  # its directory was never kept
            if file is None:
                place.mkdir(exist_ok=True)
            else:
                place.write_bytes(file.after_cut(random, odds))


def _rename(names: dict[PurePosixPath, File | None], naming: Naming) -> None:
    if naming.there:
        names[naming.path] = naming.file
    elif names.get(naming.path) is naming.file:
        names.pop(naming.path, None)


def _apply(content: bytearray, change: Write | Truncate) -> None:
    size = change.size if isinstance(change, Truncate) else change.offset + len(change.data)
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if isinstance(change, Truncate):
        del content[size:]
    else:
        content[change.offset : size] = change.data


def _tear(content: bytearray, write: Write, random: Random, odds: float) -> None:
    """Have some sectors of *write*, and of these perhaps the beginning only."""
    if random.random() < 0.5:
        return
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        if random.random() < odds:
            length = random.randint(0, stop - start) if random.random() < 0.1 else stop - start
            first = start - write.offset
            _apply(content, Write(start, write.data[first : first + length]))
        start = stop
