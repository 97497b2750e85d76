"""The source: what to ask, and what the answer means."""

import json
from http import HTTPStatus
from typing import Final

from flowcore.catalog import SourceType
from flowcore.errors import SourceError
from flowcore.ports import SourceCall, SourceResult
from flowcore.values import Json
from flowcore_adapters.sources.configuration import Reader, parameters, time_limit

from .configuration import RestConfiguration

_TYPE: Final = SourceType(
    name="rest",
    about="Makes an HTTP call. The answer is the data: parsed when it is JSON, else as text.",
    parameters=parameters(RestConfiguration),
    requires_any=(("url", "base_url"),),
)
_read: Final = Reader(_TYPE, RestConfiguration)
_RETRYABLE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""What is no fault of the request, beside every 5xx."""
_SHOWN: Final = 300
"""How much of the body of a failure the log shows, in characters."""


class RestSource:
    """Makes HTTP calls through one pool of connections."""

    type = _TYPE

    def __init__(self, *, private_targets: bool = True) -> None:
        """Make calls; only to public addresses without *private_targets* (for flows that come over HTTP)."""
        self._private_targets = private_targets

    def call(self, call: SourceCall) -> SourceResult:
        """Make the call and return its answer."""
        # urllib3 takes a while to import: only a flow that makes calls pays for it.
        from flowcore_adapters.sources.exchange.exchange import exchange

        from .request import build_request

        configuration = _read(call.configuration)
        request = build_request(configuration, call)
        call.log(f"{request.method} {request.url.shown}")
        limit = time_limit(call, configuration.timeout)
        answer = exchange(
            request,
            limit,
            call.cancel,
            max_output=configuration.max_output,
            private_targets=self._private_targets,
        )
        notes: list[str] = []
        status = answer.status
        if not answer.successful:
            text = _text(answer.body, answer.charset, notes).strip()
            call.log(f"HTTP status {status}: {call.redact(text)[:_SHOWN]}")
            raise SourceError(
                f"HTTP status {status}",
                code=str(status),
                retryable=status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR,
                retry_after_s=answer.retry_after_s,
            )
        data = "" if status == HTTPStatus.NO_CONTENT else _data(answer.body, answer.charset, notes)
        meta: dict[str, Json] = {"status_code": status, "headers": dict(answer.headers)}
        return SourceResult(data=data, meta=meta, notes=tuple(notes))


def _data(body: bytes, charset: str | None, notes: list[str]) -> object:
    """Return what *body* holds. Whatever reads as JSON is JSON: many servers say `text/plain` and mean it."""
    text = _text(body, charset, notes)
    try:
        parsed: object = json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        raise SourceError("the answer is JSON that is nested too deeply", code="bad-data", retryable=False) from None
    return parsed


def _text(body: bytes, charset: str | None, notes: list[str]) -> str:
    try:
        # A byte order mark is no part of the text.
        return body.decode(charset or "utf-8-sig")
    except (ValueError, LookupError):
        notes.append("the answer is no valid text; what could not be read was replaced")
        return body.decode("utf-8", "replace")
