"""What is sent: the address, the headers and the body of an HTTP request, and where redirects may lead."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urljoin

import attrs
from urllib3.exceptions import LocationParseError
from urllib3.util import make_headers, parse_url

from flowcore.errors import SourceError
from flowcore_adapters.sources.configuration import bad_configuration

from .tokens import TOKEN, TOKEN_CHARACTERS

_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "idempotency-key", "user-agent"}
)
"""The headers that another host may see. A list of what is secret would have to know every API's name for its key."""
_OF_THE_BODY: Final = frozenset({"content-type", "idempotency-key"})
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, section 5.5."""
_SHOWN: Final = 80
_POST_BECOMES_GET: Final = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND})
"""As browsers do it. Other methods stay what they are: a PUT that became a GET would look like a success."""


@attrs.frozen
class Address:
    """An HTTP address.

    Attributes:
        text: The whole of it, without user and password.
        origin: Scheme, host and port.
        shown: As logs show it: without its query, where keys often stand.
        user: User and password, ``user:password``, or None.
    """

    text: str
    origin: tuple[str, str, int]
    shown: str
    user: str | None

    @property
    def host(self) -> str:
        """Host and port, for people."""
        scheme, host, port = self.origin
        return host if port == _PORTS[scheme] else f"{host}:{port}"


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request."""

    method: str
    url: Address
    headers: Mapping[str, str]
    body: bytes | None
    follow_other_hosts: bool


def read_address(url: str) -> Address:
    """Return *url* as an HTTP address, as the library that will connect to it reads it.

    Raises:
        SourceError: It is none.
    """
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise _no_address(url) from None
    scheme, host = parts.scheme, parts.host
    if scheme is None or scheme not in _PORTS or not host:
        raise _no_address(url)
    return Address(
        text=parts._replace(auth=None).url,
        origin=(scheme, host, parts.port or _PORTS[scheme]),
        shown=parts._replace(auth=None, query=None, fragment=None).url,
        user=parts.auth,
    )


def _no_address(url: str) -> SourceError:
    return bad_configuration(f"'{url[:200]}' is no address that starts with http:// or https://")


def with_defaults(headers: Mapping[str, str], ours: Mapping[str, str], address: Address) -> dict[str, str]:
    """Return *headers* and those of *ours* that they leave out, and what the user in *address* amounts to.

    Raises:
        SourceError: One of *headers* cannot be sent.
    """
    for name, value in headers.items():
        _check_header(name, value)
    given = {name.lower() for name in headers}
    usual = {"User-Agent": "flowcore", "Accept": "*/*", "Accept-Encoding": "gzip, deflate", **ours}
    if address.user is not None:
        usual["Authorization"] = make_headers(basic_auth=unquote(address.user))["authorization"]
    return {**headers, **{name: value for name, value in usual.items() if name.lower() not in given}}


def _check_header(name: str, value: str) -> None:
    if TOKEN.fullmatch(name) is None:
        raise bad_configuration(f"no header can be called '{name[:_SHOWN]}': allowed are {TOKEN_CHARACTERS}")
    # What the value is stays out of the message: it may be a key.
    if _HEADER_VALUE.fullmatch(value) is None:
        raise bad_configuration(
            f"the value of the header '{name[:_SHOWN]}' cannot be sent: allowed are the characters of Latin-1, "
            "without line breaks and other control characters"
        )


def redirected(request: Request, status: int, location: str) -> Request:
    """Return the request that a redirect asks for.

    Raises:
        SourceError: It leads to another host, or to something that is no HTTP address.
    """
    try:
        url = read_address(urljoin(request.url.text, location))
    except (SourceError, ValueError):
        raise _no_way(f"the redirect to '{location[:200]}' is no HTTP address") from None
    headers = request.headers
    if url.origin != request.url.origin:
        if not request.follow_other_hosts:
            scheme, host, port = url.origin
            place = f"{scheme}://{host}:{port}"
            raise _no_way(f"the redirect to {place} leads to another host; `follow_other_hosts: true` allows it")
        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
    if status == HTTPStatus.SEE_OTHER or (status in _POST_BECOMES_GET and request.method == "POST"):
        headers = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_BODY}
        method = "HEAD" if request.method == "HEAD" else "GET"
        return attrs.evolve(request, url=url, headers=headers, method=method, body=None)
    return attrs.evolve(request, url=url, headers=headers)


def _no_way(message: str) -> SourceError:
    return SourceError(message, code="bad-redirect", retryable=False)
