"""Hosts and origins as requests name them: who is meant, and whether it is us."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def split_host(host: str) -> tuple[str, str]:
    """Return name and port of a Host header, the port as it stands there; ("", "") for what no Host header should be.

    The name is in lower case and without the dot of the root; an IPv6 address keeps its brackets.
    """
    name, _, port = host.rpartition(":") if ":" in host and not host.endswith("]") else (host, "", "")
    if port and not (port.isascii() and port.isdigit()):
        return "", ""
    return name.lower().removesuffix("."), port


def origin_of(url: str) -> str | None:
    """Return the origin of *url* (scheme, host and port) in lower case; None when it has none, as `null` has not."""
    try:
        parts = urlsplit(url.lower())
    except ValueError:  # such as an IPv6 address without its end
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in _DEFAULT_PORTS and parts.netloc else None


def split_base(url: str) -> SplitResult | None:
    """Return the parts of *url*, an address that others are below; None when it is none, or has a query or fragment."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        return None
    return parts if good else None


def same_authority(origin: str, host: str, scheme: str) -> bool:
    """Return whether *origin* has the host and the port that the Host header of a request over *scheme* names."""
    origin_scheme, _, authority = origin.partition("://")
    name, port = split_host(authority)
    own_name, own_port = split_host(host)
    default, own_default = _DEFAULT_PORTS[origin_scheme], _DEFAULT_PORTS.get(scheme, "80")
    return bool(name) and name == own_name and (port or default) == (own_port or own_default)
