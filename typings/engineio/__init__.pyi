"""What is used of python-engineio, which has no types."""

from queue import Queue

class Socket:
    """A client's connection."""

    closed: bool
    queue: Queue[object]

    def check_ping_timeout(self) -> bool: ...
    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None: ...

class Server:
    """What carries the packets."""

    sockets: dict[str, Socket]

    def disconnect(self, sid: str | None = None) -> None: ...
