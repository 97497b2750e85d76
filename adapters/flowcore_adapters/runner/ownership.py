"""Who drives a run: one program at a time, as long as it lives (invariant I15).

A program claims a run before it drives it, renews its lease while it lives, and may be followed by another one once the
lease has expired, or at once when it is seen to be gone.
"""

import logging
import os
import socket
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final

from flowcore.errors import LogError
from flowcore.ids import RunId, StreamId
from flowcore.ports import Clock, EventLog, Owner, Requests
from flowcore.run.commands import ResumeRun, Settle
from flowcore.service import RunSession, commit

_LOG: Final = logging.getLogger("flowcore.run")
LEASE_S: Final = 10.0
"""How long a program that has fallen silent keeps its runs, in seconds."""
RENEW_S: Final = LEASE_S / 4
"""How often a program says that it is there, in seconds."""
_LOOK_S: Final = 0.25
"""How long one question to the log may take at most, in seconds: then it is seen whether the watch is over."""


def this_program() -> Owner:
    """Return a new owner for this program."""
    pid = os.getpid()
    return Owner(uuid.uuid4().hex, f"process {pid} on {socket.gethostname()}", _host(), pid)


def is_gone(owner: Owner) -> bool:
    """Return whether *owner* has certainly ended; what runs where it cannot be seen from here may be alive."""
    if owner.host != _host() or not owner.pid:
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    # One that was killed and that nobody has asked about yet still has its number.
    with suppress(OSError, IndexError):
        return (
            Path(f"/proc/{owner.pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2][1] == "Z"
        )
    return False


def is_this_program(owner: Owner) -> bool:
    """Return whether *owner* is of this very process."""
    return owner.host == _host() and owner.pid == os.getpid()


def claim(log: EventLog, run_id: StreamId, owner: Owner, clock: Clock) -> int:
    """Make *owner* the one who drives *run_id*, also after one that is seen to be gone; return the epoch.

    Raises:
        RunOwnedError: Somebody else drives it.
        RunNotFoundError: There is no such run.
    """
    return log.claim(run_id, owner, now=clock.now(), ttl_s=LEASE_S, over=gone_owner(log, run_id))


def gone_owner(log: EventLog, run_id: StreamId) -> str | None:
    """Return the id of the owner of *run_id* if that is seen to be gone, else None."""
    before = log.ownership(run_id).owner
    return before.id if before is not None and is_gone(before) else None


def is_driven(log: EventLog, run_id: StreamId, clock: Clock) -> bool:
    """Return whether a program drives *run_id*, as far as can be seen from here."""
    ownership = log.ownership(run_id)
    return ownership.held(clock.now()) and ownership.owner is not None and not is_gone(ownership.owner)


def end_stopped(log: EventLog, run_id: RunId, clock: Clock) -> None:
    """Bring a run to its end that was asked to stop and that nobody drives.

    Raises:
        RunOwnedError: Somebody has begun to drive it, and will see to its end.
    """
    owner = this_program()
    session = RunSession(log, run_id, claim(log, run_id, owner, clock))
    try:
        at = clock.now()
        session.execute(ResumeRun(owner=owner.name, epoch=session.epoch, at=at))
        while session.execute(Settle(at=at)):
            pass
        commit(log, [session])
    finally:
        log.release(owner, run_id)


def _host() -> str:
    """Return a text that is equal for programs that see each other's process ids."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


class Watch:
    """A thread that keeps *owner*'s lease alive and tells of what others ask of its runs."""

    def __init__(
        self,
        log: EventLog,
        owner: Owner,
        clock: Clock,
        *,
        notice: Callable[[Requests], None],
        left: deque[StreamId],
    ) -> None:
        """Call *notice* with that for which somebody else has appended something; release what is in *left*."""
        self._log = log
        self._owner = owner
        self._clock = clock
        self._notice = notice
        self._left = left
        self._over = Flag()
        self._renew_at = clock.monotonic() + RENEW_S
        # Read before any run is: what comes later is told.
        self._position = log.position()
        self._thread = Thread(target=self._watch, name="flowcore-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; does not wait for the thread, which asks nothing any more once its last question is answered."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.is_set():
            began = self._clock.monotonic()
            try:
                if began >= self._renew_at:
                    self._renew_at = began + RENEW_S
                    self._log.renew(self._owner, now=self._clock.now(), ttl_s=LEASE_S)
                    self._log.release(self._owner, *[self._left.popleft() for _ in range(len(self._left))])
                found = self._log.requests(self._position, _LOOK_S)
            except LogError as error:
                if self._over.is_set():
                    return
                # What cannot be read now may be readable again soon; until then nobody can ask for anything either.
                _LOG.warning("the event log cannot be watched: %s", error)
                self._over.wait(1.0)
                continue
            self._position = found.position
            if found:
                self._notice(found)
            elif self._clock.monotonic() - began < _LOOK_S / 2:
                # A log that answers at once is asked again after a while.
                self._over.wait(_LOOK_S / 4)
