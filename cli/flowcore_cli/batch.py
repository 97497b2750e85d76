"""`flowcore-cli batch` and `batches`."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from flowcore_cli.exits import CommandError, RunFailedError, SignalError
from flowcore_cli.output import print_whole, tell, warn
from flowcore_cli.storage import db_option, existing_log, log_options, open_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcore.batch_service import NewBatch
    from flowcore.catalog import Catalog
    from flowcore.ids import BatchId
    from flowcore_adapters.batch_items import Candidate, Candidates
    from flowcore_cli.batch_records import BatchRecord

_PATTERNS = ("*.json", "*.yaml", "*.yml")
_STATES = ("running", "succeeded", "failed", "stopped")
_EXIT_CODES = (
    "Exit codes: 0 every item succeeded, 1 one did not, 2 bad input or usage, 130 ended by Ctrl-C, 143 by SIGTERM."
)


@click.command(epilog=_EXIT_CODES)
@click.argument("paths", metavar="FOLDER|FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--workers",
    type=click.IntRange(0, 1000),
    default=4,
    show_default=True,
    metavar="N",
    help="How many items go on at once; 0 means 4.",
)
@click.option("--priority", type=int, default=0, metavar="P", help="Recorded with the batch: higher comes first.")
@click.option("-r", "--recursive", is_flag=True, help="Look into the folders of a FOLDER too.")
@click.option("--skip-invalid", is_flag=True, help="Leave out files that cannot run instead of refusing the batch.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print the batch as JSON on stdout when it is over.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing: no progress, no summary.")
@log_options
def batch(
    *,
    paths: tuple[str, ...],
    workers: int,
    priority: int,
    recursive: bool,
    skip_invalid: bool,
    as_json: bool,
    quiet: bool,
    db: str | None,
    no_db: bool,
    durability: str,
) -> None:
    """Run flows as a batch: each FILE, and each flow and workflow of each FOLDER.

    A flow file (YAML) and a workflow (JSON, nodes and edges) are items alike. All are checked before anything is
    recorded. What has not ended when the command dies is gone on with by `flowcore-cli resume BATCH`.

    The first Ctrl-C (or SIGTERM) stops the batch, the second one ends the command at once.
    """
    from contextlib import ExitStack, closing

    from flowcore.batch_service import create_batch
    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.registry import load_registry
    from flowcore_cli.batch_drive import BatchDrive
    from flowcore_cli.signals import Signals

    most = workers or 4
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        registry = load_registry()
        new = _new_batch(paths, registry.catalog, most, priority, recursive=recursive, skip_invalid=skip_invalid)
        log = stack.enter_context(closing(open_log(db, no_db=no_db, durability=durability)))
        batch_id = create_batch(log, new, at=SystemClock().now())
        if not quiet:
            tell(f"batch-{batch_id} with {len(new.items):,} items started")
        if not quiet:
            signals.last_words = _last_words(batch_id, db, recorded=not no_db)
        drive = BatchDrive(log, registry, signals, batch_id, workers=most, speaks=not quiet)
        again = None if no_db else shown_by(batch_id, db)
        _finish(drive.run(), drive.record, as_json=as_json, quiet=quiet, again=again)


def _finish(stopped_by: int | None, record: "BatchRecord", *, as_json: bool, quiet: bool, again: str | None) -> None:
    """Say what became of a batch, and end as it ended."""
    from flowcore_cli.render import to_json

    record.catch_up()
    if as_json:
        print_whole(to_json(record.document()))
    if not quiet:
        tell(record.summary(again))
    if stopped_by is not None:
        raise SignalError(stopped_by)
    if not record.all_well:
        raise RunFailedError


def resume_batch(batch_id: "BatchId", *, db: str | None, as_json: bool, quiet: bool) -> None:
    """Go on with a batch whose process died.

    Raises:
        CommandError: It is over.
    """
    from contextlib import ExitStack

    from flowcore.batch_service import load_batch
    from flowcore_adapters.registry import load_registry
    from flowcore_cli.batch_drive import BatchDrive
    from flowcore_cli.selection import recorded_log
    from flowcore_cli.signals import Signals

    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        log = stack.enter_context(recorded_log(db))
        state = load_batch(log, batch_id)
        if state.ended:
            raise CommandError(f"batch-{batch_id} is over: it has {state.status}")
        if not quiet:
            signals.last_words = _last_words(batch_id, db, recorded=True)
        drive = BatchDrive(log, load_registry(), signals, batch_id, workers=state.workers, speaks=not quiet)
        _finish(drive.run(), drive.record, as_json=as_json, quiet=quiet, again=shown_by(batch_id, db))


def _last_words(batch_id: "BatchId", db: str | None, *, recorded: bool) -> str:
    from flowcore_cli.storage import FORGOTTEN, left_words

    name = f"batch-{batch_id}"
    return left_words(name, db, name) if recorded else FORGOTTEN.format("batch")


def shown_by(batch_id: "BatchId", db: str | None) -> str:
    """Return the command that shows a batch again."""
    from flowcore_cli.storage import show_command

    return show_command(f"batch-{batch_id}", db)


def _new_batch(
    paths: "Sequence[str]", catalog: "Catalog", workers: int, priority: int, *, recursive: bool, skip_invalid: bool
) -> "NewBatch":
    """Return the batch of *paths*, checked.

    Raises:
        CommandError: There is nothing to run, or something that cannot run.
    """
    from flowcore.batch.events import BatchSource
    from flowcore.batch_service import NewBatch
    from flowcore_adapters.batch_items import Candidates, items

    candidates = Candidates(catalog)
    found = [each for path in paths for each in _candidates(path, candidates, recursive=recursive)]
    problems = [_placed(each.path or each.name, error) for each in found for error in each.errors]
    if problems and not skip_invalid:
        raise CommandError("\n".join(problems), hint="nothing was run; `--skip-invalid` leaves out what cannot run")
    warn(problems)
    good = items(found, {"source": "cli"})
    if not good:
        raise CommandError("there is no flow and no workflow that can run")
    folder = paths[0] if len(paths) == 1 and Path(paths[0]).is_dir() else None
    source = BatchSource.FILES if folder is None else BatchSource.FOLDER
    return NewBatch(source=source, items=good, workers=workers, priority=priority, folder=folder)


def _placed(path: str, error: str) -> str:
    """Return *error* behind the file that it is in; it may name the file itself, as it is called in its folder."""
    name, _, rest = error.partition(":")
    named = name == path or (name.startswith("./") and path.endswith(name[1:]))
    return f"{path}:{rest}" if named else f"{path}: {error}"


def _candidates(path: str, candidates: "Candidates", *, recursive: bool) -> "list[Candidate]":
    """Return what *path* names: a file, or the flows and workflows of a folder."""
    from flowcore_adapters.batch_items import Candidate
    from flowcore_adapters.workflow_files import FolderError, WorkflowFolders, read_text

    place = Path(path)
    if place.is_dir():
        # The whole machine is the user's own: there is no root to stay below.
        folders = WorkflowFolders(place)
        try:
            files = [file for pattern in _PATTERNS for file in folders.files(".", pattern, recursive=recursive)]
        except FolderError as error:
            raise CommandError(f"{path}: {error}") from error
        found = candidates.of_files(sorted(files, key=lambda file: file.path))
        return [attrs.evolve(each, path=f"{path.rstrip('/')}{(each.path or '').removeprefix('.')}") for each in found]
    try:
        text = read_text(place)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return [Candidate(name=place.name, path=path, errors=(f"it cannot be read: {reason}",))]
    return [candidates.of_text(place.name, text, path)]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list on stdout.")
@click.option("--state", type=click.Choice(_STATES), help="Only batches that stand there.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, metavar="N", help="At most N batches."
)
@db_option
def batches(*, as_json: bool, state: str | None, limit: int, db: str | None) -> None:
    """List the recorded batches, newest first."""
    from flowcore.batch.machine import BatchStatus
    from flowcore.errors import EventFormatError
    from flowcore_cli.batch_records import BatchRecord
    from flowcore_cli.render import table, to_json

    found: list[BatchRecord] = []
    existing = existing_log(db)
    if existing is not None:
        with existing as log:
            status = None if state is None else BatchStatus(state)
            for batch_id in log.batches(status=status, limit=limit).batch_ids:
                try:
                    found.append(BatchRecord(log, batch_id))
                except EventFormatError as error:
                    warn([f"batch {batch_id} cannot be read: {error}"])
    if as_json:
        print_whole(to_json([record.listed() for record in found]))
    elif found:
        headers = ("BATCH", "STATE", "ITEMS", "STARTED", "DURATION", "RUNS")
        print_whole(table(headers, [record.row() for record in found], states=1))
    else:
        print_whole("no batches yet")
