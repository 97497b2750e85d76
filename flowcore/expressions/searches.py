"""Looking for a pattern: at once when it is reckoned to be quick, else with what the shell has, which ends in time.

`re` knows no limit of time and holds up every other thread. What a search may take is reckoned beforehand: how many
repetitions there are without an end, and in how many ways the other parts may match. A pure program cannot stop a
search, nor may its answer depend on a clock; so without a search from outside what could take long is refused.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol, TypeAlias

import attrs

from flowcore.errors import ExpressionError

from .patterns import Kind, compiled, parts, written_out

_LONGEST_PATTERN: Final = 1_000
_LONGEST_TEXT: Final = 100_000
_MOST_WORK: Final = 10_000_000
"""How many steps of `re` the searches of one evaluation may take together: 0.1 s or so at the worst."""

_MOST_CHOICES: Final = 1e12
"""Where counting ends: nobody waits for that."""


class Search(Protocol):
    """What looks for a pattern, whatever it is, and ends in time."""

    def __call__(self, pattern: str, text: str) -> bool:
        """Return whether *pattern* matches anywhere in *text*.

        Raises:
            ValueError: It takes too long; with words that go on after the pattern's name.
        """
        ...


Searches: TypeAlias = Callable[[], Search | None]
"""Gives a search for one evaluation, which shares the time it has; None where there is none."""


def no_search() -> None:
    """Return that there is no search from outside."""
    return


class _Patient:
    """Takes the time that it takes."""

    def __call__(self, pattern: str, text: str) -> bool:
        return compiled(pattern).search(text) is not None


def patient_search() -> Search:
    """Return a search that ends when it ends: for programs that nobody else waits for, and patterns of their own."""
    return _Patient()


@attrs.frozen
class Reckoning:
    """What a pattern may take.

    Attributes:
        unbounded: How many repetitions without an end it has.
        choices: In how many ways its other parts may match, counted from each place of a text.
        span: How many steps its counts make of one: 1,000 for `a{1000}`.
        nested: Whether it repeats what itself repeats or branches, as `(a+)+`: then nobody can tell.
        references: How often it takes again what a group has matched, which may be all of a text.
    """

    unbounded: int
    choices: float
    span: float
    nested: bool
    references: int = 0

    def work(self, length: int) -> float:
        """Return how many steps a text of *length* characters may take."""
        if self.nested:
            return math.inf
        # From each place of the text, and each repetition may be over at each place.
        places = float(max(length, 1))
        once = self.choices * min(self.span, places) * max(1, self.references * places)
        return places ** min(self.unbounded + 1, 50) * once


class Looker:
    """Looks for the patterns of one evaluation."""

    def __init__(self, searches: Searches) -> None:
        """Look with what *searches* gives for what could take long."""
        self._searches = searches
        self._search: Search | None = None
        self._work = 0.0

    def found(self, pattern: str, text: str) -> bool:
        """Return whether *pattern* matches anywhere in *text*.

        Raises:
            ExpressionError: It is no regular expression, or it takes too long, or could.
        """
        if len(pattern) > _LONGEST_PATTERN:
            raise ExpressionError(f"the pattern of `regex_match` is longer than {_LONGEST_PATTERN} characters")
        if len(text) > _LONGEST_TEXT:
            raise ExpressionError(f"`regex_match` looks at no more than {_LONGEST_TEXT} characters")
        try:
            reckoning = reckoned(pattern)
            work = self._work + reckoning.work(len(text))
            if work <= _MOST_WORK:
                self._work = work
                return compiled(pattern).search(text) is not None
            if self._search is None:
                self._search = self._searches()
            if self._search is not None:
                return self._search(pattern, text)
        except ValueError as error:
            raise ExpressionError(f"the pattern of `regex_match` {error}") from None
        raise _too_much(reckoning, len(text))


def _too_much(reckoning: Reckoning, length: int) -> ExpressionError:
    if reckoning.nested:
        return ExpressionError(
            "the pattern of `regex_match` repeats a group that itself repeats or branches",
            hint="such a pattern can take for ever; write it without the inner one",
        )
    return ExpressionError(
        f"the pattern of `regex_match` could take too long on {length} characters",
        hint="write fewer of `*`, `+` and `{2,}`, of `?` and `{1,9}`, of `\\1`, and of groups with branches",
    )


@attrs.define
class _Group:
    """What is known of a group so far: in how many ways it may match, and whether it repeats without an end."""

    ways: float = 1.0
    branches: int = 1
    endless: bool = False

    @property
    def all(self) -> float:
        return min(self.ways * self.branches, _MOST_CHOICES)

    def take(self, inner: "_Group", times: int) -> None:
        """Take in what *inner* adds when it stands here *times* times."""
        self.ways = min(self.ways * inner.all ** min(times, 100), _MOST_CHOICES)
        self.endless = self.endless or inner.endless


@lru_cache(maxsize=512)
def reckoned(pattern: str) -> Reckoning:
    """Return what *pattern* may take.

    Matching `(a+)+` or `(a|a)*` takes time that doubles with every character.

    Raises:
        ValueError: It is no regular expression.
    """
    groups = [_Group()]
    closed: _Group | None = None
    unbounded, references, nested = 0, 0, False
    for part in parts(pattern):
        here = groups[-1]
        last, closed = closed, None
        match part.kind:
            case Kind.OPEN:
                groups.append(_Group())
            case Kind.CLOSE:
                closed = groups.pop()
                groups[-1].take(closed, 1)
            case Kind.BRANCH:
                here.branches += 1
            case Kind.COUNT:
                several = part.most is None or part.most > 1
                unbounded += part.most is None
                nested = nested or (
                    last is not None and several and (last.endless or (part.most is None and last.all > 1))
                )
                here.endless = here.endless or part.most is None
                if part.most is not None:
                    here.ways = min(here.ways * (part.most - part.least + 1), _MOST_CHOICES)
                    if last is not None and several:
                        here.take(last, part.most - 1)
            case Kind.REFERENCE:
                references += 1
            case _:
                pass
    span = max(1.0, written_out(pattern) / max(1, len(parts(pattern))))
    return Reckoning(unbounded, groups[0].all, span, nested, references)
