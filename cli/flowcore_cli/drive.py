"""Driving runs from the command: the engine runs them, this thread shows them and listens for signals."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from signal import Signals as Signal
from threading import Event as Flag
from threading import Thread
from typing import TypeAlias

import attrs

from flowcore.errors import FlowDocumentError
from flowcore.ids import BatchId, InstanceId, RunId
from flowcore.model import Flow
from flowcore.ports import EventLog
from flowcore.run.commands import StopRun
from flowcore.run.events import Event, PauseCause, RunCreated, StepPaused
from flowcore.run.evolve import fold
from flowcore.run.machine import RunStatus
from flowcore.service import load
from flowcore.values import Instant
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.config import compile_files, read_files
from flowcore_adapters.launching import LeftOver, stop_batches
from flowcore_adapters.registry import Registry
from flowcore_adapters.runner.context import RunContext
from flowcore_adapters.runner.engine import Engine
from flowcore_cli.nodes import NO_SECRETS, checked_nodes, compile_checked
from flowcore_cli.output import warn
from flowcore_cli.screens import Screen, SilentScreen, SteadyScreen
from flowcore_cli.signals import LISTEN_S, Signals
from flowcore_cli.workshop import Workshop


@attrs.frozen
class _Ended:
    pass


Told: TypeAlias = Callable[[RunId, tuple[InstanceId, PauseCause] | None], str]
"""Says what there is to say when a run has paused."""
Record: TypeAlias = Callable[[EventLog], RunId]
"""Records the run, or says which of the recorded ones it is."""
_Item: TypeAlias = "_Ended | Signal | Sequence[Event]"


def named_flow(paths: Sequence[str], registry: Registry, definitions: Sequence[str] = ()) -> Flow:
    """Return the flow of *paths* (see `named`)."""
    return named(paths, registry, definitions)[0]


def named(
    paths: Sequence[str], registry: Registry, definitions: Sequence[str] = ()
) -> tuple[Flow, Mapping[str, Mapping[str, str]]]:
    """Return the flow of *paths*, and the secrets of its stores, which are not in it.

    One without a name is called like its first file, so that `runs` can tell it.

    Args:
        paths: The flow files.
        registry: The sources.
        definitions: Files and directories of node definitions, for a flow of nodes.

    Raises:
        FlowDocumentError: It cannot run; a secret that is not to be found counts.
    """
    try:
        texts = read_files(paths)
        checked = checked_nodes(texts, definitions)
        flow, secrets = (
            (compile_files(texts, registry.catalog), NO_SECRETS) if checked is None else compile_checked(checked)
        )
    except FlowDocumentError:
        # A source that it misses may be installed and broken. Otherwise nobody needs to know, or to wait for the look.
        warn(registry.warnings)
        raise
    if not flow.name:
        flow = attrs.evolve(flow, name=Path(paths[0]).stem)
    check_secrets(flow, registry)
    return flow, secrets


def check_secrets(flow: Flow, registry: Registry) -> None:
    """See that the secrets of *flow* are there, before anything is recorded: a flow that cannot run leaves no trace.

    Raises:
        FlowDocumentError: Some are not to be found.
    """
    if flow.secrets:
        created = RunCreated(run_id=RunId(0), flow=flow, max_workers=1, at=Instant(0.0))
        RunContext(fold([created]), registry)


class Drive:
    """Runs that this command drives to their ends.

    Attributes:
        run_id: The one that the command is about; None when it is about whatever was left.
    """

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        screen: Screen,
        signals: Signals,
        *,
        record: Record | None = None,
        left: Sequence[RunId] = (),
        batches: Sequence[BatchId] = (),
        told: Told | None = None,
        nodes: Workshop | None = None,
    ) -> None:
        """Get ready to drive the run that *record* gives, and what was *left* and nobody else drives; then call `run`.

        Raises:
            LogError: It cannot be recorded.
            RunOwnedError: Another program drives it.
        """
        self._log = log
        self._clock = SystemClock()
        self._screen: Screen = SteadyScreen(screen)
        self._signals = signals
        self._inbox: SimpleQueue[_Item] = SimpleQueue()
        # From here on a signal must not leave a run behind that waits for ever.
        signals.collect(self._inbox)
        self._told = told
        listener = self._listen if told is not None or not isinstance(screen, SilentScreen) else None
        self._engine = Engine(
            log,
            registry,
            self._clock,
            listener=listener,
            handing=None if nodes is None else nodes.handing,
            budget=None if nodes is None else nodes.budget,
        )
        self._due = 0.0
        self._ended: dict[RunId, Flag] = {}
        self._ended_batches: dict[BatchId, Flag] = {}
        self.run_id: RunId | None = None
        try:
            if record is not None:
                self.run_id = record(log)
                self._ended[self.run_id] = self._engine.adopt(self.run_id)
                if told is not None:
                    self._tell_if_paused(log, self.run_id, told)
                if nodes is not None:
                    nodes.watch(self.run_id)
        except BaseException:
            signals.release()
            raise
        found = LeftOver()
        for run_id in left:
            with found.unless_driven(f"run {run_id}"):
                self._ended[run_id] = self._engine.adopt(run_id)
        for batch_id in batches:
            with found.unless_driven(f"batch {batch_id}"):
                self._ended_batches[batch_id] = self._engine.adopt_batch(batch_id)
        warn(found.warnings)

    def _tell_if_paused(self, log: EventLog, run_id: RunId, told: Told) -> None:
        """Say so when the run was paused before it came here."""
        state = load(log, run_id)
        if state.status is RunStatus.PAUSED:
            self._screen.say(told(run_id, state.paused_at))

    @property
    def run_ids(self) -> Sequence[RunId]:
        """The runs that are driven from here, apart from those of batches."""
        return tuple(self._ended)

    @property
    def batch_ids(self) -> Sequence[BatchId]:
        """The batches that are driven from here."""
        return tuple(self._ended_batches)

    def run(self) -> Signal | None:
        """Run to the end and return the signal that came in the meantime, or None.

        It has stopped the runs, unless it came when that was just over: their states tell.

        Raises:
            LogError: The log could not be written; what was recorded stays.
        """
        self._engine.start()
        Thread(target=self._wait, name="flowcore-cli-wait", daemon=True).start()
        try:
            stopped_by = self._follow()
            self._screen.close()
        except BaseException:
            self._engine.close(stop=True)
            raise
        finally:
            self._engine.close()
            self._signals.release()
        self._engine.check()
        return stopped_by or self._late_signal()

    def _late_signal(self) -> Signal | None:
        while not self._inbox.empty():
            item = self._inbox.get()
            if isinstance(item, Signal):
                return item
        return None

    def _follow(self) -> Signal | None:
        stopped_by: Signal | None = None
        while True:
            item = self._next()
            match item:
                case _Ended():
                    return stopped_by
                case Signal():
                    stopped_by = item
                    runs = "the run" if len(self._ended) == 1 else "all runs"
                    self._screen.say(f"{item.name}: stopping {runs} (once more to leave at once)")
                    for run_id in self._ended:
                        self._engine.request(run_id, StopRun(at=self._clock.now(), reason=item.name))
                    stop_batches(self._log, self.batch_ids, self._clock, reason=item.name)
                case _:
                    self._screen.take(item)
                    self._tell_pauses(item)

    def _tell_pauses(self, events: Sequence[Event]) -> None:
        if self._told is not None and self.run_id is not None:
            for event in events:
                if isinstance(event, StepPaused):
                    self._screen.say(self._told(self.run_id, (event.instance, event.cause)))

    def _next(self) -> _Item:
        """Return the next item; meanwhile the screen ticks, also when one item follows the other without a pause."""
        while (tick_s := self._screen.tick_s) is not None:
            now = self._clock.monotonic()
            if now >= self._due:
                self._due = now + tick_s
                self._screen.tick()
            try:
                return self._inbox.get(timeout=max(self._due - now, 0.0))
            except Empty:
                continue
        while True:
            # A signal that comes in the very moment before a wait is noticed when the wait is over, and not before.
            with suppress(Empty):
                return self._inbox.get(timeout=LISTEN_S)

    def _wait(self) -> None:
        for ended in (*self._ended.values(), *self._ended_batches.values()):
            ended.wait()
        self._inbox.put(_Ended())

    def _listen(self, _run_id: RunId, events: Sequence[Event]) -> None:
        self._inbox.put(events)
