"""Uploads on waitress: it takes in every body as a whole before it asks the application, up to one size for all.

So the signature of an upload is looked at as soon as its header is there. A body that it allows is written where the
store wants it, up to the size that it allows; for any other one the application is asked at once, which refuses it
without having seen it.
"""

import copy
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from typing_extensions import override
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

from flowcore_adapters.artifacts.incoming import IncomingFile
from flowcore_adapters.artifacts.signed_urls import PREFIX
from flowcore_adapters.http.channel import Channel

from .resources import Expected, ReceivedBody, Uploads

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream

_WHATEVER: Final = 2**62
_SMALL: Final = 64 * 1024
"""A body of so few bytes is taken in though it is refused: clients read the answer only when they have sent all."""
_GULP: Final = 1024 * 1024
"""How much of an upload is read at once, in bytes: into one place, for making room costs as much as reading."""


def upload_channel(uploads: Uploads) -> type[Channel]:
    """Return a class of connections that take the uploads that *uploads* allows."""

    class UploadChannel(_UploadChannel):
        gulp = memoryview(bytearray(_GULP))

        @property
        @override
        def parser_class(self) -> Callable[[Adjustments], HTTPRequestParser]:
            return partial(_UploadParser, expect=uploads.expect)

    return UploadChannel


class _UploadChannel(Channel):
    """A connection that may bring uploads."""

    # All connections of a server are read by one thread.
    gulp: memoryview

    @override
    def handle_read(self) -> None:
        request = self.request
        room = request.room if isinstance(request, _UploadParser) else 0
        if not isinstance(request, _UploadParser) or room <= 0:
            super().handle_read()
            return
        try:
            count = self.socket.recv_into(self.gulp, min(room, len(self.gulp)))
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self.handle_close()
            return
        self.last_activity = time.time()
        request.take(self.gulp[:count])

    @override
    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:
            # Half an upload, whose sender has gone.
            self.request.close()


class _UploadParser(HTTPRequestParser):
    """A request that may be an upload.

    Attributes:
        expected: What it may bring.
    """

    expected: Expected | None = None

    def __init__(self, adj: Adjustments, *, expect: Callable[[str, str, str, str], Expected | None]) -> None:
        super().__init__(adj)
        self._expect = expect

    @override
    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is None or not self.path.startswith(PREFIX):
            return
        path = self.path.encode("latin-1").decode("utf-8", "replace")
        expected = self._expect(self.command, path, self.query, self.request_uri)
        if expected is not None and self.content_length <= expected.max_bytes:
            self.expected = expected
            self.adj = _with(self.adj, max_request_body_size=_WHATEVER)
            if expected.file is not None:
                self.body_rcv.buf = _Landing(expected.file)
            return
        if expected is not None and expected.file is not None:
            expected.file.close()
        if self.chunked or self.content_length > _SMALL:
            self._refuse_unseen()

    @property
    def room(self) -> int:
        """How many bytes can be taken past waitress, whose last one is left to it; 0 for none."""
        fixed = self.expected is not None and self.expected.file is not None and not self.chunked
        return self.body_rcv.remain - 1 if fixed and self.body_rcv is not None else 0

    def take(self, data: memoryview) -> None:
        """Take *data*, for which there is room: as `received` does, without making pieces of it on the way."""
        if self.expected is not None and self.expected.file is not None and self.body_rcv is not None:
            self.expected.file.take(data)
            self.body_rcv.remain -= len(data)
            self.body_bytes_received += len(data)

    def _refuse_unseen(self) -> None:
        """Have the application asked at once, and the connection closed by its answer."""
        if self.chunked:
            # There will be no length that could be counted.
            self.headers["CONTENT_LENGTH"] = str(_WHATEVER)
        self.close()
        self.body_rcv = None
        self.content_length = 0
        self.expect_continue = False
        self.connection_close = True

    @override
    def received(self, data: bytes) -> int:
        count = super().received(data)
        if self.expected is not None and self.body_rcv is not None and len(self.body_rcv) > self.expected.max_bytes:
            # It said no length, or it would have been refused before.
            self._refuse_unseen()
            self.completed = True
        return count


class _Landing:
    """What waitress collects a body in, when that is the file that it will stay in."""

    def __init__(self, file: IncomingFile) -> None:
        self._file = file

    def __len__(self) -> int:
        return self._file.size

    def append(self, data: bytes) -> None:
        """Write what has come."""
        self._file.take(data)

    def getfile(self) -> "InputStream":
        """Return the body as the application reads it."""
        return ReceivedBody(self._file)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _with(settings: Adjustments, **changed: int) -> Adjustments:
    found = copy.copy(settings)
    vars(found).update(changed)
    return found
