"""The application for WSGI servers: `gunicorn flowcore_adapters.http.wsgi:app`, `waitress-serve --call ...:get_app`.

It has its settings from the environment, and nothing else of flowcore's HTTP side reads that:

    FLOWCORE_DB                 the event log, in a directory that is there; the user's own when it is not set
    FLOWCORE_TOKEN              what `Authorization: Bearer` must bring, or a browser's user as the password
    FLOWCORE_ALLOW_HOSTS        names that requests may use beside the local ones, separated by commas
    FLOWCORE_ALLOW_ORIGINS      origins of other sites that may call, separated by commas
    FLOWCORE_STORE_DIR          where artifacts are, and those go whose lifetime is over; without it `artifacts` beside
                                the event log where runs are driven, and elsewhere nothing can be put or fetched
    FLOWCORE_STORES             a JSON file of this server's own stores: their names, each with `type` and `params`
    FLOWCORE_MOUNT_ROOTS        directories below which stores of flows may be mounted, separated by colons
    FLOWCORE_URL_KEY            the keys of the URLs to put and fetch with; without it a file in that directory
    FLOWCORE_PUBLIC_URL         what the server is called from outside, for the URLs of uploads
    FLOWCORE_THREADS            how many threads the server has, for requests that wait for news
    FLOWCORE_INSECURE_NO_AUTH   1 to answer other machines without a token
    FLOWCORE_START              1 to drive runs and batches here: those that requests start, and those that were left
    FLOWCORE_WORKFLOWS_ROOT     the folder below which requests may name folders; the working directory when not set
    FLOWCORE_BATCH_WORKERS      how many items of all batches go on at once in each process; 4 when not set
    FLOWCORE_PRIVATE_TARGETS    1 to let flows call addresses of this machine and of private networks
    FLOWCORE_NODE_RUNTIME       container, or process: what nodes run in; process has no isolation at all
    FLOWCORE_NODE_TIMEOUT       how many seconds one attempt of a node may take; 300 when not set
    FLOWCORE_TIER_POLICY        clamp, or strict: what becomes of nodes that are larger than this machine

Where the server is bound is unknown here. So other machines are answered only when there is a token that is long
enough, and a Host header may bring the port that the server says it listens on.
"""

import atexit
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

import attrs

from flowcore.errors import LogError, StoreConfigurationError
from flowcore.ports import EventLog
from flowcore_adapters.artifacts.services import ArtifactServices, artifact_services
from flowcore_adapters.audited_log import audited
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.launching import Launcher
from flowcore_adapters.logs.location import make_default_path
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.node_runs import NodeRuns
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.workflow_files import WorkflowFolders

from .app import create_app
from .environment import Settings, SettingsError, read_settings
from .executions.start_resources import Starting
from .flow_runs.service import NodeService
from .incoming.admission import KEPT_FREE
from .lazy import LazyApplication

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_LOG: Final = logging.getLogger("flowcore.http")
_TROUBLE: Final[Mapping[type[Exception], str]] = {
    LogError: "the event log cannot be opened",
    SettingsError: "the settings of this server are wrong",
    StoreConfigurationError: "the artifacts cannot be used",
}
_FEW: Final = KEPT_FREE + 1
"""Threads of a server that has some and does not say how many: one request may wait."""


def get_app(*, threads: int = _FEW) -> "WSGIApplication":
    """Return the application that the environment describes.

    Args:
        threads: How many threads the server has, unless the environment says so.

    Raises:
        SettingsError: The environment says something that cannot be; nothing is opened then.
        LogError: The event log cannot be opened.
        StoreConfigurationError: The key of the URLs cannot be used.
    """
    settings = read_settings(os.environ)
    with ExitStack() as opened:
        application = _open(settings, opened, threads)
        # Nobody tells an application that its server ends.
        atexit.register(opened.pop_all().close)
    return application


def _open(settings: Settings, opened: ExitStack, threads: int) -> "WSGIApplication":
    """Return the application; what is to be closed with it, or if it cannot be made, is *opened*."""
    guard = settings.guard
    count = settings.threads or threads
    log = opened.enter_context(closing(SqliteEventLog(settings.named_db or make_default_path())))
    services = _services(settings, log)
    if services is None:
        return create_app(log, guard=guard, threads=count)
    opened.callback(services.close)
    driven = _drive(settings, log, services, opened) if settings.start else None
    # Several processes may look for objects whose time is over: each of these is there for one of them alone.
    services.lifetimes.start()
    nodes = NodeService(
        services=services, launch=None if driven is None else driven.launch, public_url=settings.public_url
    )
    return create_app(
        log,
        guard=guard,
        threads=count,
        uploads=nodes.uploads(),
        flow_runs=nodes.flow_runs(log),
        starting=None if driven is None else driven.starting,
    )


def _services(settings: Settings, log: EventLog) -> ArtifactServices | None:
    """Return what handles artifacts where somebody has said where they are; where runs are driven there is a place."""
    directory = settings.store_dir or (settings.db.parent / "artifacts" if settings.start else None)
    if directory is None:
        return None
    return artifact_services(
        audited(log),
        SystemClock(),
        directory,
        mount_roots=settings.mount_roots,
        configured=settings.stores,
        # Without a token only this machine is answered, but a proxy counts as that: only the operator knows.
        private_endpoints=settings.private_targets or not settings.start,
    )


@attrs.frozen
class _Driven:
    """What requests start runs with, and go on with them.

    Attributes:
        launch: Starts runs of nodes.
    """

    starting: Starting
    launch: NodeRuns


def _drive(settings: Settings, log: EventLog, services: ArtifactServices, opened: ExitStack) -> _Driven:
    """Drive runs in this process, as long as it lasts: those that requests start, and those that were left."""
    runtime, root, clock = settings.runtime, settings.workflows_root, SystemClock()
    registry = runtime.registry(private_targets=settings.private_targets, files_root=root)
    engine = Engine(
        log,
        registry,
        clock,
        batch_workers=settings.batch_workers,
        handing=services.handing,
        budget=runtime.budget(),
    )
    # Whoever goes on with what is left need not wait until the lease is over.
    opened.callback(engine.close, timeout_s=1.0)
    runtime.clear_up()
    launcher = Launcher(log, clock, engine, services.polling.watch)
    for warning in launcher.go_on().warnings:
        _LOG.warning("%s", warning)
    engine.start()
    return _Driven(
        Starting(launcher, registry.catalog, WorkflowFolders(root)),
        NodeRuns(log, clock, launcher.drive, services.book),
    )


def _make(environ: "WSGIEnvironment") -> "WSGIApplication":
    # One request at a time: none of them may wait for news.
    return get_app(threads=_FEW if environ["wsgi.multithread"] else 1)


app = LazyApplication(_make, _TROUBLE)
"""Opened at the first request: a server that forks must not hand an open log to its children."""
