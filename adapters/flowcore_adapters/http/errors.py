"""What goes wrong, as JSON: ``{"error": "message"}``, never a traceback and nothing of how the server is made."""

import json
import logging
from typing import Final, TypeVar

import falcon

from flowcore.errors import EventFormatError, FlowcoreError, LogError

from .incoming.request_body import BodyTooLargeError

_LOG: Final = logging.getLogger("flowcore.http")
_STATUSES: Final = {
    "run-not-found": falcon.HTTP_404,
    "version-conflict": falcon.HTTP_409,
    "artifact-not-awaited": falcon.HTTP_409,
    "artifact-type": falcon.HTTP_415,
    "object-exists": falcon.HTTP_409,
    "object-name": falcon.HTTP_409,
    "object-not-found": falcon.HTTP_404,
    "object-too-large": falcon.HTTP_413,
    # RFC 9110, section 15.5.20: not able to answer for what is asked for; over another connection it may be.
    "store-elsewhere": falcon.HTTP_421,
}
"""HTTP statuses by the code of the error; what is not named is a fault of ours."""
_RequestT = TypeVar("_RequestT", bound=falcon.Request)


class RefusedError(Exception):
    """What a request asks for cannot be done; the answer is ``{"success": false, "message": "..."}``."""

    def __init__(self, status: str, message: str) -> None:
        """Answer *status* with *message*."""
        self.status = status
        super().__init__(message)


def install(application: "falcon.App[_RequestT, falcon.Response]") -> None:
    """Have *application* answer every error in one form."""
    application.set_error_serializer(_serialize)
    application.add_error_handler(Exception, _unexpected)
    application.add_error_handler(FlowcoreError, _expected)
    application.add_error_handler(BodyTooLargeError, _too_large)
    application.add_error_handler(RefusedError, _refused)


def error_body(message: str) -> bytes:
    """Return the body of an answer that says what went wrong."""
    return json.dumps({"error": message}).encode()


def _write(response: falcon.Response, status: str, message: str) -> None:
    response.status = status
    response.content_type = falcon.MEDIA_JSON
    response.data = error_body(message)


def _serialize(request: falcon.Request, response: falcon.Response, error: falcon.HTTPError) -> None:
    message = error.title or str(error.status)
    if isinstance(error, falcon.HTTPRouteNotFound):
        message = f"there is nothing at {request.path[:200]}"
    elif isinstance(error, falcon.HTTPMethodNotAllowed):
        message = f"{request.env['REQUEST_METHOD'][:20]} is not allowed here"
        # Falcon takes OPTIONS for allowed everywhere, but what a request may do is said by the guard and nobody else.
        allowed = (response.get_header("Allow") or "").split(", ")
        response.set_header("Allow", ", ".join(method for method in allowed if method != "OPTIONS"))
    response.content_type = falcon.MEDIA_JSON
    response.data = error_body(message)


def _expected(
    request: falcon.Request, response: falcon.Response, error: FlowcoreError, _params: dict[str, object]
) -> None:
    status = _STATUSES.get(error.code)
    if status is not None:
        _write(response, status, str(error))
        return
    _LOG.error("%s %s failed: %s", request.method, request.path, error)
    if isinstance(error, EventFormatError):
        message = f"the run cannot be shown: {error}"
    elif isinstance(error, LogError):
        # What it says names files of ours.
        message = "the event log cannot be read"
    else:
        message = str(error)
    _write(response, falcon.HTTP_500, message)


def _too_large(
    _request: falcon.Request, response: falcon.Response, error: BodyTooLargeError, _params: dict[str, object]
) -> None:
    _write(response, falcon.HTTP_413, str(error))


def _refused(
    _request: falcon.Request, response: falcon.Response, error: RefusedError, _params: dict[str, object]
) -> None:
    response.status = error.status
    response.content_type = falcon.MEDIA_JSON
    response.data = json.dumps({"success": False, "message": str(error)}).encode()


def _unexpected(
    request: falcon.Request, response: falcon.Response, error: Exception, _params: dict[str, object]
) -> None:
    if isinstance(error, falcon.HTTPStatus | falcon.HTTPError):
        raise error
    _LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    _write(response, falcon.HTTP_500, "the server could not answer; its log says why")
