"""`GET /status` of 1,000 steps beside what the same server can do at best.

Unchanged: at least 0.85 of the rate of a static answer of the same bytes; 304: at least 0.9 of an empty answer; while
the run moves: at least 600 answers/s. One client in a process of its own on a kept-alive connection, the two of a pair
in turn, asked with the same headers; the figure is the median of the rounds, the ratio that of their ratios.
"""

import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import falcon
from shapes import SHAPES, flow

from flowcore.model import Source
from flowcore.ports import EventLog
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.server import ServerHandle, serve_in_thread
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.runner.local import LocalRunner

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STEPS = 1_000
ROUNDS = 11
SECONDS = 0.3


class Static:
    """Answers with bytes that are there already."""

    def __init__(self, body: bytes, status: str) -> None:
        """Answer with *body*."""
        self._body = body
        self._status = status

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer."""
        response.status = self._status
        if self._body:
            response.content_type = falcon.MEDIA_JSON
            response.data = self._body


def ask(port: int, path: str, etag: str) -> None:
    """Be the client: print answers per second over one connection. It does little, for it shares our processors."""
    seen = f"If-None-Match: {etag}\r\n" if etag else ""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{seen}\r\n".encode()
    count = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < SECONDS:
            connection.sendall(request)
            answer = connection.recv(262_144)
            assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304")), answer[:100]
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            left = length - len(body)
            while left > 0:
                left -= len(connection.recv(262_144))
            count += 1
    print(count / elapsed)


def rate(server: ServerHandle, path: str, etag: str = "") -> float:
    """Return answers per second."""
    command = [sys.executable, __file__, str(server.port), path, etag]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def pair(name: str, ours: "WSGIApplication", etag: str, best: Static) -> None:
    """Print both rates and the ratio."""
    other = falcon.App()
    other.add_route("/", best)
    with serve_in_thread(ours) as server, serve_in_thread(other) as static:
        rounds = [(rate(server, "/status", etag), rate(static, "/", etag)) for _ in range(ROUNDS)]
    mine, limit = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one / two for one, two in rounds)
    print(f"{name:<20} {mine:>6.0f}/s beside {limit:>6.0f}/s: {ratio:.2f}")


def unchanged(name: str, log: EventLog) -> None:
    """Run a flow, then ask for it again and again."""
    LocalRunner(flow(SHAPES["layers"](STEPS), Source(type="value", configuration={"value": 1})), log=log).run()
    application = create_app(log)
    with serve_in_thread(application) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/status")
        answer = connection.getresponse()
        body, etag = answer.read(), answer.headers["ETag"]
        connection.close()
    pair(f"{name} unchanged", application, "", Static(body, falcon.HTTP_200))
    pair(f"{name} 304", application, etag, Static(b"", falcon.HTTP_304))


def moving(name: str, log: EventLog) -> None:
    """Ask for a run that goes on meanwhile: about 400 steps a second."""
    runner = LocalRunner(
        flow(SHAPES["layers"](STEPS), Source(type="wait", configuration={"seconds": 0.01})), max_workers=4, log=log
    )
    runner.prepare()
    with serve_in_thread(create_app(log)) as server:
        thread = threading.Thread(target=runner.run)
        thread.start()
        time.sleep(0.05)
        found = rate(server, "/status")
        going_on = thread.is_alive()
        runner.stop()
        thread.join()
    print(f"{name + ' moving':<20} {found:>6.0f}/s (limit 600){'' if going_on else ', but the run had ended'}")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        for name, log in (("memory", SharedMemoryEventLog()), ("SQLite", SqliteEventLog(Path(folder, "log.db")))):
            unchanged(name, log)
            moving(name, log)
            log.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ask(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    else:
        main()
