"""References in texts: `${data.path}`, `${variables.path}` and `${dynamic.key}` (contract executions, section 8).

What a reference gives is written into the text, and the text is never looked at again: data that looks like a
reference stays data. A reference that leads nowhere stays as it is written.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

import attrs

from flowcore.errors import ExpressionError
from flowcore.values import Json

from .fakes import Fakes

MAX_SIZE: Final = 10_000_000
"""How long a text may become, in characters."""
_MARK: Final = "${"
_REFERENCE: Final = re.compile(
    r"""\$\{(?:dynamic\.(?P<fake>[A-Za-z0-9_]+)"""
    r"""|(?P<root>data|variables)(?P<path>\.[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+|\[[0-9]+\]|\['[A-Za-z0-9_]+'\]"""
    r"""|\["[A-Za-z0-9_]+"\])*))\}"""
)
_PART: Final = re.compile(r"[A-Za-z0-9_]+")
_WHOLE_BELOW: Final = 1e21
"""Whole numbers below it are written without an exponent, as JavaScript does it."""
_MOST_DIGITS: Final = 9


class Missing:
    """What stands for nothing where null is something."""


MISSING: Final = Missing()
"""What a path gives that leads nowhere."""


@attrs.frozen(kw_only=True)
class Scope:
    """What references refer to.

    Attributes:
        data: The run's results, by their keys.
        variables: The run's variables.
        fakes: What gives `${dynamic.key}`; None leaves those as they are.
    """

    data: Mapping[str, Json]
    variables: Mapping[str, Json]
    fakes: Fakes | None = None


def to_text(value: Json) -> str:
    """Return *value* as it stands in a text: null as nothing, lists and objects as JSON, true as `true`."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < _WHOLE_BELOW:
        return str(int(value))
    return re.sub(r"e([+-])0", r"e\1", repr(value))


def interpolate(value: Json, scope: Scope) -> Json:
    """Return *value* with the references in all of its texts, at any depth, filled in; what is no text stays.

    Raises:
        ExpressionError: A text becomes longer than `MAX_SIZE`.
    """
    if isinstance(value, str):
        return interpolate_text(value, scope)
    if isinstance(value, dict):
        return {key: interpolate(item, scope) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [interpolate(item, scope) for item in value]
    return value


def interpolate_text(text: str, scope: Scope) -> str:
    """Return *text* with its references filled in; the result is always text.

    Raises:
        ExpressionError: It becomes longer than `MAX_SIZE`.
    """
    if _MARK not in text:
        return text
    parts: list[str] = []
    size = end = 0
    for found in _REFERENCE.finditer(text):
        written = _written(found, scope)
        parts += (text[end : found.start()], written)
        size += found.start() - end + len(written)
        end = found.end()
        if size > MAX_SIZE:
            raise ExpressionError("the text is larger than 10 MB when its references are filled in")
    parts.append(text[end:])
    return "".join(parts)


def _written(found: "re.Match[str]", scope: Scope) -> str:
    fake = found["fake"]
    if fake is not None:
        made = None if scope.fakes is None else scope.fakes.make(fake)
        return found.group() if made is None else made
    value = look_up(scope.data if found["root"] == "data" else scope.variables, found["path"])
    return found.group() if isinstance(value, Missing) else to_text(value)


def look_up(value: Json, path: str) -> "Json | Missing":
    """Return what *path* leads to in *value*: names and indexes with dots or brackets; `MISSING` when to nothing."""
    here: Json = value
    for part in _PART.findall(path):
        below = _step(here, part)
        if isinstance(below, Missing):
            return below
        here = below
    return here


def _step(value: Json, part: str) -> "Json | Missing":
    if isinstance(value, Mapping):
        if part not in value:
            return MISSING
        return value[part]
    if isinstance(value, (list, tuple, str)) and part == "length":
        # What people write who think of the documents as JavaScript.
        return len(value)
    if isinstance(value, (list, tuple)) and part.isdecimal() and len(part) <= _MOST_DIGITS and int(part) < len(value):
        item: Json = value[int(part)]
        return item
    return MISSING


def follow(value: Json, path: str) -> "Json | Missing":
    """Return what *path*, names between dots, leads to in *value*; `MISSING` when to nothing.

    Any character may stand in a name, unlike in a reference: `headers.content-type`. A bracket counts as a dot.
    """
    here: Json = value
    for part in re.sub(r"\[['\"]?([^\]'\"]*)['\"]?\]", r".\1", path).removeprefix("$").strip(".").split("."):
        below = _step(here, part)
        if isinstance(below, Missing):
            return below
        here = below
    return here


def whole_reference(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the root and the names of the reference that *text* is from its beginning to its end, or None."""
    found = _REFERENCE.fullmatch(text.strip())
    if found is None or found["root"] is None:
        return None
    return found["root"], tuple(_PART.findall(found["path"]))
