"""`flowcore-cli resume`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from flowcore_cli.execution import EXIT_CODES, Plan, RunOptions, execute, run_options
from flowcore_cli.exits import CommandError, RunFailedError, SignalError
from flowcore_cli.output import tell
from flowcore_cli.selection import is_batch
from flowcore_cli.storage import command_for, left_words

if TYPE_CHECKING:
    from flowcore.ports import EventLog
    from flowcore_adapters.registry import Registry


@click.command(epilog=EXIT_CODES)
@click.argument("run", metavar="[RUN]", required=False)
@click.option(
    "--all", "everything", is_flag=True, help="Go on with every run that has not ended and that nobody drives."
)
@run_options(recorded=True)
def resume(*, options: RunOptions, run: str | None, everything: bool) -> None:
    """Go on with a RUN whose process died.

    RUN is an id as `runs` prints it, or `latest`; or that of a batch (batch-...), whose items go on. What has succeeded
    is not run again. An attempt that was under way is lost, and tried again; its side effects may have happened
    already. A run that is paused stays paused until `flowcore-cli continue`. A run that another process drives is left
    to it.

    Steps run in the directory and with the environment of this command.
    """
    if everything == (run is not None):
        raise click.UsageError("name a RUN, or say `--all`")
    if run is None:
        _resume_all(options)
        return
    if is_batch(run):
        _resume_batch(run, options)
        return
    wanted = run

    def plan(_registry: "Registry", log: "Callable[[], EventLog]") -> Plan:
        from flowcore.service import load
        from flowcore_cli.selection import find_run

        run_id = find_run(log(), wanted, options.db)
        state = load(log(), run_id)
        if state.ended:
            hint = f"`{command_for('retry', run_id, options.db)}` runs again what went wrong"
            over = f"run {run_id} is over: it has {state.status}"
            raise CommandError(over, hint=None if state.status == "succeeded" else hint)
        if state.status == "paused" and not options.quiet:
            tell(f"run {run_id} is paused: `{command_for('continue', run_id, options.db)}` lets it go on")
        return Plan(state.flow, lambda _log: run_id)

    execute(options, plan)


def _resume_batch(text: str, options: RunOptions) -> None:
    from flowcore_cli.batch import resume_batch
    from flowcore_cli.selection import find_batch

    if options.output_file is not None or options.status_port is not None:
        raise click.UsageError("a batch has no outputs of its own, and serves nothing")
    with options.open() as log:
        batch_id = find_batch(log, text, options.db)
    resume_batch(batch_id, db=options.db, as_json=options.as_json, quiet=options.quiet)


def _resume_all(options: RunOptions) -> None:
    from contextlib import ExitStack

    from flowcore.batch_service import unfinished_batches, unfinished_runs
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.registry import load_registry
    from flowcore_cli.batch_records import BatchRecord
    from flowcore_cli.drive import Drive
    from flowcore_cli.records import RunRecord
    from flowcore_cli.screens import SilentScreen
    from flowcore_cli.signals import Signals
    from flowcore_cli.storage import show_command
    from flowcore_cli.summary import summary_text

    if options.as_json or options.output_file is not None or options.status_port is not None:
        raise click.UsageError(
            "`--all` prints no outputs and serves nothing: `flowcore-cli show RUN` does, for each run"
        )
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        registry = load_registry()
        log = stack.enter_context(options.open())
        drive = Drive(
            log,
            registry,
            SilentScreen(speaks=not options.quiet),
            signals,
            left=unfinished_runs(log, at=SystemClock().now()),
            batches=unfinished_batches(log),
        )
        if not drive.run_ids and not drive.batch_ids and not options.quiet:
            tell("nothing to resume")
        if not options.quiet:
            signals.last_words = left_words("what was under way", options.db)
        stopped_by = drive.run()
        records = [RunRecord(log, run_id) for run_id in drive.run_ids]
        batches = [BatchRecord(log, batch_id) for batch_id in drive.batch_ids]
        if not options.quiet:
            for record in records:
                tell(summary_text(record, show_command(record.run_id, options.db)))
            for batch in batches:
                tell(batch.summary(show_command(batch.name, options.db)))
        if stopped_by is not None:
            raise SignalError(stopped_by)
        if any(record.state != "succeeded" for record in records) or not all(batch.all_well for batch in batches):
            raise RunFailedError
