"""`flowcore-cli validate`."""

from typing import TYPE_CHECKING

import click

from flowcore_cli.exits import PROGRAM, CommandError, in_reading_order, problem_line
from flowcore_cli.output import print_whole, warn
from flowcore_cli.render import counted, to_json, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcore.errors import Problem
    from flowcore.model import Flow


@click.command(epilog="Exit codes: 0 the flow can run, 2 it cannot.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON on stdout.")
@click.pass_context
def validate(ctx: click.Context, /, *, files: tuple[str, ...], as_json: bool) -> None:
    """Check the flow of FILE without running it, and name everything that is wrong.

    Later files override earlier ones, as in `run`. Every problem is a line `file:line:column path: message (hint)` on
    stderr.
    """
    from flowcore.errors import FlowDocumentError
    from flowcore_adapters.config import load_flow
    from flowcore_adapters.registry import load_registry

    registry = load_registry()
    flow: Flow | None = None
    problems: Sequence[Problem] = ()
    try:
        flow = load_flow(files, registry.catalog)
    except FlowDocumentError as error:
        problems = in_reading_order(error.problems)
    if as_json:
        print_whole(to_json(_document(files, flow, problems, registry.warnings)))
    else:
        warn(registry.warnings)
        for problem in problems:
            click.echo(problem_line(problem), err=True)
    if flow is not None and not as_json:
        found = f"{counted(len(flow.steps), 'step')}, {counted(len(flow.sources), 'source')}"
        print_whole(f"{', '.join(map(visible, files))}: {click.style('ok', fg='green')} ({found})")
    elif flow is None:
        errors = sum(problem.severity == "error" for problem in problems)
        if not as_json:
            click.echo(counted(errors, "problem"), err=True)
        ctx.exit(CommandError.exit_code)


def _document(
    files: "Sequence[str]", flow: "Flow | None", problems: "Sequence[Problem]", warnings: "Sequence[str]"
) -> dict[str, object]:
    return {
        "valid": flow is not None,
        "files": list(files),
        "name": None if flow is None else flow.name,
        "steps": None if flow is None else len(flow.steps),
        "sources": None if flow is None else len(flow.sources),
        "problems": [
            {
                "severity": str(problem.severity),
                "code": problem.code,
                "message": problem.message,
                "hint": problem.hint,
                "path": list(problem.path),
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
            }
            for problem in problems
        ],
        "warnings": [f"{PROGRAM}: {warning}" for warning in warnings],
    }
