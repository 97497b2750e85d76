"""What a request wants to know of the URLs of a flow run."""

from typing import Final

import attrs
import falcon

from flowcore_adapters.http.description.operations import Parameter
from flowcore_adapters.http.views.query import read_once

_DOWNLOADS: Final = "1"
_STRINGS: Final = "strings"
URL_QUERY: Final = (
    Parameter("waiting_urls", "`strings` lists what is waited for as bare URLs", {"enum": [_STRINGS]}),
    Parameter(
        "download_urls",
        "1 adds to each artifact the `GetURL` that it is fetched with, and its `TTL`",
        {"enum": [_DOWNLOADS]},
    ),
)


@attrs.frozen(kw_only=True)
class UrlQuery:
    """Which URLs an answer is to have.

    Attributes:
        downloads: Whether each artifact has the one that it is fetched with.
        strings: Whether what is waited for is a list of bare URLs.
    """

    downloads: bool
    strings: bool


def read_url_query(request: falcon.Request) -> UrlQuery:
    """Return what *request* asks for.

    Raises:
        HTTPBadRequest: A parameter is repeated, or says something that means nothing.
    """
    given = read_once(request)
    return UrlQuery(
        downloads=_is_given("download_urls", given.get("download_urls"), _DOWNLOADS),
        strings=_is_given("waiting_urls", given.get("waiting_urls"), _STRINGS),
    )


def _is_given(name: str, value: str | None, allowed: str) -> bool:
    if value not in (None, allowed):
        raise falcon.HTTPBadRequest(title=f"'{name}' must be '{allowed}', or left out")
    return value is not None
