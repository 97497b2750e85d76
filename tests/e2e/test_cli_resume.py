"""A run whose process died goes on from its log, any process can steer it, and a new one can begin in its middle."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installed_command import Command, Ended

pytestmark = pytest.mark.e2e

PLENTY_S = 20.0
OUTPUT = ", output: [{name: code, type: jmespath, value: returncode}]"


def step(name: str, script: str, more: str = "") -> str:
    """Return a step that leaves a mark and then does what *script* says."""
    run = f"echo {name} >> ran; {script}"
    return f"  - {{name: {name}, source: {{type: process, configuration: {{command: [sh, -c, '{run}']}}}}{more}}}\n"


SLOW = (
    "flow:\n"
    + step("first", "")
    + step("gate", "while [ ! -e open ]; do sleep 0.02; done", ", depends_on: first")
    + step("last", "", ", depends_on: gate" + OUTPUT)
)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def running(command: Command) -> Iterator["subprocess.Popen[str]"]:
    """A run that stands at its gate, in a process of its own."""
    with command.start("run", command.write("flow.yaml", SLOW)) as process:
        wait_until(lambda: ran(command) == ["first", "gate"])
        yield process
        (command.home / "open").touch()
        process.kill()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PLENTY_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def ran(command: Command) -> list[str]:
    """Return the side effects so far."""
    path = command.home / "ran"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill the command with all its children, as a power failure would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def shown(command: Command, run: str = "latest") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("show", run, "--json").out)
    return found


def states(command: Command, run: str = "latest") -> dict[str, str]:
    return {name: step["state"] for name, step in shown(command, run)["steps"].items()}


class TestResume:
    def test_a_run_whose_process_died_goes_on(self, command: Command, running: "subprocess.Popen[str]") -> None:
        kill(running)
        assert (shown(command)["state"], shown(command)["driven_by"]) == ("running", None)
        assert "nobody drives it: `flowcore-cli resume " in command("show", "latest").out
        (command.home / "open").touch()
        ended = command("resume", "latest")
        assert ended.code == 0, ended.err
        assert "gate   lost       the runner was lost while the attempt was under way" in ended.err
        assert "code: 0" in ended.out
        assert ran(command) == ["first", "gate", "gate", "last"]
        assert shown(command)["state"] == "succeeded"

    def test_a_run_whose_process_died_is_told_wherever_it_is_shown(
        self, command: Command, running: "subprocess.Popen[str]"
    ) -> None:
        (alive,) = json.loads(command("runs", "--json").out)
        assert alive["driven_by"].startswith(f"process {running.pid} on ")
        assert "nobody" not in command("runs").out + command("explain", "latest", "gate").out
        assert "  - attempt 1 is under way\n" in command("explain", "latest", "gate").out
        kill(running)
        (dead,) = json.loads(command("runs", "--json").out)
        assert (dead["state"], dead["driven_by"]) == ("running", None)
        resume = f"`flowcore-cli resume {dead['run_id']}` does"
        assert f"  nobody drives it: {resume}\n" in command("show", "latest").out
        assert command("runs").out.endswith(f"1 succeeded, 1 running, 1 pending  nobody drives it: {resume}\n")
        assert command("explain", "latest", "gate").out == (
            "gate is running\n"
            "  - attempt 1 was under way when the program that drove the run went away\n"
            f"  - nobody drives the run: {resume}\n"
        )
        assert command("explain", "latest", "last").out.endswith(f"  - nobody drives the run: {resume}\n")
        told = json.loads(command("explain", "latest", "gate", "--json").out)["sentences"]
        assert told[-1] == f"nobody drives the run: {resume}"
        assert "nobody" not in command("explain", "latest", "first").out
        assert "attempt 1 is under way" in command("explain", "latest", "gate", "--at", "100").out
        (command.home / "open").touch()
        command("resume", "latest")
        (over,) = json.loads(command("runs", "--json").out)
        assert (over["state"], over["driven_by"]) == ("succeeded", None)
        assert "nobody" not in command("runs").out

    def test_a_second_process_on_a_live_run_is_refused_by_name(
        self, command: Command, running: "subprocess.Popen[str]"
    ) -> None:
        ended = command("resume", "latest")
        assert (ended.code, ended.out) == (2, "")
        assert f"is driven by process {running.pid} on " in ended.err
        (command.home / "open").touch()
        running.communicate(timeout=PLENTY_S)
        assert running.returncode == 0
        assert ran(command) == ["first", "gate", "last"]

    def test_all_of_them(self, command: Command, running: "subprocess.Popen[str]") -> None:
        kill(running)
        (command.home / "open").touch()
        ended = command("resume", "--all")
        assert ended.code == 0, ended.err
        assert "succeeded" in ended.err
        assert command("resume", "--all").err == "nothing to resume\n"

    def test_a_server_goes_on_with_them(self, command: Command, running: "subprocess.Popen[str]") -> None:
        kill(running)
        (command.home / "open").touch()
        with command.start("serve", "--port", "0") as server:
            try:
                wait_until(lambda: shown(command)["state"] == "succeeded")
            finally:
                server.send_signal(signal.SIGTERM)
            _, err = server.communicate(timeout=PLENTY_S)
        assert "resumed\n" in err

    def test_what_cannot_be_resumed_is_said(self, command: Command) -> None:
        assert command("resume", "latest").code == 2
        command("run", command.write("flow.yaml", "flow: [{name: a, source: value, input: 1}]"))
        over = command("resume", "latest")
        assert over.code == 2
        assert "is over: it has succeeded" in over.err
        command(
            "run",
            command.write("bad.yaml", "flow: [{name: a, source: {type: process, configuration: {command: 'false'}}}]"),
            "--db",
            "other.db",
        )
        assert re.search(
            r"`flowcore-cli retry \d+ --db other\.db` runs", command("resume", "latest", "--db", "other.db").err
        )
        assert "no run '5'" in command("resume", "5").err
        assert "name a RUN, or say `--all`" in command("resume").err
        assert "`--all` prints no outputs" in command("resume", "--all", "-j").err


class TestSteering:
    def test_pause_and_continue_from_another_process(self, command: Command, running: "subprocess.Popen[str]") -> None:
        paused = command("pause", "latest")
        assert paused.code == 0
        assert "is paused: nothing new starts; 1 under way will finish" in paused.err
        (command.home / "open").touch()
        wait_until(lambda: states(command)["gate"] == "succeeded")
        time.sleep(0.3)
        assert (shown(command)["state"], states(command)["last"]) == ("paused", "pending")
        assert "goes on\n" in command("continue", "latest").err
        out, err = running.communicate(timeout=PLENTY_S)
        assert (running.returncode, "code: 0" in out) == (0, True)
        assert "paused     nothing new starts" in err

    def test_a_paused_run_stays_paused_when_its_process_dies(
        self, command: Command, running: "subprocess.Popen[str]"
    ) -> None:
        command("pause", "latest")
        kill(running)
        (command.home / "open").touch()
        with command.start("resume", "latest") as resumed:
            wait_until(lambda: str(shown(command)["driven_by"]).startswith(f"process {resumed.pid} on "))
            time.sleep(0.3)
            assert (shown(command)["state"], ran(command)) == ("paused", ["first", "gate"])
            assert "goes on\n" in command("continue", "latest").err
            _, err = resumed.communicate(timeout=PLENTY_S)
        assert resumed.returncode == 0
        assert "is paused: `flowcore-cli continue " in err
        assert ran(command) == ["first", "gate", "gate", "last"]

    def test_stop_from_another_process(self, command: Command, running: "subprocess.Popen[str]") -> None:
        began = time.monotonic()
        stopped = command("stop", "latest", "--reason", "enough")
        took_s = time.monotonic() - began
        assert (stopped.code, stopped.err) == (0, f"run {shown(command)['run_id']} is stopped\n")
        assert took_s < 2.0
        out, err = running.communicate(timeout=PLENTY_S)
        assert (running.returncode, "code" in out) == (1, False)
        assert "stopped (enough)" in err
        assert states(command) == {"first": "succeeded", "gate": "failed", "last": "skipped"}
        assert "is stopped" in command("stop", "latest").err

    def test_a_run_that_nobody_drives_is_stopped_by_the_command(
        self, command: Command, running: "subprocess.Popen[str]"
    ) -> None:
        kill(running)
        continued = command("continue", "latest")
        assert "was not paused: it is running\nnobody drives it: `flowcore-cli resume " in continued.err
        assert command("stop", "latest").code == 0
        assert shown(command)["state"] == "stopped"
        late = command("pause", "latest")
        assert (late.code, "the run is over: it has stopped" in late.err) == (2, True)

    def test_stopping_what_is_over_changes_nothing(self, command: Command) -> None:
        command("run", command.write("flow.yaml", "flow: [{name: a, source: value, input: 1}]"))
        ended = command("stop", "latest")
        assert (ended.code, "is over: it has succeeded" in ended.err) == (0, True)


FRAIL = (
    "flow:\n"
    + step("a", "", OUTPUT)
    + step("b", "test ! -e bad", ", depends_on: a")
    + step("c", "", ", depends_on: b")
    + step("d", "")
)


class TestDescent:
    @pytest.fixture
    def failed(self, command: Command) -> Ended:
        (command.home / "bad").touch()
        ended = command("run", command.write("flow.yaml", FRAIL), "--max-workers", "1")
        assert ended.code == 1
        (command.home / "bad").unlink()
        (command.home / "ran").unlink()
        return ended

    def test_a_retry_runs_what_failed_and_what_was_skipped(self, command: Command, failed: Ended) -> None:
        first = str(shown(command)["run_id"])
        ended = command("retry", "latest", "--max-workers", "1")
        assert ended.code == 0, ended.err
        assert sorted(ran(command)) == ["b", "c", "d"]
        assert "code: 0" in ended.out
        assert f"a: taken over from run {first}" in command("show", "latest").out
        assert shown(command, first)["state"] == "failed"
        again = command("retry", "latest")
        assert (again.code, "there is nothing to retry" in again.err) == (2, True)

    def test_a_fork_begins_at_a_step(self, command: Command) -> None:
        command("run", command.write("flow.yaml", FRAIL))
        (command.home / "ran").unlink()
        assert command("fork", "latest", "--from", "b").code == 0
        assert ran(command) == ["b", "c"]
        unknown = command("fork", "latest", "--from", "bb")
        assert (unknown.code, "there is no step 'bb' to fork from" in unknown.err) == (2, True)

    def test_a_fork_with_an_edited_flow(self, command: Command) -> None:
        command("run", command.write("flow.yaml", FRAIL))
        (command.home / "ran").unlink()
        command.write("edited.yaml", FRAIL.replace("echo c", "echo other") + step("e", ""))
        assert command("fork", "latest", "--from", "c", "--flow", "edited.yaml").code == 0
        assert sorted(ran(command)) == ["e", "other"]
        misfit = command("fork", "latest", "--from", "d", "--flow", "flow.yaml")
        assert misfit.code == 2
        assert "step 'c' would take over what it came to in run" in misfit.err
        assert "but its source has changed since (fork from `c` or from a step before it)" in misfit.err
