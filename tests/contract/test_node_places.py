"""Directories of nodes without containers: held while their program lives, cleared away when it has died."""

import fcntl
import json
import os
import shutil
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
import json
import sys
from flowcore_adapters.sources.container import ContainerSource
from tests.node_calls import node_call
configuration = {"image": "none", "command": ["/bin/sh", "-c", sys.argv[1]], "env": json.loads(sys.argv[2])}
ContainerSource(isolated=False).call(node_call(configuration, deadline_s=300.0))
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


OWN: Final = ("HOME", "TMPDIR", "PATH", places.VARIABLE)
"""What the environment of a node may say otherwise than we do."""


@pytest.fixture(params=["plain", "own"])
def killed(tmp_path: Path, temporary: Path, request: pytest.FixtureRequest) -> Generator[list[int]]:
    """Give the processes that a program has left which was killed while it ran a node; also one with its own `env`."""
    # A child, one in a session of its own, and one without the node's environment; each tells its id.
    script = (
        "setsid sh -c 'echo $$ > ../second; exec sleep 300' & env -i sh -c 'echo $$ > ../third; exec sleep 300' &"
        " echo $$ > ../first; touch out/half; exec sleep 300"
    )
    # `$$` in a command is a variable of ours: the script comes from a file.
    (tmp_path / "script").write_text(script, encoding="utf-8")
    environment = {**os.environ, "TMPDIR": str(temporary)}
    own = dict.fromkeys(OWN, os.environ["PATH"]) if request.param == "own" else {}
    arguments = [sys.executable, "-c", PROGRAM, f". {tmp_path / 'script'}", json.dumps(own)]
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


def abandoned(temporary: Path, name: str = "abandoned") -> Path:
    """Return a directory that a program of this machine has left which died."""
    found = temporary / f"{places.PREFIX}{name[:8]}"
    found.mkdir(mode=0o700)
    with own_place() as place:
        (found / places.MARKER).write_bytes(Path(place, places.MARKER).read_bytes())
    return found


def test_directories_of_others_are_left_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandoned(temporary)
    (temporary / "flowcore-node-link_link").symlink_to(temporary)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert clear_places() == 0
    monkeypatch.setattr(os, "geteuid", lambda: own)
    assert clear_places() == 1
    assert [path.name for path in temporary.iterdir()] == ["flowcore-node-link_link"]


def test_what_is_only_called_like_ours_is_left_alone(temporary: Path) -> None:
    """A copy that somebody keeps, a checkout, what another machine or container has in the same place."""
    (temporary / "flowcore-node-abcdefgh").mkdir(mode=0o700)
    abandoned(temporary).rename(temporary / "flowcore-node-abandoned-copy")
    abandoned(temporary, "readable").chmod(0o755)
    (abandoned(temporary, "faraway1") / places.MARKER).write_text("another start pid:[1]", encoding="utf-8")
    (abandoned(temporary, "nonsense") / places.MARKER).write_bytes(b"\xff")
    before = sorted(temporary.iterdir())
    assert (clear_places(), sorted(temporary.iterdir()), len(before)) == (0, before, 5)


def test_what_cannot_be_killed_keeps_its_directory(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = abandoned(temporary)

    def lives_on(_pid: int, _signal: int) -> None:
        return None

    monkeypatch.setattr(os, "killpg", lives_on)
    monkeypatch.setattr(os, "kill", lives_on)
    monkeypatch.setattr(places, "_PAUSE_S", 0.0)
    with subprocess.Popen(["sleep", "60"], env={places.VARIABLE: str(place)}, start_new_session=True) as left:
        assert clear_places() == 0
        assert place.is_dir()
        assert "it cannot be killed" in caplog.text
        monkeypatch.undo()
        left.kill()


def test_what_only_lives_in_such_a_directory_is_spared(temporary: Path) -> None:
    """Only what bears our mark is ever ended: somebody may just have a look at what was left."""
    place = abandoned(temporary)
    environment = {"HOME": str(place), "TMPDIR": str(place), "PATH": os.environ["PATH"]}
    with subprocess.Popen(["sleep", "60"], env=environment, cwd=place, start_new_session=True) as visitor:
        try:
            assert clear_places() == 1
            assert visitor.poll() is None
        finally:
            visitor.kill()


def test_a_group_that_another_leads_is_spared(temporary: Path) -> None:
    place = abandoned(temporary)
    script = f"{places.VARIABLE}={place} sleep 60 & echo; wait; sleep 60"
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        sign = os.fsencode(f"{places.VARIABLE}={place}")
        until(lambda: any(pid != shell.pid for pid in places._left(frozenset({sign}))))
        assert clear_places() == 1
        assert shell.poll() is None
        os.killpg(shell.pid, signal.SIGKILL)


def test_who_tidies_up_may_be_quicker_than_the_lock(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the directory is opened, and before it is locked: another one is made then."""
    make, lock, quick = tempfile.mkdtemp, fcntl.flock, [True, True]
    made: list[str] = []

    def gone_before_the_opening(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if quick[0]:
            quick[0] = False
            shutil.rmtree(made[-1])
        return made[-1]

    def gone_before_the_lock(descriptor: int, operation: int) -> None:
        if quick[1]:
            quick[1] = False
            shutil.rmtree(made[-1])
        lock(descriptor, operation)

    monkeypatch.setattr(tempfile, "mkdtemp", gone_before_the_opening)
    monkeypatch.setattr(fcntl, "flock", gone_before_the_lock)
    with own_place() as place:
        assert (quick, len(made)) == ([False, False], 3)
        assert [str(path) for path in temporary.iterdir()] == [place]


def test_nothing_is_killed_where_nobody_tells_what_runs(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_PROCESSES", tmp_path / "nothing")
    abandoned(temporary)
    assert clear_places() == 1
    assert list(temporary.iterdir()) == []


def test_a_machine_without_a_place_for_temporary_files_has_nothing_to_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert clear_places() == 0
