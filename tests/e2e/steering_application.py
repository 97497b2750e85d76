"""A WSGI application that steers runs: `POST /stop`, `/pause`, `/continue` for the newest one, beside the views."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowcore.run.commands import ContinueRun, PauseRun, StopRun
from flowcore.service import request
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.logs.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

COMMANDS = {"/stop": StopRun, "/pause": PauseRun, "/continue": ContinueRun}


def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
    """Answer with the id of this process."""
    log = SqliteEventLog("log.db")
    try:
        kind = COMMANDS.get(environ["PATH_INFO"])
        if kind is None:
            return list(create_app(log)(environ, start))
        request(log, log.runs(limit=1)[0], kind(at=SystemClock().now()))
    finally:
        log.close()
    body = str(os.getpid()).encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
