"""The `rest` source against a real server with every fault it can have."""

import socket
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import pytest

from flowcore.cleaning import clean
from flowcore.documents.flow_document import compile_flow
from flowcore.errors import FlowDocumentError
from flowcore.values import Json
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.sources.rest import RestSource
from tests.calls import at_most, cancelled_after, fail, give, make_call
from tests.fault_server import FaultServer
from tests.ports import free_port

SOURCE = RestSource()


@pytest.fixture(scope="module")
def server() -> Generator[FaultServer]:
    with FaultServer() as server:
        yield server


def data(source: RestSource, configuration: dict[str, Json], payload: Json = None) -> Mapping[str, Json]:
    """Return the document that came back."""
    found, _notes = clean(give(source, configuration, payload).data)
    assert isinstance(found, dict)
    return found


def typed(server: FaultServer, body: bytes, kind: str = "text/plain") -> dict[str, Json]:
    """Return the configuration of a call that is answered with *body*."""
    return {"url": f"{server.url}/typed/plain?hex={body.hex()}&type={quote(kind)}"}


def test_json_status_and_headers(server: FaultServer) -> None:
    result = give(SOURCE, {"url": f"{server.url}/json"})
    assert result.data == {"name": "Ada"}
    assert result.meta["status_code"] == 200
    headers = result.meta["headers"]
    assert isinstance(headers, dict)
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("configuration", "payload", "target"),
    [
        ({"url": "/echo"}, None, "/echo"),
        ({"url": "/echo"}, "ignored", "/echo"),
        ({"url": "/echo/", "base": "/"}, None, "/echo/"),
        ({"url": "echo/a?b=c", "base": ""}, None, "/echo/a?b=c"),
        ({"base": "/echo/v1"}, "/users", "/echo/v1/users"),
        ({"base": "/echo/v1/"}, "users?limit=5", "/echo/v1/users?limit=5"),
        ({"base": "/echo/v1"}, 5, "/echo/v1/5"),
        ({"base": "/echo"}, None, "/echo"),
        ({"base": "/echo"}, "a b/ü", "/echo/a%20b/%C3%BC"),
        ({"base": "/echo"}, "//evil.example/x", "/echo/evil.example/x"),
        ({"base": "/echo"}, "users:1", "/echo/users:1"),
        ({"base": "/echo", "input_mode": "parameter"}, "/users", "/echo?id=%2Fusers"),
        ({"url": "/echo", "input_mode": "parameter", "param_name": "userId"}, 3, "/echo?userId=3"),
        ({"url": "/echo?a=1", "input_mode": "parameter"}, "x&y", "/echo?a=1&id=x%26y"),
        ({"url": "/echo#there", "input_mode": "parameter"}, "", "/echo?id="),
        ({"url": "/echo", "input_mode": "parameter"}, None, "/echo"),
        ({"url": "/echo", "params": {"a": [1, "b"], "c": None, "d": True}}, None, "/echo?a=1&a=b&d=True"),
    ],
)
def test_the_address(server: FaultServer, configuration: dict[str, Json], payload: Json, target: str) -> None:
    given = dict(configuration)
    base = given.pop("base", None)
    if base is not None:
        given["base_url"] = f"{server.url}{base}"
    elif "url" in given:
        given["url"] = f"{server.url}{given['url']}"
    assert data(SOURCE, given, payload)["target"] == target


def test_an_input_may_repeat_the_base(server: FaultServer) -> None:
    found = data(SOURCE, {"base_url": f"{server.url}/other"}, f"{server.url}/echo/x")
    assert found["target"] == "/echo/x"


@pytest.mark.parametrize(
    "payload",
    [
        "http://127.0.0.1:1/x",
        "https://api.example.com/",
        "file:///etc/passwd",
        "../admin",
        "a/%2E%2e/b",
        "..",
        ["a"],
        True,
    ],
)
def test_an_input_never_leads_away_from_the_base(server: FaultServer, payload: Json) -> None:
    before = len(server.requests)
    error = fail(SOURCE, {"base_url": f"{server.url}/echo"}, payload)
    assert error.code in {"bad-address", "bad-configuration"}
    assert not error.retryable
    assert len(server.requests) == before


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "/users", "http:///x", "http://a:99999/", "gopher"])
def test_only_http_addresses(url: str) -> None:
    error = fail(SOURCE, {"url": url})
    assert (error.code, error.retryable) == ("bad-configuration", False)
    assert str(error) == f"'{url}' is no address that starts with http:// or https://"


@pytest.mark.parametrize("name", ["é名", "X Y", "", "X:", "X\n"])
def test_the_name_of_a_header_that_cannot_be_sent(name: str) -> None:
    error = fail(SOURCE, {"url": "http://127.0.0.1:9/", "headers": {"Fine": "ü", name: "secret"}})
    said = f"no header can be called '{name}': allowed are a-z, A-Z, 0-9 and !#$%&'*+-.^_`|~"
    assert (str(error), error.code, error.retryable) == (said, "bad-configuration", False)


@pytest.mark.parametrize("value", ["名", "a\nb", "a\r\nX: y", "\0", "€"])
def test_the_value_of_a_header_that_cannot_be_sent_is_not_shown(value: str) -> None:
    error = fail(SOURCE, {"url": "http://127.0.0.1:9/", "headers": {"X-Key": value}})
    assert str(error) == (
        "the value of the header 'X-Key' cannot be sent: allowed are the characters of Latin-1, "
        "without line breaks and other control characters"
    )
    assert (error.code, error.retryable) == ("bad-configuration", False)


def test_what_headers_may_hold_is_sent(server: FaultServer) -> None:
    headers: dict[str, Json] = {"X-a.b~1": "ü\ta ß"}
    give(SOURCE, {"url": f"{server.url}/echo", "headers": headers})


@pytest.mark.parametrize("method", ["", "GET /x", "G\u00cbT", "GET\n", " GET", "GET,POST", "a:b", "\x7f"])
def test_a_method_is_a_token(method: str) -> None:
    allowed = "of a-z, A-Z, 0-9 and !#$%&'*+-.^_`|~"
    message = f"'method' must be an HTTP method, a word such as GET, POST or PROPFIND {allowed}, not '{method}'"
    error = fail(SOURCE, {"url": "http://127.0.0.1:9/", "method": method})
    assert (str(error), error.code, error.retryable) == (message, "bad-configuration", False)
    with pytest.raises(FlowDocumentError) as caught:
        compile_flow(
            {
                "flow": [
                    {
                        "name": "a",
                        "source": {"type": "rest", "configuration": {"url": "http://127.0.0.1:9/", "method": method}},
                    }
                ]
            },
            {"rest": SOURCE.type},
        )
    assert [str(problem) for problem in caught.value.problems] == [f"flow[0].source.configuration.method: {message}"]


def test_a_method_of_the_servers_own(server: FaultServer) -> None:
    # "Additional methods, outside the scope of this specification, have been specified" (RFC 9110, section 9.1).
    assert data(SOURCE, {"url": f"{server.url}/echo", "method": "get_all"})["method"] == "GET_ALL"


@pytest.mark.parametrize("method", ["GET_ALL", "M-SEARCH", "VERSION-CONTROL", "5", "-", "!#$%&'*+-.^_`|~"])
def test_every_token_is_a_method(method: str) -> None:
    flaw = SOURCE.type.parameters["method"].flaw
    assert flaw is not None
    assert flaw(method) is None


@pytest.mark.parametrize("body", [{"a": [1, None]}, "text", 5, [], ""])
def test_the_input_as_body(server: FaultServer, body: Json) -> None:
    configuration: dict[str, Json] = {"url": f"{server.url}/echo", "method": "post", "input_mode": "body"}
    found = data(SOURCE, configuration, body)
    assert (found["method"], found["body"]) == ("POST", body)
    headers = found["headers"]
    assert isinstance(headers, dict)
    assert headers["content-type"] == "application/json"


def test_headers(server: FaultServer) -> None:
    own: dict[str, Json] = {"content-type": "application/ld+json", "X-One": 1, "X-None": None, "user-agent": "me"}
    configuration: dict[str, Json] = {
        "url": f"{server.url}/echo",
        "method": "PUT",
        "input_mode": "body",
        "headers": own,
    }
    headers = data(SOURCE, configuration | {"headers": own}, {})["headers"]
    assert isinstance(headers, dict)
    shown = {name: headers.get(name) for name in ("content-type", "x-one", "x-none", "user-agent", "idempotency-key")}
    assert shown == {
        "content-type": "application/ld+json",
        "x-one": "1",
        "x-none": None,
        "user-agent": "me",
        "idempotency-key": "7/step/2",
    }


def test_the_idempotency_key_is_for_calls_that_change_something(server: FaultServer) -> None:
    headers = data(SOURCE, {"url": f"{server.url}/echo"})["headers"]
    assert isinstance(headers, dict)
    assert "idempotency-key" not in headers
    call = make_call({"url": f"{server.url}/echo", "method": "DELETE"}, instance="schön 1")
    SOURCE.call(call)
    assert server.requests[-1][2]["idempotency-key"] == "7/sch%C3%B6n%201/2"


def test_user_and_password_of_the_address(server: FaultServer) -> None:
    lines: list[str] = []
    url = server.url.replace("//", "//me:p%40ss@")
    SOURCE.call(make_call({"url": f"{url}/echo?key=secret"}, log=lines.append))
    assert server.requests[-1][2]["authorization"] == "Basic bWU6cEBzcw=="
    assert lines == [f"GET {server.url}/echo"]


@pytest.mark.parametrize(
    ("body", "kind", "found", "noted"),
    [
        (b"plain text", "text/plain", "plain text", False),
        (b"[1]", "text/plain", [1], False),
        (b"\xef\xbb\xbf[1]", "application/json", [1], False),
        (b"", "application/json", "", False),
        (b"{no", "application/json", "{no", False),
        ("ü".encode("latin-1"), "text/plain; charset=latin-1", "ü", False),
        (b"a\xffb", "text/plain", "a\ufffdb", True),
        (b"a\xffb", "text/plain; charset=undefined", "a\ufffdb", True),
        (b"a", "text/plain; charset=no-such", "a", True),
    ],
)
def test_what_the_body_is(server: FaultServer, body: bytes, kind: str, found: Json, noted: bool) -> None:
    result = give(SOURCE, typed(server, body, kind))
    assert result.data == found
    assert bool(result.notes) is noted


def test_numbers_that_json_does_not_have_are_left_to_the_runner(server: FaultServer) -> None:
    assert str(give(SOURCE, typed(server, b"[NaN, Infinity]")).data) == "[nan, inf]"


def test_no_content_is_empty_text(server: FaultServer) -> None:
    assert give(SOURCE, {"url": f"{server.url}/status/204"}).data == ""
    assert give(SOURCE, {"url": f"{server.url}/json", "method": "HEAD"}).data == ""


def test_packed_answers(server: FaultServer) -> None:
    assert give(SOURCE, {"url": f"{server.url}/gzip"}).data == [1]
    error = fail(SOURCE, {"url": f"{server.url}/bad-gzip"})
    assert str(error).startswith("the answer of 127.0.0.1:")
    assert str(error).endswith("cannot be unpacked")


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False),
        (404, False),
        (408, True),
        (425, True),
        (429, True),
        (500, True),
        (501, True),
        (503, True),
        (304, False),
    ],
)
def test_failures_by_status(server: FaultServer, status: int, retryable: bool) -> None:
    error = fail(SOURCE, {"url": f"{server.url}/status/{status}"})
    assert (str(error), error.code, error.retryable) == (f"HTTP status {status}", str(status), retryable)
    assert error.retry_after_s is None


def test_the_log_shows_what_a_failure_said(server: FaultServer) -> None:
    lines: list[str] = []
    with pytest.raises(Exception, match="HTTP status 500"):
        SOURCE.call(make_call({"url": f"{server.url}/status/500"}, log=lines.append))
    assert lines[-1] == 'HTTP status 500: {"error": "as asked"}'


def test_a_pause_that_is_asked_for(server: FaultServer) -> None:
    def pause(after: str) -> float | None:
        return fail(SOURCE, {"url": f"{server.url}/status/503", "params": {"after": after}}).retry_after_s

    later = pause(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert later is not None
    assert 55 < later <= 60
    assert [pause(text) for text in ("7", "Fri, 31 Dec 1999 23:59:59 GMT", "soon", "-1", "²")] == [
        7,
        0,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("path", ["hang", "drip/length", "drip/close", "drip-head"])
def test_the_timeout_is_for_the_whole_call(server: FaultServer, path: str) -> None:
    with at_most(1):
        error = fail(SOURCE, {"url": f"{server.url}/{path}", "timeout": 0.2})
    assert (str(error), error.code, error.retryable) == ("timeout after 0.2 s", "timeout", True)


def test_the_deadline_of_the_step(server: FaultServer) -> None:
    with at_most(1):
        error = fail(SOURCE, {"url": f"{server.url}/hang", "timeout": 10}, deadline_s=0.2)
    assert str(error) == "timeout after 0.2 s"


@pytest.mark.parametrize("path", ["hang", "drip/length", "drip/close", "drip-head"])
def test_a_cancel_cuts_the_connection(server: FaultServer, path: str) -> None:
    code, taken = cancelled_after(0.1, SOURCE, {"url": f"{server.url}/{path}"})
    assert code == "cancelled"
    assert taken < 0.3


def test_a_cancel_cuts_a_connection_that_does_not_come_about() -> None:
    with socket.socket() as full:
        # Nobody accepts, and the queue is full: the system answers no one who knocks.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        knockers = [socket.socket() for _ in range(4)]
        for knocker in knockers:
            knocker.setblocking(False)
            knocker.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        code, taken = cancelled_after(0.2, SOURCE, {"url": url})
        error = fail(SOURCE, {"url": url, "timeout": 0.2})
        for knocker in knockers:
            knocker.close()
    assert code == "cancelled"
    assert taken < 0.3
    assert str(error) == "timeout after 0.2 s"


def test_a_late_cancel_does_not_cut_the_next_call(server: FaultServer) -> None:
    tokens = [Cancellation() for _ in range(20)]
    for token in tokens:
        SOURCE.call(make_call({"url": f"{server.url}/json"}, cancel=token))
    for token in tokens:
        token.cancel()
    assert give(SOURCE, {"url": f"{server.url}/json"}).data == {"name": "Ada"}


@pytest.mark.parametrize(
    ("path", "said"),
    [("half", "IncompleteRead"), ("slam", "closed without an answer"), ("garbage", "the answer is no HTTP")],
)
def test_connections_that_break(server: FaultServer, path: str, said: str) -> None:
    error = fail(SOURCE, {"url": f"{server.url}/{path}"})
    assert said in str(error)
    assert str(error).startswith("the connection to 127.0.0.1:")
    assert (error.code, error.retryable) == ("connection", True)


def test_nobody_there() -> None:
    port = free_port()
    error = fail(SOURCE, {"url": f"http://127.0.0.1:{port}/"})
    assert str(error) == f"no connection to 127.0.0.1:{port}: connection refused"
    assert error.retryable


def test_a_name_that_is_not_known() -> None:
    error = fail(SOURCE, {"url": f"http://{'a' * 64}.invalid/"})
    assert (error.code, error.retryable) == ("unknown-host", True)


@pytest.mark.parametrize("path", ["big/12", "bomb/50"])
def test_an_answer_that_is_too_large(server: FaultServer, path: str) -> None:
    with at_most(2):
        error = fail(SOURCE, {"url": f"{server.url}/{path}"})
    assert (str(error), error.code) == ("output too large (more than 10 MB)", "output-too-large")
    assert not error.retryable


def test_the_bound_can_be_set(server: FaultServer) -> None:
    configuration = typed(server, b"12345")
    assert give(SOURCE, configuration | {"max_output": 5}).data == 12345
    assert fail(SOURCE, configuration | {"max_output": 4}).code == "output-too-large"


def test_json_that_is_nested_too_deeply(server: FaultServer) -> None:
    error = fail(SOURCE, {"url": f"{server.url}/deep"})
    assert (error.code, error.retryable) == ("bad-data", False)


def redirect(server: FaultServer, status: int, url: str) -> dict[str, Json]:
    """Return the configuration of a call that is redirected to *url*."""
    return {"url": f"{server.url}/to/{status}?url={quote(url, safe='')}"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_on_the_same_host(server: FaultServer, status: int) -> None:
    configuration = redirect(server, status, "/echo") | {"headers": {"Authorization": "me"}}
    found = data(SOURCE, configuration)
    headers = found["headers"]
    assert isinstance(headers, dict)
    assert (found["target"], headers["authorization"]) == ("/echo", "me")


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (303, "PUT", "GET"), (302, "PUT", "PUT"), (307, "POST", "POST"), (303, "HEAD", None)],
)
def test_the_method_after_a_redirect(server: FaultServer, status: int, method: str, then: str | None) -> None:
    configuration = redirect(server, status, "/echo") | {"method": method, "input_mode": "body"}
    found = give(SOURCE, configuration, {"a": 1}).data
    if then is None:
        assert found == ""
        return
    assert isinstance(found, dict)
    assert (found["method"], found["body"]) == (then, None if then == "GET" else {"a": 1})


def test_a_redirect_to_another_host(server: FaultServer) -> None:
    with FaultServer() as other:
        configuration = redirect(server, 302, f"{other.url}/echo")
        error = fail(SOURCE, configuration)
        assert (error.code, error.retryable) == ("bad-redirect", False)
        assert "`follow_other_hosts: true` allows it" in str(error)
        assert other.requests == []
        secret: dict[str, Json] = {"Authorization": "me", "X-Api-Key": "me", "Accept": "text/html"}
        headers = data(SOURCE, configuration | {"follow_other_hosts": True, "headers": secret})["headers"]
    assert isinstance(headers, dict)
    assert {name: headers.get(name) for name in ("authorization", "x-api-key", "accept")} == {
        "authorization": None,
        "x-api-key": None,
        "accept": "text/html",
    }


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "http://[", "javascript:alert(1)"])
def test_a_redirect_to_what_is_no_http(server: FaultServer, url: str) -> None:
    error = fail(SOURCE, redirect(server, 302, url) | {"follow_other_hosts": True})
    assert (error.code, error.retryable) == ("bad-redirect", False)


def test_a_redirect_loop_ends(server: FaultServer) -> None:
    before = len(server.requests)
    error = fail(SOURCE, {"url": f"{server.url}/to/302"})
    assert (str(error), error.retryable) == ("more than 10 redirects", False)
    assert len(server.requests) - before == 11


def test_a_header_that_cannot_be_sent(server: FaultServer) -> None:
    error = fail(SOURCE, {"url": f"{server.url}/echo", "headers": {"X": "a\r\nY: b"}})
    assert (error.code, error.retryable) == ("bad-configuration", False)


def test_private_addresses_can_be_refused(server: FaultServer) -> None:
    # The other source has a connection to the same place in its pool.
    assert give(SOURCE, {"url": f"{server.url}/json"}).data
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        url = server.url.replace("127.0.0.1", host)
        error = fail(RestSource(private_targets=False), {"url": f"{url}/json"})
        assert (error.code, error.retryable) == ("private-address", False)


def test_connections_are_used_again(server: FaultServer) -> None:
    configuration: dict[str, Json] = {"url": f"{server.url}/json"}
    give(SOURCE, configuration)
    started = time.monotonic()
    threads = [Thread(target=lambda: [give(SOURCE, configuration) for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 3


def test_a_header_that_is_there_twice(server: FaultServer) -> None:
    headers = give(SOURCE, {"url": f"{server.url}/twice"}).meta["headers"]
    assert isinstance(headers, dict)
    assert headers["x-part"] == "a, b"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_connection_that_was_closed_in_between_is_made_anew(server: FaultServer, method: str) -> None:
    for _ in range(20):
        assert give(SOURCE, {"url": f"{server.url}/once", "method": method}).data == []


def test_what_may_not_be_sent_twice_is_not() -> None:
    with FaultServer() as server:
        give(SOURCE, {"url": f"{server.url}/json"})
        error = fail(SOURCE, {"url": f"{server.url}/slam", "method": "POST"})
        assert "closed without an answer" in str(error)
        assert [method for method, _target, _headers in server.requests] == ["GET", "POST"]
        fail(SOURCE, {"url": f"{server.url}/slam"})
        assert [method for method, _target, _headers in server.requests] == ["GET", "POST", "GET"]


def test_nothing_is_left_open() -> None:
    with FaultServer() as server:
        give(SOURCE, {"url": f"{server.url}/json"})
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(200):
            give(SOURCE, {"url": f"{server.url}/json"})
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        for path in ("big/12", "half", "slam", "garbage", "drip/length", "hang"):
            fail(SOURCE, {"url": f"{server.url}/{path}", "timeout": 0.2, "max_output": 1000})
        held = _sockets_to(server)
    assert held <= 1


def _sockets_to(server: FaultServer) -> int:
    """Return how many connections of this process lead to *server*."""
    port = f":{server.server_address[1]:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    inodes = {line.split()[9] for line in lines if line.split()[2].endswith(port)}
    held = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            held += descriptor.readlink().name.removeprefix("socket:[").rstrip("]") in inodes
    return held


@pytest.mark.parametrize("limit", ["cancel", "timeout"])
def test_a_look_up_that_hangs_does_not_hang_us(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    over = Event()

    def hang(*_arguments: object, **_keywords: object) -> list[object]:
        over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        if limit == "cancel":
            code, taken = cancelled_after(0.1, SOURCE, {"url": "http://slow.invalid/"})
            assert (code, taken < 0.3) == ("cancelled", True)
        else:
            with at_most(1):
                error = fail(SOURCE, {"url": "http://slow.invalid/", "timeout": 0.2})
            assert str(error) == "timeout after 0.2 s"
    finally:
        over.set()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "224.0.0.1",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "2001:0:7f00:1::",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
        "fd00::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]

    def look_up(*_arguments: object, **_keywords: object) -> list[object]:
        return [*answer]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    error = fail(RestSource(private_targets=False), {"url": "http://innocent.example/"})
    assert str(error) == "no connection to innocent.example: calls to private addresses are not allowed here"
