"""One run as one file: lines of JSON between a header and a seal, so that a file that was cut or changed is noticed.

The first line says what it is, each further one is an event as the log holds it, and the last one counts them and seals
everything before it with a digest.
"""

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from flowcore.codec import decode, encode
from flowcore.errors import EventFormatError, FlowcoreError
from flowcore.ids import RunId
from flowcore.invariants import violations
from flowcore.json_text import from_json, to_json
from flowcore.ports import Append, EventLog, Recorded
from flowcore.run.events import Event, RunCreated
from flowcore.values import Json

FORMAT: Final = "flowcore-run"
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


def write_archive(log: EventLog, run_id: RunId) -> Iterator[bytes]:
    """Yield the lines of the file that holds *run_id*."""
    digest = hashlib.sha256()
    count = 0

    def line(document: Json) -> bytes:
        text = f"{to_json(document)}\n".encode()
        digest.update(text)
        return text

    yield line({"format": FORMAT, "version": VERSION, "run_id": run_id})
    for recorded in log.read(run_id):
        encoded = encode(recorded.event)
        count += 1
        yield line({"type": encoded.type, "schema": encoded.schema, "data": encoded.data})
    yield f"{to_json({'events': count, 'sha256': digest.hexdigest()})}\n".encode()


def read_archive(content: bytes) -> Archive:
    """Return the run that *content* holds, checked: the seal, every event, and every invariant.

    Raises:
        ArchiveError: It is no run of ours, or damaged.
    """
    if content.startswith(b"\x1f\x8b"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                content = stream.read(_MAX_BYTES)
        except (OSError, EOFError) as error:
            raise ArchiveError(f"it is packed, and damaged: {error}") from error
    lines = content.split(b"\n")
    header = _mapping(lines[0], "the header")
    if header.get("format") != FORMAT:
        raise ArchiveError("it holds no run: its first line does not say so")
    version, run_id = header.get("version"), header.get("run_id")
    if version != VERSION:
        raise ArchiveError(
            f"it was written by another version of flowcore (format {version!r}; this one reads {VERSION})"
        )
    if not isinstance(run_id, int) or isinstance(run_id, bool):
        raise ArchiveError("its header names no run")
    if lines[-1] or len(lines) < 3:  # noqa: PLR2004 - a header, a seal, and what follows the last line break
        raise ArchiveError("its end is missing")
    seal = _mapping(lines[-2], "the seal")
    body = lines[:-2]
    digest = hashlib.sha256(b"".join(line + b"\n" for line in body)).hexdigest()
    if seal.get("sha256") != digest or seal.get("events") != len(body) - 1:
        raise ArchiveError("it is damaged or was changed: what it holds is not what its seal says")
    events = tuple(_events(body[1:]))
    recorded = [Recorded(RunId(run_id), number, number, event) for number, event in enumerate(events, 1)]
    for found in violations(recorded):
        raise ArchiveError(f"event {found.position}: {found.message} ({found.invariant})")
    first = events[0] if events else None
    if not isinstance(first, RunCreated) or first.run_id != run_id:
        raise ArchiveError("its first event does not create the run that its header names")
    return Archive(RunId(run_id), events)


def store(log: EventLog, archive: Archive, *, run_id: RunId | None = None) -> RunId:
    """Append the run to *log*, under its own id or as *run_id*, and return that; nothing when it is there already.

    Raises:
        ArchiveError: There is another run of that id.
    """
    wanted = archive.run_id if run_id is None else run_id
    events = archive.events
    if run_id is not None and isinstance(events[0], RunCreated):
        events = (attrs.evolve(events[0], run_id=run_id), *events[1:])
    if log.version(wanted):
        if [recorded.event for recorded in log.read(wanted)] == list(events):
            return wanted
        raise ArchiveError(f"there is another run {wanted} in this log")
    log.append(Append(wanted, 0, events))
    return wanted


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        document = _mapping(line, f"event {number}")
        kind, schema = document.get("type"), document.get("schema")
        if not isinstance(kind, str) or not isinstance(schema, int):
            raise ArchiveError(f"event {number} has no type")
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
