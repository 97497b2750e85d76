"""What the steps of this process may use together: so many cores, so much memory.

A step that has said what it needs starts when that is free; others are not counted. One that needs more than there is
at all gets what there is (`clamp`), or waits, and the reason is told (`strict`). Nobody hands a graphics processor to a
step, so one that needs it needs more than there is; room on disk is not counted.
"""

import logging
from functools import cached_property
from typing import Final

import attrs

from flowcore.artifacts import Fit, Resources, Vendor

from .capacity import Capacity, this_machine

_LOG: Final = logging.getLogger("flowcore.run")


class Budget:
    """What is free; for one thread at a time, like the pool."""

    def __init__(self, capacity: Capacity | None = None, fit: Fit = Fit.CLAMP) -> None:
        """Share out *capacity*, or what this process may use; *fit* says what becomes of a step that needs more."""
        self._given = capacity
        self._fit = fit
        self._cores = 0.0
        self._memory = 0
        self._told: set[tuple[str, Resources]] = set()

    @cached_property
    def _capacity(self) -> Capacity:
        # Reading it takes longer than a whole run of steps that say nothing of what they need.
        return self._given or this_machine()

    def reserve(self, wanted: Resources | None, step: str) -> Resources | None:
        """Take what *step* wants, or as much of it as there can be; None when it must wait for others to end.

        What is not wanted at all is given at once: ask only for steps that have said what they need.
        """
        if wanted is None:
            return None
        cores, memory = self._capacity.cores, self._capacity.memory_bytes
        if self._exceeds(wanted):
            if self._fit is Fit.STRICT:
                self._tell(wanted, step, f"waits: {self.reason(wanted)}")
                return None
            if wanted.gpu is not None:
                self._tell(wanted, step, f"will have no GPU: {self._need(wanted)}, and nodes are given none")
            wanted = attrs.evolve(
                wanted,
                cores=min(wanted.cores, cores),
                memory_bytes=min(wanted.memory_bytes, memory),
                gpu=None,
                gpu_memory_bytes=0,
            )
        if self._cores + wanted.cores > cores or self._memory + wanted.memory_bytes > memory:
            return None
        self._cores += wanted.cores
        self._memory += wanted.memory_bytes
        return wanted

    def reason(self, wanted: Resources) -> str:
        """Return why `reserve` has given nothing for *wanted*, for people."""
        # What is larger than all there is gets that much, unless the operator is strict.
        there = f"there are {self._capacity.cores:g} cores and {self._capacity.memory_bytes / 1024**3:.1f} GB"
        if self._exceeds(wanted) and self._fit is Fit.STRICT:
            there += "" if wanted.gpu is None else ", and nodes are given no GPU"
            return f"it cannot start on this machine: {self._need(wanted)}; {there} (`--tier-policy strict`)"
        return f"it waits for what others use: {self._need(wanted, gpu=False)}; {there} for all"

    def _exceeds(self, wanted: Resources) -> bool:
        """Return whether it cannot all be given, whatever others use."""
        there = self._capacity
        return wanted.cores > there.cores or wanted.memory_bytes > there.memory_bytes or wanted.gpu is not None

    @staticmethod
    def _need(wanted: Resources, *, gpu: bool = True) -> str:
        name = f"its tier {wanted.tier}" if wanted.tier else "it"
        needs = f"{wanted.cores:g} cores and {wanted.memory_bytes / 1024**3:.1f} GB of memory"
        if wanted.gpu is None or not gpu:
            return f"{name} needs {needs}"
        vendor = "a GPU" if wanted.gpu == Vendor.ANY else f"a GPU by {wanted.gpu}"
        return f"{name} needs {needs}, and {vendor} with {wanted.gpu_memory_bytes / 1024**3:g} GB"

    def release(self, granted: Resources | None) -> None:
        """Give back what `reserve` gave."""
        if granted is not None:
            self._cores -= granted.cores
            self._memory -= granted.memory_bytes

    def _tell(self, wanted: Resources, step: str, what: str) -> None:
        # Once for each kind of node, not at every turn of the engine; other flows may have steps of that name too.
        if (step, wanted) not in self._told:
            self._told.add((step, wanted))
            _LOG.warning("step '%s' %s", step, what)
