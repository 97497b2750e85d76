"""One run as one file: lines of JSON between a header and a seal, so that a file that was cut or changed is noticed.

The first line says what it is, each further one is an event as the log holds it, and the last one counts them and seals
everything before it with a digest. A batch is a file too: its own events, and those of the runs of its items, each with
the number of the item beside it.
"""

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from flowcore.batch.events import BatchCreated, BatchEvent
from flowcore.batch_service import load_batch
from flowcore.codec import BATCH_CODEC, Encoded, decode, encode
from flowcore.errors import EventFormatError, FlowcoreError
from flowcore.ids import BatchId, RunId, StreamId, item_run
from flowcore.invariants import Violation, batch_violations, violations
from flowcore.json_text import from_json, to_json
from flowcore.ports import Append, AppendBatch, EventLog, Recorded, RecordedBatch
from flowcore.run.events import Event, RunCreated
from flowcore.values import Json

FORMAT: Final = "flowcore-run"
BATCH_FORMAT: Final = "flowcore-batch"
VERSION: Final = 1
_MAX_BYTES: Final = 2**31


class ArchiveError(FlowcoreError, ValueError):
    """A file that is no run, or not any more."""

    code = "archive"


@attrs.frozen
class Archive:
    """A run that was read from a file."""

    run_id: RunId
    events: tuple[Event, ...]


@attrs.frozen
class BatchArchive:
    """A batch that was read from a file, with the runs of its items, item 1 at index 0."""

    batch_id: BatchId
    events: tuple[BatchEvent, ...]
    runs: tuple[tuple[Event, ...], ...]


def write_archive(log: EventLog, run_id: RunId) -> Iterator[bytes]:
    """Yield the lines of the file that holds *run_id*."""
    header: Json = {"format": FORMAT, "version": VERSION, "run_id": run_id}
    return _sealed(header, (_line(encode(recorded.event)) for recorded in log.read(run_id)))


def write_batch_archive(log: EventLog, batch_id: BatchId) -> Iterator[bytes]:
    """Yield the lines of the file that holds *batch_id* and the runs of its items."""

    def lines() -> Iterator[Json]:
        for recorded in log.read_batch(batch_id):
            yield _line(BATCH_CODEC.encode(recorded.event))
        for item in range(1, len(load_batch(log, batch_id).items) + 1):
            for event in log.read(item_run(batch_id, item)):
                yield {"item": item, **_line(encode(event.event))}

    return _sealed({"format": BATCH_FORMAT, "version": VERSION, "batch_id": batch_id}, lines())


def _line(encoded: Encoded) -> dict[str, Json]:
    return {"type": encoded.type, "schema": encoded.schema, "data": encoded.data}


def _sealed(header: Json, documents: Iterable[Json]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    count = 0

    def line(document: Json) -> bytes:
        text = f"{to_json(document)}\n".encode()
        digest.update(text)
        return text

    yield line(header)
    for document in documents:
        count += 1
        yield line(document)
    yield f"{to_json({'events': count, 'sha256': digest.hexdigest()})}\n".encode()


def read_archive(content: bytes) -> Archive | BatchArchive:
    """Return what *content* holds, checked: the seal, every event, and every invariant.

    Raises:
        ArchiveError: It is no run and no batch of ours, or damaged.
    """
    if content.startswith(b"\x1f\x8b"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                content = stream.read(_MAX_BYTES)
        except (OSError, EOFError) as error:
            raise ArchiveError(f"it is packed, and damaged: {error}") from error
    lines = content.split(b"\n")
    header = _mapping(lines[0], "the header")
    kind = header.get("format")
    if kind not in {FORMAT, BATCH_FORMAT}:
        raise ArchiveError("it holds no run: its first line does not say so")
    version, number = header.get("version"), header.get("run_id" if kind == FORMAT else "batch_id")
    if version != VERSION:
        raise ArchiveError(
            f"it was written by another version of flowcore (format {version!r}; this one reads {VERSION})"
        )
    if not isinstance(number, int) or isinstance(number, bool):
        raise ArchiveError("its header names no run")
    if lines[-1] or len(lines) < 3:  # noqa: PLR2004 - a header, a seal, and what follows the last line break
        raise ArchiveError("its end is missing")
    seal = _mapping(lines[-2], "the seal")
    body = lines[:-2]
    digest = hashlib.sha256(b"".join(line + b"\n" for line in body)).hexdigest()
    if seal.get("sha256") != digest or seal.get("events") != len(body) - 1:
        raise ArchiveError("it is damaged or was changed: what it holds is not what its seal says")
    if kind == FORMAT:
        events = tuple(_events(enumerate(body[1:], 1)))
        _check_run(RunId(number), events)
        return Archive(RunId(number), events)
    return _batch(BatchId(number), body[1:])


def _batch(batch_id: BatchId, body: Sequence[bytes]) -> BatchArchive:
    events: list[BatchEvent] = []
    items: dict[int, list[tuple[int, bytes]]] = {}
    for number, line in enumerate(body, 1):
        document = _mapping(line, f"event {number}")
        item = document.get("item")
        if item is None:
            kind, schema = _kind(document, number)
            try:
                events.append(BATCH_CODEC.decode(kind, schema, document.get("data")))
            except EventFormatError as error:
                raise ArchiveError(f"event {number}: {error}") from error
        elif isinstance(item, int) and not isinstance(item, bool):
            items.setdefault(item, []).append((number, line))
        else:
            raise ArchiveError(f"event {number} is of no item")
    first = events[0] if events else None
    if not isinstance(first, BatchCreated) or first.batch_id != batch_id:
        raise ArchiveError("its first event does not create the batch that its header names")
    _refuse(batch_violations(RecordedBatch(batch_id, place, place, event) for place, event in enumerate(events, 1)))
    wanted = range(1, len(first.items) + 1)
    if set(items) != set(wanted):
        raise ArchiveError("the runs that it holds are not those of its items")
    runs: list[tuple[Event, ...]] = []
    for item in wanted:
        run = tuple(_events(items[item]))
        _check_run(item_run(batch_id, item), run)
        runs.append(run)
    return BatchArchive(batch_id, tuple(events), tuple(runs))


def _check_run(run_id: RunId, events: Sequence[Event]) -> None:
    """See that *events* are those of *run_id*, and break no invariant.

    Raises:
        ArchiveError: They are not, or do.
    """
    _refuse(violations([Recorded(run_id, number, number, event) for number, event in enumerate(events, 1)]))
    first = events[0] if events else None
    if not isinstance(first, RunCreated) or first.run_id != run_id:
        raise ArchiveError("its first event does not create the run that its header names")


def _refuse(found: Sequence[Violation]) -> None:
    if found:
        raise ArchiveError(f"event {found[0].position}: {found[0].message} ({found[0].invariant})")


def store(log: EventLog, archive: Archive, *, run_id: RunId | None = None) -> RunId:
    """Append the run to *log*, under its own id or as *run_id*, and return that; nothing when it is there already.

    An item of a batch becomes a run of its own unless its batch is there: it would wait for it for ever.

    Raises:
        ArchiveError: There is another run of that id.
    """
    wanted = archive.run_id if run_id is None else run_id
    events = archive.events
    first = events[0]
    if isinstance(first, RunCreated):
        alone = run_id is not None or first.batch is None or not log.version(first.batch)
        events = (attrs.evolve(first, run_id=wanted, batch=None if alone else first.batch), *events[1:])
    if log.version(wanted):
        if [recorded.event for recorded in log.read(wanted)] == list(events):
            return wanted
        raise ArchiveError(f"there is another run {wanted} in this log")
    log.append(Append(wanted, 0, events))
    return wanted


def store_batch(log: EventLog, archive: BatchArchive, *, batch_id: BatchId | None = None) -> BatchId:
    """Append the batch and the runs of its items to *log*, under their own ids or those of *batch_id*; return its id.

    All of it or nothing; nothing when it is there already.

    Raises:
        ArchiveError: There is something else of one of these ids.
    """
    wanted = archive.batch_id if batch_id is None else batch_id
    first = archive.events[0]
    events = archive.events
    if isinstance(first, BatchCreated):
        events = (attrs.evolve(first, batch_id=wanted), *events[1:])
    appends = [Append(item_run(wanted, item), 0, _moved(run, wanted, item)) for item, run in enumerate(archive.runs, 1)]
    if log.version(wanted) and [each.event for each in log.read_batch(wanted)] == list(events):
        return wanted
    streams: list[StreamId] = [wanted, *(append.run_id for append in appends)]
    for stream in streams:
        if log.version(stream):
            raise ArchiveError(f"there is another run or batch {stream} in this log")
    log.append(AppendBatch(wanted, 0, events), *appends)
    return wanted


def _moved(events: Sequence[Event], batch_id: BatchId, item: int) -> Sequence[Event]:
    """Return the events of a run as those of item *item* of *batch_id*."""
    first = events[0]
    if not isinstance(first, RunCreated):
        return events
    return [attrs.evolve(first, run_id=item_run(batch_id, item), batch=batch_id), *events[1:]]


def _kind(document: Mapping[str, Json], number: int) -> tuple[str, int]:
    kind, schema = document.get("type"), document.get("schema")
    if not isinstance(kind, str) or not isinstance(schema, int):
        raise ArchiveError(f"event {number} has no type")
    return kind, schema


def _events(lines: Iterable[tuple[int, bytes]]) -> Iterator[Event]:
    for number, line in lines:
        document = _mapping(line, f"event {number}")
        kind, schema = _kind(document, number)
        try:
            yield decode(kind, schema, document.get("data"))
        except EventFormatError as error:
            raise ArchiveError(f"event {number}: {error}") from error


def _mapping(line: bytes, what: str) -> Mapping[str, Json]:
    try:
        document = from_json(line.decode())
    except ValueError as error:
        raise ArchiveError(f"{what} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ArchiveError(f"{what} is no mapping")
    return document
