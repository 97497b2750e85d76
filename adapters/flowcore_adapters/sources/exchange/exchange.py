"""One HTTP exchange: its redirects followed, bounded in time and size, and ended at once when cancelled."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import BadStatusLine, RemoteDisconnected
from typing import Final

import attrs
import urllib3
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError, ReadTimeoutError, SSLError

from flowcore.errors import SourceError
from flowcore.ports import CancelToken
from flowcore_adapters.sources.configuration import TimeLimit, bad_configuration, stopped, too_large

from .connections import CONNECT_S, pools_for
from .flight import Flight, in_flight
from .request import Request, redirected

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_MOST_REDIRECTS: Final = 10
_CHUNK: Final = 65_536
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@attrs.frozen(kw_only=True)
class Answer:
    """What came back.

    Attributes:
        reason: The phrase that the server says the status with; empty when it says none.
        headers: By their names in small letters.
        body: Unpacked; of a failure only the beginning, unless the whole was asked for.
        retry_after_s: The pause that the server asks for, in seconds, or None.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    charset: str | None
    retry_after_s: float | None

    @property
    def successful(self) -> bool:
        """Whether the status says so."""
        return _is_success(self.status)


def exchange(
    request: Request,
    limit: TimeLimit,
    cancel: CancelToken,
    *,
    max_output: int,
    private_targets: bool,
    whole: bool = False,
) -> Answer:
    """Send *request*, follow its redirects, and return the answer.

    Args:
        cancel: Cuts the connection when cancelled.
        max_output: How many bytes the body may have, unpacked.
        private_targets: Whether addresses that are not public may be connected to.
        whole: Whether the body of a failure matters as well, and not its beginning only.

    Raises:
        SourceError: There is no answer, or it is too large or too late.
    """
    pools = pools_for(private_targets=private_targets)
    with in_flight(limit, cancel, private_targets=private_targets) as flight:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                answer = _send(pools, request, flight, max_output, whole=whole)
            except (HTTPError, OSError, ValueError) as error:
                raise _cut(limit, cancel) if flight.was_cut else _trouble(error, request, limit) from None
            if flight.was_cut:
                # A body without a length ends where its connection does: this may be half of it.
                raise _cut(limit, cancel)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            request = redirected(request, answer.status, location)
    raise SourceError(f"more than {_MOST_REDIRECTS} redirects", code="bad-redirect", retryable=False)


def _send(pools: urllib3.PoolManager, request: Request, flight: Flight, max_output: int, *, whole: bool) -> Answer:
    response = _ask(pools, request, flight)
    wanted = _is_success(response.status) or (whole and response.status not in _REDIRECTS)
    try:
        body = _body(response, max_output) if wanted else _beginning(response)
    except BaseException:
        response.close()
        raise
    # Not `items`: what is there several times would be there with its last value only.
    headers = {name.lower(): value for name, value in response.headers.itermerged()}
    return Answer(
        status=response.status,
        reason=response.reason or "",
        headers=headers,
        body=body,
        charset=_charset(headers.get("content-type")),
        retry_after_s=_retry_after(headers.get("retry-after")),
    )


def _ask(pools: urllib3.PoolManager, request: Request, flight: Flight) -> urllib3.BaseHTTPResponse:
    """Send *request* and return the head of the answer."""
    while True:
        made = flight.connections
        left = max(0.001, flight.limit.left())
        try:
            return pools.request(
                request.method,
                request.url.text,
                body=request.body,
                headers=request.headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_S, left), read=left),
                redirect=False,
                preload_content=False,
            )
        except ProtocolError as error:
            # A connection that was kept may be closed at the very moment when it is used again. What may be sent twice
            # is sent again (RFC 9110, 9.2.2); each time there is one kept connection less, so this ends.
            kept = flight.connections == made
            if flight.was_cut or not kept or request.method not in _IDEMPOTENT or not _was_closed(error):
                raise


def _was_closed(error: ProtocolError) -> bool:
    """Return whether the other side has closed the connection instead of answering."""
    return isinstance(error.args[-1], (ConnectionResetError, BrokenPipeError))


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _body(response: urllib3.BaseHTTPResponse, max_output: int) -> bytes:
    """Return the whole body; count it as it is unpacked, for a small one can unpack to anything."""
    body = bytearray()
    for chunk in response.stream(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > max_output:
            raise too_large(max_output)
    response.release_conn()
    return bytes(body)


def _beginning(response: urllib3.BaseHTTPResponse) -> bytes:
    """Return the beginning of the body of a failure or a redirect; nobody waits for the rest of it."""
    body = b""
    with suppress(DecodeError):
        for chunk in response.stream(_CHUNK, decode_content=True):
            body = chunk
            break
    if len(body) < _CHUNK:
        with suppress(HTTPError):
            response.drain_conn()
    response.close()
    return body


def _charset(content_type: str | None) -> str | None:
    if content_type is None:
        return None
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset")
    return charset if isinstance(charset, str) else None


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for: a number, or a date."""
    if text is None:
        return None
    stripped = text.strip()
    if stripped.isascii() and stripped.isdecimal():
        return float(stripped[:9])
    try:
        return max(0.0, (parsedate_to_datetime(stripped) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _cut(limit: TimeLimit, cancel: CancelToken) -> SourceError:
    return stopped() if cancel.cancelled else limit.error()


def _trouble(error: Exception, request: Request, limit: TimeLimit) -> SourceError:
    """Say in a sentence what went wrong."""
    host = request.url.host
    if isinstance(error, (ReadTimeoutError, TimeoutError)):
        return limit.error()
    if isinstance(error, SSLError):
        return SourceError(f"no secure connection to {host}: {error}", code="tls", retryable=False)
    if isinstance(error, DecodeError):
        return SourceError(f"the answer of {host} cannot be unpacked", code="bad-data")
    if isinstance(error, (ProtocolError, OSError)):
        return SourceError(f"the connection to {host} broke: {_reason(error)}", code="connection")
    return bad_configuration(f"the request cannot be sent: {error}")


def _reason(error: Exception) -> str:
    """Return why; urllib3 wraps what happened into an exception of two arguments, a phrase and the cause."""
    cause: object = error.args[-1] if error.args else error
    if isinstance(cause, RemoteDisconnected):
        return "closed without an answer"
    if isinstance(cause, BadStatusLine):
        return "the answer is no HTTP"
    if isinstance(cause, OSError):
        return (cause.strerror or str(cause)).lower()
    return str(cause)
