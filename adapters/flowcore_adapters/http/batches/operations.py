"""What the endpoints of batches take and answer, for `/openapi.json`."""

from typing import Final

from flowcore.values import Json
from flowcore.views.batches import FILTERS
from flowcore_adapters.http.description.operations import Answer, Parameter
from flowcore_adapters.http.description.schemas import COUNT, FLAG, OBJECT, TEXT, list_of, object_of

_TIME: Final[Json] = {"type": "integer", "description": "Milliseconds since the epoch."}
_ITEM: Final = object_of(
    {
        "executionId": TEXT,
        "workflowFileName": TEXT,
        "workflowPath": TEXT,
        "status": {"enum": ["queued", "running", "completed", "error", "stopped"]},
    },
    optional={"currentNodeId": TEXT, "error": TEXT},
    closed=True,
)
_HEAD: Final[dict[str, Json]] = {
    "batchId": TEXT,
    "status": {"enum": [*FILTERS]},
    "sourceType": {"enum": ["folder", "files", "workflows"]},
    "totalWorkflows": COUNT,
    "completed": COUNT,
    "failed": COUNT,
    "startTime": _TIME,
}
_FOLDER: Final[dict[str, Json]] = {"folderPath": TEXT}
BATCH: Final = object_of(
    {
        **_HEAD,
        "running": COUNT,
        "queued": COUNT,
        "endTime": {"type": ["integer", "null"]},
        "executions": list_of(_ITEM),
    },
    optional=_FOLDER,
    closed=True,
)
_SUMMARY: Final = object_of({}, optional={**_HEAD, **_FOLDER, "endTime": _TIME, "duration": COUNT}, closed=True)
HISTORY: Final = object_of({"total": COUNT, "limit": COUNT, "offset": COUNT, "batches": list_of(_SUMMARY)}, closed=True)
HISTORY_QUERY: Final = (
    Parameter("status", "Only batches that stand there; any other word finds none.", TEXT),
    Parameter("limit", "How many at most; 20 when left out.", {"type": "integer", "minimum": 0, "maximum": 1000}),
    Parameter("offset", "How many of the newest to leave out.", COUNT),
)
STOPPED: Final = object_of(
    {
        "success": FLAG,
        "message": TEXT,
        "batchId": TEXT,
        "stoppedExecutions": COUNT,
        "runningStopped": COUNT,
        "queuedCancelled": COUNT,
    },
    closed=True,
)
CLEARED: Final = object_of(
    {"success": FLAG, "message": TEXT, "batchesDeleted": COUNT, "executionsDeleted": COUNT}, closed=True
)
NO_BATCH: Final = Answer("There is no such batch.", OBJECT)
