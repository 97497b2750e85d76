"""`flowcore-cli init`."""

from pathlib import Path
from shlex import quote

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.output import print_whole
from flowcore_cli.render import visible

_STARTER = "starter.yaml"


@click.command()
@click.argument("path", default="flow.yaml", type=click.Path())
@click.option("--force", is_flag=True, help="Replace a file that is already there.")
def init(*, path: str, force: bool) -> None:
    """Write a commented flow to PATH (flow.yaml when left out). It runs as it is, without a network."""
    text = (Path(__file__).parent / _STARTER).read_text(encoding="utf-8")
    try:
        with Path(path).open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise CommandError(f"{path}: exists already", hint="`--force` replaces it") from error
    print_whole(f"{visible(path)}: written; next: flowcore-cli run {visible(quote(path))}")
