"""`flowcore-cli run`."""

import sys
from typing import TYPE_CHECKING

import click

from flowcore_cli.exits import RunFailedError, SignalError
from flowcore_cli.output import OutputFile, print_whole
from flowcore_cli.storage import log_options, open_log, show_command

if TYPE_CHECKING:
    from flowcore.model import Flow
    from flowcore_cli.records import RunRecord
    from flowcore_cli.screens import Screen


@click.command(
    epilog="Exit codes: 0 the run succeeded, 1 it failed, 2 bad input or usage, 130 ended by Ctrl-C, 143 by SIGTERM."
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option("-j", "--json", "as_json", is_flag=True, help="Print the outputs as JSON, and nothing else, on stdout.")
@click.option(
    "-o",
    "--output-file",
    type=click.Path(),
    metavar="PATH",
    help="Write the outputs as JSON to this file, whole or not at all, and print nothing on stdout.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing: no progress, no outputs, no summary.")
@click.option(
    "--status-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve /status and /outputs on 127.0.0.1 at this port (0: any free one) until Ctrl-C.",
)
@click.option("--exit-when-done", is_flag=True, help="With --status-port: end with the run instead of serving on.")
@click.option(
    "--max-workers",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="How many steps go on at once. Default: what the flow says, else 4.",
)
@log_options
def run(
    *,
    files: tuple[str, ...],
    as_json: bool,
    output_file: str | None,
    quiet: bool,
    status_port: int | None,
    exit_when_done: bool,
    max_workers: int | None,
    db: str | None,
    no_db: bool,
    durability: str,
) -> None:
    """Run the flow of FILE, show its progress, and print its outputs.

    Later files override earlier ones: mappings are merged, everything else is replaced. Progress and the summary go to
    stderr, the outputs to stdout. The run is recorded; `flowcore-cli show` shows it again.

    The first Ctrl-C (or SIGTERM) stops the run, the second one ends the command at once.
    """
    if exit_when_done and status_port is None:
        raise click.UsageError("`--exit-when-done` goes with `--status-port`")
    from contextlib import ExitStack, closing, suppress

    from flowcore_adapters.registry import load_registry
    from flowcore_cli.drive import Drive, named_flow
    from flowcore_cli.records import RunRecord
    from flowcore_cli.signals import Signals

    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        target = None if output_file is None else OutputFile(output_file)
        registry = load_registry()
        flow = named_flow(files, registry)
        log = stack.enter_context(closing(open_log(db, no_db=no_db, durability=durability)))
        server = shown = None
        if status_port is not None:
            from flowcore_cli.server import OwnRunLog, start_server

            shown = OwnRunLog(log)
            # Bound before anything is recorded: a port that is taken leaves no trace.
            server = stack.enter_context(start_server(shown, status_port))
            if not quiet:
                click.echo(f"status at {server.url}/status", err=True)
        screen = _screen(flow, quiet=quiet, as_json=as_json)
        drive = Drive(log, registry, flow, screen, signals, max_workers=max_workers)
        if shown is not None:
            shown.own = drive.run_id
        stopped_by = drive.run()
        record = RunRecord(log, drive.run_id)
        _print_outputs(record, target, as_json=as_json, quiet=quiet)
        if not quiet:
            from flowcore_cli.summary import summary_text

            shown_by = None if no_db else show_command(drive.run_id, db)
            click.echo(summary_text(record, shown_by), err=True)
        if stopped_by is not None and (server is None or record.state == "stopped"):
            raise SignalError(stopped_by)
        if server is not None and not exit_when_done and stopped_by is None:
            if not quiet:
                click.echo(f"serving on at {server.url} until Ctrl-C", err=True)
            with suppress(SignalError):
                server.join()
        if record.state != "succeeded":
            raise RunFailedError


def _screen(flow: "Flow", *, quiet: bool, as_json: bool) -> "Screen":
    from flowcore_cli.screens import PlainScreen, SilentScreen, TerminalScreen

    terminal = sys.stderr.isatty()
    if quiet or (as_json and not terminal):
        return SilentScreen(speaks=not quiet)
    names = [step.name for step in flow.steps]
    if not terminal:
        return PlainScreen(names, sys.stderr)
    return TerminalScreen(names, ascii_only=not (sys.stderr.encoding or "").lower().startswith("utf"))


def _print_outputs(record: "RunRecord", target: OutputFile | None, *, as_json: bool, quiet: bool) -> None:
    from flowcore_cli.render import outputs_text, to_json

    if target is not None:
        target.write(to_json(record.outputs) + "\n")
    elif as_json:
        print_whole(to_json(record.outputs))
    elif not quiet:
        text = outputs_text(record.outputs, shorten=sys.stdout.isatty())
        # Where people see both, a line stands between the outputs and what is said before and after them.
        gap = sys.stderr.isatty() and sys.stdout.isatty()
        if text:
            click.echo(err=True, nl=gap)
            print_whole(text)
            click.echo(err=True, nl=gap)
