"""Power loss: what was acknowledged is there, whatever the disk has made of the rest."""

from pathlib import Path, PurePosixPath
from random import Random

import pytest

from tests.faults.disk import Disk, File
from tests.faults.power_cut import Findings, cut, record
from tests.faults.recorded_program import Durability

pytestmark = pytest.mark.faults

CUTS = 200
"""`nox -s soak` goes on from there."""


def cuts_of(home: Path, seed: int, durability: Durability, count: int) -> Findings:
    (home / "program").mkdir()
    (home / "scratch").mkdir()
    return cut(record(home / "program", seed, durability), home / "scratch", seed, count)


def test_what_was_acknowledged_survives_every_power_cut(tmp_path: Path) -> None:
    found = cuts_of(tmp_path, 1, "full", CUTS)
    assert (found.broken, found.lost, found.cuts) == ([], 0, CUTS)
    assert found.moments > CUTS / 2, "the power was cut at many moments"
    assert found.unacknowledged, "some cuts came between the disk and the acknowledgement"
    assert found.continued, "some runs went on"


def test_at_relaxed_durability_the_end_may_be_lost_and_the_rest_is_whole(tmp_path: Path) -> None:
    """This shows too that the disks here forget: without syncs, what was acknowledged is lost."""
    found = cuts_of(tmp_path, 2, "relaxed", CUTS // 4)
    assert found.broken == []
    assert found.lost > 0


def test_a_log_that_waits_for_no_disk_is_found_out(tmp_path: Path) -> None:
    """The same program with `synchronous = OFF`: what was lost is seen, and so is a file that is damaged."""
    found = cuts_of(tmp_path, 3, "off", CUTS // 4)
    assert found.lost > 0
    assert found.broken != []


class TestDisk:
    """The model of the disk forgets what was not synced, and nothing else."""

    def test_what_was_synced_is_there(self) -> None:
        file = File()
        file.write(None, b"abc")
        file.keep(file.changes)
        file.write(1, b"x" * 2000)
        contents = {file.after_cut(Random(seed), 0.5) for seed in range(200)}
        assert all(content[:1] == b"a" for content in contents)
        assert len(contents) > 10
        assert {b"abc", b"a" + b"x" * 2000} <= contents

    def test_a_name_is_kept_with_its_directory(self, tmp_path: Path) -> None:
        disk, root = Disk(), PurePosixPath()
        kept, lost = File(), File()
        disk.name(root / "kept", kept)
        disk.keep_names(root, tuple(disk.pending))
        disk.rename(root / "kept", root / "renamed")
        disk.name(root / "lost", lost)
        found: set[frozenset[str]] = set()
        for seed in range(200):
            home = tmp_path / str(seed)
            home.mkdir()
            disk.cut(Random(seed), home)
            found.add(frozenset(path.name for path in home.iterdir()))
        assert {"kept"} in found
        assert {"renamed", "lost"} in found
        assert {"kept", "renamed"} in found
