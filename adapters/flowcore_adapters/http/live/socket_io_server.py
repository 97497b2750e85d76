"""The server of python-socketio, with one habit taken away. Imported when the first client comes."""

import logging
from typing import Final

import engineio
import socketio
from typing_extensions import override

PING_INTERVAL_S: Final = 25
PING_TIMEOUT_S: Final = 20
"""As the family's clients know it: a ping every 25 s, 20 s for the answer."""
MAX_PAYLOAD: Final = 1_000_000
"""How large a body of packets may be, in bytes, as every client is told."""


class _Engine(engineio.Server):
    """Does not wait until a client that is disconnected has fetched everything: that may be never."""

    @override
    def disconnect(self, sid: str | None = None) -> None:
        for name, socket in tuple(self.sockets.items()):
            if sid is None or name == sid:
                socket.close(wait=False)
                self.sockets.pop(name, None)


class EventServer(socketio.Server):
    """A server that tells everybody everything, and listens to nothing."""

    def __init__(self, transports: tuple[str, ...]) -> None:
        """Offer *transports*."""
        # What is wrong with a request is told to who has sent it, and not to whoever reads our log.
        silent = logging.getLogger("flowcore.http.socketio")
        silent.setLevel(logging.CRITICAL)
        super().__init__(
            async_mode="threading",
            # A thread for every packet that a client sends would be a thread for nothing.
            async_handlers=False,
            transports=transports,
            allow_upgrades="websocket" in transports,
            # None of its business: the guard in front has looked at the origin.
            cors_allowed_origins=[],
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            max_http_buffer_size=MAX_PAYLOAD,
            monitor_clients=False,
            logger=silent,
            engineio_logger=silent,
        )

    @override
    def _engineio_server_class(self) -> type[engineio.Server]:
        return _Engine
