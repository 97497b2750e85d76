"""The installed `flowcore-cli` in processes of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

PROGRAM: Final = str(Path(sys.executable).with_name("flowcore-cli"))
LONGEST_S: Final = 30.0
"""After this a command counts as stuck, in seconds."""


@attrs.frozen
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str


@attrs.frozen
class Command:
    """The command in a directory that holds its files and its event log.

    Attributes:
        home: That directory.
    """

    home: Path

    @property
    def program(self) -> str:
        """The path of the command."""
        return PROGRAM

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of the caller, but for what would let its own settings in."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLOWCORE", "XDG_", "COVERAGE", "COV_")) and name not in {"FORCE_COLOR", "NO_COLOR"}
        }
        return {**inherited, "XDG_STATE_HOME": str(self.home / "state"), "LC_ALL": "C.UTF-8", **(extra or {})}

    def write(self, name: str, text: str) -> str:
        """Write a flow file and return its name."""
        (self.home / name).write_text(text, encoding="utf-8")
        return name

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start the command and return its process."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.home,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run the command to its end."""
        with self.start(*arguments, env=env) as process:
            try:
                out, err = process.communicate(timeout=LONGEST_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ended(process.returncode, out, err)
