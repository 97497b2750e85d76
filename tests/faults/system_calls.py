"""What programs did to the files below a directory, read from what `strace` wrote."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final

import attrs

from tests.faults.disk import Disk, File, Naming

TRACED: Final = (
    "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,copy_file_range,sendfile"
)
"""All that changes a file or a name; a call that is not understood, on a file that matters, is an error of the test."""
OPTIONS: Final = ("-f", "-qq", "-y", "-xx", "-s", "16777216", "-e", f"trace={TRACED}", "-e", "signal=none")

_LINE: Final = re.compile(
    r"(?P<pid>\d+) +(?:(?P<name>\w+)\((?P<rest>.*)|<\.\.\. (?P<resumed>\w+) resumed>(?P<end>.*))$"
)
_UNFINISHED: Final = " <unfinished ...>"
_RESULT: Final = re.compile(r"\) += (-?\d+)[^)]*$")
_FD: Final = re.compile(r"(?:AT_FDCWD|\d+)<(?P<path>(?:\\x[0-9a-f]{2})*)>")
_TEXT: Final = re.compile(r'"(?P<hex>(?:\\x[0-9a-f]{2})*)"')
_LAST_NUMBER: Final = re.compile(r", (\d+)$")


@attrs.frozen
class Call:
    """A system call, at its beginning or at its end.

    Attributes:
        process: The thread that made it.
        result: What it came to; None at its beginning.
    """

    process: int
    name: str
    arguments: str
    result: int | None


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the beginnings and the ends of the calls in *lines*, in their order."""
    open_calls: dict[int, tuple[str, str]] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        process = int(found["pid"])
        if found["name"] is not None:
            name, rest = found["name"], found["rest"]
            if rest.endswith(_UNFINISHED):
                rest = rest.removesuffix(_UNFINISHED)
                open_calls[process] = name, rest
                yield Call(process, name, rest, None)
                continue
            begun = ""
        else:
            name, begun = open_calls.pop(process)
            rest = begun + found["end"]
        result = _RESULT.search(rest)
        if result is None:  # the process was killed in the midst of it
            continue
        arguments = rest[: result.start()]
        if not begun:
            yield Call(process, name, arguments, None)
        yield Call(process, name, arguments, int(result[1]))


@attrs.define
class Replay:
    """Does to a model of the disk what a program has done to the files below *home*.

    Attributes:
        home: The directory, as the program saw it.
        disk: The model.
        acknowledged: The highest position that the program has acknowledged, in a file of that name.
    """

    home: PurePosixPath
    disk: Disk = attrs.field(factory=Disk)
    acknowledged: int = 0
    _syncs: dict[int, int | tuple[Naming, ...]] = attrs.field(factory=dict[int, int | tuple[Naming, ...]])

    def take(self, call: Call) -> bool:
        """Take one call in, and return whether it mattered."""
        if call.result is not None and call.result < 0:
            return False
        begins = call.result is None
        handle = _FD.match(call.arguments)
        path = None if handle is None else self._below(_bytes(handle["path"]))
        match call.name:
            case "write" if path == PurePosixPath("acknowledged"):
                # Whoever reads it knows it from the first byte on.
                if begins:
                    self.acknowledged = max(self.acknowledged, int(_text(call.arguments)))
            case "write" | "pwrite64" if path is not None and not begins:
                offset = int(_one(_LAST_NUMBER, call.arguments)) if call.name == "pwrite64" else None
                data = _text(call.arguments)
                self._file(path).write(offset, data[: call.result])
            case "ftruncate" if path is not None and not begins:
                self._file(path).truncate(int(_one(_LAST_NUMBER, call.arguments)))
            case "fsync" | "fdatasync" if path is not None:
                self._sync(call, path)
            case "open" | "openat" | "creat" if not begins:
                return self._open(call)
            case "rename" | "renameat" | "renameat2" if not begins:
                old, new = (self._below(each) for each in _paths(call.arguments))
                if old is not None and new is not None:
                    self.disk.rename(old, new)
                return new is not None
            case "unlink" | "unlinkat" if not begins:
                (gone,) = (self._below(each) for each in _paths(call.arguments))
                if gone is not None and gone in self.disk.names:
                    self.disk.forget(gone)
                return gone is not None
            case "mkdir" | "mkdirat" if not begins:
                (made,) = (self._below(each) for each in _paths(call.arguments))
                if made is not None:
                    self.disk.name(made, None)
                return made is not None
            case _:
                assert begins or path is None, f"this call is not understood: {call.name}({call.arguments[:200]})"
        return path is not None and not begins

    def _below(self, path: bytes) -> PurePosixPath | None:
        """Return *path* from `home` on; None when it is elsewhere, gone, or only shared memory."""
        whole = self.home / os.fsdecode(path)
        if not whole.is_relative_to(self.home) or whole.name.endswith("-shm"):
            return None
        below = whole.relative_to(self.home)
        gone = below != PurePosixPath() and below != PurePosixPath("acknowledged") and whole.name.endswith(" (deleted)")
        return None if gone else below

    def _file(self, path: PurePosixPath) -> File:
        file = self.disk.names[path]
        assert file is not None
        return file

    def _open(self, call: Call) -> bool:
        (text, *_) = _paths(call.arguments)
        path = self._below(text)
        if path is None or path == PurePosixPath("acknowledged"):
            return False
        if "O_CREAT" in call.arguments and path not in self.disk.names:
            self.disk.name(path, File())
            return True
        if "O_TRUNC" in call.arguments:
            self._file(path).truncate(0)
            return True
        return False

    def _sync(self, call: Call, path: PurePosixPath) -> None:
        """Keep at its end what was there at its beginning: what comes in between may have come too late."""
        file = None if path == PurePosixPath() else self.disk.names.get(path)
        if call.result is None:
            self._syncs[call.process] = tuple(self.disk.pending) if file is None else file.changes
            return
        match file, self._syncs.pop(call.process):
            case File(), int(changes):
                file.keep(changes)
            case None, tuple(namings):
                self.disk.keep_names(path, namings)
            case unexpected:
                raise AssertionError(unexpected)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _one(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found is not None, text[-200:]
    return found[1]


def _text(arguments: str) -> bytes:
    return _bytes(_one(_TEXT, arguments))


def _paths(arguments: str) -> list[bytes]:
    """Return the paths that a call names, each seen from the directory that it is relative to."""
    found: list[bytes] = []
    for text in _TEXT.finditer(arguments):
        before = list(_FD.finditer(arguments, 0, text.start()))
        directory = _bytes(before[-1]["path"]) if before else b""
        found.append(os.path.join(directory, _bytes(text["hex"])))  # noqa: PTH118 - bytes
    return found
