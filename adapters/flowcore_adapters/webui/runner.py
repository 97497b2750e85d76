"""The runner that the page shows, asked over HTTP: its answers are handed on, and what goes wrong is said in words."""

import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import attrs
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from flowcore_adapters.http.incoming.authority import split_base

URL: Final = "RUNNER_STATUS_URL"
TOKEN: Final = "RUNNER_STATUS_TOKEN"  # noqa: S105 - the name of a variable
CONNECT_S: Final = 5.0
"""How long it may take to connect, in seconds."""
READ_S: Final = 30.0
"""How long an answer may let nothing be heard of it, in seconds; one that waits for news waits less."""
_HANDED_ON: Final = ("ETag", "Cache-Control", "Content-Type", "Content-Length", "Retry-After")
_DATE: Final = "X-Runner-Date"
"""The clock of the runner: `Date` is that of whoever serves the page."""
_OWN: Final = frozenset({200, HTTPStatus.NOT_MODIFIED, 400, 404, 500, 503})
"""What a status API answers itself (documents/status-api.md); anything else is about how we asked."""


class RunnerError(Exception):
    """The runner cannot be asked, or does not answer as a runner; the message is for whoever looks at the page."""


@attrs.frozen
class RunnerAnswer:
    """What the runner says.

    Attributes:
        status: The status of HTTP.
        headers: Those that matter to whoever asked us.
        body: What can be read, piece by piece, and must be closed; None when there is none.
    """

    status: int
    headers: Mapping[str, str]
    body: urllib3.BaseHTTPResponse | None


class Runner:
    """The runner that `RUNNER_STATUS_URL` names at this moment."""

    def __init__(self, connections: int, environment: Mapping[str, str] = os.environ) -> None:
        """Look at *environment* at every question, as a program may say only later whom to ask.

        Args:
            connections: How many of them are kept: as many as there are threads that ask.
            environment: Where the variables are.
        """
        self._environment = environment
        self._pool = urllib3.PoolManager(
            num_pools=2, maxsize=connections, retries=False, timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S)
        )

    def ask(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> RunnerAnswer:
        """Ask for *path*, which starts with a slash, with GET or HEAD.

        Raises:
            RunnerError: There is no answer, or none that could be handed on.
        """
        base = self._base()
        token = self._environment.get(TOKEN)
        # Headers are written as Latin-1; what a token is made of is the runner's business.
        leave = {"Authorization": f"Bearer {token.encode().decode('latin-1')}"} if token else {}
        url = f"{base}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._send(method, url, {**headers, **leave})
        except HTTPError as error:
            raise RunnerError(f"the runner at {base} does not answer: {_reason(error)}") from error
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        unchanged = answer.status == HTTPStatus.NOT_MODIFIED
        if answer.status in _OWN and (unchanged or kind == "application/json"):
            handed_on = {name: answer.headers[name] for name in _HANDED_ON if name in answer.headers}
            if "Date" in answer.headers:
                handed_on[_DATE] = answer.headers["Date"]
            if not unchanged and method != "HEAD":
                return RunnerAnswer(answer.status, handed_on, answer)
            # What has no body has been read to its end: its connection serves the next question.
            answer.drain_conn()
            return RunnerAnswer(answer.status, handed_on, None)
        answer.close()
        raise RunnerError(_unlike_a_runner(base, answer.status, kind))

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, url, headers=headers, redirect=False, preload_content=False)
        except ProtocolError:
            # A connection that was kept may end in the very moment when it is used again.
            return self._pool.request(method, url, headers=headers, redirect=False, preload_content=False)

    def _base(self) -> str:
        """Return the address of the runner, without what its status API adds.

        Raises:
            RunnerError: There is none, or it is none.
        """
        given = self._environment.get(URL, "").strip()
        if not given:
            raise RunnerError(f"no runner to show: set {URL} to its address, such as http://127.0.0.1:8005")
        address = runner_address(given)
        if address is None:
            # Not what it says: a password may stand in it.
            raise RunnerError(f"{URL} is no address of a runner; it looks like http://127.0.0.1:8005")
        return address


def runner_address(given: str) -> str | None:
    """Return the address of the runner that *given* names, itself or its `/status`; None when it names none."""
    parts = split_base(given)
    if parts is None or parts.username is not None or not given.isprintable() or " " in given:
        return None
    try:
        good = parts.port != 0
    except ValueError:
        good = False
    return given.rstrip("/").removesuffix("/status") if good else None


def _reason(error: HTTPError) -> str:
    """Return why there was no answer, in a few words."""
    match error:
        case NameResolutionError():
            return "its name is not known"
        case NewConnectionError():
            cause = error.__cause__
            return str(getattr(cause, "strerror", None) or "it cannot be reached")
        case ConnectTimeoutError():
            return f"it could not be reached within {CONNECT_S:g} s"
        case ReadTimeoutError():
            return "it did not say anything in time"
        case SSLError():
            return "its certificate is not good for that address, or it does not speak TLS"
        case ProtocolError():
            return "the connection was cut"
        case _:
            return "it cannot be asked"


def _unlike_a_runner(base: str, status: int, kind: str) -> str:
    match status:
        case 401 | 403:
            return f"the runner at {base} wants a token, or another one: set {TOKEN} to it"
        case 421:
            return f"the runner at {base} does not go by that name: its --allow-host lets it"
        case 301 | 302 | 303 | 307 | 308:
            return f"{base} leads elsewhere ({status}); set {URL} to where the runner itself is"
        case _:
            return f"what answers at {base} is no status API: it answered {status}, {kind or 'without a type'}"
