"""The runner of the Python API (documents/python-api.md): one flow, run here and now."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeAlias

from flowcore.catalog import Catalog
from flowcore.documents.flow_document import compile_flow
from flowcore.errors import FlowDocumentError, Problem
from flowcore.ids import RunId
from flowcore.model import Flow
from flowcore.ports import EventLog
from flowcore.run.commands import StopRun
from flowcore.run.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptStopped,
    AttemptSucceeded,
    Event,
    FanOutFailed,
    FanOutStarted,
    FanOutSucceeded,
    GuardFailed,
    RetryAbandoned,
    StepSkipped,
)
from flowcore.service import create_run
from flowcore.views.follow import catch_up
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusReport, StatusView
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.config import load_flow, load_yaml_files
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.registry import Registry, load_registry

from .context import read_secrets
from .engine import GRACE_S, Engine
from .flows import Flows

OnStatus: TypeAlias = Callable[[str, str], None]
"""Told of each step and the state it has come to, after that is recorded."""
_LISTEN_S: Final = 0.25
_LOG: Final = logging.getLogger("flowcore.run")


class LocalRunner:
    """Runs one flow in this process.

    Each `run` is a run of its own in the log; `flows` and `status` show the latest one and may be read from any thread
    at any time.

    Attributes:
        config: The configuration as it was given.
        log: Where the run is recorded; in memory unless another log is given.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | Flow,
        on_status: OnStatus | None = None,
        *,
        max_workers: int | None = None,
        log: EventLog | None = None,
        registry: Registry | None = None,
    ) -> None:
        """Get ready to run the flow that *config* declares.

        Args:
            config: What `load_yaml_files` returns, or the like; a workflow document; or a compiled flow.
            on_status: Called with a step's name and state once that is recorded; what it raises is logged.
            max_workers: How many steps go on at once; the flow's own word, else 4, when None.
            log: Where to record.
            registry: The sources that are available; the installed ones when None.

        Raises:
            FlowDocumentError: *config* is no mapping.
        """
        _check_kind(config)
        self.config: Mapping[str, Any] = {} if isinstance(config, Flow) else config
        self.log: EventLog = SharedMemoryEventLog() if log is None else log
        self._flow: Flow | None = config if isinstance(config, Flow) else None
        self._on_status = on_status
        self._max_workers = max_workers
        self._registry = registry
        self._engine: Engine | None = None
        self._running = False
        self._stop_reason: str | None = None
        self._lock = Lock()
        self._run_id: RunId | None = None
        self._fresh = False
        self._status = StatusView()
        self._outputs = OutputsView()

    @property
    def sources(self) -> Mapping[str, Any]:
        """The declared sources, as they were given."""
        return self.config.get("sources") or {}

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """The declared steps, as they were given."""
        return self.config.get("flow") or ()

    @property
    def flow(self) -> Flow:
        """The compiled flow.

        Raises:
            FlowDocumentError: It cannot run.
        """
        if self._flow is None:
            self._flow = self._compiled(self._sources().catalog)
        return self._flow

    def _compiled(self, catalog: Catalog) -> Flow:
        if "nodes" not in self.config or "edges" not in self.config:
            return compile_flow(self.config, catalog)
        from flowcore.documents.workflows import compile_workflow, read_workflow

        return compile_workflow(read_workflow(self.config), catalog=catalog)

    @property
    def run_id(self) -> RunId:
        """The id of the latest run, or of the one to come."""
        return self.prepare()

    @property
    def flows(self) -> dict[str, dict[str, Any]]:
        """The outputs of the steps that have succeeded: ``{step: {output: value}}``, the caller's own to change."""
        run_id = self.prepare()
        with self._lock:
            return Flows(catch_up(self._outputs, self.log, run_id).render())

    @property
    def status(self) -> StatusReport:
        """Where the run stands now: `run_id`, `started_at`, `ended_at` and `steps`."""
        run_id = self.prepare()
        with self._lock:
            return catch_up(self._status, self.log, run_id).report()

    def prepare(self) -> RunId:
        """Record the run as queued, unless that was done, and return its id.

        Raises:
            FlowDocumentError: The flow cannot run.
        """
        flow = self.flow
        with self._lock:
            if self._run_id is None:
                self._queue(flow)
            return RunId(self._run_id or 0)

    def _queue(self, flow: Flow) -> None:
        # A run whose secrets are not to be found must not be left in the queue for ever.
        read_secrets(flow)
        self._run_id = create_run(self.log, flow, at=SystemClock().now(), max_workers=self._max_workers)
        self._fresh = True
        self._status, self._outputs = StatusView(), OutputsView()

    def run(self) -> None:
        """Run the flow and return when the run has ended, whatever became of its steps.

        A step that fails is no exception: look at `status`. On Ctrl-C the run is stopped and recorded as such before
        `KeyboardInterrupt` goes on.

        Raises:
            FlowDocumentError: The flow cannot run.
            LogError: The run could not be recorded.
        """
        run_id = self._take()
        listener = None if self._on_status is None else self._tell
        engine = Engine(self.log, self._sources(), SystemClock(), listener=listener)
        ended = engine.adopt(run_id)
        engine.start()
        with self._lock:
            self._engine = engine
            reason = self._stop_reason
        if reason is not None:
            self.stop(reason)
        try:
            # In short waits: a Ctrl-C that comes in the very moment before a wait is noticed when the wait is over.
            while not ended.wait(_LISTEN_S):
                pass
        except KeyboardInterrupt:
            self.stop("interrupted")
            ended.wait(2 * GRACE_S)
            raise
        finally:
            with self._lock:
                self._engine, self._running, self._stop_reason = None, False, None
            engine.close()
        engine.check()

    def stop(self, reason: str = "stopped") -> None:
        """Stop the run that is going on, if any; `run` returns when it has ended."""
        with self._lock:
            engine = self._engine
            if self._running:
                # The run may be just about to start: it finds the reason then.
                self._stop_reason = reason
        if engine is not None:
            engine.request(self.prepare(), StopRun(at=SystemClock().now(), reason=reason))

    def _take(self) -> RunId:
        """Return the queued run, or queue another one when it has been run."""
        self.prepare()
        with self._lock:
            if not self._fresh:
                self._queue(self.flow)
            self._fresh = False
            self._running = True
            return RunId(self._run_id or 0)

    def _sources(self) -> Registry:
        if self._registry is None:
            self._registry = load_registry()
        return self._registry

    def _tell(self, _run_id: RunId, events: Sequence[Event]) -> None:
        if self._on_status is None:
            return
        for event in events:
            told = _step_and_state(event)
            if told is None or ("/" in told[0] and told[0] not in self._status_names()):
                continue
            try:
                self._on_status(*told)
            except Exception:  # noqa: BLE001 - somebody else's code: what it does wrong must not stop the run
                _LOG.exception("on_status failed for step %s", told[0])

    def _status_names(self) -> frozenset[str]:
        return frozenset(step.name for step in self.flow.steps)


def _check_kind(config: object) -> None:
    """See that *config* is something that can hold a flow: whoever writes no types may bring anything."""
    if not isinstance(config, (Flow, Mapping)):
        message = f"a flow is a mapping with `flow` and `sources`, not {type(config).__name__}"
        raise FlowDocumentError([Problem(code="wrong-type", message=message)])


def _step_and_state(event: Event) -> tuple[str, str] | None:
    match event:
        case AttemptStarted(instance=name, attempt=1):
            return name, "running"
        case FanOutStarted(step=name):
            return name, "running"
        case AttemptSucceeded(instance=name):
            return name, "succeeded"
        case FanOutSucceeded(step=name):
            return name, "succeeded"
        case (
            AttemptFailed(instance=name, retry_at=None)
            | AttemptLost(instance=name, retry_at=None)
            | AttemptStopped(instance=name)
            | RetryAbandoned(instance=name)
        ):
            return name, "failed"
        case FanOutFailed(step=name) | GuardFailed(step=name):
            return name, "failed"
        case StepSkipped(instance=name):
            return name, "skipped"
        case _:
            return None


def run_flow(
    config_paths: Iterable[str | Path] | str | Path, *, max_workers: int | None = None, log: EventLog | None = None
) -> tuple[dict[str, dict[str, Any]], StatusReport]:
    """Run the flow of *config_paths* and return its outputs and its status (documents/python-api.md, "Basic Usage").

    Raises:
        FlowDocumentError: The flow cannot run.
        LogError: The run could not be recorded.
    """
    registry = load_registry()
    flow = load_flow(config_paths, registry.catalog)
    runner = LocalRunner(flow, max_workers=max_workers, log=log, registry=registry)
    runner.run()
    return dict(runner.flows), runner.status


__all__ = ["LocalRunner", "OnStatus", "load_yaml_files", "run_flow"]
