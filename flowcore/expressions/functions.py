"""The functions of expressions: JMESPath's own and those for daily use."""

import json
import math
import re
from collections.abc import Mapping
from typing import Final

from jmespath.functions import Functions, signature

from flowcore.errors import ExpressionError
from flowcore.values import Json

from .budget import MAX_SIZE

_LONGEST_PATTERN: Final = 1_000
_LONGEST_TEXT: Final = 100_000
_LONGEST_HARD_TEXT: Final = 1_000
_MOST_UNBOUNDED: Final = 2
_MOST_CHOICES: Final = 1_000_000
"""In how many ways the bounded parts of a pattern may be laid over a text, counted from each place of it."""
_LONGEST_NUMBER: Final = 1_000
_WHOLE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What is one part of a pattern, whatever stands in it."""
_COUNTS: Final = re.compile(r"\{(\d*)(,?)(\d*)\}")

OPTIONAL: Final[Mapping[str, int]] = {"split": 2, "round": 2}
"""Functions whose last argument may be left out, and how many they take at most."""
SUBJECT: Final[Mapping[str, int]] = {"join": 1, "map": 1}
"""Where what was piped goes, for functions that do not take it first."""


class FlowFunctions(Functions):
    """What an expression may call. Methods are found by their name: `_func_` and the function's."""

    @signature({"types": []}, {"types": []})
    def _func_default(self, value: Json, fallback: Json) -> Json:
        return fallback if value is None else value

    @signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @signature({"types": ["string"]})
    def _func_upper(self, text: str) -> str:
        return text.upper()

    @signature({"types": ["string"]})
    def _func_trim(self, text: str) -> str:
        return text.strip()

    @signature({"types": ["string"]}, {"types": ["string"]}, {"types": ["string"]})
    def _func_replace(self, text: str, old: str, new: str) -> str:
        if len(text) + text.count(old) * len(new) > MAX_SIZE:
            raise ExpressionError("`replace` would make a text of more than 10 MB")
        return text.replace(old, new)

    # JMESPath's signatures know optional arguments only as the tail of a variadic one, whose types go unchecked.
    @signature({"types": ["string"], "variadic": True})
    def _func_split(self, text: str, *separator: Json) -> list[str]:
        if not separator:
            return text.split()
        if not isinstance(separator[0], str) or not separator[0]:
            raise ExpressionError(
                "`split` needs a separator: a text that is not empty", hint="`x | split` splits at spaces"
            )
        return text.split(separator[0])

    @signature({"types": []})
    def _func_to_json(self, value: Json) -> str:
        return json.dumps(value, ensure_ascii=False)

    @signature({"types": []})
    def _func_tojson(self, value: Json) -> str:
        return json.dumps(value, ensure_ascii=False)

    @signature({"types": ["string"]})
    def _func_from_json(self, text: str) -> Json:
        try:
            parsed: Json = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise ExpressionError(f"`from_json` got text that is no JSON: {text[:40]!r}") from None
        return parsed

    @signature({"types": ["string", "number", "boolean"]})
    def _func_int(self, value: str | float) -> int:
        try:
            if isinstance(value, str):
                return int(value[:_LONGEST_NUMBER].strip())
            return int(value)
        except (ValueError, OverflowError):
            raise ExpressionError(f"`int` got {value!r:.40}, which is no whole number") from None

    @signature({"types": ["number"], "variadic": True})
    def _func_round(self, number: float, *digits: Json) -> float:
        if not digits:
            return round(number)
        if isinstance(digits[0], bool) or not isinstance(digits[0], int):
            raise ExpressionError("`round` takes a whole number of digits")
        return round(number, digits[0])

    @signature({"types": ["array"]})
    def _func_unique(self, items: list[Json]) -> list[Json]:
        seen: set[str] = set()
        found: list[Json] = []
        for item in items:
            key = json.dumps(item, sort_keys=True)
            if key not in seen:
                seen.add(key)
                found.append(item)
        return found

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_regex_match(self, text: str, pattern: str) -> bool:
        return _searcher(pattern, len(text)).search(text) is not None

    # JMESPath's own `join` glues whatever it is given: the glue counts as often as it is used.
    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, glue: str, texts: list[str]) -> str:
        if len(glue) * len(texts) + sum(map(len, texts)) > MAX_SIZE:
            raise ExpressionError("`join` would make a text of more than 10 MB")
        return glue.join(texts)


def _refuse(word: str) -> Json:
    raise ValueError(word)


def _searcher(pattern: str, length: int) -> re.Pattern[str]:
    """Return the compiled *pattern*, unless it could take for ever on a text of *length* characters."""
    if len(pattern) > _LONGEST_PATTERN:
        raise ExpressionError(f"the pattern of `regex_match` is longer than {_LONGEST_PATTERN} characters")
    unbounded, choices = _repeats(pattern)
    longest = _LONGEST_TEXT if unbounded <= _MOST_UNBOUNDED else _LONGEST_HARD_TEXT
    if length > longest:
        raise ExpressionError(f"`regex_match` looks at no more than {longest} characters with this pattern")
    if choices > _MOST_CHOICES:
        raise ExpressionError(
            "the pattern of `regex_match` has too many ways to match",
            hint="write fewer groups with branches, and fewer of `?` and `{1,9}`",
        )
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExpressionError(f"the pattern of `regex_match` is no regular expression: {error}") from None


def _repeats(pattern: str) -> tuple[int, int]:
    """Return how many unbounded repetitions there are in *pattern*, and in how many ways its other parts may match.

    Something that itself repeats or branches must not be repeated: matching `(a+)+` or `(a|a)*` takes time that doubles
    with every character. A budget cannot stop it from within.
    """
    bare = _WHOLE.sub("x", pattern)
    groups, branches = [False], [1]
    unbounded, ways = 0, 1
    risky = False
    for place, character in enumerate(bare):
        if character == "(":
            groups.append(False)
            branches.append(1)
            continue
        if character == "|":
            branches[-1] += 1
        if character == ")" and len(groups) > 1:
            ways *= branches.pop()
            risky = groups.pop()
            groups[-1] = groups[-1] or risky
            continue
        choices = _choices(bare, place)
        if choices != 1 and risky and bare[place - 1] == ")":
            raise ExpressionError(
                "the pattern of `regex_match` repeats a group that itself repeats or branches",
                hint="such a pattern can take for ever; write it without the inner one",
            )
        if choices is None:
            unbounded += 1
        ways *= choices or 1
        if choices is None or choices > 1 or character == "|":
            groups[-1] = True
        risky = False
    return unbounded, ways * math.prod(branches)


def _choices(bare: str, place: int) -> int | None:
    """Return how many counts what stands before *place* may have: 0 for a fixed one, 1 for none, None for any."""
    if bare[place] in "*+":
        return None
    if bare[place] == "?":
        # After a repetition it says that as few as possible are wanted, and after a bracket what kind of group begins.
        return 1 if bare[place - 1 : place] in {"*", "+", "?", "}", "("} else 2
    counts = _COUNTS.match(bare, place)
    if counts is None:
        return 1
    fewest, comma, most = counts.groups()
    if not comma:
        return 0
    return max(2, int(most) - int(fewest or 0) + 1) if most else None
