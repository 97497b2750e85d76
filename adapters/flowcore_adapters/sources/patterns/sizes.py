"""How large a regular expression is that Python's `re` cannot read, so that nothing tells its parts."""

import re
from typing import Final

_WHOLE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+(?:\]|(?P<open>\\?\Z))", re.DOTALL)
"""What is one part, whatever stands in it; and a bracket that is never closed, so that it is looked for once."""
_COUNT: Final = re.compile(r"\{([0-9]{1,12})(?:,[0-9]*)?\}")
_LIKE_A_COUNT: Final = re.compile(r"\{\s*(?:#[^}]*)?[0-9][^}]*\}")
_OTHER_RULES: Final = re.compile(r"\(\?(?:#|[A-Za-z0-9-]*[xV])")
"""What gives brackets another meaning: comments, and the flags `x` and `V1`."""


def exceeds(pattern: str, largest: int) -> bool:
    """Return whether *pattern* may have more than *largest* parts once its counts are written out.

    When in doubt it has: what is taken for small must be small.
    """
    bare = _WHOLE.sub(lambda found: "x" if found["open"] is None else found[0], pattern)
    most = len(bare)
    for written in _COUNT.finditer(pattern):
        most *= max(1, int(written[1]))
    if _OTHER_RULES.search(pattern):
        # There a count may have spaces and comments in it, and a bracket may be none: the worst is taken for granted.
        unclear = any(_COUNT.fullmatch(found) is None for found in _LIKE_A_COUNT.findall(pattern))
        return unclear or most > largest
    return most > largest and _written_out(bare) > largest


def _written_out(bare: str) -> int:
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
