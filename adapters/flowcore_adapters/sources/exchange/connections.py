"""Connections that belong to the flight of the call that uses them, and the pools that keep them in between."""

import socket
import time
from typing import TYPE_CHECKING, Final

import urllib3
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from flowcore.errors import SourceError

from .addresses import find_addresses
from .flight import CURRENT

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection

CONNECT_S: Final = 10.0
"""How long it may take to connect, in seconds (contract safety)."""

_QUICK_ACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


def _connect(connection: HTTPConnection) -> socket.socket:
    """Return a connected socket: the first address that answers, all of them within `CONNECT_S`.

    In the place of urllib3's own, which cannot be cut, and which gives each address the whole time.
    """
    flight, port = CURRENT.flight, connection.port or connection.default_port
    until = time.monotonic() + CONNECT_S if flight is None else min(time.monotonic() + CONNECT_S, flight.limit.at)
    if flight is not None:
        flight.connections += 1
    addresses = find_addresses(connection.host, port, flight, until)
    trouble: OSError = TimeoutError()
    for number, (family, kind, protocol, address) in enumerate(addresses):
        found = socket.socket(family, kind, protocol)
        try:
            if flight is not None:
                flight.hold(found)
            for option in connection.socket_options or ():
                found.setsockopt(*option)
            # An address that does not answer must leave time for the next one.
            found.settimeout(max(0.001, (until - time.monotonic()) / (len(addresses) - number)))
            found.connect(address)
            if flight is not None:
                # To cut what is not connected yet looks like success from here.
                flight.hold(found)
        except OSError as error:
            found.close()
            trouble = error
            if flight is not None and flight.was_cut:
                break
        else:
            found.settimeout(None if flight is None else max(0.001, flight.limit.left()))
            return found
    if flight is not None and flight.was_cut:
        # Not *trouble* itself: urllib3 takes a reset for something that an answer may still follow.
        raise TimeoutError from trouble
    if flight is not None and flight.limit.left() <= 0:
        raise flight.limit.error()
    reason = (trouble.strerror or "").lower() or f"no answer within {CONNECT_S:g} s"
    raise SourceError(f"no connection to {connection.host}:{port}: {reason}", code="connection")


def _hold(connection: HTTPConnection) -> None:
    flight = CURRENT.flight
    if flight is not None and connection.sock is not None:
        flight.hold(connection.sock)


def _acknowledge_at_once(connection: HTTPConnection) -> None:
    """Spare a call 40 ms: simple servers send head and body apart, and wait between them to be acknowledged."""
    if _QUICK_ACK is not None and connection.sock is not None:
        connection.sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


class _PlainConnection(HTTPConnection):
    @override
    def _new_conn(self) -> socket.socket:
        return _connect(self)

    @override
    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        _hold(self)
        super().putrequest(method, url, skip_host, skip_accept_encoding)

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 itself
        _acknowledge_at_once(self)
        return super().getresponse()


class _SecureConnection(HTTPSConnection):
    @override
    def _new_conn(self) -> socket.socket:
        connected = _connect(self)
        if CURRENT.flight is not None:
            try:
                CURRENT.flight.hold_for_handshake(connected)
            except OSError:
                connected.close()
                raise
        return connected

    @override
    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        _hold(self)
        super().putrequest(method, url, skip_host, skip_accept_encoding)

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 itself
        _acknowledge_at_once(self)
        return super().getresponse()


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection  # type: ignore[mutable-override]

    @override
    def _put_conn(self, conn: "BaseHTTPConnection | None") -> None:
        _let_go()
        super()._put_conn(conn)


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection  # type: ignore[mutable-override]

    @override
    def _put_conn(self, conn: "BaseHTTPConnection | None") -> None:
        _let_go()
        super()._put_conn(conn)


def _let_go() -> None:
    # A body that was read to its end gives its connection back by itself, while the call goes on.
    if CURRENT.flight is not None:
        CURRENT.flight.let_go()


def _make_pools() -> urllib3.PoolManager:
    pools = urllib3.PoolManager(num_pools=64, maxsize=64, retries=False)
    classes: dict[str, type[urllib3.HTTPConnectionPool | urllib3.HTTPSConnectionPool]] = {}
    classes.update(http=_PlainPool, https=_SecurePool)
    pools.pool_classes_by_scheme = classes
    return pools


_POOLS: Final = _make_pools()
_PUBLIC_POOLS: Final = _make_pools()
"""Pools of their own: a connection to a private address that somebody else was allowed must not be used again here."""


def pools_for(*, private_targets: bool) -> urllib3.PoolManager:
    """Return the connections to use."""
    return _POOLS if private_targets else _PUBLIC_POOLS
