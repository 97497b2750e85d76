"""`/api/v1/flow/...` without a network: the calls of documents/flow-api.md and contract flow-runs, section 1."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, Final

import falcon
import pytest

from flowcore.artifacts import Artifact, WellSource
from flowcore.catalog import SourceType
from flowcore.documents.nodes.compilation import Compiled
from flowcore.errors import LogError, ObjectNotFoundError, StoreError
from flowcore.ids import RunId, StepName
from flowcore.model import Flow, Source, Step
from flowcore.ports import SourceCall, SourceResult
from flowcore.service import create_run
from flowcore.testing import ManualClock
from flowcore.values import Instant, Json
from flowcore.views.flow_runs import ArtifactDocument, WaitingUrlDocument
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.flow_runs.put_urls import StorePutUrls
from flowcore_adapters.http.flow_runs.resources import FlowRuns, SignedPutUrls
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.node_runs import NodeRuns
from flowcore_adapters.registry import Registry
from flowcore_adapters.runner.engine import Engine
from tests.contract.wsgi_client import Answer, call
from tests.node_documents import BASES, changed
from tests.upload_server import uploads_to

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TOKEN: Final = "t" * 40
EXAMPLE: Final = """{
    "Flow": {
      "Name": "image-resize",
      "Nodes": [
        {
          "ID": "resize-1",
          "Uses": "pupload/resize",
          "Inputs": [{"Name": "image", "Edge": "input-image"}],
          "Outputs": [{"Name": "resized", "Edge": "output-image"}],
          "Flags": [{"Name": "width", "Value": "800"}]
        }
      ]
    },
    "NodeDefs": [
      {
        "Publisher": "pupload",
        "Name": "resize",
        "Image": "pupload/resize:latest",
        "Tier": "c-small",
        "MaxAttempts": 3
      }
    ]
  }"""
"""The body of the document's example request."""
ANSWER: Final = """{
  "ID": "RUN",
  "Status": "RUNNING",
  "NodeState": {
    "resize-1": {
      "Status": "RUNNING",
      "Logs": [],
      "Error": "",
      "Attempt": 1,
      "MaxAttempts": 3
    }
  },
  "Artifacts": {},
  "WaitingURLs": [],
  "StartedAt": "STARTED"
}"""
"""The document's example response, its id and its time replaced."""


class Machine:
    """A source that stands in for the engine of containers: it keeps every call until it is let go."""

    type = SourceType(name="container", about="", parameters={}, open=True)

    def __init__(self) -> None:
        self.go_on = Flag()
        self.calls: list[SourceCall] = []

    def call(self, call: SourceCall) -> SourceResult:
        self.calls.append(call)
        call.cancel.on_cancel(self.go_on.set)
        assert self.go_on.wait(30)
        return SourceResult(data=None)


class Shelf:
    """A storage in which every static object is there."""

    def __init__(self) -> None:
        self.kept: dict[RunId, Mapping[str, Mapping[str, str]]] = {}

    def prepare(self, compiled: Compiled) -> Mapping[str, Artifact]:
        return {
            edge: Artifact(store=well.store, name=well.key or "")
            for edge, well in compiled.flow.wells.items()
            if well.source is WellSource.STATIC
        }

    def keep(self, run_id: RunId, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self.kept[run_id] = secrets


class Server:
    """An application over a log in memory that drives its runs."""

    def __init__(self) -> None:
        self.log = SharedMemoryEventLog()
        self.machine = Machine()
        registry = Registry({"container": self.machine}, installed=False)
        self.engine = Engine(self.log, registry, SystemClock())
        self.engine.start()
        self.shelf = Shelf()
        self.runs = NodeRuns(self.log, SystemClock(), self.engine.adopt, self.shelf)
        self.app = create_app(self.log, flow_runs=FlowRuns(launch=self.runs))

    def post(self, body: str | Mapping[str, Json], target: str = "/api/v1/flow/test", **headers: str) -> Answer:
        """Start a run."""
        text = body if isinstance(body, str) else json.dumps(body)
        return post(self.app, text, target, **headers)

    def status(self, run_id: str, **headers: str) -> Answer:
        """Ask for a run."""
        return call(self.app, f"/api/v1/flow/status/{run_id}", headers=headers)


def post(app: "WSGIApplication", body: str, target: str = "/api/v1/flow/test", **headers: str) -> Answer:
    """Post *body*."""
    kind = {"Content-Type": "application/json"}
    return call(app, target, method="POST", headers={**kind, **headers}, body=body.encode())


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server; what it drives ends with it."""
    server = Server()
    yield server
    server.machine.go_on.set()
    server.engine.close(stop=True)


def normalised(answer: Answer) -> str:
    """Return a flow run as the document prints it, its id and its time replaced."""
    document = answer.document
    assert document["ID"].startswith("run_")
    assert document["ID"][4:].isdigit()
    assert len(document["StartedAt"]) == len("2026-03-03T10:30:00Z")
    return json.dumps({**document, "ID": "RUN", "StartedAt": "STARTED"}, indent=2)


def until(ask: Callable[[], Any], done: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - a document
    """Ask until the answer is *done*."""
    found = ask()
    for _ in range(3_000):
        if done(found):
            return found
        Flag().wait(0.01)
        found = ask()
    raise AssertionError(found)


def test_the_documents_example_answers_as_printed(server: Server) -> None:
    answer = server.post(EXAMPLE)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert normalised(answer) == ANSWER
    shown = server.status(answer.document["ID"])
    assert (shown.status, shown.headers["content-type"]) == (200, "application/json")
    assert shown.document == answer.document


def test_a_run_that_has_ended_stays_readable(server: Server) -> None:
    server.machine.go_on.set()
    run_id = server.post(EXAMPLE).document["ID"]
    ended = until(lambda: server.status(run_id).document, lambda found: found["Status"] != "RUNNING")
    assert ended["Status"] == "COMPLETE"
    assert ended["NodeState"] == {
        "resize-1": {"Status": "COMPLETE", "Logs": [], "Error": "", "Attempt": 1, "MaxAttempts": 3}
    }


def test_the_texts_of_a_document_are_no_expressions(server: Server) -> None:
    """A flag of a stranger must not be able to ask for anything of the server's."""
    hostile = "{{ secrets.TOKEN }} {{ run.id }} {% if %} ${x}"
    server.post(changed(BASES["open"], {"Flow.Nodes[0].Flags[0].Value": hostile}))
    (found,) = until(lambda: server.machine.calls, bool)
    assert found.configuration == {
        "image": "pupload/resize:latest",
        "command": "",
        "flags": {"width": hostile},
        "spare_outputs": [],
    }


def test_any_spelling_of_a_run_is_known_and_has_an_etag(server: Server) -> None:
    run_id = server.post(EXAMPLE).document["ID"]
    shown = server.status(run_id.removeprefix("run_"))
    assert shown.document["ID"] == run_id
    assert server.status(run_id, **{"If-None-Match": shown.etag}).status == 304


def test_a_run_of_another_document_is_shown_too() -> None:
    log = SharedMemoryEventLog()
    flow = Flow(name="yaml", sources={"s": Source(type="value")}, steps=(Step(name=StepName("a"), source="s"),))
    run_id = create_run(log, flow, at=Instant(1772533800.0))
    assert call(create_app(log), f"/api/v1/flow/status/{run_id}").document == {
        "ID": f"run_{run_id}",
        "Status": "STOPPED",
        "NodeState": {"a": {"Status": "IDLE", "Logs": [], "Error": "", "Attempt": 0, "MaxAttempts": 1}},
        "Artifacts": {},
        "WaitingURLs": [],
        "StartedAt": "2026-03-03T10:30:00Z",
    }


@pytest.mark.parametrize("run_id", ["run_abc123xyz", "run_1", "0", "run_", "x" * 300])
def test_an_unknown_run_is_told_as_printed(server: Server, run_id: str) -> None:
    """'"Flow run does not exist."'."""
    answer = server.status(run_id)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.body == b'"Flow run does not exist."'


def test_an_unknown_run_in_plain_text(server: Server) -> None:
    answer = server.status("run_1", Accept="text/plain")
    assert (answer.status, answer.body) == (400, b"Flow run does not exist.")
    assert answer.headers["content-type"].startswith("text/plain")
    assert server.status("run_1", Accept="*/*").body == b'"Flow run does not exist."'


@pytest.mark.parametrize("body", ["", "{", "nonsense", "[]", "5", "[" * 100_000, '"\\ud800'])
def test_a_body_that_is_no_json_object(server: Server, body: str) -> None:
    answer = server.post(body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.body == b'"Invalid input"'
    assert server.post(body, Accept="text/plain").body == b"Invalid input"


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"Flow": {"Name": "a", "Nodes": [], "Name": "b"}}', "'Name'"),
        ('{"Flow": {}, "Flow": {}}', "'Flow'"),
        ('{"Flow": {"\\ud800": 1, "\\ud800": 2}}', r"'\ud800'"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(server: Server, body: str, key: str) -> None:
    """One reader takes the first, another the last (contract safety, "HTTP JSON: ... duplicate keys ...: 400")."""
    answer = server.post(body)
    assert (answer.status, answer.document) == (
        400,
        {
            "error": "unable to run flow: invalid flow",
            "Errors": [
                {
                    "Type": "ValidationError",
                    "Code": "DOC_001",
                    "Name": "DocumentInvalid",
                    "Description": f"the key {key} is there more than once in one object",
                }
            ],
            "Warnings": [],
        },
    )


def test_an_invalid_flow_is_told_with_everything_that_is_wrong(server: Server) -> None:
    answer = server.post(changed(BASES["open"], {"Flow.Nodes[0].ID": "", "NodeDefs[0].Flags": []}))
    assert answer.status == 400
    document = answer.document
    assert list(document) == ["error", "Errors", "Warnings"]
    assert document["error"] == "unable to run flow: invalid flow"
    assert [(entry["Type"], entry["Code"], entry["Name"]) for entry in document["Errors"]] == [
        ("ValidationError", "NODE_008", "NodeMissingID"),
        ("ValidationError", "NODE_006", "NodeUnknownFlag"),
    ]
    assert [(entry["Type"], entry["Code"], entry["Name"]) for entry in document["Warnings"]] == [
        ("ValidationWarning", "EDGE_001", "EdgeNoProducer"),
        ("ValidationWarning", "EDGE_004", "EdgeNoDatawell"),
    ]
    assert all(list(entry) == ["Type", "Code", "Name", "Description"] for entry in document["Errors"])
    assert list(server.log.runs()) == []


def test_a_wrong_type_is_told_with_its_place(server: Server) -> None:
    answer = server.post({"Flow": {"Nodes": "none"}})
    assert (answer.status, answer.document["Errors"]) == (
        400,
        [
            {
                "Type": "ValidationError",
                "Code": "DOC_001",
                "Name": "DocumentInvalid",
                "Description": "Flow.Nodes: 'Nodes' must be a list, not text",
            }
        ],
    )


class Urls:
    """Signs for a test."""

    def sign(self, request: falcon.Request, run_id: RunId, waiting: WaitingUrlDocument) -> WaitingUrlDocument:
        edge = waiting["Artifact"]["EdgeName"]
        return {**waiting, "PutURL": f"{request.prefix}/put/{run_id}/{edge}", "TTL": "2026-03-03T10:45:00Z"}

    def fetch(self, request: falcon.Request, run_id: RunId, artifact: ArtifactDocument) -> tuple[str, str]:
        return f"{request.prefix}/get/{run_id}/{artifact['EdgeName']}", "2026-03-03T10:45:00Z"


UPLOADED: Final = changed(BASES["open"], {"Flow.DefaultDataWell": {"Store": "default", "Source": "upload"}})


def waiting_server(server: Server) -> "WSGIApplication":
    """Return an application that signs URLs."""
    return create_app(server.log, flow_runs=FlowRuns(launch=server.runs, put_urls=Urls()))


def test_a_run_that_waits_says_where_to_put_what(server: Server) -> None:
    app = waiting_server(server)
    document = post(app, json.dumps(UPLOADED)).document
    number = document["ID"].removeprefix("run_")
    assert (document["Status"], document["NodeState"]["resize-1"]["Status"]) == ("WAITING", "IDLE")
    assert document["WaitingURLs"] == [
        {
            "Artifact": {
                "StoreName": "default",
                "ObjectName": f"run_{number}/input-image",
                "EdgeName": "input-image",
            },
            "PutURL": f"http://127.0.0.1:8000/put/{number}/input-image",
            "TTL": "2026-03-03T10:45:00Z",
        }
    ]
    shown = call(app, f"/api/v1/flow/status/{document['ID']}")
    assert shown.document == document
    # URLs end: nobody may keep the answer.
    assert shown.headers["cache-control"] == "no-store"
    assert "etag" not in shown.headers


def test_waiting_urls_as_strings(server: Server) -> None:
    app = waiting_server(server)
    document = post(app, json.dumps(UPLOADED), "/api/v1/flow/test?waiting_urls=strings").document
    number = document["ID"].removeprefix("run_")
    assert document["WaitingURLs"] == [f"http://127.0.0.1:8000/put/{number}/input-image"]


MALFORMED: Final = (
    ("download_urls=true", "'download_urls' must be '1', or left out"),
    ("download_urls=0", "'download_urls' must be '1', or left out"),
    ("download_urls=", "'download_urls' must be '1', or left out"),
    ("download_urls=1&download_urls=1", "'download_urls' is given more than once"),
    ("waiting_urls=Strings", "'waiting_urls' must be 'strings', or left out"),
)


@pytest.mark.parametrize(("query", "message"), MALFORMED)
def test_a_query_that_means_nothing_is_refused(server: Server, query: str, message: str) -> None:
    """Contract safety: "a **named error** is ... what is wrong, what is allowed"; nothing is started."""
    started = post(server.app, EXAMPLE, f"/api/v1/flow/test?{query}")
    assert (started.status, started.document, server.machine.calls) == (400, {"error": message}, [])
    number = server.post(EXAMPLE).document["ID"]
    shown = call(server.app, f"/api/v1/flow/status/{number}?{query}")
    assert (shown.status, shown.document) == (400, {"error": message})


def test_where_nothing_can_be_put_the_urls_are_empty(server: Server) -> None:
    (waiting,) = server.post(UPLOADED).document["WaitingURLs"]
    assert (waiting["PutURL"], waiting["TTL"]) == ("", "")


def test_a_server_that_starts_no_runs_says_so() -> None:
    answer = post(create_app(SharedMemoryEventLog()), EXAMPLE)
    assert (answer.status, answer.document["error"]) == (
        503,
        "this server starts no runs; `flowcore-cli serve` does, and so does FLOWCORE_START=1",
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ObjectNotFoundError("there is no object 'logo.png'"), 400),
        (StoreError("the store does not answer"), 502),
        (LogError("the log is full"), 500),
    ],
)
def test_a_run_that_cannot_be_started(error: Exception, status: int) -> None:
    def launch(_compiled: Compiled) -> RunId:
        raise error

    answer = post(create_app(SharedMemoryEventLog(), flow_runs=FlowRuns(launch=launch)), EXAMPLE)
    assert (answer.status, answer.document["error"]) == (status, f"unable to run flow: {error}")
    assert [entry["Code"] for entry in answer.document["Warnings"]] == ["NODE_006", "EDGE_001", "EDGE_004"]


def test_a_static_object_is_an_artifact_at_once_and_secrets_are_kept_from_the_log(server: Server) -> None:
    params: Json = {"BucketName": "b", "AccessKey": "id", "SecretKey": "s3cr3t"}
    changes: dict[str, Json] = {
        "Flow.Stores[0].Params": params,
        "Flow.DataWells[0].Source": "static",
        "Flow.DataWells[0].Key": "logo.png",
    }
    document = server.post(json.dumps(changed(BASES["photo"], changes))).document
    assert document["Status"] == "RUNNING"
    assert document["Artifacts"] == {
        "original": {"StoreName": "attic", "ObjectName": "logo.png", "EdgeName": "original"}
    }
    run_id = RunId(int(document["ID"].removeprefix("run_")))
    assert server.shelf.kept == {run_id: {"attic": {"AccessKey": "id", "SecretKey": "s3cr3t"}}}
    assert "s3cr3t" not in "".join(str(each) for each in server.log.read(run_id))


def test_starting_a_run_needs_the_scope_execute(server: Server) -> None:
    app = create_app(server.log, flow_runs=FlowRuns(launch=server.runs), guard=GuardSettings(token=TOKEN))
    assert post(app, EXAMPLE).status == 401
    assert post(app, EXAMPLE, Authorization=f"Bearer {TOKEN}").status == 200


def test_no_method_but_its_own(server: Server) -> None:
    assert call(server.app, "/api/v1/flow/test").status == 405
    assert call(server.app, "/api/v1/flow/status/run_1", method="POST").status == 405


def test_a_servers_own_urls_take_the_file(server: Server, tmp_path: Path) -> None:
    """`curl -T file "$PutURL"` works as it is."""
    clock = ManualClock(Instant(1_772_533_800.0))
    app = create_app(server.log, flow_runs=FlowRuns(launch=server.runs), uploads=uploads_to(tmp_path, clock))
    (waiting,) = post(app, json.dumps(UPLOADED)).document["WaitingURLs"]
    assert waiting["TTL"] == "2026-03-03T10:45:00Z"
    assert waiting["PutURL"].startswith("http://127.0.0.1:8000/api/v1/upload/default/run_")
    target = waiting["PutURL"].removeprefix("http://127.0.0.1:8000")
    put = call(app, target, method="PUT", body=b"bytes", environ={"CONTENT_TYPE": None})
    assert (put.status, put.document["name"]) == (200, waiting["Artifact"]["ObjectName"])
    assert call(app, target, method="POST", body=b"other").status == 403


@pytest.mark.parametrize(
    ("mount", "written"), [("/team@home/a+b", "/team@home/a+b"), ("/flow core", "/flow%20core"), ("/100%", "/100%25")]
)
def test_urls_below_a_mount_are_good_as_they_are_shown(
    server: Server, tmp_path: Path, mount: str, written: str
) -> None:
    """Contract flow-runs, section 4: what is shown is put to as it is, wherever the application is mounted."""
    clock = ManualClock(Instant(1_772_533_800.0))
    uploads = uploads_to(tmp_path, clock)
    app = create_app(server.log, flow_runs=FlowRuns(launch=server.runs), uploads=uploads)
    run_id = post(app, json.dumps(UPLOADED)).document["ID"]
    shown = call(app, f"/api/v1/flow/status/{run_id}", environ={"SCRIPT_NAME": mount}).document
    url = shown["WaitingURLs"][0]["PutURL"]
    assert url.startswith(f"http://127.0.0.1:8000{written}/api/v1/upload/default/run_")
    target = url.removeprefix(f"http://127.0.0.1:8000{written}")
    sent = {"SCRIPT_NAME": mount, "REQUEST_URI": f"{written}{target}"}
    assert call(app, target, method="PUT", body=b"bytes", environ=sent).status == 200
    public = StorePutUrls(SignedPutUrls(server.log, uploads), uploads.stores, clock, "https://example.com/flows/")
    app = create_app(server.log, flow_runs=FlowRuns(launch=server.runs, put_urls=public), uploads=uploads)
    run_id = post(app, json.dumps(UPLOADED)).document["ID"]
    shown = call(app, f"/api/v1/flow/status/{run_id}", environ={"SCRIPT_NAME": mount}).document
    assert shown["WaitingURLs"][0]["PutURL"].startswith("https://example.com/flows/api/v1/upload/default/run_")


def test_the_url_of_a_webhook_takes_post_too(server: Server, tmp_path: Path) -> None:
    clock = ManualClock(Instant(1_772_533_800.0))
    app = create_app(server.log, flow_runs=FlowRuns(launch=server.runs), uploads=uploads_to(tmp_path, clock))
    body = changed(BASES["open"], {"Flow.DefaultDataWell": {"Store": "default", "Source": "webhook"}})
    (waiting,) = post(app, json.dumps(body)).document["WaitingURLs"]
    target = waiting["PutURL"].removeprefix("http://127.0.0.1:8000")
    assert call(app, target, method="POST", body=b"bytes").status == 200


@pytest.mark.parametrize("key", ["../${RUN_ID}", "${RUN_ID}//x", "/${UUID}", "a:${RUN_ID}", "x" * 2000 + "${RUN_ID}"])
def test_a_key_that_no_store_takes_is_the_callers_fault(server: Server, key: str) -> None:
    answer = server.post(changed(BASES["photo"], {"Flow.DataWells[1].Key": key}))
    assert answer.status == 400
    assert answer.document["error"].startswith(f"unable to run flow: edge 'small' with the key '{key}': ")
    assert list(server.log.runs()) == []


def test_the_longest_name_of_an_edge_is_not_too_long_for_an_object(server: Server) -> None:
    server.machine.go_on.set()
    assert server.post(changed(BASES["chain"], {"Flow.Nodes[1].Outputs[0].Edge": "LONG128"})).status == 200
