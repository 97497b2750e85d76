"""Whether a document is plain data: a program may hand in anything, and a YAML file's own limits hold for it too."""

import math
from typing import Final

from flowcore.errors import Path
from flowcore.values import is_list, is_mapping

from .findings import Findings

MAX_DEPTH: Final = 64
"""How deep mappings and lists may be nested; one that contains itself is deeper than that."""


def check_plain(document: object, findings: Findings) -> bool:
    """Note every part of *document* that no YAML file could hold.

    Returns:
        Whether the document can be read on: nothing but numbers that are not finite was noted.
    """
    readable = True
    waiting: list[tuple[Path, object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > MAX_DEPTH:
            findings.add("too-deep", path[:1], f"mappings and lists are nested deeper than {MAX_DEPTH} levels")
            return False
        if is_mapping(value):
            for key, item in value.items():
                if isinstance(key, str):
                    waiting.append(((*path, key), item))
                else:
                    readable = False
                    findings.add("wrong-type", path, f"a key must be text, not {key!r:.60}", hint="put it in quotes")
        elif is_list(value):
            waiting.extend(((*path, number), item) for number, item in enumerate(value))
        else:
            readable = _check_scalar(value, path, findings) and readable
    return readable


def _check_scalar(value: object, path: Path, findings: Findings) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        findings.add("wrong-type", path, f"{value} is no number that JSON can hold")
        return True
    if isinstance(value, str):
        if value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value):
            return True
        findings.add("wrong-type", path, "the text is no valid Unicode")
        return False
    if value is None or isinstance(value, (bool, int, float)):
        return True
    findings.add("wrong-type", path, f"a {type(value).__name__} is no value that a flow can hold")
    return False
