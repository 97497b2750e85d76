"""What goes into a node, and what it leaves."""

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from typing import Final

import attrs

from flowcore.errors import SourceError
from flowcore.ports import SourceCall, SourceResult

from .layout import Layout
from .lines import Output

_TAIL: Final = 400
"""How much of what was printed a note shows, in characters."""


@attrs.frozen
class Content:
    """What goes into a file, or comes out of one.

    Attributes:
        size: How many bytes there are.
    """

    size: int
    chunks: Iterable[bytes]


def inputs_of(call: SourceCall, layout: Layout, stack: ExitStack) -> dict[str, Content]:
    """Return what goes into the files of `in`, by their names; *stack* closes them.

    Raises:
        StoreError: A store does not do its work.
    """
    found: dict[str, Content] = {}
    if call.files is not None:
        for port in call.files.inputs:
            reader = stack.enter_context(closing(call.files.open(port)))
            found[layout.inputs[port]] = Content(reader.stored.size_bytes, reader)
    return found


@attrs.frozen
class Keeper:
    """Keeps what a port has left.

    Attributes:
        most: How large it may be, in bytes.
    """

    call: SourceCall
    port: str
    most: int

    def __call__(self, content: Content) -> None:
        """Keep it.

        Raises:
            SourceError: It is too large; trying again cannot help.
        """
        if self.call.files is None:
            return
        if content.size > self.most:
            message = f"output '{self.port}' is too large: it has {content.size} bytes, {self.most} are allowed"
            raise SourceError(message, code="artifact-too-large", retryable=False)
        self.call.files.keep(self.port, content.chunks)


@attrs.frozen
class Ended:
    """What a program left."""

    code: int
    stdout: Output
    stderr: Output

    def check(self, call: SourceCall) -> None:
        """See that it has succeeded.

        Raises:
            SourceError: It has not.
        """
        if self.code:
            text = f"the program exited with code {self.code}"
            told = call.redact(self.stderr.text or self.stdout.text).strip()
            note = told if len(told) <= _TAIL else f"...{told[-_TAIL:]}"
            raise SourceError(f"{text}: {note}" if note else text, code="exit-code")


def result(ended: Ended) -> SourceResult:
    """Return what the step's outputs are taken from."""
    data: dict[str, object] = {"stdout": ended.stdout.text, "stderr": ended.stderr.text, "returncode": ended.code}
    if ended.stdout.kept:
        with suppress(ValueError, RecursionError):
            data["json"] = json.loads(ended.stdout.text)
    return SourceResult(data=data)
