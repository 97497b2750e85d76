"""The page and the runner behind it as one WSGI application, with the guard in front (contract safety)."""

import math
import os
from typing import TYPE_CHECKING, Final

import falcon

from flowcore_adapters.http.app import THREADS
from flowcore_adapters.http.description.openapi import described
from flowcore_adapters.http.description.operations import Answer, operation
from flowcore_adapters.http.description.schemas import OBJECT, TEXT
from flowcore_adapters.http.environment import read_guard
from flowcore_adapters.http.incoming.admission import Admission
from flowcore_adapters.http.incoming.guard import Guard, GuardSettings
from flowcore_adapters.http.page.resources import page_routes
from flowcore_adapters.http.routed import routed
from flowcore_adapters.http.routing import Route, Scope
from flowcore_adapters.http.views.operations import RUN_QUERY, VIEW_ANSWERS
from flowcore_adapters.http.views.query import read_once

from .runner import Runner, RunnerAnswer, RunnerError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_WAIT_S: Final = 1.0
"""How long a question waits for news at most, in seconds: no server in front of us says that nobody waits any more, and
a program that ends waits for its last threads."""


class RunnerResource:
    """`/status` and `/outputs`: what the runner answers."""

    def __init__(self, runner: Runner, admission: Admission, path: str) -> None:
        """Hand on what *runner* answers at *path*."""
        self._runner = runner
        self._admission = admission
        self._path = path

    @operation(
        "What the runner answers: the view of its most recent run, or of a named one",
        query=RUN_QUERY,
        answers={
            200: OBJECT,
            **VIEW_ANSWERS,
            500: Answer("The runner cannot show its run.", OBJECT),
            502: Answer("The runner does not answer, or not as a runner does.", OBJECT),
        },
    )
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Ask the runner, and hand its answer on.

        Raises:
            HTTPBadGateway: There is no such answer.
            HTTPServiceUnavailable: Too many requests are waiting for news.
        """
        response.stream = self._ask("GET", request, response).body

    def on_head(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the headers alone."""
        self._ask("HEAD", request, response)

    def _ask(self, method: str, request: falcon.Request, response: falcon.Response) -> RunnerAnswer:
        query = read_once(request)
        known = request.get_header("If-None-Match")
        headers = {} if known is None else {"If-None-Match": known}
        try:
            if "wait" in query:
                with self._admission.enter():
                    answer = self._runner.ask(method, self._path, {**query, "wait": _bounded(query["wait"])}, headers)
            else:
                answer = self._runner.ask(method, self._path, query, headers)
        except RunnerError as error:
            raise falcon.HTTPBadGateway(title=str(error)) from error
        response.status = falcon.code_to_http_status(answer.status)
        response.set_headers(answer.headers)
        return answer


def _bounded(seconds: str) -> str:
    """Return no more than `_WAIT_S`; what is no number the runner refuses."""
    try:
        wanted = float(seconds)
    except ValueError:
        return seconds
    return seconds if math.isnan(wanted) or wanted < _WAIT_S else f"{_WAIT_S:g}"


class AliveResource:
    """`GET /healthz`: whether the page is served; whether there is a runner is its own business."""

    @operation("Whether the page is served", answers={200: {"type": "object", "properties": {"status": TEXT}}})
    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer 200 ``{"status": "ok"}``."""
        response.media = {"status": "ok"}

    on_head = on_get


def create_webui(
    runner: Runner | None = None, *, guard: GuardSettings | None = None, threads: int = THREADS
) -> "WSGIApplication":
    """Return the page, at `/`, with the `/status` and `/outputs` of the runner that it shows.

    Args:
        runner: Whom to ask; by default whom the environment names at that moment.
        guard: What the guard lets through; only local names without a token when None.
        threads: How many threads the server has.
    """
    runner = runner or Runner(threads)
    admission = Admission(threads)
    table = (
        Route("/healthz", AliveResource(), Scope.OPEN),
        *page_routes("/"),
        *(Route(path, RunnerResource(runner, admission, path), Scope.READ) for path in ("/status", "/outputs")),
    )
    return Guard(routed(described(table)), guard or GuardSettings())


def get_webui() -> "WSGIApplication":
    """Return the page that the environment describes (see the package).

    Raises:
        SettingsError: The environment says something that cannot be.
    """
    return create_webui(guard=read_guard(os.environ))
