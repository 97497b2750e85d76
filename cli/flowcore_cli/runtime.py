"""How nodes are run and where their artifacts are, for the commands that run them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from flowcore.documents.fields import LONGEST_S
from flowcore_adapters.node_choices import CLAMP, CONTAINER, POLICIES, RUNTIMES
from flowcore_cli.exits import CommandError
from flowcore_cli.storage import log_path

if TYPE_CHECKING:
    from flowcore.artifacts import Store
    from flowcore.ports import Clock, EventLog
    from flowcore_adapters.artifacts.book import StoreBook
    from flowcore_adapters.artifacts.services import ArtifactServices

F = TypeVar("F", bound=Callable[..., Any])


def store_options(command: F) -> F:
    """Give *command* the options that say where artifacts are."""
    directory = click.option(
        "--store-dir",
        type=click.Path(file_okay=False),
        envvar="FLOWCORE_STORE_DIR",
        metavar="PATH",
        help="Where the local stores are, and the key of the upload URLs. Default: `artifacts` beside the event log.",
    )
    roots = click.option(
        "--mount-root",
        multiple=True,
        type=click.Path(file_okay=False),
        metavar="PATH",
        help="A directory below which the `MountPath` of s3fs stores may be; may be given several times.",
    )
    stores = click.option(
        "--stores",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="A JSON file of this server's own stores: their names, each with `type` and `params`.",
    )
    return directory(roots(stores(command)))


def _limit(_context: click.Context, _parameter: click.Parameter, given: float | None) -> float | None:
    """See that a limit is one; `nan` and `inf` are numbers too."""
    if given is not None and not 0 < given <= LONGEST_S:
        raise click.BadParameter(f"it must be more than 0 and at most {LONGEST_S:.0f} seconds")
    return given


def runtime_options(command: F) -> F:
    """Give *command* the options that say how nodes are run, and where their artifacts are."""
    runtime = click.option(
        "--node-runtime",
        type=click.Choice(RUNTIMES),
        default=CONTAINER,
        show_default=True,
        help="What nodes run in. process: as programs of this machine, with no isolation at all.",
    )
    policy = click.option(
        "--tier-policy",
        type=click.Choice(POLICIES),
        default=CLAMP,
        show_default=True,
        help="What becomes of a node whose tier is larger than this machine. clamp: it gets what there is. strict: it"
        " waits.",
    )
    timeout = click.option(
        "--node-timeout",
        type=float,
        metavar="SECONDS",
        callback=_limit,
        help="How long one attempt of a node may take. Default: 300.",
    )
    return store_options(runtime(policy(timeout(command))))


@attrs.frozen
class StorePlaces:
    """Where artifacts are, as the options say it."""

    directory: str | None = None
    mount_roots: tuple[str, ...] = ()
    stores: str | None = None


def open_services(
    log: "EventLog", clock: "Clock", places: StorePlaces, db: str | None, *, private_endpoints: bool = True
) -> "ArtifactServices":
    """Return what handles artifacts; close it afterwards. Without *private_endpoints* flows name public servers only.

    Raises:
        CommandError: A directory, the key or the file of stores cannot be used.
    """
    from flowcore.errors import StoreError
    from flowcore_adapters.artifacts.services import artifact_services
    from flowcore_adapters.audited_log import audited

    try:
        return artifact_services(
            audited(log),
            clock,
            _store_directory(places, db),
            mount_roots=tuple(map(Path, places.mount_roots)),
            configured=_configured(places.stores),
            private_endpoints=private_endpoints,
        )
    except StoreError as error:
        raise CommandError(
            f"the artifacts cannot be used: {error}", hint="`--store-dir` names another place"
        ) from error


def open_book(log: "EventLog", places: StorePlaces, db: str | None) -> "StoreBook":
    """Return the stores of the runs in *log*, for who only looks after what is in them.

    Raises:
        CommandError: The file of stores cannot be used.
    """
    from flowcore_adapters.artifacts.book import StoreBook
    from flowcore_adapters.artifacts.factory import StoreSettings

    settings = StoreSettings(directory=_store_directory(places, db), mount_roots=tuple(map(Path, places.mount_roots)))
    return StoreBook(log, settings, _configured(places.stores))


def _store_directory(places: StorePlaces, db: str | None) -> Path:
    return log_path(db).parent / "artifacts" if places.directory is None else Path(places.directory)


def _configured(path: str | None) -> "Mapping[str, Store] | None":
    if path is None:
        return None
    from flowcore.errors import StoreConfigurationError
    from flowcore_adapters.artifacts.store_files import read_stores

    try:
        return read_stores(Path(path))
    except StoreConfigurationError as error:
        raise CommandError(str(error)) from error
