"""The guard, row by row (contract safety, "The guard")."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
import falcon
import pytest

from flowcore_adapters.http import errors
from flowcore_adapters.http.incoming.guard import MAX_BODY, Guard, GuardSettings
from tests.contract.wsgi_client import Answer, call

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TOKEN = "t" * 32
OPEN = GuardSettings()
SECURED = GuardSettings(token=TOKEN)
NAMED = GuardSettings(host="Flows.Internal", allow_hosts=("api.example.com", "proxy.example.com:8443", "fe80::1", " "))
FRIENDLY = GuardSettings(allow_origins=("https://UI.example.com/",))
LOCAL_ONLY = GuardSettings(local_only=True)
JSON = {"Content-Type": "application/json"}
EVIL = "http://evil.example.com"


class Inner:
    """The application behind the guard: it says what it was sent."""

    def __init__(self) -> None:
        self.reached = False

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self.reached = True
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
        return [body]


@attrs.frozen
class Row:
    """A request and what the guard makes of it."""

    name: str
    expected: int
    settings: GuardSettings = OPEN
    method: str = "GET"
    path: str = "/status"
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    environ: dict[str, object] = attrs.field(factory=dict[str, object])


def host(value: str, expected: int, settings: GuardSettings = OPEN) -> Row:
    return Row(f"host {value!r}", expected, settings, headers={"Host": value})


def bearer(value: str, expected: int, path: str = "/status", settings: GuardSettings = SECURED) -> Row:
    return Row(f"authorization {value!r} for {path}", expected, settings, path=path, headers={"Authorization": value})


def origin(value: str, expected: int, settings: GuardSettings = OPEN, method: str = "GET") -> Row:
    return Row(f"{method} from {value!r}", expected, settings, method, headers={"Origin": value})


def referer(value: str, expected: int, settings: GuardSettings = OPEN) -> Row:
    return Row(f"referer {value!r}", expected, settings, headers={"Referer": value})


def site(value: str, method: str, expected: int, settings: GuardSettings = OPEN, **headers: str) -> Row:
    return Row(
        f"{method} site {value} {headers}", expected, settings, method, headers={"Sec-Fetch-Site": value, **headers}
    )


def sent(kind: str | None, expected: int, body: bytes = b"{}", method: str = "POST") -> Row:
    headers = {} if kind is None else {"Content-Type": kind}
    return Row(f"{method} of {len(body)} bytes of {kind}", expected, OPEN, method, headers=headers, body=body)


def length(value: str, expected: int) -> Row:
    return Row(f"length {value[:30]!r}", expected, OPEN, "POST", headers={"Content-Length": value, **JSON})


def peer(address: str | None, expected: int, settings: GuardSettings = LOCAL_ONLY, path: str = "/status") -> Row:
    return Row(f"peer {address} of {path}", expected, settings, path=path, environ={"REMOTE_ADDR": address})


ROWS = [
    # Host: exactly one of the local names, the bound name and the allowed ones.
    host("localhost:8000", 200),
    host("localhost", 200),
    host("LocalHost.:8000", 200),
    host("127.0.0.1:8000", 200),
    host("[::1]:8000", 200),
    host("[::1]", 200),
    host("localhost:", 200),
    host("localhost:9000", 421),
    host("localhost:08000", 421),
    host("evil.example.com:8000", 421),
    host("localhost.evil.example.com:8000", 421),
    host("localhost:8000@evil.example.com", 421),
    host("user@localhost:8000", 421),
    host("localhost:8000, evil.example.com", 421),
    host("localhost:8000,localhost:8000", 421),
    host("localhost:8000:8000", 421),
    host("localhost:http", 421),
    host("localhost..:8000", 421),
    host("::1", 421),
    host("127.0.0.2:8000", 421),
    host("127.1:8000", 421),
    host("2130706433:8000", 421),
    host("0.0.0.0:8000", 421, GuardSettings(host="0.0.0.0")),
    host("[::]:8000", 421, GuardSettings(host="::")),
    host("", 421),
    host(" ", 421),
    host(":8000", 421),
    Row("no host", 421, environ={"HTTP_HOST": None}),
    host("flows.internal:8000", 200, NAMED),
    host("flows.internal:9000", 421, NAMED),
    host("localhost:8000", 200, NAMED),
    host("api.example.com", 200, NAMED),
    host("api.example.com:1234", 200, NAMED),
    host("proxy.example.com:8443", 200, NAMED),
    host("proxy.example.com", 421, NAMED),
    host("[fe80::1]:8000", 200, NAMED),
    host("", 421, NAMED),
    # Token.
    bearer(f"Bearer {TOKEN}", 200),
    bearer(f"bearer  {TOKEN} ", 200),
    bearer("Bearer " + "u" * 32, 401),
    bearer(f"Bearer {TOKEN}x", 401),
    bearer("Bearer ", 401),
    bearer("", 401),
    bearer(TOKEN, 401),
    bearer(f"Basic {TOKEN}", 401),
    bearer("Bearer \xff\u20ac", 401),
    bearer("Bearer ", 401, settings=GuardSettings(token="")),
    bearer("Bearer \xc3\xbc", 200, settings=GuardSettings(token="ü")),
    Row("no authorization", 401, SECURED),
    Row("no authorization for health", 200, SECURED, path="/healthz"),
    Row("no authorization for more than health", 401, SECURED, path="/healthz/"),
    Row("no authorization for less than health", 401, SECURED, path="//healthz"),
    Row("no authorization for an invented method", 401, SECURED, "BREW"),
    Row("no authorization for a preflight", 401, attrs.evolve(FRIENDLY, token=TOKEN), "OPTIONS"),
    Row("health is not exempt from the host", 421, SECURED, path="/healthz", headers={"Host": "evil.example.com"}),
    Row("health is not exempt from the origin", 403, SECURED, path="/healthz", headers={"Origin": EVIL}),
    # Origin: the same host and port, or allowed.
    origin("http://127.0.0.1:8000", 200),
    origin("http://127.0.0.1:8000", 200, method="POST"),
    origin("HTTP://127.0.0.1:8000", 200),
    origin("http://127.0.0.1:8001", 403),
    origin("http://127.0.0.1", 403),
    origin("http://localhost:8000", 403),
    origin("null", 403),
    origin("", 403),
    origin("file://", 403),
    origin(EVIL, 403),
    origin(EVIL, 403, method="BREW"),
    origin(EVIL, 403, method="OPTIONS"),
    origin("http://[::1", 403),
    origin("http://127.0.0.1:8000@evil.example.com", 403),
    origin("http://evil.example.com@127.0.0.1:8000", 403),
    origin("http://127.0.0.1:8000.evil.example.com", 403),
    origin("chrome-extension://127.0.0.1:8000", 403),
    origin("https://ui.example.com", 200, FRIENDLY),
    origin("https://ui.example.com", 200, FRIENDLY, "POST"),
    origin("https://ui.example.com:8443", 403, FRIENDLY),
    origin("http://ui.example.com", 403, FRIENDLY),
    origin("null", 403, FRIENDLY),
    # Sec-Fetch-Site, on unsafe methods.
    site("cross-site", "GET", 200),
    site("same-origin", "POST", 200),
    site("none", "POST", 200),
    site("same-site", "POST", 403),
    site("cross-site", "POST", 403),
    site("cross-site", "DELETE", 403),
    site("cross-site", "BREW", 403),
    site("invented", "POST", 403),
    site("cross-site", "POST", 403, Origin="http://127.0.0.1:8000"),
    site("cross-site", "POST", 200, FRIENDLY, Origin="https://ui.example.com"),
    # Referer, without Origin.
    referer("http://127.0.0.1:8000/page?x=1", 200),
    referer("http://evil.example.com/http://127.0.0.1:8000/", 403),
    referer("http://127.0.0.1:8001/", 403),
    referer("http://[/", 403),
    referer("about:blank", 403),
    referer("https://ui.example.com/page", 200, FRIENDLY),
    Row(
        "the origin counts more than the referer",
        200,
        headers={"Origin": "http://127.0.0.1:8000", "Referer": "http://evil.example.com/"},
    ),
    # Size.
    length(str(MAX_BODY + 1), 413),
    length("9" * 5000, 413),
    length("1e3", 400),
    length("-1", 400),
    length("٣", 400),
    # Content type.
    sent("application/json", 200),
    sent("Application/JSON; charset=utf-8", 200),
    sent("text/plain", 415),
    sent("application/x-www-form-urlencoded", 415),
    sent("multipart/form-data; boundary=x", 415),
    sent("text/plain; application/json", 415),
    sent("application/jsonp", 415),
    sent(None, 415),
    sent("text/plain", 415, method="GET"),
    sent("text/plain", 200, b""),
    sent(None, 200, b""),
    sent(None, 200, b"", "DELETE"),
    Row("chunked text", 415, OPEN, "POST", headers={"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}),
    Row("chunked JSON", 200, OPEN, "POST", headers={"Transfer-Encoding": "chunked", **JSON}),
    # Nobody but this machine.
    peer("127.0.0.1", 200),
    peer("127.8.8.8", 200),
    peer("::1", 200),
    peer("::ffff:127.0.0.1", 200),
    peer("", 200),
    peer(None, 200),
    peer("192.0.2.7", 403),
    peer("2001:db8::7", 403),
    peer("nobody", 403),
    peer("192.0.2.7", 200, path="/healthz"),
    peer("192.0.2.7", 200, OPEN),
    # The order: the first that is wrong answers.
    Row("host before token", 421, SECURED, headers={"Host": "x", "Origin": EVIL}),
    Row("token before origin", 401, SECURED, headers={"Origin": EVIL}),
    Row("origin before size", 403, OPEN, "POST", headers={"Origin": EVIL, "Content-Length": "99999999"}),
    Row("size before type", 413, OPEN, "POST", headers={"Content-Length": "99999999", "Content-Type": "text/plain"}),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row) -> None:
    inner = Inner()
    answer = call(
        Guard(inner, row.settings), row.path, method=row.method, headers=row.headers, body=row.body, environ=row.environ
    )
    assert answer.status == row.expected
    assert inner.reached == (row.expected == 200)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
    if not inner.reached:
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.document) == ["error"]


def test_a_passed_host_is_not_taken_for_one_at_another_port() -> None:
    guard = Guard(Inner(), OPEN)
    assert call(guard, headers={"Host": "localhost:8000"}).status == 200
    assert call(guard, headers={"Host": "localhost:8000"}, environ={"SERVER_PORT": "9000"}).status == 421
    assert call(guard, headers={"Host": "localhost:9000"}, environ={"SERVER_PORT": "9000"}).status == 200


def test_the_default_port_goes_without_saying() -> None:
    headers = {"Host": "localhost", "Origin": "http://localhost:80"}
    assert call(Guard(Inner(), OPEN), headers=headers, environ={"SERVER_PORT": "80"}).status == 200
    headers = {"Host": "localhost", "Origin": "https://localhost"}
    assert (
        call(Guard(Inner(), OPEN), headers=headers, environ={"SERVER_PORT": "443", "wsgi.url_scheme": "https"}).status
        == 200
    )


def test_a_refusal_for_the_token_tells_nothing() -> None:
    guard = Guard(Inner(), SECURED)
    answers = [
        call(guard, "/status"),
        call(guard, "/nothing", method="POST"),
        call(guard, "/status", headers={"Authorization": "Bearer " + TOKEN[:-1] + "x"}),
    ]
    assert {(answer.body, tuple(answer.headers.items())) for answer in answers} == {
        (answers[0].body, tuple(answers[0].headers.items()))
    }
    assert answers[0].document == {"error": "a token is needed"}
    assert answers[0].headers["www-authenticate"] == "Bearer"


def test_a_refused_head_has_no_body() -> None:
    answer = call(Guard(Inner(), OPEN), method="HEAD", headers={"Host": "evil.example.com"})
    assert (answer.status, answer.body) == (421, b"")
    assert int(answer.headers["content-length"]) > 0


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_other_sites_are_told_nothing_unless_they_are_allowed() -> None:
    assert cors(call(Guard(Inner(), OPEN))) == {}
    assert cors(call(Guard(Inner(), FRIENDLY))) == {}
    assert cors(call(Guard(Inner(), FRIENDLY), headers={"Origin": EVIL})) == {}
    assert cors(call(Guard(Inner(), FRIENDLY), headers={"Origin": "http://127.0.0.1:8000"})) == {}
    answer = call(Guard(Inner(), FRIENDLY), headers={"Origin": "https://ui.example.com"})
    assert answer.headers["access-control-allow-origin"] == "https://ui.example.com"
    assert answer.headers["vary"] == "Origin"


def test_an_allowed_site_may_see_that_nothing_is_new() -> None:
    def unchanged(_: "WSGIEnvironment", start_response: "StartResponse", /) -> Iterable[bytes]:
        start_response("304 Not Modified", [("ETag", '"1"')])
        return []

    answer = call(Guard(unchanged, FRIENDLY), headers={"Origin": "https://ui.example.com"})
    assert answer.headers["access-control-allow-origin"] == "https://ui.example.com"
    assert call(Guard(unchanged, FRIENDLY)).headers == {"etag": '"1"'}


def test_an_allowed_site_may_ask_before_it_calls() -> None:
    inner = Inner()
    headers = {"Origin": "https://ui.example.com", "Access-Control-Request-Method": "POST"}
    answer = call(Guard(inner, FRIENDLY), method="OPTIONS", headers=headers)
    assert (answer.status, inner.reached) == (204, False)
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, DELETE"
    assert "authorization" in answer.headers["access-control-allow-headers"]


class Reader:
    """A resource that reads what it is sent, in one way or another."""

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        stream = request.env["wsgi.input"]
        match request.get_param("how"):
            case "lines":
                response.data = b"".join(stream.readlines())
            case "hint":
                response.data = b"".join(stream.readlines(3))
            case "line":
                response.data = stream.readline(100)
            case _:
                response.data = stream.read(2) + stream.read()


def reader(most: int) -> "WSGIApplication":
    application = falcon.App()
    errors.install(application)
    application.add_route("/", Reader())
    return Guard(application, GuardSettings(max_body=most))


CHUNKED = {"Transfer-Encoding": "chunked", **JSON}
LINES = b"12\n45\n78"


def post(how: str, most: int) -> Answer:
    stream = {"wsgi.input": io.BytesIO(LINES)}
    return call(reader(most), f"/?how={how}", method="POST", headers=CHUNKED, environ=stream)


@pytest.mark.parametrize("how", ["read", "lines"])
def test_a_body_without_a_length_is_counted(how: str) -> None:
    assert (post(how, 8).status, post(how, 8).body) == (200, LINES)
    assert (post(how, 7).status, post(how, 7).document) == (413, {"error": "the body is too large"})


@pytest.mark.parametrize("how", ["line", "hint"])
def test_a_part_of_a_body_without_a_length(how: str) -> None:
    assert post(how, 8).body == b"12\n"
