"""`flowcore-cli events`."""

from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.output import print_whole
from flowcore_cli.selection import find_run, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.ports import EventLog, Recorded

_WAIT_S: Final = 30.0


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON, as it is stored.")
@click.option("--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="POSITION", help="Only what stands after it.")
@db_option
def events(*, run: str, as_json: bool, follow: bool, after: int, db: str | None) -> None:
    """Print what happened in RUN, event by event.

    RUN is an id as `runs` prints it, or `latest`.
    """
    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        version, ended = _print(log, run_id, 0, after, as_json=as_json)
        while follow and not ended:
            position = log.position()
            if log.version(run_id) == version:
                log.wait(position, _WAIT_S)
            version, ended = _print(log, run_id, version, after, as_json=as_json)


def _print(log: "EventLog", run_id: "RunId", version: int, after: int, *, as_json: bool) -> tuple[int, bool]:
    """Print the events above *version*; return the last version and whether it is the end of the run."""
    from flowcore.run.events import RunFailed, RunStopped, RunSucceeded

    ended = False
    for recorded in log.read(run_id, after=version):
        version = recorded.version
        ended = ended or isinstance(recorded.event, RunSucceeded | RunFailed | RunStopped)
        if recorded.position > after:
            print_whole(_json(recorded) if as_json else _line(recorded))
    return version, ended


def _json(recorded: "Recorded") -> str:
    from flowcore.codec import encode
    from flowcore_cli.render import to_json

    encoded = encode(recorded.event)
    document = {
        "position": recorded.position,
        "run_id": recorded.run_id,
        "version": recorded.version,
        "epoch": recorded.epoch,
        "at": recorded.event.at,
        "type": encoded.type,
        "schema": encoded.schema,
        "data": encoded.data,
    }
    return to_json(document, indent=None)


def _line(recorded: "Recorded") -> str:
    from flowcore_cli.render import clock_time, visible
    from flowcore_cli.words import described

    who, what = described(recorded.event)
    first = visible(what.strip().partition("\n")[0])
    name = click.style(visible(who), bold=True) if who else click.style("run", dim=True)
    return f"{recorded.position:>6}  {clock_time(recorded.event.at)}  {name}  {first}"
