"""What a call asks for: address, headers and body (contract status, section 3), and where redirects may lead."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote, urlencode, urljoin

import attrs
from urllib3.exceptions import LocationParseError
from urllib3.util import make_headers, parse_url

from flowcore.errors import SourceError
from flowcore.expressions import to_text
from flowcore.ports import SourceCall
from flowcore.values import Json
from flowcore_adapters.sources.configuration import bad_configuration

from .configuration import RestConfiguration

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UPWARDS: Final = re.compile(r"(?:^|[/\\])(?:\.|%2e){2}(?:[/\\?#]|%2f|%5c|$)", re.IGNORECASE)
_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "idempotency-key", "user-agent"}
)
"""The headers that another host may see. A list of what is secret would have to know every API's name for its key."""
_OF_THE_BODY: Final = frozenset({"content-type", "idempotency-key"})
_POST_BECOMES_GET: Final = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND})
"""As browsers do it. Other methods stay what they are: a PUT that became a GET would look like a success."""
_ASCII: Final = "/:;,.=+-_[]()@!~*"


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


def build_request(configuration: RestConfiguration, call: SourceCall) -> Request:
    """Return the request that *call* means.

    Raises:
        SourceError: Its configuration or its input make no HTTP request.
    """
    mode, payload = configuration.input_mode, call.payload
    method = configuration.method.upper()
    parameters = _parameters(configuration.params)
    body: bytes | None = None
    if payload is not None and mode == "parameter":
        parameters.append((configuration.param_name, to_text(payload)))
    elif payload is not None and mode == "body":
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
    url = _address(configuration, payload)
    if parameters:
        path, mark, fragment = url.partition("#")
        url = f"{path}{'&' if '?' in path else '?'}{urlencode(parameters)}{mark}{fragment}"
    address = read_address(url)
    return Request(
        method=method,
        url=address,
        headers=_headers(configuration, call, method, address, has_body=body is not None),
        body=body,
        follow_other_hosts=configuration.follow_other_hosts,
    )


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


def _address(configuration: RestConfiguration, payload: Json) -> str:
    url, base = configuration.url, configuration.base_url
    if not base:
        return url or ""
    if url:
        return url if _ABSOLUTE.match(url) else _joined(base, url)
    if configuration.input_mode is not None or payload is None:
        return base
    if isinstance(payload, bool) or not isinstance(payload, (str, int, float)):
        raise _refused(f"the input is joined to {base}, so it must be text")
    path = to_text(payload)
    # The input is data: it says where below the base, never which host, and never what lies beside the base.
    if _UPWARDS.search(path):
        raise _refused(f"the input leads out of {base}")
    if not _ABSOLUTE.match(path):
        return _joined(base, path)
    if read_address(path).origin != read_address(base).origin:
        raise _refused(f"the input leads away from {base}")
    return path


def _joined(base: str, path: str) -> str:
    """Return *path* below *base*, whether or not either has a slash between them."""
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base


def _refused(message: str) -> SourceError:
    return SourceError(message, code="bad-address", retryable=False)


def _parameters(params: Mapping[str, Json] | None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in (params or {}).items():
        items = value if isinstance(value, (list, tuple)) else [value]
        found.extend((name, to_text(item)) for item in items if item is not None)
    return found


def _headers(
    configuration: RestConfiguration, call: SourceCall, method: str, address: Address, *, has_body: bool
) -> dict[str, str]:
    headers = {name: to_text(value) for name, value in (configuration.headers or {}).items() if value is not None}
    given = {name.lower() for name in headers}
    ours = {"User-Agent": "flowcore", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
    if method not in _SAFE:
        # Header values are ASCII; the names of steps need not be.
        ours["Idempotency-Key"] = quote(call.idempotency_key, safe=_ASCII)
    if has_body:
        ours["Content-Type"] = "application/json"
    if address.user is not None:
        ours["Authorization"] = make_headers(basic_auth=unquote(address.user))["authorization"]
    headers.update((name, value) for name, value in ours.items() if name.lower() not in given)
    return headers


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
