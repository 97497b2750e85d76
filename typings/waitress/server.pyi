from typing import TypeAlias, Unpack

from _typeshed.wsgi import WSGIApplication

from .adjustments import Options
from .channel import HTTPChannel
from .task import ThreadedTaskDispatcher
from .wasyncore import dispatcher

# The servers and channels of one event loop, by file descriptor.
_Map: TypeAlias = dict[int, object]

class MultiSocketServer:
    """What `create_server` returns for more than one address."""

    map: _Map
    effective_listen: list[tuple[str, str]]
    task_dispatcher: ThreadedTaskDispatcher
    def print_listen(self, format_str: str) -> None: ...
    def run(self) -> None: ...
    def close(self) -> None: ...

class BaseWSGIServer(dispatcher):
    """What `create_server` returns for one address."""

    application: WSGIApplication
    channel_class: type[HTTPChannel]
    active_channels: dict[int, HTTPChannel]
    effective_host: str
    # The port is text for a TCP server ("8080"), the path for a Unix one.
    effective_port: str
    server_name: str
    task_dispatcher: ThreadedTaskDispatcher
    def print_listen(self, format_str: str) -> None: ...
    def pull_trigger(self) -> None: ...
    def run(self) -> None: ...

class TcpWSGIServer(BaseWSGIServer): ...
class UnixWSGIServer(BaseWSGIServer): ...

WSGIServer = TcpWSGIServer

def create_server(
    application: WSGIApplication, map: _Map | None = None, **kw: Unpack[Options]
) -> BaseWSGIServer | MultiSocketServer: ...
