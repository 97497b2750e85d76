"""`/api/workflows/execution/batch/...` and `/executions/batches`: batches as the executions family has them.

The rules are those of documents/executions-api.md and of contract executions, section 3.
"""

from typing import Final

import falcon

from flowcore.batch.machine import BatchStatus
from flowcore.batch_service import find_batch, load_batch
from flowcore.errors import BatchNotFoundError, RunOwnedError
from flowcore.ids import BatchId, RunId, StreamId, item_run
from flowcore.ports import Clock, EventLog
from flowcore.service import load
from flowcore.views.batches import FILTERS, BatchSummary, batch_id_text, history
from flowcore_adapters.http.description.operations import UNCHANGED, operation
from flowcore_adapters.http.errors import RefusedError
from flowcore_adapters.http.incoming.admission import Admission
from flowcore_adapters.http.views.operations import BUSY, VIEW_QUERY
from flowcore_adapters.http.views.query import read_query
from flowcore_adapters.http.views.resource import tell_unchanged, wait_for
from flowcore_adapters.launching import stop_batches

from .operations import BATCH, CLEARED, HISTORY, HISTORY_QUERY, NO_BATCH, STOPPED
from .views import BatchViews

UNKNOWN: Final = "Batch not found"
REASON: Final = "Batch stopped by user"
DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 1_000
"""How many batches a page may have."""
_LARGEST: Final = 2**63 - 1


class BatchResource:
    """`GET /api/workflows/execution/batch/{batchId}`."""

    def __init__(self, log: EventLog, views: BatchViews, admission: Admission) -> None:
        """Show the batches of *log* through *views*."""
        self._log = log
        self._views = views
        self._admission = admission

    @operation(
        "The status of a batch and of all its items",
        query=VIEW_QUERY,
        answers={200: BATCH, 304: UNCHANGED, 404: NO_BATCH, 503: BUSY},
    )
    def on_get(self, request: falcon.Request, response: falcon.Response, batch_id: str) -> None:
        """Answer with the status, or with 304 when the caller has it."""
        query = read_query(request)
        number = _known(self._log, batch_id)
        try:
            page = self._views.page(number) if query.at is None else self._views.past(number, query.at)
            if query.after is not None and query.wait_s and page.position <= query.after:
                with self._admission.enter():
                    for _ in wait_for(self._log, request.env, query.wait_s):
                        page = self._views.page(number)
                        if page.position > query.after:
                            break
        except BatchNotFoundError as error:
            raise falcon.HTTPNotFound(title=UNKNOWN) from error
        if not tell_unchanged(request, response, page.position, query.after):
            response.content_type = falcon.MEDIA_JSON
            response.data = page.body

    on_head = on_get


class BatchHistoryResource:
    """`GET /api/workflows/executions/batches?status=&limit=&offset=`: newest first, page by page."""

    def __init__(self, log: EventLog, views: BatchViews) -> None:
        """Show the batches of *log* through *views*."""
        self._log = log
        self._views = views

    @operation("The batches, newest first", query=HISTORY_QUERY, answers={200: HISTORY})
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with a page of the history."""
        limit = _whole(request, "limit", DEFAULT_LIMIT, most=MAX_LIMIT)
        offset = _whole(request, "offset", 0, most=_LARGEST)
        status = request.get_param("status")
        if tell_unchanged(request, response, self._log.position()):
            return
        if status and status not in FILTERS:
            # Contract executions, section 3: "Unknown status value: 200, empty."
            response.media = history(0, limit, offset, ())
            return
        page = self._log.batches(status=FILTERS[status] if status else None, limit=limit, offset=offset)
        found: list[BatchSummary] = []
        for batch_id in page.batch_ids:
            try:
                found.append(self._views.summary(batch_id))
            except BatchNotFoundError:
                # It was cleared away since the page was made.
                continue
        response.media = history(page.total, limit, offset, found)

    on_head = on_get


class BatchStopResource:
    """`POST /api/workflows/execution/batch/{batchId}/stop`."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        """Stop batches of *log*."""
        self._log = log
        self._clock = clock

    @operation("Stop a batch and everything in its queue", answers={200: STOPPED, 404: NO_BATCH})
    def on_post(self, _request: falcon.Request, response: falcon.Response, batch_id: str) -> None:
        """Stop the batch, and answer when what ran has ended, or after a while; zeros when it was over."""
        try:
            number = find_batch(self._log, batch_id)
        except BatchNotFoundError as error:
            raise RefusedError(falcon.HTTP_404, f"Batch {batch_id[:200]} not found") from error
        stopped = stop_batches(self._log, [number], self._clock, reason=REASON)[number]
        response.media = {
            "success": True,
            "message": "Batch stopped",
            "batchId": batch_id_text(number),
            "stoppedExecutions": stopped.running + stopped.queued,
            "runningStopped": stopped.running,
            "queuedCancelled": stopped.queued,
        }


class BatchClearResource:
    """`DELETE /api/workflows/executions/batches/clear`: every batch that is over, with the runs of its items."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        """Delete batches of *log*."""
        self._log = log
        self._clock = clock

    @operation("Delete the batches that are over, and their runs", answers={200: CLEARED})
    def on_delete(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Delete them; those that are running are left out, and no id is ever used again (invariant I20)."""
        batches = runs = 0
        for status in FILTERS.values():
            if status is not BatchStatus.RUNNING:
                for batch_id in self._log.batches(status=status).batch_ids:
                    deleted = self._delete(batch_id)
                    if deleted is not None:
                        batches, runs = batches + 1, runs + deleted
        response.media = {
            "success": True,
            "message": "All batches and executions cleared",
            "batchesDeleted": batches,
            "executionsDeleted": runs,
        }

    def _delete(self, batch_id: BatchId) -> int | None:
        """Delete one batch with its runs, and return how many these were; None when it stays."""
        try:
            items = range(1, len(load_batch(self._log, batch_id).items) + 1)
        except BatchNotFoundError:
            return None
        run_ids = [run_id for run_id in (item_run(batch_id, item) for item in items) if self._log.version(run_id)]
        streams: list[StreamId] = [batch_id, *run_ids]
        try:
            # A batch that was stopped may have runs that are just ending: they are let end first.
            self._log.delete_runs(*streams, now=self._clock.now(), ended=self._ended(run_ids))
        except RunOwnedError:
            return None
        return len(run_ids)

    def _ended(self, run_ids: list[RunId]) -> bool:
        return all(load(self._log, run_id).ended for run_id in run_ids)


def _known(log: EventLog, text: str) -> BatchId:
    try:
        return find_batch(log, text)
    except BatchNotFoundError as error:
        raise falcon.HTTPNotFound(title=UNKNOWN) from error


def _whole(request: falcon.Request, name: str, default: int, *, most: int) -> int:
    """Return the parameter *name* as a whole number.

    Raises:
        HTTPBadRequest: It is none, too small or large, or there more than once.
    """
    given = request.params.get(name)
    if given is None:
        return default
    if not isinstance(given, str):
        raise falcon.HTTPBadRequest(title=f"'{name}' is given more than once")
    text = given
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or int(text) > most:
        raise falcon.HTTPBadRequest(title=f"'{name}' must be a whole number from 0 to {most}")
    return int(text)
