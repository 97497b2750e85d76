"""The store on this machine's disk: links, leftovers, and what others do to its directory."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowcore.errors import FlowcoreError, ObjectExistsError, ObjectNameError, ObjectNotFoundError, StoreError
from flowcore_adapters.artifacts.local import LocalArtifactStore

WRITER = """
import sys
from flowcore_adapters.artifacts.local import LocalArtifactStore

def chunks():
    yield b"half"
    print("writing", flush=True)
    sys.stdin.read()

LocalArtifactStore(sys.argv[1]).put("a", chunks())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalArtifactStore:
    return LocalArtifactStore(root)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "secret").write_text("secret", encoding="utf-8")
    return directory


def entries(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def leftovers(root: Path) -> list[str]:
    return entries(root / ".incoming")


def test_only_its_user_may_look_into_it(store: LocalArtifactStore, root: Path) -> None:
    store.put("run/a", [b"x"])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")]}
    assert modes == {"store": 0o700, ".incoming": 0o700, "run": 0o700, "a": 0o600}


def test_no_link_is_followed(store: LocalArtifactStore, root: Path, outside: Path) -> None:
    (root / "directory").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(outside / "new")
    for name in ("directory/secret", "file", "dangling"):
        with pytest.raises(FlowcoreError):
            store.open(name)
        with pytest.raises(FlowcoreError):
            store.head(name)
    with pytest.raises(ObjectNameError):
        store.put("directory/new", [b"x"])
    store.delete("directory/secret")
    assert [each.name for each in store.list()] == []
    assert entries(outside) == ["secret"]
    # What is put in a link's place takes its place.
    store.put("file", [b"mine"])
    assert (root / "file").read_bytes() == b"mine"
    assert not (root / "file").is_symlink()
    assert (outside / "secret").read_text(encoding="utf-8") == "secret"


def test_what_is_no_file_is_no_object(store: LocalArtifactStore, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(ObjectNotFoundError):
            store.open(name)
    store.delete("directory")
    assert [each.name for each in store.list()] == []
    with pytest.raises(ObjectNameError):
        store.put("directory", [b"x"])
    assert leftovers(root) == []


def test_nothing_is_put_below_an_object(store: LocalArtifactStore, root: Path) -> None:
    store.put("a", [b"x"])
    with pytest.raises(ObjectNameError):
        store.put("a/b", [b"y"])
    assert leftovers(root) == []


def test_deleting_the_last_object_leaves_no_directory(store: LocalArtifactStore, root: Path) -> None:
    store.put("a/b/c", [b"x"])
    store.put("a/d", [b"x"])
    store.delete("a/b/c")
    assert entries(root / "a") == ["d"]
    store.delete("a/d")
    assert entries(root) == [".incoming"]


def test_half_a_file_is_never_seen(store: LocalArtifactStore, root: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        assert [each.name for each in store.list()] == []
        assert not (root / "a").exists()
        yield b"whole"

    store.put("a", chunks())
    assert (root / "a").read_bytes() == b"halfwhole"
    assert leftovers(root) == []


def test_what_a_killed_program_left_goes_and_what_others_write_stays(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        LocalArtifactStore(root)
        assert len(leftovers(root)) == 1
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    store = LocalArtifactStore(root)
    assert leftovers(root) == []
    assert list(store.list()) == []


def test_a_directory_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be used"):
        LocalArtifactStore(tmp_path / "file")


def test_a_full_disk_is_the_stores_trouble(
    store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        store.put("a", [b"x"])
    assert str(root) not in str(caught.value)
    monkeypatch.undo()
    assert leftovers(root) == []


def test_one_at_a_time_holds_a_key_in_any_process(store: LocalArtifactStore, root: Path) -> None:
    other = LocalArtifactStore(root)
    with store.hold("key"):
        with pytest.raises(ObjectExistsError, match="just being put"), other.hold("key"):
            pytest.fail("two at a time")
        with other.hold("another key"):
            LocalArtifactStore(root)
        with pytest.raises(ObjectExistsError), other.hold("key"):
            pytest.fail("two at a time")
    with other.hold("key"):
        pass
    assert leftovers(root) == []
