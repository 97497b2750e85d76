"""Looking for the regular expressions of documents, with `regex`.

The standard library's have no limit of time, and hold up every other thread as long as they run: one `(a+)+$` would
stop timeouts, signals and all other runs. These let the other threads go on, and give up.
"""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from flowcore.expressions import Search
from flowcore.expressions.patterns import written_out
from flowcore.secrets import BLACKENED

from .sizes import exceeds
from .spelling import spelled

if TYPE_CHECKING:
    import regex

_SECONDS: Final = 0.3
"""How long a look may take, in seconds of the processor."""
_BLACKENING_S: Final = 1.0
"""How long all patterns together may take to blacken one text, in seconds."""
_LONGEST: Final = 10_000
_LONGEST_TEXT: Final = 10_000_000
_LARGEST: Final = 50_000
"""How many parts a pattern may have once its counts are written out: `x{3}` is stored as `xxx`, and counts multiply."""
_TOO_LARGE: Final = "repeats too much for a regular expression: its counts multiply; write smaller ones"
_EVALUATION_S: Final = 1.0
"""How long all looks of one evaluation of an expression may take together, in seconds."""
_SHOWN: Final = 200
WITHHELD: Final = "*** (all of it: its redact_patterns take too long)"
"""What stands for a text that could not be blackened in time: nobody knows what of it must not be shown."""
WITHHELD_FROM_TOO_LARGE: Final = "*** (all of it: its redact_patterns repeat too much)"
"""What stands for a text whose patterns would fill the memory; flows were recorded when those were allowed."""


_ALONE: Final = re.compile(r"\[:\^?\w+:\]|\{[^{}eids]*[eids][^{}]*\}")
"""What may be a named class or a fuzzy count, which `regex` has and `re` reads as the characters that stand there."""


class _TooLargeError(ValueError):
    """A regular expression that would fill the memory."""


def flaw(pattern: str) -> str | None:
    """Return why *pattern* cannot be used as a regular expression, for people, or None when it can."""
    try:
        _compiled(pattern)
    except ValueError as error:
        return str(error)
    return None


def misspelling(pattern: str) -> str | None:
    """Return why *pattern* is no regular expression, or None; one that is too large is one, and `blacken` knows it.

    For what is only known when a step runs: a flow may have been recorded when such a pattern was allowed.
    """
    try:
        _compiled(pattern)
    except _TooLargeError:
        return None
    except ValueError as error:
        return str(error)
    return None


def evaluation_search() -> Search:
    """Return what looks for the patterns of one evaluation of an expression, all of them within a second."""
    return _EvaluationSearch()


class _EvaluationSearch:
    """Looks as long as there is time left."""

    def __init__(self) -> None:
        self._left_s = _EVALUATION_S

    def __call__(self, pattern: str, text: str) -> bool:
        compiled = _compiled(pattern)
        began = time.thread_time()
        try:
            if self._left_s > 0:
                return compiled.search(text, timeout=self._left_s, concurrent=True) is not None
        except TimeoutError:
            pass
        except MemoryError as error:
            raise ValueError(f"cannot be used: {error}") from None
        finally:
            self._left_s -= time.thread_time() - began
        raise ValueError(f"takes too long on a text of {len(text)} characters")


def search(pattern: str, text: str, *, case_sensitive: bool) -> bool:
    """Return whether *pattern* matches anywhere in *text*.

    Raises:
        ValueError: It is no regular expression, or it takes too long.
    """
    try:
        compiled = _compiled(pattern, case_sensitive=case_sensitive)
    except ValueError as error:
        raise ValueError(f"'{pattern[:_SHOWN]}' {error}") from None
    try:
        return compiled.search(text[:_LONGEST_TEXT], timeout=_SECONDS, concurrent=True) is not None
    except TimeoutError:
        raise ValueError(f"the regular expression '{pattern[:_SHOWN]}' takes too long") from None
    except MemoryError as error:
        raise ValueError(f"'{pattern[:_SHOWN]}' cannot be used: {error}") from None


def blacken(text: str, patterns: Sequence[str]) -> str:
    """Return *text* with everything blackened that one of *patterns* matches.

    Raises:
        ValueError: One is no regular expression.
    """
    ends_at = time.monotonic() + _BLACKENING_S
    for pattern in patterns:
        try:
            readings = _readings(pattern)
        except _TooLargeError:
            return WITHHELD_FROM_TOO_LARGE
        for compiled in readings:
            left = ends_at - time.monotonic()
            if left <= 0:
                return WITHHELD
            try:
                text = compiled.sub(BLACKENED, text, timeout=left, concurrent=True)
            except (TimeoutError, MemoryError):
                return WITHHELD
    return text


@lru_cache(maxsize=256)
def _readings(pattern: str) -> "Sequence[regex.Pattern]":
    """Return *pattern* as `re` reads it, and, if `regex` takes it for something else that it has alone, as that too.

    Whoever wrote `[[:digit:]]` or `{e<=1}` meant that; to blacken what either finds uncovers nothing.
    """
    compiled = _compiled(pattern)
    if _ALONE.search(pattern) is not None:
        with suppress(ValueError):
            return (_of_regex(pattern, case_sensitive=True), compiled)
    return (compiled,)


@lru_cache(maxsize=256)
def _compiled(pattern: str, *, case_sensitive: bool = True) -> "regex.Pattern":
    """Return *pattern* as `re` reads it, or, when that cannot, as `regex` does: flows were written for either."""
    if len(pattern) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters, too long for a regular expression")
    try:
        size = written_out(pattern)
    except ValueError as unread:
        if exceeds(pattern, _LARGEST):
            raise _TooLargeError(_TOO_LARGE) from None
        with suppress(ValueError):
            return _of_regex(pattern, case_sensitive=case_sensitive)
        raise unread from None
    if size > _LARGEST:
        raise _TooLargeError(_TOO_LARGE)
    return _of_regex(spelled(pattern, case_sensitive=case_sensitive), case_sensitive=case_sensitive)


def _of_regex(pattern: str, *, case_sensitive: bool) -> "regex.Pattern":
    import regex

    try:
        return regex.compile(pattern, 0 if case_sensitive else regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"cannot be used as a regular expression: {error}") from None
