"""The guard: one WSGI wrapper in front of everything (contract safety, "The guard").

A service on loopback is reached by every page that its user opens. So a request passes only when it names a host that
this server goes by, comes from no other site, is small enough and says that its body is JSON. Allow-lists only, for
every method, invented ones included.
"""

import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Iterable
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import attrs

from flowcore_adapters.artifacts.signed_urls import PREFIX as UPLOADS

from .authority import origin_of, same_authority, split_host
from .request_body import CountedBody

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY: Final = 10 * 1024 * 1024
"""How large a request's body may be, in bytes."""
SHORTEST_TOKEN: Final = 32
"""How long a token must be at least when the server can be reached from elsewhere."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_NAMELESS: Final = frozenset({"0.0.0.0", "[::]", ""})  # noqa: S104 - "everywhere" is no name of a host
_REMEMBERED: Final = 64
"""How many Host headers that passed are remembered: nearly all requests bring the same one."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME_SITE: Final = frozenset({"same-origin", "none"})
_OPEN_PATH: Final = "/healthz"
_PACKETS_PATH: Final = "/socket.io/"
"""Where bodies are packets and no JSON; what a browser sends there from elsewhere has an Origin, which is looked at."""
_FILES_PATH: Final = "/api/workflows/execute"
"""Where a form may bring files. What a page elsewhere sends there without asking first has an Origin too."""
_FORM: Final = "multipart/form-data"
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
)
_UPLOAD_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
)
"""What stands under signed URLs are other people's bytes, and no part of our pages."""


@attrs.frozen(kw_only=True)
class GuardSettings:
    """What the guard lets through.

    Attributes:
        host: The name or address that the server is bound to.
        allow_hosts: Further names that requests may use: `name` with any port, or `name:port`.
        allow_origins: Origins of other sites that may call, such as `https://ui.example.com`.
        token: What `Authorization: Bearer` must bring, or the password that a browser asks its user for; or None.
        max_body: How large a body may be, in bytes.
        local_only: True to answer nobody but this machine: for an application that cannot know where it is bound.
    """

    host: str = "127.0.0.1"
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    token: str | None = None
    max_body: int = MAX_BODY
    local_only: bool = False


class _RefusedError(Exception):
    """A request that does not pass."""

    def __init__(self, status: HTTPStatus, message: str, *headers: tuple[str, str]) -> None:
        self.status = status
        self.body = json.dumps({"error": message}).encode()
        self.headers = headers
        super().__init__(message)


class Guard:
    """Lets requests through to an application, or answers them itself."""

    def __init__(
        self,
        application: "WSGIApplication",
        settings: GuardSettings,
        signed: "Callable[[WSGIEnvironment], bool] | None" = None,
    ) -> None:
        """Stand in front of *application*.

        Args:
            application: What answers.
            settings: What passes.
            signed: Tells whether the URL of a request carries a good signature of ours: then no token is asked for.
                None where there are no such URLs.
        """
        self._application = application
        self._signed = signed
        self._settings = settings
        self._hosts = (_LOCAL | {_bracketed(settings.host)}) - _NAMELESS
        allowed = [split_host(_bracketed(host)) for host in settings.allow_hosts]
        self._allowed_hosts = frozenset((name, port) for name, port in allowed if name)
        self._allowed_origins = frozenset(origin.lower().rstrip("/") for origin in settings.allow_origins)
        self._token = None if settings.token is None else settings.token.encode()
        # Caches must not hand an answer to one origin on to another.
        vary = (("Vary", "Origin"),) if self._allowed_origins else ()
        self._headers = (*_HEADERS, *vary)
        self._upload_headers = (*_UPLOAD_HEADERS, *vary)
        self._good: dict[str, str] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        upload = self._signed is not None and environ.get("PATH_INFO", "").startswith(UPLOADS)
        extra = self._upload_headers if upload else self._headers
        leave: tuple[tuple[str, str], ...] = ()
        try:
            origin = self._check(environ, upload=upload)
        except _RefusedError as refusal:
            length = ("Content-Length", str(len(refusal.body)))
            headers = [*extra, *refusal.headers, ("Content-Type", "application/json"), length]
            start_response(f"{refusal.status.value} {refusal.status.phrase}", headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [refusal.body]
        if origin is not None:
            leave = _cors(origin)
            extra = (*extra, *leave)
            if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
                start_response("204 No Content", [*extra])
                return []

        # The annotations are text: as types they would be made anew for every request, at the price of half a guard.
        def start(
            status: str, headers: "list[tuple[str, str]]", exc_info: "OptExcInfo | None" = None, /
        ) -> "Callable[[bytes], object]":
            # A 304 only says that what the caller has is good, its headers included; but other sites may not see even
            # that without leave.
            headers = [*headers, *(extra if not status.startswith("304") else leave)]
            # Servers tell "no exception" by the missing argument too.
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        return self._application(environ, start)

    def _check(self, environ: "WSGIEnvironment", *, upload: bool) -> str | None:
        """Return the foreign origin that the request is allowed to come from, or None.

        The bodies of uploads are the business of the URLs that allow them: they are of any type, and have a size cap of
        their own.

        Raises:
            _RefusedError: It does not pass.
        """
        host = environ.get("HTTP_HOST", "")
        port = environ["SERVER_PORT"]
        if self._good.get(host) != port:
            self._check_host(host, port)
        if environ.get("PATH_INFO") != _OPEN_PATH:
            if self._token is not None and not (upload and self._signed is not None and self._signed(environ)):
                self._check_token(environ, self._token)
            if self._settings.local_only:
                _check_local(environ.get("REMOTE_ADDR", ""))
        origin = None
        if "HTTP_ORIGIN" in environ or "HTTP_REFERER" in environ or "HTTP_SEC_FETCH_SITE" in environ:
            origin = self._check_origin(environ, host)
        if not upload and (
            environ["REQUEST_METHOD"] not in _SAFE
            or environ.get("CONTENT_LENGTH")
            or "HTTP_TRANSFER_ENCODING" in environ
        ):
            self._check_body(environ)
        return origin

    def _check_host(self, host: str, own_port: str) -> None:
        name, port = split_host(host)
        own = name in self._hosts and port in {"", own_port}
        if not own and (name, "") not in self._allowed_hosts and (name, port) not in self._allowed_hosts:
            raise _RefusedError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this server does not go by the name {host[:100]!r}; --allow-host lets it",
            )
        if len(self._good) < _REMEMBERED:
            self._good[host] = own_port

    def _check_token(self, environ: "WSGIEnvironment", token: bytes) -> None:
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        # WSGI hands over bytes as Latin-1.
        brought = given.strip().encode("latin-1", "replace")
        if scheme.lower() == "basic":
            brought = _password(brought)
        right = hmac.compare_digest(brought, token)
        # An empty token would be brought by everybody.
        if not right or not token or scheme.lower() not in {"bearer", "basic"}:
            # People who open the page are asked by their browser; programs are not invited to send passwords.
            people = "text/html" in environ.get("HTTP_ACCEPT", "")
            challenge = 'Basic realm="flowcore: the token is the password", charset="UTF-8"' if people else "Bearer"
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "a token is needed", ("WWW-Authenticate", challenge))

    def _check_origin(self, environ: "WSGIEnvironment", host: str) -> str | None:
        given: str | None = environ.get("HTTP_ORIGIN")
        where = environ.get("HTTP_REFERER") if given is None else given
        if where is not None:
            origin = origin_of(where)
            if origin in self._allowed_origins:
                return given
            if origin is None or not same_authority(origin, host, environ.get("wsgi.url_scheme", "http")):
                raise _RefusedError(
                    HTTPStatus.FORBIDDEN,
                    f"requests from {(origin or where)[:100]!r} are not allowed; --allow-origin lets them",
                )
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None and site not in _SAME_SITE and environ["REQUEST_METHOD"] not in _SAFE:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "requests from other sites are not allowed")
        return None

    def _check_body(self, environ: "WSGIEnvironment") -> None:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
        # Leading zeros aside, so many digits are too many, and `int` refuses thousands of them.
        if int(length.lstrip("0")[:20] or "0") > self._settings.max_body:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {self._settings.max_body} bytes"
            )
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if chunked:
            environ["wsgi.input"] = CountedBody(environ["wsgi.input"], self._settings.max_body)
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        path = environ.get("PATH_INFO")
        files = kind == _FORM and path == _FILES_PATH
        if (chunked or length.strip("0")) and kind != "application/json" and path != _PACKETS_PATH and not files:
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")


def _password(credentials: bytes) -> bytes:
    """Return the password of Basic *credentials*, whatever the name; nothing when there is none (RFC 7617)."""
    try:
        return b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _bracketed(host: str) -> str:
    """Return *host* as a Host header has it: an IPv6 address in brackets."""
    name = host.strip().lower().removesuffix(".")
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _check_local(address: str) -> None:
    # Nothing: a Unix socket.
    if not address or address == "127.0.0.1":
        return
    try:
        peer = ip_address(address)
    except ValueError:
        peer = None
    mapped = getattr(peer, "ipv4_mapped", None)
    if peer is None or not (mapped or peer).is_loopback:
        raise _RefusedError(
            HTTPStatus.FORBIDDEN,
            f"without a token of at least {SHORTEST_TOKEN} characters only this machine is answered",
        )


def _cors(origin: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE"),
        ("Access-Control-Allow-Headers", "authorization, content-type, if-none-match"),
        ("Access-Control-Expose-Headers", "etag, x-flowcore-run-id"),
    )
