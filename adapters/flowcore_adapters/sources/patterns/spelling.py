"""Spelling a pattern that means to `re` what it says so that it means the same to `regex`, as far as that can be."""

import re
from collections.abc import Iterator
from typing import Final

import attrs

from flowcore.expressions.patterns import Kind, Part, compiled, parts

_WORD: Final = r"\p{L}\p{N}_"
_NO_WORD: Final = (
    r"\p{M}\p{S}\p{Z}\p{C}\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}\u203f\u2040\u2054\ufe33\ufe34\ufe4d-\ufe4f\uff3f"
)
"""All other categories, and of the one that `_` is of all the others."""
_SPACE: Final = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_NO_SPACE: Final = (
    r"\x00-\x08\x0e-\x1b!-\x84\x86-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff"
    r"\u3001-\U0010ffff"
)
_CLASSES: Final = {
    r"\w": _WORD,
    r"\W": _NO_WORD,
    r"\s": _SPACE,
    r"\S": _NO_SPACE,
    r"\d": r"\d",
    r"\D": r"\D",
}
"""What `re` means, in a set: to `regex` combining marks are letters of a word, too, and some separators no spaces."""
_CLASSES_OF_ASCII: Final = {
    r"\w": "a-zA-Z0-9_",
    r"\W": r"\x00-/:-@\[-\^`{-\U0010ffff",
    r"\s": r"\t-\r\x20",
    r"\S": r"\x00-\x08\x0e-\x1f!-\U0010ffff",
    r"\d": "0-9",
    r"\D": r"\x00-/:-\U0010ffff",
}
_ONE_LETTER: Final = "iI\u0130\u0131"
"""What is one letter to `re` where case does not count."""
_FLAGS: Final = re.compile(r"\(\?([aiLmsux]*)(?:-([imsx]+))?:")
_ESCAPE: Final = re.compile(r"\\.", re.DOTALL)
_IN_AN_EMPTY_TEXT: Final = "" if re.search(r"\B", "") else r"(?!\A\Z)"
"""What keeps `\\B` from being found there, where it is not in this version of Python."""


@attrs.frozen
class _Mode:
    """How letters are told where a part stands."""

    any_case: bool
    ascii: bool

    def within(self, opening: str) -> "_Mode":
        """Return what holds behind *opening*, the beginning of a group."""
        flags = _FLAGS.match(opening)
        if flags is None:
            return self
        on, off = flags[1], flags[2] or ""
        return _Mode(("i" in on or self.any_case) and "i" not in off, "a" in on or (self.ascii and "u" not in on))


def spelled(pattern: str, *, case_sensitive: bool) -> str:
    """Return how *pattern* is written for `regex`.

    Raises:
        ValueError: It is no regular expression.
    """
    flags = compiled(pattern).flags
    mode = _Mode(bool(flags & re.IGNORECASE) or not case_sensitive, bool(flags & re.ASCII))
    return "".join(_spelled(parts(pattern), mode))


def _spelled(given: tuple[Part, ...], mode: _Mode) -> Iterator[str]:
    outer: list[_Mode] = []
    for part in given:
        match part.kind:
            case Kind.OPEN:
                outer.append(mode)
                mode = mode.within(part.text)
                yield part.text
            case Kind.CLOSE:
                mode = outer.pop()
                yield part.text
            case Kind.ITEM:
                yield _item(part.text, mode)
            case _:
                yield part.text


def _item(text: str, mode: _Mode) -> str:
    classes = _CLASSES_OF_ASCII if mode.ascii else _CLASSES
    if text.startswith("["):
        return _set(text, mode, classes)
    if text in classes:
        return _one(f"[{classes[text]}]", mode)
    word = "[" + classes[r"\w"] + "]"
    if text == r"\b":
        return _exactly(f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))", mode)
    if text == r"\B":
        return _exactly(f"(?:{_IN_AN_EMPTY_TEXT}(?:(?<={word})(?={word})|(?<!{word})(?!{word})))", mode)
    if mode.any_case and not mode.ascii and text in _ONE_LETTER:
        return _exactly(f"[{_ONE_LETTER}]", mode)
    return text


def _exactly(text: str, mode: _Mode) -> str:
    """Return *text* so that case counts: some letters are one with marks that are none, otherwise."""
    return f"(?-i:{text})" if mode.any_case else text


def _one(characters: str, mode: _Mode) -> str:
    """Return a set so that case counts, also beside others where it does not: `regex` makes one set of alternatives.

    What is not in a set is looked for by what is: where case does not count, `regex` takes the rest of a set for less.
    """
    if not mode.any_case:
        return characters
    if characters.startswith("[^"):
        return rf"(?>(?!{_exactly(f'[{characters[2:]}', mode)})[\s\S])"
    return rf"(?>(?={_exactly(characters, mode)})[\s\S])"


def _set(text: str, mode: _Mode, classes: dict[str, str]) -> str:
    outside = text.startswith("[^")
    written = text[2 if outside else 1 : -1]
    found = [escape for escape in _ESCAPE.findall(written) if escape in classes]
    members = "".join(classes[escape] for escape in found)
    others = _ESCAPE.sub(lambda escape: "" if escape.group() in classes else escape.group(), written)
    if others and mode.any_case and not mode.ascii:
        one = re.compile(f"[{others}]", re.IGNORECASE)
        others += _ONE_LETTER if any(map(one.match, _ONE_LETTER)) else ""
    beginning = "[^" if outside else "["
    if not (others and members and mode.any_case):
        whole = f"{beginning}{others}{members}]"
        return whole if others else _one(whole, mode)
    # In the classes case counts, in the rest it does not. Each way is one character, so none need be tried again.
    class_of_it = _one(f"[{members}]", mode)
    return f"(?>(?!{class_of_it})[^{others}])" if outside else f"(?>{class_of_it}|[{others}])"
