"""Regular expressions from documents: whatever they are, a look ends in time.

The standard library's have no limit of time, and hold up every other thread as long as they run: one `(a+)+$` would
stop timeouts, signals and all other runs. These let the other threads go on, and give up.
"""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flowcore.secrets import BLACKENED

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
_WHOLE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What is one part, whatever stands in it."""
_COUNT: Final = re.compile(r"\{([0-9]{1,12})(?:,[0-9]*)?\}")
_LIKE_A_COUNT: Final = re.compile(r"\{\s*(?:#[^}]*)?[0-9][^}]*\}")
_OTHER_RULES: Final = re.compile(r"\(\?(?:#|[A-Za-z0-9-]*[xV])")
"""What gives brackets another meaning: comments, and the flags `x` and `V1`."""
_SHOWN: Final = 200
WITHHELD: Final = "*** (all of it: its redact_patterns take too long)"
"""What stands for a text that could not be blackened in time: nobody knows what of it must not be shown."""


def flaw(pattern: str) -> str | None:
    """Return why *pattern* is no regular expression, for people, or None when it is one."""
    try:
        _compiled(pattern)
    except ValueError as error:
        return str(error)
    return None


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
        compiled = _compiled(pattern)
        left = ends_at - time.monotonic()
        if left <= 0:
            return WITHHELD
        try:
            text = compiled.sub(BLACKENED, text, timeout=left, concurrent=True)
        except (TimeoutError, MemoryError):
            return WITHHELD
    return text


def _compiled(pattern: str, *, case_sensitive: bool = True) -> "regex.Pattern":
    import regex

    if len(pattern) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters, too long for a regular expression")
    if _size(pattern) > _LARGEST:
        raise ValueError("repeats too much for a regular expression: its counts multiply; write smaller ones")
    try:
        return regex.compile(pattern, 0 if case_sensitive else regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"cannot be used as a regular expression: {error}") from None


def _size(pattern: str) -> int:
    """Return how many parts *pattern* may have once its counts are written out; never too few."""
    bare = _WHOLE.sub("x", pattern)
    most = len(bare)
    for written in _COUNT.finditer(pattern):
        most *= max(1, int(written[1]))
    if _OTHER_RULES.search(pattern):
        # There a count may have spaces and comments in it, and a bracket may be none: the worst is taken for granted.
        unclear = any(_COUNT.fullmatch(found) is None for found in _LIKE_A_COUNT.findall(pattern))
        return _LARGEST + 1 if unclear else most
    if most <= _LARGEST:
        return most
    outer: list[int] = []
    size = last = place = 0
    while place < len(bare):
        count = _COUNT.match(bare, place)
        if count is not None:
            size += last * (max(1, int(count[1])) - 1)
            last *= max(1, int(count[1]))
            place = count.end()
            continue
        if bare[place] == "(":
            outer.append(size)
            size = last = 0
        elif bare[place] == ")":
            last = size + 1
            size = (outer.pop() if outer else 0) + last
        else:
            last = 1
            size += 1
        place += 1
    return sum(outer) + size
