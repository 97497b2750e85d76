"""URLs that let whoever has them put or fetch one object, for a while (contract flow-runs, section 13; safety).

    PUT|POST|GET|HEAD /api/v1/upload/{store}/{name}?exp=..&kid=..[&max=..][&run=..&edge=..]&sig=..

The signature is the HMAC-SHA256, in base64url, of these lines: `v1`, the key's name, the method, the store, the
object's name, the moment it expires, the size cap; and of the run and the edge when the URL is for the input of a run.
Only the one spelling that is signed here is good: not even the order of the parameters may be another, nor the encoding
of the path, as far as the server tells how it was sent.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import attrs

from flowcore.errors import ObjectNameError
from flowcore.stores import check_object_name
from flowcore.values import Instant

from .url_keys import UrlKeys

PREFIX: Final = "/api/v1/upload/"
LONGEST_S: Final = 15 * 60.0
"""How long a URL holds at most, in seconds (contract safety); it is renewed whenever somebody looks at the run."""
_SIGNED_AS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"PUT": ("PUT", "POST"), "POST": ("POST",), "GET": ("GET",), "HEAD": ("GET",)}
)
"""Which signatures are good for a method: a URL for a webhook takes POST beside PUT, HEAD counts as GET."""
METHODS: Final = tuple(_SIGNED_AS)
_LONGEST: Final = 8192
_MOST_FIELDS: Final = 8
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,14}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
SAFE: Final = "/!$&'()*+,;=@"
"""What a path may hold as it is (RFC 3986, section 3.3); the rest is percent-encoded."""


@attrs.frozen(kw_only=True)
class Ticket:
    """What a URL lets its bearer do.

    Attributes:
        method: `PUT`, `POST` (that is PUT as well) or `GET` (that is HEAD as well).
        store: The name of the store.
        name: The name of the object.
        expires_at: When it ends, in whole seconds since the epoch.
        max_bytes: How large the object may be; None when it is fetched.
        run: The run that waits for the object, as its dialect spells it; empty for none.
        edge: The edge of that run; empty for none.
    """

    method: str
    store: str
    name: str
    expires_at: int
    max_bytes: int | None = None
    run: str = ""
    edge: str = ""

    @property
    def path(self) -> str:
        """The URL's path."""
        return f"{PREFIX}{quote(self.store, safe='')}/{quote(self.name, safe=SAFE)}"


class UrlSigner:
    """Signs URLs and checks them."""

    def __init__(self, keys: UrlKeys, now: Callable[[], Instant]) -> None:
        """Sign with the current key of *keys*; *now* tells the time of the day."""
        self._keys = keys
        self._now = now

    def ticket(
        self,
        method: str,
        store: str,
        name: str,
        *,
        holds_s: float = LONGEST_S,
        max_bytes: int | None = None,
        run: str = "",
        edge: str = "",
    ) -> Ticket:
        """Return a ticket that ends *holds_s* seconds from now, at most `LONGEST_S`."""
        expires_at = int(self._now() + min(holds_s, LONGEST_S))
        return Ticket(
            method=method, store=store, name=name, expires_at=expires_at, max_bytes=max_bytes, run=run, edge=edge
        )

    def sign(self, ticket: Ticket) -> str:
        """Return the path and the query of a URL that carries *ticket*; put scheme and host in front.

        Raises:
            ObjectNameError: Store, name, run or edge cannot stand in a URL.
        """
        _check(ticket)
        kid = self._keys.current
        return f"{ticket.path}?{_query(ticket, kid, _signature(self._keys.key, kid, ticket))}"

    def verify(self, method: str, path: str, query: str, *, sent: str | None = None) -> Ticket | None:
        """Return what a request may do; None when its URL is forged, expired, or for another method.

        Args:
            method: The request's method.
            path: Its path, percent-encoding undone.
            query: Its query, as it was sent.
            sent: Path and query as they stood in the request's first line, when the server tells that. It must be what
                was signed, byte for byte: servers make one path of many spellings before anybody sees it. None leaves
                the path to be compared without its encoding.
        """
        store, _, name = path.removeprefix(PREFIX).partition("/")
        given = _parsed(query)
        kid, expires_at, most = given.get("kid", ""), given.get("exp", ""), given.get("max")
        key = self._keys.find(kid)
        if (
            key is None
            or not path.startswith(PREFIX)
            or not _NUMBER.fullmatch(expires_at)
            or not (most is None or _NUMBER.fullmatch(most))
        ):
            return None
        for signed_as in _SIGNED_AS.get(method, ()):
            ticket = Ticket(
                method=signed_as,
                store=store,
                name=name,
                expires_at=int(expires_at),
                max_bytes=None if most is None else int(most),
                run=given.get("run", ""),
                edge=given.get("edge", ""),
            )
            expected = _query(ticket, kid, _signature(key, kid, ticket))
            # The whole query: there is one spelling, with nothing twice and nothing more.
            if hmac.compare_digest(expected.encode(), query.encode("utf-8", "replace")):
                literal = sent is None or sent == f"{ticket.path}?{expected}"
                return ticket if literal and self._now() < ticket.expires_at and _sound(ticket) else None
        return None


def _parsed(query: str) -> dict[str, str]:
    if len(query) > _LONGEST:
        return {}
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _check(ticket: Ticket) -> None:
    check_object_name(ticket.name)
    if "/" in check_object_name(ticket.store):
        raise ObjectNameError(f"the store '{ticket.store}' cannot stand in a URL: its name has a slash")
    if _CONTROL.search(ticket.run + ticket.edge) or bool(ticket.run) != bool(ticket.edge):
        raise ObjectNameError("a run and an edge stand together in a URL, without control characters")
    if (ticket.max_bytes is None) != (ticket.method == "GET"):
        raise ObjectNameError("a URL to put an object with needs a size cap, and one to fetch it with has none")


def _sound(ticket: Ticket) -> bool:
    try:
        _check(ticket)
    except ObjectNameError:
        return False
    return True


def _query(ticket: Ticket, kid: str, signature: str) -> str:
    parts = {"exp": str(ticket.expires_at), "kid": kid}
    if ticket.max_bytes is not None:
        parts["max"] = str(ticket.max_bytes)
    if ticket.run:
        parts |= {"run": ticket.run, "edge": ticket.edge}
    return urlencode({**parts, "sig": signature}, quote_via=quote)


def _signature(key: bytes, kid: str, ticket: Ticket) -> str:
    lines = ["v1", kid, ticket.method, ticket.store, ticket.name, str(ticket.expires_at)]
    lines.append("" if ticket.max_bytes is None else str(ticket.max_bytes))
    if ticket.run:
        lines += [ticket.run, ticket.edge]
    digest = hmac.digest(key, "\n".join(lines).encode("utf-8", "surrogatepass"), hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")
