"""How a front end collects what is wrong: everything, each with a code, a path and, where it can be guessed, a hint."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from flowcore.errors import FlowDocumentError, Path, Problem, Severity


def did_you_mean(name: str, known: Iterable[str], *, spell: Callable[[str], str] = str) -> str | None:
    """Return ``did you mean `fetch_users`?`` for the known name closest to *name*, or None.

    Args:
        spell: How the name is written where it shall stand.
    """
    names = sorted(set(known))
    # difflib compares with every name: cheap for the names of one flow, but a hostile name must not make it slow.
    close = get_close_matches(name[:100], names[:5000], n=1)
    if close:
        return f"did you mean `{spell(close[0])}`?"
    return None


class Findings:
    """The problems of one document."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[tuple[str, Path, str], Problem] = {}
        self._settled: frozenset[Path] = frozenset()

    def settle(self) -> None:
        """Note nothing more at the places noted so far, nor below them: what is wrong there is told."""
        self._settled = frozenset(path for _, path, _ in self._found)

    def add(
        self, code: str, path: Path, message: str, *, hint: str | None = None, severity: Severity = Severity.ERROR
    ) -> None:
        """Note one problem; the same one twice counts once."""
        if self._settled and any(path[:length] in self._settled for length in range(1, len(path) + 1)):
            return
        problem = Problem(code=code, path=path, message=message, hint=hint, severity=severity)
        self._found.setdefault((code, path, message), problem)

    def take(self, problems: Iterable[Problem]) -> None:
        """Note *problems* that were found apart."""
        for each in problems:
            self.add(each.code, each.path, each.message, hint=each.hint, severity=each.severity)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted, in the order of noting."""
        return tuple(self._found.values())

    @property
    def count(self) -> int:
        """How many problems are noted."""
        return len(self._found)

    @property
    def sound(self) -> bool:
        """Whether no error was noted (warnings do not count)."""
        return all(problem.severity is not Severity.ERROR for problem in self._found.values())

    def check(self) -> None:
        """Refuse the document when anything was noted.

        Raises:
            FlowDocumentError: There is at least one error.
        """
        if not self.sound:
            raise FlowDocumentError(self.problems)
