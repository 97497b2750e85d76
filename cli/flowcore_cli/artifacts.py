"""`flowcore-cli artifacts`, `download` and `upload`: the artifacts of runs, whatever they were written as."""

import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.output import print_whole, tell
from flowcore_cli.runtime import StorePlaces, open_services, store_options
from flowcore_cli.selection import find_run, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from flowcore.artifacts import Artifact
    from flowcore.errors import FlowcoreError
    from flowcore.run.state import RunState
    from flowcore.stores import ObjectReader

_CHUNK: Final = 256 * 1024
_STREAM: Final = "-"


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@db_option
def artifacts(*, run: str, as_json: bool, db: str | None) -> None:
    """List the artifacts of RUN, by the edges that they are on.

    RUN is an id as `runs` prints it, or `latest`.
    """
    import attrs

    from flowcore.service import load
    from flowcore_cli.render import table, to_json, visible

    with recorded_log(db) as log:
        found = load(log, find_run(log, run, db)).artifacts
    if as_json:
        print_whole(to_json({edge: attrs.asdict(artifact) for edge, artifact in found.items()}))
    elif found:
        rows = [
            (visible(edge), visible(each.store), visible(each.name), _size(each.size_bytes), visible(each.content_type))
            for edge, each in found.items()
        ]
        print_whole(table(("EDGE", "STORE", "NAME", "SIZE", "TYPE"), rows))
    else:
        tell("the run has no artifacts")


def _size(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes:,}"


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("name", metavar="NAME")
@click.option("-o", "--output", metavar="FILE", help="Where to write it; `-` is stdout. Default: the object's name.")
@store_options
@db_option
def download(
    *,
    run: str,
    name: str,
    output: str | None,
    store_dir: str | None,
    mount_root: tuple[str, ...],
    stores: str | None,
    db: str | None,
) -> None:
    """Write an artifact of RUN to a file.

    NAME is its edge, or the name of the object, as `artifacts` prints them.
    """
    from flowcore.errors import FlowcoreError
    from flowcore.service import load
    from flowcore_adapters.clock import SystemClock

    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        state = load(log, run_id)
        found = _artifact(state, name)
        places = StorePlaces(store_dir, mount_root, stores)
        with closing(open_services(log, SystemClock(), places, db)) as services:
            try:
                reader = services.book.of(run_id, state.flow, found.store).open(found.name)
                with closing(reader):
                    _write(reader, output, Path(found.name).name)
            except FlowcoreError as error:
                raise _failed(error) from error


def _artifact(state: "RunState", name: str) -> "Artifact":
    found = state.artifacts.get(name)
    if found is None:
        found = next((each for each in state.artifacts.values() if each.name == name), None)
    if found is None:
        known = ", ".join(state.artifacts) or "none"
        raise CommandError(f"the run has no artifact '{name}'", hint=f"it has: {known}")
    return found


def _write(chunks: "ObjectReader", output: str | None, name: str) -> None:
    pieces = iter(chunks)
    if output == _STREAM:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    path = Path(name if output is None else output)
    partial = path.with_name(f".{path.name[:200]}.part")
    try:
        if output is None and path.exists():
            raise CommandError(f"{path}: is there already", hint="`-o` names another file, or this one")
        with partial.open("wb") as file:
            file.writelines(pieces)
        partial.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    tell(f"{path}: {path.stat().st_size:,} bytes")


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("edge", metavar="EDGE")
@click.argument("file", metavar="FILE", type=click.Path())
@store_options
@db_option
def upload(
    *,
    run: str,
    edge: str,
    file: str,
    store_dir: str | None,
    mount_root: tuple[str, ...],
    stores: str | None,
    db: str | None,
) -> None:
    """Give RUN the object that it waits for at EDGE; whichever process drives it goes on at once.

    FILE is read as it is; `-` is stdin.
    """
    from flowcore.errors import FlowcoreError
    from flowcore.ids import flow_run_id
    from flowcore_adapters.artifacts.intake import Intake
    from flowcore_adapters.artifacts.services import MAX_UPLOAD
    from flowcore_adapters.artifacts.signed_urls import Ticket
    from flowcore_adapters.clock import SystemClock

    with recorded_log(db) as log, _opened(file) as source:
        run_id = find_run(log, run, db)
        places = StorePlaces(store_dir, mount_root, stores)
        with closing(open_services(log, SystemClock(), places, db)) as services:
            try:
                declared = services.book.declared(run_id)
                well = None if declared is None else declared.flow.wells.get(edge)
                if declared is None or well is None:
                    raise CommandError(f"nobody in the run waits for '{edge}'")
                ticket = Ticket(
                    method="PUT",
                    store=well.store,
                    name=edge,
                    expires_at=0,
                    max_bytes=MAX_UPLOAD,
                    run=flow_run_id(run_id),
                    edge=edge,
                )
                store = services.book.of(run_id, declared.flow, well.store)
                # As the server does it: whichever of the two is first keeps the other one out.
                stored = Intake(services.arrivals).take(ticket, store, _pieces(source))
            except FlowcoreError as error:
                raise _failed(error) from error
    tell(f"{stored.name}: {stored.size_bytes:,} bytes")


def _failed(error: "FlowcoreError") -> CommandError:
    return CommandError(str(error))


@contextmanager
def _opened(file: str) -> "Generator[IO[bytes]]":
    if file == _STREAM:
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below; what its reader raises is no trouble with opening
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror or error}") from error
    with source:
        yield source


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_CHUNK):
        yield piece
