"""How names are spelled in expressions, and what to say where one is spelled in a way that JMESPath does not know."""

import json
import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROOTS: Final = ("flows", "sources", "secrets", "run", "item", "input", "json")
_NAMED: Final = frozenset({"flows", "sources", "secrets"})
"""Roots behind which a name stands that people have chosen: nothing could be subtracted there."""
_PATH: Final = re.compile(rf"(?<![\w.\"-])({'|'.join(_ROOTS)})((?:\.(?:\w+(?:-\w+)*|\"\"))+)")
_HYPHENATED: Final = re.compile(r"(?<![\w\"-])([A-Za-z_]\w*(?:-[A-Za-z_]\w*)+)(?![\w-])")
_ANY_ROOT: Final = frozenset(_ROOTS)


def spelled(name: str) -> str:
    """Return *name* as it stands in an expression: in double quotes unless it is letters, digits and `_` alone."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def name_hint(bare: str) -> str | None:
    """Return how to write a name in *bare* that must stand in double quotes and does not, or None if there is none.

    Args:
        bare: An expression without what stands in its quotes.
    """
    for found in _PATH.finditer(bare):
        root, names = found[1], found[2].split(".")[1:]
        chosen = root in _NAMED and not _PLAIN.fullmatch(names[0])
        # What stood in quotes is not known here.
        if '""' not in names and (chosen or any(map(_is_one, names[1:] if root in _NAMED else names))):
            path = ".".join((root, *map(spelled, names)))
            return f"such a name stands in double quotes: write `{path}`"
    lone = _HYPHENATED.search(bare)
    if lone is not None and _is_one(lone[1]):
        return f"a name with a hyphen stands in double quotes, `{spelled(lone[1])}`; there is no arithmetic"
    return None


def _is_one(name: str) -> bool:
    """Return whether *name* is one with hyphens, and not a difference: `n-1` and `n-flows` are none."""
    first, *rest = name.split("-")
    return bool(rest) and all(_PLAIN.fullmatch(part) and part not in _ANY_ROOT for part in (first, *rest))
