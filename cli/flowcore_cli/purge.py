"""`flowcore-cli purge`."""

import re
import sys
from typing import TYPE_CHECKING, Final

import attrs
import click

from flowcore_cli.exits import CommandError
from flowcore_cli.output import tell
from flowcore_cli.runtime import StorePlaces, open_book, store_options
from flowcore_cli.selection import recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcore.ids import BatchId, RunId, StreamId
    from flowcore.ports import EventLog
    from flowcore_adapters.artifacts.book import StoreBook
    from flowcore_adapters.artifacts.remains import Remains

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
@store_options
@db_option
def purge(
    *,
    older_than: str | None,
    keep: int | None,
    states: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    store_dir: str | None,
    mount_root: tuple[str, ...],
    stores: str | None,
    db: str | None,
) -> None:
    """Delete runs that have ended, by age, count and state, and their artifacts on this machine.

    A run that has not ended is never touched, and no id is used again. Forks and retries of a deleted run stay as they
    are. A batch goes as a whole, with the runs of its items, and counts as one. An artifact that another run refers to
    stays. Of the runs that stay, artifacts go whose lifetime is over.
    """
    from flowcore_adapters.artifacts.remains import remains_of, still_free

    if older_than is None and keep is None and not states:
        raise click.UsageError("say which runs: `--older-than`, `--keep` or `--state`")
    age_s = None if older_than is None else _seconds(older_than)
    with recorded_log(db) as log:
        book = open_book(log, StorePlaces(store_dir, mount_root, stores), db)
        found = _meant(log, age_s, states or _STATES)[keep or 0 :]
        if not found:
            if not _sweep(log, book, dry_run=dry_run):
                click.echo("nothing to delete", err=True)
            return
        streams = [stream for each in found for stream in each.streams]
        remains = remains_of(log, book, [run_id for each in found for run_id in each.run_ids])
        what = _told(found, remains)
        span = f"{found[-1].streams[0]} to {found[0].streams[0]}" if len(found) > 1 else str(found[0].streams[0])
        if dry_run:
            click.echo(f"would delete {what}: {span}", err=True)
            _tell_rest(remains)
            _sweep(log, book, dry_run=True)
            return
        if not yes:
            if not sys.stdin.isatty():
                raise CommandError(f"{what} would be deleted", hint="`--yes` deletes without asking")
            click.confirm(f"delete {what} ({span})?", abort=True, err=True)
        # First the runs: what refuses that, because somebody has taken one up again, must find its objects there.
        _delete(log, streams)
        # Somebody may have gone on from one of the runs while the question stood.
        still_free(log, book, remains).delete()
        click.echo(f"deleted {what}: {span}", err=True)
        _tell_rest(remains)
        _sweep(log, book, dry_run=False)


@attrs.frozen
class _Meant:
    """A run, or a batch with its runs."""

    run_ids: "tuple[RunId, ...]"
    batch_id: "BatchId | None" = None

    @property
    def streams(self) -> "tuple[StreamId, ...]":
        """What is deleted; the batch first."""
        return self.run_ids if self.batch_id is None else (self.batch_id, *self.run_ids)


def _told(found: "Sequence[_Meant]", remains: "Remains") -> str:
    """Return how many runs, batches and objects go, for people."""
    from flowcore_cli.render import counted

    batches = sum(each.batch_id is not None for each in found)
    parts = [counted(sum(len(each.run_ids) for each in found), "run")]
    if batches:
        parts.append("1 batch" if batches == 1 else f"{batches:,} batches")
    if remains.objects:
        parts.append(counted(len(remains.objects), "object"))
    return " and ".join(parts) if len(parts) <= 2 else f"{', '.join(parts[:-1])} and {parts[-1]}"  # noqa: PLR2004 - both


def _tell_rest(remains: "Remains") -> None:
    """Say which objects of the runs stay."""
    from flowcore_cli.render import counted

    if remains.unreadable is not None:
        tell(f"their objects stay: run {remains.unreadable} cannot be read, and may refer to them")
    if remains.absent:
        tell(f"{counted(remains.absent, 'object')} not found (`--store-dir` says where they are)")
    if remains.elsewhere:
        tell(f"{counted(remains.elsewhere, 'object')} in stores that are not on this machine, or not known here: left")


def _sweep(log: "EventLog", book: "StoreBook", *, dry_run: bool) -> int:
    """Delete, and tell, the objects of all runs whose lifetime is over; return how many there were."""
    from flowcore_adapters.artifacts.lifetimes import Lifetimes
    from flowcore_adapters.clock import SystemClock
    from flowcore_cli.render import counted

    due = Lifetimes(log, SystemClock(), book).sweep(breath_s=0.0, delete=not dry_run)
    if due:
        tell(f"{'would delete' if dry_run else 'deleted'} {counted(due, 'object')} whose lifetime is over")
    return due


def _seconds(text: str) -> int:
    match = _AGE.fullmatch(text)
    if match is None:
        raise click.UsageError(f"'{text}' is no age: such as 30d, 12h, 90m or 2w")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _meant(log: "EventLog", age_s: int | None, states: "Sequence[str]") -> list[_Meant]:
    """Return the runs and batches that have ended in one of *states*, and so long ago, newest first."""
    import time

    from flowcore.batch_service import batch_of
    from flowcore.errors import EventFormatError

    found: list[_Meant] = []
    latest = None if age_s is None else time.time() - age_s
    known = frozenset(log.batches().batch_ids)
    for batch_id in known:
        meant = _batch(log, batch_id, states, latest)
        if meant is not None:
            found.append(meant)
    for run_id in log.runs():
        try:
            # The items of a batch go with it.
            end = None if batch_of(log, run_id) in known else _end(log, run_id)
        except EventFormatError:
            # What cannot be read may be what somebody is looking for.
            continue
        if end is not None and end[0] in states and (latest is None or end[1] <= latest):
            found.append(_Meant((run_id,)))
    return sorted(found, key=lambda each: each.streams[0], reverse=True)


def _batch(log: "EventLog", batch_id: "BatchId", states: "Sequence[str]", latest: float | None) -> _Meant | None:
    """Return a batch with its runs if it is meant, and all of them have ended."""
    from flowcore.batch_service import load_batch
    from flowcore.errors import EventFormatError
    from flowcore.ids import item_run

    try:
        state = load_batch(log, batch_id)
        if (
            state.ended_at is None
            or str(state.status) not in states
            or (latest is not None and state.ended_at > latest)
        ):
            return None
        run_ids = [item_run(batch_id, number) for number in range(1, len(state.items) + 1)]
        there = [run_id for run_id in run_ids if log.version(run_id)]
        if any(_end(log, run_id) is None for run_id in there):
            return None
    except EventFormatError:
        return None
    return _Meant(tuple(there), batch_id)


def _end(log: "EventLog", run_id: "RunId") -> tuple[str, float] | None:
    """Return how and when a run ended, None when it has not; mostly a look at its last event is enough."""
    from flowcore.run.events import RunFailed, RunStopped, RunSucceeded
    from flowcore.service import load

    words = {RunSucceeded: "succeeded", RunFailed: "failed", RunStopped: "stopped"}
    for recorded in log.read(run_id, after=log.version(run_id) - 1):
        event = recorded.event
        if isinstance(event, RunSucceeded | RunFailed | RunStopped):
            return words[type(event)], event.at
    # Late reports, lines and traces may come behind the end.
    state = load(log, run_id)
    return None if state.ended_at is None else (str(state.status), state.ended_at)


def _delete(log: "EventLog", run_ids: "Sequence[StreamId]") -> None:
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.logs.sqlite import SqliteEventLog

    log.delete_runs(*run_ids, now=SystemClock().now())
    if isinstance(log, SqliteEventLog):
        log.collect_values()
