"""An upload through a signed URL against a bare copy with fsync, both in this run.

    python benchmarks/uploads.py [MEGABYTES] [ROUNDS]

The server runs in a process of its own, so that its memory can be looked at.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flowcore_adapters.artifacts.local import LocalArtifactStore
from flowcore_adapters.artifacts.signed_urls import UrlSigner
from flowcore_adapters.artifacts.url_keys import new_keys, parse_keys
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.server import serve_in_thread
from flowcore_adapters.http.uploads.resources import Uploads
from flowcore_adapters.logs.memory import SharedMemoryEventLog

CHUNK = 256 * 1024
GOAL = 0.6


class Single:
    """One store, whatever it is asked for."""

    def __init__(self, store: LocalArtifactStore) -> None:
        """Answer with *store*."""
        self.store = store

    def find(self, name: str, run: str = "") -> LocalArtifactStore:
        """Return the store."""
        assert (name, run) == ("default", "")
        return self.store


def serve(keys: str, directory: str) -> None:
    """Serve until stdin ends."""
    signer = UrlSigner(parse_keys(keys, "here"), SystemClock().now)
    uploads = Uploads(signer=signer, stores=Single(LocalArtifactStore(directory)))
    with serve_in_thread(create_app(SharedMemoryEventLog(), uploads=uploads), uploads=uploads) as server:
        print(server.url, flush=True)
        sys.stdin.read()


def memory_mb(pid: int) -> float:
    """Return the highest resident size of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def bare_copy(source: Path, target: Path) -> float:
    """Copy a file down to the disk and return how long that took."""
    started = time.perf_counter()
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        while piece := reading.read(CHUNK):
            writing.write(piece)
        os.fsync(writing.fileno())
    taken = time.perf_counter() - started
    target.unlink()
    return taken


def upload(source: Path, base: str, path: str) -> float:
    """Send a file and return how long that took; no more is done here than the system does by itself."""
    host, _, port = base.removeprefix("http://").partition(":")
    started = time.perf_counter()
    with source.open("rb") as file, socket.create_connection((host, int(port))) as connection:
        length = source.stat().st_size
        head = f"PUT {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        connection.sendfile(file)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return time.perf_counter() - started


def main() -> None:
    """Measure."""
    megabytes, rounds = (int(each) for each in (*sys.argv[1:], "100", "5")[:2])
    keys = new_keys()
    signer = UrlSigner(parse_keys(keys, "here"), SystemClock().now)
    with tempfile.TemporaryDirectory(dir=".") as place:
        source, copied = Path(place, "source"), Path(place, "copied")
        source.write_bytes(os.urandom(megabytes * 1_000_000))
        with subprocess.Popen(
            [sys.executable, __file__, "serve", keys, str(Path(place, "store"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout is not None
            base = server.stdout.readline().strip()
            path = signer.sign(signer.ticket("PUT", "default", "upload", max_bytes=megabytes * 1_000_000))
            before = memory_mb(server.pid)
            pairs = [(bare_copy(source, copied), upload(source, base, path)) for _ in range(rounds)]
            grown = memory_mb(server.pid) - before
            server.communicate()
    bare, ours = (sorted(column)[rounds // 2] for column in zip(*pairs, strict=True))
    print(f"bare copy with fsync  {bare:.3f} s  {megabytes / bare:6.0f} MB/s")
    print(f"upload                {ours:.3f} s  {megabytes / ours:6.0f} MB/s")
    print(f"share of the bare speed {bare / ours:.2f} (goal {GOAL}); the server's memory grew by {grown:.1f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:4])
    else:
        main()
