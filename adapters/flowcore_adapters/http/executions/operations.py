"""What the endpoints of the executions family take and answer, for `/openapi.json`."""

from collections.abc import Mapping
from typing import Final

from flowcore.values import Json
from flowcore_adapters.http.description.operations import Answer
from flowcore_adapters.http.description.schemas import (
    COUNT,
    FLAG,
    FROM_ONE,
    OBJECT,
    TEXT,
    WHOLE,
    list_of,
    object_of,
)

_WORD: Final[Json] = {"enum": ["idle", "queued", "running", "completed", "error", "stopped"]}
EXECUTION: Final = object_of(
    {"executionId": TEXT, "status": _WORD},
    optional={
        "currentNodeId": TEXT,
        "error": TEXT,
        "pausedNodeId": {"type": ["string", "null"]},
        "pauseReason": {"enum": ["wait-pause", "breakpoint", None]},
    },
    closed=True,
)
ACTIVE: Final = object_of({"totalActive": COUNT, "executions": list_of(EXECUTION)}, closed=True)
_LINE: Final = object_of(
    {
        "timestamp": WHOLE,
        "nodeId": TEXT,
        "step": TEXT,
        "attempt": FROM_ONE,
        "stream": TEXT,
        "message": TEXT,
        "line": TEXT,
    }
)
LOGS: Final = object_of({"executionId": TEXT, "traceLogs": FLAG, "omitted": COUNT, "logs": list_of(_LINE)})
DONE: Final = object_of({"success": FLAG, "message": TEXT})
NAMED: Final = object_of(
    {}, optional={"executionId": {"type": ["string", "null"], "description": "The run, in any spelling."}}
)
STEERED: Final[Mapping[int, "Answer | Json"]] = {
    200: DONE,
    400: Answer("It cannot be done now, or there is nothing to do it to.", OBJECT),
    404: Answer("There is no such run.", DONE),
}


def with_fields(**fields: Json) -> Json:
    """Return the body that may name a run and has *fields* beside."""
    return object_of({}, optional={"executionId": {"type": ["string", "null"]}, **fields})
