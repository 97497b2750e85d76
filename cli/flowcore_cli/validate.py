"""`flowcore-cli validate`."""

from typing import TYPE_CHECKING

import click

from flowcore_cli.exits import PROGRAM, CommandError, in_reading_order, problem_line
from flowcore_cli.nodes import checked_nodes, defs_option
from flowcore_cli.output import print_whole, warn
from flowcore_cli.render import counted, to_json, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcore.documents.nodes.validation import Checked
    from flowcore.errors import Problem
    from flowcore.model import Flow


@click.command(epilog="Exit codes: 0 the flow can run, 2 it cannot.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@defs_option
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON on stdout.")
@click.pass_context
def validate(ctx: click.Context, /, *, files: tuple[str, ...], definitions: tuple[str, ...], as_json: bool) -> None:
    """Check the flow of FILE without running it, and name everything that is wrong.

    Later files override earlier ones, as in `run`. Every problem is a line `file:line:column path: message (hint)` on
    stderr. In a flow of nodes the message begins with its code.
    """
    from flowcore.errors import FlowDocumentError
    from flowcore_adapters.config import compile_files, read_files
    from flowcore_adapters.registry import load_registry

    registry = load_registry()
    flow: Flow | None = None
    problems: Sequence[Problem] = ()
    try:
        texts = read_files(files)
        checked = checked_nodes(texts, definitions)
        if checked is not None:
            _tell_nodes(ctx, files, checked, as_json=as_json)
            return
        flow = compile_files(texts, registry.catalog)
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


def _tell_nodes(ctx: click.Context, files: "Sequence[str]", checked: "Checked", *, as_json: bool) -> None:
    from flowcore.documents.nodes.node_files import coded, count
    from flowcore.documents.nodes.report import entries
    from flowcore.errors import Severity

    problems = in_reading_order(checked.problems)
    nodes = len(checked.document.flow.nodes)
    if as_json:
        document = {
            "valid": checked.sound,
            "files": list(files),
            "name": checked.document.flow.name,
            "nodes": nodes,
            "problems": _rows(problems),
            "Errors": entries(problems, Severity.ERROR),
            "Warnings": entries(problems, Severity.WARNING),
        }
        print_whole(to_json(document))
    else:
        for problem in problems:
            click.echo(problem_line(coded(problem)), err=True)
    if not checked.sound:
        if not as_json:
            click.echo(counted(count(checked, Severity.ERROR), "problem"), err=True)
        ctx.exit(CommandError.exit_code)
    if not as_json:
        warnings = count(checked, Severity.WARNING)
        found = counted(nodes, "node") + (f", {counted(warnings, 'warning')}" if warnings else "")
        print_whole(f"{', '.join(map(visible, files))}: {click.style('ok', fg='green')} ({found})")


def _document(
    files: "Sequence[str]", flow: "Flow | None", problems: "Sequence[Problem]", warnings: "Sequence[str]"
) -> dict[str, object]:
    return {
        "valid": flow is not None,
        "files": list(files),
        "name": None if flow is None else flow.name,
        "steps": None if flow is None else len(flow.steps),
        "sources": None if flow is None else len(flow.sources),
        "problems": _rows(problems),
        "warnings": [f"{PROGRAM}: {warning}" for warning in warnings],
    }


def _rows(problems: "Sequence[Problem]") -> list[dict[str, object]]:
    return [
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
    ]
