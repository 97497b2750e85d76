"""`flowcore-cli purge`."""

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.selection import recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcore.ids import RunId
    from flowcore.ports import EventLog

_AGE: Final = re.compile(r"(\d+)([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_STATES: Final = ("succeeded", "failed", "stopped")


@click.command()
@click.option("--older-than", metavar="AGE", help="Only runs that ended longer ago: 30d, 12h, 90m, 2w.")
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Leave the newest N of those that are meant.")
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    multiple=True,
    help="Only runs that ended so; may be given several times. Default: all that have ended.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@db_option
def purge(
    *, older_than: str | None, keep: int | None, states: tuple[str, ...], dry_run: bool, yes: bool, db: str | None
) -> None:
    """Delete runs that have ended, by age, count and state.

    A run that has not ended is never touched, and no id is used again. Forks and retries of a deleted run stay as they
    are.
    """
    from flowcore_cli.render import counted

    if older_than is None and keep is None and not states:
        raise click.UsageError("say which runs: `--older-than`, `--keep` or `--state`")
    age_s = None if older_than is None else _seconds(older_than)
    with recorded_log(db) as log:
        found = _meant(log, age_s, states or _STATES)[keep or 0 :]
        if not found:
            click.echo("nothing to delete", err=True)
            return
        span = f"{found[-1]} to {found[0]}" if len(found) > 1 else str(found[0])
        if dry_run:
            click.echo(f"would delete {counted(len(found), 'run')}: {span}", err=True)
            return
        if not yes:
            if not sys.stdin.isatty():
                raise CommandError(
                    f"{counted(len(found), 'run')} would be deleted", hint="`--yes` deletes without asking"
                )
            click.confirm(f"delete {counted(len(found), 'run')} ({span})?", abort=True, err=True)
        _delete(log, found)
    click.echo(f"deleted {counted(len(found), 'run')}: {span}", err=True)


def _seconds(text: str) -> int:
    match = _AGE.fullmatch(text)
    if match is None:
        raise click.UsageError(f"'{text}' is no age: such as 30d, 12h, 90m or 2w")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _meant(log: "EventLog", age_s: int | None, states: "Sequence[str]") -> "list[RunId]":
    """Return the runs that have ended in one of *states*, and so long ago, newest first."""
    import time

    from flowcore.errors import EventFormatError

    found: list[RunId] = []
    for run_id in log.runs():
        try:
            end = _end(log, run_id)
        except EventFormatError:
            # What cannot be read may be what somebody is looking for.
            continue
        if end is not None and end[0] in states and (age_s is None or end[1] <= time.time() - age_s):
            found.append(run_id)
    return found


def _end(log: "EventLog", run_id: "RunId") -> tuple[str, float] | None:
    """Return how and when a run ended, None when it has not; mostly a look at its last event is enough."""
    from flowcore.run.events import ReportRejected, RunFailed, RunStopped, RunSucceeded
    from flowcore.service import load

    words = {RunSucceeded: "succeeded", RunFailed: "failed", RunStopped: "stopped"}
    for recorded in log.read(run_id, after=log.version(run_id) - 1):
        event = recorded.event
        if isinstance(event, RunSucceeded | RunFailed | RunStopped):
            return words[type(event)], event.at
        if isinstance(event, ReportRejected):
            state = load(log, run_id)
            return None if state.ended_at is None else (str(state.status), state.ended_at)
    return None


def _delete(log: "EventLog", run_ids: "Sequence[RunId]") -> None:
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.logs.sqlite import SqliteEventLog

    log.delete_runs(*run_ids, now=SystemClock().now())
    if isinstance(log, SqliteEventLog):
        log.collect_values()
