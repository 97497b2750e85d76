"""The types of nodes, one by one: contract executions, section 8, "Node types"."""

import json
import os
import shutil
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from threading import Timer

import pytest

from flowcore.cleaning import clean
from flowcore.errors import SourceError
from flowcore.ports import SourceAdapter
from flowcore.values import Json
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.registry import load_registry
from flowcore_adapters.sources.patterns import search
from flowcore_adapters.sources.workflow import FAMILIES, WorkflowSettings, node_source
from flowcore_adapters.sources.workflow.curl import split_words
from tests.calls import at_most, make_call
from tests.fault_server import FaultServer


@pytest.fixture(scope="module")
def server() -> Generator[FaultServer]:
    with FaultServer() as server:
        yield server


def source(kind: str, settings: WorkflowSettings | None = None) -> SourceAdapter:
    """Return what runs nodes of the type *kind*."""
    found = node_source(f"workflow.{kind}", settings or WorkflowSettings())
    assert found is not None
    return found


def call(
    kind: str,
    node: Mapping[str, Json],
    data: Mapping[str, Json] | None = None,
    variables: Mapping[str, Json] | None = None,
    *,
    root: Path | None = None,
    lines: list[str] | None = None,
    more: Mapping[str, Json] | None = None,
) -> Mapping[str, Json]:
    """Return what a node of the type *kind* with the data *node* leaves."""
    given = make_call(
        {"node": "node-1", "data": node, **(more or {})},
        {"data": data or {}, "variables": variables or {}},
        log=(lines if lines is not None else []).append,
    )
    found, _notes = clean(source(kind, WorkflowSettings(root=root)).call(given).data)
    assert isinstance(found, dict)
    return found


def refused(
    kind: str,
    node: Mapping[str, Json],
    data: Mapping[str, Json] | None = None,
    more: Mapping[str, Json] | None = None,
) -> str:
    """Return what a node fails with."""
    with pytest.raises(SourceError) as caught:
        call(kind, node, data, more=more)
    return str(caught.value)


def left(data: Mapping[str, Json], variables: Mapping[str, Json] | None = None) -> Mapping[str, Json]:
    """Return what a node leaves."""
    return {"data": data, "variables": variables or {}}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_type_of_node_has_a_source_of_its_name(name: str) -> None:
    kind = load_registry().adapter(name).type
    assert kind.name == name
    assert kind.about.endswith(".")
    # What an editor leaves in a node's data is let through.
    assert kind.open
    assert name not in load_registry().names()


def test_marks_do_nothing_and_say_what_is_wrong() -> None:
    assert call("start", {"slowMo": 5}) == left({})
    assert call("nothing", {}) == left({})
    assert (
        refused("fault", {}, more={"message": "Workflow must contain a Start node"})
        == "Workflow must contain a Start node"
    )
    assert refused("unknown", {}, more={"type": "openBrowser"}) == "No handler found for node type: openBrowser"
    assert refused("email", {"to": "a@b"}).startswith("email nodes are not supported")


class TestValues:
    """Value nodes set variables[node id] and variables[variableName] and data.value. Bad int -> 0."""

    @pytest.mark.parametrize(
        ("kind", "node", "value"),
        [
            ("intValue", {"value": 5}, 5),
            ("intValue", {"value": "12px"}, 12),
            ("intValue", {"value": "many"}, 0),
            ("intValue", {}, 0),
            ("intValue", {"value": "${variables.n}"}, 7),
            ("stringValue", {"value": "n=${variables.n}"}, "n=7"),
            ("stringValue", {"value": None}, ""),
            ("stringValue", {"value": 5}, "5"),
            ("booleanValue", {"value": True}, True),
            ("booleanValue", {"value": "Yes"}, True),
            ("booleanValue", {"value": "1"}, True),
            ("booleanValue", {"value": "off"}, False),
            ("booleanValue", {}, False),
            ("inputValue", {"dataType": "int", "value": "3.9"}, 3),
            ("inputValue", {"dataType": "int", "value": "x"}, 0),
            ("inputValue", {"dataType": "float", "value": "2.5"}, 2.5),
            ("inputValue", {"dataType": "double", "value": "x"}, 0.0),
            ("inputValue", {"dataType": "boolean", "value": "true"}, True),
            ("inputValue", {"dataType": "string", "value": 1}, "1"),
            ("inputValue", {"value": "text"}, "text"),
        ],
    )
    def test_values(self, kind: str, node: Mapping[str, Json], value: Json) -> None:
        named = {**node, "variableName": " total "}
        assert call(kind, node, variables={"n": 7}) == left({"value": value}, {"node-1": value})
        assert call(kind, named, variables={"n": 7}) == left({"value": value}, {"node-1": value, "total": value})

    def test_a_value_from_another_node_is_taken_as_it_is(self) -> None:
        variables: Mapping[str, Json] = {"v": "${variables.secret}", "secret": "s"}
        inputs: Mapping[str, Json] = {"inputs": {"value": "v"}}
        found = call("stringValue", {"value": "own"}, variables=variables, more=inputs)
        assert found == left({"value": "${variables.secret}"}, {"node-1": "${variables.secret}"})
        missing = call("stringValue", {"value": "own"}, more=inputs)
        assert missing["data"] == {"value": "own"}

    def test_made_up_data(self) -> None:
        found = call("stringValue", {"value": "${dynamic.randomEmail}"})["data"]
        assert isinstance(found, dict)
        assert str(found["value"]).endswith("@example.com")


class TestWait:
    """waitType timeout (value ms, number or numeric string; else error) | api-response (checks once)."""

    ANSWER: Mapping[str, Json] = {"status": 200, "headers": {"Etag": "x1"}, "body": {"state": "ready"}}

    @pytest.mark.parametrize("value", [30, "30", "${variables.n}"])
    def test_a_timeout_passes(self, value: Json) -> None:
        begun = time.monotonic()
        assert call("wait", {"waitType": "timeout", "value": value}, variables={"n": 30}) == left({})
        assert time.monotonic() - begun >= 0.03

    def test_a_stop_ends_it_at_once(self) -> None:
        cancel = Cancellation()
        given = make_call({"node": "w", "data": {"waitType": "timeout", "value": 20_000}}, cancel=cancel)
        timer = Timer(0.1, cancel.cancel)
        timer.start()
        with at_most(1.0), pytest.raises(SourceError, match=r"^stopped$"):
            source("wait").call(given)
        timer.join()

    def test_a_wait_longer_than_its_step_ends_with_it(self) -> None:
        given = make_call({"node": "w", "data": {"waitType": "timeout", "value": 20_000}}, deadline_s=0.1)
        with at_most(1.0), pytest.raises(SourceError, match="timeout"):
            source("wait").call(given)

    @pytest.mark.parametrize(
        ("node", "message"),
        [
            ({"waitType": "timeout", "value": "soon"}, "Invalid timeout value for Wait node"),
            ({"waitType": "timeout"}, "Invalid timeout value for Wait node"),
            ({"waitType": "selector", "value": "#a"}, "a wait of the type 'selector' needs a browser"),
            ({"waitType": "url"}, "a wait of the type 'url' needs a browser"),
            ({"waitType": "condition"}, "a wait of the type 'condition' needs a browser"),
            ({"waitType": "moon"}, "Invalid wait type: moon"),
            ({"waitType": "api-response"}, "apiWaitConfig is required"),
            (
                {"waitType": "api-response", "apiWaitConfig": {"checkType": "header"}},
                "'apiWaitConfig.path' is required",
            ),
            ({"waitType": "api-response", "apiWaitConfig": {"checkType": "x"}}, "there is no check 'x'"),
        ],
    )
    def test_what_makes_no_sense_is_an_error(self, node: Mapping[str, Json], message: str) -> None:
        assert message in refused("wait", node, {"apiResponse": self.ANSWER})

    @pytest.mark.parametrize(
        ("check", "message"),
        [
            ({"checkType": "status", "expectedValue": 200}, None),
            ({"checkType": "status", "expectedValue": "201"}, "the status must match (equals) '201', but is '200'"),
            ({"checkType": "header", "path": "etag", "expectedValue": "x", "matchType": "startsWith"}, None),
            ({"checkType": "body-path", "path": "state", "expectedValue": "ready"}, None),
            ({"checkType": "body-path", "path": "state", "expectedValue": "done"}, "but is 'ready'"),
            ({"checkType": "body-value", "expectedValue": "ready", "matchType": "contains"}, None),
            ({"contextKey": "other", "checkType": "status", "expectedValue": 1}, "under the key 'other'"),
        ],
    )
    def test_an_answer_is_looked_at_once(self, check: Mapping[str, Json], message: str | None) -> None:
        node: Mapping[str, Json] = {"waitType": "api-response", "apiWaitConfig": check}
        if message is None:
            assert call("wait", node, {"apiResponse": self.ANSWER}) == left({})
        else:
            assert message in refused("wait", node, {"apiResponse": self.ANSWER})


class TestRequests:
    """contextKey <- {status, statusText, headers, body, duration, timestamp}. Any HTTP status is success."""

    def answer(
        self,
        node: Mapping[str, Json],
        key: str = "apiResponse",
        *,
        data: Mapping[str, Json] | None = None,
        variables: Mapping[str, Json] | None = None,
    ) -> dict[str, Json]:
        found = call("apiRequest", node, data, variables)["data"]
        assert isinstance(found, dict)
        assert list(found) == [key]
        answer = found[key]
        assert isinstance(answer, dict)
        return answer

    def mirror(self, server: FaultServer, **node: Json) -> dict[str, Json]:
        body = self.answer({"url": f"{server.url}/mirror", "method": "POST", **node})["body"]
        assert isinstance(body, dict)
        return body

    def test_the_answer_whole(self, server: FaultServer) -> None:
        before = time.time() * 1000
        answer = self.answer({"url": f"{server.url}/json"})
        headers, duration, timestamp = answer.pop("headers"), answer.pop("duration"), answer.pop("timestamp")
        assert answer == {"status": 200, "statusText": "OK", "body": {"name": "Ada"}}
        assert isinstance(headers, dict)
        assert headers["content-type"] == "application/json"
        assert isinstance(duration, int)
        assert isinstance(timestamp, int)
        assert before - 1 <= timestamp <= time.time() * 1000
        assert duration >= 0

    @pytest.mark.parametrize("status", [201, 404, 500])
    def test_any_status_is_success_and_its_body_is_kept_whole(self, server: FaultServer, status: int) -> None:
        answer = self.answer({"url": f"{server.url}/status/{status}", "contextKey": "mine"}, "mine")
        assert (answer["status"], answer["body"]) == (status, {"error": "as asked"})

    def test_redirects_are_followed(self, server: FaultServer) -> None:
        answer = self.answer({"url": f"{server.url}/to/302?url={server.url}/json"})
        assert (answer["status"], answer["body"]) == (200, {"name": "Ada"})

    def test_references_in_everything(self, server: FaultServer) -> None:
        node: Mapping[str, Json] = {
            "url": "${data.base}/mirror?q=${variables.q}",
            "method": "${variables.m}",
            "headers": {"X-Name": "${variables.q}", "X-None": None},
            "body": '{"n": ${variables.n}}',
        }
        variables: Mapping[str, Json] = {"q": "a", "m": "post", "n": 5}
        body = self.answer(node, data={"base": server.url}, variables=variables)["body"]
        assert isinstance(body, dict)
        headers = body["headers"]
        assert isinstance(headers, dict)
        assert (body["method"], body["target"], body["text"]) == ("POST", "/mirror?q=a", '{"n": 5}')
        assert (headers["x-name"], headers["content-type"]) == ("a", "application/json")
        assert "x-none" not in headers
        assert headers["idempotency-key"] == "7/step/2"

    @pytest.mark.parametrize(
        ("node", "kind", "text"),
        [
            ({"body": {"a": [1]}}, "application/json", '{"a":[1]}'),
            ({"bodyType": "raw", "body": "plain"}, "text/plain", "plain"),
            ({"bodyType": "raw", "body": "x", "headers": {"content-type": "text/xml"}}, "text/xml", "x"),
            ({"bodyType": "url-encoded", "body": "a=1&b=2"}, "application/x-www-form-urlencoded", "a=1&b=2"),
            (
                {"bodyType": "url-encoded", "formFields": [{"key": "a b", "value": "ä"}]},
                "application/x-www-form-urlencoded",
                "a+b=%C3%A4",
            ),
        ],
    )
    def test_body_types(self, server: FaultServer, node: dict[str, Json], kind: str, text: str) -> None:
        found = self.mirror(server, **node)
        headers = found["headers"]
        assert isinstance(headers, dict)
        assert (headers["content-type"], found["text"]) == (kind, text)

    def test_form_data_with_fields_and_files(self, server: FaultServer, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("content of a")
        fields: Json = [{"key": "name", "value": "${variables.who}", "type": "text"}]
        files: Json = [{"key": "file", "filePath": "a.txt"}]
        node: Mapping[str, Json] = {
            "url": f"{server.url}/mirror",
            "method": "PUT",
            "bodyType": "form-data",
            "formFields": fields,
            "formFiles": files,
        }
        found = call("apiRequest", node, variables={"who": "Ada"}, root=tmp_path)["data"]
        shown = json.dumps(found)
        for part in (
            "multipart/form-data; boundary=",
            'name=\\\\\\"name\\\\\\"',
            "Ada",
            'filename=\\\\\\"a.txt\\\\\\"',
        ):
            assert part.replace('\\\\\\"', '\\"') in shown
        assert "content of a" in shown

    @pytest.mark.parametrize(("body", "names"), [('{"a": 1, "b": "x"}', "ab"), ("a=1&b=x", "ab")])
    def test_form_data_spelled_in_the_body(self, server: FaultServer, body: str, names: str) -> None:
        text = str(self.mirror(server, bodyType="form-data", body=body)["text"])
        assert [name for name in names if f'name="{name}"' in text] == [*names]

    def test_a_get_sends_no_body(self, server: FaultServer) -> None:
        assert self.mirror(server, method="GET", body='{"a": 1}')["text"] == ""

    @pytest.mark.parametrize(
        ("node", "message"),
        [
            ({}, "URL is required for API Request node"),
            ({"url": "ftp://x"}, "is no address that starts with http"),
            ({"url": "http://x", "method": "STEAL"}, "there is no method 'STEAL'"),
            ({"url": "http://x", "method": "POST", "bodyType": "xml", "body": "x"}, "there is no body type 'xml'"),
            ({"url": "http://127.0.0.1:1/"}, "no connection to 127.0.0.1:1"),
        ],
    )
    def test_what_cannot_be_sent_is_an_error(self, node: Mapping[str, Json], message: str) -> None:
        assert message in refused("apiRequest", node)

    def test_a_timeout_is_an_error(self, server: FaultServer) -> None:
        with at_most(2.0):
            assert refused("apiRequest", {"url": f"{server.url}/hang", "timeout": "200"}) == "timeout after 0.2 s"

    def test_a_stop_cuts_the_connection(self, server: FaultServer) -> None:
        cancel = Cancellation()
        given = make_call({"node": "r", "data": {"url": f"{server.url}/hang"}}, cancel=cancel)
        timer = Timer(0.2, cancel.cancel)
        timer.start()
        with at_most(1.5), pytest.raises(SourceError, match=r"^stopped$"):
            source("apiRequest").call(given)
        timer.join()

    def test_a_body_that_is_too_large_is_an_error(self, server: FaultServer) -> None:
        assert refused("apiRequest", {"url": f"{server.url}/big/11"}) == "output too large (more than 10 MB)"

    def test_private_addresses_can_be_refused(self, server: FaultServer) -> None:
        given = make_call({"node": "r", "data": {"url": f"{server.url}/json"}})
        with pytest.raises(SourceError, match="private addresses are not allowed"):
            source("apiRequest", WorkflowSettings(private_targets=False)).call(given)
        strict = load_registry(private_targets=False).adapter("workflow.apiRequest")
        with pytest.raises(SourceError, match="private addresses are not allowed"):
            strict.call(given)

    def test_a_webhook_is_a_post_and_tells_its_attempt(self, server: FaultServer) -> None:
        found = call("webhook", {"url": f"{server.url}/mirror", "body": "{}"})["data"]
        assert isinstance(found, dict)
        result = found["webhookResult"]
        assert isinstance(result, dict)
        body = result["body"]
        assert isinstance(body, dict)
        assert (body["method"], body["text"], result["attempt"]) == ("POST", "{}", 2)
        assert refused("webhook", {}) == "URL is required for Webhook node"

    def test_slack(self, server: FaultServer) -> None:
        node: Mapping[str, Json] = {
            "webhookUrl": f"{server.url}/mirror",
            "message": "done: ${variables.n}",
            "iconEmoji": ":tada:",
            "blocks": '[{"type": "divider"}]',
        }
        found = call("slack", node, variables={"n": 3})["data"]
        assert isinstance(found, dict)
        result = found["slackResult"]
        assert isinstance(result, dict)
        body = result["body"]
        assert isinstance(body, dict)
        assert json.loads(str(body["text"])) == {
            "text": "done: 3",
            "icon_emoji": ":tada:",
            "blocks": [{"type": "divider"}],
        }
        assert (
            refused("slack", {"webhookUrl": "http://x"}) == "Either message or blocks must be provided for Slack node"
        )
        assert refused("slack", {"webhookUrl": "http://x", "blocks": "["}).startswith("Invalid Slack blocks JSON")
        assert refused("slack", {}) == "Webhook URL is required for Slack node"


class TestCurl:
    """`apiCurl` {curlCommand, contextKey}: curl lines, without a shell."""

    def sent(self, server: FaultServer, command: str, root: Path | None = None, **variables: Json) -> dict[str, Json]:
        line = command.replace("URL", f"{server.url}/mirror")
        found = call("apiCurl", {"curlCommand": line}, variables=variables, root=root)["data"]
        assert isinstance(found, dict)
        answer = found["apiResponse"]
        assert isinstance(answer, dict)
        body = answer["body"]
        assert isinstance(body, dict)
        return body

    @pytest.mark.parametrize(
        ("command", "shown", "headers"),
        [
            ("curl URL", ("GET", "/mirror", ""), {}),
            ("URL", ("GET", "/mirror", ""), {}),
            ("curl -sSL -X PUT 'URL' -H 'X-A: 1' -H \"X-B: two words\"", ("PUT", "/mirror", ""), {"x-b": "two words"}),
            ("curl -XDELETE URL", ("DELETE", "/mirror", ""), {}),
            ("curl URL -d a=1 --data b=2", ("POST", "/mirror", "a=1&b=2"), {}),
            ("curl URL -d '{\"a\": 1}'", ("POST", "/mirror", '{"a": 1}'), {"content-type": "application/json"}),
            (
                "curl URL --data-raw @x",
                ("POST", "/mirror", "@x"),
                {"content-type": "application/x-www-form-urlencoded"},
            ),
            ("curl URL --data-urlencode 'q=a b&c'", ("POST", "/mirror", "q=a+b%26c"), {}),
            ("curl URL --json '{}' ", ("POST", "/mirror", "{}"), {"content-type": "application/json"}),
            ("curl -G URL -d a=1 -d b=2", ("GET", "/mirror?a=1&b=2", ""), {}),
            ("curl -G 'URL?x=0' --data-urlencode a=1", ("GET", "/mirror?x=0&a=1", ""), {}),
            ("curl -u user:pass URL", ("GET", "/mirror", ""), {"authorization": "Basic dXNlcjpwYXNz"}),
            ("curl -A me -e there -b 'a=1' URL", ("GET", "/mirror", ""), {"user-agent": "me", "cookie": "a=1"}),
            ("curl --url=URL --max-time 5 --compressed", ("GET", "/mirror", ""), {}),
            ("curl \\\n  -X POST \\\r\n  URL", ("POST", "/mirror", ""), {}),
            ("curl URL -d $'it\\'s\\n\\x41\\u00e4\\101'", ("POST", "/mirror", "it's\nAÃ¤A"), {}),
            ("curl -- URL", ("GET", "/mirror", ""), {}),
        ],
    )
    def test_lines(
        self, server: FaultServer, command: str, shown: tuple[str, str, str], headers: dict[str, str]
    ) -> None:
        found = self.sent(server, command)
        given = found["headers"]
        assert isinstance(given, dict)
        assert (found["method"], found["target"], found["text"]) == shown
        assert {name: given.get(name) for name in headers} == headers

    def test_what_is_filled_in_is_one_word_whatever_is_in_it(self, server: FaultServer) -> None:
        found = self.sent(server, "curl URL -d ${variables.x}", x="a' -X DELETE 'b")
        assert (found["method"], found["text"]) == ("POST", "a' -X DELETE 'b")

    def test_forms_and_files(self, server: FaultServer, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one\ntwo\n")
        found = str(
            self.sent(server, "curl URL -F name=Ada -F 'f=@a.txt;type=text/plain' --form-string x=@y", tmp_path)
        )
        assert all(part in found for part in ('name="name"', "Ada", 'filename="a.txt"', "one", "@y"))
        assert self.sent(server, "curl URL -d @a.txt", tmp_path)["text"] == "onetwo"
        assert self.sent(server, "curl URL --data-binary @a.txt", tmp_path)["text"] == "one\ntwo\n"

    @pytest.mark.parametrize(
        ("command", "message"),
        [
            ("", "cURL command is required for API cURL node"),
            ("curl", "there is no URL in it"),
            ("curl http://a http://b", "there is more than one URL in it"),
            ("curl -k https://a", "certificates are always checked"),
            ("curl --proxy x http://a", "the option '--proxy' is not known here"),
            ("curl -q http://a", "the option '-q' is not known here"),
            ("curl http://a -H", "'-H' needs a value"),
            ("curl http://a --data", "'--data' needs a value"),
            ("curl 'http://a", "a quote is never closed"),
            ('curl "http://a', "a quote is never closed"),
            ("curl $'http://a", "a quote is never closed"),
            ("curl http://a -b jar.txt", "takes cookies"),
            ("curl http://a -d 1 -F a=2", "both data and a form"),
            ("curl http://a -d @../../etc/passwd", "is not below the directory"),
        ],
    )
    def test_what_is_no_line_is_an_error(self, command: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(SourceError) as caught:
            call("apiCurl", {"curlCommand": command}, root=tmp_path)
        assert message in str(caught.value)

    def test_words(self) -> None:
        assert split_words("a  'b c'd \"e \\\" f\" g\\ h $i '' $'\\q'") == ["a", "b cd", 'e " f', "g h", "$i", "", "q"]


class TestVerify:
    """domain api: status|header|bodyPath|bodyValue. Failing = node error."""

    DATA: Mapping[str, Json] = {
        "apiResponse": {
            "status": 200,
            "headers": {"Content-Type": "application/json"},
            "body": {"user": {"name": "Ada"}},
        }
    }

    @pytest.mark.parametrize(
        "node",
        [
            {"verificationType": "status", "statusCode": 200},
            {"verificationType": "status", "statusCode": "${variables.code}"},
            {
                "verificationType": "header",
                "headerName": "content-type",
                "expectedValue": "JSON",
                "matchType": "contains",
            },
            {"verificationType": "bodyPath", "jsonPath": "user.name", "expectedValue": "ada"},
            {"verificationType": "bodyPath", "jsonPath": "user.name", "expectedValue": "^A", "matchType": "regex"},
            {"verificationType": "bodyValue", "expectedValue": "Ada", "matchType": "contains", "caseSensitive": True},
        ],
    )
    def test_what_holds_passes(self, node: dict[str, Json]) -> None:
        assert call("verify", {"domain": "api", **node}, self.DATA, {"code": 200}) == left({})

    @pytest.mark.parametrize(
        ("node", "message"),
        [
            (
                {"verificationType": "status", "statusCode": 404},
                "API status verification failed: the status must match (equals) '404', but is '200'",
            ),
            (
                {"verificationType": "header", "headerName": "etag", "expectedValue": "x"},
                "API header verification failed: the header 'etag' is not in the response",
            ),
            (
                {
                    "verificationType": "bodyPath",
                    "jsonPath": "user.name",
                    "expectedValue": "ada",
                    "caseSensitive": True,
                },
                "API bodyPath verification failed: 'user.name' must match (equals) 'ada', but is 'Ada'",
            ),
            (
                {"verificationType": "status", "statusCode": 200, "apiContextKey": "login"},
                "API status verification failed: no API response is found under the key 'login'",
            ),
            ({"verificationType": "status"}, "'statusCode' is required for API status verification"),
            (
                {"verificationType": "header", "expectedValue": "x"},
                "'headerName' is required for API header verification",
            ),
            (
                {"verificationType": "moon"},
                "there is no API verification 'moon'; allowed: status, header, bodyPath, bodyValue",
            ),
        ],
    )
    def test_what_does_not_hold_is_an_error(self, node: dict[str, Json], message: str) -> None:
        assert refused("verify", {"domain": "api", **node}, self.DATA) == message

    @pytest.mark.parametrize(("domain", "needs"), [("browser", "a browser"), ("database", "a database")])
    def test_other_domains_are_refused_by_name(self, domain: str, needs: str) -> None:
        expected = f"a verification of the domain '{domain}' cannot be made: that needs {needs}, and there is none here"
        assert refused("verify", {"domain": domain}) == expected
        assert "allowed here: api" in refused("verify", {"domain": "moon"})

    def test_a_regular_expression_ends_in_time(self) -> None:
        node: Mapping[str, Json] = {
            "domain": "api",
            "verificationType": "bodyValue",
            "matchType": "regex",
            "expectedValue": "^(a|a)*$",
        }
        with at_most(6.0):
            found = refused("verify", node, {"apiResponse": {"body": "a" * 60 + "b"}})
        assert "takes too long" in found

    @pytest.mark.parametrize("pattern", ["(", "x" * 10_001])
    def test_what_is_no_regular_expression_is_an_error(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="regular expression"):
            search(pattern, "x", case_sensitive=True)


class TestSwitch:
    """First match wins; errors count as false."""

    CASES: Json = (
        {
            "id": "case-1",
            "label": "five",
            "condition": {"type": "variable", "variableName": "n", "comparisonValue": "5"},
        },
        {"id": "case-0", "label": "none"},
        "noise",
        {
            "id": "case-2",
            "label": "same",
            "condition": {"type": "variable", "variableName": "n", "comparisonValue": "${variables.m}"},
        },
    )

    @pytest.mark.parametrize(
        ("variables", "branch", "label"),
        [({"n": 5, "m": 5}, "case-1", "five"), ({"n": 6, "m": 6}, "case-2", "same"), ({"n": 7}, "default", "rest")],
    )
    def test_the_first_match_wins(self, variables: dict[str, Json], branch: str, label: str) -> None:
        node: Mapping[str, Json] = {"cases": self.CASES, "defaultCase": {"label": "rest"}}
        assert call("switch.switch", node, variables=variables) == {
            "data": {"switchOutput": branch, "switchOutputLabel": label},
            "variables": {},
            "branch": branch,
        }

    @pytest.mark.parametrize(("expression", "branch"), [("context.getVariable('n') > 4", "js"), ("boom(", "default")])
    def test_javascript_conditions(self, expression: str, branch: str) -> None:
        condition: Json = {"type": "javascript", "javascriptExpression": expression}
        node: Mapping[str, Json] = {
            "cases": [{"id": "js", "label": "js", "condition": condition}],
            "defaultCase": {"label": "d"},
        }
        assert call("switch.switch", node, variables={"n": 5})["branch"] == branch

    def test_a_switch_without_cases_is_an_error(self) -> None:
        assert refused("switch.switch", {}) == "Switch node must have at least one case configured"
        assert refused("switch.switch", {"cases": self.CASES}) == "Switch node must have a default case configured"


class TestLoop:
    """The steps that a loop is made of."""

    @pytest.mark.parametrize(
        ("node", "data", "message"),
        [
            ({"arrayVariable": "items"}, {"items": []}, None),
            ({"arrayVariable": "api.items"}, {"api": {"items": [1]}}, None),
            ({"arrayVariable": "items"}, {"items": "text"}, "Variable items is not an array but text: text"),
            ({"arrayVariable": "items"}, {}, "Variable items is not an array: there is none, or it is null"),
        ],
    )
    def test_a_loop_without_children(self, node: dict[str, Json], data: dict[str, Json], message: str | None) -> None:
        if message is None:
            assert call("loop", node, data) == left({})
        else:
            assert refused("loop", node, data) == message

    def test_its_condition_and_what_is_done_after_each_iteration(self) -> None:
        condition: Json = {
            "type": "variable",
            "variableName": "n",
            "comparisonOperator": "lessThan",
            "comparisonValue": 3,
        }
        node: Mapping[str, Json] = {
            "mode": "doWhile",
            "condition": condition,
            "updateStep": "context.setVariable('n', context.getVariable('n') + 1)",
        }
        first = call("loop", node, variables={"n": 2}, more={"phase": "check"})
        assert first == {"data": {}, "variables": {}, "again": True}
        assert call("loop", node, variables={"n": 2}, more={"phase": "next"}) == {
            "data": {},
            "variables": {"n": 3},
            "again": False,
        }
        still: Mapping[str, Json] = {**node, "updateStep": ""}
        assert call("loop", still, variables={"n": 2}, more={"phase": "next"})["again"] is True
        assert call("loop", {"condition": None}, more={"phase": "check"})["again"] is False


class TestConfigs:
    """setConfig: merge into data. loadConfigFile: the files that an editor has put into the node."""

    def test_set_config(self) -> None:
        config: Json = {"base": "http://${variables.host}", "n": 1}
        assert call("setConfig.setConfig", {"config": config}, variables={"host": "h"}) == left(
            {"base": "http://h", "n": 1}
        )
        assert call("setConfig.setConfig", {"config": {"n": 1}, "contextKey": "c"}) == left({"c": {"n": 1}})
        assert call("setConfig.setConfig", {}) == left({})
        assert "Config must be a JSON object" in refused("setConfig.setConfig", {"config": [1]})

    @pytest.mark.parametrize("kind", ["loadConfigFile", "selectConfigFile"])
    def test_files_that_an_editor_has_put_into_the_node(self, kind: str) -> None:
        configs: Json = [
            {"fileName": "a.json", "fileContent": ' {"a": 1, "b": "${x}"} ', "enabled": True},
            {"fileName": "b.json", "fileContent": '{"a": 2}', "enabled": True},
            {"fileName": "c.json", "fileContent": '{"z": 3}', "enabled": True, "contextKey": "deep"},
            {"fileName": "d.json", "fileContent": "no JSON", "enabled": False},
        ]
        assert call(kind, {"configs": configs}) == left({"a": 2, "b": "${x}", "deep": {"z": 3}})
        assert call(kind, {"fileContent": '{"a": 1}', "contextKey": "k"}) == left({"k": {"a": 1}})

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", 'Invalid JSON in config file "a.json": Expecting property name'),
            ("[1]", 'Config file "a.json" must contain a JSON object'),
            ('{"a": NaN}', 'Invalid JSON in config file "a.json"'),
        ],
    )
    def test_bad_files_are_errors(self, content: str, message: str) -> None:
        configs: Json = [{"fileName": "a.json", "fileContent": content, "enabled": True}]
        assert refused("loadConfigFile", {"configs": configs}).startswith(message)

    def test_files_on_disk(self, tmp_path: Path) -> None:
        (tmp_path / "c.json").write_text('{"a": 1}')
        (tmp_path / "bad.json").write_bytes(b"\xff")
        assert call("loadConfigFile", {"filePath": "c.json"}, root=tmp_path) == left({"a": 1})
        for path, message in (
            ("bad.json", "is no UTF-8 text"),
            ("none.json", "the config file not found: none.json"),
            ("/etc/passwd", "is not below the directory for workflow files"),
            (".", "is not below the directory for workflow files"),
        ):
            with pytest.raises(SourceError, match=message):
                call("loadConfigFile", {"filePath": path}, root=tmp_path)
        assert refused("loadConfigFile", {}).startswith("No config files specified.")


class TestCsv:
    """csvHandle read|write|append, below the allowed directory only."""

    ROWS: Mapping[str, Json] = {"rows": [{"name": "Ada", "n": 1}, {"name": "Bo, B", "n": None}]}

    def write(self, root: Path, action: str = "write", **more: Json) -> None:
        node: dict[str, Json] = {"action": action, "filePath": "out/a.csv", "dataSource": "rows", **more}
        assert call("csvHandle", node, self.ROWS, root=root) == left({})

    def test_write_append_and_read(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        file = tmp_path / "out" / "a.csv"
        assert file.read_text() == 'name,n\nAda,1\n"Bo, B",\n'
        self.write(tmp_path, "append")
        assert file.read_text() == 'name,n\nAda,1\n"Bo, B",\nAda,1\n"Bo, B",\n'
        rows: list[Json] = [{"name": "Ada", "n": "1"}, {"name": "Bo, B", "n": ""}]
        node: Mapping[str, Json] = {"action": "read", "filePath": "${variables.file}"}
        found = call("csvHandle", node, variables={"file": "out/a.csv"}, root=tmp_path)
        assert found == left({"csvData": [*rows, *rows]})

    def test_append_keeps_the_header_and_ends_an_open_line(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a.csv").write_text("n,name\n0,Zoe")
        self.write(tmp_path, "append")
        assert (tmp_path / "out" / "a.csv").read_text() == 'n,name\n0,Zoe\n1,Ada\n,"Bo, B"\n'

    def test_append_to_nothing_writes(self, tmp_path: Path) -> None:
        self.write(tmp_path, "append", headers=["n"], delimiter=";")
        assert (tmp_path / "out" / "a.csv").read_text() == "n\n1\n\n"[:4] + '""\n'

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [([[1, 2], [3]], "column_0,column_1\n1,2\n3,\n"), (["a", 2], "value\na\n2\n"), ([], "value\n")],
    )
    def test_rows_that_are_no_records(self, tmp_path: Path, rows: Json, expected: str) -> None:
        call("csvHandle", {"action": "write", "filePath": "b.csv", "dataSource": "rows"}, {"rows": rows}, root=tmp_path)
        assert (tmp_path / "b.csv").read_text() == expected

    def test_reading_is_forgiving(self, tmp_path: Path) -> None:
        (tmp_path / "c.csv").write_bytes(b"\xef\xbb\xbfa\tb\n\n1\t2\t3\n4\n")
        node: Mapping[str, Json] = {"action": "read", "filePath": "c.csv", "delimiter": "\\t", "contextKey": "k"}
        assert call("csvHandle", node, root=tmp_path) == left({"k": [{"a": "1", "b": "2"}, {"a": "4"}]})

    @pytest.mark.parametrize(
        ("node", "message"),
        [
            ({}, "requires an action"),
            ({"action": "burn"}, "there is no CSV action 'burn'"),
            ({"action": "read"}, "CSV Handle read action requires filePath."),
            ({"action": "read", "filePath": "none.csv"}, "CSV file not found: none.csv"),
            ({"action": "read", "filePath": "../x.csv"}, "is not below the directory"),
            ({"action": "read", "filePath": "a\0b"}, "is no path"),
            ({"action": "read", "filePath": "link/passwd"}, "is not below the directory"),
            ({"action": "read", "filePath": "dir"}, "is no file"),
            ({"action": "read", "filePath": "pipe"}, "is no file"),
            ({"action": "read", "filePath": "x.csv", "delimiter": "ab"}, "a CSV delimiter is one character"),
            ({"action": "read", "filePath": "x.csv", "encoding": "rot13"}, "there is no encoding 'rot13'"),
            ({"action": "read", "filePath": "latin.csv"}, "is no utf-8 text"),
            ({"action": "write", "filePath": "x.csv"}, "requires dataSource"),
            ({"action": "write", "filePath": "x.csv", "dataSource": "nobody"}, 'Data source "nobody" not found'),
            ({"action": "write", "filePath": "x.csv", "dataSource": "text"}, 'Data source "text" is not an array.'),
            (
                {"action": "write", "filePath": "x.csv", "dataSource": "odd", "encoding": "ascii"},
                "in the encoding 'ascii'",
            ),
            ({"action": "write", "filePath": "dir", "dataSource": "odd"}, "cannot be used"),
        ],
    )
    def test_what_cannot_be_done_is_an_error(self, node: Mapping[str, Json], message: str, tmp_path: Path) -> None:
        (tmp_path / "dir").mkdir()
        (tmp_path / "link").symlink_to("/etc")
        (tmp_path / "latin.csv").write_bytes(b"a\n\xe4\n")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SourceError) as caught:
            call("csvHandle", node, {"text": "t", "odd": ["ä"]}, root=tmp_path)
        assert message in str(caught.value)


class TestJavascript:
    """async function body with `context`; non-undefined result -> data.result; in a child process."""

    def test_what_code_sees_and_leaves(self) -> None:
        code = """
        context.setData('sum', context.getData('list').reduce((a, b) => a + b, 0));
        context.setVariable('n', context.variables.n + 1);
        context.data.deep.x = 'changed';
        await new Promise((resolve) => setTimeout(resolve, 1));
        console.log('seen', context.getVariable('n'), { a: 1 });
        return { text: `${context.data.sum}` };
        """
        lines: list[str] = []
        data: Mapping[str, Json] = {"list": [1, 2, 3], "deep": {"x": 1}, "same": [0]}
        found = call("javascriptCode", {"code": code}, data, {"n": 1, "other": 2}, lines=lines)
        assert found == left({"sum": 6, "deep": {"x": "changed"}, "result": {"text": "6"}}, {"n": 2})
        assert lines == ["seen 2 { a: 1 }"]

    @pytest.mark.parametrize(
        ("code", "data"), [("let x = 1;", {}), ("return null;", {"result": None}), ("return 0;", {"result": 0})]
    )
    def test_a_result_is_kept_unless_it_is_undefined(self, code: str, data: dict[str, Json]) -> None:
        assert call("javascriptCode", {"code": code}) == left(data)

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("", "Code is required for JavaScript Code node"),
            ("throw new Error('no luck');", "JavaScript execution error: no luck"),
            ("return (", "JavaScript execution error: "),
            ("return nobody.x;", "JavaScript execution error: nobody is not defined"),
            ("return context.page.title();", "JavaScript execution error: there is no browser page here"),
            ("process.exit(3);", "JavaScript execution error: it ended with exit code 3"),
            ("return 1n;", "JavaScript execution error: Do not know how to serialize a BigInt"),
            ("setTimeout(() => { throw new TypeError('later') }, 0); await new Promise(() => {});", "TypeError: later"),
        ],
    )
    def test_what_goes_wrong_is_an_error(self, code: str, message: str) -> None:
        assert message in refused("javascriptCode", {"code": code})

    def test_a_stop_ends_it(self) -> None:
        cancel = Cancellation()
        given = make_call({"node": "j", "data": {"code": "while (true) {}"}}, cancel=cancel)
        timer = Timer(0.5, cancel.cancel)
        timer.start()
        with at_most(4.0), pytest.raises(SourceError, match=r"^stopped$"):
            source("javascriptCode").call(given)
        timer.join()

    def test_too_much_output_ends_it(self) -> None:
        code = "for (;;) { console.log('x'.repeat(100000)); await new Promise((go) => setTimeout(go)); }"
        assert refused("javascriptCode", {"code": code}).startswith("output too large")

    def test_it_sees_nothing_of_our_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLOWCORE_TOKEN", "s3cret")
        code = "return Object.keys(process.env).filter((name) => name.startsWith('FLOWCORE'));"
        assert call("javascriptCode", {"code": code}) == left({"result": []})

    def test_without_node_the_error_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def nowhere(_name: str) -> None:
            return None

        monkeypatch.setattr(shutil, "which", nowhere)
        assert refused("javascriptCode", {"code": "return 1;"}) == (
            "JavaScript needs the program `node` (Node.js), which is not installed here"
        )


class TestRetryUntil:
    """A node that is tried until a condition holds fails as long as it does not."""

    @pytest.mark.parametrize(
        ("until", "message"),
        [
            ({"type": "api-status", "expectedStatus": 200}, None),
            ({"type": "api-status", "expectedStatus": "${variables.code}"}, None),
            ({"type": "api-status", "expectedStatus": 204}, "the condition is not met: the status must match"),
            ({"type": "api-json-path", "jsonPath": "name", "expectedValue": "Ada"}, None),
            ({"type": "api-json-path", "jsonPath": "name", "expectedValue": "Bo"}, "the condition is not met"),
            ({"type": "api-javascript", "value": "response.body.name === 'Ada' && context.data.x === 1"}, None),
            ({"type": "api-javascript", "value": "response.status === 500"}, "the condition is not met"),
            ({"type": "selector", "value": "#a"}, "that needs a browser"),
            ({}, "a node cannot be tried until a condition of the type ''"),
        ],
    )
    def test_conditions(self, server: FaultServer, until: dict[str, Json], message: str | None) -> None:
        node: Mapping[str, Json] = {"url": f"{server.url}/json"}
        if message is None:
            found = call("apiRequest", node, {"x": 1}, {"code": 200}, more={"until": until})
            assert "apiResponse" in str(found)
        else:
            assert message in refused("apiRequest", node, more={"until": until})


def test_one_try_takes_no_longer_than_all_may(server: FaultServer) -> None:
    until: Json = {"type": "api-status", "expectedStatus": 200, "timeout": 200}
    node: dict[str, Json] = {"url": f"{server.url}/hang"}
    for more in ({}, {"timeout": 60_000}):
        with at_most(5.0):
            assert refused("apiRequest", {**node, **more}, more={"until": until}) == "timeout after 0.2 s"


def test_slow_motion_pauses_before_a_node() -> None:
    begun = time.monotonic()
    call("stringValue", {"value": "x"}, more={"slow_ms": 40})
    assert time.monotonic() - begun >= 0.04
