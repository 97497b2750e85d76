"""What the endpoints of batches take and answer, for `/openapi.json`."""

from typing import Final

from flowcore.values import Json
from flowcore.views.batches import FILTERS
from flowcore_adapters.http.description.operations import OBJECT, Answer, Parameter

_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_TIME: Final[Json] = {"type": "integer", "description": "Milliseconds since the epoch."}
_WORD: Final[Json] = {"enum": [*FILTERS]}
_SOURCE: Final[Json] = {"enum": ["folder", "files", "workflows"]}
_ITEM: Final[Json] = {
    "type": "object",
    "required": ["executionId", "workflowFileName", "workflowPath", "status"],
    "properties": {
        "executionId": {"type": "string"},
        "workflowFileName": {"type": "string"},
        "workflowPath": {"type": "string"},
        "status": {"enum": ["queued", "running", "completed", "error", "stopped"]},
        "currentNodeId": {"type": "string"},
        "error": {"type": "string"},
    },
    "additionalProperties": False,
}
_HEAD: Final[dict[str, Json]] = {
    "batchId": {"type": "string"},
    "status": _WORD,
    "sourceType": _SOURCE,
    "folderPath": {"type": "string"},
    "totalWorkflows": _COUNT,
    "completed": _COUNT,
    "failed": _COUNT,
    "startTime": _TIME,
}
BATCH: Final[Json] = {
    "type": "object",
    "required": [
        "batchId",
        "status",
        "sourceType",
        "totalWorkflows",
        "completed",
        "running",
        "queued",
        "failed",
        "startTime",
        "endTime",
        "executions",
    ],
    "properties": {
        **_HEAD,
        "running": _COUNT,
        "queued": _COUNT,
        "endTime": {"type": ["integer", "null"]},
        "executions": {"type": "array", "items": _ITEM},
    },
    "additionalProperties": False,
}
HISTORY: Final[Json] = {
    "type": "object",
    "required": ["total", "limit", "offset", "batches"],
    "properties": {
        "total": _COUNT,
        "limit": _COUNT,
        "offset": _COUNT,
        "batches": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {**_HEAD, "endTime": _TIME, "duration": _COUNT},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
HISTORY_QUERY: Final = (
    Parameter("status", "Only batches that stand there; any other word finds none.", {"type": "string"}),
    Parameter("limit", "How many at most; 20 when left out.", {"type": "integer", "minimum": 0, "maximum": 1000}),
    Parameter("offset", "How many of the newest to leave out.", _COUNT),
)
STOPPED: Final[Json] = {
    "type": "object",
    "required": ["success", "message", "batchId", "stoppedExecutions", "runningStopped", "queuedCancelled"],
    "properties": {
        "success": {"type": "boolean"},
        "message": {"type": "string"},
        "batchId": {"type": "string"},
        "stoppedExecutions": _COUNT,
        "runningStopped": _COUNT,
        "queuedCancelled": _COUNT,
    },
    "additionalProperties": False,
}
CLEARED: Final[Json] = {
    "type": "object",
    "required": ["success", "message", "batchesDeleted", "executionsDeleted"],
    "properties": {
        "success": {"type": "boolean"},
        "message": {"type": "string"},
        "batchesDeleted": _COUNT,
        "executionsDeleted": _COUNT,
    },
    "additionalProperties": False,
}
NO_BATCH: Final = Answer("There is no such batch.", OBJECT)
