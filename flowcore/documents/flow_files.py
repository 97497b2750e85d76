"""Flow files as text: parsed, merged and compiled, with file, line and column on every problem."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from flowcore.catalog import Catalog
from flowcore.errors import FlowDocumentError, Path, Problem
from flowcore.model import Flow
from flowcore.values import Json

from .flow_document import compile_flow
from .merge import check_top_level, merge
from .yaml_text import locate, read_yaml

_NODES: Final = re.compile("nodes|nodedefs", re.IGNORECASE)


@attrs.frozen
class FlowFile:
    """The text of one file, and the name that problems mention."""

    name: str
    text: str


def parse_flow_files(files: Sequence[FlowFile]) -> dict[str, Json]:
    """Return the merged mapping of *files*: later ones override earlier ones (contract status, section 1).

    Raises:
        FlowDocumentError: A file is no YAML mapping; the problems of all files are named.
    """
    document, problems = read_flow_files(files)
    if problems:
        raise FlowDocumentError(problems)
    return document


def read_flow_files(files: Sequence[FlowFile]) -> tuple[dict[str, Json], Sequence[Problem]]:
    """Return what `parse_flow_files` does, and the problems that leave the rest of it as it is (see `read_yaml`).

    Raises:
        FlowDocumentError: One of them cannot be read as far as that; the problems of all are named.
    """
    documents: list[Mapping[str, Json]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            value, found = read_yaml(file.text, file=file.name)
            problems.extend(found)
            documents.append(check_top_level(value, file.name))
        except FlowDocumentError as error:
            problems.extend(error.problems)
    if len(documents) < len(files):
        raise FlowDocumentError(problems)
    return merge(documents), problems


def is_node_flow(files: Sequence[FlowFile]) -> bool:
    """Return whether *files* are a flow of nodes, with definitions, and not one of steps.

    In a flow of nodes keys are matched in any case; what tells the two apart is that a flow of steps has a list under
    `flow`. (Nodes that are tied together by `edges` of their own are a document of another kind.)

    Raises:
        FlowDocumentError: A file is no YAML mapping.
    """
    # Whoever runs flows of steps does not read them twice.
    if not any(_NODES.search(file.text) for file in files):
        return False
    document, _ = read_flow_files(files)
    keys = {key.casefold() for key in document}
    flow = member(document, "Flow")
    return "edges" not in keys and (
        not keys.isdisjoint({"nodes", "nodedefs"}) or (flow is not None and isinstance(flow[1], Mapping))
    )


def member(document: Mapping[str, Json], name: str) -> tuple[str, Json] | None:
    """Return the key of *document* that is *name* in any case, the last one, and what stands there."""
    found = [(key, value) for key, value in document.items() if key.casefold() == name.casefold()]
    return found[-1] if found else None


def compile_flow_files(files: Sequence[FlowFile], catalog: Catalog) -> Flow:
    """Return the flow that *files* declare together.

    Raises:
        FlowDocumentError: It cannot run; every problem has its file, line and column.
    """
    document, problems = read_flow_files(files)
    try:
        flow = compile_flow(document, catalog)
    except FlowDocumentError as error:
        raise FlowDocumentError(joined(problems, place(error.problems, files))) from None
    if problems:
        raise FlowDocumentError(problems)
    return flow


def joined(problems: Sequence[Problem], others: Sequence[Problem]) -> list[Problem]:
    """Return *problems*, of what a file cannot hold, and the *others* of the same files.

    What a file cannot hold is told once: not again by whoever finds its text there.
    """
    told = {(problem.file, problem.path) for problem in problems}
    rest = [each for each in others if told.isdisjoint((each.file, path) for path in _upwards(each.path))]
    return [*problems, *rest]


def _upwards(path: Path) -> Iterator[Path]:
    """Yield *path* and those above it, but not the top."""
    for length in range(len(path), 0, -1):
        yield path[:length]


def place(problems: Sequence[Problem], files: Sequence[FlowFile]) -> list[Problem]:
    """Return *problems* with the file, line and column that their paths stand at.

    A merged value comes from the last file that has it, so the deepest place counts and among equals the last.
    """
    paths = {problem.path for problem in problems}
    found: dict[Path, tuple[int, FlowFile, tuple[int, int]]] = {}
    for file in files:
        document, _ = read_yaml(file.text, file=file.name)
        places = locate(file.text, paths)
        for path in paths:
            depth = _depth(document, path)
            if path in places and (path not in found or depth >= found[path][0]):
                found[path] = (depth, file, places[path])
    return [
        attrs.evolve(problem, file=file.name, line=line, column=column)
        for problem in problems
        for _, file, (line, column) in (found.get(problem.path, (0, files[-1], (1, 1))),)
    ]


def _depth(document: Json, path: Path) -> int:
    """Return how many parts of *path* there are in *document*."""
    for depth, part in enumerate(path):
        inside = _inside(document, part)
        if inside is None:
            return depth
        (document,) = inside
    return len(path)


def _inside(document: Json, part: str | int) -> tuple[Json] | None:
    """Return what stands at *part* of *document*, in a tuple, or None when there is nothing."""
    if isinstance(part, str):
        return (document[part],) if isinstance(document, Mapping) and part in document else None
    return (document[part],) if isinstance(document, (list, tuple)) and part < len(document) else None
