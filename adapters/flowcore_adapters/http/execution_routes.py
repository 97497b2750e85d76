"""The paths of the executions family."""

from flowcore.ids import RunId
from flowcore.ports import Clock, EventLog
from flowcore_adapters.clock import SystemClock

from .batches.resources import (
    BatchClearResource,
    BatchHistoryResource,
    BatchResource,
    BatchStopResource,
)
from .batches.views import BatchViews
from .executions.active_runs import ActiveRuns
from .executions.resources import ActiveResource, ExecutionLogsResource, ExecutionResource, ExecutionStatusResource
from .executions.start_resources import ExecuteResource, ScanResource, Starting
from .executions.steering import (
    ContinueResource,
    PauseControlResource,
    PauseResource,
    Steering,
    StopAllResource,
    StopResource,
    TraceLogsResource,
)
from .incoming.admission import Admission
from .routing import Route, Scope
from .views.cache import ViewCache
from .views.resource import OwnRun, ViewResource


def execution_routes(
    log: EventLog,
    *,
    cache: ViewCache,
    admission: Admission,
    own: OwnRun | None = None,
    clock: Clock | None = None,
    starting: Starting | None = None,
) -> tuple[Route, ...]:
    """Return what can be asked about the runs and batches of *log*, and asked of them.

    Args:
        log: Where they are.
        cache: The views that are kept.
        admission: Who may wait for news.
        own: The one run that "the most recent run" means, or None.
        clock: The time.
        starting: What runs and batches are started and gone on with; None where neither is done.
    """
    view = ViewResource(log, cache, admission, "execution", empty=b'{"executionId":"","status":"idle"}', own=own)
    lines = ViewResource(log, cache, admission, "logs", empty=b"{}", own=own)
    active = ActiveRuns(log)
    clock = SystemClock() if clock is None else clock
    drive = _drive_nothing if starting is None else starting.launcher.drive
    steering = Steering(log, active, clock, own, drive, admission)
    batches = BatchViews(log)
    base = "/api/workflows/execution"
    starts = (
        ()
        if starting is None
        else (
            Route("/api/workflows/execute", ExecuteResource(starting), Scope.EXECUTE),
            Route("/api/workflows/scan", ScanResource(starting), Scope.READ),
        )
    )
    return (
        *starts,
        Route(f"{base}/batch/{{batch_id}}", BatchResource(log, batches, admission), Scope.READ),
        Route(f"{base}/batch/{{batch_id}}/stop", BatchStopResource(log, clock), Scope.OPERATE),
        Route(f"{base}s/batches", BatchHistoryResource(log, batches), Scope.READ),
        Route(f"{base}s/batches/clear", BatchClearResource(log, clock), Scope.ADMIN),
        Route(f"{base}/status", ExecutionStatusResource(log, view), Scope.READ),
        Route(f"{base}/{{execution_id}}", ExecutionResource(log, view), Scope.READ),
        Route(f"{base}/{{execution_id}}/logs", ExecutionLogsResource(log, lines), Scope.READ),
        Route(f"{base}s/active", ActiveResource(log, active, admission), Scope.READ),
        Route(f"{base}/stop", StopResource(steering), Scope.OPERATE),
        Route(f"{base}/stop-all", StopAllResource(steering), Scope.OPERATE),
        Route(f"{base}/pause", PauseResource(steering), Scope.OPERATE),
        Route(f"{base}/continue", ContinueResource(steering), Scope.OPERATE),
        Route(f"{base}/pause-control", PauseControlResource(steering), Scope.OPERATE),
        Route(f"{base}/trace-logs", TraceLogsResource(steering), Scope.OPERATE),
    )


def _drive_nothing(_run_id: RunId) -> None:
    """Leave it to whoever drives runs."""
