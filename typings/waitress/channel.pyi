from collections.abc import Callable
from socket import socket

from .adjustments import Adjustments
from .parser import HTTPRequestParser
from .task import ErrorTask, WSGITask

class HTTPChannel:
    # Those that are being answered or wait for that.
    requests: list[HTTPRequestParser]
    # Bytes that are still to be sent.
    total_outbufs_len: int
    task_class: type[WSGITask]
    error_task_class: type[ErrorTask]
    @property
    def parser_class(self) -> Callable[[Adjustments], HTTPRequestParser]: ...
    # The one that is not there as a whole yet.
    request: HTTPRequestParser | None
    socket: socket
    last_activity: float
    def handle_read(self) -> None: ...
    def handle_close(self) -> None: ...
