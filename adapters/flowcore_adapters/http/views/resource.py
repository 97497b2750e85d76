"""`GET /status` and `GET /outputs` (documents/status-api.md): one resource for every view of a run."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import falcon

from flowcore.errors import RunNotFoundError
from flowcore.ids import RunId
from flowcore.ports import EventLog
from flowcore_adapters.http.description.operations import operation
from flowcore_adapters.http.description.schemas import OBJECT
from flowcore_adapters.http.incoming.admission import Admission

from .cache import Headers, Page, ViewCache
from .operations import RUN_QUERY, VIEW_ANSWERS
from .query import LATEST, ViewQuery, read_query

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GONE: Final = "flowcore.gone"
"""In the WSGI environment of a server that knows: a function that tells whether nobody wants the answer any more."""
OwnRun: TypeAlias = Callable[[], RunId | None]
"""Tells which run a server stands beside; None while there is none yet."""
_LOOK_S: Final = 0.5
"""How often, in seconds, a request that waits looks whether it still should."""


class ViewResource:
    """One family's view: of the most recent run, of a named one, as it was, or as soon as there is news."""

    def __init__(
        self, log: EventLog, cache: ViewCache, admission: Admission, family: str, *, empty: bytes, own: OwnRun | None
    ) -> None:
        """Show the view *family* of the runs in *log*; *empty* is the answer while there is no run at all."""
        self._log = log
        self._cache = cache
        self._admission = admission
        self._family = family
        self._empty = empty
        self._own = own
        self._latest: tuple[int, Page] | None = None

    @operation(
        "What a run shows, or the most recent one",
        query=RUN_QUERY,
        answers={200: OBJECT, **VIEW_ANSWERS},
    )
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the view, or with 304 when the caller has it."""
        self.answer(request, response, read_query(request))

    on_head = on_get

    def answer(self, request: falcon.Request, response: falcon.Response, query: ViewQuery) -> None:
        """Answer *query* with the view, or with 304 when the caller has it."""
        page = self._page(query) if query.after is None else self._news(request, query, query.after)
        if page is None:
            response.set_header("Cache-Control", "no-cache")
            response.content_type = falcon.MEDIA_JSON
            response.data = self._empty
        elif (query.after is not None and page.position <= query.after) or has_etag(request.env, page.etag):
            response.status = falcon.HTTP_304
            response.set_headers(page.validators)
        else:
            response.set_headers(page.headers)
            response.data = page.body

    def plain(self, environ: "WSGIEnvironment") -> tuple[str, Headers, bytes] | None:
        """Return status, headers and body of a GET without a query, as `on_get` has them; None when there is no run."""
        # Nothing new in the whole log is nothing new here: one question to it instead of two. Read before the page.
        position = self._log.position()
        latest = self._latest
        if latest is not None and latest[0] == position:
            page: Page | None = latest[1]
        else:
            page = self._page(LATEST)
            self._latest = None if page is None else (position, page)
        if page is None:
            return None
        if has_etag(environ, page.etag):
            return falcon.HTTP_304, page.validators, b""
        return falcon.HTTP_200, page.headers, page.body

    def _page(self, query: ViewQuery) -> Page | None:
        """Return the page that *query* asks for; None when there is no run at all."""
        run_id = query.run_id
        if query.at is not None:
            return self._cache.past(self._family, self._newest_at(query.at) if run_id is None else run_id, query.at)
        if run_id is None:
            run_id = self._newest()
            if run_id is None:
                return None
        return self._cache.page(self._family, run_id)

    def _newest(self) -> RunId | None:
        """Return the most recent run, or the own one; None when there is none."""
        if self._own is not None:
            return self._own()
        newest = self._log.runs(limit=1)
        return newest[0] if newest else None

    def _newest_at(self, position: int) -> RunId:
        """Return the run that was the most recent one when the log was at *position*.

        Raises:
            RunNotFoundError: There was none yet.
        """
        newest = self._newest()
        if newest is not None and (self._own is not None or self._created_at(newest) <= position):
            return newest
        # Ids grow with time, and so with the log.
        earlier = sorted(self._log.runs())
        count = bisect_right(earlier, position, key=self._created_at)
        if not count:
            raise RunNotFoundError(f"there was no run yet when the log was at position {position}")
        return earlier[count - 1]

    def _created_at(self, run_id: RunId) -> int:
        """Return the position of the first event of a run."""
        return next(self._log.read(run_id)).position

    def _news(self, request: falcon.Request, query: ViewQuery, after: int) -> Page | None:
        """Return the page as soon as it is past *after*, or as it is when the wait is over."""
        page = self._page(query)
        if query.wait_s and (page is None or page.position <= after):
            with self._admission.enter():
                for _ in wait_for(self._log, request.env, query.wait_s):
                    page = self._page(query)
                    if page is not None and page.position > after:
                        break
        return page


def wait_for(log: EventLog, environ: "WSGIEnvironment", seconds: float) -> Iterator[None]:
    """Yield whenever there may be news in *log*, for so many *seconds*, and as long as somebody wants the answer.

    The first time comes at once: what was appended since the caller has last looked must not be waited for.
    """
    deadline = time.monotonic() + seconds
    gone = environ.get(GONE)
    position = log.position()
    yield
    while (left_s := deadline - time.monotonic()) > 0 and not (gone is not None and gone()):
        position = log.wait(position, min(left_s, _LOOK_S))
        yield


def tell_unchanged(request: falcon.Request, response: falcon.Response, position: int, after: int | None = None) -> bool:
    """Say that the answer is as of *position* in the log; return whether the caller has it, and is told so with 304.

    Args:
        request: What is answered.
        response: Takes the headers; the body is for whoever called, unless the caller has it.
        position: Where the log was.
        after: A position that the caller has seen, or None.
    """
    etag = f'"{position}"'
    response.set_headers([("Cache-Control", "no-cache"), ("ETag", etag)])
    known = (after is not None and position <= after) or has_etag(request.env, etag)
    if known:
        response.status = falcon.HTTP_304
    return known


def has_etag(environ: "WSGIEnvironment", etag: str) -> bool:
    """Return whether `If-None-Match` names *etag*: alone, in a list, weakly, or as `*`."""
    given = environ.get("HTTP_IF_NONE_MATCH")
    if given is None or given == etag:
        return given is not None
    return any(part.strip().removeprefix("W/") in {etag, "*"} for part in given.split(","))
