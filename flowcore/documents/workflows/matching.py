"""Comparing what an answer has with what is expected of it: the checks of `verify`, `wait`, `switch` and retries."""

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from flowcore.values import Json

from .references import Missing, follow, to_text

DEFAULT_KEY: Final = "apiResponse"
"""The key of `data` under which an answer stands unless its node says otherwise."""
MATCH_TYPES: Final = ("equals", "contains", "startsWith", "endsWith", "regex")
_SHOWN: Final = 200


class Search(Protocol):
    """What looks for regular expressions: the shell knows one that ends in time, whatever the expression is."""

    def __call__(self, pattern: str, text: str, *, case_sensitive: bool) -> bool:
        """Return whether *pattern* matches anywhere in *text*.

        Raises:
            ValueError: It is no regular expression, or it takes too long.
        """
        ...


@attrs.frozen
class Finding:
    """What a check came to.

    Attributes:
        met: Whether it holds.
        message: What was expected and what there is, for people.
    """

    met: bool
    message: str


def matches(actual: Json, expected: Json, match_type: str, search: Search, *, case_sensitive: bool = True) -> bool:
    """Return whether *actual* matches *expected*, both as text.

    Raises:
        ValueError: There is no such match type, or *expected* is no regular expression.
    """
    found, wanted = to_text(actual), to_text(expected)
    if match_type == "regex":
        return search(wanted, found, case_sensitive=case_sensitive)
    if not case_sensitive:
        found, wanted = found.lower(), wanted.lower()
    match match_type:
        case "equals":
            return found == wanted
        case "contains":
            return wanted in found
        case "startsWith":
            return found.startswith(wanted)
        case "endsWith":
            return found.endswith(wanted)
        case _:
            raise ValueError(f"there is no match type '{match_type}'; allowed: {', '.join(MATCH_TYPES)}")


def check_answer(answer: Json, wanted: "Expectation", search: Search) -> Finding:
    """Return whether *answer*, what a request has left in `data`, is what is *wanted*.

    Raises:
        ValueError: The expectation makes no sense.
    """
    if not isinstance(answer, Mapping):
        return Finding(met=False, message=f"no API response is found under the key '{wanted.key}'")
    actual: Json
    match wanted.part:
        case "status":
            what, actual = "the status", answer.get("status")
        case "header":
            found = _header(answer.get("headers"), wanted.name)
            if found is None:
                return Finding(met=False, message=f"the header '{wanted.name}' is not in the response")
            what, actual = f"the header '{wanted.name}'", found
        case "body-path":
            at = follow(answer.get("body"), wanted.name)
            if isinstance(at, Missing):
                return Finding(met=False, message=f"the path '{wanted.name}' is not in the response body")
            what, actual = f"'{wanted.name}'", at
        case "body-value":
            what, actual = "the response body", answer.get("body")
        case _:
            raise ValueError(f"there is no check '{wanted.part}'")
    met = matches(actual, wanted.value, wanted.match_type, search, case_sensitive=wanted.case_sensitive)
    relation = "is" if met else f"must match ({wanted.match_type}) {_shown(wanted.value)}, but is"
    return Finding(met=met, message=f"{what} {relation} {_shown(actual)}")


@attrs.frozen(kw_only=True)
class Expectation:
    """What an answer shall have.

    Attributes:
        key: The key of `data` under which the answer stands.
        part: `status`, `header`, `body-path` or `body-value`.
        name: The header, or the path.
    """

    key: str = DEFAULT_KEY
    part: str
    name: str = ""
    value: Json
    match_type: str = "equals"
    case_sensitive: bool = True


def _header(headers: Json, name: str) -> Json:
    if not isinstance(headers, Mapping):
        return None
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), None)


def _shown(value: Json) -> str:
    text = to_text(value)
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}...'"
