"""The functions of expressions: JMESPath's own and those for daily use."""

import json
from collections.abc import Mapping
from typing import Final

from jmespath.functions import Functions, signature

from flowcore.errors import ExpressionError
from flowcore.values import Json

from .budget import MAX_SIZE
from .searches import Looker, Searches, no_search

_LONGEST_NUMBER: Final = 1_000

OPTIONAL: Final[Mapping[str, int]] = {"split": 2, "round": 2}
"""Functions whose last argument may be left out, and how many they take at most."""
SUBJECT: Final[Mapping[str, int]] = {"join": 1, "map": 1}
"""Where what was piped goes, for functions that do not take it first."""


class FlowFunctions(Functions):
    """What an expression may call, in one evaluation. Methods are found by their name: `_func_` and the function's."""

    def __init__(self, searches: Searches = no_search) -> None:
        """Look for patterns that could take long with what *searches* gives."""
        self._looker = Looker(searches)

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
        return self._looker.found(pattern, text)

    # JMESPath's own `join` glues whatever it is given: the glue counts as often as it is used.
    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, glue: str, texts: list[str]) -> str:
        if len(glue) * len(texts) + sum(map(len, texts)) > MAX_SIZE:
            raise ExpressionError("`join` would make a text of more than 10 MB")
        return glue.join(texts)


def _refuse(word: str) -> Json:
    raise ValueError(word)
