"""A workflow in a file, with file, line and column on every problem."""

import attrs

from flowcore.catalog import Catalog
from flowcore.documents.flow_files import FlowFile, place
from flowcore.errors import FlowDocumentError
from flowcore.model import Flow
from flowcore.values import Json

from .compilation import compile_strictly
from .document import read_workflow


def compile_workflow_file(file: FlowFile, document: Json, catalog: Catalog) -> Flow:
    """Return the flow that the workflow in *file* is.

    Args:
        document: What the JSON in *file* says.

    Raises:
        FlowDocumentError: It is no workflow that can run; every problem has its file, line and column.
    """
    try:
        return compile_strictly(read_workflow(document), catalog=catalog)
    except FlowDocumentError as error:
        problems = error.problems
    try:
        # JSON is YAML too.
        placed = place(problems, [file])
    except FlowDocumentError:
        placed = [attrs.evolve(problem, file=file.name) for problem in problems]
    raise FlowDocumentError(placed)
