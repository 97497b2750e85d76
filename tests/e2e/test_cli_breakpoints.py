"""Breakpoints and traces from the command: a paused run says what to type, and stays paused when its process dies."""

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
FLOW = """
name: etl
flow:
  - {name: fetch, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}
  - {name: check, breakpoint: true, source: value, input: "{{ flows.fetch.v }}", output: [{name: v}]}
  - {name: store, source: value, input: 2, depends_on: check, output: [{name: v}]}
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def start(command: Command) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        processes.append(command.start(*arguments))
        return processes[-1]

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def shown(command: Command) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("show", "latest", "--json").out or "{}")
    return found


def until_paused(command: Command, *settled: str) -> dict[str, Any]:
    """Wait until the latest run is paused and *settled* are its steps that succeeded."""
    deadline = time.monotonic() + PLENTY_S
    while True:
        document = shown(command) if (command.home / "state" / "flowcore" / "flowcore.db").exists() else {}
        steps = document.get("steps", {})
        done = {name for name, step in steps.items() if step["state"] == "succeeded"}
        if document.get("state") == "paused" and done == set(settled):
            return document
        assert time.monotonic() < deadline, document
        time.sleep(0.05)


def ended(process: "subprocess.Popen[str]") -> Ended:
    out, err = process.communicate(timeout=PLENTY_S)
    return Ended(process.returncode, out, err)


def test_a_marked_step(command: Command, start: Start) -> None:
    process = start("run", command.write("flow.yaml", FLOW), "--break", "marked")
    run = until_paused(command, "fetch")["run_id"]
    hint = (
        f"  `flowcore-cli continue {run}` lets it go on; `--skip` leaves the step out, "
        "`--no-breakpoints` pauses at none any more\n"
    )
    text = command("show", str(run)).out
    assert f"  paused before step 'check', at a breakpoint\n{hint}" in text
    assert "the run is paused at a breakpoint before step 'check'" in command("explain", str(run), "store").out
    assert command("continue", str(run)).err == f"run {run} goes on\n"
    over = ended(process)
    assert over.code == 0
    assert f"run {run} is paused before step 'check', at a breakpoint\n{hint}" in over.err


def test_everywhere_before_and_after(command: Command, start: Start) -> None:
    """`both`: two pauses for each step."""
    process = start("run", command.write("flow.yaml", FLOW), "--break", "all", "--break-at", "both")
    for done in ([], ["fetch"], ["fetch"], ["fetch", "check"], ["fetch", "check"]):
        until_paused(command, *done)
        assert command("continue", "latest").code == 0
    until_paused(command, "fetch", "check", "store")
    command("continue", "latest")
    assert ended(process).err.count(" is paused ") == 6


def test_skipping_and_no_more_breakpoints(command: Command, start: Start) -> None:
    process = start("run", command.write("flow.yaml", FLOW), "--break", "check", "--break", "store", "-j")
    until_paused(command, "fetch")
    command("continue", "latest", "--skip")
    deadline = time.monotonic() + PLENTY_S
    while shown(command)["steps"]["check"]["state"] != "skipped" or shown(command)["state"] != "paused":
        assert time.monotonic() < deadline
    command("continue", "latest", "--no-breakpoints")
    over = ended(process)
    assert (over.code, json.loads(over.out)) == (0, {"fetch": {"v": 1}, "store": {"v": 2}})


def test_a_paused_run_is_paused_still_when_its_process_died(command: Command, start: Start) -> None:
    process = start("run", command.write("flow.yaml", FLOW), "--break", "marked")
    run = until_paused(command, "fetch")["run_id"]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert shown(command)["state"] == "paused"
    resumed = start("resume", str(run))
    assert resumed.stderr is not None
    said = resumed.stderr.readline() + resumed.stderr.readline()
    assert f"run {run} is paused before step 'check', at a breakpoint" in said
    assert command("continue", str(run)).code == 0
    assert ended(resumed).code == 0
    # The pause that is over does not come again.
    assert shown(command)["state"] == "succeeded"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--break", "chek"), "there is no step 'chek' to pause at"),
        (("--break-at", "post"), "`--break-at` goes with `--break`"),
    ],
)
def test_what_makes_no_sense(command: Command, options: tuple[str, ...], message: str) -> None:
    over = command("run", command.write("flow.yaml", FLOW), *options)
    assert over.code == 2
    assert message in over.err


def test_skip_and_no_breakpoints_exclude_each_other(command: Command) -> None:
    command("run", command.write("flow.yaml", FLOW))
    assert command("continue", "latest", "--skip", "--no-breakpoints").code == 2


class TestTraces:
    """The lines of the steps of a run."""

    def test_a_traced_run(self, command: Command) -> None:
        assert command("run", command.write("flow.yaml", FLOW), "--trace").code == 0
        text = command("logs", "latest").out
        assert re.match(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] \[TRACE\] fetch: attempt 1 with source ", text)
        assert "[TRACE] check: input: 1\n" in text
        only = command("logs", "latest", "--step", "store").out.splitlines()
        assert only
        assert all("[TRACE] store" in line for line in only)
        first = json.loads(command("logs", "latest", "--json").out.splitlines()[0])
        assert (first["nodeId"], first["attempt"], first["stream"]) == ("fetch", 1, "trace")

    def test_a_run_that_was_not_traced(self, command: Command) -> None:
        command("run", command.write("flow.yaml", FLOW))
        none = command("logs", "latest")
        assert (none.code, none.out) == (0, "")
        assert (
            "has left no lines: it was not traced (`flowcore-cli run --trace` traces one from its beginning)"
            in none.err
        )
        number = json.loads(command("runs", "--json").out)[0]["run_id"]
        for action, cannot in (("pause", "cannot be paused"), ("continue", "cannot go on")):
            over = command(action, "latest")
            assert over.code == 2
            assert over.err.startswith(f"flowcore-cli: run {number} {cannot}: the run is over: it has succeeded")
        assert command("logs", "latest", "--step", "fetch").code == 0
        missing = command("logs", "latest", "--step", "fetsh")
        assert (missing.code, "has no step 'fetsh' (did you mean `fetch`?)" in missing.err) == (2, True)

    def test_switched_on_from_elsewhere_and_followed(self, command: Command, start: Start) -> None:
        process = start("run", command.write("flow.yaml", FLOW), "--break", "marked")
        run = until_paused(command, "fetch")["run_id"]
        following = start("logs", str(run), "--follow")
        assert command("trace", str(run)).err == f"run {run} is traced from here on\n"
        command("continue", str(run))
        assert ended(process).code == 0
        text = ended(following).out
        assert "fetch" not in text
        assert "[TRACE] check: succeeded after" in text
        assert command("trace", str(run), "--off").err == f"run {run} is not traced any more\n"
        assert shown(command)["state"] == "succeeded"
