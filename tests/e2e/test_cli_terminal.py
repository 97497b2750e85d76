"""The live display on a terminal: what was drawn over is gone, what counts stays, the cursor comes back."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.installed_command import PROGRAM, Command

pytestmark = pytest.mark.e2e

FLOW = """
flow:
  - {name: quick, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}
  - {name: "[red]slow\\e[2J", source: wait, input: 0.5}
  - {name: bad, source: {type: process, configuration: {command: ["false"]}}, on_error: continue}
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


class Terminal:
    """The command on a pseudo-terminal of 80 columns."""

    def __init__(self, command: Command, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._here, there = pty.openpty()
        env = command.environment({"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **(env or {})})
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=command.home,
            env=env,
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        )
        os.close(there)

    def read(self) -> str:
        """Return everything that is shown until the command has ended."""
        found = b""
        while True:
            try:
                chunk = os.read(self._here, 65_536)
            except OSError:
                break
            if not chunk:
                break
            found += chunk
        os.close(self._here)
        self.process.wait(10)
        return found.decode().replace("\r\n", "\n")


def test_progress_is_live_and_the_cursor_comes_back(command: Command) -> None:
    terminal = Terminal(command, "run", command.write("flow.yaml", FLOW))
    shown = terminal.read()
    assert terminal.process.returncode == 0
    assert shown.startswith("\x1b[?25l")
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    for text in ("✓", "quick", "[red]slow\\x1b[2J", "2 of 3", "1 failed", "tolerated: on_error: continue"):
        assert text in shown
    assert "\x1b[2J" not in shown


def test_json_on_a_terminal_still_shows_progress(command: Command) -> None:
    terminal = Terminal(command, "run", "-j", command.write("flow.yaml", FLOW))
    assert "2 of 3" in terminal.read()


def test_quiet_draws_nothing(command: Command) -> None:
    terminal = Terminal(command, "run", "-q", command.write("flow.yaml", FLOW))
    assert terminal.read() == ""


def test_ctrl_c_gives_the_terminal_back(command: Command) -> None:
    flow = command.write("flow.yaml", "flow: [{name: sleep, source: wait, input: 60}]")
    terminal = Terminal(command, "run", flow)
    while not (command.home / "state" / "flowcore" / "flowcore.db").exists():
        time.sleep(0.01)
    time.sleep(0.4)
    terminal.process.send_signal(signal.SIGINT)
    shown = terminal.read()
    assert terminal.process.returncode == 130
    assert "SIGINT: stopping the run (once more to leave at once)" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_validate_is_coloured_unless_no_color_is_set(command: Command) -> None:
    flow = command.write("flow.yaml", "flow: []")
    assert Terminal(command, "validate", flow).read() == "flow.yaml: \x1b[32mok\x1b[0m (0 steps, 0 sources)\n"
    plain = Terminal(command, "validate", flow, env={"NO_COLOR": "1"})
    assert plain.read() == "flow.yaml: ok (0 steps, 0 sources)\n"
