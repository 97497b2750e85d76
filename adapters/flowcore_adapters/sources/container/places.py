"""The directories of nodes that run without a container, and what programs that died have left in them.

Whoever runs a node holds a lock on its directory, which ends with the program at the latest: a directory that somebody
else can lock is the rest of a program that died. What that one has started may well go on, for nobody; it is known by
its environment, ended, and its directory removed. (The system's own way, a signal at the death of the parent, is no
good here: what counts as the parent is the thread, and it would have to be asked for between fork and exec.)
"""

import fcntl
import logging
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

_LOG: Final = logging.getLogger("flowcore.containers")
PREFIX: Final = "flowcore-node-"
_NAME: Final = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")
MARKER: Final = ".flowcore-node"
"""A file in each of these directories; without it nothing is ours, whatever it is called. It says where it was made."""
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PROCESSES: Final = Path("/proc")
_ROUNDS: Final = 50
"""How often to look whether what was killed has gone: it may start others while it is being looked for."""
_PAUSE_S: Final = 0.02
VARIABLE: Final = "FLOWCORE_NODE_DIRECTORY"
"""The variable by which the programs of a node are known. It says which directory they have, whatever the node's own
environment says, and is for nothing else: nobody has it by chance, and no `env` makes a node pass for another."""


@contextmanager
def own_place() -> Generator[str]:
    """Give a directory for one attempt, which is removed whatever happens."""
    place, descriptor = _make()
    try:
        yield place
    finally:
        # The lock goes last: nobody else is to clear up what is just being removed.
        shutil.rmtree(place, ignore_errors=True)
        os.close(descriptor)


def _make() -> tuple[str, int]:
    while True:
        place = tempfile.mkdtemp(prefix=PREFIX)
        try:
            descriptor = os.open(place, _OPEN)
        except FileNotFoundError:
            # Somebody who clears up was quicker than the lock.
            continue
        with suppress(OSError):
            # Where there are no locks nobody can have one, and nobody clears up.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(Path(place).stat(follow_symlinks=False), os.fstat(descriptor)):
                Path(place, MARKER).write_text(_here(), encoding="utf-8")
                return place, descriptor
        os.close(descriptor)


def _here() -> str:
    """Return what tells where processes see one another: the start of the system, and the namespace."""
    parts: list[str] = []
    with suppress(OSError):
        parts.append((_PROCESSES / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(str((_PROCESSES / "self/ns/pid").readlink()))
    return " ".join(parts)


def clear_places() -> int:
    """End what programs of this machine that died have left running, and remove its directories; return how many."""
    with ExitStack() as stack:
        places = [place for place in _found() if _is_abandoned(place, stack)]
        signs = frozenset(os.fsencode(f"{VARIABLE}={place}") for place in places)
        if places and not _end_all(signs):
            _LOG.warning("a node that was left behind goes on: it cannot be killed")
            return 0
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
            if Path(place).exists():
                _LOG.warning("a node's directory that was left behind is still there: %s", place)
    return len(places)


def _found() -> list[str]:
    root = tempfile.gettempdir()
    try:
        return [os.path.join(root, name) for name in sorted(os.listdir(root)) if _NAME.fullmatch(name)]  # noqa: PTH118, PTH208 - the text that `mkdtemp` gives
    except OSError:
        return []


def _is_abandoned(place: str, stack: ExitStack) -> bool:
    """Return whether *place* is ours and nobody's any more; *stack* lets go of it."""
    try:
        descriptor = os.open(place, _OPEN)
    except OSError:
        return False
    stack.callback(os.close, descriptor)
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        # Others may call a directory in the same place the same.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Path(place, MARKER).read_text(encoding="utf-8") == _here()
    except (OSError, UnicodeDecodeError):
        return False


def _end_all(signs: frozenset[bytes]) -> bool:
    """Kill every process that has one of *signs* in its environment, with its group; return whether all have gone."""
    for _ in range(_ROUNDS):
        left = frozenset(_left(signs))
        if not left:
            return True
        for pid in left:
            with suppress(OSError):
                group = os.getpgid(pid)
                if group in left and group != os.getpgrp():
                    # The group began with the node: what is in it without that environment belongs to it as well.
                    os.killpg(group, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)
    return False


def _left(signs: frozenset[bytes]) -> Iterator[int]:
    for pid in _pids():
        with suppress(OSError):
            # Empty for one that has ended, and forbidden for one of somebody else.
            environment = (_PROCESSES / str(pid) / "environ").read_bytes()
            if not signs.isdisjoint(environment.split(b"\0")):
                yield pid


def _pids() -> list[int]:
    try:
        names = [entry.name for entry in _PROCESSES.iterdir()]
    except OSError:
        # Not every system tells what runs.
        return []
    own = os.getpid()
    return [int(name) for name in names if name.isdigit() and int(name) != own]
