"""`flowcore-cli fork`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import click

from flowcore_cli.execution import EXIT_CODES, Plan, RunOptions, execute, max_workers_option, run_options
from flowcore_cli.nodes import defs_option

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.ports import EventLog
    from flowcore_adapters.registry import Registry


@click.command(epilog=EXIT_CODES)
@click.argument("run", metavar="RUN")
@click.option("--from", "start", required=True, metavar="STEP", help="The step from which everything is done anew.")
@click.option(
    "--flow",
    "files",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="The flow as it is now; several files are merged. Default: the flow of RUN.",
)
@defs_option
@run_options(recorded=True)
@max_workers_option
def fork(
    *,
    options: RunOptions,
    run: str,
    start: str,
    files: tuple[str, ...],
    definitions: tuple[str, ...],
    max_workers: int | None,
) -> None:
    """Start a new run from the middle of RUN: from STEP on everything is done anew.

    RUN is an id as `runs` prints it, or `latest`; it stays as it is. What every other step came to in it is taken over.
    With --flow the flow may have changed, but not in the steps that are taken over.
    """

    def plan(registry: "Registry", log: "Callable[[], EventLog]") -> Plan:
        from flowcore import descent
        from flowcore.ids import StepName
        from flowcore.service import create_run, load
        from flowcore_adapters.clock import SystemClock
        from flowcore_cli.drive import check_secrets, named
        from flowcore_cli.selection import find_run

        if definitions and not files:
            raise click.UsageError("`--defs` goes with `--flow`: without it the flow of RUN is done again as it was")
        edited, secrets = named(files, registry, definitions) if files else (None, None)
        state = load(log(), find_run(log(), run, options.db))
        flow = state.flow if edited is None else attrs.evolve(edited, name=state.flow.name)
        taken = descent.fork(state, StepName(start), flow)
        if edited is None:
            check_secrets(flow, registry)

        def record(log: "EventLog") -> "RunId":
            workers = max_workers or (state.max_workers if edited is None else None)
            now = SystemClock().now()
            return create_run(log, flow, at=now, max_workers=workers, descent=taken, trace=state.trace)

        return Plan(flow, record, secrets=secrets)

    execute(options, plan)
