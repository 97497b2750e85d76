"""The names of things: one `NewType` for each kind of id.

A run has one integer id; every dialect derives its own spelling from it, and `parse_run_id` accepts them all
(design, section 3: `1733524800000`, `exec-1733524800000`, `run_1733524800000`). A batch takes its id from the same
sequence, and the runs of its items the ids that follow it: item 3 of `batch-1733524800000` is the run 1733524800003,
which the executions family calls `exec-1733524800000-3`. So one integer names one stream, and no table is needed to get
from one spelling to the other.
"""

import re
from typing import Final, NewType, TypeAlias

RunId = NewType("RunId", int)
"""Milliseconds since the epoch at which the run was created, strictly increasing in one log."""

BatchId = NewType("BatchId", int)
"""Milliseconds since the epoch at which the batch was created, from the same increasing sequence as those of runs."""

StreamId: TypeAlias = RunId | BatchId
"""What has a stream of events in the log."""

StepName = NewType("StepName", str)
"""The name of a step in its flow: case-sensitive text, unique."""

InstanceId = NewType("InstanceId", str)
"""The path of one instance of a step: `fetch`, `fetch/3` for the fourth item of a fan-out, `loop/3/click` in a body."""

_RUN_ID: Final = re.compile(r"(?:exec-|run_)?([0-9]{1,18})")
_BATCH_ID: Final = re.compile(r"(?:batch-)?([0-9]{1,18})")
_ITEM_ID: Final = re.compile(r"exec-([0-9]{1,18})-([1-9][0-9]{0,5})")


def flow_run_id(run_id: RunId) -> str:
    """Return how the flow family spells *run_id*."""
    return f"run_{run_id}"


def parse_run_id(text: str) -> RunId | None:
    """Return the run id that *text* spells in any dialect, or None when it spells none.

    For the spelling of an item (`exec-<batch>-<number>`) it is the id that the item's run has if there is such an item:
    whoever looks it up sees to that, with `parse_item_id`.
    """
    match = _RUN_ID.fullmatch(text)
    if match is not None:
        return RunId(int(match.group(1)))
    item = parse_item_id(text)
    return None if item is None else item_run(*item)


def parse_batch_id(text: str) -> BatchId | None:
    """Return the batch id that *text* spells (`batch-1733524800000`, or the number alone), or None."""
    match = _BATCH_ID.fullmatch(text)
    return None if match is None else BatchId(int(match.group(1)))


def parse_item_id(text: str) -> tuple[BatchId, int] | None:
    """Return the batch and the number (counted from 1) of the item that *text* spells, or None when it spells none."""
    match = _ITEM_ID.fullmatch(text)
    return None if match is None else (BatchId(int(match.group(1))), int(match.group(2)))


def item_run(batch_id: BatchId, number: int) -> RunId:
    """Return the run of item *number* (counted from 1) of a batch."""
    return RunId(batch_id + number)


def item_number(batch_id: BatchId, run_id: RunId) -> int:
    """Return which item of the batch *run_id* is, counted from 1."""
    return run_id - batch_id


def item_id(step: StepName, index: int) -> InstanceId:
    """Return the path of item *index* (counted from 0) of the fan-out of *step*."""
    return InstanceId(f"{step}/{index}")


def child_id(instance: InstanceId, step: StepName) -> InstanceId:
    """Return the path of *step* in the body that *instance* runs."""
    return InstanceId(f"{instance}/{step}")


def top_step(instance: InstanceId) -> StepName:
    """Return the step of the flow itself that *instance* is of, or is in the body of."""
    return StepName(instance.partition("/")[0])
