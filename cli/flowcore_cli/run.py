"""`flowcore-cli run`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from flowcore_cli.execution import EXIT_CODES, Plan, RunOptions, execute, max_workers_option, run_options

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.ports import EventLog
    from flowcore_adapters.registry import Registry


@click.command(epilog=EXIT_CODES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@run_options()
@max_workers_option
def run(*, options: RunOptions, files: tuple[str, ...], max_workers: int | None) -> None:
    """Run the flow of FILE, show its progress, and print its outputs.

    Later files override earlier ones: mappings are merged, everything else is replaced. Progress and the summary go to
    stderr, the outputs to stdout. The run is recorded; `flowcore-cli show` shows it again.

    The first Ctrl-C (or SIGTERM) stops the run, the second one ends the command at once.
    """

    def plan(registry: "Registry", _log: "Callable[[], EventLog]") -> Plan:
        from flowcore.service import create_run
        from flowcore_adapters.clock import SystemClock
        from flowcore_cli.drive import named_flow

        flow = named_flow(files, registry)

        def record(log: "EventLog") -> "RunId":
            return create_run(log, flow, at=SystemClock().now(), max_workers=max_workers)

        return Plan(flow, record)

    execute(options, plan)
