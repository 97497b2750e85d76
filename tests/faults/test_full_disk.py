"""A full disk: an append fails and says so, everything can be read, and it goes on when there is room again."""

from pathlib import Path
from typing import Final

import pytest

from tests.faults.full_disk import fill_disk, mountable

pytestmark = pytest.mark.faults

SIZE: Final = 2 * 1024 * 1024


@pytest.mark.parametrize("task", ["fill", "command"])
def test_a_disk_of_two_megabytes(tmp_path: Path, task: str) -> None:
    """On a file system in memory; where nobody may mount one, under a limit to the size of files."""
    fill_disk(tmp_path, task, SIZE, mounted=mountable(tmp_path))


@pytest.mark.parametrize("task", ["fill", "command"])
def test_a_limit_to_the_size_of_files(tmp_path: Path, task: str) -> None:
    fill_disk(tmp_path, task, SIZE, mounted=False)
