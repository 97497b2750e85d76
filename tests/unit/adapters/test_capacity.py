"""What a process may use of its machine (docs/nodes.md, Tiers)."""

import os
from pathlib import Path
from typing import Final

import pytest

from flowcore_adapters.runner.capacity import Capacity, this_machine

GB: Final = 1024**3
UNLIMITED: Final = "9223372036854771712"
"""What version 1 says for no limit."""


def machine(root: Path, files: dict[str, str]) -> Capacity:
    """Return what there is below *root*, on a machine of 16 GB with these files."""
    for name, text in {"proc/meminfo": f"MemFree: 1 kB\nMemTotal: {16 * GB // 1024} kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return this_machine(root)


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    def eight(_process: int) -> set[int]:
        return set(range(8))

    monkeypatch.setattr(os, "sched_getaffinity", eight, raising=False)


def test_without_control_groups_it_is_what_the_machine_has(tmp_path: Path) -> None:
    assert machine(tmp_path, {}) == Capacity(8.0, 16 * GB)


def test_a_machine_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_process: int) -> set[int]:
        raise OSError

    monkeypatch.setattr(os, "sched_getaffinity", refuse, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert this_machine(tmp_path) == Capacity(1.0, 4 * GB)


def test_a_container_with_a_namespace_of_its_own(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/system.slice/outside.scope\n",
        "sys/fs/cgroup/memory.max": f"{2 * GB}\n",
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
    }
    assert machine(tmp_path, files) == Capacity(1.5, 2 * GB)


def test_the_narrowest_group_around_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/user.slice/flows.service\n",
        "sys/fs/cgroup/user.slice/flows.service/memory.max": "max\n",
        "sys/fs/cgroup/user.slice/flows.service/cpu.max": "400000 100000\n",
        "sys/fs/cgroup/user.slice/memory.max": f"{3 * GB}\n",
        "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    }
    assert machine(tmp_path, files) == Capacity(4.0, 3 * GB)


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "9:name=systemd:/\n4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED,
        "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": str(GB),
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000",
        "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
    }
    assert machine(tmp_path, files) == Capacity(0.5, GB)


@pytest.mark.parametrize("text", ["", "nonsense\n", "1:2\n"])
def test_what_cannot_be_read_limits_nothing(tmp_path: Path, text: str) -> None:
    assert machine(tmp_path, {"proc/self/cgroup": text, "sys/fs/cgroup/memory.max": "?"}) == Capacity(8.0, 16 * GB)
