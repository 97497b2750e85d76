"""What stands in the table for an event, and the way there and back."""

import sqlite3
from typing import Final, TypeAlias, TypeVar

from flowcore.batch.events import BatchEvent
from flowcore.codec import BATCH_CODEC, CODEC, Codec, Encoded
from flowcore.errors import EventFormatError, LogError
from flowcore.ids import BatchId, RunId, StreamId
from flowcore.json_text import from_json, to_json
from flowcore.ports import AnyAppend, AnyRecorded, AppendBatch, Recorded, RecordedBatch
from flowcore.run.events import Event
from flowcore.values import Instant

from .values import LargeValues, extract, is_large, references, restore

MAX_INTEGER: Final = 2**63 - 1
"""The largest number that SQLite stores as an integer."""
_MAX_CHARACTERS: Final = 200_000_000
"""The longest payload: up to 800 MB as UTF-8, where SQLite ends at 1,000 MB. One caller's must not spoil a group."""

# As bytes: text that is not UTF-8 would otherwise fail in the driver, which cannot say which row it is.
_READ: Final = (
    "SELECT position, version, type, schema, CAST(data AS BLOB), epoch, large FROM events"
    " WHERE run_id = :stream AND version > :after"
    " AND {} EXISTS (SELECT 1 FROM runs WHERE run_id = :stream AND batch IS NOT NULL)"
    " ORDER BY version LIMIT :most"
)
READ: Final = _READ.format("NOT")
"""The events of a run, nothing for a batch."""
READ_BATCH: Final = _READ.format("")
"""The events of a batch, nothing for a run."""
FOLLOW: Final = (
    "SELECT position, version, type, schema, CAST(data AS BLOB), epoch, large, run_id,"
    " EXISTS (SELECT 1 FROM runs WHERE runs.run_id = events.run_id AND batch IS NOT NULL)"
    " FROM events WHERE position > ? ORDER BY position LIMIT ?"
)
"""The events of all streams, and whether each is of a batch."""
INSERT: Final = (
    "INSERT INTO events (position, run_id, version, epoch, at, type, schema, data, large)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LARGE: Final = "SELECT large FROM events WHERE large IS NOT NULL"

Stored: TypeAlias = tuple[int, int, str, int, bytes, int, str | None]
"""A row that `READ` gives."""
Followed: TypeAlias = tuple[int, int, str, int, bytes, int, str | None, int, bool]
"""A row that `FOLLOW` gives."""
Payload: TypeAlias = tuple[float, str, int, str, str | None]
"""What is stored of an event, apart from where: at, type, schema, data, references to large values."""
Row: TypeAlias = tuple[int, StreamId, int, int, float, str, int, str, str | None]
"""A row for `INSERT`."""


E = TypeVar("E", bound=Event | BatchEvent)


def payloads(append: AnyAppend, values: LargeValues, texts: dict[str, str]) -> list[Payload]:
    """Return what is stored of the events of *append*; large values go to *values* and, by digest, into *texts*.

    Raises:
        EventFormatError: One holds something that cannot be stored, such as NaN.
        LogError: One is too large, or a large value cannot be written.
    """
    if isinstance(append, AppendBatch):
        return [_payload(BATCH_CODEC.encode(event), event.at, values, texts) for event in append.events]
    return [_payload(CODEC.encode(event), event.at, values, texts) for event in append.events]


def _payload(encoded: Encoded, at: Instant, values: LargeValues, texts: dict[str, str]) -> Payload:
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
    return at, encoded.type, encoded.schema, data, references


def recorded(run_id: RunId, stored: Stored, values: LargeValues) -> Recorded:
    """Return the event of *run_id* that stands in a row, with its large *values*.

    Raises:
        EventFormatError: It is broken, or of a newer version of flowcore, or a large value is missing or damaged.
    """
    return Recorded(run_id, stored[0], stored[1], _event(CODEC, run_id, stored, values), stored[5])


def recorded_batch(batch_id: BatchId, stored: Stored, values: LargeValues) -> RecordedBatch:
    """Return the event of *batch_id* that stands in a row (see `recorded`)."""
    return RecordedBatch(batch_id, stored[0], stored[1], _event(BATCH_CODEC, batch_id, stored, values), stored[5])


def _event(codec: Codec[E], stream: StreamId, stored: Stored, values: LargeValues) -> E:
    position, _version, type_, schema, text, _epoch, large = stored
    try:
        data = from_json(text.decode())
        return codec.decode(type_, schema, data if large is None else restore(data, large, values))
    except ValueError as error:
        raise EventFormatError(f"run {stream}, position {position}: {error}") from error


def followed(row: Followed, values: LargeValues) -> AnyRecorded:
    """Return the event of a run or a batch that stands in a row that `FOLLOW` gave (see `recorded`)."""
    if row[8]:
        return recorded_batch(BatchId(row[7]), row[:7], values)
    return recorded(RunId(row[7]), row[:7], values)


def in_use(cursor: sqlite3.Cursor) -> set[str]:
    """Return the digests of all large values that events refer to.

    Raises:
        EventFormatError: A reference is broken.
    """
    return {digest for (large,) in cursor.execute(_LARGE) for digest in references(large).values()}


def storable(number: int) -> bool:
    """Tell whether SQLite stores *number* as an integer."""
    return -MAX_INTEGER <= number <= MAX_INTEGER
