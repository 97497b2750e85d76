"""`/api/v1/upload/...`: objects of the stores that have no server of their own, put and fetched with signed URLs.

The signature is all that is asked for: neither a token nor a content type. What the URL does not allow is answered with
403, whether it is forged, expired or for another method.
"""

import re
from collections.abc import Iterator
from io import RawIOBase
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote_to_bytes

import attrs
import falcon
from typing_extensions import override

from flowcore.errors import FlowcoreError, StoreElsewhereError
from flowcore.stores import ArtifactStore, StoredObject
from flowcore_adapters.artifacts.incoming import IncomingFile
from flowcore_adapters.artifacts.intake import Arrivals, Intake
from flowcore_adapters.artifacts.local import LocalArtifactStore
from flowcore_adapters.artifacts.signed_urls import METHODS, PREFIX, Ticket, UrlSigner
from flowcore_adapters.http.description.operations import Answer, Parameter, operation
from flowcore_adapters.http.description.schemas import OBJECT, TEXT

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIEnvironment

PATH: Final = f"{PREFIX}{{store}}/{{name:path}}"
_QUERY: Final = (
    Parameter("exp", "When the URL ends, in seconds since the epoch.", TEXT, required=True),
    Parameter("kid", "The name of the key that signed it.", TEXT, required=True),
    Parameter("max", "How large the object may be, in bytes; only to put.", TEXT),
    Parameter("run", "The run that waits for the object.", TEXT),
    Parameter("edge", "The edge of that run.", TEXT),
    Parameter("sig", "The signature.", TEXT, required=True),
)
_BYTES: Final = "application/octet-stream"
_ELSEWHERE: Final = Answer(
    "The Host header does not name this server, or the store is in the memory of another process.", OBJECT
)
_PUT: Final = operation(
    "Put an object with a signed URL",
    query=_QUERY,
    answers={
        200: Answer("It is kept.", OBJECT),
        409: Answer("The run has it already, or somebody else is just putting it.", OBJECT),
        411: Answer("The body has neither a length nor chunks.", OBJECT),
        415: Answer(
            "It is not of a type that the nodes take which wait for it; in a run that goes on they fail.", OBJECT
        ),
        421: _ELSEWHERE,
    },
)
_CHUNK: Final = 256 * 1024
_SENT: Final = ("REQUEST_URI", "RAW_URI")
"""What servers call the target of a request, undecoded: waitress, uWSGI and mod_wsgi the first, gunicorn the second."""
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Stores(Protocol):
    """Where objects are kept."""

    def find(self, name: str, run: str = "") -> ArtifactStore:
        """Return the store that *run* calls *name*; the server's own when there is no run.

        Raises:
            StoreError: There is none, or it cannot be used.
        """
        ...


@attrs.frozen(kw_only=True)
class Uploads:
    """What a server needs to take and to hand out objects.

    Attributes:
        signer: Checks the URLs.
        stores: Where the objects are kept.
        arrivals: Who is told of what runs wait for; None for nobody.
    """

    signer: UrlSigner
    stores: Stores
    arrivals: Arrivals | None = None

    def signed(self, environ: "WSGIEnvironment") -> bool:
        """Return whether the URL of a request carries a good signature."""
        return ticket_of(self.signer, environ) is not None

    def expect(self, method: str, path: str, query: str, sent: str) -> "Expected | None":
        """Return what a request may bring that has only said where it goes (*sent*, literally); None for nothing."""
        ticket = self.signer.verify(method, path, query, sent=sent)
        if ticket is None or ticket.max_bytes is None:
            return None
        try:
            store = self.stores.find(ticket.store, ticket.run)
            file = store.receive() if isinstance(store, LocalArtifactStore) else None
        except StoreElsewhereError:
            return None
        except FlowcoreError:
            # It is met again, and told, when the request is answered.
            file = None
        return Expected(ticket.max_bytes, file)


class ReceivedBody(RawIOBase):
    """A body that a server has put in its place already."""

    def __init__(self, file: IncomingFile) -> None:
        """Show what is in *file*."""
        super().__init__()
        self.file = file
        self._place = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.file.read(self._place, len(view))
        view[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


@attrs.frozen
class Expected:
    """A body that is allowed.

    Attributes:
        max_bytes: How large it may be.
        file: Where to put it, so that it need not be copied, or None; whoever has it closes it.
    """

    max_bytes: int
    file: IncomingFile | None


class UploadResource:
    """Puts and fetches objects."""

    def __init__(self, uploads: Uploads) -> None:
        """Serve *uploads*."""
        self._signer = uploads.signer
        self._stores = uploads.stores
        self._intake = Intake(uploads.arrivals)

    @_PUT
    def on_put(self, request: falcon.Request, response: falcon.Response, **_names: str) -> None:
        """Keep the body, all of it or nothing."""
        ticket = self._ticket(request)
        store = self._stores.find(ticket.store, ticket.run)
        body = _body(request, ticket.max_bytes or 0)
        stored = self._intake.take(ticket, store, body)
        response.media = {"store": ticket.store, "name": stored.name, "size_bytes": stored.size_bytes}

    on_post = on_put

    @operation(
        "Fetch an object with a signed URL",
        query=_QUERY,
        answers={
            200: Answer("The object.", TEXT, _BYTES),
            206: Answer("The part of it that `Range` asks for.", TEXT, _BYTES),
            416: Answer("The part begins beyond the end.", OBJECT),
            421: _ELSEWHERE,
        },
    )
    def on_get(self, request: falcon.Request, response: falcon.Response, **_names: str) -> None:
        """Answer with the object, or with a part of it."""
        ticket = self._ticket(request)
        store = self._stores.find(ticket.store, ticket.run)
        given = request.get_header("Range")
        part = None if given is None else _part(given, store.head(ticket.name).size_bytes)
        start, length = (0, None) if part is None else part
        reader = store.open(ticket.name, start=start, length=length)
        size = reader.stored.size_bytes
        _describe(response, reader.stored)
        if length is not None:
            response.status = falcon.HTTP_206
            response.set_header("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
        response.set_stream(reader, size if length is None else length)

    def on_head(self, request: falcon.Request, response: falcon.Response, **_names: str) -> None:
        """Answer with what is known of the object."""
        ticket = self._ticket(request)
        stored = self._stores.find(ticket.store, ticket.run).head(ticket.name)
        _describe(response, stored)
        response.content_length = stored.size_bytes

    def _ticket(self, request: falcon.Request) -> Ticket:
        ticket = ticket_of(self._signer, request.env)
        if ticket is None:
            raise falcon.HTTPForbidden(title="this URL is not good for that, or not any more")
        return ticket


def ticket_of(signer: UrlSigner, environ: "WSGIEnvironment") -> Ticket | None:
    """Return what the request *environ* may do by the URL it was sent to; None for nothing.

    It must be spelled as it was signed. A server that does not tell how it was sent (`_SENT`) leaves the path to be
    compared as PEP 3333 has it: without its encoding.
    """
    method: str = environ["REQUEST_METHOD"]
    if method not in METHODS:
        return None
    try:
        # WSGI hands over the bytes of the path as Latin-1.
        path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode()
    except UnicodeError:
        return None
    return signer.verify(method, path, str(environ.get("QUERY_STRING", "")), sent=_sent(environ))


def _sent(environ: "WSGIEnvironment") -> str | None:
    """Return path and query as they were sent, from where the application is mounted on; None when nobody knows.

    Where it is mounted is in no signature, and may be spelled as the server lets it be.
    """
    sent = next((str(environ[name]) for name in _SENT if name in environ), None)
    # WSGI hands over the bytes of the path as Latin-1.
    mount = str(environ.get("SCRIPT_NAME", "")).encode("latin-1", "replace")
    if sent is None or not mount:
        return sent
    pieces = sent.split("/", mount.count(b"/") + 1)
    front, rest = "/".join(pieces[:-1]), f"/{pieces[-1]}"
    # A server before us may have taken the prefix away already.
    return rest if unquote_to_bytes(front.encode("latin-1", "replace")) == mount else sent


def _body(request: falcon.Request, most: int) -> IncomingFile | Iterator[bytes]:
    """Return the body; its length is looked at at once, and counted by the store."""
    length = request.content_length
    if length is None and "HTTP_TRANSFER_ENCODING" not in request.env:
        raise falcon.HTTPLengthRequired(title="say how long the body is (Content-Length), or send it chunked")
    if length is not None and length > most:
        raise falcon.HTTPContentTooLarge(title=f"the object is larger than {most} bytes")
    stream = request.env["wsgi.input"]
    return stream.file if isinstance(stream, ReceivedBody) else _pieces(request, length)


def _pieces(request: falcon.Request, length: int | None) -> Iterator[bytes]:
    # Falcon's own bounded stream looks for lines, which costs as much as the rest.
    read = request.env["wsgi.input"].read
    left = length
    while left is None or left > 0:
        piece: bytes = read(_CHUNK if left is None else min(_CHUNK, left))
        if not piece:
            if left:
                raise falcon.HTTPBadRequest(title=f"the body ended {left} bytes too early")
            return
        yield piece
        if left is not None:
            left -= len(piece)


def _describe(response: falcon.Response, stored: StoredObject) -> None:
    response.content_type = "application/octet-stream"
    response.downloadable_as = stored.name.rpartition("/")[2]
    response.set_headers([("Accept-Ranges", "bytes"), ("Cache-Control", "private, no-store")])


def _part(given: str, size: int) -> tuple[int, int] | None:
    """Return start and length of the part that a Range header asks for; None for the whole object.

    Raises:
        HTTPRangeNotSatisfiable: It begins beyond the end.
    """
    match = _RANGE.fullmatch(given.strip())
    # Several parts at once, or other units: the whole object is a proper answer (RFC 9110, section 14.2).
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise falcon.HTTPRangeNotSatisfiable(size)
    return start, end - start
