"""Reading one mapping of a document: which keys it has, of which type, and what is wrong with them."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from flowcore.errors import Path
from flowcore.values import Json

from .findings import Findings, did_you_mean

LONGEST_S: Final = 366 * 86_400.0
"""How long anything in a flow may be told to take or wait, in seconds."""


def type_name(value: Json) -> str:
    """Return what people call the type of *value*: text, a number, a list, ..."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


class Fields:
    """The members of the mapping at *path*; every `get` notes what does not fit and returns None for it."""

    def __init__(self, value: Mapping[str, Json], path: Path, findings: Findings, known: Sequence[str]) -> None:
        """Refuse every key that is not in *known*."""
        self._value = value
        self._findings = findings
        self.path = path
        for key in value:
            if key not in known:
                allowed = "allowed here: " + ", ".join(known)
                findings.add(
                    "unknown-key",
                    (*path, str(key)),
                    f"unknown key '{key}'",
                    hint=did_you_mean(str(key), known) or allowed,
                )

    def raw(self, key: str) -> Json:
        """Return what stands under *key*, or None."""
        return self._value.get(key)

    def refuse(self, key: str, message: str, *, code: str = "wrong-type", hint: str | None = None) -> None:
        """Note that what stands under *key* is wrong."""
        self._findings.add(code, (*self.path, key), message, hint=hint)

    def text(self, key: str) -> str | None:
        """Return the text under *key*."""
        value = self.raw(key)
        if value is None or isinstance(value, str):
            return value
        self.refuse(key, f"'{key}' must be text, not {type_name(value)}", hint="put it in quotes")
        return None

    def flag(self, key: str) -> bool:
        """Return the boolean under *key*; False when there is none."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.refuse(key, f"'{key}' must be true or false, not {type_name(value)}")
        return False

    def mapping(self, key: str) -> Mapping[str, Json]:
        """Return the mapping under *key*; an empty one when there is none."""
        value = self.raw(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.refuse(key, f"'{key}' must be a mapping, not {type_name(value)}")
        return {}

    def items(self, key: str) -> Sequence[Json]:
        """Return the list under *key*; an empty one when there is none."""
        value = self.raw(key)
        if isinstance(value, (list, tuple)):
            return value
        if value is not None:
            self.refuse(key, f"'{key}' must be a list, not {type_name(value)}")
        return ()

    def whole(self, key: str, *, least: int = 1, most: int = 1_000_000) -> int | None:
        """Return the whole number under *key*, at least *least* and at most *most*."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, f"'{key}' must be a whole number, not {type_name(value)}")
        elif not least <= value <= most:
            self.refuse(key, f"'{key}' must be between {least} and {most}, not {value}", code="out-of-range")
        else:
            return value
        return None

    def number(self, key: str, *, above: float | None = None, least: float = 0.0, most: float) -> float | None:
        """Return the number under *key*: above *above* when that is given, else at least *least*; at most *most*."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(key, f"'{key}' must be a number, not {type_name(value)}")
            return None
        low = f"above {above:g}" if above is not None else f"at least {least:g}"
        bad = not math.isfinite(value) or value > most or (value <= above if above is not None else value < least)
        if bad:
            self.refuse(key, f"'{key}' must be {low} and at most {most:.15g}, not {value}", code="out-of-range")
            return None
        return float(value)
