"""What a scalar of YAML means: the core schema of YAML 1.2 (section 10.3.2), so far as JSON has a word for it.

PyYAML reads YAML 1.1, where `no` is False, `1:30` is 90, `010` is 8 and `2024-01-01` is a date. In 1.2 `010` is ten and
the others are text.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from flowcore.values import Json

CORE: Final = "tag:yaml.org,2002:"
"""What `!!` stands for in a tag."""
LONGEST_NUMBER: Final = 1_000
"""How many characters a number may have: Python reads 4,300 digits, but `cleaning` lets 4,096 bits pass."""

_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WORD_STARTS: Final = frozenset(word[0] for word in _WORDS)
_NUMBER_STARTS: Final = frozenset("0123456789+-.")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_BASED_INT: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def shown(text: str) -> str:
    """Return *text* as a message may show it: short, in one line, without control characters."""
    cut = text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 (about as much as a line has room for)
    return cut if cut.isprintable() else ascii(cut)[1:-1]


def plain(text: str) -> Json:
    """Return the value of the scalar *text*, which stands without quotes and without a tag.

    Raises:
        ValueError: It is a number that is not finite, or absurdly long. The message is for people.
    """
    if not text:
        return None
    # One look at the first character spares nearly every text the rest: this runs for every scalar of a file.
    first = text[0]
    if first in _NUMBER_STARTS:
        return _number_or_text(text)
    if first in _WORD_STARTS:
        return _WORDS.get(text, text)
    return text


def _number_or_text(text: str) -> Json:
    whole = _INT.fullmatch(text)
    based = _BASED_INT.fullmatch(text)
    if not (whole or based or _FLOAT.fullmatch(text)):
        if _NOT_FINITE.fullmatch(text):
            raise ValueError(f"`{text}` is a number that JSON cannot hold; as text it stands in quotes")
        return text
    if len(text) > LONGEST_NUMBER:
        raise ValueError(
            f"a number has at most {LONGEST_NUMBER} characters, not {len(text)}; as text it stands in quotes"
        )
    if whole:
        return int(text)
    if based:
        return int(text, 0)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"`{shown(text)}` is a number too large to hold; as text it stands in quotes")
    return number


def _null(text: str) -> None:
    if plain(text) is not None:
        raise _misfit("null", "nothing or `null`", text)


def _bool(text: str) -> bool:
    value = plain(text)
    if isinstance(value, bool):
        return value
    raise _misfit("bool", "`true` or `false`", text)


def _int(text: str) -> int:
    value = plain(text)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _misfit("int", "a whole number", text)


def _float(text: str) -> float:
    value = plain(text)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"`{shown(text)}` is a number too large for `!!float`") from None
    raise _misfit("float", "a number", text)


def _misfit(tag: str, takes: str, text: str) -> ValueError:
    return ValueError(f"`!!{tag}` takes {takes}, not `{shown(text)}`")


TAGGED: Final[Mapping[str, Callable[[str], Json]]] = {
    "!": str,  # "non-specific": text, whatever it looks like
    f"{CORE}str": str,
    f"{CORE}null": _null,
    f"{CORE}bool": _bool,
    f"{CORE}int": _int,
    f"{CORE}float": _float,
}
"""How to read a scalar under each tag that there is for one; they raise ValueError like `plain`."""
