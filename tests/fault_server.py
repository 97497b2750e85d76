"""An HTTP server on loopback that does what servers do on bad days."""

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

MEGABYTE = bytes(1_000_000)


class FaultServer(ThreadingHTTPServer):
    """Serves while it is entered.

    Attributes:
        url: Where it is, without a slash at the end.
        requests: Method, target and headers (names in small letters) of what it was asked.
        over: Set when it closes: whoever hangs goes on.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.over = Event()

    @override
    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up in the middle are what is tested here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _fault_server(self) -> FaultServer:
        assert isinstance(self.server, FaultServer)
        return self.server

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        self._query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self._body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._fault_server.requests.append((self.command, self.path, headers))
        name, _, argument = parts.path.lstrip("/").partition("/")
        faults: dict[str, Callable[[str], None]] = {
            "json": lambda _: self._send(b'{"name": "Ada"}', "application/json"),
            "echo": self._echo,
            "mirror": self._mirror,
            "nth": self._nth,
            "status": self._status,
            "typed": self._typed,
            "hang": lambda _: self._hang(),
            "drip": self._drip,
            "drip-head": self._drip_head,
            "half": self._half,
            "slam": lambda _: self._close(),
            "garbage": lambda _: self._raw(b"\x00\x01 not at all HTTP\r\n\r\n"),
            "big": self._big,
            "bomb": self._bomb,
            "bad-gzip": lambda _: self._send(b"no gzip", "application/json", encoding="gzip"),
            "gzip": lambda _: self._send(gzip.compress(b"[1]"), "application/json", encoding="gzip"),
            "deep": lambda _: self._send(b"[" * 200_000, "application/json"),
            "to": self._redirect,
            "twice": lambda _: self._twice(),
            "once": lambda _: self._once(),
        }
        fault = faults.get(name)
        if fault is None:
            self._send(b"no such page", "text/plain", status=404)
        else:
            fault(argument)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET_ALL = _answer  # noqa: N815 - the names of the base class

    def _send(self, body: bytes, kind: str, *, status: int = 200, encoding: str | None = None, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if encoding is not None:
            self.send_header("Content-Encoding", encoding)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _echo(self, _argument: str) -> None:
        target = {"method": self.command, "target": self.path, "query": self._query}
        body = self._body.decode()
        document = {**target, "headers": self._fault_server.requests[-1][2], "body": json.loads(body) if body else None}
        self._send(json.dumps(document).encode(), "application/json")

    def _mirror(self, _argument: str) -> None:
        """Show the request, its body as text."""
        shown = {
            "method": self.command,
            "target": self.path,
            "headers": self._fault_server.requests[-1][2],
            "text": self._body.decode("latin-1"),
        }
        self._send(json.dumps(shown).encode(), "application/json")

    def _nth(self, argument: str) -> None:
        """Answer with 503 until this very path was asked for as often as it says."""
        count = sum(path == self.path for _, path, _ in self._fault_server.requests)
        body = json.dumps({"count": count}).encode()
        self._send(body, "application/json", status=200 if count >= int(argument.partition("-")[0]) else 503)

    def _status(self, argument: str) -> None:
        """Answer with the status asked for, and with `Retry-After` as the query says."""
        more = {"Retry_After": self._query["after"]} if "after" in self._query else {}
        body = b"" if argument in {"204", "304"} else b'{"error": "as asked"}'
        self._send(body, "application/json", status=int(argument), **more)

    def _typed(self, argument: str) -> None:
        """Answer with the bytes that the query holds in hexadecimal digits, as the type `text/<argument>`."""
        self._send(bytes.fromhex(self._query["hex"]), self._query.get("type", f"text/{argument}"))

    def _hang(self) -> None:
        self._fault_server.over.wait(30)

    def _head(self, *lines: str) -> None:
        self.wfile.write("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode())

    def _drip(self, argument: str) -> None:
        """Answer at once, and then a byte now and then; with a length or without."""
        self._head("Content-Length: 100000" if argument == "length" else "Connection: close")
        self._drip_on()

    def _drip_head(self, _argument: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._drip_on()

    def _drip_on(self) -> None:
        while not self._fault_server.over.wait(0.03):
            self.wfile.write(b"1")

    def _half(self, _argument: str) -> None:
        self._head("Content-Length: 100")
        self.wfile.write(b"[1, 2")
        self._close()

    def _close(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self._close()

    def _big(self, argument: str) -> None:
        """Send as many megabytes as asked for, without saying so before."""
        self._head("Connection: close", "Content-Type: text/plain")
        for _ in range(int(argument)):
            self.wfile.write(MEGABYTE)
        self._close()

    def _bomb(self, argument: str) -> None:
        """Send a few kilobytes that unpack to as many megabytes as asked for."""
        packer = zlib.compressobj(9, wbits=31)
        packed = b"".join(packer.compress(MEGABYTE) for _ in range(int(argument))) + packer.flush()
        self._send(packed, "application/json", encoding="gzip")

    def _twice(self) -> None:
        """Send a header that is there twice."""
        self._head("Content-Length: 2", "X-Part: a", "X-Part: b")
        self.wfile.write(b"[]")

    def _once(self) -> None:
        """Answer, and close the connection without having said so."""
        self._send(b"[]", "application/json")
        self._close()

    def _redirect(self, argument: str) -> None:
        """Redirect to the address in the query with the status in the path; to itself without one."""
        self._send(b"", "text/plain", status=int(argument), Location=self._query.get("url", self.path))
