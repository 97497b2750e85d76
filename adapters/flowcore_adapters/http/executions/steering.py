"""`POST /api/workflows/execution/...`: stop, stop all, pause, continue, pause control and trace logs.

Each leaves a request in the log for whoever drives the run, in this process or another. What a run can do is decided by
the run (`flowcore.run.decide`); here is only how that is asked and told.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs
import falcon

from flowcore.batch_service import batch_of, find_run, stop_batch, unfinished_batches
from flowcore.errors import CommandRejectedError, RunNotFoundError
from flowcore.ids import RunId
from flowcore.ports import Clock, EventLog
from flowcore.run.commands import Command, ContinueRun, PauseRun, SkipPaused, ToggleTrace
from flowcore.run.machine import RunStatus
from flowcore.service import load, request
from flowcore.values import Instant, Json
from flowcore.views.executions import batch_id, execution_id
from flowcore_adapters.http.description.operations import operation
from flowcore_adapters.http.errors import RefusedError
from flowcore_adapters.http.incoming.admission import Admission
from flowcore_adapters.http.incoming.json_body import read_object
from flowcore_adapters.http.views.resource import OwnRun
from flowcore_adapters.steering import PATIENCE_S, stop_run, stop_runs

from .active_runs import ActiveRuns
from .operations import DONE, NAMED, STEERED, with_fields

_REASON: Final = "Execution stopped by user"
_NONE: Final = "No execution running"
_NOT_PAUSED: Final = "Execution is not paused"
_UNKNOWN: Final = "Execution not found"


@attrs.frozen
class Steering:
    """What these endpoints have in common.

    Attributes:
        drive: Has a run driven from here when nobody drives it; does nothing where no runs are driven.
    """

    log: EventLog
    active: ActiveRuns
    clock: Clock
    own: OwnRun | None
    drive: Callable[[RunId], None]
    admission: Admission

    @contextmanager
    def patience(self) -> Generator[float]:
        """Give for how long, in seconds, the end of what is stopped may be waited for: not at all without a place."""
        try:
            self.admission.take()
        except falcon.HTTPServiceUnavailable:
            # Stopping is never refused; the answer only comes before the end.
            yield 0.0
            return
        try:
            yield PATIENCE_S
        finally:
            self.admission.give_back()

    def named(self, body: Mapping[str, Json], unknown: str = _UNKNOWN) -> RunId | None:
        """Return the run that *body* names; None when it names none.

        Raises:
            RefusedError: There is no such run, or the name is no text.
        """
        given = body.get("executionId")
        # An empty name is none, as it always was in this family.
        if given is None or given == "":
            return None
        if not isinstance(given, str):
            raise RefusedError(falcon.HTTP_400, "'executionId' must be text")
        try:
            run_id = find_run(self.log, given)
        except RunNotFoundError as error:
            raise RefusedError(falcon.HTTP_404, unknown.format(given[:200])) from error
        if next(self.log.read(run_id), None) is None:
            # A batch has a version too.
            raise RefusedError(falcon.HTTP_404, unknown.format(given[:200]))
        return run_id

    def newest(self) -> RunId | None:
        """Return the most recent run, whether it goes on or not; for a server beside a run, that one."""
        if self.own is not None:
            return self.own()
        found = self.log.runs(limit=1)
        return found[0] if found else None

    def paused(self, body: Mapping[str, Json]) -> RunId:
        """Return the run that *body* names, or the most recent paused one, and see that it is paused.

        Raises:
            RefusedError: There is none, or it is not paused.
        """
        run_id = self.named(body)
        if run_id is None:
            run_id = self.active.newest_paused()
            if run_id is None:
                raise RefusedError(falcon.HTTP_400, _NONE if self.newest() is None else _NOT_PAUSED)
        elif load(self.log, run_id).status is not RunStatus.PAUSED:
            raise RefusedError(falcon.HTTP_400, _NOT_PAUSED)
        return run_id

    def go_on(self, run_id: RunId, command: Command) -> None:
        """Have *command* let a paused run go on.

        Raises:
            RefusedError: Somebody else was quicker.
        """
        try:
            changed = request(self.log, run_id, command)
        except CommandRejectedError as error:
            raise RefusedError(falcon.HTTP_400, _NOT_PAUSED) from error
        if not changed:
            raise RefusedError(falcon.HTTP_400, _NOT_PAUSED)
        self.drive(run_id)


class StopResource:
    """`POST /api/workflows/execution/stop`."""

    def __init__(self, steering: Steering) -> None:
        """Stop runs through *steering*."""
        self._steering = steering

    @operation("Stop a run", answers=STEERED, body=NAMED)
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Stop a run, and answer when it has ended, or after a while."""
        steering = self._steering
        run_id = steering.named(read_object(request), "Execution {} not found") or steering.newest()
        if run_id is None:
            # Not an error in this family.
            response.media = {"success": False, "message": _NONE}
            return
        with steering.patience() as patience_s:
            stopped = stop_run(steering.log, run_id, steering.clock, reason=_REASON, patience_s=patience_s)
        response.media = {
            "success": True,
            "message": "Execution stopped",
            "executionId": execution_id(run_id, batch_of(steering.log, run_id)),
            "wasRunning": stopped.was_running,
            "wasQueued": stopped.was_queued,
        }


class StopAllResource:
    """`POST /api/workflows/execution/stop-all`: batches, and the runs that belong to none."""

    def __init__(self, steering: Steering) -> None:
        """Stop runs through *steering*."""
        self._steering = steering

    @operation("Stop all batches and all runs", answers={200: DONE})
    def on_post(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Stop everything that is active, and answer when it has ended, or after a while."""
        steering = self._steering
        now = steering.clock.now()
        # Batches first: what they have in their queues would start otherwise.
        batches = {
            batch: stop_batch(steering.log, batch, at=now, reason=_REASON) for batch in unfinished_batches(steering.log)
        }
        active = steering.active.batches()
        with steering.patience() as patience_s:
            found = stop_runs(steering.log, list(active), steering.clock, reason=_REASON, patience_s=patience_s)
        # Items have been counted with their batch: here their ends are only waited for.
        single = [stopped for run_id, stopped in found.items() if active[run_id] not in batches]
        running = sum(batch.running for batch in batches.values()) + sum(each.was_running for each in single)
        queued = sum(batch.queued for batch in batches.values()) + sum(each.was_queued for each in single)
        response.media = {
            "success": True,
            "message": "All executions stopped",
            "totalBatches": len(batches),
            "totalStopped": running + queued,
            "runningStopped": running,
            "queuedCancelled": queued,
            "batches": [batch_id(batch) for batch in batches],
        }


class PauseResource:
    """`POST /api/workflows/execution/pause`, which the family did not have: any run can be paused."""

    def __init__(self, steering: Steering) -> None:
        """Pause runs through *steering*."""
        self._steering = steering

    @operation("Pause a run", answers=STEERED, body=NAMED)
    def on_post(self, http_request: falcon.Request, response: falcon.Response) -> None:
        """Let nothing new of a run start."""
        steering = self._steering
        run_id = steering.named(read_object(http_request)) or steering.newest()
        if run_id is None:
            raise RefusedError(falcon.HTTP_400, _NONE)
        try:
            request(steering.log, run_id, PauseRun(at=steering.clock.now()))
        except (CommandRejectedError, RunNotFoundError) as error:
            raise RefusedError(falcon.HTTP_400, "Execution is not running") from error
        if load(steering.log, run_id).status is not RunStatus.PAUSED:
            raise RefusedError(falcon.HTTP_400, "Execution is not running")
        response.media = {"success": True, "message": "Execution paused"}


class ContinueResource:
    """`POST /api/workflows/execution/continue`."""

    def __init__(self, steering: Steering) -> None:
        """Continue runs through *steering*."""
        self._steering = steering

    @operation("Let a paused run go on", answers=STEERED, body=NAMED)
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Let a paused run go on."""
        steering = self._steering
        run_id = steering.paused(read_object(request))
        steering.go_on(run_id, ContinueRun(at=steering.clock.now()))
        response.media = {"success": True, "message": "Execution continued"}


Action: TypeAlias = Callable[[Instant], Command]
ACTIONS: Final[Mapping[str, tuple[Action, str]]] = MappingProxyType(
    {
        "continue": (lambda at: ContinueRun(at=at), "Execution continued"),
        "skip": (lambda at: SkipPaused(at=at), "Node will be skipped"),
        "continueWithoutBreakpoint": (
            lambda at: ContinueRun(at=at, breakpoints=False),
            "Execution continued without breakpoint",
        ),
    }
)
"""What lets a paused run go on, and what is answered then; `stop` is the fourth action."""


class PauseControlResource:
    """`POST /api/workflows/execution/pause-control`: continue, stop, skip, continueWithoutBreakpoint."""

    def __init__(self, steering: Steering) -> None:
        """Steer runs through *steering*."""
        self._steering = steering

    @operation(
        "Let a paused run go on, in one way or another, or stop it",
        answers=STEERED,
        body=with_fields(action={"enum": [*ACTIONS, "stop"]}),
    )
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Do what the action says; found first, then paused, then the action."""
        steering = self._steering
        body = read_object(request)
        run_id = steering.paused(body)
        action = body.get("action")
        if action == "stop":
            with steering.patience() as patience_s:
                stop_run(steering.log, run_id, steering.clock, reason=_REASON, patience_s=patience_s)
            response.media = {"success": True, "message": "Execution stopped"}
            return
        known = ACTIONS.get(action) if isinstance(action, str) else None
        if known is None:
            shown = action if isinstance(action, str) else "none given" if action is None else "no text"
            raise RefusedError(falcon.HTTP_400, f"Invalid action: {shown[:200]}")
        command, message = known
        steering.go_on(run_id, command(steering.clock.now()))
        response.media = {"success": True, "message": message}


class TraceLogsResource:
    """`POST /api/workflows/execution/trace-logs`."""

    def __init__(self, steering: Steering) -> None:
        """Trace runs through *steering*."""
        self._steering = steering

    @operation(
        "Record the lines of a run's steps from here on, or do not",
        answers=STEERED,
        body=with_fields(enabled={"type": "boolean"}),
        body_required=True,
    )
    def on_post(self, http_request: falcon.Request, response: falcon.Response) -> None:
        """Have the lines of a run's steps recorded from here on, or not any more; also of one that is over."""
        steering = self._steering
        body = read_object(http_request)
        enabled = body.get("enabled")
        if not isinstance(enabled, bool):
            raise RefusedError(falcon.HTTP_400, "'enabled' is required: true or false")
        run_id = steering.named(body) or steering.newest()
        if run_id is None:
            raise RefusedError(falcon.HTTP_400, _NONE)
        request(steering.log, run_id, ToggleTrace(enabled=enabled, at=steering.clock.now()))
        response.media = {"success": True, "message": f"Trace logs {'enabled' if enabled else 'disabled'}"}
