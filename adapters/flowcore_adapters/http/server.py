"""Serving the application on waitress, in a thread that can be joined and stopped."""

import errno
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final, Self

import waitress.server
from waitress import wasyncore

from flowcore.errors import FlowcoreError

from .app import THREADS
from .channel import Channel
from .incoming.guard import MAX_BODY, SHORTEST_TOKEN
from .uploads.channel import upload_channel
from .uploads.resources import Uploads
from .views.resource import GONE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LISTEN_S: Final = 0.25
_DRAIN_S: Final = 5.0
"""How long the answers that are on their way may take when the server stops."""


class ServerError(FlowcoreError):
    """A server that cannot start."""

    code = "server"


class ServerHandle:
    """A server that runs in a thread of its own; as a context manager it stops at the end of the block.

    Attributes:
        host: The address that it is bound to.
        port: The port that it listens on, also when it was asked for port 0.
    """

    def __init__(
        self, server: "waitress.server.BaseWSGIServer", sockets: dict[int, object], host: str, stopping: Event
    ) -> None:
        """Serve *server*, whose loop turns over *sockets*, until *stopping*; use `serve_in_thread`."""
        self._server = server
        self._sockets = sockets
        self.host = host
        self.port = int(server.effective_port)
        self._stopping = stopping
        self._lock = Lock()
        self._thread = Thread(target=self._serve, name=f"flowcore-http-{self.port}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def join(self, timeout: float | None = None) -> None:
        """Wait until the server has stopped, or for *timeout* seconds."""
        if timeout is not None:
            self._thread.join(timeout)
            return
        while self._thread.is_alive():
            # A signal that comes in the very moment before a wait is noticed when the wait is over, and not before.
            self._thread.join(_LISTEN_S)

    def is_alive(self) -> bool:
        """Return whether it is still serving."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no new connections, let the answers that are on their way arrive, then stop. May be called again."""
        with self._lock:
            # Once only: afterwards the trigger's descriptor may be somebody else's.
            if not self._stopping.is_set():
                self._stopping.set()
                self._server.pull_trigger()
        self._thread.join(2 * _DRAIN_S)

    def __enter__(self) -> Self:
        """Return the handle."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self.stop()

    def _serve(self) -> None:
        # waitress's own `run` only ends by an exception in its thread; its loop can be turned from outside.
        while not self._stopping.is_set():
            self._turn(30.0)
        wasyncore.dispatcher.close(self._server)
        deadline = time.monotonic() + _DRAIN_S
        while self._busy() and (left_s := deadline - time.monotonic()) > 0:
            self._turn(left_s)
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
        for channel in tuple(self._server.active_channels.values()):
            # `close_all` would leave the files open that large answers are kept in.
            channel.handle_close()
        # A thread that is still busy would pull the trigger, whose descriptor might be somebody else's by then.
        if not self._server.task_dispatcher.threads:
            wasyncore.close_all(self._sockets, ignore_all=True)

    def _turn(self, timeout_s: float) -> None:
        """Wait for something to do, and do it; threads that finish an answer wake it through the server's trigger."""
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._sockets, count=1)

    def _busy(self) -> bool:
        """Return whether a request is being answered or an answer is on its way."""
        channels = tuple(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def serve_in_thread(
    application: "WSGIApplication",
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | None = None,
    insecure: bool = False,
    threads: int = THREADS,
    uploads: Uploads | None = None,
) -> ServerHandle:
    """Serve *application* and return at once.

    Args:
        application: What `create_app` returns.
        host: The name or address to bind to.
        port: The port; 0 for any that is free.
        token: The token that the application's guard asks for, if any.
        insecure: True to bind to other addresses than loopback without a token all the same.
        threads: How many requests are answered at once.
        uploads: What allows uploads, which may be larger than other bodies; None for none.

    Raises:
        ServerError: The port is taken, the address is not ours, or it would be open to everybody.
    """
    address = _resolve(host)
    if not is_loopback(address) and not insecure and len(token or "") < SHORTEST_TOKEN:
        raise ServerError(
            f"{host} can be reached from other machines: that needs a token of at least {SHORTEST_TOKEN} characters"
            " (--token-file), or --insecure-no-auth"
        )
    # It warns about every request that waits for a thread; waiting is what its queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Bound before waitress has anything: it leaves threads and pipes behind when it cannot bind.
    listener = _listen(address, host, port)
    sockets: dict[int, object] = {}
    stopping = Event()
    server = waitress.server.create_server(
        _watched(application, stopping),
        map=sockets,
        sockets=[listener],
        threads=max(threads, THREADS),
        connection_limit=900,
        channel_timeout=10,
        asyncore_use_poll=True,
        max_request_header_size=64 * 1024,
        # Above the guard's limit, which answers in JSON.
        max_request_body_size=MAX_BODY + 1024 * 1024,
        # Without it waitress does not read, and so does not see that a client that waits has gone.
        channel_request_lookahead=1,
        clear_untrusted_proxy_headers=True,
        ident="flowcore",
    )
    if isinstance(server, waitress.server.MultiSocketServer):
        raise TypeError("one socket makes one server")
    server.channel_class = Channel if uploads is None else upload_channel(uploads)
    return ServerHandle(server, sockets, address, stopping)


def _listen(address: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # So that a server can be started again while old connections are still fading away.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ServerError(_trouble(error, host, port)) from None
    return listener


def _watched(application: "WSGIApplication", stopping: Event) -> "WSGIApplication":
    """Return *application*, able to see that an answer is no longer wanted."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse", /) -> "Iterable[bytes]":
        disconnected: Callable[[], bool] = environ["waitress.client_disconnected"]
        environ[GONE] = lambda: stopping.is_set() or disconnected()
        return application(environ, start_response)

    return answer


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what is bound to *host*.

    Raises:
        ServerError: The host is not known.
    """
    return ipaddress.ip_address(_resolve(host)).is_loopback


def _resolve(host: str) -> str:
    """Return one address for *host*; IPv4 for a name that has both."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise ServerError(f"the host {host!r} is not known") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def _trouble(error: OSError | OverflowError, host: str, port: int) -> str:
    if isinstance(error, OverflowError):
        return f"{port} is no port: they go from 0 to 65535"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another one, or 0 for any that is free"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; choose one above 1023"
    return f"cannot listen on {host}:{port}: {error.strerror or error}"
