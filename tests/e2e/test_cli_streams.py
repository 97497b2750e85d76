"""A terminal that is closed, a full disk behind stderr, closed descriptors: the run goes on, and its children end."""

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.installed_command import PROGRAM, Command

pytestmark = pytest.mark.e2e

ONE = "flow: [{name: a, source: value, input: 1}]"
CHILD = "flow: [{name: a, source: {type: process, configuration: {command: [sh, -c, 'echo $$ > pid; exec sleep 60']}}}]"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def shell(command: Command, line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", line.replace("F ", f"'{PROGRAM}' ", 1)],
        check=False,
        cwd=command.home,
        env=command.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )


@pytest.mark.parametrize(
    "line",
    ["F run -q flow.yaml >&-", "F run flow.yaml 2>&-", "F run flow.yaml 2>/dev/full", "F validate flow.yaml >&-"],
)
def test_what_is_closed_ends_nothing(command: Command, line: str) -> None:
    command.write("flow.yaml", ONE)
    ended = shell(command, line)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    if "run" in line:
        assert json.loads(command("runs", "--json").out)[0]["state"] == "succeeded"


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("words", ["--help", "--version", "-h", "run --help", "sim --version", "schema", "runs --json"])
def test_a_full_disk_behind_stdout_is_named(command: Command, words: str, buffered: bool) -> None:
    ended = shell(command, f"{'' if buffered else 'PYTHONUNBUFFERED=1 '}F {words} >/dev/full")
    told = "flowcore-cli: stdout cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (2, told)


@pytest.mark.parametrize("words", ["--help", "run --help", "--version"])
def test_help_that_nobody_reads_is_no_error(command: Command, words: str) -> None:
    closed = shell(command, f"F {words} >&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    gone = shell(command, f"{{ F {words}; echo $? >code; }} | true")
    assert ((command.home / "code").read_text(), gone.stderr) == ("0\n", "")


@pytest.mark.parametrize("words", ["nonsense", "validate gone.yaml", "run", "--nonsense", "show latest"])
def test_an_error_that_cannot_be_said_is_still_one(command: Command, words: str) -> None:
    assert shell(command, f"F {words} 2>/dev/full").returncode == 2
    assert shell(command, f"F {words} >/dev/full 2>&1").returncode == 2


@pytest.mark.parametrize("after_s", [0.05, 0.6])
def test_a_terminal_that_is_closed_stops_the_run(command: Command, after_s: float) -> None:
    command.write("flow.yaml", CHILD)
    pid, master = pty.fork()
    if not pid:
        os.chdir(command.home)
        os.execve(PROGRAM, [PROGRAM, "run", "flow.yaml"], command.environment())  # noqa: S606 - in a new terminal
    deadline = time.monotonic() + 20
    while not (command.home / "pid").exists() or not (command.home / "pid").read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(after_s)
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert json.loads(command("runs", "--json").out)[0]["state"] == "stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(int((command.home / "pid").read_text()), 0)


def test_what_functions_print_is_no_output(command: Command) -> None:
    command.write("printer.py", "def work():\n    print('on stdout')\n    return 1\n")
    command.write("flow.yaml", "flow: [{name: a, source: {type: python, configuration: {callable: 'printer:work'}}}]")
    env = {"PYTHONPATH": str(command.home)}
    ended = command("run", "-j", "flow.yaml", env=env)
    assert (json.loads(ended.out), "on stdout" in ended.err) == ({"a": {}}, True)
    assert command("run", "-q", "flow.yaml", env=env).out == ""
