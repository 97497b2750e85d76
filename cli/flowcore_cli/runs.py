"""`flowcore-cli runs`."""

from typing import TYPE_CHECKING, NamedTuple

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.output import print_whole, warn
from flowcore_cli.selection import driver
from flowcore_cli.storage import db_option, existing_log, log_path, undriven

if TYPE_CHECKING:
    from flowcore.ports import EventLog
    from flowcore_cli.records import RunRecord


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list on stdout.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, metavar="N", help="At most N runs."
)
@db_option
def runs(*, as_json: bool, limit: int, db: str | None) -> None:
    """List the recorded runs, newest first."""
    from flowcore_cli.render import to_json

    found: list[Listed] = []
    existing = existing_log(db)
    if existing is None and db is not None:
        # Whoever names a file means one that is there.
        raise CommandError(f"there is no event log at {log_path(db)}", hint="`flowcore-cli run --db FILE` makes one")
    if existing is not None:
        with existing as log:
            found = _records(log, limit)
    if as_json:
        print_whole(to_json([{**each.record.document(), "driven_by": each.owner} for each in found]))
    elif found:
        print_whole(_text(found, db))
    else:
        print_whole("no runs yet")


class Listed(NamedTuple):
    """A run of the list, and the program that drives it; None when nobody does, or when it is over."""

    record: "RunRecord"
    owner: str | None


def _records(log: "EventLog", limit: int) -> list[Listed]:
    """Return the newest runs; one that cannot be read is named and the others are listed."""
    from flowcore.errors import EventFormatError
    from flowcore_cli.records import RunRecord

    found: list[Listed] = []
    for run_id in log.runs(limit=limit):
        try:
            record = RunRecord(log, run_id)
            found.append(Listed(record, None if record.ended else driver(log, run_id)))
        except EventFormatError as error:
            warn([f"run {run_id} cannot be read: {error}"])
    return found


def _text(found: list[Listed], db: str | None) -> str:
    from flowcore_cli.records import counts_text
    from flowcore_cli.render import clock_time, duration, table

    rows = [
        (
            str(record.run_id),
            record.name or "-",
            str(record.state),
            "-" if record.started_at is None else clock_time(record.started_at),
            "-" if record.duration is None else duration(record.duration),
            counts_text(record.counts),
            "" if owner or record.ended else undriven(record.run_id, db),
        )
        for record, owner in found
    ]
    return table(("RUN", "NAME", "STATE", "STARTED", "DURATION", "STEPS", ""), rows, states=2)
