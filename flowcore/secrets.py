"""References to secrets: what stands in events, views and notes instead of the values.

A secret is known by the name that the flow gives it: `API_TOKEN` from `secrets:`, or `creds.API_TOKEN` from an `env`
source that is marked `secret`. Its value enters when it is used and never the log: a text that is exactly the value
becomes a reference, which the next step's input turns back; a text that merely holds it is blackened.
"""

import json
from collections.abc import Mapping
from typing import Final

from .values import Json

REFERENCE_KEY: Final = "$secret"
BLACKENED: Final = "***"
_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
"""What a URL writes as it is (RFC 3986, section 2.3)."""
_SHORTEST_PART: Final = 4
"""Shorter values are recognised whole, but not blackened inside other texts: a `1` would spoil every number."""


def reference(name: str) -> Mapping[str, Json]:
    """Return what stands for the secret *name* in an event."""
    return {REFERENCE_KEY: name}


def mask(value: Json) -> Json:
    """Return *value* as anybody may see it: every reference blackened."""
    if isinstance(value, dict):
        if REFERENCE_KEY in value:
            return BLACKENED
        return {key: mask(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(item) for item in value]
    return value


def _forms(value: str) -> tuple[str, ...]:
    """Return the ways in which *value* is written: as it is, in JSON, and in the parts of a URL."""
    escaped = json.dumps(value)[1:-1]
    in_path = _percent(value, _UNRESERVED + b"/")
    alone = _percent(value, _UNRESERVED)
    return value, escaped, in_path, alone, alone.replace("%20", "+")


def _percent(text: str, kept: bytes) -> str:
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))


class Redactor:
    """The one sink through which everything passes that comes from a source of a flow with secrets."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Know *secrets*: values by name. Empty values hide nothing and are passed over."""
        self._values = {name: value for name, value in secrets.items() if value}
        self._names = {value: name for name, value in reversed(self._values.items())}
        # Longest first: a secret that holds another one must go as a whole.
        parts = {form for value in self._names for form in _forms(value) if len(value) >= _SHORTEST_PART}
        self._parts = sorted(parts, key=len, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._names)

    def text(self, text: str) -> str:
        """Return *text* (a note, a log line) with every secret blackened."""
        if text in self._names:
            return BLACKENED
        for part in self._parts:
            text = text.replace(part, BLACKENED)
        return text

    def hide(self, value: Json) -> Json:
        """Return *value* (data from a source) fit for the log.

        A mapping that only looks like a reference is blackened: data must not be able to ask for a secret.
        """
        if isinstance(value, str):
            name = self._names.get(value)
            return self.text(value) if name is None else reference(name)
        if isinstance(value, dict):
            if REFERENCE_KEY in value:
                return BLACKENED
            return {self.text(key): self.hide(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.hide(item) for item in value]
        if isinstance(value, (int, float)) and str(value) in self._names:
            # A secret of digits may come back as a number.
            return reference(self._names[str(value)])
        return value

    def reveal(self, value: Json) -> Json:
        """Return *value* (outputs from the log) with every reference replaced by the value it stands for."""
        if isinstance(value, dict):
            name = value.get(REFERENCE_KEY)
            if isinstance(name, str):
                return self._values.get(name)
            return {key: self.reveal(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.reveal(item) for item in value]
        return value
