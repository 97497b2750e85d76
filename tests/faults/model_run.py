"""A run as a dict knows it: what `/status`, `/outputs` and `explain` should say, worked out the simple way."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from flowcore.values import Json

SHAPES: Final[Sequence[Mapping[str, Sequence[str]]]] = (
    {"a": ()},
    {"a": (), "b": ("a",), "c": ("b",)},
    {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")},
    {"a": (), "b": (), "c": (), "d": ("a",)},
)
"""The dependencies of the steps."""
WORKERS: Final = 2
_WORDS: Final = {"ready": "pending", "retrying": "running", "stopped": "failed"}
_OVER: Final = frozenset({"succeeded", "failed", "skipped", "stopped"})


@attrs.define
class ModelStep:
    """One step."""

    needs: Sequence[str]
    status: str = "pending"
    attempt: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    outputs: Mapping[str, Json] | None = None
    outcomes: list[str] = attrs.field(factory=list[str])


@attrs.define
class ModelRun:
    """One run.

    Attributes:
        policy: What `on_error` of the flow says.
        tries: How many attempts each step may have.
    """

    run_id: int
    shape: Mapping[str, Sequence[str]]
    policy: str
    tries: int
    status: str = "queued"
    started_at: float | None = None
    ended_at: float | None = None
    stopping: bool = False
    halted: bool = False
    failed: bool = False
    steps: dict[str, ModelStep] = attrs.field(factory=dict[str, ModelStep])

    def __attrs_post_init__(self) -> None:
        self.steps = {name: ModelStep(needs) for name, needs in self.shape.items()}
        self._look()

    # What happens.

    def start(self, now: float) -> None:
        self.status, self.started_at = "running", now

    def startable(self) -> list[str]:
        """Return the steps of which an attempt may start."""
        busy = sum(step.status == "running" for step in self.steps.values())
        if self.status != "running" or self.stopping or self.halted or busy >= WORKERS:
            return []
        return [name for name, step in self.steps.items() if step.status in {"ready", "retrying"}]

    def running(self) -> list[str]:
        return [name for name, step in self.steps.items() if step.status == "running"]

    def begin(self, name: str, now: float) -> None:
        step = self.steps[name]
        step.status, step.attempt, step.started_at = "running", step.attempt + 1, step.started_at or now
        step.outcomes.append("running")

    def succeed(self, name: str, outputs: Mapping[str, Json], now: float) -> None:
        step = self.steps[name]
        step.outputs = outputs
        self._end_step(step, "succeeded", now)
        self._settle(now)

    def fail(self, name: str, now: float) -> None:
        step = self.steps[name]
        if step.attempt < self.tries and not (self.stopping or self.halted):
            step.status, step.outcomes[-1] = "retrying", "failed"
        else:
            self._fail(name, step, now)
        self._settle(now)

    def give_way(self, name: str, now: float) -> None:
        """End an attempt that was cancelled."""
        self._end_step(self.steps[name], "stopped", now)
        self._settle(now)

    def pause(self) -> bool:
        possible = self.status == "running" and not self.stopping
        if possible:
            self.status = "paused"
        return possible

    def go_on(self) -> bool:
        possible = self.status == "paused"
        if possible:
            self.status = "running"
        return possible

    def stop(self, now: float) -> bool:
        possible = not self.over and not self.stopping
        if possible:
            self.stopping = True
            if self.status == "queued":
                for step in self.steps.values():
                    step.status, step.ended_at = "skipped", now
                self.status, self.ended_at = "stopped", now
            else:
                self._settle(now)
        return possible

    @property
    def over(self) -> bool:
        return self.status in {"succeeded", "failed", "stopped"}

    def _fail(self, name: str, step: ModelStep, now: float) -> None:
        self._end_step(step, "failed", now)
        waited_for = any(name in each.needs for each in self.steps.values())
        if self.policy == "fail":
            self.failed = True
            self.halted = self.halted or waited_for

    def _end_step(self, step: ModelStep, status: str, now: float) -> None:
        step.status, step.ended_at, step.outcomes[-1] = status, now, status

    def _look(self) -> None:
        """See which steps have become ready."""
        for step in self.steps.values():
            if step.status == "pending" and all(self._lets(self.steps[need]) for need in step.needs):
                step.status = "ready"

    def _lets(self, need: ModelStep) -> bool:
        return need.status == "succeeded" or (need.status == "failed" and self.policy == "continue")

    def _settle(self, now: float) -> None:
        """Draw the consequences."""
        self._look()
        for _ in self.steps:
            for step in self.steps.values():
                needs = [self.steps[need] for need in step.needs]
                refused = any(need.status in _OVER and not self._lets(need) for need in needs)
                gone = step.status in {"pending", "ready"} and (self.stopping or self.halted)
                if gone or (step.status == "pending" and refused):
                    step.status, step.ended_at = "skipped", now
                elif step.status == "retrying" and (self.stopping or self.halted):
                    step.status, step.ended_at = "failed", now
        if all(step.status in _OVER for step in self.steps.values()):
            self.status = "stopped" if self.stopping else "failed" if self.failed else "succeeded"
            self.ended_at = now

    # What is shown.

    def shown(self) -> dict[str, Any]:
        """Return `/status`, but for the notes."""
        running = [name for name, step in self.steps.items() if step.status in {"running", "retrying"}]
        return {
            "run_id": self.run_id,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "total_steps": len(self.steps),
            "completed_steps": sum(step.status in {"succeeded", "failed", "stopped"} for step in self.steps.values()),
            "current_step": running[0] if running else None,
            "running_steps": running,
            "running_count": len(running),
            "steps": {
                name: {
                    "state": _WORDS.get(step.status, step.status),
                    "started_at": step.started_at,
                    "ended_at": step.ended_at,
                    "outputs": ["v"] if step.status == "succeeded" else [],
                }
                for name, step in self.steps.items()
            },
        }

    def outputs(self) -> dict[str, Json]:
        """Return `/outputs`."""
        return {name: step.outputs for name, step in self.steps.items() if step.outputs is not None}
