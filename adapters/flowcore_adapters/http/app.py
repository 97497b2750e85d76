"""The WSGI application: every family a view of one event log, the guard in front."""

from typing import TYPE_CHECKING, Final

import attrs

from flowcore.ports import EventLog
from flowcore_adapters.audited_log import audited

from .audit import Auditor
from .description.openapi import described
from .execution_routes import execution_routes
from .executions.start_resources import Starting
from .flow_runs.resources import FAMILY, FlowRuns, flow_routes
from .health import HealthResource
from .incoming.admission import Admission
from .incoming.guard import Guard, GuardSettings
from .live.event_stream import EventStreamResource
from .live.socket_io import PATH as SOCKET_IO_PATH
from .live.socket_io import Missing, SocketIo
from .page.resources import page_routes
from .routed import routed
from .routing import Route, Scope
from .uploads.resources import PATH as UPLOAD_PATH
from .uploads.resources import UploadResource, Uploads
from .views.cache import ViewCache
from .views.history import DifferenceResource, EventsResource, ExplainResource
from .views.resource import OwnRun, ViewResource
from .views.shortcut import Shortcut

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS: Final = 16
"""How many threads a server should give the application at least."""


def routes(
    log: EventLog,
    *,
    threads: int = THREADS,
    own: OwnRun | None = None,
    uploads: Uploads | None = None,
    admission: Admission | None = None,
    flow_runs: FlowRuns | None = None,
    starting: Starting | None = None,
) -> tuple[Route, ...]:
    """Return everything that can be asked of *log*, and what can be put and fetched when there are *uploads*.

    Runs of flows of nodes are started as *flow_runs* say.
    """
    cache = ViewCache(log)
    admission = Admission(threads) if admission is None else admission
    flow_run = ViewResource(log, cache, admission, FAMILY, empty=b"null", own=own)
    status = ViewResource(log, cache, admission, "status", empty=b'{"status":"no-runner"}', own=own)
    outputs = ViewResource(log, cache, admission, "outputs", empty=b"{}", own=own)
    return (
        Route("/healthz", HealthResource(log), Scope.OPEN),
        *page_routes(),
        Route("/status", status, Scope.READ),
        Route("/outputs", outputs, Scope.READ),
        Route("/api/runs/{run_id}/events", EventsResource(log), Scope.READ),
        Route("/api/runs/{run_id}/explain", ExplainResource(log), Scope.READ),
        Route("/api/runs/{run_id}/diff/{other}", DifferenceResource(log), Scope.READ),
        *(() if uploads is None else (Route(UPLOAD_PATH, UploadResource(uploads), Scope.SIGNED),)),
        Route("/api/events", EventStreamResource(log, admission), Scope.READ),
        Route(SOCKET_IO_PATH, Missing(), Scope.READ),
        *execution_routes(
            log,
            cache=cache,
            admission=admission,
            own=own,
            starting=starting,
        ),
        *flow_routes(log, cache, flow_run, flow_runs or FlowRuns(), uploads),
    )


def create_app(
    log: EventLog,
    *,
    guard: GuardSettings | None = None,
    threads: int = THREADS,
    own: OwnRun | None = None,
    uploads: Uploads | None = None,
    flow_runs: FlowRuns | None = None,
    starting: Starting | None = None,
) -> "WSGIApplication":
    """Return the application over *log*.

    Who has asked for what is recorded in the runs and batches concerned; what *uploads* and *flow_runs* append to is
    `flowcore_adapters.audited_log.audited` by whoever makes them.

    Args:
        log: Where the runs are; this process or others may be driving them.
        guard: What the guard lets through; only local names without a token when None.
        threads: How many threads the server has; without more than four, no request may wait for news.
        own: The one run that "the most recent run" means, whatever else is recorded: for a server beside a run.
        uploads: The stores whose objects are put and fetched here; None for none.
        flow_runs: How runs of flows of nodes are started; None where none are.
        starting: What runs and batches are started and gone on with; without it this server does neither.
    """
    guard = guard or GuardSettings()
    log = audited(log)
    if starting is not None:
        recorded = attrs.evolve(starting.launcher, log=audited(starting.launcher.log))
        starting = attrs.evolve(starting, launcher=recorded)
    admission = Admission(threads)
    table = described(
        routes(
            log,
            threads=threads,
            own=own,
            uploads=uploads,
            admission=admission,
            flow_runs=flow_runs,
            starting=starting,
        )
    )
    scopes = {route.path: route.scope for route in table}
    application = routed(table)
    application.add_middleware(Auditor(scopes, token=guard.token is not None))
    views = {route.path: route.resource for route in table if isinstance(route.resource, ViewResource)}
    signed = None if uploads is None else uploads.signed
    live = SocketIo(Shortcut(application, views), log, admission)
    return Guard(live, guard, signed)
