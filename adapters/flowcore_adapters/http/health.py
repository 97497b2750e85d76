"""`GET /healthz`: whether the server and its log answer."""

import falcon

from flowcore.errors import LogError
from flowcore.ports import EventLog

from .description.operations import Answer, operation
from .description.schemas import OBJECT


class HealthResource:
    """For load balancers and supervisors; the only page that needs no token."""

    def __init__(self, log: EventLog) -> None:
        """Look at *log*."""
        self._log = log

    @operation(
        "Whether the server and its log answer",
        answers={200: OBJECT, 503: Answer("The event log does not answer.", OBJECT)},
    )
    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer 200 ``{"status": "ok"}``, or 503 when the log does not answer."""
        try:
            self._log.position()
        except LogError:
            response.status = falcon.HTTP_503
            response.media = {"status": "log-unavailable"}
            return
        response.media = {"status": "ok"}

    on_head = on_get
