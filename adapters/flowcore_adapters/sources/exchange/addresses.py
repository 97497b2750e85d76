"""Where a host is, and whether calls may go there."""

import ipaddress
import socket
import threading
from typing import Final, TypeAlias

from flowcore.errors import SourceError

from .flight import Flight

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All public addresses of IPv6. Those outside that Python calls global are other protocols' addresses in disguise."""

Target: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, tuple[object, ...]]
"""What a socket is made from, and the address it is connected to."""
_Found: TypeAlias = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]


def find_addresses(host: str, port: int, flight: Flight | None, until: float) -> list[Target]:
    """Return the addresses of *host*, of which there is at least one.

    Args:
        until: When to give up, in seconds of the monotonic clock.

    Raises:
        SourceError: There is none, or none that *flight* may go to.
        TimeoutError: *flight* was cut.
    """
    try:
        found = _look_up(host, port, flight, until)
    except (socket.gaierror, UnicodeError):
        raise SourceError(f"no connection to {host}: the name is not known", code="unknown-host") from None
    targets: list[Target] = [
        (family, kind, protocol, address)
        for family, kind, protocol, _name, address in found
        if flight is None or flight.private_targets or is_public(str(address[0]))
    ]
    if not targets:
        message = f"no connection to {host}: calls to private addresses are not allowed here"
        raise SourceError(message, code="private-address", retryable=False)
    return targets


def _look_up(host: str, port: int, flight: Flight | None, until: float) -> _Found:
    if flight is None or _is_number(host):
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    # The system's look-up knows no timeout and cannot be ended. One that hangs is left behind.
    done, found, trouble = threading.Event(), list[_Found](), list[OSError | UnicodeError]()

    def look() -> None:
        try:
            found.append(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            trouble.append(error)
        finally:
            done.set()

    threading.Thread(target=look, name="flowcore-rest-look-up", daemon=True).start()
    if not flight.wait(done, until):
        if flight.limit.left() <= 0:
            raise flight.limit.error()
        raise SourceError(f"no connection to {host}: its name was not found in time", code="connection")
    if trouble:
        raise trouble[0]
    return found[0]


def _is_number(host: str) -> bool:
    """Return whether *host* is an address already, so that nobody has to be asked for it."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_public(text: str) -> bool:
    """Return whether the address *text* is one of the whole internet: not of this machine, this network, or a cloud."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address may be wrapped in it: what comes out at the other end of a tunnel is what counts.
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address not in _UNICAST:
            return False
        address = inner or address
    return address.is_global and not address.is_multicast
