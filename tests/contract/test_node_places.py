"""Directories of nodes without containers: held while their program lives, cleared away when it has died."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

import pytest

from flowcore_adapters.node_runtime import NodeRuntime
from flowcore_adapters.sources.container import ContainerSource, places
from flowcore_adapters.sources.container.places import clear_places, own_place
from tests.node_calls import node_call

PLENTY_S: Final = 20.0
PROGRAM: Final = """
import sys
from flowcore_adapters.sources.container import ContainerSource
from tests.node_calls import node_call
command = ["/bin/sh", "-c", sys.argv[1]]
ContainerSource(isolated=False).call(node_call({"image": "none", "command": command}, deadline_s=300.0))
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty directory for temporary files."""
    found = tmp_path / "temporary"
    found.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found))
    return found


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PLENTY_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


@pytest.fixture
def killed(tmp_path: Path, temporary: Path) -> Generator[list[int]]:
    """Give the processes that a program has left which was killed while it ran a node."""
    # A child, one in a session of its own, and one without the node's environment; each tells its id.
    script = (
        "setsid sh -c 'echo $$ > ../second; exec sleep 300' & env -i sh -c 'echo $$ > ../third; exec sleep 300' &"
        " echo $$ > ../first; touch out/half; exec sleep 300"
    )
    # `$$` in a command is a variable of ours: the script comes from a file.
    (tmp_path / "script").write_text(script, encoding="utf-8")
    environment = {**os.environ, "TMPDIR": str(temporary)}
    arguments = [sys.executable, "-c", PROGRAM, f". {tmp_path / 'script'}"]
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE) as program:
        names = [temporary / name for name in ("first", "second", "third")]
        until(lambda: all(name.exists() and name.read_text(encoding="utf-8").endswith("\n") for name in names))
        pids = [int(name.read_text(encoding="utf-8")) for name in names]
        try:
            yield [program.pid, *pids]
        finally:
            for pid in (program.pid, *filter(alive, pids)):
                os.kill(pid, signal.SIGKILL)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))


@pytest.mark.parametrize("runtime", ["process", "container"])
def test_what_a_killed_program_left_is_ended_and_removed(
    temporary: Path, killed: list[int], runtime: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    program, *left = killed
    assert clear_places() == 0
    assert len(list(temporary.glob("flowcore-node-*"))) == 1
    kill(program)
    assert all(map(alive, left))
    # Whatever nodes run in next.
    NodeRuntime(runtime).clear_up()
    assert not any(map(alive, left))
    assert list(temporary.glob("flowcore-node-*")) == []


def test_the_directory_of_an_attempt_is_held_to_its_end(temporary: Path) -> None:
    (temporary / "flowcore-node-a-file").touch()
    with own_place() as place:
        assert clear_places() == 0
        assert Path(place).parent == temporary
        assert Path(place).is_dir()
    assert [path.name for path in temporary.iterdir()] == ["flowcore-node-a-file"]


def test_the_lock_is_not_handed_down(temporary: Path) -> None:
    """What a node leaves running must not hold what is to be cleared away."""
    command = ["/bin/sh", "-c", "ls -l /proc/self/fd"]
    found = ContainerSource(isolated=False).call(node_call({"image": "none", "command": [*command]}))
    assert str(temporary) not in str(found.data)


def test_directories_of_others_are_left_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = temporary / "flowcore-node-other"
    other.mkdir()
    (temporary / "flowcore-node-link").symlink_to(temporary)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert clear_places() == 0
    monkeypatch.setattr(os, "geteuid", lambda: own)
    assert clear_places() == 1
    assert [path.name for path in temporary.iterdir()] == ["flowcore-node-link"]


def test_who_clears_up_may_be_quicker_than_the_lock(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the directory is opened, and before it is locked: another one is made then."""
    make, lock, quick = tempfile.mkdtemp, fcntl.flock, [True, True]

    def taken_before_the_opening(prefix: str) -> str:
        place = make(prefix=prefix)
        if quick[0]:
            quick[0] = False
            assert clear_places() == 1
        return place

    def taken_before_the_lock(descriptor: int, operation: int) -> None:
        if quick[1] and operation == fcntl.LOCK_EX:
            quick[1] = False
            assert clear_places() == 1
        lock(descriptor, operation)

    monkeypatch.setattr(tempfile, "mkdtemp", taken_before_the_opening)
    monkeypatch.setattr(fcntl, "flock", taken_before_the_lock)
    with own_place() as place:
        assert quick == [False, False]
        assert [str(path) for path in temporary.iterdir()] == [place]


def test_nothing_is_killed_where_nobody_tells_what_runs(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary / "flowcore-node-left").mkdir()
    monkeypatch.setattr(places, "_PROCESSES", tmp_path / "nothing")
    assert clear_places() == 1
    assert list(temporary.iterdir()) == []


def test_a_machine_without_a_place_for_temporary_files_has_nothing_to_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert clear_places() == 0
