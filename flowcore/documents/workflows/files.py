"""A workflow in a file, with file, line and column on every problem."""

from collections.abc import Sequence

import attrs

from flowcore.catalog import Catalog
from flowcore.documents.flow_files import FlowFile, joined, place
from flowcore.errors import FlowDocumentError, Problem
from flowcore.model import Flow
from flowcore.values import Json

from .compilation import compile_strictly
from .document import read_workflow


def compile_workflow_file(file: FlowFile, document: Json, catalog: Catalog, problems: Sequence[Problem] = ()) -> Flow:
    """Return the flow that the workflow in *file* is.

    Args:
        document: What the JSON in *file* says.
        problems: What is wrong with the JSON itself, though *document* could be read; it is told with the rest.

    Raises:
        FlowDocumentError: It is no workflow that can run; every problem has its file, line and column.
    """
    flow: Flow | None = None
    found: Sequence[Problem] = ()
    try:
        flow = compile_strictly(read_workflow(document), catalog=catalog)
    except FlowDocumentError as error:
        found = error.problems
    if flow is not None and not problems:
        return flow
    try:
        # JSON is YAML too.
        placed = place(found, [file])
    except FlowDocumentError:
        placed = [attrs.evolve(problem, file=file.name) for problem in found]
    raise FlowDocumentError(joined(problems, placed))
