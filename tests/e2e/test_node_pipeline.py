"""Pipelines as people run them: the installed command, curl, and a server that is killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from flowcore_adapters.artifacts.factory import StoreSettings, open_store
from tests.container_engine import IMAGE, TestEngine, left_behind
from tests.e2e.installed_command import Command
from tests.s3_server import s3_server

pytestmark = pytest.mark.e2e

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "nodes"
PLENTY_S: Final = 60.0
SLOW: Final[dict[str, Any]] = {
    "Flow": {
        "Name": "slow",
        "DefaultDataWell": {"Store": "default", "Source": "upload"},
        "Nodes": [
            {
                "ID": "slow",
                "Uses": "test/slow",
                "Inputs": [{"Name": "text", "Edge": "in"}],
                "Outputs": [{"Name": "out", "Edge": "end"}],
            }
        ],
    },
    "NodeDefs": [
        {
            "Publisher": "test",
            "Name": "slow",
            "Image": IMAGE,
            # Only the first attempt takes long.
            "Command": {
                "Exec": "sh -c 'echo here; if env | grep -q FLOW_ATTEMPT=1; then sleep 300; fi; cat ${text} > ${out}'"
            },
            "Tier": "c-nano",
            "MaxAttempts": 3,
        }
    ],
}


class Server:
    """The installed command that serves.

    Attributes:
        url: Where.
    """

    def __init__(self, command: Command, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self.command = command
        self.process = process
        line = process.stderr.readline()
        assert line.startswith("serving at "), line
        self.url = line.split()[2]

    def ask(self, path: str, document: object = None) -> Any:  # noqa: ANN401 - a document
        data = None if document is None else json.dumps(document).encode()
        with urlopen(Request(self.url + path, data, {"Content-Type": "application/json"}), timeout=PLENTY_S) as answer:
            return json.load(answer)

    def status(self, run: str) -> Any:  # noqa: ANN401 - a document
        return self.ask(f"/api/v1/flow/status/{run}")

    def until(self, run: str, happened: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - a document
        """Look at a run until something has happened."""
        deadline = time.monotonic() + PLENTY_S
        while not happened(found := self.status(run)):
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found


@contextmanager
def serving(command: Command, *options: str, env: dict[str, str] | None = None) -> Generator[Server]:
    process = command.start("serve", "--port", "0", "--db", "flows.db", *options, env=env)
    try:
        yield Server(command, process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PLENTY_S)


def curl(*arguments: str) -> str:
    ended = subprocess.run(
        ["curl", "-sS", "-m", "30", "-o", os.devnull, "-w", "%{http_code}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout


def ended(run: Any) -> bool:  # noqa: ANN401 - a document
    return run["Status"] in {"COMPLETE", "ERROR"}


@pytest.fixture
def runtime(node_engine: TestEngine | None) -> tuple[str, dict[str, str]]:
    return ("process", {}) if node_engine is None else ("container", dict(node_engine.environment))


def files_of(command: Command) -> list[str]:
    """Return the names of the files in the store, those on their way included."""
    store = command.home / "artifacts" / "default"
    return sorted(path.name for path in store.rglob("*") if path.is_file())


def test_upload_two_nodes_at_once_join_download(tmp_path: Path, runtime: tuple[str, dict[str, str]]) -> None:
    """The pipeline of examples/nodes, over HTTP: in containers and in processes."""
    import yaml

    command = Command(tmp_path)
    flow = yaml.safe_load((EXAMPLE / "flow.yaml").read_text(encoding="utf-8"))
    definitions = yaml.safe_load((EXAMPLE / "defs" / "nodes.yaml").read_text(encoding="utf-8"))
    letter = tmp_path / "a letter.txt"
    letter.write_text("dear world\n", encoding="utf-8")
    kind, environment = runtime
    with serving(command, "--node-runtime", kind, env=environment) as server:
        run = server.ask("/api/v1/flow/test", {"Flow": flow, "NodeDefs": definitions})
        assert run["Status"] == "WAITING"
        (waiting,) = run["WaitingURLs"]
        assert waiting["Artifact"]["EdgeName"] == "letter"
        assert curl("-T", str(letter), waiting["PutURL"]) == "200"
        done = server.until(run["ID"], ended)
        assert done["Status"] == "COMPLETE", done
        assert {name: node["Status"] for name, node in done["NodeState"].items()} == {
            "shout": "COMPLETE",
            "count": "COMPLETE",
            "join": "COMPLETE",
        }
        assert [line["message"] for line in done["NodeState"]["shout"]["Logs"]] == ["shouting"]
        assert {edge: place["ObjectName"] for edge, place in done["Artifacts"].items()} == {
            edge: f"{run['ID']}/{edge}.txt" for edge in ("letter", "loud-letter", "numbers", "report")
        }
        assert done["WaitingURLs"] == []
        # The run has its letter: another one is refused.
        assert curl("-T", str(letter), waiting["PutURL"]) == "409"
    listed = json.loads(command("artifacts", "latest", "--json", "--db", "flows.db").out)
    assert listed["report"]["content_type"] == "text/plain"
    assert command("download", "latest", "report", "-o", "report.txt", "--db", "flows.db").code == 0
    assert (tmp_path / "report.txt").read_text(encoding="utf-8").split() == ["DEAR", "WORLD", "2"]
    assert files_of(command) == ["letter.txt", "loud-letter.txt", "numbers.txt", "report.txt"]


def test_the_example_from_the_command_line(tmp_path: Path) -> None:
    """examples/nodes with `run`, without a server: the letter is given with `upload`."""
    command = Command(tmp_path)
    (tmp_path / "letter.txt").write_text("dear world\n", encoding="utf-8")
    options = ("--db", "flows.db", "--node-runtime", "process")
    with command.start("run", str(EXAMPLE / "flow.yaml"), "--defs", str(EXAMPLE / "defs"), *options) as running:
        deadline = time.monotonic() + PLENTY_S
        while command("upload", "latest", "letter", "letter.txt", "--db", "flows.db").code != 0:
            assert time.monotonic() < deadline
            assert running.poll() is None
        _, told = running.communicate(timeout=PLENTY_S)
    assert running.returncode == 0, told
    assert command("download", "latest", "report", "-o", "-", "--db", "flows.db").out.split() == ["DEAR", "WORLD", "2"]
    again = command("upload", "latest", "letter", "letter.txt", "--db", "flows.db")
    assert (again.code, "has ended" in again.err) == (2, True)
    table = command("artifacts", "latest", "--db", "flows.db").out
    assert table.splitlines()[0].split() == ["EDGE", "STORE", "NAME", "SIZE", "TYPE"]
    missing = command("download", "latest", "nothing", "--db", "flows.db")
    assert (missing.code, "it has: letter" in missing.err) == (2, True)


def test_an_upload_by_the_command_keeps_out_what_comes_over_http(tmp_path: Path) -> None:
    """docs/artifacts.md: "Only the first object for an edge counts"."""
    command = Command(tmp_path)
    (tmp_path / "hello.txt").write_text("hello\n", encoding="utf-8")
    quick = {**SLOW["NodeDefs"][0], "Command": {"Exec": "cp ${text} ${out}"}}
    with serving(command, "--node-runtime", "process") as server:
        run = server.ask("/api/v1/flow/test", {**SLOW, "NodeDefs": [quick]})
        url = run["WaitingURLs"][0]["PutURL"]
        uploading = subprocess.Popen(
            [command.program, "upload", "latest", "in", "-", "--db", "flows.db"],
            cwd=tmp_path,
            env=command.environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert uploading.stdin is not None
        uploading.stdin.write(b"X" * 300_000)
        uploading.stdin.flush()
        server.until(run["ID"], lambda _: any(name.startswith("held-") for name in files_of(command)))
        assert curl("-T", str(tmp_path / "hello.txt"), url) == "409"
        _, told = uploading.communicate(timeout=PLENTY_S)
        assert uploading.returncode == 0, told
        assert server.until(run["ID"], ended)["Status"] == "COMPLETE"
    got = command("download", "latest", "end", "-o", "-", "--db", "flows.db").out
    assert got == "X" * 300_000


def test_a_server_that_is_killed_while_a_container_runs(tmp_path: Path, engine: TestEngine) -> None:
    """The container is removed by its label, the attempt is made again, and the run completes."""
    command = Command(tmp_path)
    (tmp_path / "text.txt").write_text("once more\n", encoding="utf-8")
    environment = dict(engine.environment)
    process = command.start("serve", "--port", "0", "--db", "flows.db", env=environment)
    server = Server(command, process)
    run = server.ask("/api/v1/flow/test", SLOW)
    assert curl("-T", str(tmp_path / "text.txt"), run["WaitingURLs"][0]["PutURL"]) == "200"
    # It runs, and has said so.
    server.until(run["ID"], lambda found: bool(found["NodeState"]["slow"]["Logs"]))
    assert len(left_behind()) > 0
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PLENTY_S)
    with serving(command, env=environment) as server:
        done = server.until(run["ID"], ended)
        assert done["Status"] == "COMPLETE", done
    told = command("events", "latest", "--db", "flows.db").out
    assert "slow  lost: the runner was lost while the attempt was under way; tried again" in told
    assert "slow  succeeded (attempt 2)" in told
    assert left_behind() == []
    assert files_of(command) == ["end.txt", "in.txt"]
    assert list((tmp_path / "artifacts" / "default" / ".incoming").iterdir()) == []


def test_a_server_that_is_killed_while_a_program_runs(tmp_path: Path) -> None:
    """Without containers too nothing goes on beside the attempt that is made again, and nothing is left behind."""
    command = Command(tmp_path)
    (tmp_path / "temporary").mkdir()
    # Only the first attempt takes long, and leaves its id.
    script = tmp_path / "script"
    script.write_text(f"[ $FLOW_ATTEMPT = 2 ] || {{ echo $$ > {tmp_path}/first; exec sleep 300; }}; cat", "utf-8")
    slow = {**SLOW["NodeDefs"][0], "Command": {"Exec": f"sh -c '. {script} < ${{text}} > ${{out}}'"}}
    (tmp_path / "text.txt").write_text("once more\n", encoding="utf-8")
    options = ("serve", "--port", "0", "--db", "flows.db", "--node-runtime", "process")
    environment = {"TMPDIR": str(tmp_path / "temporary")}
    process = command.start(*options, env=environment)
    server = Server(command, process)
    run = server.ask("/api/v1/flow/test", {**SLOW, "NodeDefs": [slow]})
    assert curl("-T", str(tmp_path / "text.txt"), run["WaitingURLs"][0]["PutURL"]) == "200"
    deadline = time.monotonic() + PLENTY_S
    while not (first := (tmp_path / "first").read_text("utf-8") if (tmp_path / "first").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=PLENTY_S)
    status = Path(f"/proc/{first.strip()}/stat")
    assert status.exists()
    with serving(command, "--node-runtime", "process", env=environment) as server:
        assert not status.exists() or ") Z " in status.read_text("utf-8")
        done = server.until(run["ID"], ended)
        assert done["Status"] == "COMPLETE", done
    assert files_of(command) == ["end.txt", "in.txt"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_bucket_of_others_is_looked_into(tmp_path: Path) -> None:
    """The URL is the bucket's own; what is put there is found without anybody telling, and outputs go there too."""
    command = Command(tmp_path)
    (tmp_path / "text.txt").write_text("from afar\n", encoding="utf-8")
    with s3_server() as bucket, serving(command, "--node-runtime", "process") as server:
        params = {"BucketName": bucket.bucket, "AccessKey": "access", "SecretKey": "secret-key", "Secure": False}
        store: dict[str, Any] = {"Name": "bucket", "Type": "s3", "Params": {**params, "Endpoint": bucket.endpoint}}
        flow = {**SLOW["Flow"], "Stores": [store], "DefaultDataWell": {"Store": "bucket", "Source": "upload"}}
        quick = {**SLOW["NodeDefs"][0], "Command": {"Exec": "cp ${text} ${out}"}}
        run = server.ask("/api/v1/flow/test", {"Flow": flow, "NodeDefs": [quick]})
        url = run["WaitingURLs"][0]["PutURL"]
        assert url.startswith(f"http://{bucket.endpoint}/{bucket.bucket}/{run['ID']}/in?")
        assert curl("-T", str(tmp_path / "text.txt"), url) == "200"
        done = server.until(run["ID"], ended)
        assert done["Status"] == "COMPLETE", done
        opened = open_store("bucket", "s3", store["Params"], StoreSettings(directory=tmp_path))
        assert b"".join(opened.open(f"{run['ID']}/end.txt")) == b"from afar\n"
    assert "secret-key" not in (command("events", "latest", "--json", "--db", "flows.db").out)
