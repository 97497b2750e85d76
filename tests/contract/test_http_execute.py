"""Starting runs and batches, and scanning folders, without a network: contract executions, section 4, and safety."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from flowcore.ids import parse_run_id
from flowcore.run.events import RunCreated
from flowcore.values import Json
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.batch_server import BAD, BASE, QUICK, SLOW, Server, node, said, until, workflow
from tests.contract.wsgi_client import Answer, call

BOUNDARY: Final = "x-boundary-x"
FLOW: Final = "flow: [{name: a, source: {type: value, configuration: {value: 1}}}]"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The workflows root, with a folder of files; beside it something that nobody may see."""
    root = tmp_path / "root"
    (root / "flows" / "deeper").mkdir(parents=True)
    for name in ("b.json", "a.JSON", "deeper/c.json"):
        (root / "flows" / name).write_text(json.dumps(QUICK), encoding="utf-8")
    (root / "flows" / "wrong.json").write_text('{"nodes": []}', encoding="utf-8")
    (root / "flows" / "broken.json").write_text("{", encoding="utf-8")
    (root / "flows" / "flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.json").write_text(json.dumps(QUICK), encoding="utf-8")
    return root


def form(files: Mapping[str, bytes], **fields: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a form."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    for name, data in files.items():
        head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: application/json'
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def post_form(server: Server, files: Mapping[str, bytes], **fields: str) -> Answer:
    body, headers = form(files, **fields)
    return server.post("/execute", body, headers)


def test_a_form_without_a_boundary(server: Server) -> None:
    body, _ = form({"one.json": b"{}"})
    found = server.post("/execute", body, {"Content-Type": "multipart/form-data"})
    assert said(found) == (400, {"error": "the form cannot be read: its Content-Type names no boundary"})


class TestSingle:
    def test_the_answer(self, server: Server) -> None:
        found = server.execute(workflow=QUICK)
        name = found.document["executionId"]
        assert said(found) == (200, {"executionId": name, "status": "running", "executionMode": "single"})
        until(lambda: server.get(f"/execution/{name}").document["status"] == "completed")
        assert server.get("/executions/batches").document["total"] == 0

    def test_it_starts_at_once_though_the_pool_is_full(self, log: SharedMemoryEventLog, root: Path) -> None:
        server = Server(log, root, batch_workers=1)
        server.execute(workflows=[SLOW])
        name = server.execute(workflow=QUICK, executionMode="single").document["executionId"]
        until(lambda: server.get(f"/execution/{name}").document["status"] == "completed")
        server.close()

    @pytest.mark.parametrize(
        "document",
        [
            {"nodes": [], "edges": []},
            {"nodes": [node("a", "intValue", value=1)], "edges": []},
            BAD,
            {
                **QUICK,
                "edges": [{"id": "e", "source": "start-1", "target": "v"}, {"id": "f", "source": "v", "target": "v"}],
            },
        ],
        ids=["empty", "no-start", "unknown-type", "cycle"],
    )
    def test_it_is_not_checked_and_ends_in_error(self, server: Server, document: Json) -> None:
        found = server.execute(workflow=document)
        assert found.status == 200
        name = found.document["executionId"]
        until(lambda: server.get(f"/execution/{name}").document["status"] == "error")
        assert server.get(f"/execution/{name}").document["error"]

    def test_what_is_remembered_of_it(self, server: Server) -> None:
        found = server.execute(
            workflow=QUICK, workflowFileName="mine.json", source="frontend", traceLogs=True, outputPath="./out"
        )
        run_id = parse_run_id(found.document["executionId"])
        assert run_id is not None
        created = next(server.log.read(run_id)).event
        assert isinstance(created, RunCreated)
        assert created.labels == {"source": "frontend", "file": "mine.json", "output": "./out"}
        assert created.trace

    def test_overrides_go_into_the_start_node(self, server: Server) -> None:
        found = server.execute(workflow=QUICK, startNodeOverrides={"slowMo": 60_000})
        name = found.document["executionId"]
        until(lambda: server.get(f"/execution/{name}").document["status"] == "running")
        assert server.post("/execution/stop", {"executionId": name}).document["wasRunning"]

    @pytest.mark.parametrize(("moment", "marked"), [("pre", "all"), ("both", "marked"), ("post", "all")])
    def test_breakpoints(self, server: Server, moment: str, marked: str) -> None:
        document = workflow(node("v", "intValue", value=3, variableName="n", breakpoint=True))
        config: Json = {"enabled": True, "breakpointAt": moment, "breakpointFor": marked}
        name = server.execute(workflow=document, breakpointConfig=config).document["executionId"]
        until(lambda: server.get(f"/execution/{name}").document["pauseReason"] == "breakpoint")
        server.post("/execution/stop", {"executionId": name})

    def test_breakpoints_that_are_off(self, server: Server) -> None:
        name = server.execute(workflow=QUICK, breakpointConfig={"enabled": False}).document["executionId"]
        until(lambda: server.get(f"/execution/{name}").document["status"] == "completed")


class TestBatches:
    def test_workflows(self, server: Server) -> None:
        found = server.execute(workflows=[QUICK, {"nodes": []}, BAD], workflowFileNames=["first.json"], workers=2)
        name = found.document["batchId"]
        assert said(found) == (
            200,
            {
                "batchId": name,
                "executionMode": "parallel",
                "sourceType": "workflows",
                "totalWorkflows": 3,
                "validWorkflows": 2,
                "invalidWorkflows": 1,
                "validationErrors": [
                    {"fileName": "workflow-2.json", "errors": found.document["validationErrors"][0]["errors"]}
                ],
                "executions": [
                    {
                        "executionId": f"{name.replace('batch', 'exec')}-{number}",
                        "workflowFileName": file,
                        "workflowPath": file,
                        "status": "queued",
                        "validationErrors": [],
                    }
                    for number, file in [(1, "first.json"), (2, "workflow-3.json")]
                ],
            },
        )
        assert "edges" in found.document["validationErrors"][0]["errors"][0]
        ended = server.ended(name)
        assert (ended["totalWorkflows"], ended["completed"], ended["failed"]) == (2, 1, 1)

    def test_a_folder(self, server: Server) -> None:
        found = server.execute(folderPath="./flows")
        document = found.document
        assert (found.status, document["sourceType"], document["folderPath"]) == (200, "folder", "./flows")
        counted = (document["totalWorkflows"], document["validWorkflows"], document["invalidWorkflows"])
        assert counted == (4, 2, 2)
        assert [each["fileName"] for each in document["validationErrors"]] == ["broken.json", "wrong.json"]
        paths = [(each["workflowFileName"], each["workflowPath"]) for each in document["executions"]]
        assert paths == [("a.JSON", "./flows/a.JSON"), ("b.json", "./flows/b.json")]
        shown = server.ended(document["batchId"])
        assert (shown["folderPath"], shown["completed"]) == ("./flows", 2)

    def test_a_folder_and_all_below_by_pattern(self, server: Server) -> None:
        document = server.execute(folderPath="flows", recursive=True, pattern="?.json").document
        paths = [each["workflowPath"] for each in document["executions"]]
        assert paths == ["flows/a.JSON", "flows/b.json", "flows/deeper/c.json"]

    def test_flow_files_are_items_too(self, server: Server) -> None:
        document = server.execute(folderPath="flows", pattern="*.yaml").document
        assert server.ended(document["batchId"])["completed"] == 1
        flow: Json = {"flow": [{"name": "a", "source": {"type": "value", "configuration": {"value": 1}}}]}
        assert server.ended(server.execute(workflows=[flow]).document["batchId"])["completed"] == 1

    def test_files_of_a_form(self, server: Server) -> None:
        data = json.dumps(QUICK).encode()
        found = post_form(
            server,
            {"one.json": data, "../../two.json": data, "bad.json": b"{"},
            workers="2",
            traceLogs="true",
            startNodeOverrides="{}",
        )
        document = found.document
        assert (found.status, document["sourceType"], document["validWorkflows"]) == (200, "files", 2)
        assert [each["workflowPath"] for each in document["executions"]] == ["one.json", "two.json"]
        assert document["validationErrors"][0]["fileName"] == "bad.json"
        assert server.ended(document["batchId"])["completed"] == 2

    def test_the_priority_decides_who_is_next(self, log: SharedMemoryEventLog, root: Path) -> None:
        server = Server(log, root, batch_workers=1)
        first = server.execute(workflows=[SLOW]).document["batchId"]
        until(lambda: server.batch(first)["running"] == 1)
        low = server.execute(workflows=[SLOW]).document["batchId"]
        high = server.execute(workflows=[SLOW], batchPriority=7).document["batchId"]
        server.post(f"/execution/batch/{first}/stop")
        until(lambda: server.batch(high)["running"] == 1)
        assert server.batch(low)["queued"] == 1
        server.close()

    @pytest.mark.parametrize("mode", ["parallel", "anything"])
    def test_every_other_mode_is_parallel(self, server: Server, mode: str) -> None:
        assert server.execute(workflows=[QUICK], executionMode=mode).status == 200
        assert server.execute(workflow=QUICK, executionMode=mode).status == 400

    def test_wait_nodes_do_not_pause_in_a_batch(self, server: Server) -> None:
        document = workflow(node("w", "wait", waitType="timeout", value=1, pause=True))
        assert server.ended(server.execute(workflows=[document]).document["batchId"])["completed"] == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "No workflow input provided"),
            ({"workflow": None}, "No workflow input provided"),
            ({"workflow": QUICK, "workflows": [QUICK]}, "exclude each other"),
            ({"workflows": [QUICK], "folderPath": "flows"}, "exclude each other"),
            ({"workflow": {}}, "Invalid workflow format"),
            ({"workflow": 3}, "Invalid workflow format"),
            ({"workflow": {"nodes": {}, "edges": []}}, "'nodes' must be an array"),
            ({"workflow": {"nodes": [3], "edges": []}}, "Invalid workflow format"),
            ({"workflow": QUICK, "executionMode": "parallel"}, "needs 'workflows' or 'folderPath'"),
            ({"workflows": [QUICK], "executionMode": "single"}, "needs 'workflow'"),
            ({"workflows": [QUICK], "executionMode": 3}, "'executionMode'"),
            ({"workflows": {}}, "'workflows' must be an array"),
            ({"workflows": [QUICK], "workflowFileNames": "a"}, "'workflowFileNames'"),
            ({"workflows": [QUICK], "workflowFileNames": ["a", "b"]}, "'workflowFileNames'"),
            ({"workflows": [QUICK], "workflowFileNames": [3]}, "workflowFileNames[0]"),
            ({"workflows": [QUICK], "batchPriority": "high"}, "'batchPriority'"),
            ({"workflows": [QUICK], "traceLogs": "yes"}, "'traceLogs' must be true or false"),
            ({"workflows": [QUICK], "startNodeOverrides": []}, "'startNodeOverrides'"),
            ({"workflows": [QUICK], "reportConfig": 1}, "'reportConfig'"),
            ({"workflows": [QUICK], "source": 1}, "'source'"),
            ({"workflow": QUICK, "breakpointConfig": []}, "'breakpointConfig'"),
            ({"workflow": QUICK, "breakpointConfig": {"breakpointAt": "never"}}, "breakpointAt"),
            ({"workflow": QUICK, "breakpointConfig": {"breakpointFor": []}}, "breakpointFor"),
            ({"folderPath": 3}, "'folderPath'"),
            ({"folderPath": "flows", "recursive": 1}, "'recursive'"),
            ({"folderPath": "flows", "pattern": "a/b"}, "'pattern'"),
            ({"folderPath": "nowhere"}, "Folder not found"),
            ({"folderPath": "flows/b.json"}, "is no folder"),
        ],
    )
    def test_what_cannot_be_started(self, server: Server, body: dict[str, Json], message: str) -> None:
        found = server.post("/execute", body)
        assert found.status == 400
        assert message in found.document["error"]
        assert server.log.position() == 0

    def test_no_valid_workflow_at_all(self, server: Server) -> None:
        found = server.execute(workflows=[{"nodes": [], "edges": []}])
        assert said(found) == (
            400,
            {
                "error": "No valid workflows found",
                "validationErrors": [
                    {"fileName": "workflow-1.json", "errors": ["nodes: a workflow needs at least one node"]}
                ],
            },
        )
        assert server.log.position() == 0

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("{", "line 1"),
            ("[]", "must be a JSON object"),
            ("3", "must be a JSON object"),
            ('{"workflow": NaN}', "NaN"),
            ('{"workers": 1e400}', "too large"),
            ('{"workers": 1, "workers": 2}', "more than once"),
            ('{"source": "\\ud800"}', "surrogate"),
            ('{"a":' * 100 + "1" + "}" * 100, "levels"),
        ],
    )
    def test_bodies_that_are_read_in_two_ways(self, server: Server, body: str, message: str) -> None:
        found = server.post("/execute", body.encode(), {"Content-Type": "application/json"})
        assert found.status == 400
        assert message in found.document["error"]

    def test_forms(self, server: Server) -> None:
        data = json.dumps(QUICK).encode()
        body, headers = form({"one.json": data})
        source = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="source"\r\n\r\n'.encode()
        for wrong, message in [
            (post_form(server, {}, workers="2"), "no field 'files'"),
            (post_form(server, {"a.json": data}, workers="two"), "'workers'"),
            (
                post_form(server, {"a.json": data}, startNodeOverrides="{"),
                "form field 'startNodeOverrides' is not JSON: ",
            ),
            (post_form(server, {"a.json": data}, reportConfig="[]"), "form field 'reportConfig' must be a JSON object"),
            (
                post_form(server, {"a.json": data}, traceLogs="maybe"),
                "form field 'traceLogs' must be true or false, not 'maybe'",
            ),
            (post_form(server, {"a.json": data}, recordSession=""), "form field 'recordSession' must be true or false"),
            (post_form(server, {"a.json": data}, workflow="{}"), "'files' and 'workflow' exclude each other"),
            (post_form(server, {"a.json": data}, folderPath="x"), "'files' and 'folderPath' exclude each other"),
            (post_form(server, {"a.json": data}, executionMode="single"), "form field 'executionMode'"),
            (
                post_form(server, {"a.json": data, "notes.txt": data}),
                "form field 'files': 'notes.txt' is no workflow: files called .json, .yaml, .yml are allowed",
            ),
            (server.post("/execute", source + b"\xff\r\n" + body, headers), "form field 'source' is no UTF-8 text"),
            (
                server.post("/execute", (source + b"api\r\n") * 2 + body, headers),
                "form field 'source' is given more than once",
            ),
            (
                server.post("/execute", source + b"x" * 1024 * 1025 + b"\r\n" + body, headers),
                "form field 'source' is too long: at most 1048576 bytes are allowed",
            ),
            (server.post("/execute", body.replace(b'name="files"', b'name="upload"'), headers), "field 'files'"),
            (server.post("/execute", body[:40], headers), "form"),
        ]:
            assert wrong.status == 400
            assert message in wrong.document["error"]
        assert server.log.position() == 0

    def test_a_form_of_everything_that_may_be_in_one(self, server: Server) -> None:
        fields = {"workers": "2", "traceLogs": "TRUE", "recordSession": "false", "executionMode": "parallel"}
        texts = {"reportConfig": "{}", "screenshotConfig": "{}", "startNodeOverrides": "{}", "outputPath": "./out"}
        found = post_form(server, {"a.JSON": json.dumps(QUICK).encode()}, **fields, **texts)
        assert (found.status, found.document["validWorkflows"]) == (200, 1)

    def test_forms_go_nowhere_else(self, server: Server) -> None:
        body, headers = form({"one.json": b"{}"})
        assert server.post("/execution/stop", body, headers).status == 415

    def test_what_is_larger_than_allowed(self, server: Server) -> None:
        large = json.dumps({"workflow": QUICK, "source": "x" * (11 * 1024 * 1024)}).encode()
        assert server.post("/execute", large, {"Content-Type": "application/json"}).status == 413

    def test_a_server_that_starts_nothing(self, log: SharedMemoryEventLog) -> None:
        found = call(create_app(log, guard=GuardSettings()), f"{BASE}/execute", method="POST")
        assert found.status == 404


class TestFolders:
    @pytest.mark.parametrize(
        "folder",
        [
            "..",
            "../outside",
            "flows/../../outside",
            "/etc",
            "/proc/self",
            "~",
            "a\0b",
            "x" * 5_000,
            "flows\\..\\..",
            "",
        ],
    )
    def test_nothing_outside_the_root(self, server: Server, root: Path, folder: str) -> None:
        found = server.execute(folderPath=folder)
        assert found.status == 400
        assert "secret" not in found.body.decode()

    def test_nor_through_links(self, server: Server, root: Path) -> None:
        (root / "door").symlink_to(root.parent / "outside")
        (root / "flows" / "link.json").symlink_to(root.parent / "outside" / "secret.json")
        (root / "flows" / "deeper" / "door").symlink_to(root.parent / "outside")
        assert server.execute(folderPath="door").status == 400
        document = server.execute(folderPath="flows", recursive=True).document
        assert [each["fileName"] for each in document["validationErrors"]] == [
            "broken.json",
            "link.json",
            "wrong.json",
        ]
        assert "secret.json" not in json.dumps(document["executions"])

    def test_a_pipe_is_not_waited_for(self, server: Server, root: Path) -> None:
        os.mkfifo(root / "flows" / "pipe.json")
        document = server.execute(folderPath="flows", pattern="pipe*").document
        assert document["validationErrors"] == [
            {"fileName": "pipe.json", "errors": ["it cannot be read: it is no regular file"]}
        ]

    def test_an_absolute_path_is_refused_inside_the_root_too(self, server: Server, root: Path) -> None:
        folder = str(root / "flows")
        advice = "name the folder by its way from the workflows root, './flows' for instance"
        expected = {"error": f"'{folder}' is an absolute path, which is never allowed: {advice}"}
        assert said(server.execute(folderPath=folder)) == (400, expected)
        assert said(server.get(f"/scan?folderPath={folder}")) == (400, expected)

    def test_scan(self, server: Server) -> None:
        found = server.get("/scan?folderPath=./flows")
        broken, *others = found.document[2], found.document[0], found.document[1], found.document[3]
        assert found.status == 200
        assert [(each["fileName"], each["filePath"], each["isValid"]) for each in found.document] == [
            ("a.JSON", "./flows/a.JSON", True),
            ("b.json", "./flows/b.json", True),
            ("broken.json", "./flows/broken.json", False),
            ("wrong.json", "./flows/wrong.json", False),
        ]
        assert set(broken) == {"fileName", "filePath", "isValid", "validationErrors"}
        assert others[0]["workflow"] == QUICK
        assert len(server.get("/scan?folderPath=flows&recursive=true").document) == 5

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("", 400),
            ("?folderPath=", 400),
            ("?folderPath=..", 400),
            ("?folderPath=nowhere", 404),
            ("?folderPath=flows&recursive=maybe", 400),
            ("?folderPath=flows&pattern=a/b", 400),
        ],
    )
    def test_scans_that_are_refused(self, server: Server, query: str, status: int) -> None:
        found = server.get(f"/scan{query}")
        assert found.status == status
        assert found.document["error"]
