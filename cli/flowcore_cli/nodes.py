"""Flows of nodes in files, for the commands that take flow files."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from flowcore_cli.exits import problem_line
from flowcore_cli.output import tell

if TYPE_CHECKING:
    from flowcore.documents.flow_files import FlowFile
    from flowcore.documents.nodes.validation import Checked
    from flowcore.model import Flow

defs_option = click.option(
    "--defs",
    "definitions",
    metavar="PATH",
    multiple=True,
    type=click.Path(),
    help="A file or directory of node definitions, for a flow of nodes; may be given several times.",
)


NO_SECRETS: "Mapping[str, Mapping[str, str]]" = {}
"""Those of a flow without stores."""


def checked_nodes(texts: "Sequence[FlowFile]", definitions: Sequence[str]) -> "Checked | None":
    """Return what there is to say of *texts* when they are a flow of nodes; None when they are one of steps.

    Args:
        texts: The flow files.
        definitions: The paths of node definitions.

    Raises:
        FlowDocumentError: A file cannot be read, or is no YAML.
    """
    from flowcore.documents.flow_files import is_node_flow

    if not definitions and not is_node_flow(texts):
        return None
    from flowcore.documents.nodes.node_files import check_node_files
    from flowcore_adapters.config import read_definitions

    return check_node_files(texts, read_definitions(definitions))


def compile_checked(checked: "Checked") -> "tuple[Flow, Mapping[str, Mapping[str, str]]]":
    """Return the flow of a document, its warnings told, and the secrets of its stores, which are not in it.

    Raises:
        FlowDocumentError: It cannot run.
        ObjectNameError: A well's key makes names that no store takes.
    """
    from flowcore.documents.nodes.compilation import compile_nodes
    from flowcore.documents.nodes.node_files import coded, refuse_unsound
    from flowcore_adapters.node_runs import check_names

    refuse_unsound(checked)
    for problem in checked.problems:
        tell(problem_line(coded(problem)))
    compiled = compile_nodes(checked.document)
    check_names(compiled.flow)
    return compiled.flow, compiled.secrets
