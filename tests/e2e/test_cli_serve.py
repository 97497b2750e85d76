"""`serve`, and `run --status-port`: the API beside a run, from the outside."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

FLOW = "name: etl\nflow: [{name: a, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}]"
FAILING = "flow: [{name: a, source: {type: process, configuration: {command: ['false']}}}]"
SLEEP = "flow: [{name: sleep, source: {type: process, configuration: {command: [sleep, 60]}}}]"
TOKEN = "t" * 40
OPEN = (
    "flowcore-cli: 0.0.0.0 can be reached from other machines: that needs a token of at least 32 characters"
    " (--token-file), or --insecure-no-auth"
)
Start = Callable[..., "Served"]


class Served:
    """A command that serves, and the address that it printed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stderr is not None
        while True:
            # Byte by byte: what a buffer had taken would be missing from `communicate`.
            line = b""
            while not line.endswith(b"\n"):
                byte = os.read(process.stderr.fileno(), 1)
                if not byte:
                    raise AssertionError(f"no address was printed: {self.said} {line!r}")
                line += byte
            self.said.append(line.decode())
            found = re.search(r"http://[^/ ]+:\d+", self.said[-1])
            if found is not None:
                self.url = found.group()
                return

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def wait_until(self, reached: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - a document
        """Return the status once it is *reached*."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            _, document = self.get("/status")
            if reached(document):
                return document
            time.sleep(0.02)
        raise AssertionError("it did not come to that")

    def end(self, number: signal.Signals) -> tuple[int, str, str, float]:
        started = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, "".join(self.said) + err, time.monotonic() - started


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def start(command: Command) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, env: Mapping[str, str] | None = None) -> Served:
        process = command.start(*arguments, env=env)
        processes.append(process)
        return Served(process)

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(document: Any) -> bool:  # noqa: ANN401 - a document
    return document.get("ended_at") is not None


def test_serve_runs_the_flow_once_and_serves_on(command: Command, start: Start) -> None:
    served = start("serve", "--port", "0", command.write("flow.yaml", FLOW))
    document = served.wait_until(ended)
    assert set(document) == {
        "run_id",
        "started_at",
        "ended_at",
        "total_steps",
        "completed_steps",
        "current_step",
        "running_steps",
        "running_count",
        "steps",
    }
    assert served.get("/outputs") == (200, {"a": {"v": 1}})
    assert served.get("/healthz") == (200, {"status": "ok"})
    code, out, err, took_s = served.end(signal.SIGTERM)
    assert (code, out) == (143, "")
    assert took_s < 2
    assert re.fullmatch(
        r"serving at (http://127\.0\.0\.1:\d+) until Ctrl-C, the page at \1/ui\n"
        r"run \d+ of etl started\n"
        r"✓ run \d+ of etl succeeded in .* s: 1 succeeded\n"
        r"  recorded: flowcore-cli show \d+\n",
        err,
    )
    assert [run["state"] for run in json.loads(command("runs", "--json").out)] == ["succeeded"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_signal_stops_the_run_that_is_served(
    command: Command, start: Start, number: signal.Signals, code: int
) -> None:
    served = start("serve", "--port", "0", command.write("flow.yaml", SLEEP))
    served.wait_until(lambda document: document.get("running_count") == 1)
    returned, _, err, took_s = served.end(number)
    assert returned == code
    assert took_s < 2
    assert f"stopped ({number.name})" in err
    assert json.loads(command("show", "--json", "latest").out)["state"] == "stopped"


def post(url: str, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - a document
    request = urllib.request.Request(
        f"{url}/api/workflows/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_a_paused_run_outlives_the_server(start: Start) -> None:
    """A pause is in the log: it ends when somebody says so, and not when a server is restarted."""
    first = start("serve", "--port", "0")
    body: dict[str, Any] = {
        "workflow": {"nodes": [{"id": "start", "type": "start", "data": {}}], "edges": []},
        "breakpointConfig": {"enabled": True, "breakpointAt": "pre", "breakpointFor": "all"},
    }
    name = post(first.url, "execute", body)["executionId"]
    path = f"/api/workflows/execution/{name}"
    first.wait_until(lambda _status: first.get(path)[1]["pausedNodeId"] == "start")
    assert first.end(signal.SIGTERM)[0] == 143
    second = start("serve", "--port", "0")
    assert second.get(path)[1] == {
        "executionId": name,
        "status": "running",
        "pausedNodeId": "start",
        "pauseReason": "breakpoint",
    }
    assert post(second.url, "execution/continue", {"executionId": name})["message"] == "Execution continued"
    second.wait_until(ended)
    assert second.get(path)[1]["status"] == "completed"


def test_a_run_that_is_paused_in_a_loop_outlives_the_server(command: Command, start: Start) -> None:
    """The loop around it is under way, and yet nothing goes on: the pause stays, and the run is as it was."""
    numbers = {"operation": "set", "config": {"xs": [1, 2]}}
    nodes: list[dict[str, Any]] = [
        {"id": "start", "type": "start", "data": {}},
        {"id": "list", "type": "setConfig.setConfig", "data": numbers},
        {"id": "each", "type": "loop", "data": {"mode": "forEach", "arrayVariable": "xs"}},
        {"id": "inner", "type": "wait", "data": {"waitType": "timeout", "value": 500}},
    ]
    ways = [("start", "list"), ("list", "each"), ("each", "inner")]
    edges = [
        {"id": str(number), "source": here, "target": there, "sourceHandle": "output", "targetHandle": "driver"}
        for number, (here, there) in enumerate(ways)
    ]

    def events(server: Served) -> Any:  # noqa: ANN401 - a document
        return server.get(f"/api/runs/{number}/events")[1]

    first = start("serve", "--port", "0")
    name = post(first.url, "execute", {"workflow": {"nodes": nodes, "edges": edges}})["executionId"]
    number = name.removeprefix("exec-")
    path = f"/api/workflows/execution/{name}"
    first.wait_until(lambda _status: first.get(path)[1].get("currentNodeId") == "inner")
    post(first.url, "execution/pause", {"executionId": name})
    # What is under way is let finish.
    first.wait_until(lambda _status: "AttemptSucceeded" in json.dumps(events(first)).partition("RunPaused")[2])
    before = first.get(path)[1]
    assert first.end(signal.SIGTERM)[0] == 143
    second = start("serve", "--port", "0")
    assert second.get(path)[1] == before
    second.wait_until(lambda _status: "RunResumed" in json.dumps(events(second)))
    # A server that has taken the run over leaves it as it is too, and says so.
    err = second.end(signal.SIGTERM)[2]
    assert f"run {number} is paused, and stays as it is\n" in err
    assert "stopping" not in err
    third = start("serve", "--port", "0")
    post(third.url, "execution/continue", {"executionId": name})
    third.wait_until(ended)
    assert third.get(path)[1]["status"] == "completed"
    assert json.loads(command("show", "--json", number).out)["state"] == "succeeded"


def test_a_run_that_waits_for_an_upload_outlives_the_server(command: Command, start: Start) -> None:
    """Restarted politely, as for an update: the URL of before is still good, and the run goes on."""
    address = ("serve", "--node-runtime", "process", "--port")
    first = start(*address, "0")
    definition = {"Publisher": "lab", "Name": "show", "Inputs": [{"Name": "text"}], "Command": {"Exec": "cat ${text}"}}
    uses = {"ID": "show", "Uses": "lab/show", "Inputs": [{"Name": "text", "Edge": "text"}]}
    body = json.dumps({"Flow": {"Name": "reading", "Nodes": [uses]}, "NodeDefs": [definition]}).encode()
    request = urllib.request.Request(
        first.url + "/api/v1/flow/test", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        begun = json.load(answer)
    assert begun["Status"] == "WAITING"
    assert first.end(signal.SIGTERM)[0] == 143
    second = start(*address, first.url.rpartition(":")[2])
    path = f"/api/v1/flow/status/{begun['ID']}"
    again = second.get(path)[1]
    assert {**again, "WaitingURLs": []} == {**begun, "WaitingURLs": []}
    assert [each["Artifact"] for each in again["WaitingURLs"]] == [each["Artifact"] for each in begun["WaitingURLs"]]
    number = begun["ID"].removeprefix("run_")
    deadline = time.monotonic() + 20
    while "RunResumed" not in json.dumps(second.get(f"/api/runs/{number}/events")[1]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # A second end, now of a server that has only taken the run over.
    err = second.end(signal.SIGTERM)[2]
    assert f"run {number} resumed\n" in err
    assert f"run {number} waits for an upload, and stays as it is\n" in err
    third = start(*address, first.url.rpartition(":")[2])
    put = urllib.request.Request(begun["WaitingURLs"][0]["PutURL"], b"hello\n", method="PUT")
    with urllib.request.urlopen(put, timeout=10) as answer:
        assert answer.status == 200
    third.wait_until(ended)
    found = third.get(path)[1]
    assert (found["Status"], [line["message"] for line in found["NodeState"]["show"]["Logs"]]) == (
        "COMPLETE",
        ["hello"],
    )


def test_serve_without_files_shows_the_most_recent_run(command: Command, start: Start) -> None:
    served = start("serve", "--port", "0", "--db", "x.db")
    assert served.get("/status") == (200, {"status": "no-runner"})
    command("run", "-q", "--db", "x.db", command.write("flow.yaml", FLOW))
    assert served.get("/status")[1]["completed_steps"] == 1
    assert served.end(signal.SIGINT)[0] == 130


def test_serve_with_files_shows_its_own_run_whatever_others_run(command: Command, start: Start) -> None:
    served = start("serve", "--port", "0", command.write("flow.yaml", FLOW))
    own = served.wait_until(ended)["run_id"]
    command("run", "-q", "flow.yaml")
    assert served.get("/status")[1]["run_id"] == own
    newest = json.loads(command("runs", "--json", "--limit", "1").out)[0]["run_id"]
    assert newest != own
    assert served.get(f"/status?run_id={newest}")[1]["run_id"] == newest


def test_serve_without_a_log(command: Command, start: Start) -> None:
    served = start("serve", "--port", "0", "--no-db", command.write("flow.yaml", FLOW))
    assert served.wait_until(ended)["completed_steps"] == 1
    assert "not recorded (--no-db)" in served.end(signal.SIGTERM)[2]
    assert not (command.home / "state").exists()


def test_serve_runs_a_flow_of_nodes(command: Command, start: Start, tmp_path: Path) -> None:
    """With its definitions in files of their own and an object that must be there; nothing is left without a log."""
    copying = {
        "Publisher": "lab",
        "Name": "copy",
        "Image": "lab/copy",
        "Inputs": [{"Name": "src", "Required": True}],
        "Outputs": [{"Name": "dst", "Required": True}],
        "Command": {"Exec": "cp ${src} ${dst}"},
    }
    copy = {
        "ID": "copy",
        "Uses": "lab/copy",
        "Inputs": [{"Name": "src", "Edge": "raw"}],
        "Outputs": [{"Name": "dst", "Edge": "done"}],
    }
    static = {"Edge": "raw", "Store": "default", "Source": "static", "Key": "logo.txt"}
    flow = {"DefaultDataWell": {"Store": "default"}, "DataWells": [static], "Nodes": [copy]}
    command.write("flow.json", json.dumps(flow))
    command.write("defs.json", json.dumps(copying))
    given = ("serve", "flow.json", "--defs", "defs.json", "--port", "0", "--no-db", "--node-runtime", "process")
    absent = command(*given)
    assert (absent.code, "logo.txt" in absent.err, "http" in absent.err) == (2, True, False), absent.err
    store = tmp_path / "stores" / "default"
    store.mkdir(parents=True, mode=0o700)
    (store / "logo.txt").write_text("a logo\n", "utf-8")
    served = start(*given, "--store-dir", "stores")
    assert served.wait_until(ended)["completed_steps"] == 1
    (kept,) = store.glob("run_*/done*")
    assert kept.read_text("utf-8") == "a logo\n"
    assert not (tmp_path / "state").exists()


def test_definitions_without_a_flow_are_refused(command: Command) -> None:
    answer = command("serve", "--defs", "defs", "--port", "0")
    assert (answer.code, answer.err.splitlines()[-1]) == (
        2,
        "Error: `--defs` goes with FILE: requests bring definitions of their own",
    )


def test_a_refused_flow_never_starts_a_server(command: Command) -> None:
    for arguments in (["serve", "--port", "0"], ["run", "--status-port", "0"]):
        answer = command(*arguments, command.write("flow.yaml", "flow: [{name: a, source: valu}]"))
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.endswith("1 problem: nothing was run\n")
        assert "http" not in answer.err


def test_a_port_in_use_is_named_before_anything_runs(command: Command) -> None:
    flow = command.write("flow.yaml", FLOW)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (
            ["serve", "--port", port, flow],
            ["serve", "--port", port],
            ["run", "--status-port", port, flow],
        ):
            answer = command(*arguments)
            assert (answer.code, answer.out) == (2, "")
            assert answer.err == (
                f"flowcore-cli: port {port} on 127.0.0.1 is in use; choose another one, or 0 for any that is free\n"
            )
    assert command("runs").out == "no runs yet\n"


def test_a_token_from_the_environment_a_file_or_the_option(command: Command, start: Start) -> None:
    command.write("token", f"{TOKEN}\n")
    for arguments, env in (
        ([], {"FLOWCORE_TOKEN": TOKEN}),
        (["--token-file", "token"], {"FLOWCORE_TOKEN": "another one"}),
        (["--token", TOKEN], {}),
    ):
        served = start("serve", "--port", "0", "--no-db", *arguments, env=env)
        assert served.get("/status")[0] == 401
        assert served.get("/status", {"Authorization": "Bearer another one"})[0] == 401
        assert served.get("/status", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
        assert served.get("/healthz")[0] == 200
        assert TOKEN not in served.end(signal.SIGTERM)[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token-file", "gone"], "flowcore-cli: the token file cannot be read: gone: No such file or directory"),
        (["--token-file", "empty"], "flowcore-cli: the token file is empty: empty"),
        (["--token", TOKEN, "--token-file", "empty"], "Error: `--token` and `--token-file` exclude each other"),
        (["--host", "no.such.host.invalid"], "flowcore-cli: the host 'no.such.host.invalid' is not known"),
        (
            ["--host", "0.0.0.0"],
            OPEN,
        ),
        (
            ["--host", "0.0.0.0", "--token", "short"],
            OPEN,
        ),
    ],
)
def test_what_must_not_be_served_is_refused(command: Command, arguments: list[str], message: str) -> None:
    command.write("empty", " \n")
    answer = command("serve", "--port", "0", *arguments)
    assert (answer.code, answer.out, answer.err.splitlines()[-1]) == (2, "", message)


def test_insecure_no_auth_is_said_at_every_start(start: Start) -> None:
    served = start("serve", "--host", "0.0.0.0", "--port", "0", "--no-db", "--insecure-no-auth")
    assert served.said[0].startswith("flowcore-cli: warning: --insecure-no-auth: whoever can reach http://0.0.0.0:")
    assert served.end(signal.SIGTERM)[0] == 143


def test_hosts_and_origins_are_let_in_by_name(start: Start) -> None:
    served = start(
        "serve",
        "--port",
        "0",
        "--no-db",
        "--allow-host",
        "flows.example.com",
        "--allow-origin",
        "https://ui.example.com",
    )
    assert served.get("/status", {"Host": "flows.example.com"})[0] == 200
    assert served.get("/status", {"Host": "evil.example.com"})[0] == 421
    assert served.get("/status", {"Origin": "https://ui.example.com"})[0] == 200
    assert served.get("/status", {"Origin": "https://evil.example.com"})[0] == 403
    served.end(signal.SIGTERM)


@pytest.mark.parametrize(("flow", "code"), [(FLOW, 0), (FAILING, 1)], ids=["succeeded", "failed"])
def test_run_with_a_status_port_stays_until_the_signal_and_keeps_its_exit_code(
    command: Command, start: Start, flow: str, code: int
) -> None:
    served = start("run", "-j", "--status-port", "0", command.write("flow.yaml", flow))
    assert served.said[-1] == f"status at {served.url}/status\n"
    served.wait_until(ended)
    time.sleep(0.2)
    assert served.process.poll() is None
    assert served.get("/outputs")[0] == 200
    returned, out, err, took_s = served.end(signal.SIGINT)
    assert returned == code
    assert took_s < 2
    assert json.loads(out) == ({"a": {"v": 1}} if code == 0 else {})
    assert f"serving on at {served.url} until Ctrl-C\n" in err


def test_a_signal_during_the_run_ends_a_status_server_too(command: Command, start: Start) -> None:
    served = start("run", "--status-port", "0", command.write("flow.yaml", SLEEP))
    served.wait_until(lambda document: document.get("running_count") == 1)
    returned, _, err, took_s = served.end(signal.SIGTERM)
    assert returned == 143
    assert took_s < 2
    assert "serving on" not in err


def test_exit_when_done_ends_with_the_run(command: Command) -> None:
    flow = command.write("flow.yaml", FAILING)
    answer = command("run", "--status-port", "0", "--exit-when-done", flow)
    assert answer.code == 1
    assert "status at http://127.0.0.1:" in answer.err


@pytest.mark.parametrize("origin", ["*", "ui.example.com", "https://ui.example.com/app", "null", "ftp://x"])
def test_an_origin_that_is_none_is_refused(tmp_path: Path, origin: str) -> None:
    ended = Command(tmp_path)("serve", "--allow-origin", origin)
    assert ended.code == 2
    assert f"'{origin}' is no origin: a scheme and a host, such as https://ui.example.com" in ended.err
