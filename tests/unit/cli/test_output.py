"""The file of `-o`: checked before anything runs, and written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from flowcore_cli.exits import CommandError
from flowcore_cli.output import OutputFile


def test_a_new_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    OutputFile(str(path)).write('{"é": 1}\n')
    assert path.read_text(encoding="utf-8") == '{"é": 1}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_an_old_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(0o640)
    before = path.stat().st_ino
    OutputFile(str(path)).write("new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    OutputFile(str(link)).write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_to() -> None:
    OutputFile("/dev/null").write("x")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "{}: is a directory"), ("gone/out.json", "{}: its directory does not exist")],
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path, name: str, message: str) -> None:
    path = str(tmp_path / name) if name else str(tmp_path)
    with pytest.raises(CommandError) as caught:
        OutputFile(path)
    assert caught.value.message == message.format(path)


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    target = OutputFile(str(path))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError) as caught:
        target.write("new")
    assert caught.value.message == f"{path}: No space left on device"
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]
