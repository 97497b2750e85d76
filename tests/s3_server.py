"""An S3 server on loopback, for tests."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import attrs

from tests.ports import free_port


@attrs.frozen
class S3Server:
    """The server and a bucket in it.

    Attributes:
        endpoint: Its address, without a scheme.
    """

    endpoint: str
    bucket: str = "flows"


@contextmanager
def s3_server() -> Generator[S3Server]:
    """Serve S3 until the end of the block."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with urlopen(Request(f"http://{host}:{port}/flows", method="PUT"), timeout=10) as answer:
            assert answer.status == 200
        yield S3Server(f"{host}:{port}")
    finally:
        server.stop()
