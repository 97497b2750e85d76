"""`flowcore-cli export` and `import`: one run, or one batch, as one file."""

import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.selection import find_batch, find_run, is_batch, recorded_log
from flowcore_cli.storage import db_option, open_log, show_command

if TYPE_CHECKING:
    from flowcore_adapters.logs.archive import Archive, BatchArchive

_STANDARD: Final = "-"


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "-o",
    "--output-file",
    metavar="PATH",
    help="Where to; `-` is stdout, a name that ends with .gz is packed. Default: run-ID.flowcore.",
)
@db_option
def export(*, run: str, output_file: str | None, db: str | None) -> None:
    """Write RUN, whole, to one file that `flowcore-cli import` reads.

    RUN is an id as `runs` prints it, or `latest`; or that of a batch (batch-...), which is written with the runs of its
    items. Secrets are not in it: they never were in the log.
    """
    from flowcore_adapters.logs.archive import write_archive, write_batch_archive

    with recorded_log(db) as log:
        if is_batch(run):
            batch_id = find_batch(log, run, db)
            what, content = f"batch-{batch_id}", b"".join(write_batch_archive(log, batch_id))
        else:
            run_id = find_run(log, run, db)
            what, content = f"run {run_id}", b"".join(write_archive(log, run_id))
    if output_file == _STANDARD:
        sys.stdout.buffer.write(content)
        return
    target = Path(output_file or f"{what.replace(' ', '-')}.flowcore")
    if target.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CommandError(f"{target}: {error.strerror}") from error
    click.echo(f"{what} written to {target}", err=True)


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--as-new", is_flag=True, help="Give the run another id, the next free one.")
@db_option
def import_(*, file: str, as_new: bool, db: str | None) -> None:
    """Read the run, or the batch, of FILE (`-` is stdin) into the log.

    It is checked on the way in, and comes in whole or not at all: its seal, every event, and every invariant. A run
    that is there already is left as it is. One that had not ended can be resumed here.
    """
    from contextlib import closing
    from time import time

    from flowcore.ids import BatchId, RunId
    from flowcore_adapters.logs.archive import Archive, ArchiveError, store, store_batch

    archive = _read(file)
    with closing(open_log(db, no_db=False, durability="full")) as log:
        known = bool(log.version(archive.run_id if isinstance(archive, Archive) else archive.batch_id))
        new_id = max(int(time() * 1000), log.newest_id() + 1) if as_new else None
        try:
            if isinstance(archive, Archive):
                what = f"run {store(log, archive, run_id=None if new_id is None else RunId(new_id))}"
            else:
                what = f"batch-{store_batch(log, archive, batch_id=None if new_id is None else BatchId(new_id))}"
        except ArchiveError as error:
            raise CommandError(f"{file}: {error}", hint="`--as-new` gives it another id") from error
    there = "is there already" if known and not as_new else "imported"
    click.echo(f"{what} {there}: `{show_command(what.removeprefix('run '), db)}`", err=True)


def _read(file: str) -> "Archive | BatchArchive":
    from flowcore_adapters.logs.archive import ArchiveError, read_archive

    try:
        content = sys.stdin.buffer.read() if file == _STANDARD else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    try:
        return read_archive(content)
    except ArchiveError as error:
        raise CommandError(f"{file}: {error}", hint="`flowcore-cli export RUN` writes what can be imported") from error
