"""The page as an application of its own (documents/python-api.md, "Running UI and Runner Separately")."""

import base64
import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from socket import create_server
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest

from flowcore_adapters import LocalRunner
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.environment import SettingsError
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.server import ServerHandle, serve_in_thread
from flowcore_adapters.webui.application import create_webui, get_webui
from flowcore_adapters.webui.runner import Runner
from tests.contract.wsgi_client import Answer, call

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TOKEN: Final = "t" * 32
FLOW: Final = {"flow": [{"name": "hello", "source": "value", "input": "wörld", "output": [{"name": "said"}]}]}


@pytest.fixture(scope="module")
def ended() -> LocalRunner:
    runner = LocalRunner(FLOW)
    runner.run()
    return runner


@pytest.fixture(scope="module")
def server(ended: LocalRunner) -> Generator[ServerHandle]:
    with serve_in_thread(create_app(ended.log)) as handle:
        yield handle


def page_of(url: str, **further: str) -> "WSGIApplication":
    return create_webui(Runner(2, {"RUNNER_STATUS_URL": url, **further}))


@contextmanager
def answering(
    status: str, headers: Mapping[str, str], body: bytes = b"", seen: "list[WSGIEnvironment] | None" = None
) -> Generator[str]:
    """Have something that answers this, whatever is asked; yield its address."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if seen is not None:
            seen.append(environ)
        start_response(status, [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    with serve_in_thread(application) as handle:
        yield handle.url


class TestAnswers:
    """What the runner answers is handed on."""

    @pytest.mark.parametrize("ending", ["", "/", "/status", "/status/"])
    def test_status_and_outputs(self, server: ServerHandle, ended: LocalRunner, ending: str) -> None:
        page = page_of(server.url + ending)
        status = call(page, "/status")
        assert status.document == call(create_app(ended.log), "/status").document
        assert status.headers["content-type"] == "application/json"
        assert status.headers["cache-control"] == "no-cache"
        assert call(page, "/outputs").document == {"hello": {"said": "wörld"}}

    def test_what_the_caller_has_is_not_sent_again(self, server: ServerHandle) -> None:
        page = page_of(server.url)
        first = call(page, "/status")
        again = call(page, "/status", headers={"If-None-Match": first.etag})
        assert (again.status, again.body, again.etag) == (304, b"", first.etag)

    def test_the_clock_of_the_runner(self) -> None:
        said = "Fri, 27 Nov 2026 10:00:00 GMT"
        with answering("200 OK", {"Content-Type": "application/json", "Date": said}, b"{}") as url:
            assert call(page_of(url), "/status").headers["x-runner-date"] == said

    def test_a_head(self, server: ServerHandle) -> None:
        page = page_of(server.url)
        whole, head = call(page, "/status"), call(page, "/status", method="HEAD")
        assert (head.status, head.body, head.headers) == (200, b"", whole.headers)

    def test_queries(self, server: ServerHandle, ended: LocalRunner) -> None:
        page = page_of(server.url)
        position = int(call(page, "/status").etag.strip('"'))
        assert call(page, f"/status?run_id={ended.run_id}").document["run_id"] == ended.run_id
        assert call(page, "/status?at=1").document["steps"]["hello"]["state"] == "pending"
        assert call(page, f"/status?after={position}").status == 304
        unknown = call(page, "/status?run_id=12")
        assert (unknown.status, set(unknown.document)) == (404, {"error"})
        refused = call(page, "/status?at=no")
        assert (refused.status, set(refused.document)) == (400, {"error"})

    @pytest.mark.parametrize("twice", ["/status?at=1&at=2", "/status?wait=1&wait=2"])
    def test_a_repeated_parameter(self, server: ServerHandle, twice: str) -> None:
        assert call(page_of(server.url), twice).status == 400

    @pytest.mark.parametrize(
        ("wanted", "asked"), [("30", "1"), ("0.5", "0.5"), ("inf", "1"), ("nan", "nan"), ("soon", "soon"), ("", "")]
    )
    def test_a_wait_is_short(self, wanted: str, asked: str) -> None:
        seen: list[WSGIEnvironment] = []
        with answering("200 OK", {"Content-Type": "application/json"}, b"{}", seen) as url:
            call(page_of(url), f"/status?after=3&wait={wanted}")
        assert [each["QUERY_STRING"] for each in seen] == [f"after=3&wait={asked}"]

    def test_requests_that_wait_leave_threads_free(self, server: ServerHandle) -> None:
        page = create_webui(Runner(2, {"RUNNER_STATUS_URL": server.url}), threads=4)
        busy = call(page, "/status?after=1&wait=1")
        assert (busy.status, busy.headers["retry-after"]) == (503, "1")
        assert call(page, "/status").status == 200

    def test_the_runner_has_trouble_of_its_own(self) -> None:
        told = json.dumps({"error": "the event log cannot be read"}).encode()
        headers = {"Content-Type": "application/json", "Retry-After": "7"}
        with answering("503 Service Unavailable", headers, told) as url:
            answer = call(page_of(url), "/status")
        assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, told, "7")


def refusal(url: str, **further: str) -> str:
    answer = call(page_of(url, **further), "/status")
    assert (answer.status, answer.headers["content-type"], list(answer.document)) == (
        502,
        "application/json",
        ["error"],
    )
    return str(answer.document["error"])


class TestTrouble:
    """A runner that cannot be shown: the page is told why, in words."""

    @pytest.mark.parametrize("url", ["", "  "])
    def test_nobody_has_said_which(self, url: str) -> None:
        assert refusal(url) == "no runner to show: set RUNNER_STATUS_URL to its address, such as http://127.0.0.1:8005"

    @pytest.mark.parametrize(
        "url",
        [
            "127.0.0.1:8005",
            "ftp://127.0.0.1",
            "http://",
            "http://a:b@c",
            "http://a?b=c",
            "http://a:99999",
            "http://[",
            "x",
        ],
    )
    def test_no_address(self, url: str) -> None:
        assert refusal(url) == "RUNNER_STATUS_URL is no address of a runner; it looks like http://127.0.0.1:8005"

    def test_nobody_listens(self) -> None:
        with serve_in_thread(create_app(LocalRunner(FLOW).log)) as handle:
            url = handle.url
        assert refusal(url) == f"the runner at {url} does not answer: Connection refused"

    def test_no_such_host(self) -> None:
        url = "http://no-such-host.invalid:1"
        assert refusal(url) == f"the runner at {url} does not answer: its name is not known"

    def test_no_tls(self) -> None:
        with create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

            answering_thread = Thread(target=answer)
            answering_thread.start()
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            said = refusal(url)
            answering_thread.join()
        reason = "its certificate is not good for that address, or it does not speak TLS"
        assert said == f"the runner at {url} does not answer: {reason}"

    def test_a_connection_that_was_kept_has_ended(self) -> None:
        """It may end in the very moment in which it is used again: then another one is taken."""
        body = b"{}"
        whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n" + body
        with create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                for further in (True, False):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(whole)
                        if further:
                            # The next question is read, and not answered.
                            connection.recv(65536)

            serving = Thread(target=answer)
            serving.start()
            page = page_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
            assert [call(page, "/status").status for _ in range(2)] == [200, 200]
            serving.join()

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_connections_are_kept(self, ended: LocalRunner, method: str) -> None:
        ports: set[str] = set()
        inner = create_app(ended.log)

        def watched(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            ports.add(str(environ["REMOTE_PORT"]))
            return inner(environ, start_response)

        with serve_in_thread(watched) as handle:
            page = page_of(handle.url)
            etag = call(page, "/status").etag
            for _ in range(5):
                assert call(page, "/status", method=method, headers={"If-None-Match": etag}).status == 304
                assert call(page, "/status", method=method).status == 200
        assert len(ports) == 1

    def test_something_else_answers(self) -> None:
        with answering("200 OK", {"Content-Type": "text/html; charset=utf-8"}, b"<h1>Hello</h1>") as url:
            assert refusal(url) == f"what answers at {url} is no status API: it answered 200, text/html"
        with answering("418 I'm a teapot", {}) as url:
            assert refusal(url) == f"what answers at {url} is no status API: it answered 418, without a type"

    def test_it_leads_elsewhere(self) -> None:
        with answering("302 Found", {"Location": "http://192.0.2.1/"}) as url:
            assert refusal(url) == f"{url} leads elsewhere (302); set RUNNER_STATUS_URL to where the runner itself is"

    def test_it_has_another_name(self) -> None:
        with answering("421 Misdirected Request", {"Content-Type": "application/json"}, b"{}") as url:
            assert refusal(url) == f"the runner at {url} does not go by that name: its --allow-host lets it"

    def test_a_token(self, ended: LocalRunner) -> None:
        guarded = create_app(ended.log, guard=GuardSettings(token=TOKEN))
        with serve_in_thread(guarded) as handle:
            wants = f"the runner at {handle.url} wants a token, or another one: set RUNNER_STATUS_TOKEN to it"
            assert refusal(handle.url) == wants
            assert refusal(handle.url, RUNNER_STATUS_TOKEN="other") == wants
            assert call(page_of(handle.url, RUNNER_STATUS_TOKEN=TOKEN), "/status").status == 200

    def test_the_environment_is_looked_at_each_time(self, server: ServerHandle) -> None:
        environment: dict[str, str] = {}
        page = create_webui(Runner(2, environment))
        assert call(page, "/status").status == 502
        environment["RUNNER_STATUS_URL"] = server.url
        assert call(page, "/status").status == 200


class TestPage:
    """The page itself, and who is let in."""

    def test_it_is_at_the_root(self) -> None:
        page = page_of("")
        assert call(page, "/").body.startswith(b"<!doctype html>")
        assert call(page, "/page/page.js").headers["content-type"] == "text/javascript; charset=utf-8"
        assert call(page, "/healthz").document == {"status": "ok"}
        assert set(call(page, "/openapi.json").document["paths"]) == {
            "/",
            "/healthz",
            "/outputs",
            "/openapi.json",
            "/page/{name}",
            "/status",
        }

    def test_there_is_nothing_else(self) -> None:
        page = page_of("")
        assert call(page, "/ui").status == 404
        assert call(page, "/api/runs/1/events").status == 404
        assert call(page, "/status", method="POST").status == 405

    @pytest.mark.parametrize(
        ("host", "status"), [("evil.example", 421), ("localhost:8000", 200), ("127.0.0.1:8000", 200)]
    )
    def test_the_host(self, host: str, status: int) -> None:
        assert call(page_of(""), "/", headers={"Host": host}).status == status

    def test_a_token_is_asked_for_by_the_browser(self) -> None:
        page = create_webui(Runner(2, {}), guard=GuardSettings(token=TOKEN))
        asked = call(page, "/", headers={"Accept": "text/html,*/*;q=0.8"})
        assert asked.status == 401
        assert asked.headers["www-authenticate"].startswith('Basic realm="')
        assert call(page, "/healthz").status == 200
        for password, status in ((TOKEN, 200), ("x" * 32, 401), ("", 401)):
            brought = base64.b64encode(f"anybody:{password}".encode()).decode()
            assert call(page, "/", headers={"Authorization": f"Basic {brought}"}).status == status
        assert call(page, "/", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


class TestEnvironment:
    """Served without a program: the environment says everything."""

    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("TOKEN", "ALLOW_HOSTS", "ALLOW_ORIGINS", "INSECURE_NO_AUTH"):
            monkeypatch.delenv(f"FLOWCORE_{name}", raising=False)

    def answer(self, **environ: str) -> Answer:
        return call(get_webui(), "/", environ=environ)

    def test_other_machines_need_a_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.answer().status == 200
        assert self.answer(REMOTE_ADDR="192.0.2.7").status == 403
        monkeypatch.setenv("FLOWCORE_TOKEN", TOKEN)
        assert self.answer(REMOTE_ADDR="192.0.2.7").status == 401
        assert self.answer(REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=f"Bearer {TOKEN}").status == 200

    def test_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLOWCORE_ALLOW_HOSTS", "ui.example.com")
        assert self.answer(HTTP_HOST="ui.example.com").status == 200

    def test_what_cannot_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLOWCORE_ALLOW_ORIGINS", "everywhere")
        with pytest.raises(SettingsError, match="FLOWCORE_ALLOW_ORIGINS is 'everywhere'"):
            get_webui()
