"""Plain data: what flows between steps, into the log and out of the API.

Times are `Instant`s: seconds since the epoch as a float, as `/status` shows them. A float survives the way through JSON
bit for bit, so a replayed log gives the same bytes; a `datetime` would be built and taken apart for every event.
"""

from collections.abc import Mapping, Sequence
from typing import NewType, TypeAlias, TypeGuard

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""A JSON value. Whoever holds one treats it as immutable. Lists are `list` or `tuple`, mappings `dict`."""

Instant = NewType("Instant", float)
"""Seconds since the epoch (UTC)."""


def is_mapping(value: object) -> TypeGuard[dict[object, object]]:
    """Return whether *value* is a mapping; for data that nobody has looked at yet."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Return whether *value* is a list; for data that nobody has looked at yet."""
    return isinstance(value, (list, tuple))


def is_json(value: object) -> TypeGuard[Json]:
    """Return whether *value* is, at its top, a JSON value; for parts of data that has been looked at before."""
    return value is None or isinstance(value, (str, int, float, dict, list, tuple))


def own_copy(value: Json) -> Json:
    """Return a copy of *value* that can be changed: others hold the same lists and mappings."""
    if isinstance(value, dict):
        return {key: own_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [own_copy(item) for item in value]
    return value
