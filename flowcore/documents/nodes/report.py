"""How validation notes what it finds, and how that is told on the wire."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Literal, TypedDict

from flowcore.documents.findings import Findings, did_you_mean
from flowcore.errors import Path, Problem, Severity, path_text

from .codes import RULES

_MOST_HINTS: Final = 20
"""How many findings get a guess at what was meant: guessing compares a name with all others."""
_MOST_KNOWN: Final = 500
"""Among how many names a guess is made."""

_MOST_OF_A_KIND: Final = 500
"""How often one code is told: a document of a megabyte must not get an answer of a gigabyte."""


class Entry(TypedDict):
    """One finding on the wire (contract flow-runs, section 1)."""

    Type: Literal["ValidationError", "ValidationWarning"]
    Code: str
    Name: str
    Description: str


class Report:
    """What was found so far."""

    def __init__(self, findings: Findings) -> None:
        """Add to *findings*."""
        self._findings = findings
        self._hints = 0
        self._counts: dict[tuple[str, Severity], int] = {}

    def error(self, code: str, path: Path, message: str, *, hint: str | None = None) -> None:
        """Note what refuses the flow."""
        self._add(code, path, message, hint, Severity.ERROR)

    def warn(self, code: str, path: Path, message: str, *, hint: str | None = None) -> None:
        """Note what does not."""
        self._add(code, path, message, hint, Severity.WARNING)

    def _add(self, code: str, path: Path, message: str, hint: str | None, severity: Severity) -> None:
        key = (code, severity)
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._counts[key] <= _MOST_OF_A_KIND:
            self._findings.add(code, path, message, hint=hint, severity=severity)

    @property
    def guessing(self) -> bool:
        """Whether `guess` still looks for what was meant."""
        return self._hints < _MOST_HINTS

    def guess(self, name: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
        """Return a hint at which of *known* was meant by *name*, or *otherwise*."""
        if not self.guessing:
            return otherwise
        self._hints += 1
        names = list(islice(known, _MOST_KNOWN + 1))
        return (did_you_mean(name, names) if len(names) <= _MOST_KNOWN else None) or otherwise


def entries(problems: Sequence[Problem], severity: Severity) -> list[Entry]:
    """Return those of *problems* that are of *severity*, as the wire shows them."""
    kind: Literal["ValidationError", "ValidationWarning"] = (
        "ValidationError" if severity is Severity.ERROR else "ValidationWarning"
    )
    return [
        Entry(
            Type=kind,
            Code=problem.code,
            Name=RULES[problem.code].name,
            Description=_description(problem),
        )
        for problem in problems
        if problem.severity is severity
    ]


def _description(problem: Problem) -> str:
    # What is wrong names the node, edge, well, store or definition; a wrong type is found before they have names.
    place = f"{path_text(problem.path)}: " if problem.code == "DOC_001" and problem.path else ""
    hint = "" if problem.hint is None else f" ({problem.hint})"
    return f"{place}{problem.message}{hint}"
