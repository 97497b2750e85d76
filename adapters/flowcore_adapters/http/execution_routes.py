"""The paths of the executions family that are about single runs."""

from collections.abc import Callable

from flowcore.ids import RunId
from flowcore.ports import Clock, EventLog
from flowcore_adapters.clock import SystemClock

from .active_runs import ActiveRuns
from .admission import Admission
from .execution_resources import ActiveResource, ExecutionLogsResource, ExecutionResource, ExecutionStatusResource
from .execution_steering import (
    ContinueResource,
    PauseControlResource,
    PauseResource,
    Steering,
    StopAllResource,
    StopResource,
    TraceLogsResource,
)
from .routing import Route, Scope
from .view_cache import ViewCache
from .view_resource import OwnRun, ViewResource


def execution_routes(
    log: EventLog,
    *,
    cache: ViewCache,
    admission: Admission,
    own: OwnRun | None = None,
    clock: Clock | None = None,
    drive: Callable[[RunId], None] | None = None,
) -> tuple[Route, ...]:
    """Return what can be asked about the runs of *log*, and asked of them; *drive* sees that a run is driven."""
    view = ViewResource(log, cache, admission, "execution", empty=b'{"executionId":"","status":"idle"}', own=own)
    lines = ViewResource(log, cache, admission, "logs", empty=b"{}", own=own)
    active = ActiveRuns(log)
    steering = Steering(log, active, SystemClock() if clock is None else clock, own, drive or _drive_nothing)
    base = "/api/workflows/execution"
    return (
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
