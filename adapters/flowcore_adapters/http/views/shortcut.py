"""The way past falcon for the questions that nearly all requests are: GET of a view, and no query.

Asking again whether anything is new should cost what the server itself costs; making falcon's request and response
objects takes longer than finding the answer.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .resource import ViewResource

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Shortcut:
    """Answers what can be answered at once, as the application would, and leaves everything else to it."""

    def __init__(self, application: "WSGIApplication", views: Mapping[str, ViewResource]) -> None:
        """Stand in front of *application*, which has *views* at these paths."""
        self._application = application
        self._views = views

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        view = self._views.get(environ["PATH_INFO"])
        if view is None or environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
            return self._application(environ, start_response)
        try:
            answer = view.plain(environ)
        except Exception:  # noqa: BLE001 - nothing is lost: the application meets it again and says what it is
            answer = None
        if answer is None:
            return self._application(environ, start_response)
        status, headers, body = answer
        start_response(status, [*headers])
        return [body] if body else []
