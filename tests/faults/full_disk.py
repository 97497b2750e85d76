"""A disk that is too small, and a program on it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = Path(__file__).with_name("full_disk_program.py")
TOP: Final = PROGRAM.parents[2]
LONGEST_S: Final = 120.0


def mountable(directory: Path) -> bool:
    """Tell whether a small disk may be mounted here."""
    return _run(directory, 1024 * 1024, "true").returncode == 0


def fill_disk(directory: Path, task: str, size: int, *, mounted: bool) -> None:
    """Have the program do *task* with *size* bytes, on a disk of its own or below a limit.

    Raises:
        AssertionError: Something went wrong; what it was.
    """
    words = [sys.executable, "-B", str(PROGRAM), task, str(directory), str(size)]
    ended = _run(directory, size, *words, "disk") if mounted else _spawn([*words, "limit"])
    assert ended.returncode == 0, ended.stderr


def _run(directory: Path, size: int, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with a disk at *directory* that nobody else sees, and that goes with it."""
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'
    return _spawn([*own, "sh", "-c", script, "sh", str(size), str(directory), *words])


def _spawn(words: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    return subprocess.run(
        words, check=False, capture_output=True, encoding="utf-8", timeout=LONGEST_S, env=environment, cwd=TOP
    )
