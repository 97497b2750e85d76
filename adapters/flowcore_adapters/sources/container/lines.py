"""What a program prints, as lines and as a whole."""

from typing import Final, Protocol

STDOUT: Final = "stdout"
STDERR: Final = "stderr"
LONGEST_LINE: Final = 16_384
"""A longer line is cut into several, in bytes."""
KEPT: Final = 10_000_000


class LineSink(Protocol):
    """Where lines go."""

    def __call__(self, line: str, stream: str, /) -> None:
        """Take a line that was written to *stream*."""
        ...


class Output:
    """One stream of a program: handed on line by line as it comes, and kept as a whole up to a limit.

    Attributes:
        kept: What was printed.
    """

    def __init__(self, stream: str, sink: LineSink) -> None:
        """Hand lines on to *sink* as of *stream*."""
        self._stream = stream
        self._sink = sink
        self._open = bytearray()
        self.kept = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        self.kept += data
        self._open += data
        *lines, rest = self._open.split(b"\n")
        self._open = bytearray(rest)
        for line in lines:
            self._tell(line)
        while len(self._open) > LONGEST_LINE:
            self._tell(self._open[:LONGEST_LINE])
            del self._open[:LONGEST_LINE]

    def end(self) -> None:
        """Hand on what was not ended by a line break."""
        if self._open:
            self._tell(self._open)
            self._open.clear()

    def _tell(self, line: bytes | bytearray) -> None:
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        for start in range(0, max(len(text), 1), LONGEST_LINE):
            self._sink(text[start : start + LONGEST_LINE], self._stream)

    @property
    def text(self) -> str:
        """What was printed, as text."""
        return self.kept.decode("utf-8", "replace")
