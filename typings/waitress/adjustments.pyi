"""`Options` exists for type checkers only; import it under `TYPE_CHECKING`."""

from collections.abc import Sequence
from socket import socket
from typing import TypedDict

class Options(TypedDict, total=False):
    host: str
    port: int
    ipv4: bool
    ipv6: bool
    listen: str | Sequence[str]
    threads: int
    trusted_proxy: str | None
    trusted_proxy_count: int
    trusted_proxy_headers: str | set[str]
    log_untrusted_proxy_headers: bool
    clear_untrusted_proxy_headers: bool
    url_scheme: str
    url_prefix: str
    backlog: int
    recv_bytes: int
    send_bytes: int
    outbuf_overflow: int
    outbuf_high_watermark: int
    inbuf_overflow: int
    connection_limit: int
    cleanup_interval: int
    channel_timeout: int
    log_socket_errors: bool
    max_request_header_size: int
    max_request_body_size: int
    expose_tracebacks: bool
    ident: str | None
    asyncore_loop_timeout: int
    asyncore_use_poll: bool
    unix_socket: str
    unix_socket_perms: int | str
    sockets: Sequence[socket]
    channel_request_lookahead: int
    server_name: str

class Adjustments:
    """The settings of a server."""

    max_request_body_size: int
