"""`batch`, `batches`, and what the other commands make of batches, from the outside; and what a crash leaves."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowcore.batch.events import BatchSource
from flowcore.batch.machine import BatchStatus, ItemStatus
from flowcore.batch_service import NewBatch, NewItem, create_batch, load_batch
from flowcore.codec import BATCH_CODEC
from flowcore.ids import BatchId, item_run
from flowcore.run.events import AttemptSucceeded, RunCreated, RunSucceeded
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.config import load_flow
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

GOOD = "flow: [{name: a, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}]"
FAILING = "flow: [{name: a, source: {type: process, configuration: {command: ['false']}}}]"
SLEEP = "flow: [{name: sleep, source: {type: process, configuration: {command: [sleep, '60']}}}]"
NAP = "flow: [{name: nap, source: {type: wait, configuration: {seconds: 0.1}}}, {name: b, source: {type: value}}]"
PLENTY_S = 30.0


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def folder(command: Command) -> str:
    """A folder with two flows, one of which fails, and a file that is neither."""
    (command.home / "flows" / "deeper").mkdir(parents=True)
    command.write("flows/b.yaml", GOOD)
    command.write("flows/a.yml", FAILING)
    command.write("flows/deeper/c.yaml", GOOD)
    command.write("flows/notes.txt", "nothing to run")
    return "flows"


def newest(command: Command, *options: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(command("batches", "--json", *options).out)
    return found[0]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PLENTY_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestRunning:
    def test_a_folder(self, command: Command, folder: str) -> None:
        ended = command("batch", folder)
        assert (ended.code, ended.out) == (1, "")
        lines = ended.err.splitlines()
        assert re.fullmatch(r"batch-\d+ with 2 items started", lines[0])
        assert sorted(lines[1:3]) == [
            "✓ flows/b.yaml succeeded",
            "✗ flows/a.yml failed: a: process exited with code 1",
        ]
        assert re.fullmatch(r"✓ batch-\d+ succeeded in .* s: 1 succeeded, 1 failed", lines[3])
        assert re.fullmatch(r"  recorded: flowcore-cli show batch-\d+", lines[4])

    def test_everything_below_it(self, command: Command, folder: str) -> None:
        ended = command("batch", folder, "--recursive", "--json", "--quiet", "--no-db")
        document = json.loads(ended.out)
        start = document["startTime"]
        assert (ended.code, ended.err) == (1, "")
        assert document == {
            "batchId": f"batch-{start}",
            "status": "completed",
            "sourceType": "folder",
            "folderPath": "flows",
            "totalWorkflows": 3,
            "completed": 2,
            "running": 0,
            "queued": 0,
            "failed": 1,
            "startTime": start,
            "endTime": document["endTime"],
            "executions": [
                {
                    "executionId": f"exec-{start}-{number}",
                    "workflowFileName": path.rpartition("/")[2],
                    "workflowPath": path,
                    "status": status,
                    **({"error": "a: process exited with code 1"} if status == "error" else {}),
                }
                for number, path, status in [
                    (1, "flows/a.yml", "error"),
                    (2, "flows/b.yaml", "completed"),
                    (3, "flows/deeper/c.yaml", "completed"),
                ]
            ],
        }

    def test_files_that_all_succeed(self, command: Command, folder: str) -> None:
        ended = command("batch", "flows/b.yaml", "flows/deeper/c.yaml", "--workers", "1", "--priority", "-3")
        assert ended.code == 0
        listed = newest(command)
        assert (listed["state"], listed["items"], listed["workers"], listed["priority"]) == ("succeeded", 2, 1, -3)

    def test_nothing_is_recorded_when_something_cannot_run(self, command: Command, folder: str) -> None:
        command.write("flows/z.yaml", "flow: [{name: a, source: nowhere}]")
        ended = command("batch", folder)
        assert ended.code == 2
        assert ended.err.count("flows/z.yaml") == 1
        assert "flows/z.yaml:1:18 flow[0].source: no source and no source type is called 'nowhere'" in ended.err
        assert "--skip-invalid" in ended.err
        assert command("batches").out == "no batches yet\n"
        skipping = command("batch", folder, "--skip-invalid")
        assert skipping.code == 1
        assert "flows/z.yaml" in skipping.err
        assert newest(command)["items"] == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("nowhere.yaml",), "nowhere.yaml: it cannot be read: No such file or directory"),
            (("flows/notes.txt",), "it is not JSON"),
            (("deep.json",), "deep.json: it is not JSON that can be read: lists and mappings are nested too deeply"),
            (("twice.json",), "twice.json: it is not JSON: the key 'nodes' is there more than once"),
            (("empty",), "there is no flow and no workflow"),
            ((), "Missing argument"),
            (("flows", "--workers", "-1"), "--workers"),
            (("flows", "--workers", "abc"), "--workers"),
        ],
    )
    def test_bad_input(self, command: Command, folder: str, arguments: tuple[str, ...], message: str) -> None:
        (command.home / "empty").mkdir()
        command.write("deep.json", "[" * 100_000)
        command.write("twice.json", '{"nodes": [], "edges": [], "nodes": []}')
        ended = command("batch", *arguments)
        assert ended.code == 2
        assert message in ended.err
        assert "Traceback" not in ended.err


class TestLookingAtThem:
    def test_list_show_check_and_purge(self, command: Command, folder: str) -> None:
        command("batch", folder, "-q")
        name = newest(command)["batch_id"]
        number = name.removeprefix("batch-")
        listed = command("batches", "--state", "succeeded").out
        assert re.search(rf"{name}\s+succeeded\s+2\s", listed)
        assert command("batches", "--state", "stopped").out == "no batches yet\n"
        shown = command("show", name).out
        assert re.search(rf"exec-{number}-1\s+failed\s+flows/a\.yml\s+a: process exited with code 1", shown)
        assert json.loads(command("show", name, "--json").out)["failed"] == 1
        assert command("show", f"exec-{number}-2", "--json").code == 0
        assert command("show", f"exec-{number}-3").code == 2
        assert "nothing is wrong" in command("fsck", name).err
        whole = json.loads(command("fsck", "--json").out)
        assert (whole["runs"], whole["batches"], whole["problems"]) == (2, 1, [])
        assert command("show", "batch-1").code == 2
        assert "deleted 2 runs and 1 batch" in command("purge", "--keep", "0", "--yes").err
        assert command("batches").out == "no batches yet\n"
        assert command("runs").out == "no runs yet\n"

    def test_a_batch_goes_from_one_log_to_another(self, command: Command, folder: str) -> None:
        command("batch", folder, "-q", "--db", "x.db")
        name = newest(command, "--db", "x.db")["batch_id"]
        before = json.loads(command("show", name, "--json", "--db", "x.db").out)
        assert command("export", name, "--db", "x.db").err == f"{name} written to {name}.flowcore\n"
        for _ in range(2):
            assert command("import", f"{name}.flowcore", "--db", "y.db").code == 0
        assert json.loads(command("show", name, "--json", "--db", "y.db").out) == before
        again = command("import", f"{name}.flowcore", "--as-new", "--db", "y.db")
        assert again.code == 0
        new = newest(command, "--db", "y.db")["batch_id"]
        assert new != name
        assert f"{new} imported" in again.err
        assert len(json.loads(command("batches", "--json", "--db", "y.db").out)) == 2
        assert json.loads(command("fsck", "--json", "--db", "y.db").out)["problems"] == []
        item = f"exec-{new.removeprefix('batch-')}-2"
        assert json.loads(command("show", item, "--json", "--db", "y.db").out)["state"] == "succeeded"

    def test_an_item_alone_becomes_a_run_of_its_own(self, command: Command, folder: str) -> None:
        command("batch", folder, "-q", "--db", "x.db")
        number = newest(command, "--db", "x.db")["batch_id"].removeprefix("batch-")
        command("export", f"exec-{number}-2", "-o", "one.flowcore", "--db", "x.db")
        for _ in range(2):
            assert command("import", "one.flowcore", "--db", "z.db").code == 0
        (run,) = json.loads(command("runs", "--json", "--db", "z.db").out)
        assert (run["run_id"], run["state"]) == (int(number) + 2, "succeeded")
        assert command("import", "one.flowcore", "--db", "x.db").code == 0

    def test_a_damaged_batch_is_refused(self, command: Command, folder: str) -> None:
        command("batch", folder, "-q")
        command("export", newest(command)["batch_id"], "-o", "b.flowcore")
        lines = (command.home / "b.flowcore").read_text().splitlines(keepends=True)
        command.write("cut.flowcore", "".join(lines[:-1]))
        command.write("less.flowcore", "".join([*lines[:-2], lines[-1]]))
        for name in ("cut.flowcore", "less.flowcore"):
            ended = command("import", name, "--db", "new.db")
            assert ended.code == 2
            assert "Traceback" not in ended.err

    def test_a_batch_that_is_missing_a_run_is_noticed(self, command: Command, folder: str) -> None:
        command("batch", folder, "-q", "--db", "x.db")
        with closing(SqliteEventLog(command.home / "x.db")) as log:
            (batch_id,) = log.batches().batch_ids
            log.delete_runs(item_run(batch_id, 2), now=SystemClock().now(), ended=True)
        ended = command("fsck", "--db", "x.db")
        assert ended.code == 1
        assert "the runs of 1 items are missing, that of item 2 first" in ended.out


class TestEvents:
    """What happened in a batch, event by event (docs/cli.md, "events")."""

    def test_in_words(self, command: Command, folder: str) -> None:
        command("batch", folder, "--workers", "1", "-q")
        told = command("events", newest(command)["batch_id"])
        assert (told.code, told.err) == (0, "")
        assert [re.sub(r"^ *\d+  \S+ \S+  ", "", line) for line in told.out.splitlines()] == [
            "batch  created with 2 items from flows, at most 1 at once",
            "item 1 (flows/a.yml)  started",
            "item 1 (flows/a.yml)  failed: a: process exited with code 1",
            "item 2 (flows/b.yaml)  started",
            "item 2 (flows/b.yaml)  succeeded",
            "batch  succeeded",
        ]

    def test_as_they_are_stored(self, command: Command, folder: str) -> None:
        command("batch", f"{folder}/b.yaml", "-q", "--db", "x.db")
        name = newest(command, "--db", "x.db")["batch_id"]
        told = [json.loads(line) for line in command("events", name, "--json", "--db", "x.db").out.splitlines()]
        number = BatchId(int(name.removeprefix("batch-")))
        with closing(SqliteEventLog(command.home / "x.db")) as log:
            recorded = list(log.read_batch(number))
        stored = [BATCH_CODEC.encode(each.event) for each in recorded]
        assert told == [
            {
                "position": each.position,
                "batch_id": name,
                "version": version,
                "epoch": each.epoch,
                "at": each.event.at,
                "type": encoded.type,
                "schema": encoded.schema,
                "data": encoded.data,
            }
            for version, (each, encoded) in enumerate(zip(recorded, stored, strict=True), 1)
        ]
        assert [each["type"] for each in told] == ["BatchCreated", "ItemStarted", "ItemSucceeded", "BatchSucceeded"]
        rest = command("events", name, "--json", "--after", str(told[1]["position"]), "--db", "x.db").out
        assert [json.loads(line) for line in rest.splitlines()] == told[2:]

    @pytest.mark.parametrize("given", ["batch-1", "batch-", "batch-x"])
    def test_of_none(self, command: Command, folder: str, given: str) -> None:
        command("batch", folder, "-q")
        ended = command("events", given)
        assert (ended.code, ended.out) == (2, "")
        assert f"no batch '{given}' in " in ended.err
        assert "(`flowcore-cli batches` lists them)" in ended.err

    @pytest.mark.parametrize(
        ("flow", "last"), [(GOOD, "succeeded"), (FAILING, "failed"), (SLEEP, "stopped: stopped by `flowcore-cli stop`")]
    )
    def test_they_are_followed_to_the_last_one(self, command: Command, flow: str, last: str) -> None:
        command.write("flow.yaml", flow)
        with closing(SqliteEventLog(command.home / "x.db")) as log:
            item = NewItem(name="flow.yaml", flow=load_flow(command.home / "flow.yaml", load_registry().catalog))
            new = NewBatch(source=BatchSource.FILES, items=[item], workers=1)
            batch_id = create_batch(log, new, at=SystemClock().now())
        name = f"batch-{batch_id}"
        with command.start("events", name, "--follow", "--db", "x.db") as follower:
            assert follower.stdout is not None
            assert follower.stdout.readline().endswith("  batch  created with 1 item, at most 1 at once\n")
            with command.start("resume", name, "--db", "x.db") as driver:
                line = follower.stdout.readline()
                if flow == SLEEP:
                    command("stop", name, "--db", "x.db")
                driver.communicate(timeout=PLENTY_S)
            assert follower.stderr is not None
            out, err = follower.stdout.read(), follower.stderr.read()
        assert (follower.returncode, err) == (0, "")
        assert line.endswith("  item 1 (flow.yaml)  started\n")
        assert out.splitlines()[-1].endswith(f"  batch  {last}")


class TestStopping:
    def test_from_another_process(self, command: Command) -> None:
        command.write("sleep.yaml", SLEEP)
        with command.start("batch", *["sleep.yaml"] * 3, "--workers", "2") as process:
            until(lambda: newest(command)["counts"]["running"] == 2 if (command.home / "state").exists() else False)
            ended = command("stop", newest(command)["batch_id"])
            assert ended.code == 0
            assert re.fullmatch(r"batch-\d+ is over: 2 running and 1 queued stopped\n", ended.err)
            _, err = process.communicate(timeout=PLENTY_S)
        assert process.returncode == 1
        assert "stopped" in err
        assert {run["state"] for run in json.loads(command("runs", "--json").out)} == {"stopped"}

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
    def test_a_signal_stops_the_batch(self, command: Command, number: signal.Signals, code: int) -> None:
        command.write("sleep.yaml", SLEEP)
        with command.start("batch", *["sleep.yaml"] * 3, "--workers", "2") as process:
            until(lambda: newest(command)["counts"]["running"] == 2 if (command.home / "state").exists() else False)
            process.send_signal(number)
            process.communicate(timeout=PLENTY_S)
        assert process.returncode == code
        assert newest(command)["counts"]["stopped"] == 3
        assert "nothing is wrong" in command("fsck").err


class TestCrashes:
    """What was accepted is done, whenever the process dies; every item ends once, and the counts add up."""

    def sound(self, log: SqliteEventLog, batch_id: BatchId, count: int) -> None:
        state = load_batch(log, batch_id)
        assert state.status is BatchStatus.SUCCEEDED
        assert (state.counts[ItemStatus.SUCCEEDED], sum(state.counts.values())) == (count, count)
        for number in range(1, count + 1):
            events = [recorded.event for recorded in log.read(item_run(batch_id, number))]
            assert sum(isinstance(event, RunCreated) for event in events) == 1
            assert sum(isinstance(event, RunSucceeded) for event in events) == 1
            successes = [event.instance for event in events if isinstance(event, AttemptSucceeded)]
            assert sorted(successes) == ["b", "nap"]

    def test_a_killed_command_is_gone_on_with(self, command: Command) -> None:
        command.write("nap.yaml", NAP)
        with command.start("batch", *["nap.yaml"] * 20, "--workers", "2", "--db", "x.db") as process:
            until(lambda: command.home.joinpath("x.db-wal").exists())
            with closing(SqliteEventLog(command.home / "x.db")) as log:
                until(lambda: bool(log.batches().total))
                (batch_id,) = log.batches().batch_ids
                until(lambda: load_batch(log, batch_id).counts[ItemStatus.SUCCEEDED] >= 2)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        listed = newest(command, "--db", "x.db")
        assert listed["state"] == "running"
        assert command("resume", listed["batch_id"], "--db", "x.db").code == 0
        assert command("resume", listed["batch_id"], "--db", "x.db").code == 2
        with closing(SqliteEventLog(command.home / "x.db")) as log:
            self.sound(log, BatchId(int(listed["batch_id"].removeprefix("batch-"))), 20)
        assert "nothing is wrong" in command("fsck", "--db", "x.db").err

    def test_a_killed_server_goes_on_when_it_is_started_again(self, command: Command) -> None:
        flow = load_flow(command.home / command.write("nap.yaml", NAP), load_registry().catalog)
        items = [NewItem(name=f"{number}.yaml", flow=flow) for number in range(30)]
        with closing(SqliteEventLog(command.home / "x.db")) as log:
            new = NewBatch(source=BatchSource.FILES, items=items, workers=4)
            batch_id = create_batch(log, new, at=SystemClock().now())
            killed = 0
            while not load_batch(log, batch_id).ended:
                before = load_batch(log, batch_id).counts[ItemStatus.SUCCEEDED]
                with command.start("serve", "--port", "0", "--db", "x.db") as process:
                    until(
                        lambda: load_batch(log, batch_id).counts[ItemStatus.SUCCEEDED] >= min(before + 9, 30)  # noqa: B023
                    )
                    os.kill(process.pid, signal.SIGKILL)
                    _ended(process)
                killed += 1
                self.adds_up(log, batch_id)
            assert killed >= 3
            self.sound(log, batch_id, 30)
        assert "nothing is wrong" in command("fsck", "--db", "x.db").err

    def test_what_was_accepted_over_http_survives_kill_9(self, command: Command) -> None:
        """From the answer on: the batch is recorded with a run for each of its items, in one transaction."""
        (command.home / "flows").mkdir()
        for number in range(20):
            command.write(f"flows/{number:02}.yaml", NAP)
        arguments = ("serve", "--port", "0", "--db", "x.db", "--batch-workers", "2")
        with command.start(*arguments) as process:
            url = _address(process)
            started = _ask(f"{url}/execute", {"folderPath": "./flows", "pattern": "*.yaml"})
            os.kill(process.pid, signal.SIGKILL)
            _ended(process)
        assert started["validWorkflows"] == 20
        name = started["batchId"]
        for goal in (6, 12):
            with command.start(*arguments) as process:
                url = _address(process)
                until(lambda: _ask(f"{url}/execution/batch/{name}")["completed"] >= goal)  # noqa: B023
                shown = _ask(f"{url}/execution/batch/{name}")
                parts = [shown[word] for word in ("completed", "running", "queued", "failed")]
                assert sum(parts) == shown["totalWorkflows"] == 20
                os.kill(process.pid, signal.SIGKILL)
                _ended(process)
        with command.start(*arguments) as process:
            url = _address(process)
            until(lambda: _ask(f"{url}/execution/batch/{name}")["status"] == "completed")
            process.send_signal(signal.SIGTERM)
            _ended(process)
        with closing(SqliteEventLog(command.home / "x.db")) as log:
            self.sound(log, BatchId(int(name.removeprefix("batch-"))), 20)

    def adds_up(self, log: SqliteEventLog, batch_id: BatchId) -> None:
        state = load_batch(log, batch_id)
        assert sum(state.counts.values()) == len(state.items)


def _ended(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=PLENTY_S)


def _address(process: "subprocess.Popen[str]") -> str:
    """Return the address that a server prints, with the base path of the family."""
    assert process.stderr is not None
    found = re.search(r"http://\S+", process.stderr.readline())
    assert found is not None
    return f"{found.group()}/api/workflows"


def _ask(url: str, body: object = None) -> Any:  # noqa: ANN401 - a document
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(request, timeout=PLENTY_S) as answer:
        return json.load(answer)
