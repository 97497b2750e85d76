"""Steering a run from anywhere: each function leaves a request in the log, which whoever drives the run acts on.

`flowcore-cli stop`, `pause` and `continue` and the endpoints of the same names are these functions. What is asked of a
run that nobody drives is done here, as far as nothing has to be driven for it.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import attrs

from flowcore.errors import RunOwnedError
from flowcore.ids import RunId
from flowcore.ports import Clock, EventLog
from flowcore.run.commands import StopRun
from flowcore.run.events import RunStopRequested
from flowcore.run.state import RunState
from flowcore.service import load, request

from .runner.ownership import end_stopped, is_driven

PATIENCE_S: Final = 2.0
"""How long the end of a run that was asked to stop is waited for, in seconds; it mostly comes within one."""


@attrs.frozen
class Stopped:
    """What became of the wish to stop a run.

    Attributes:
        was_running: Whether it was under way, paused included.
        was_queued: Whether it was waiting to start: it never will.
        ended: Whether it is over by now.
    """

    was_running: bool
    was_queued: bool
    ended: bool


def stop_run(log: EventLog, run_id: RunId, clock: Clock, *, reason: str, patience_s: float = PATIENCE_S) -> Stopped:
    """Have a run stopped, whichever process drives it, and wait for its end, at most *patience_s* seconds.

    Raises:
        RunNotFoundError: There is no such run.
    """
    return stop_runs(log, [run_id], clock, reason=reason, patience_s=patience_s)[run_id]


def stop_runs(
    log: EventLog, run_ids: Sequence[RunId], clock: Clock, *, reason: str, patience_s: float = PATIENCE_S
) -> Mapping[RunId, Stopped]:
    """Have runs stopped, whichever processes drive them, and wait for their ends, at most *patience_s* seconds.

    Raises:
        RunNotFoundError: There is no such run.
    """
    deadline = time.monotonic() + patience_s
    asked = {run_id: _ask(log, run_id, clock, reason) for run_id in run_ids}
    for run_id, found in asked.items():
        if not found.ended:
            state = wait_for_end(log, run_id, deadline - time.monotonic())
            asked[run_id] = attrs.evolve(found, ended=state.ended)
    return asked


def _ask(log: EventLog, run_id: RunId, clock: Clock, reason: str) -> Stopped:
    """Leave the request that a run be stopped, and see to it when nobody drives the run."""
    events = request(log, run_id, StopRun(at=clock.now(), reason=reason))
    state = load(log, run_id)
    # Without an event it was over before, or somebody else has asked and it is not over yet.
    running = any(isinstance(event, RunStopRequested) for event in events) or not (events or state.ended)
    if not state.ended and not is_driven(log, run_id, clock):
        # Nobody would act on it.
        with suppress(RunOwnedError):
            end_stopped(log, run_id, clock)
            state = load(log, run_id)
    return Stopped(running, bool(events) and not running, state.ended)


def wait_for_end(log: EventLog, run_id: RunId, patience_s: float) -> RunState:
    """Wait for the end of a run, at most *patience_s* seconds, and return where it stands.

    Raises:
        RunNotFoundError: There is no such run.
    """
    deadline = time.monotonic() + patience_s
    position = log.position()
    state = load(log, run_id)
    while not state.ended and (left_s := deadline - time.monotonic()) > 0:
        position = log.wait(position, left_s)
        if log.version(run_id) != state.version:
            state = load(log, run_id)
    return state
