"""CSV nodes: read a file into a list of records, write one, or add to one."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowcore.documents.workflows.references import Missing, look_up, to_text
from flowcore.values import Json

from .files import MAX_FILE, find_file, read_bytes, trouble
from .node import NodeCall, Patch, node_error, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource

_WHAT: Final = "CSV file"
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "utf-16", "utf16le", "latin1", "ascii", "iso-8859-1"})


def csv_handle(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `csvHandle` nodes."""
    return NodeSource("csvHandle", "Reads, writes or adds to a CSV file below the allowed directory.", _csv, settings)


def _csv(node: NodeCall) -> Patch:
    action = node.needed("action", "CSV Handle node requires an action (write, append, or read).")
    if action not in {"read", "write", "append"}:
        raise unfit(f"there is no CSV action '{action}'; allowed: read, write, append")
    name = node.needed("filePath", f"CSV Handle {action} action requires filePath.")
    delimiter = node.text("delimiter", ",").strip("'\"") or ","
    delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1:
        raise unfit(f"a CSV delimiter is one character, not '{delimiter[:20]}'")
    encoding = node.text("encoding", "utf-8").lower()
    if encoding not in _ENCODINGS:
        raise unfit(f"there is no encoding '{encoding[:40]}' for CSV files; allowed: {', '.join(sorted(_ENCODINGS))}")
    encoding = {"utf16le": "utf-16-le"}.get(encoding, encoding)
    if action == "read":
        return Patch(data={node.text("contextKey", "csvData"): _read(node, name, delimiter, encoding)})
    rows = _rows(node)
    path = find_file(node, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, rows, _headers(node), delimiter, encoding, append=action == "append")
    except OSError as error:
        raise trouble(_WHAT, name, error) from None
    except UnicodeError:
        raise unfit(f"the records cannot be written in the encoding '{encoding}'") from None
    return Patch()


def _read(node: NodeCall, name: str, delimiter: str, encoding: str) -> list[Json]:
    try:
        text = read_bytes(node, name, _WHAT).decode("utf-8-sig" if encoding in {"utf-8", "utf8"} else encoding)
        lines = (line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False) if line)
        headers = next(lines, list[str]())
        # A record may be shorter or longer than the header: what has no name is left out.
        return [dict(zip(headers, line, strict=False)) for line in lines]
    except UnicodeDecodeError:
        raise unfit(f"{_WHAT} '{name}' is no {encoding} text") from None
    except csv.Error as error:
        raise node_error(f"{_WHAT} '{name}' cannot be read: {error}", code="bad-data") from None


def _rows(node: NodeCall) -> Sequence[Json]:
    source = node.get("dataSource")
    name = to_text(source).strip()
    if isinstance(source, str) and name:
        found = look_up(node.scope.data, name) if name not in node.scope.data else node.scope.data[name]
        if isinstance(found, Missing):
            raise node_error(f'Data source "{name}" not found in context.', code="no-data")
        source = found
    if not name:
        raise unfit("CSV Handle write/append action requires dataSource (context key).")
    if not isinstance(source, (list, tuple)):
        raise node_error(f'Data source "{name}" is not an array.', code="no-data")
    return source


def _headers(node: NodeCall) -> list[str]:
    given = node.get("headers")
    return [to_text(header) for header in given] if isinstance(given, (list, tuple)) else []


def _write(
    path: Path, rows: Sequence[Json], headers: list[str], delimiter: str, encoding: str, *, append: bool
) -> None:
    known, ends = _present(path, delimiter, encoding) if append else (None, True)
    headers = headers or known or _made_up(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if known is None:
        writer.writerow(headers)
    elif not ends:
        text.write("\n")
    writer.writerows(_records(rows, headers))
    with path.open("ab" if known is not None else "wb") as stream:
        stream.write(text.getvalue().encode(encoding))


def _present(path: Path, delimiter: str, encoding: str) -> tuple[list[str] | None, bool]:
    """Return the header of the file that is there (None for an empty one, or none) and whether its last line ends."""
    content = b""
    with suppress(FileNotFoundError), path.open("rb") as stream:
        content = stream.read(MAX_FILE)
    if not content:
        return None, True
    text = content.decode(encoding, "replace")
    header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), list[str]())
    with path.open("rb") as stream:
        stream.seek(-1, io.SEEK_END)
        return header, stream.read(1) in {b"\n", b"\0"}


def _made_up(rows: Sequence[Json]) -> list[str]:
    """Return the headers that the first record suggests."""
    first = rows[0] if rows else None
    if isinstance(first, Mapping):
        return [*first]
    if isinstance(first, (list, tuple)):
        return [f"column_{number}" for number in range(len(first))]
    return ["value"]


def _records(rows: Sequence[Json], headers: Sequence[str]) -> Iterator[list[str]]:
    for row in rows:
        if isinstance(row, Mapping):
            yield [to_text(row.get(header)) for header in headers]
        elif isinstance(row, (list, tuple)):
            yield [to_text(row[number]) if number < len(row) else "" for number in range(len(headers))]
        else:
            yield [to_text(row) if header == "value" else "" for header in headers]
