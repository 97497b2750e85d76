"""Socket.IO at `/socket.io/`: the live events for clients of the executions family.

Protocol 5 over Engine.IO 4, the default namespace, every event to every client. The wire is python-socketio's; what is
here keeps it within bounds: a poll that waits takes one of the places for requests that wait, and ends when its client
or the server goes. Where the server hands out its sockets (gunicorn with threads) there are WebSockets too; elsewhere
`upgrades` is empty, and clients stay with long polls.
"""

import json
import time
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import falcon

from flowcore.errors import LogError
from flowcore.ports import EventLog
from flowcore_adapters.http.description.operations import Answer, Parameter, operation
from flowcore_adapters.http.description.schemas import ERROR, OBJECT, TEXT, WHOLE, object_of
from flowcore_adapters.http.incoming.admission import FULL, RETRY_AFTER_S, Admission
from flowcore_adapters.http.views.resource import GONE

from .feed import LiveFeed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = "/socket.io/"
MAX_CLIENTS: Final = 256
"""How many clients there may be at once."""
MAX_BACKLOG: Final = 10_000
"""How many packets are kept for a client that does not fetch them; then it is disconnected."""
_LOOK_S: Final = 0.25
"""How often, in seconds, it is seen who has gone."""
_METHODS: Final = frozenset({"GET", "POST"})
_TRANSPORTS: Final = ("polling", "websocket")
_UNKNOWN_TRANSPORT: Final = 0
_UNKNOWN_SESSION: Final = 1
_BAD_METHOD: Final = 2
_UNSUPPORTED_PROTOCOL: Final = 5
_REFUSAL: Final = object_of({"code": WHOLE, "message": TEXT})
"""What Engine.IO says of a request that breaks its protocol."""
_JSON: Final = ("Content-Type", "application/json")


class SocketIo:
    """Answers what comes to `/socket.io/` and leaves everything else to the application."""

    def __init__(self, application: "WSGIApplication", log: EventLog, admission: Admission) -> None:
        """Stand in front of *application*, and tell what happens in *log*."""
        self._application = application
        self._log = log
        self._admission = admission
        self._lock = Lock()
        self._hub: Hub | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] not in _METHODS:
            return self._application(environ, start_response)
        try:
            hub = self._opened(environ)
        except ImportError:
            # The application says what is missing.
            return self._application(environ, start_response)
        return hub.answer(environ, start_response)

    def _opened(self, environ: "WSGIEnvironment") -> "Hub":
        with self._lock:
            if self._hub is None:
                websocket = "gunicorn.socket" in environ and bool(environ["wsgi.multithread"])
                self._hub = Hub(self._log, self._admission, websocket=websocket)
            return self._hub


class Missing:
    """`/socket.io/` of an installation without python-socketio."""

    @operation(
        "Socket.IO 5 over Engine.IO 4",
        query=(
            Parameter("EIO", "The version of Engine.IO.", {"const": "4"}, required=True),
            Parameter("transport", "How packets travel.", {"enum": list(_TRANSPORTS)}, required=True),
            Parameter("sid", "The session.", TEXT),
        ),
        answers={
            200: Answer("Packets.", TEXT, media="text/plain"),
            400: Answer("The request is malformed, for the guard or for the protocol.", {"anyOf": [ERROR, _REFUSAL]}),
            501: OBJECT,
            503: OBJECT,
        },
    )
    def on_get(self, _request: falcon.Request, _response: falcon.Response) -> None:
        """Say what is missing.

        Raises:
            HTTPNotImplemented: Always.
        """
        raise falcon.HTTPNotImplemented(title="Socket.IO needs more packages: pip install 'flowcore[server]'")

    on_post = on_get


class Hub:
    """The clients of one process, and the thread that tells them what happens as long as there are any."""

    def __init__(self, log: EventLog, admission: Admission, *, websocket: bool) -> None:
        """Tell what happens in *log*; over WebSockets too if *websocket*.

        Raises:
            ImportError: python-socketio is not installed.
        """
        self._log = log
        self._admission = admission
        self._transports = _TRANSPORTS if websocket else _TRANSPORTS[:1]
        from .socket_io_server import EventServer

        self._server = EventServer(self._transports)
        self._server.on("connect", self._connected)
        self._lock = Lock()
        self._pump: Thread | None = None
        self._waiting: dict[str, Callable[[], bool]] = {}

    def answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        session = query.get("sid")
        refusal = self._refusal(environ, query, session)
        if refusal is not None:
            return _refuse(start_response, "400 Bad Request", refusal)
        sockets = self._server.eio.sockets
        if session is None and len(sockets) >= MAX_CLIENTS:
            return _busy(start_response, "there are too many clients")
        if environ["REQUEST_METHOD"] == "POST" or (session is None and query.get("transport") == "polling"):
            return self._handled(environ, start_response)
        try:
            self._admission.take()
        except falcon.HTTPServiceUnavailable:
            return _busy(start_response, FULL)
        try:
            if session is not None:
                self._waiting[session] = environ.get(GONE, _never)
            return self._handled(environ, start_response)
        finally:
            if session is not None:
                self._waiting.pop(session, None)
            self._admission.give_back()

    def _handled(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return self._server.handle_request(environ, start_response)
        except KeyError:
            # The session has ended between the look at it and its use.
            return _refuse(start_response, "400 Bad Request", (_UNKNOWN_SESSION, "Session ID unknown"))

    def _refusal(
        self, environ: "WSGIEnvironment", query: dict[str, str], session: str | None
    ) -> tuple[int, str] | None:
        """Return the code and the message of the protocol's own error, or None when there is nothing wrong."""
        if query.get("transport") not in self._transports:
            return _UNKNOWN_TRANSPORT, "Transport unknown"
        if session is not None:
            return None if session in self._server.eio.sockets else (_UNKNOWN_SESSION, "Session ID unknown")
        if query.get("EIO") != "4":
            return _UNSUPPORTED_PROTOCOL, "Unsupported protocol version"
        return (_BAD_METHOD, "Bad handshake method") if environ["REQUEST_METHOD"] == "POST" else None

    def _connected(self, _session: str, _environ: object) -> None:
        """See that what happens from here on is told."""
        with self._lock:
            if self._pump is None:
                feed = LiveFeed(self._log, self._log.position())
                self._pump = Thread(target=self._tell, args=(feed,), name="flowcore-live", daemon=True)
                self._pump.start()

    def _tell(self, feed: LiveFeed) -> None:
        """Tell what *feed* brings until the last client has gone."""
        looked = time.monotonic()
        try:
            while True:
                found = feed.take()
                for emission in found:
                    for event in emission.events:
                        self._server.emit(event.name, event.payload)
                if not found:
                    self._log.wait(feed.position, _LOOK_S)
                if time.monotonic() - looked >= _LOOK_S:
                    looked = time.monotonic()
                    if not self._look():
                        return
        except LogError:
            # It was closed, and the server with it.
            with self._lock:
                self._pump = None
            for socket in tuple(self._server.eio.sockets.values()):
                socket.close(wait=False)

    def _look(self) -> bool:
        """Let go of those who have gone; return whether anybody is left."""
        sockets = self._server.eio.sockets
        for session, gone in tuple(self._waiting.items()):
            socket = sockets.get(session)
            if socket is not None and not socket.closed and gone():
                socket.close(wait=False)
        with self._lock:
            for session, socket in tuple(sockets.items()):
                if socket.closed:
                    sockets.pop(session, None)
                elif socket.queue.qsize() > MAX_BACKLOG:
                    socket.close(wait=False)
                else:
                    socket.check_ping_timeout()
            if not sockets:
                self._pump = None
                return False
        return True


def _refuse(start_response: "StartResponse", status: str, refusal: tuple[int, str]) -> Iterable[bytes]:
    code, message = refusal
    body = json.dumps({"code": code, "message": message}, separators=(",", ":")).encode()
    start_response(status, [_JSON, ("Content-Length", str(len(body)))])
    return [body]


def _busy(start_response: "StartResponse", message: str) -> Iterable[bytes]:
    body = json.dumps({"error": message}).encode()
    headers = [_JSON, ("Content-Length", str(len(body))), ("Retry-After", str(RETRY_AFTER_S))]
    start_response("503 Service Unavailable", headers)
    return [body]


def _never() -> bool:
    return False
