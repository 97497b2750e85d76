"""The status API of a runner, in a thread beside it (documents/python-api.md, "Serving the Status API")."""

from typing import Protocol

from flowcore.ids import RunId
from flowcore.ports import EventLog

from .http.app import create_app
from .http.incoming.guard import GuardSettings
from .http.server import ServerHandle, serve_in_thread


class Served(Protocol):
    """A runner, as far as serving it goes."""

    @property
    def log(self) -> EventLog:
        """Where its runs are recorded."""
        ...

    def prepare(self) -> RunId:
        """Record the run to come, or say why it cannot run."""
        ...


def serve_runner_api_in_thread(
    runner: Served,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | None = None,
    allow_hosts: tuple[str, ...] = (),
    allow_origins: tuple[str, ...] = (),
    insecure: bool = False,
) -> ServerHandle:
    """Serve `/status` and `/outputs` of *runner* and return at once.

    Args:
        runner: A `LocalRunner`; its run may be about to start, going on, or over.
        host: The name or address to bind to.
        port: The port; 0 for any that is free.
        token: What requests must bring; needed on any address but loopback.
        allow_hosts: Names that requests may use beside the local ones and *host*.
        allow_origins: Origins of other sites that may call.
        insecure: True to do without a token all the same.

    Returns:
        A handle like a thread: `join()`, and beside it `port`, `url` and `stop()`.

    Raises:
        FlowDocumentError: The flow cannot run: a refused flow never starts a server.
        ServerError: The port is taken, or the address would be open to everybody.
    """
    runner.prepare()
    guard = GuardSettings(host=host, token=token, allow_hosts=allow_hosts, allow_origins=allow_origins)
    return serve_in_thread(create_app(runner.log, guard=guard), host, port, token=token, insecure=insecure)
