"""`flowcore-cli graph`."""

from typing import TYPE_CHECKING

import click

from flowcore_cli.nodes import checked_nodes, compile_checked, defs_option
from flowcore_cli.output import print_whole

if TYPE_CHECKING:
    from flowcore.model import Flow


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@defs_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "mermaid", "dot"]),
    default="text",
    show_default=True,
    help="text: levels for reading; mermaid: for Markdown; dot: for Graphviz.",
)
def graph(*, files: tuple[str, ...], definitions: tuple[str, ...], style: str) -> None:
    """Print which step of the flow of FILE waits for which.

    Dependencies are those named under `depends_on` and those that expressions refer to; a node waits for those that
    write what it reads. Steps on one level of the text form can run at the same time.
    """
    from flowcore_adapters.config import compile_files, read_files
    from flowcore_adapters.registry import load_registry
    from flowcore_cli.drawing import dot_text, level_text, mermaid_text

    texts = read_files(files)
    checked = checked_nodes(texts, definitions)
    flow: Flow = compile_files(texts, load_registry().catalog) if checked is None else compile_checked(checked)[0]
    print_whole({"text": level_text, "mermaid": mermaid_text, "dot": dot_text}[style](flow))
