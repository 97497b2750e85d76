"""The names of things: one `NewType` for each kind of id.

A run has one integer id; every dialect derives its own spelling from it, and `parse_run_id` accepts them all
(design, section 3: `1733524800000`, `exec-1733524800000`, `run_1733524800000`).
"""

import re
from typing import Final, NewType

RunId = NewType("RunId", int)
"""Milliseconds since the epoch at which the run was created, strictly increasing in one log."""

BatchId = NewType("BatchId", int)
"""Like a run's id, and of the same sequence: no batch has the id of a run."""

StepName = NewType("StepName", str)
"""The name of a step in its flow: case-sensitive text, unique."""

InstanceId = NewType("InstanceId", str)
"""The path of one instance of a step: `fetch`, or `fetch/3` for the fourth item of a fan-out."""

_RUN_ID: Final = re.compile(r"(?:exec-|run_)?([0-9]{1,18})")


def parse_run_id(text: str) -> RunId | None:
    """Return the run id that *text* spells in any dialect, or None when it spells none."""
    match = _RUN_ID.fullmatch(text)
    return None if match is None else RunId(int(match.group(1)))


def item_id(step: StepName, index: int) -> InstanceId:
    """Return the path of item *index* (counted from 0) of the fan-out of *step*."""
    return InstanceId(f"{step}/{index}")
