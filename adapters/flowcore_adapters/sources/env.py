"""`env`: values of the environment."""

import os
from typing import Final

import attrs

from flowcore.catalog import Kind, SourceType
from flowcore.ports import SourceCall, SourceResult

from .configuration import Reader, parameter, parameters


@attrs.frozen(kw_only=True)
class EnvConfiguration:
    """What an `env` source is told."""

    vars: tuple[str, ...] = parameter(Kind.TEXTS, "The variables to read; one that is not set is null.", default=())
    secret: bool | tuple[str, ...] = parameter(
        Kind.NAMES,
        "True, or a list of variables: their values are never shown and never stored.",
        default=False,
        among="vars",
    )


_TYPE: Final = SourceType(
    name="env",
    about="Reads environment variables; its values can be used in every expression as `sources.<name>.<VARIABLE>`.",
    parameters=parameters(EnvConfiguration),
    blocking=False,
    values=True,
)
_read: Final = Reader(_TYPE, EnvConfiguration)


class EnvSource:
    """Reads environment variables."""

    type = _TYPE

    def call(self, call: SourceCall) -> SourceResult:
        """Return ``{VARIABLE: text or null}``."""
        notes: list[str] = []
        data = {name: _value(name, notes) for name in _read(call.configuration).vars}
        return SourceResult(data=data, notes=tuple(notes))


def _value(name: str, notes: list[str]) -> str | None:
    try:
        value = os.environ.get(name)
    except UnicodeEncodeError:
        # A name that no environment can hold is not set.
        return None
    if value is None or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        notes.append(f"variable {name} is no valid UTF-8; what could not be read was replaced")
        return os.fsencode(value).decode(errors="replace")
    return value
