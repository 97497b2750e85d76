"""The web page as an application of its own, beside a runner that is asked over HTTP (documents/python-api.md).

`uvicorn.run(app, port=8006)` in a program, or on the command line `uvicorn flowcore_adapters.webui:app` and
`waitress-serve --call flowcore_adapters.webui.application:get_webui`. The environment says the rest:

    RUNNER_STATUS_URL        the runner: its address, or that of its `/status`; may be set and changed while this runs
    RUNNER_STATUS_TOKEN      the token that the runner asks for, if any
    FLOWCORE_TOKEN           what requests to the page must bring, as a Bearer token or as a password
    FLOWCORE_ALLOW_HOSTS     names that requests may use beside the local ones, separated by commas

Without a token of at least 32 characters only this machine is answered.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asgi import app

__all__ = ["app"]


def __getattr__(name: str) -> object:
    """Load *app* when it is asked for: what it needs beside flowcore itself nothing else here does."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".asgi", __name__).app
