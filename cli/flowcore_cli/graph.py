"""`flowcore-cli graph`."""

from typing import TYPE_CHECKING

import click

from flowcore_cli.output import print_whole

if TYPE_CHECKING:
    from flowcore.model import Flow


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "mermaid", "dot"]),
    default="text",
    show_default=True,
    help="text: levels for reading; mermaid: for Markdown; dot: for Graphviz.",
)
def graph(*, files: tuple[str, ...], style: str) -> None:
    """Print which step of the flow of FILE waits for which.

    Dependencies are those named under `depends_on` and those that expressions refer to. Steps on one level of the text
    form can run at the same time.
    """
    from flowcore_adapters.config import load_flow
    from flowcore_adapters.registry import load_registry
    from flowcore_cli.drawing import dot_text, level_text, mermaid_text

    flow: Flow = load_flow(files, load_registry().catalog)
    print_whole({"text": level_text, "mermaid": mermaid_text, "dot": dot_text}[style](flow))
