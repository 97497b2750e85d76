"""Request bodies whose length nobody has said: counted while they are read."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream


class BodyTooLargeError(ValueError):
    """A body without a length turned out larger than is allowed."""


class CountedBody:
    """A request body that may not be longer than it should."""

    def __init__(self, stream: "InputStream", most: int) -> None:
        """Read *stream*, at most *most* bytes of it."""
        self._stream = stream
        self._left = most

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes."""
        return self._count(self._stream.read(self._wanted(size)))

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line of up to *size* bytes."""
        return self._count(self._stream.readline(self._wanted(size)))

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Return all lines, or as many as have *hint* bytes together."""
        lines: list[bytes] = []
        count = 0
        for line in self:
            lines.append(line)
            count += len(line)
            if 0 < hint <= count:
                break
        return lines

    def __iter__(self) -> "CountedBody":
        """Return the lines of the body."""
        return self

    def __next__(self) -> bytes:
        """Return the next line."""
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def _wanted(self, size: int) -> int:
        # One more than is allowed: only that shows that there is more.
        return self._left + 1 if size < 0 else min(size, self._left + 1)

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise BodyTooLargeError("the body is too large")
        return data
