"""The parts of a regular expression as Python's `re` reads it: to reckon what it takes, and to spell it for others.

Engines differ in small things: whether `{e}` is text, whether `{ 3 }` counts, where a comment ends. What is told here
of a pattern, part by part, is what `re` says; comments and the spaces of `(?x)` are left out.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import Final

import attrs

_TOKEN: Final = re.compile(r"\\.|.", re.DOTALL)
_AMBIGUOUS: Final = re.compile(r"\[\^?\[|--|&&|\|\||~~")
_VERBOSE: Final = re.compile(r"(?:\(\?[aimsu]+\)|\(\?#[^)]*\))*\(\?[aimsu]*x[aimsux]*\)")
_SPACES: Final = frozenset(" \t\n\r\v\f")
_COUNT: Final = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_OPENING: Final = re.compile(
    r"\((?:\?(?:P<\w+>|<[=!]|[:=!>]|\(\w+\)|(?P<on>[aiLmsux]*)(?:-(?P<off>[imsx]+))?(?P<end>[:)])))?"
)
_NAMED: Final = re.compile(r"\(\?P=(\w+)\)")
_ESCAPE: Final = re.compile(
    r"\\(?:0[0-7]{0,2}|[0-3][0-7]{2}|(?P<group>[1-9][0-9]?)|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|.)",
    re.DOTALL,
)
_ESCAPE_IN_SET: Final = re.compile(
    r"\\(?:[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|.)", re.DOTALL
)


class Kind(Enum):
    """What a part of a pattern is."""

    ITEM = auto()
    """Matches at most one character."""
    REFERENCE = auto()
    """Matches what a group has matched."""
    OPEN = auto()
    CLOSE = auto()
    BRANCH = auto()
    COUNT = auto()
    """Says how often what stands before it is repeated."""
    FLAGS = auto()


@attrs.frozen
class Part:
    """One part of a pattern.

    Attributes:
        text: How it is written where nothing can be taken for something else.
        least: How often at least, of a count.
        most: How often at most, of a count; None for any number.
    """

    kind: Kind
    text: str
    least: int = 1
    most: int | None = 1


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return *pattern* as `re` reads it.

    Raises:
        ValueError: It is no regular expression, or one that cannot be used; with the reason.
    """
    try:
        return re.compile(_unambiguous(pattern) if _AMBIGUOUS.search(pattern) else pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"cannot be used as a regular expression: {error}") from None


def _unambiguous(pattern: str) -> str:
    """Return *pattern* so that `re` does not warn of what it may mean one day: its writer means what it means now."""
    try:
        return "".join(part.text for part in _parts(pattern, verbose=_VERBOSE.match(pattern) is not None))
    except (IndexError, RuntimeError):
        raise ValueError("is no regular expression: a bracket or a backslash stands alone") from None


@lru_cache(maxsize=512)
def parts(pattern: str) -> tuple[Part, ...]:
    """Return the parts of *pattern*.

    Raises:
        ValueError: It is no regular expression.
    """
    verbose = bool(compiled(pattern).flags & re.VERBOSE)
    return tuple(_parts(pattern, verbose=verbose))


def _parts(pattern: str, *, verbose: bool) -> Iterator[Part]:
    place = 0
    outer: list[bool] = []
    while place < len(pattern):
        character = pattern[place]
        end = place + 1
        if character == "\\":
            part, end = _escape(pattern, place)
            yield part
        elif character == "[":
            part, end = _set(pattern, place)
            yield part
        elif character == "(":
            end, group, inner = _opening(pattern, place, verbose=verbose)
            if group is not None:
                yield group
                if group.kind is Kind.OPEN:
                    outer.append(verbose)
                    verbose = inner
        elif character == ")":
            verbose = outer.pop()
            yield Part(Kind.CLOSE, ")")
        elif character == "|":
            yield Part(Kind.BRANCH, "|")
        elif verbose and character in _SPACES:
            pass
        elif verbose and character == "#":
            end = _past(pattern, end, "\n")
        elif character in ".^$":
            yield Part(Kind.ITEM, character)
        else:
            part, end = _count(pattern, place)
            yield part
        place = end


def _past(pattern: str, place: int, last: str) -> int:
    """Return where a comment is over that goes on at *place*: behind *last*, unless a backslash stands before that."""
    for token in _TOKEN.finditer(pattern, place):
        if token.group() == last:
            return token.end()
    return len(pattern)


def _opening(pattern: str, place: int, *, verbose: bool) -> tuple[int, Part | None, bool]:
    """Return where what follows the bracket at *place* goes on, what it is if no comment, and whether it is verbose."""
    if pattern.startswith("(?#", place):
        return _past(pattern, place + 3, ")"), None, verbose
    named = _NAMED.match(pattern, place)
    if named is not None:
        return named.end(), Part(Kind.REFERENCE, named.group()), verbose
    found = next(_OPENING.finditer(pattern, place))
    if found["end"] == ")":
        return found.end(), Part(Kind.FLAGS, found.group()), verbose
    inner = ("x" in (found["on"] or "") or verbose) and "x" not in (found["off"] or "")
    return found.end(), Part(Kind.OPEN, found.group()), inner


def _escape(pattern: str, place: int) -> tuple[Part, int]:
    found = next(_ESCAPE.finditer(pattern, place))
    if found["group"] is not None:
        # So that no digit behind it can become a part of it.
        return Part(Kind.REFERENCE, f"(?:\\{found['group']})"), found.end()
    text = found.group()
    octal = text[1:].isdigit()
    return Part(Kind.ITEM, f"\\x{int(text[1:], 8):02x}" if octal else text), found.end()


def _set(pattern: str, place: int) -> tuple[Part, int]:
    """Return the set that begins at *place*, and where it is over."""
    end = place + 1
    text = "["
    if pattern[end] == "^":
        text += "^"
        end += 1
    first = end
    while pattern[end] != "]" or end == first:
        item, end = _item(pattern, end)
        text += item
        if pattern[end] == "-" and pattern[end + 1] != "]":
            item, end = _item(pattern, end + 1)
            text += f"-{item}"
    return Part(Kind.ITEM, f"{text}]"), end + 1


def _item(pattern: str, place: int) -> tuple[str, int]:
    """Return what stands at *place* in a set, and where it is over."""
    escape = _ESCAPE_IN_SET.match(pattern, place)
    if escape is None:
        return re.escape(pattern[place]), place + 1
    text = escape.group()
    return (f"\\x{int(text[1:], 8):02x}" if text[1:].isdigit() else text), escape.end()


def _count(pattern: str, place: int) -> tuple[Part, int]:
    """Return the count at *place*, with what says how it is taken, or the text that it is; and where it is over."""
    character = pattern[place]
    found = _COUNT.match(pattern, place)
    if character in "*+?":
        least, most = (1 if character == "+" else 0), (1 if character == "?" else None)
        text, end = character, place + 1
    elif found is not None and pattern[place : place + 2] != "{}":
        fewest, comma, largest = found.groups()
        least = int(fewest or 0)
        most = (int(largest) if largest else None) if comma else least
        text = f"{{{least},{'' if most is None else most}}}"
        end = found.end()
    else:
        return Part(Kind.ITEM, re.escape(character)), place + 1
    if pattern[end : end + 1] in {"?", "+"}:
        text += pattern[end]
        end += 1
    return Part(Kind.COUNT, text, least, most), end


def written_out(pattern: str) -> int:
    """Return how many parts *pattern* has when its counts are written out, `x{3}` as `xxx`.

    Raises:
        ValueError: It is no regular expression.
    """
    outer: list[int] = []
    size = last = 0
    for part in parts(pattern):
        match part.kind:
            case Kind.OPEN:
                outer.append(size)
                size = last = 0
            case Kind.CLOSE:
                last = size + 1
                size = outer.pop() + last
            case Kind.COUNT:
                size += last * (max(1, part.least) - 1)
                last *= max(1, part.least)
            case Kind.FLAGS:
                pass
            case _:
                last = 1
                size += 1
    return size
