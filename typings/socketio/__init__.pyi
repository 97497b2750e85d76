"""What is used of python-socketio, which has no types."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from _typeshed.wsgi import StartResponse, WSGIEnvironment
from engineio import Server as EngineServer

class Server:
    """A Socket.IO server."""

    eio: EngineServer

    def __init__(
        self,
        *,
        async_mode: Literal["threading"],
        async_handlers: bool,
        transports: Sequence[str],
        allow_upgrades: bool,
        cors_allowed_origins: Sequence[str],
        ping_interval: float,
        ping_timeout: float,
        max_http_buffer_size: int,
        monitor_clients: bool,
        logger: logging.Logger,
        engineio_logger: logging.Logger,
    ) -> None: ...
    def _engineio_server_class(self) -> type[EngineServer]: ...
    def on(self, event: str, handler: Callable[[str, WSGIEnvironment], None]) -> None: ...
    def emit(self, event: str, data: Mapping[str, object]) -> None: ...
    def handle_request(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]: ...
