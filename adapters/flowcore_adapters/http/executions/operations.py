"""What the endpoints of the executions family take and answer, for `/openapi.json`."""

from collections.abc import Mapping
from typing import Final

from flowcore.values import Json
from flowcore_adapters.http.description.operations import OBJECT, POSITION, UNCHANGED, Answer, Parameter
from flowcore_adapters.http.views.query import LONGEST_WAIT_S

_NODE: Final[Json] = {"type": ["string", "null"]}
_REASON: Final[Json] = {"enum": ["wait-pause", "breakpoint", None]}
_WORD: Final[Json] = {"enum": ["idle", "queued", "running", "completed", "error", "stopped"]}
EXECUTION: Final[Json] = {
    "type": "object",
    "required": ["executionId", "status"],
    "properties": {
        "executionId": {"type": "string"},
        "status": _WORD,
        "currentNodeId": {"type": "string"},
        "error": {"type": "string"},
        "pausedNodeId": _NODE,
        "pauseReason": _REASON,
    },
    "additionalProperties": False,
}
ACTIVE: Final[Json] = {
    "type": "object",
    "required": ["totalActive", "executions"],
    "properties": {
        "totalActive": {"type": "integer", "minimum": 0},
        "executions": {"type": "array", "items": EXECUTION},
    },
    "additionalProperties": False,
}
LOGS: Final[Json] = {
    "type": "object",
    "required": ["executionId", "traceLogs", "omitted", "logs"],
    "properties": {
        "executionId": {"type": "string"},
        "traceLogs": {"type": "boolean"},
        "omitted": {"type": "integer", "minimum": 0},
        "logs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["timestamp", "nodeId", "step", "attempt", "stream", "message", "line"],
                "properties": {
                    "timestamp": {"type": "integer"},
                    "nodeId": {"type": "string"},
                    "step": {"type": "string"},
                    "attempt": {"type": "integer", "minimum": 1},
                    "stream": {"type": "string"},
                    "message": {"type": "string"},
                    "line": {"type": "string"},
                },
            },
        },
    },
}
DONE: Final[Json] = {
    "type": "object",
    "required": ["success", "message"],
    "properties": {"success": {"type": "boolean"}, "message": {"type": "string"}},
}
NAMED: Final[Json] = {
    "type": "object",
    "properties": {"executionId": {"type": ["string", "null"], "description": "The run, in any spelling."}},
}
VIEW_QUERY: Final = (
    Parameter("at", "As it was when the log was at this position.", POSITION),
    Parameter("after", "A position that the caller has seen: 304 unless something has happened since.", POSITION),
    Parameter("wait", f"With `after`: for how many seconds to wait, {LONGEST_WAIT_S:g} at most.", {"type": "number"}),
)
BUSY: Final = Answer("Too many requests are waiting for news.", OBJECT)
VIEW_ANSWERS: Final[Mapping[int, "Answer | Json"]] = {
    200: EXECUTION,
    304: UNCHANGED,
    404: Answer("There is no such run, or there was none yet.", OBJECT),
    503: BUSY,
}
STEERED: Final[Mapping[int, "Answer | Json"]] = {
    200: DONE,
    400: Answer("It cannot be done now, or there is nothing to do it to.", OBJECT),
    404: Answer("There is no such run.", DONE),
}


def with_fields(**fields: Json) -> Json:
    """Return the body that may name a run and has *fields* beside."""
    properties: dict[str, Json] = {"executionId": {"type": ["string", "null"]}, **fields}
    return {"type": "object", "properties": properties}
