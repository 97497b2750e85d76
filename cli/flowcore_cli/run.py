"""`flowcore-cli run`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from flowcore_cli.execution import EXIT_CODES, Plan, Planner, RunOptions, execute, max_workers_option, run_options
from flowcore_cli.nodes import defs_option

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.ports import EventLog
    from flowcore_adapters.registry import Registry


@click.command(epilog=EXIT_CODES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@defs_option
@run_options()
@max_workers_option
@click.option(
    "--break",
    "wanted",
    multiple=True,
    metavar="all|marked|STEP",
    help="Pause at every step, at those marked `breakpoint: true`, or at STEP; may be given several times.",
)
@click.option(
    "--break-at",
    "moment",
    type=click.Choice(["pre", "post", "both"]),
    help="Pause before the step, after it, or both. Default: before.",
)
@click.option("--trace", is_flag=True, help="Record the lines that the steps write; `flowcore-cli logs` prints them.")
def run(
    *,
    options: RunOptions,
    files: tuple[str, ...],
    definitions: tuple[str, ...],
    max_workers: int | None,
    wanted: tuple[str, ...],
    moment: str | None,
    trace: bool,
) -> None:
    """Run the flow of FILE, show its progress, and print its outputs.

    Later files override earlier ones: mappings are merged, everything else is replaced. Progress and the summary go to
    stderr, the outputs to stdout. The run is recorded; `flowcore-cli show` shows it again.

    The first Ctrl-C (or SIGTERM) stops the run, the second one ends the command at once.
    """
    execute(options, plan_of(files, definitions, max_workers, wanted=wanted, moment=moment, trace=trace))


def plan_of(
    files: tuple[str, ...],
    definitions: tuple[str, ...],
    max_workers: int | None,
    *,
    wanted: tuple[str, ...] = (),
    moment: str | None = None,
    trace: bool = False,
) -> Planner:
    """Return what plans a new run of *files*, as the options of `run` say."""

    def plan(registry: "Registry", _log: "Callable[[], EventLog]") -> Plan:
        from flowcore.model import Dialect
        from flowcore.service import create_run
        from flowcore_adapters.clock import SystemClock
        from flowcore_cli.drive import named
        from flowcore_cli.pauses import read_breakpoints

        flow, secrets = named(files, registry, definitions)
        breakpoints = read_breakpoints(flow, wanted, moment)
        # What a node's program writes is what is known of it.
        traced = trace or flow.dialect is Dialect.NODES

        def record(log: "EventLog") -> "RunId":
            now = SystemClock().now()
            return create_run(log, flow, at=now, max_workers=max_workers, breakpoints=breakpoints, trace=traced)

        return Plan(flow, record, pauses=breakpoints is not None, secrets=secrets)

    return plan
