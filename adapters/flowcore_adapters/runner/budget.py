"""What the steps of this process may use together: so many cores, so much memory.

A step that has said what it needs starts when that is free; others are not counted. One that needs more than there is
at all gets what there is (`clamp`), or waits, and the reason is told (`strict`).
"""

import logging
import os
from pathlib import Path
from typing import Final

import attrs

from flowcore.artifacts import Resources
from flowcore.documents.nodes.tiers import Fit

_LOG: Final = logging.getLogger("flowcore.run")
_MEMORY: Final = Path("/proc/meminfo")
_FALLBACK: Final = 4 * 1024**3
"""The memory of a machine that does not tell, in bytes."""


@attrs.frozen
class Capacity:
    """What there is."""

    cores: float
    memory_bytes: int


def this_machine() -> Capacity:
    """Return what this process has."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
        memory = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    except (OSError, StopIteration, ValueError):
        memory = _FALLBACK
    return Capacity(cores, memory)


class Budget:
    """What is free; for one thread at a time, like the pool."""

    def __init__(self, capacity: Capacity, fit: Fit = Fit.CLAMP) -> None:
        """Share out *capacity*; *fit* says what becomes of a step that needs more than that."""
        self._capacity = capacity
        self._fit = fit
        self._cores = 0.0
        self._memory = 0
        self._told: set[tuple[str, Resources]] = set()

    def reserve(self, wanted: Resources | None, step: str) -> Resources | None:
        """Take what *step* wants, or as much of it as there can be; None when it must wait for others to end.

        What is not wanted at all is given at once: ask only for steps that have said what they need.
        """
        if wanted is None:
            return None
        cores, memory = self._capacity.cores, self._capacity.memory_bytes
        if wanted.cores > cores or wanted.memory_bytes > memory:
            if self._fit is Fit.STRICT:
                self._tell(wanted, step)
                return None
            wanted = attrs.evolve(wanted, cores=min(wanted.cores, cores), memory_bytes=min(wanted.memory_bytes, memory))
        if self._cores + wanted.cores > cores or self._memory + wanted.memory_bytes > memory:
            return None
        self._cores += wanted.cores
        self._memory += wanted.memory_bytes
        return wanted

    def reason(self, wanted: Resources) -> str:
        """Return why `reserve` has given nothing for *wanted*, for people."""
        there = f"{self._capacity.cores:g} cores and {self._capacity.memory_bytes / 1024**3:.1f} GB"
        name = f"its tier {wanted.tier}" if wanted.tier else "it"
        needs = f"{name} needs {wanted.cores:g} cores and {wanted.memory_bytes / 1024**3:.1f} GB of memory"
        # What is larger than all there is gets that much, unless the operator is strict.
        larger = wanted.cores > self._capacity.cores or wanted.memory_bytes > self._capacity.memory_bytes
        if larger and self._fit is Fit.STRICT:
            return f"it cannot start on this machine: {needs}; there are {there} (`--tier-policy strict`)"
        return f"it waits for what others use: {needs}; there are {there} for all"

    def release(self, granted: Resources | None) -> None:
        """Give back what `reserve` gave."""
        if granted is not None:
            self._cores -= granted.cores
            self._memory -= granted.memory_bytes

    def _tell(self, wanted: Resources, step: str) -> None:
        # Once for each kind of node, not at every turn of the engine; other flows may have steps of that name too.
        if (step, wanted) not in self._told:
            self._told.add((step, wanted))
            _LOG.warning(
                "step '%s' waits: %s needs %g cores and %.1f GB of memory; this machine has %g and %.1f",
                step,
                wanted.tier or "it",
                wanted.cores,
                wanted.memory_bytes / 1024**3,
                self._capacity.cores,
                self._capacity.memory_bytes / 1024**3,
            )
