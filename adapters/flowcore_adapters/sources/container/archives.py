"""Files on their way into a container and out of it: streams of tar, which is what engines take and give."""

import tarfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from io import RawIOBase
from typing import IO, TYPE_CHECKING, Final, cast

from typing_extensions import override

from flowcore.errors import SourceError

from .contents import Content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK: Final = 512
_CHUNK: Final = 256 * 1024
_DIRECTORIES: Final = (("in", 0o755), ("out", 0o777))


def packed(files: Mapping[str, Content]) -> Iterator[bytes]:
    """Yield a tar archive of `in`, with *files* in it that anybody may read, and of `out`, where anybody may write."""
    for name, mode in _DIRECTORIES:
        directory = tarfile.TarInfo(name)
        directory.type, directory.mode = tarfile.DIRTYPE, mode
        yield directory.tobuf(tarfile.PAX_FORMAT)
    for name, content in files.items():
        entry = tarfile.TarInfo(f"in/{name}")
        # A program in a container is not always root.
        entry.size, entry.mode = content.size, 0o444
        yield entry.tobuf(tarfile.PAX_FORMAT)
        written = 0
        for chunk in content.chunks:
            written += len(chunk)
            yield chunk
        if written != content.size:
            raise SourceError(f"the input '{name}' has changed while it was read", code="input-changed")
        yield bytes(-written % _BLOCK)
    yield bytes(2 * _BLOCK)


class _Stream(RawIOBase):
    """Chunks as a file that can be read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


@contextmanager
def unpacked(chunks: Iterator[bytes], port: str) -> Generator[Content]:
    """Give the one regular file in the tar archive *chunks*.

    Raises:
        SourceError: It is no regular file: nobody knows where a link may lead.
    """
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", _Stream(chunks)), mode="r|") as archive:
            entry = archive.next()
            file = archive.extractfile(entry) if entry is not None and entry.isreg() else None
            if entry is None or file is None:
                raise SourceError(f"output '{port}' is no regular file", code="output-missing")
            yield Content(entry.size, iter(lambda: file.read(_CHUNK), b""))
    except tarfile.TarError as error:
        raise SourceError(f"output '{port}' cannot be taken out: {error}", code="container-engine") from None
