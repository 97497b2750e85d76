"""What this process may use of its machine: what there is, or what its control groups leave it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

import attrs

_FALLBACK: Final = 4 * 1024**3
"""The memory of a machine that does not tell, in bytes."""


@attrs.frozen
class Capacity:
    """What there is."""

    cores: float
    memory_bytes: int


def this_machine(root: Path = Path("/")) -> Capacity:
    """Return what this process has; *root* is the directory that `proc` and `sys` are in.

    In a container, or under a limited service, that is what its control groups allow, of version 1 or 2.
    """
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except (AttributeError, OSError):
        cores = float(os.cpu_count() or 1)
    memory = _memory(root)
    for group in _groups(root):
        cores = min([cores, *_quotas(group)])
        memory = min([memory, *_numbers(group, "memory.max"), *_numbers(group, "memory.limit_in_bytes")])
    return Capacity(cores, memory)


def _memory(root: Path) -> int:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    except (OSError, StopIteration, ValueError):
        return _FALLBACK


def _groups(root: Path) -> Iterator[Path]:
    """Yield the directories of the control groups that this process is in, and of those around them."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, name = line.split(":", 2)
            top = root / "sys/fs/cgroup" / controllers
            place = PurePosixPath(name.lstrip("/"))
            # In a namespace of its own the names are those outside, and only the top is there.
            yield from (top / each for each in (place, *place.parents) if (top / each).is_dir())


def _quotas(group: Path) -> list[float]:
    """Return how many cores *group* may use at once; nothing when that is not limited."""
    found = _numbers(group, "cpu.max") or [*_numbers(group, "cpu.cfs_quota_us"), *_numbers(group, "cpu.cfs_period_us")]
    quota, period = found if len(found) == 2 else (0, 0)  # noqa: PLR2004 - a quota and its period
    return [quota / period] if quota > 0 and period > 0 else []


def _numbers(group: Path, name: str) -> list[int]:
    """Return the numbers in a file of *group*; none when there is no such file, or when it says `max`."""
    with suppress(OSError, ValueError):
        return [int(word) for word in (group / name).read_text(encoding="ascii").split()]
    return []
