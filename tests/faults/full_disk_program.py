"""A program whose disk is too small: `full_disk_program.py fill|command DIRECTORY BYTES disk|limit`.

`disk`: a file system of its own at DIRECTORY, which this process may make larger. `limit`: no file may be larger than
that, for where nobody may mount anything. `fill` fills a log until an append is refused, reads, tries again, makes room
and goes on; `command` has `flowcore-cli` do the same in the midst of a run. Whatever is wrong is an exception.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from flowcore.errors import LogError
from flowcore.invariants import violations
from flowcore.ports import Append
from flowcore.run.events import Event
from flowcore.service import load
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.builders import RUN, T1, begun, failed, started, step, succeeded
from tests.e2e.installed_command import Command

ROOM_BYTES: Final = 64 * 1024 * 1024
MANY: Final = 100_000
FLOW: Final = "flow:\n" + "".join(
    f"  - {{name: s{number}, output: [{{name: stdout}}], source: {{type: process,"
    f" configuration: {{command: [sh, -c, 'head -c 40000 /dev/zero | tr \"\\\\0\" {number % 10}']}}}}}}\n"
    for number in range(250)
)


def resize(directory: Path, way: str, size: int) -> None:
    """Have that much room."""
    if way == "disk":
        subprocess.run(["mount", "-o", f"remount,size={size}", str(directory)], check=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def refused(append: Callable[[], object]) -> None:
    """See that an append is refused for want of room, and says so."""
    try:
        append()
    except LogError as error:
        text = str(error)
        assert "nothing was appended" in text, text
        assert any(words in text for words in ("the disk is full", "the disk failed", "No space", "too large")), text
    else:
        raise AssertionError("there was still room")


def look(log: SqliteEventLog, acknowledged: int) -> None:
    """See that everything that was acknowledged can be read, and nothing else."""
    recorded = list(log.read(RUN))
    assert (log.position(), log.version(RUN), len(recorded)) == (acknowledged, acknowledged, acknowledged)
    assert violations(recorded) == []
    assert load(log, RUN).version == acknowledged


def attempts(first: int) -> tuple[Event, ...]:
    """Return an attempt that fails with a long message."""
    return started("a", first, T1), attrs.evolve(failed("a", attempt=first, retry=T1), error="x" * 20_000)


def fill(directory: Path, way: str, size: int) -> None:
    """Fill a log, and go on when there is room again."""
    path = directory / "log.db"
    log = SqliteEventLog(path)
    done = log.append(Append(RUN, 0, begun(step("a", retry=MANY, outputs=("v",)))))
    attempt = 0
    while True:
        attempt += 1
        try:
            done = log.append(Append(RUN, done, attempts(attempt)))
        except LogError:
            break
    assert done > 10
    look(log, done)
    second = SqliteEventLog(path)
    look(second, done)
    for _ in range(3):
        refused(lambda: log.append(Append(RUN, done, attempts(attempt) * 50)))
        refused(lambda: second.append(Append(RUN, done, attempts(attempt) * 50)))
    look(log, done)
    second.close()
    large = (started("a", attempt, T1), succeeded("a", {"v": "x" * (size + 1024 * 1024)}, attempt=attempt))
    refused(lambda: log.append(Append(RUN, done, large)))
    assert [each.name for each in directory.glob("log.db.values/*")] == [], "no piece of it is left"
    resize(directory, way, ROOM_BYTES)
    done = log.append(Append(RUN, done, attempts(attempt)))
    large = (started("a", attempt + 1, T1), succeeded("a", {"v": "x" * (size + 1024 * 1024)}, attempt=attempt + 1))
    done = log.append(Append(RUN, done, large))
    look(log, done)
    log.close()
    log = SqliteEventLog(path)
    look(log, done)
    assert log.check_file() == []
    log.close()


def command(directory: Path, way: str) -> None:
    """Have the command meet a full disk in the midst of a run, and go on with it later."""
    flowcore = Command(directory)
    # Its files are no part of what fills the disk.
    flow = flowcore.write("flow.yaml", FLOW)
    ended = flowcore("run", flow, "-q", "--db", "cli.db")
    assert ended.code not in {0, 1}, ended
    assert "Traceback" not in ended.err, ended.err
    assert "disk" in ended.err or "No space" in ended.err, ended.err
    shown = flowcore("show", "latest", "--db", "cli.db")
    assert shown.code == 0, shown
    assert "Traceback" not in shown.err, shown
    resize(directory, way, ROOM_BYTES)
    ended = flowcore("resume", "latest", "-q", "--db", "cli.db")
    assert ended.code == 0, ended
    checked = flowcore("fsck", "--db", "cli.db")
    assert checked.code == 0, checked


def main() -> None:
    """Fill the disk."""
    task, directory, size, way = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if way == "limit":
        resize(directory, way, size)
    if task == "fill":
        fill(directory, way, size)
    else:
        command(directory, way)


if __name__ == "__main__":
    main()
