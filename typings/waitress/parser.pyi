from typing import Protocol

from _typeshed.wsgi import InputStream

from .adjustments import Adjustments

class Buffer(Protocol):
    """What the bytes of a body are collected in."""

    def __len__(self) -> int: ...
    def append(self, data: bytes, /) -> None: ...
    def getfile(self) -> InputStream: ...
    def close(self) -> None: ...

class Receiver:
    """What takes in a body."""

    buf: Buffer
    # How many bytes are still to come, where the length of the body is known.
    remain: int
    def __len__(self) -> int: ...

class Error:
    """What waitress says of a request that it does not take."""

    code: int
    reason: str
    body: str

class HTTPRequestParser:
    error: Error | None
    adj: Adjustments
    headers: dict[str, str]
    command: str
    path: str
    query: str
    request_uri: str
    chunked: bool
    content_length: int
    body_bytes_received: int
    completed: bool
    expect_continue: bool
    connection_close: bool
    body_rcv: Receiver | None
    def __init__(self, adj: Adjustments) -> None: ...
    def received(self, data: bytes) -> int: ...
    def parse_header(self, header_plus: bytes) -> None: ...
    def close(self) -> None: ...
