"""What a call asks for: address, headers and body (contract status, section 3)."""

import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from flowcore.errors import SourceError
from flowcore.expressions import to_text
from flowcore.ports import SourceCall
from flowcore.values import Json
from flowcore_adapters.sources.exchange.request import Address, Request, read_address, with_defaults

from .configuration import RestConfiguration

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UPWARDS: Final = re.compile(r"(?:^|[/\\])(?:\.|%2e){2}(?:[/\\?#]|%2f|%5c|$)", re.IGNORECASE)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ASCII: Final = "/:;,.=+-_[]()@!~*"


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
    ours: dict[str, str] = {}
    if method not in _SAFE:
        # Header values are ASCII; the names of steps need not be.
        ours["Idempotency-Key"] = quote(call.idempotency_key, safe=_ASCII)
    if has_body:
        ours["Content-Type"] = "application/json"
    return with_defaults(headers, ours, address)
