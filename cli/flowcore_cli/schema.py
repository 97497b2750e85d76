"""`flowcore-cli schema`."""

import click

from flowcore_cli.output import print_whole, warn
from flowcore_cli.render import to_json


@click.command()
def schema() -> None:
    """Print the JSON Schema (2020-12) of flow files, with the sources that are installed here.

    Editors check and complete flow files with it. For those that use yaml-language-server (VS Code, Neovim, Helix):
    write it to a file, and name that in the first line of the flow: `# yaml-language-server: $schema=flow.schema.json`.
    """
    from flowcore_adapters.flow_schema import flow_schema
    from flowcore_adapters.registry import load_registry

    registry = load_registry()
    found = flow_schema(registry.catalog)
    # Only now has everything been imported that there is to warn of.
    warn(registry.warnings)
    print_whole(to_json(found))
