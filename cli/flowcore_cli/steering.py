"""`flowcore-cli stop`, `pause` and `continue`: requests to whichever process drives the run, left in the log."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.selection import driver, find_batch, find_run, is_batch, recorded_log
from flowcore_cli.storage import command_for, db_option, undriven

if TYPE_CHECKING:
    from collections.abc import Generator

    from flowcore.ids import RunId
    from flowcore.ports import EventLog

_PATIENCE_S: Final = 30.0
"""How long `stop` waits for the run's end, in seconds: longer than any grace of its steps."""


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--reason", default="stopped by `flowcore-cli stop`", show_default=True, help="What is recorded.")
@click.option("--no-wait", is_flag=True, help="End when the request is recorded, not when the run has ended.")
@db_option
def stop(*, run: str, reason: str, no_wait: bool, db: str | None) -> None:
    """Stop RUN, whichever process drives it.

    What is under way is cancelled, nothing new starts, and the run ends as `stopped`. RUN is an id as `runs` prints it,
    or `latest`; or that of a batch (batch-...), which is stopped with everything in its queue.
    """
    if is_batch(run):
        _stop_batch(run, reason=reason, no_wait=no_wait, db=db)
        return
    from flowcore.run.commands import StopRun
    from flowcore.service import load, request
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.runner.ownership import end_stopped, is_driven

    clock = SystemClock()
    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        request(log, run_id, StopRun(at=clock.now(), reason=reason))
        if not is_driven(log, run_id, clock):
            # Nobody would act on it.
            end_stopped(log, run_id, clock)
        state = load(log, run_id)
        if not state.ended and not no_wait:
            _wait(log, run_id)
            state = load(log, run_id)
        if state.ended:
            over = "stopped" if state.status == "stopped" else f"over: it has {state.status}"
            click.echo(f"run {run_id} is {over}", err=True)
        elif no_wait:
            click.echo(f"run {run_id} was asked to stop", err=True)
        else:
            raise CommandError(
                f"run {run_id} was asked to stop {_PATIENCE_S:.0f} s ago and goes on still",
                hint=f"driven by {driver(log, run_id) or 'nobody'}",
            )


def _stop_batch(text: str, *, reason: str, no_wait: bool, db: str | None) -> None:
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.launching import stop_batches

    patience_s = 0.0 if no_wait else _PATIENCE_S
    with recorded_log(db) as log:
        batch_id = find_batch(log, text, db)
        stopped = stop_batches(log, [batch_id], SystemClock(), reason=reason, patience_s=patience_s)[batch_id]
    click.echo(f"batch-{batch_id} is over: {stopped.running} running and {stopped.queued} queued stopped", err=True)


@click.command()
@click.argument("run", metavar="RUN")
@db_option
def pause(*, run: str, db: str | None) -> None:
    """Let nothing new of RUN start; what is under way finishes.

    It stays paused, also when its process ends and the run is resumed, until `flowcore-cli continue`. RUN is an id as
    `runs` prints it, or `latest`.
    """
    from flowcore.run.commands import PauseRun
    from flowcore.service import load, request
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.runner.ownership import is_driven

    clock = SystemClock()
    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        with _about(run_id, "cannot be paused", db):
            request(log, run_id, PauseRun(at=clock.now()))
        state = load(log, run_id)
        if state.status != "paused":
            raise CommandError(f"run {run_id} cannot be paused: it is {_word(state.status, stop=state.stop_requested)}")
        under_way = len(state.in_the_air) if is_driven(log, run_id, clock) else 0
        more = f"; {under_way} under way will finish" if under_way else ""
        click.echo(f"run {run_id} is paused: nothing new starts{more}", err=True)


@click.command("continue")
@click.argument("run", metavar="RUN")
@click.option("--skip", is_flag=True, help="Leave out the step before which the run has paused; it counts as done.")
@click.option("--no-breakpoints", is_flag=True, help="Pause at no breakpoint any more.")
@db_option
def continue_(*, run: str, skip: bool, no_breakpoints: bool, db: str | None) -> None:
    """Let a paused RUN go on.

    RUN is an id as `runs` prints it, or `latest`. A run whose process has ended needs `flowcore-cli resume` too.
    """
    from flowcore.run.commands import Command, ContinueRun, SkipPaused
    from flowcore.service import load, request
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.runner.ownership import is_driven

    if skip and no_breakpoints:
        raise click.UsageError("`--skip` and `--no-breakpoints` exclude each other", click.get_current_context())
    clock = SystemClock()
    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        at = clock.now()
        command: Command = SkipPaused(at=at) if skip else ContinueRun(at=at, breakpoints=not no_breakpoints)
        with _about(run_id, "cannot go on", db):
            changed = request(log, run_id, command)
        state = load(log, run_id)
        click.echo(f"run {run_id} {'goes on' if changed else 'was not paused: it is ' + state.status}", err=True)
        if not is_driven(log, run_id, clock):
            click.echo(undriven(run_id, db), err=True)


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--off", is_flag=True, help="Record nothing more.")
@db_option
def trace(*, run: str, off: bool, db: str | None) -> None:
    """Record the lines that the steps of RUN write from here on; `flowcore-cli logs RUN` prints them.

    What a step is given, which source is called, what it answers and what becomes of it, secrets left out; and what the
    source itself has to say. RUN is an id as `runs` prints it, or `latest`.
    """
    from flowcore.run.commands import ToggleTrace
    from flowcore.service import load, request
    from flowcore_adapters.clock import SystemClock

    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        request(log, run_id, ToggleTrace(enabled=not off, at=SystemClock().now()))
        over = "; it is over, so nothing more will be written" if load(log, run_id).ended and not off else ""
        click.echo(f"run {run_id} is {'not traced any more' if off else 'traced from here on'}{over}", err=True)


def _wait(log: "EventLog", run_id: "RunId") -> None:
    """Wait for the end of a run, as long as there is patience."""
    import time

    from flowcore.run.state import RunState
    from flowcore.service import load

    deadline = time.monotonic() + _PATIENCE_S
    state: RunState = load(log, run_id)
    position = log.position()
    while not state.ended and (left_s := deadline - time.monotonic()) > 0:
        position = log.wait(position, left_s)
        if log.version(run_id) != state.version:
            state = load(log, run_id)


@contextmanager
def _about(run_id: "RunId", what: str, db: str | None) -> "Generator[None]":
    """Say of which run it is that it cannot do what was asked."""
    from flowcore.errors import CommandRejectedError

    try:
        yield
    except CommandRejectedError as error:
        hint = f"`{command_for('show', run_id, db)}` says what it came to"
        raise CommandError(f"run {run_id} {what}: {error}", hint=hint) from error


def _word(status: str, *, stop: bool) -> str:
    return "being stopped" if stop and status == "running" else status
