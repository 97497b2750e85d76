"""A definition's command as the words that a program gets (contract flow-runs, section 6).

The line is split as a POSIX shell splits words, quotes and all, *before* anything is filled in: a value can never add
a word, whatever is in it. There is no shell.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .templates import Broken, Part, Variable, fill, parse_template

Words: TypeAlias = tuple[tuple[Part, ...], ...]
"""The words of a command, their variables still open."""


def split_command(line: str) -> Words:
    """Return the words of *line*.

    Raises:
        ValueError: A quote is never closed, or nothing follows the last backslash.
    """
    return tuple(parse_template(word) for word in shlex.split(line))


def fill_command(words: Words, values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the arguments.

    Args:
        words: The words of the command.
        values: What is bound: flags by their value, ports by their path. A word that consists of nothing but variables
            without a value is left out; elsewhere they are empty.
    """
    return tuple(fill(word, values) for word in words if not _absent(word, values))


def _absent(word: Sequence[Part], values: Mapping[str, str]) -> bool:
    return bool(word) and all(isinstance(part, Variable) and part.name not in values for part in word)


def variables_used(words: Words) -> tuple[str, ...]:
    """Return the names of all variables in *words*, each once, in order."""
    return tuple(dict.fromkeys(part.name for word in words for part in word if isinstance(part, Variable)))


def broken_in(words: Words) -> tuple[str, ...]:
    """Return what looks like a variable in *words* and names none, each once, in order."""
    return tuple(dict.fromkeys(part.text for word in words for part in word if isinstance(part, Broken)))
