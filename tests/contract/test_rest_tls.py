"""The `rest` source over HTTPS: whom it trusts, and that a handshake can be cut."""

import socket
import ssl
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from flowcore_adapters.sources.rest import RestSource
from tests.calls import at_most, cancelled_after, fail, give
from tests.fault_server import FaultServer

SOURCE = RestSource()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate for 127.0.0.1 that nobody has signed, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=flowcore-test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(["openssl", *request.split(), *names], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@pytest.fixture
def server(certificate: Path) -> Generator[FaultServer]:
    """Return a server that speaks TLS; its address says `https`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = FaultServer()
    # The handshake is left to the thread that serves the connection.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.url = server.url.replace("http:", "https:")
    with server:
        yield server


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everybody trust the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_certificate_that_nobody_signed_is_refused(server: FaultServer) -> None:
    error = fail(SOURCE, {"url": f"{server.url}/json"})
    assert str(error).startswith(f"no secure connection to 127.0.0.1:{server.server_address[1]}: ")
    assert (error.code, error.retryable) == ("tls", False)
    assert server.requests == []


def test_a_certificate_of_another_host_is_refused(server: FaultServer, trusting: None) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    assert fail(SOURCE, {"url": f"{url}/json"}).code == "tls"
    assert server.requests == []


def test_one_that_is_trusted_is_used_again_and_again(server: FaultServer, trusting: None) -> None:
    for _ in range(3):
        assert give(SOURCE, {"url": f"{server.url}/json"}).data == {"name": "Ada"}


def test_plain_http_where_tls_is_expected(certificate: Path) -> None:
    with FaultServer() as server:
        error = fail(SOURCE, {"url": f"{server.url.replace('http:', 'https:')}/json"})
    assert (error.code, error.retryable) == ("tls", False)


@pytest.mark.parametrize("path", ["hang", "drip/length", "drip/close", "drip-head"])
def test_the_timeout_is_for_the_whole_call(server: FaultServer, trusting: None, path: str) -> None:
    with at_most(1):
        error = fail(SOURCE, {"url": f"{server.url}/{path}", "timeout": 0.3})
    assert str(error) == "timeout after 0.3 s"


@pytest.mark.parametrize("path", ["hang", "drip/length", "drip/close", "drip-head"])
def test_a_cancel_cuts_the_connection(server: FaultServer, trusting: None, path: str) -> None:
    code, taken = cancelled_after(0.2, SOURCE, {"url": f"{server.url}/{path}"})
    assert code == "cancelled"
    assert taken < 0.3


def test_a_handshake_that_hangs_is_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        code, taken = cancelled_after(0.1, SOURCE, {"url": url})
        with at_most(1):
            error = fail(SOURCE, {"url": url, "timeout": 0.2})
    assert code == "cancelled"
    assert taken < 0.3
    assert str(error) == "timeout after 0.2 s"
