"""`flowcore-cli retry`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from flowcore_cli.execution import EXIT_CODES, Plan, RunOptions, execute, max_workers_option, run_options

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.ports import EventLog
    from flowcore_adapters.registry import Registry


@click.command(epilog=EXIT_CODES)
@click.argument("run", metavar="RUN")
@run_options(recorded=True)
@max_workers_option
def retry(*, options: RunOptions, run: str, max_workers: int | None) -> None:
    """Run again what failed and what was skipped in RUN, and nothing else.

    RUN is an id as `runs` prints it, or `latest`. It stays as it is: a new run takes over the outputs of the steps that
    succeeded.
    """

    def plan(registry: "Registry", log: "Callable[[], EventLog]") -> Plan:
        from flowcore import descent
        from flowcore.service import create_run, load
        from flowcore_adapters.clock import SystemClock
        from flowcore_cli.drive import check_secrets
        from flowcore_cli.selection import find_run

        state = load(log(), find_run(log(), run, options.db))
        taken = descent.retry(state)
        check_secrets(state.flow, registry)

        def record(log: "EventLog") -> "RunId":
            workers = max_workers or state.max_workers
            now = SystemClock().now()
            return create_run(log, state.flow, at=now, max_workers=workers, descent=taken, trace=state.trace)

        return Plan(state.flow, record)

    execute(options, plan)
