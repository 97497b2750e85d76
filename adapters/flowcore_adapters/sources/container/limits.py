"""What a container may do, and how it is known again."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import attrs

RUN_LABEL: Final = "flowcore.run"
NODE_LABEL: Final = "flowcore.node"
ATTEMPT_LABEL: Final = "flowcore.attempt"
OWNER_LABEL: Final = "flowcore.owner"
"""Which program made the container: one that has ended cannot want it any more."""
DEFAULT_PIDS: Final = 256
DEFAULT_CORES: Final = 1.0
DEFAULT_MEMORY: Final = 512 * 1024**2
_NANO: Final = 1_000_000_000
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STARTED: Final = 19
"""The place of a process's start time in its `stat`, counted behind the name."""


@attrs.frozen(kw_only=True)
class Limits:
    """What a container may use.

    Attributes:
        cores: Processor cores.
        memory_bytes: Memory, and memory and swap together.
        pids: Processes and threads.
    """

    cores: float = DEFAULT_CORES
    memory_bytes: int = DEFAULT_MEMORY
    pids: int = DEFAULT_PIDS

    @property
    def nano_cpus(self) -> int:
        """The cores in billionths, as engines count them."""
        return int(self.cores * _NANO)


def new_name() -> str:
    """Return the name of a new container."""
    return f"flowcore-{uuid4()}"


def this_owner() -> str:
    """Return what tells this program from every other one, also from a later one with its process id."""
    pid = os.getpid()
    return f"{_machine()}/{_boot()}/{_namespace()}/{pid}/{_start_time(pid)}"


def owner_is_gone(label: str) -> bool:
    """Return whether the program that *label* names has certainly ended; one that cannot be seen from here may live."""
    parts = label.split("/")
    if len(parts) != len(this_owner().split("/")):
        return False
    machine, boot, namespace, pid, started = parts
    if machine != _machine():
        # Another machine that shares this engine.
        return False
    if boot != _boot():
        return True
    return namespace == _namespace() and pid.isdigit() and _start_time(int(pid)) != started


def _machine() -> str:
    with suppress(OSError):
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or socket.gethostname()
    return socket.gethostname()


def _boot() -> str:
    with suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    return ""


def _start_time(pid: int) -> str:
    """Return when a process started, in ticks; empty when there is none, or none that still runs."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in {"Z", "X"} else fields[_STARTED]
    return ""


def labels(run: str, node: str, attempt: int) -> Mapping[str, str]:
    """Return the labels of a container."""
    return {RUN_LABEL: run, NODE_LABEL: node, ATTEMPT_LABEL: str(attempt), OWNER_LABEL: this_owner()}
