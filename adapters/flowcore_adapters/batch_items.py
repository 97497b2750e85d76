"""What becomes an item of a batch: a workflow document or a flow file, checked before anything is recorded."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from flowcore.batch_service import NewItem
from flowcore.catalog import Catalog
from flowcore.documents.flow_document import compile_flow
from flowcore.documents.flow_files import FlowFile, compile_flow_files
from flowcore.documents.workflows import check_structure, check_workflow, compile_workflow, read_workflow
from flowcore.errors import EventFormatError, FlowDocumentError
from flowcore.json_text import from_json
from flowcore.model import Flow
from flowcore.values import Json

from .runner.context import read_secrets
from .workflow_files import FoundFile, text_of

_FLOW_SUFFIXES: Final = (".yaml", ".yml")


@attrs.frozen(kw_only=True)
class Candidate:
    """What may become an item.

    Attributes:
        flow: What it runs; None when there are *errors*.
        document: The document, if it is JSON that can be read.
    """

    name: str
    path: str | None = None
    flow: Flow | None = None
    errors: tuple[str, ...] = ()
    document: Json = None


class Candidates:
    """Checks what may become items of one batch."""

    def __init__(self, catalog: Catalog, overrides: Mapping[str, Json] | None = None) -> None:
        """Compile for the sources of *catalog*; *overrides* go into the data of start nodes."""
        self._catalog = catalog
        self._overrides = overrides or {}

    def of_document(self, name: str, document: Json, path: str | None = None) -> Candidate:
        """Check a document: a workflow with nodes and edges, or a mapping as a flow file has it."""
        try:
            flow = self._compile(document)
            read_secrets(flow)
        except FlowDocumentError as error:
            return Candidate(name=name, path=path, errors=messages(error), document=document)
        return Candidate(name=name, path=path, flow=named(flow, name), document=document)

    def of_text(self, name: str, text: str, path: str | None = None) -> Candidate:
        """Check the text of a file: YAML by its name, else JSON."""
        if name.lower().endswith(_FLOW_SUFFIXES):
            try:
                flow = compile_flow_files([FlowFile(path or name, text)], self._catalog)
                read_secrets(flow)
            except FlowDocumentError as error:
                return Candidate(name=name, path=path, errors=messages(error))
            return Candidate(name=name, path=path, flow=named(flow, name))
        try:
            document = from_json(text, unique=True)
        except EventFormatError as error:
            return Candidate(name=name, path=path, errors=(f"it is {error}",))
        return self.of_document(name, document, path)

    def of_bytes(self, name: str, data: bytes) -> Candidate:
        """Check the bytes of a file."""
        try:
            return self.of_text(name, text_of(data))
        except ValueError as error:
            return Candidate(name=name, errors=(str(error),))

    def of_files(self, files: Iterable[FoundFile]) -> list[Candidate]:
        """Check files that were found in a folder."""
        return [
            Candidate(name=file.name, path=file.path, errors=(file.problem or "it cannot be read",))
            if file.text is None
            else self.of_text(file.name, file.text, file.path)
            for file in files
        ]

    def _compile(self, document: Json) -> Flow:
        if isinstance(document, dict) and "flow" in document and "nodes" not in document:
            return compile_flow(document, self._catalog)
        try:
            workflow = read_workflow(document)
        except FlowDocumentError as error:
            # Its structure is looked at too, so that everything is told at once.
            raise FlowDocumentError(check_workflow(document)) from error
        problems = check_structure(workflow)
        if problems:
            raise FlowDocumentError(problems)
        # Contract executions, section 3: wait nodes do not pause in a batch.
        return compile_workflow(workflow, overrides=self._overrides, pauses=False, catalog=self._catalog)


def items(candidates: Iterable[Candidate], labels: Mapping[str, str]) -> list[NewItem]:
    """Return the items that valid *candidates* become; their runs get *labels*, and the name of the file."""
    return [
        NewItem(
            name=each.name,
            path=each.path,
            flow=each.flow,
            labels={**labels, "file": each.name},
        )
        for each in candidates
        if each.flow is not None
    ]


def named(flow: Flow, name: str) -> Flow:
    """Return *flow* with a name: its own, or that of its file."""
    return flow if flow.name else attrs.evolve(flow, name=name.rpartition(".")[0] or name)


def messages(error: FlowDocumentError) -> tuple[str, ...]:
    """Return the problems as texts, each once."""
    return tuple(dict.fromkeys(str(problem) for problem in error.problems))
