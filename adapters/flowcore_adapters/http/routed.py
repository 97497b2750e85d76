"""A table of paths as a Falcon application, which takes requests as they come and says what is wrong in JSON."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import falcon

from . import errors
from .routing import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ROUTED: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""The methods that a resource may have a responder for."""
_NEVER_ROUTED: Final = "TRACE"


class RoutedRequest(falcon.Request):
    """A request whose invented method is one that is not allowed (405), not one that is not understood (400)."""

    def __init__(self, env: "WSGIEnvironment", options: falcon.RequestOptions | None = None) -> None:
        """Read *env*."""
        super().__init__(env, options)
        if self.method not in _ROUTED:
            self.method = _NEVER_ROUTED


def routed(table: Iterable[Route]) -> "falcon.App[RoutedRequest, falcon.Response]":
    """Return an application that answers what is in *table*; the guard is still to be put before it."""
    application = falcon.App(request_type=RoutedRequest)
    errors.install(application)
    # A repeated parameter must be seen as such, and an empty one is not a missing one.
    application.req_options.keep_blank_qs_values = True
    application.req_options.auto_parse_qs_csv = False
    application.req_options.strip_url_path_trailing_slash = False
    for route in table:
        application.add_route(route.path, route.resource)
    return application
