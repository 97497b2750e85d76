"""The page for ASGI servers: `uvicorn.run(app)`, as documents/python-api.md has it ("Basic Setup")."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from flowcore_adapters.http.app import THREADS
from flowcore_adapters.http.environment import SettingsError
from flowcore_adapters.http.lazy import LazyApplication

from .application import get_webui

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from a2wsgi.wsgi_typing import WSGIApp

try:
    from a2wsgi import WSGIMiddleware
except ImportError as error:
    raise ImportError("the page for ASGI servers needs a2wsgi: pip install 'flowcore[asgi]'") from error


def _make(_environ: "WSGIEnvironment") -> "WSGIApplication":
    return get_webui()


_TROUBLE: Final[Mapping[type[Exception], str]] = {SettingsError: "the settings of this server are wrong"}
app: Final = WSGIMiddleware(cast("WSGIApp", LazyApplication(_make, _TROUBLE)), workers=THREADS)
"""Its settings are read at the first request, and whom to ask at each of them."""
