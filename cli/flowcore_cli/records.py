"""A run as the command shows it: folded from its log, when asked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

import attrs

from flowcore.ids import InstanceId, RunId
from flowcore.ports import EventLog
from flowcore.run.events import FanOutStarted, PauseCause
from flowcore.run.evolve import evolve
from flowcore.run.machine import RunStatus, StepStatus
from flowcore.run.policy import tolerated, word
from flowcore.run.state import InstanceState, RunState
from flowcore.values import Json
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusDocument, StatusView
from flowcore_cli.moments import Moment

COUNTED: Final = ("succeeded", "failed", "skipped", "stopped", "running", "pending")
"""The words that steps are counted under, in the order in which they are shown."""
_WORDS: Final = {StepStatus.READY: "pending", StepStatus.PAUSED: "pending", StepStatus.RETRYING: "running"}


class Counts(TypedDict):
    """How many steps stand where; `total` is all of them."""

    total: int
    succeeded: int
    failed: int
    skipped: int
    stopped: int
    running: int
    pending: int


class RunDocument(TypedDict):
    """A run in a list: `runs --json`. Times in seconds since the epoch."""

    run_id: int
    name: str
    state: str
    started_at: float | None
    ended_at: float | None
    duration: float | None
    step_counts: Counts


@attrs.frozen(kw_only=True)
class StepRecord:
    """One step of a run.

    Attributes:
        state: The machine's own word, which knows more than the five words of the status family.
        attempts: How often it was tried; of a fan-out, all its items together.
        items: How many items its fan-out has, or None when it has none.
        tolerated: Why its failure is no failure of the run, or None.
    """

    name: str
    state: str
    started_at: float | None
    ended_at: float | None
    attempts: int
    items: int | None
    notes: tuple[str, ...]
    tolerated: str | None


class RunRecord:
    """A run up to its latest event.

    Attributes:
        outputs: By step, in flow order, and output name; secrets blackened.
        status: What `/status` shows.
    """

    def __init__(self, log: EventLog, run_id: RunId, moment: Moment | None = None) -> None:
        """Fold *run_id* from *log*, up to *moment* if there is one.

        Raises:
            EventFormatError: An event cannot be read.
            LogError: The log cannot be read.
        """
        self._state = RunState()
        self._items: dict[str, int] = {}
        view, outputs = StatusView(), OutputsView()
        events = log.read(run_id)
        for recorded in events if moment is None else moment.until(events):
            evolve(self._state, recorded.event)
            view.evolve(recorded)
            outputs.evolve(recorded)
            if isinstance(recorded.event, FanOutStarted):
                self._items[recorded.event.step] = len(recorded.event.items)
        self.run_id = run_id
        self.status: StatusDocument = view.render()
        left = outputs.render()
        # In flow order: what is printed does not depend on which step was faster.
        self.outputs: Mapping[str, Mapping[str, Json]] = {
            step.id: left[step.id] for step in self._own if step.id in left
        }

    @property
    def found(self) -> bool:
        """Whether there is such a run."""
        return self._state.status is not RunStatus.NEW

    @property
    def name(self) -> str:
        """What the flow is called."""
        return self._state.flow.name

    @property
    def state(self) -> RunStatus:
        """Where the run stands."""
        return self._state.status

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._state.ended

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self._state.status is RunStatus.PAUSED

    @property
    def paused_at(self) -> tuple[InstanceId, PauseCause] | None:
        """The step at which it has paused, and why; None when it was paused by hand."""
        return self._state.paused_at

    @property
    def reason(self) -> str | None:
        """Why it was stopped, or None."""
        return self._state.stop_reason

    @property
    def started_at(self) -> float | None:
        """When it left the queue."""
        return self._state.started_at

    @property
    def duration(self) -> float | None:
        """How long it took, in seconds; None while it is not over."""
        started, ended = self._state.started_at, self._state.ended_at
        return None if started is None or ended is None else ended - started

    @property
    def _own(self) -> Sequence[InstanceState]:
        """The steps of the flow itself, without those of bodies."""
        return self._state.steps[: self._state.root.size]

    @property
    def counts(self) -> Counts:
        """How many steps stand where."""
        found = Counter(_WORDS.get(step.status, str(step.status)) for step in self._own)
        return {
            "total": len(self._own),
            "succeeded": found["succeeded"],
            "failed": found["failed"],
            "skipped": found["skipped"],
            "stopped": found["stopped"],
            "running": found["running"],
            "pending": found["pending"],
        }

    @property
    def steps(self) -> list[StepRecord]:
        """The steps, in flow order."""
        return [self._step(step) for step in self._own]

    def _step(self, step: InstanceState) -> StepRecord:
        shown = self.status["steps"][step.id]
        items = self._items.get(step.id)
        tried = (self._state.instances.get(InstanceId(f"{step.id}/{number}")) for number in range(items or 0))
        return StepRecord(
            name=step.id,
            state=str(step.status),
            started_at=shown["started_at"],
            ended_at=shown["ended_at"],
            attempts=step.attempt + sum(item.attempt for item in tried if item is not None),
            items=items,
            notes=tuple(shown["notes"]),
            tolerated=self._tolerated(step) if step.status is StepStatus.FAILED else None,
        )

    def _tolerated(self, step: InstanceState) -> str | None:
        flow = self._state.flow
        failed = flow.steps[step.index]
        dependents = [flow.steps[index] for index in self._state.dependents[step.index]]
        if not tolerated(flow, failed, dependents):
            return None
        words = dict.fromkeys(str(word(flow, failed, dependent)) for dependent in dependents) or {
            str(failed.on_error or flow.on_error): None
        }
        return f"on_error: {', '.join(words)}"

    def document(self) -> RunDocument:
        """Return the run as `runs --json` lists it."""
        return {
            "run_id": self.run_id,
            "name": self.name,
            "state": str(self.state),
            "started_at": self.started_at,
            "ended_at": self.status["ended_at"],
            "duration": self.duration,
            "step_counts": self.counts,
        }


def counts_text(counts: Counts) -> str:
    """Return the counts that are not zero: `3 succeeded, 1 failed`."""
    shown: Mapping[str, object] = counts
    return ", ".join(f"{shown[name]:,} {name}" for name in COUNTED if shown[name]) or "no steps"
