"""Signed URLs as people use them: curl against a real server on loopback."""

import http.client
import os
import random
import socket
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import attrs
import pytest

from flowcore_adapters.artifacts.signed_urls import UrlSigner
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.server import ServerHandle, serve_in_thread
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.upload_server import uploads_to
from tests.url_mutations import mutated, respelled

pytestmark = pytest.mark.e2e

MUTATIONS = 1000
LARGE = 30_000_000
"""Above what any other body may have, in bytes."""


@attrs.frozen
class Served:
    """A server, who signs its URLs, and its store."""

    server: ServerHandle
    signer: UrlSigner
    directory: Path

    def put_url(self, name: str, max_bytes: int = LARGE) -> str:
        return self.signer.sign(self.signer.ticket("PUT", "default", name, max_bytes=max_bytes))

    def get_url(self, name: str) -> str:
        return self.signer.sign(self.signer.ticket("GET", "default", name))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), 10)

    def head(self, name: str, max_bytes: int, length: int) -> bytes:
        url = self.put_url(name, max_bytes)
        host = f"127.0.0.1:{self.server.port}"
        return f"PUT {url} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode()

    def kept(self) -> list[str]:
        """Return the names of all files, those on their way included."""
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    uploads = uploads_to(tmp_path / "store")
    with serve_in_thread(create_app(SharedMemoryEventLog(), uploads=uploads), uploads=uploads) as server:
        yield Served(server, uploads.signer, tmp_path / "store")


def curl(*arguments: str, given: bytes = b"") -> tuple[int, bytes]:
    """Return the status and the body of what curl was answered."""
    ended = subprocess.run(
        ["curl", "-sS", "-m", "30", "-w", "\n%{http_code}", *arguments], input=given, capture_output=True, check=False
    )
    body, _, status = ended.stdout.rpartition(b"\n")
    return int(status), body


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_100_000, LARGE])
@pytest.mark.parametrize("how", ["file", "stdin"])
def test_curl_puts_a_file_and_gets_it_back(served: Served, tmp_path: Path, size: int, how: str) -> None:
    data = os.urandom(size)
    file = tmp_path / "a file.bin"
    file.write_bytes(data)
    name = "run 1/a file & more?.bin"
    url = served.server.url + served.put_url(name)
    status, _ = curl("-T", str(file), url) if how == "file" else curl("-T", "-", url, given=data)
    assert status == 200
    status, body = curl(served.server.url + served.get_url(name))
    assert status == 200
    assert body == data
    assert served.kept() == [name]


@pytest.mark.parametrize("how", ["file", "stdin"])
def test_one_byte_too_many_is_refused(served: Served, tmp_path: Path, how: str) -> None:
    data = bytes(2_000_001)
    file = tmp_path / "file"
    file.write_bytes(data)
    url = served.server.url + served.put_url("a", 2_000_000)
    status, body = curl("-T", str(file), url) if how == "file" else curl("-T", "-", url, given=data)
    assert (status, body) == (413, b'{"error": "the object is larger than 2000000 bytes"}')
    assert served.kept() == []


def test_exactly_as_much_as_allowed_is_taken(served: Served) -> None:
    for given in (b"12345", b"1234"):
        assert curl("-T", "-", served.server.url + served.put_url("a", 5), given=given)[0] == 200


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_a_forged_url_is_refused_whatever_comes_with_it(served: Served, size: int, tmp_path: Path) -> None:
    url = served.server.url + served.put_url("a")[:-1] + "."
    file = tmp_path / "file"
    file.write_bytes(bytes(size))
    assert curl("-T", str(file), url)[0] == 403
    assert curl("-T", "-", url, given=bytes(size))[0] == 403
    assert served.kept() == []


def sent(served: Served, method: str, target: str, body: bytes = b"") -> bytes:
    """Return the whole answer to a request whose first line holds *target* as it is."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{served.server.port}\r\n{length}Connection: close\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(head.encode("latin-1") + body)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("HEAD", b""), ("PUT", b"other"), ("PUT", bytes(50_000))])
def test_a_url_is_spelled_as_it_was_signed(served: Served, method: str, body: bytes) -> None:
    """waitress makes one path of many spellings; what came over the socket counts."""
    name = "run_1/a photo"
    good = served.put_url(name) if method == "PUT" else served.get_url(name)
    assert sent(served, "PUT", served.put_url(name), b"bytes").startswith(b"HTTP/1.1 200 ")
    for spelled in respelled(good):
        assert sent(served, method, spelled, body).startswith(b"HTTP/1.1 403 "), spelled
    assert (served.directory / name).read_bytes() == b"bytes"
    assert sent(served, method, good, body).startswith(b"HTTP/1.1 200 ")


def test_of_a_thousand_mutations_over_a_socket_none_is_let_through(served: Served) -> None:
    chance = random.Random(31)
    name = "run_1/a photo"
    assert sent(served, "PUT", served.put_url(name), b"bytes").startswith(b"HTTP/1.1 200 ")
    urls = (("PUT", served.put_url(name), b"other"), ("GET", served.get_url(name), b""))
    tried = 0
    while tried < MUTATIONS:
        method, url, body = chance.choice(urls)
        mutant = mutated(chance, url)
        if mutant == url:
            continue
        tried += 1
        answer = sent(served, method, mutant, body)
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (method, mutant, answer)
    assert served.kept() == [name]
    assert (served.directory / name).read_bytes() == b"bytes"


def test_a_refused_body_is_not_waited_for(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(served.head("a", 5, 99_999_999))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_half_an_upload_leaves_nothing(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(served.head("a", LARGE, 1_000_000) + bytes(500_000))
        wait_for(served, lambda: len(served.kept()) == 1)
    wait_for(served, lambda: served.kept() == [])


def wait_for(served: Served, happened: Callable[[], bool]) -> None:
    """Turn the server's loop until something has *happened*."""
    connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=10)
    for _ in range(1000):
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        if happened():
            break
    connection.close()
    assert happened()


def test_several_uploads_on_one_connection(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=10)
    for number in range(5):
        connection.request("PUT", served.put_url(f"a/{number}"), body=bytes([number]) * 100_000)
        assert connection.getresponse().read()
        connection.request("GET", served.get_url(f"a/{number}"))
        assert connection.getresponse().read() == bytes([number]) * 100_000
    connection.close()
