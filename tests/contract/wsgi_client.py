"""A WSGI client without a network: what goes in and comes out is checked against PEP 3333."""

import io
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import attrs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
PORT = "8000"


@attrs.frozen
class Answer:
    """What came back; *headers* by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:  # noqa: ANN401 - a document
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def etag(self) -> str:
        """The `ETag`."""
        return self.headers["etag"]


def call(
    application: "WSGIApplication",
    target: str = "/status",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    environ: Mapping[str, object] | None = None,
) -> Answer:
    """Send one request; *environ* has the last word, and None takes something out of it."""
    path, _, query = target.partition("?")
    request: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": PORT,
        "HTTP_HOST": f"{HOST}:{PORT}",
        "REMOTE_ADDR": HOST,
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(request)
    if body:
        request["CONTENT_LENGTH"] = str(len(body))
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        request[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    request |= environ or {}
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Any:  # noqa: ANN401
        assert exc_info is None
        started.append((status, headers))

    def requested(_: "WSGIEnvironment", start: "StartResponse", /) -> Iterable[bytes]:
        return application({key: value for key, value in request.items() if value is not None}, start)

    # The validator looks at answers only: some requests are wrong on purpose.
    proper: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": ""}
    setup_testing_defaults(proper)
    iterable = validator(requested)(proper, start_response)
    try:
        data = b"".join(iterable)
    finally:
        iterable.close()  # type: ignore[attr-defined]
    ((status, pairs),) = started
    names = [name.lower() for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return Answer(int(status[:3]), {name.lower(): value for name, value in pairs}, data)
