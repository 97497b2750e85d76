"""Texts with variables: `${NAME}` and `$NAME`, as object keys and commands use them.

What is a variable is what Go's `os.Expand` takes for one, so that a template means what it meant: `$$`, `$1` and `$-`
are variables too (of names that nothing has), and a `$` before anything else is a dollar. `${}` and a `${` that is
never closed, which Go drops in silence, are parts of their own here.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

_NAME: Final = re.compile(r"[*#$@!?\-0-9]|[A-Za-z_][A-Za-z0-9_]*")


@attrs.frozen
class Variable:
    """A variable."""

    name: str


@attrs.frozen
class Broken:
    """`${}`, or a `${` that is never closed."""

    text: str


Part: TypeAlias = str | Variable | Broken


def parse_template(text: str) -> tuple[Part, ...]:
    """Return the parts of *text*, none of its plain texts empty."""
    parts: list[Part] = []
    last_close = text.rfind("}")
    begin = end = 0
    while (dollar := text.find("$", end)) >= 0:
        part, end = _after(text, dollar, last_close)
        if part is None:
            continue
        if dollar > begin:
            parts.append(text[begin:dollar])
        parts.append(part)
        begin = end
    if begin < len(text):
        parts.append(text[begin:])
    return tuple(parts)


def _after(text: str, dollar: int, last_close: int) -> tuple[Variable | Broken | None, int]:
    """Return what the *dollar* begins and where that ends; None where it is no more than a dollar."""
    if text.startswith("{", dollar + 1):
        # Looked for only where there is one, or a text of nothing but `${` would be searched to its end each time.
        close = text.find("}", dollar + 2) if dollar < last_close else -1
        if close > dollar + 2:
            return Variable(text[dollar + 2 : close]), close + 1
        broken = "${" if close < 0 else "${}"
        return Broken(broken), dollar + len(broken)
    match = _NAME.match(text, dollar + 1)
    return (None, dollar + 1) if match is None else (Variable(match.group()), match.end())


def fill(parts: tuple[Part, ...], values: Mapping[str, str]) -> str:
    """Return the text of *parts*; a variable without a value is empty, and what is broken stays as it was written."""
    return "".join(_filled(part, values) for part in parts)


def _filled(part: Part, values: Mapping[str, str]) -> str:
    match part:
        case Variable(name=name):
            return values.get(name, "")
        case Broken(text=text):
            return text
        case _:
            return part
