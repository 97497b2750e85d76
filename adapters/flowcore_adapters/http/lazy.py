"""An application that is made at its first request."""

import logging
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final

from .errors import error_body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG: Final = logging.getLogger("flowcore.http")


class LazyApplication:
    """Made at the first request: what a server imports it hands to its children, and may be told its settings later."""

    def __init__(
        self, make: "Callable[[WSGIEnvironment], WSGIApplication]", trouble: Mapping[type[Exception], str]
    ) -> None:
        """Have *make* called once, with the first request.

        Args:
            make: Makes the application; called again for the next request when it could not.
            trouble: What *make* may raise, and what requests are told of it then: the rest is for the operator alone.
        """
        self._make = make
        self._trouble = trouble
        self._lock = Lock()
        self._application: WSGIApplication | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        application = self._application
        if application is None:
            try:
                application = self._made(environ)
            except tuple(self._trouble) as error:
                _LOG.error("no request can be answered: %s", error)
                body = error_body(next(text for kind, text in self._trouble.items() if isinstance(error, kind)))
                headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
                start_response("500 Internal Server Error", headers)
                return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        return application(environ, start_response)

    def _made(self, environ: "WSGIEnvironment") -> "WSGIApplication":
        with self._lock:
            if self._application is None:
                self._application = self._make(environ)
            return self._application
