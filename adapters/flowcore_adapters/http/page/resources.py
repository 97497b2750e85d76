"""`GET /ui`, and what the page is made of: files of this package, and nothing of a run (contract safety: no markup)."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import attrs
import falcon

from flowcore_adapters.http.description.operations import UNCHANGED, Answer, operation
from flowcore_adapters.http.routing import Route, Scope
from flowcore_adapters.http.views.resource import has_etag

HOME: Final = "/ui"
"""Where the page is beside the rest of a server. Without a slash at its end, as the page names its parts from there."""
_PARTS: Final = "/page/{name}"
_INDEX: Final = "index.html"
_KINDS: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@attrs.frozen
class _File:
    kind: str
    etag: str
    data: bytes


def page_routes(home: str = HOME) -> tuple[Route, ...]:
    """Return the page, at *home*, and its parts; it asks for `/status` and `/outputs` of the same server."""
    return (Route(home, PageResource(), Scope.READ), Route(_PARTS, PartResource(), Scope.READ))


class PageResource:
    """The page itself."""

    @operation(
        "The web page that shows the most recent run, or `?run_id=`, as it goes",
        answers={200: Answer("The page.", {"type": "string"}, "text/html"), 304: UNCHANGED},
    )
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the page."""
        _hand_out(_files()[_INDEX], request, response)

    on_head = on_get


class PartResource:
    """What the page is made of: its style, its scripts and its icon."""

    @operation(
        "A part of the web page",
        answers={
            200: Answer("The part: a style sheet, a script or the icon.", {"type": "string"}, "text/*"),
            304: UNCHANGED,
        },
    )
    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Answer with the part; there are those of this package, whatever else is on the disk.

        Raises:
            HTTPRouteNotFound: There is no such part.
        """
        part = _files().get(name)
        if part is None or name == _INDEX:
            raise falcon.HTTPRouteNotFound
        _hand_out(part, request, response)

    on_head = on_get


def _hand_out(file: _File, request: falcon.Request, response: falcon.Response) -> None:
    # Asked for each time, and sent when it is another one: a page never meets the scripts of an older version.
    response.set_headers([("Cache-Control", "no-cache"), ("ETag", file.etag), ("Referrer-Policy", "same-origin")])
    if has_etag(request.env, file.etag):
        response.status = falcon.HTTP_304
        return
    response.content_type = file.kind
    response.data = file.data


@cache
def _files() -> Mapping[str, _File]:
    """Return the files by name, read once."""
    found: dict[str, _File] = {}
    for path in files(__name__.rpartition(".")[0]).joinpath("files").iterdir():
        data = path.read_bytes()
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        found[path.name] = _File(_KINDS[f".{path.name.rpartition('.')[2]}"], etag, data)
    return found
