"""How nodes are run and where their artifacts are, for the commands that run them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from flowcore_cli.exits import CommandError
from flowcore_cli.storage import log_path

if TYPE_CHECKING:
    from flowcore.artifacts import Store
    from flowcore.ids import RunId
    from flowcore.ports import Clock, EventLog
    from flowcore_adapters.artifacts.book import StoreBook
    from flowcore_adapters.artifacts.services import ArtifactServices
    from flowcore_adapters.registry import Registry
    from flowcore_adapters.runner.budget import Budget

F = TypeVar("F", bound=Callable[..., Any])
CONTAINER = "container"
PROCESS = "process"
CLAMP = "clamp"


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


def runtime_options(command: F) -> F:
    """Give *command* the options that say how nodes are run, and where their artifacts are."""
    runtime = click.option(
        "--node-runtime",
        type=click.Choice([CONTAINER, PROCESS]),
        default=CONTAINER,
        show_default=True,
        help="What nodes run in. process: as programs of this machine, with no isolation at all.",
    )
    policy = click.option(
        "--tier-policy",
        type=click.Choice(["clamp", "strict"]),
        default=CLAMP,
        show_default=True,
        help="What becomes of a node whose tier is larger than this machine. clamp: it gets what there is. strict: it"
        " waits.",
    )
    return store_options(runtime(policy(command)))


@attrs.frozen
class StorePlaces:
    """Where artifacts are, as the options say it."""

    directory: str | None = None
    mount_roots: tuple[str, ...] = ()
    stores: str | None = None


@attrs.frozen
class NodeRuntime:
    """How nodes are run, as the options say it."""

    runtime: str = CONTAINER
    policy: str = CLAMP

    def registry(self, *, private_targets: bool = True, files_root: "Path | None" = None) -> "Registry":
        """Return the sources, `container` among them as the operator wants it.

        Args:
            private_targets: Whether calls may go to addresses that are not public.
            files_root: The folder below which workflows may read files; None for any.
        """
        from flowcore_adapters.registry import load_registry
        from flowcore_adapters.sources.container import ContainerSource

        if self.runtime == PROCESS:
            extra = {"container": ContainerSource(isolated=False)}
            return load_registry(extra, private_targets=private_targets, files_root=files_root)
        return load_registry(private_targets=private_targets, files_root=files_root)

    def budget(self) -> "Budget":
        """Return what nodes may use together."""
        from flowcore.documents.nodes.tiers import Fit
        from flowcore_adapters.runner.budget import Budget, this_machine

        return Budget(this_machine(), Fit(self.policy))

    def clear_up(self) -> None:
        """Remove the containers that programs left which have died."""
        if self.runtime == CONTAINER:
            from flowcore_adapters.sources.container.orphans import remove_orphans

            remove_orphans()


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
            configured=None if places.stores is None else _configured(Path(places.stores)),
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
    return StoreBook(log, settings, None if places.stores is None else _configured(Path(places.stores)))


def _store_directory(places: StorePlaces, db: str | None) -> Path:
    return log_path(db).parent / "artifacts" if places.directory is None else Path(places.directory)


def _configured(path: Path) -> "Mapping[str, Store]":
    import json

    from flowcore.artifacts import Store
    from flowcore_adapters.artifacts.factory import check_params

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        stores = {
            str(name): Store(type=str(each["type"]), params=dict(each.get("params", {})))
            for name, each in found.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) else "it must be a mapping of names to `type` and `params`"
        )
        raise CommandError(f"the file of stores cannot be used: {path}: {reason}") from error
    problems = [
        f"store '{name}': {each}"
        for name, store in stores.items()
        for each in check_params(store.type, store.params or {})
    ]
    if problems:
        raise CommandError(f"the file of stores cannot be used: {path}: {'; '.join(problems)}")
    return stores


def is_local(host: str) -> bool:
    """Return whether a server at *host* is reached by this machine alone."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def watched(drive: "Callable[[RunId], None]", services: "ArtifactServices") -> "Callable[[RunId], None]":
    """Return *drive*, after which what the run waits for in stores of others is looked for."""

    def drive_and_watch(run_id: "RunId") -> None:
        drive(run_id)
        services.polling.watch(run_id)

    return drive_and_watch
