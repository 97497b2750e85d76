"""Everything that flowcore raises.

    FlowcoreError                      code: a stable word, for programs; the message is for people
    ├── FlowDocumentError (ValueError) a flow that cannot run: `problems` holds every one of them
    ├── ExpressionError (ValueError)   an expression that cannot be read, or has no answer
    ├── CommandRejectedError           the machine refuses a command in its present state
    ├── EventFormatError (ValueError)  a stored event that this version cannot read
    ├── LogError                       an event log that cannot be opened, read or written
    │   ├── VersionConflictError       somebody else appended to the stream first
    │   └── FencedError                another owner has taken the run over
    ├── RunOwnedError                  another process drives the run
    ├── RunNotFoundError (LookupError) no run of that id in the log
    ├── BatchNotFoundError (LookupError) no batch of that id in the log
    ├── SourceError                    a source that could not do its work: a failed attempt
    └── StoreError                     an artifact store that could not do its work
        ├── StoreConfigurationError (ValueError)  a store that is declared wrongly
        ├── StoreElsewhereError        a store that only another process has
        ├── ObjectNameError (ValueError)  what cannot be the name of an object
        ├── ObjectNotFoundError (LookupError)  no object of that name
        ├── ObjectExistsError          the name is taken
        ├── ObjectTooLargeError        more bytes than were allowed
        └── ObjectRangeError (ValueError)  a range that begins beyond the end

The core never speaks of HTTP or exit statuses: the edges map codes to theirs.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeAlias

import attrs
from typing_extensions import override

Path: TypeAlias = tuple[str | int, ...]
"""Where in a document: keys and list indexes (counted from 0) from its top."""


class Severity(StrEnum):
    """How bad a problem is: an error refuses the flow, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong with a document.

    Attributes:
        code: A stable word, such as `unknown-key`.
        message: What is wrong and what is allowed, for people.
        path: Where in the (merged) document.
        hint: What to try, such as ``did you mean `fetch_users`?``.
        file: The file it stands in, when known.
        line: The line, counted from 1, when known.
        column: The column, counted from 1, when known.
    """

    code: str
    message: str
    path: Path = ()
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: Severity = Severity.ERROR

    @override
    def __str__(self) -> str:
        """Return one line: ``flow.yaml:12:5 flow[2].retry: must be at least 1 (hint)``."""
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}" if self.column is None else f":{self.line}:{self.column}"
        where = " ".join(part for part in (place, path_text(self.path)) if part)
        text = f"{where}: {self.message}" if where else self.message
        return text if self.hint is None else f"{text} ({self.hint})"


def path_text(path: Path) -> str:
    """Return *path* as people write it: ``flow[2].retry.max_attempts``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


class FlowcoreError(Exception):
    """The root of every error that flowcore raises on purpose."""

    code: str = "flowcore-error"


class FlowDocumentError(FlowcoreError, ValueError):
    """A flow that cannot run; *problems* holds everything that was found, never the first only."""

    code = "flow-document"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep *problems*, of which there is at least one."""
        self.problems: Sequence[Problem] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ExpressionError(FlowcoreError, ValueError):
    """An expression that cannot be read, is not allowed, or grew over its budget.

    Attributes:
        hint: What to write instead, or None.
    """

    code = "expression"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Say what is wrong in *message* and what to write instead in *hint*."""
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message} ({hint})")


class CommandRejectedError(FlowcoreError):
    """The machine refuses a command in its present state; *code* says why in a stable word."""

    def __init__(self, code: str, message: str) -> None:
        """Name the reason twice: *code* for programs, *message* for people."""
        self.code = code
        super().__init__(message)


class EventFormatError(FlowcoreError, ValueError):
    """A stored event of an unknown type, a newer schema, or a broken payload."""

    code = "event-format"


class LogError(FlowcoreError):
    """An event log that cannot be opened, read or written; nothing acknowledged is lost."""

    code = "log"


class VersionConflictError(LogError):
    """The stream has moved on since it was read: read it again and decide anew."""

    code = "version-conflict"


class FencedError(LogError):
    """The run was taken over by another owner: whoever meets this may not append to it any more."""

    code = "fenced"


class RunOwnedError(FlowcoreError):
    """Another process drives the run, and is alive as far as its lease tells."""

    code = "run-owned"


class RunNotFoundError(FlowcoreError, LookupError):
    """No run of that id is in the log."""

    code = "run-not-found"


class BatchNotFoundError(FlowcoreError, LookupError):
    """No batch of that id is in the log."""

    code = "batch-not-found"


class SourceError(FlowcoreError):
    """A source could not do its work; the attempt fails with this message as its note.

    Attributes:
        retryable: False where trying again cannot help (a missing program, a refused input).
        retry_after_s: The pause that the other side asked for (`Retry-After`), in seconds, or None.
    """

    def __init__(
        self, message: str, *, code: str = "source-failed", retryable: bool = True, retry_after_s: float | None = None
    ) -> None:
        """Fail with *message* (for people) and *code* (a stable word or a number as text)."""
        self.code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        super().__init__(message)


class StoreError(FlowcoreError):
    """An artifact store could not do its work; *code* is a stable word."""

    code = "store"


class StoreConfigurationError(StoreError, ValueError):
    """A store is declared wrongly, or not as the operator allows; trying again cannot help."""

    code = "store-configuration"


class StoreElsewhereError(StoreError):
    """A store that is in the memory of another process, which drives the run: only that one can use it."""

    code = "store-elsewhere"


class ObjectNameError(StoreError, ValueError):
    """A text cannot be the name of an object."""

    code = "object-name"


class ObjectNotFoundError(StoreError, LookupError):
    """The store has no object of that name."""

    code = "object-not-found"


class ObjectExistsError(StoreError):
    """The store has an object of that name already."""

    code = "object-exists"


class ObjectTooLargeError(StoreError):
    """An object has more bytes than were allowed; nothing of it is kept."""

    code = "object-too-large"


class ObjectRangeError(StoreError, ValueError):
    """A part of an object was asked for that begins beyond its end."""

    code = "object-range"
