"""`GET /api/workflows/execution/...` and `/executions/active`: runs as the executions family shows them."""

from typing import Final

import falcon

from flowcore.batch_service import find_run
from flowcore.errors import RunNotFoundError
from flowcore.ports import EventLog
from flowcore.views.executions import active_list, encode
from flowcore_adapters.http.description.operations import UNCHANGED, Parameter, operation
from flowcore_adapters.http.description.schemas import TEXT
from flowcore_adapters.http.incoming.admission import Admission
from flowcore_adapters.http.views.operations import BUSY, VIEW_ANSWERS, VIEW_QUERY
from flowcore_adapters.http.views.query import read_query
from flowcore_adapters.http.views.resource import ViewResource, tell_unchanged, wait_for

from .active_runs import ActiveRuns
from .operations import ACTIVE, EXECUTION, LOGS

UNKNOWN: Final = "Execution not found"


class ExecutionResource:
    """`GET /api/workflows/execution/{executionId}`."""

    def __init__(self, log: EventLog, view: ViewResource) -> None:
        """Show runs of *log* through *view*."""
        self._log = log
        self._view = view

    @operation("The status of a run", query=VIEW_QUERY, answers={200: EXECUTION, **VIEW_ANSWERS})
    def on_get(self, request: falcon.Request, response: falcon.Response, execution_id: str) -> None:
        """Answer with the status of one run."""
        show(self._log, self._view, request, response, execution_id)

    on_head = on_get


class ExecutionLogsResource:
    """`GET /api/workflows/execution/{executionId}/logs`: what its steps wrote while it was traced."""

    def __init__(self, log: EventLog, view: ViewResource) -> None:
        """Show the lines of runs of *log* through *view*."""
        self._log = log
        self._view = view

    @operation("The lines that the steps of a run wrote", query=VIEW_QUERY, answers={200: LOGS, **VIEW_ANSWERS})
    def on_get(self, request: falcon.Request, response: falcon.Response, execution_id: str) -> None:
        """Answer with the newest lines of one run."""
        show(self._log, self._view, request, response, execution_id)

    on_head = on_get


class ExecutionStatusResource:
    """`GET /api/workflows/execution/status[?executionId=]`: of the most recent run without an id."""

    def __init__(self, log: EventLog, view: ViewResource) -> None:
        """Show runs of *log* through *view*."""
        self._log = log
        self._view = view

    @operation(
        "The status of a run, or of the most recent one",
        query=(Parameter("executionId", "The run, in any spelling.", TEXT), *VIEW_QUERY),
        answers={200: EXECUTION, **VIEW_ANSWERS},
    )
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the status of one run."""
        show(self._log, self._view, request, response, request.get_param("executionId") or None)

    on_head = on_get


def show(
    log: EventLog,
    view: ViewResource,
    request: falcon.Request,
    response: falcon.Response,
    execution_id: str | None,
) -> None:
    """Answer with what *view* shows of a run, in any spelling of its id; None is the most recent one.

    Raises:
        HTTPNotFound: There is no such run.
    """
    query = read_query(request)
    try:
        run_id = None if execution_id is None else find_run(log, execution_id)
        view.answer(request, response, query.of(run_id))
    except RunNotFoundError as error:
        raise falcon.HTTPNotFound(title=UNKNOWN) from error


class ActiveResource:
    """`GET /api/workflows/executions/active`: everything that is queued, running or paused."""

    def __init__(self, log: EventLog, active: ActiveRuns, admission: Admission) -> None:
        """Show the *active* runs of *log*."""
        self._log = log
        self._active = active
        self._admission = admission

    @operation("The runs that have not ended", query=VIEW_QUERY, answers={200: ACTIVE, 304: UNCHANGED, 503: BUSY})
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the list, or with 304 when the caller has it."""
        query = read_query(request)
        if query.at is not None:
            position, found = query.at, self._active.past(query.at)
        else:
            position, found = self._active.documents()
            if query.after is not None and query.wait_s and position <= query.after:
                with self._admission.enter():
                    for _ in wait_for(self._log, request.env, query.wait_s):
                        position, found = self._active.documents()
                        if position > query.after:
                            break
        if not tell_unchanged(request, response, position, query.after):
            response.content_type = falcon.MEDIA_JSON
            response.data = encode(active_list(found))

    on_head = on_get
