"""Reading flow files: the one place that opens them."""

from collections.abc import Iterable, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final

from flowcore.catalog import Catalog
from flowcore.documents.flow_files import FlowFile, compile_flow_files, parse_flow_files
from flowcore.documents.yaml_text import read_yaml
from flowcore.errors import EventFormatError, FlowDocumentError, Problem
from flowcore.json_text import from_json
from flowcore.model import Flow
from flowcore.values import Json

from .file_text import decode_text

DEFINITION_SUFFIXES: Final = (".yaml", ".yml", ".json")
"""What the files of a directory of definitions end in."""
MAX_FILE: Final = 64_000_000
"""How large one flow file may be, in bytes."""


def read_files(paths: Iterable[str | Path]) -> list[FlowFile]:
    """Return the texts of *paths*.

    Raises:
        FlowDocumentError: Files that cannot be read, all of them named.
    """
    files: list[FlowFile] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append(FlowFile(str(path), _read(Path(path))))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            problems.append(Problem(code="unreadable-file", message=f"cannot be read: {reason}", file=str(path)))
    if problems:
        raise FlowDocumentError(problems)
    return files


def _read(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"it is larger than {MAX_FILE // 1_000_000} MB")
    return decode_text(data)


def read_definitions(paths: Iterable[str | Path]) -> list[FlowFile]:
    """Return the texts of the definition files at *paths*; of a directory, all in and below it, by name.

    Raises:
        FlowDocumentError: Files that cannot be read, all of them named.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found.extend(sorted(each for each in path.rglob("*") if each.suffix.lower() in DEFINITION_SUFFIXES))
        else:
            found.append(path)
    return read_files(found)


def load_yaml_files(paths: Iterable[str | Path] | str | Path) -> dict[str, Any]:
    """Return the merged configuration of flow files: later files override earlier ones (documents/python-api.md).

    Raises:
        FlowDocumentError: A file cannot be read or is no YAML mapping.
    """
    return dict(parse_flow_files(read_files([paths] if isinstance(paths, (str, Path)) else paths)))


def load_flow(paths: Iterable[str | Path] | str | Path, catalog: Catalog) -> Flow:
    """Return the flow that *paths* declare together, or the workflow in the one of them.

    Raises:
        FlowDocumentError: It cannot run; every problem has its file, line and column.
    """
    return compile_files(read_files([paths] if isinstance(paths, (str, Path)) else paths), catalog)


def compile_files(files: Sequence[FlowFile], catalog: Catalog) -> Flow:
    """Return the flow that *files* declare together, or the workflow in the one of them.

    Raises:
        FlowDocumentError: It cannot run; every problem has its file, line and column.
    """
    for file in files:
        found = _workflow(file)
        if found is None:
            continue
        if len(files) > 1:
            problem = Problem(
                code="workflow-merged", message="a workflow is one file: it is not merged", file=file.name
            )
            raise FlowDocumentError([problem])
        from flowcore.documents.workflows.files import compile_workflow_file

        return compile_workflow_file(file, found[0], catalog, found[1])
    return compile_flow_files(files, catalog)


def _workflow(file: FlowFile) -> tuple[Json, Sequence[Problem]] | None:
    """Return the workflow document that *file* holds, a JSON object with nodes and edges, or None.

    Of one that is not quite JSON everything else that is wrong can still be told: with it comes what it is instead.
    """
    if not file.text.lstrip().startswith("{"):
        return None
    problems: Sequence[Problem] = ()
    try:
        document = from_json(file.text, unique=True)
    except EventFormatError as error:
        try:
            document, problems = read_yaml(file.text, file=file.name)
        except FlowDocumentError:
            # What is wrong with it is told by whoever reads it as a flow file.
            return None
        problems = problems or [_no_json(error, file)]
    # Whoever runs flow files does without the rest of it.
    from flowcore.documents.workflows import is_workflow

    return (document, problems) if is_workflow(document) else None


def _no_json(error: EventFormatError, file: FlowFile) -> Problem:
    cause = error.__cause__
    if isinstance(cause, JSONDecodeError):
        message = f"a workflow is JSON, and this is none: {cause.msg[:1].lower()}{cause.msg[1:]}"
        return Problem(code="not-json", message=message, file=file.name, line=cause.lineno, column=cause.colno)
    return Problem(
        code="not-json", message=f"a workflow is JSON, and this is none: {cause}", file=file.name, line=1, column=1
    )
