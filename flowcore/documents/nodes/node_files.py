"""Flows of nodes in files: put together, checked, and every problem with its file, line and column.

A flow file holds the flow itself, or the whole document ``{Flow, NodeDefs}``. A definition file holds one definition, a
list of them, or ``{NodeDefs}``.
"""

from collections.abc import Mapping, Sequence

import attrs

from flowcore.documents.fields import type_name
from flowcore.documents.flow_files import FlowFile, joined, member, place, read_flow_files
from flowcore.documents.yaml_text import read_yaml
from flowcore.errors import FlowDocumentError, Path, Problem, Severity
from flowcore.values import Json

from .validation import Checked, check_document


@attrs.frozen
class _Origin:
    """Where a part of the document comes from: files, and the path in them."""

    files: tuple[FlowFile, ...]
    path: Path


@attrs.frozen
class _Assembly:
    """A document from several files, and where its parts come from."""

    body: Json
    flow: _Origin
    definitions: Sequence[_Origin]

    def origin(self, path: Path) -> tuple[_Origin, Path]:
        """Return where *path* of the document comes from: its files, and the path in them."""
        match path:
            case ("NodeDefs", int(number), *rest):
                found = self.definitions[number]
                return found, (*found.path, *rest)
            case _:
                return self.flow, (*self.flow.path, *path[1:])


def check_node_files(files: Sequence[FlowFile], definitions: Sequence[FlowFile] = ()) -> Checked:
    """Return the document that *files* and the *definitions* beside them are together, with everything wrong in it.

    Raises:
        FlowDocumentError: A file is no YAML, or no file of its kind; the problems of all are named.
    """
    unreadable: list[Problem] = []
    document: Mapping[str, Json] = {}
    problems: Sequence[Problem] = ()
    try:
        document, problems = read_flow_files(files)
    except FlowDocumentError as error:
        unreadable.extend(error.problems)
    defined, unheld = _read_definitions(definitions, unreadable)
    if unreadable:
        raise FlowDocumentError([*unreadable, *problems, *unheld])
    assembly = _assemble(document, files, defined)
    checked = check_document(assembly.body)
    # A value that YAML cannot hold is of the wrong type, like one that is not what the document wants there.
    untyped = [attrs.evolve(problem, code="DOC_001") for problem in (*problems, *unheld)]
    found = joined(untyped, _placed(checked.problems, assembly))
    return attrs.evolve(checked, problems=tuple(found), sound=checked.sound and not untyped)


def _assemble(
    document: Mapping[str, Json], files: Sequence[FlowFile], defined: Sequence[tuple[Json, _Origin]]
) -> _Assembly:
    whole = tuple(files)
    flow, listed = member(document, "Flow"), member(document, "NodeDefs")
    # Without a `Flow` the file is the flow, definitions beside it or not.
    flow_path, flow_value = ((), document) if flow is None else ((flow[0],), flow[1])
    found: list[tuple[Json, _Origin]] = []
    if listed is not None:
        key, value = listed
        for number, item in enumerate(value if isinstance(value, (list, tuple)) else [value]):
            found.append((item, _Origin(whole, (key, number))))
    found.extend(defined)
    return _Assembly(
        body={"Flow": flow_value, "NodeDefs": [value for value, _ in found]},
        flow=_Origin(whole, flow_path),
        definitions=[origin for _, origin in found],
    )


def _read_definitions(
    files: Sequence[FlowFile], unreadable: list[Problem]
) -> tuple[Sequence[tuple[Json, _Origin]], Sequence[Problem]]:
    """Return the definitions in *files*, and what is wrong with them but leaves the rest as it is.

    Args:
        unreadable: Where to add the problems of files that cannot be read as definitions.
    """
    found: list[tuple[Json, _Origin]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            document, unheld = read_yaml(file.text, file=file.name)
            problems.extend(unheld)
            found.extend(_definitions_in(document, file))
        except FlowDocumentError as error:
            unreadable.extend(error.problems)
    return found, problems


def _definitions_in(document: Json, file: FlowFile) -> list[tuple[Json, _Origin]]:
    path: Path = ()
    if isinstance(document, Mapping):
        listed = member(document, "NodeDefs")
        if listed is None:
            return [(document, _Origin((file,), ()))]
        path, document = (listed[0],), listed[1]
    if document is None:
        return []
    if not isinstance(document, (list, tuple)):
        message = f"a definition is a mapping with `Publisher`, `Name` and `Image`, not {type_name(document)}"
        raise FlowDocumentError([Problem(code="DOC_001", message=message, file=file.name, line=1, column=1)])
    return [(item, _Origin((file,), (*path, number))) for number, item in enumerate(document)]


def _placed(problems: Sequence[Problem], assembly: _Assembly) -> list[Problem]:
    """Return *problems* with their places, in the order in which they were found."""
    groups: dict[tuple[FlowFile, ...], list[tuple[int, Problem]]] = {}
    for number, problem in enumerate(problems):
        origin, path = assembly.origin(problem.path)
        groups.setdefault(origin.files, []).append((number, attrs.evolve(problem, path=path)))
    found: dict[int, Problem] = {}
    for files, members in groups.items():
        placed = place([problem for _, problem in members], files)
        found.update(zip((number for number, _ in members), placed, strict=True))
    return [found[number] for number in range(len(problems))]


def refuse_unsound(checked: Checked) -> None:
    """Refuse a document that may not run.

    Raises:
        FlowDocumentError: There are errors; warnings are told with them. Their messages begin with their codes.
    """
    if not checked.sound:
        raise FlowDocumentError([coded(problem) for problem in checked.problems])


def coded(problem: Problem) -> Problem:
    """Return *problem* with its code in front of its message, as people see it: they look it up by that."""
    return attrs.evolve(problem, message=f"{problem.code} {problem.message}")


def count(checked: Checked, severity: Severity) -> int:
    """Return how many of the problems are of *severity*."""
    return sum(problem.severity is severity for problem in checked.problems)
