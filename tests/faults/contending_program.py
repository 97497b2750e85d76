"""One of several programs that append to the same run as fast as they can: `contending_program.py LOG NAME SECONDS`.

It says what it was told to have appended, `VERSION NUMBER` in each line; the event of that version says `NAME NUMBER`.
"""

import sys
import time

import attrs

from flowcore.errors import FencedError, RunOwnedError, VersionConflictError
from flowcore.ids import RunId
from flowcore.ports import Append, Owner
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.builders import RUN, failed

OWNED = RunId(2)
"""A run that everybody claims, and only the last one to do so may append to."""


def main() -> None:
    """Append until the time is over."""
    path, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    log, clock = SqliteEventLog(path), SystemClock()
    end = time.monotonic() + seconds
    number, epoch = 0, 0
    while time.monotonic() < end:
        number += 1
        event = attrs.evolve(failed("a"), error=f"{name} {number}")
        version = log.version(RUN)
        try:
            log.append(Append(RUN, version, [event]))
        except VersionConflictError:
            pass
        else:
            sys.stdout.write(f"free {version + 1} {number}\n")
        if not number % 5:
            try:
                epoch = log.claim(OWNED, Owner(name, name), now=clock.now(), ttl_s=0.0)
            except RunOwnedError:
                epoch = 0
        if epoch:
            version = log.version(OWNED)
            try:
                log.append(Append(OWNED, version, [event], epoch))
            except (VersionConflictError, FencedError):
                pass
            else:
                sys.stdout.write(f"owned {version + 1} {number} {epoch}\n")
    sys.stdout.flush()
    log.close()


if __name__ == "__main__":
    main()
