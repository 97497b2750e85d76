"""What stands in the table for an event, and the way there and back."""

import sqlite3
from typing import Final, TypeAlias

from flowcore.codec import decode, encode
from flowcore.errors import EventFormatError, LogError
from flowcore.ids import RunId
from flowcore.json_text import from_json, to_json
from flowcore.ports import Recorded
from flowcore.run.events import Event

from .values import LargeValues, extract, is_large, references, restore

MAX_INTEGER: Final = 2**63 - 1
"""The largest number that SQLite stores as an integer."""
_MAX_CHARACTERS: Final = 200_000_000
"""The longest payload: up to 800 MB as UTF-8, where SQLite ends at 1,000 MB. One caller's must not spoil a group."""

# As bytes: text that is not UTF-8 would otherwise fail in the driver, which cannot say which row it is.
READ: Final = (
    "SELECT position, version, type, schema, CAST(data AS BLOB), epoch, large FROM events"
    " WHERE run_id = ? AND version > ? ORDER BY version LIMIT ?"
)
INSERT: Final = (
    "INSERT INTO events (position, run_id, version, epoch, at, type, schema, data, large)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LARGE: Final = "SELECT large FROM events WHERE large IS NOT NULL"

Stored: TypeAlias = tuple[int, int, str, int, bytes, int, str | None]
"""A row that `READ` gives."""
Payload: TypeAlias = tuple[float, str, int, str, str | None]
"""What is stored of an event, apart from where: at, type, schema, data, references to large values."""
Row: TypeAlias = tuple[int, RunId, int, int, float, str, int, str, str | None]
"""A row for `INSERT`."""


def payload(event: Event, values: LargeValues, texts: dict[str, str]) -> Payload:
    """Return what is stored of *event*; the large ones of its outputs go to *values* and, by digest, into *texts*.

    Raises:
        EventFormatError: It holds something that cannot be stored, such as NaN.
        LogError: It is too large, or a large value cannot be written.
    """
    encoded = encode(event)
    data = to_json(encoded.data)
    references = None
    if is_large(data):
        rest, large = extract(encoded.data)
        if large:
            data = to_json(rest)
            digests = {name: values.put(text) for name, text in large.items()}
            texts |= {digest: large[name] for name, digest in digests.items()}
            references = to_json(digests)
    if len(data) > _MAX_CHARACTERS:
        raise LogError(f"an event of {len(data)} characters is too large for the log")
    return event.at, encoded.type, encoded.schema, data, references


def recorded(run_id: RunId, stored: Stored, values: LargeValues) -> Recorded:
    """Return the event of *run_id* that stands in a row, with its large *values*.

    Raises:
        EventFormatError: It is broken, or of a newer version of flowcore, or a large value is missing or damaged.
    """
    position, version, type_, schema, text, epoch, large = stored
    try:
        data = from_json(text.decode())
        event = decode(type_, schema, data if large is None else restore(data, large, values))
    except ValueError as error:
        raise EventFormatError(f"run {run_id}, position {position}: {error}") from error
    return Recorded(run_id, position, version, event, epoch)


def in_use(cursor: sqlite3.Cursor) -> set[str]:
    """Return the digests of all large values that events refer to.

    Raises:
        EventFormatError: A reference is broken.
    """
    return {digest for (large,) in cursor.execute(_LARGE) for digest in references(large).values()}


def storable(number: int) -> bool:
    """Tell whether SQLite stores *number* as an integer."""
    return -MAX_INTEGER <= number <= MAX_INTEGER
