"""Which recorded run a command is about."""

from contextlib import closing
from typing import TYPE_CHECKING

from flowcore_cli.exits import CommandError
from flowcore_cli.storage import existing_log, log_path

if TYPE_CHECKING:
    from flowcore.ids import BatchId, RunId
    from flowcore.ports import EventLog

LATEST = "latest"
_HINT = "`flowcore-cli runs` lists them"


def recorded_log(db: str | None) -> "closing[EventLog]":
    """Return the log that runs were recorded in, to be closed.

    Raises:
        CommandError: There is none, or it cannot be used.
    """
    existing = existing_log(db)
    if existing is None:
        raise CommandError(f"no runs yet: there is no event log at {log_path(db)}", hint="`flowcore-cli run` makes one")
    return existing


def find_run(log: "EventLog", text: str, db: str | None) -> "RunId":
    """Return the run of *log* that *text* means: an id in any spelling of the API, or `latest`.

    Raises:
        CommandError: There is no such run.
    """
    from flowcore.batch_service import find_run as look_up
    from flowcore.errors import RunNotFoundError
    from flowcore.ids import parse_run_id

    if text == LATEST:
        newest = log.runs(limit=1)
        if not newest:
            raise CommandError("no runs yet")
        return newest[0]
    if parse_run_id(text) is None:
        raise CommandError(f"'{text}' is no run id", hint=f"such as 1733524800000, or `{LATEST}`; {_HINT}")
    try:
        return look_up(log, text)
    except RunNotFoundError as error:
        raise CommandError(f"no run '{text}' in {log_path(db)}", hint=_HINT) from error


def is_batch(text: str) -> bool:
    """Return whether *text* means a batch: `batch-...`."""
    return text.startswith("batch-")


def find_batch(log: "EventLog", text: str, db: str | None) -> "BatchId":
    """Return the batch of *log* that *text* means.

    Raises:
        CommandError: There is no such batch.
    """
    from flowcore.batch_service import find_batch as look_up
    from flowcore.errors import BatchNotFoundError

    try:
        return look_up(log, text)
    except BatchNotFoundError as error:
        raise CommandError(f"no batch '{text}' in {log_path(db)}", hint="`flowcore-cli batches` lists them") from error


def driver(log: "EventLog", run_id: "RunId") -> str | None:
    """Return the name of the program that drives *run_id*; None when nobody does."""
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.runner.ownership import is_driven

    owner = log.ownership(run_id).owner
    return owner.name if owner is not None and is_driven(log, run_id, SystemClock()) else None
