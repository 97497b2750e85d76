"""Signals during a run: it is stopped, said, recorded, and nothing is left behind."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from flowcore_cli.signals import TWICE_S
from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

SLEEP = """
flow:
  - {name: sleep, source: {type: process, configuration: {command: [sh, -c, "echo $$ > pid; exec sleep 60"]}}}
  - {name: after, source: value, input: 1, depends_on: sleep}
"""
STUBBORN = """
flow:
  - name: stubborn
    source:
      type: process
      configuration: {command: [sh, -c, "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"]}
"""
ENDS_WITHIN_S = 1.5
GRACE_S = 10.0
"""Within it everything is over, whatever the children do."""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def wait_for_child(command: Command) -> int:
    """Wait until the child has written its id and return that."""
    path = command.home / "pid"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        text = path.read_text().strip() if path.exists() else ""
        if text:
            return int(text)
        time.sleep(0.01)
    raise AssertionError("the child did not start")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def finish(process: "subprocess.Popen[str]") -> tuple[str, str, float]:
    started = time.monotonic()
    out, err = process.communicate(timeout=20)
    return out, err, time.monotonic() - started


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_a_signal_stops_the_run_and_it_is_recorded_as_stopped(
    command: Command, number: signal.Signals, code: int
) -> None:
    process = command.start("run", command.write("flow.yaml", SLEEP))
    child = wait_for_child(command)
    process.send_signal(number)
    out, err, took_s = finish(process)
    assert process.returncode == code
    assert took_s < ENDS_WITHIN_S
    assert not alive(child)
    assert out == ""
    assert f"{number.name}: stopping the run (once more to leave at once)\n" in err
    assert re.search(rf"■ run \d+ of flow stopped \({number.name}\) in .* s: 1 skipped, 1 stopped\n", err)
    shown = json.loads(command("show", "--json", "latest").out)
    assert (shown["state"], shown["reason"]) == ("stopped", number.name)
    assert shown["running_count"] == 0
    assert shown["ended_at"] is not None
    assert [step["state"] for step in shown["steps"].values()] == ["failed", "skipped"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_child_that_does_not_listen_is_killed_after_its_grace(
    command: Command, number: signal.Signals, code: int
) -> None:
    process = command.start("run", command.write("flow.yaml", STUBBORN))
    child = wait_for_child(command)
    process.send_signal(number)
    _, _, took_s = finish(process)
    assert process.returncode == code
    assert took_s < GRACE_S
    assert not alive(child)
    shown = json.loads(command("show", "--json", "latest").out)
    assert (shown["state"], shown["reason"], shown["running_count"]) == ("stopped", number.name, 0)


def test_ctrl_c_while_the_command_is_loaded_ends_it_without_a_word(command: Command) -> None:
    """From its own first line on; before that it is Python's."""
    code = (
        "import os, signal, sys\n"
        "class Presser:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Presser())\n"
        "from flowcore_cli.program import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, cwd=command.home)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_signals_without_anybody_to_read_of_them(command: Command) -> None:
    process = command.start("run", "-q", command.write("flow.yaml", SLEEP))
    child = wait_for_child(command)
    process.send_signal(signal.SIGTERM)
    out, err, took_s = finish(process)
    assert (process.returncode, out) == (143, "")
    assert took_s < ENDS_WITHIN_S
    assert err == ""
    assert not alive(child)


def test_a_second_signal_ends_the_command_at_once_and_leaves_no_orphan(command: Command) -> None:
    process = command.start("run", command.write("flow.yaml", STUBBORN))
    child = wait_for_child(command)
    process.send_signal(signal.SIGINT)
    time.sleep(2 * TWICE_S)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, _, took_s = finish(process)
    assert process.returncode == 130
    assert took_s < 0.5
    time.sleep(0.05)
    assert not alive(child)


def test_the_second_signal_says_how_to_go_on(command: Command) -> None:
    process = command.start("run", command.write("flow.yaml", STUBBORN), "--db", "a b.db")
    wait_for_child(command)
    process.send_signal(signal.SIGINT)
    time.sleep(2 * TWICE_S)
    process.send_signal(signal.SIGINT)
    _, err, _ = finish(process)
    *_, last = err.splitlines()
    (run_id,) = re.findall(r"^\d{13}", command("runs", "--db", "a b.db").out, re.MULTILINE)
    resume = f"flowcore-cli resume {run_id} --db 'a b.db'"
    assert last == f"run {run_id} is left as it is: `{resume}` brings it to its end"
    ended = command(*shlex.split(resume)[1:])
    assert (ended.code, "of flow stopped (SIGINT)" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        (["run", "-q"], ""),
        (["run", "--no-db"], r"the run is left, and forgotten: it was recorded nowhere \(`--no-db`\)"),
        (["batch"], r"batch-\S+ is left as it is: `flowcore-cli resume batch-\S+` brings it to its end"),
        (
            ["serve", "--port", "0"],
            "what was under way is left as it is: `flowcore-cli resume --all` brings it to its end",
        ),
    ],
    ids=["quiet", "no log", "batch", "serve"],
)
def test_last_words(command: Command, arguments: list[str], last: str) -> None:
    process = command.start(*arguments, command.write("flow.yaml", STUBBORN))
    wait_for_child(command)
    process.send_signal(signal.SIGTERM)
    time.sleep(2 * TWICE_S)
    process.send_signal(signal.SIGTERM)
    _, err, _ = finish(process)
    assert process.returncode == 143
    assert re.fullmatch(last, (err.splitlines() or [""])[-1])


@pytest.mark.parametrize("stderr", ["full", "closed", "never read"])
def test_nobody_to_hear_the_last_words_holds_up_nothing(command: Command, stderr: str) -> None:
    reader, writer = os.pipe()
    if stderr == "never read":
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
    where = {"full": "2>/dev/full", "closed": "2>&-", "never read": ""}[stderr]
    command.write("flow.yaml", STUBBORN)
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$0" run -j flow.yaml {where}', command.program],
        cwd=command.home,
        env=command.environment(),
        stdout=subprocess.DEVNULL,
        stderr=writer,
        start_new_session=True,
    )
    try:
        child = wait_for_child(command)
        process.send_signal(signal.SIGINT)
        time.sleep(2 * TWICE_S)
        process.send_signal(signal.SIGINT)
        assert process.wait(2.0) == 130
        time.sleep(0.05)
        assert not alive(child)
    finally:
        process.kill()
        os.close(reader)
        os.close(writer)


def test_the_same_signal_sent_twice_by_a_wrapper_is_one(command: Command) -> None:
    process = command.start("run", command.write("flow.yaml", SLEEP))
    wait_for_child(command)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    _, err, _ = finish(process)
    assert process.returncode == 143
    assert "recorded: flowcore-cli show" in err
    assert json.loads(command("show", "--json", "latest").out)["state"] == "stopped"


def test_outputs_of_a_stopped_run_are_printed(command: Command) -> None:
    early = "  - {name: early, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}\n"
    process = command.start("run", "-j", command.write("flow.yaml", SLEEP + early))
    wait_for_child(command)
    process.send_signal(signal.SIGINT)
    out, _, _ = finish(process)
    assert process.returncode == 130
    assert json.loads(out) == {"early": {"v": 1}}


def test_a_killed_command_leaves_a_log_that_can_be_read(command: Command) -> None:
    process = command.start("run", command.write("flow.yaml", SLEEP))
    child = wait_for_child(command)
    process.kill()
    finish(process)
    os.kill(child, signal.SIGKILL)
    assert json.loads(command("show", "--json", "latest").out)["steps"]["sleep"]["state"] == "running"


def test_a_function_that_sleeps_is_given_up(command: Command) -> None:
    command.write("deaf.py", "import time\n\ndef sleep():\n    open('pid', 'w').write('1')\n    time.sleep(30)\n")
    flow = "flow: [{name: a, source: {type: python, configuration: {callable: 'deaf:sleep'}}}]"
    process = command.start("run", command.write("flow.yaml", flow), env={"PYTHONPATH": str(command.home)})
    wait_for_child(command)
    process.send_signal(signal.SIGINT)
    _, _, took_s = finish(process)
    assert process.returncode == 130
    assert took_s < ENDS_WITHIN_S
