"""Power cuts: a program is recorded once, and its disk is made again as it may have been at any moment."""

import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from random import Random
from typing import Final, TypeAlias

import attrs

from flowcore.errors import FlowcoreError
from flowcore.invariants import violations
from flowcore.service import load, unfinished
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.faults.recorded_program import RUNS, Durability, drive
from tests.faults.system_calls import OPTIONS, Call, Replay, calls

PROGRAM: Final = Path(__file__).with_name("recorded_program.py")
LONGEST_S: Final = 120.0
GO_ON: Final = 0.02
"""In how many of the cuts the runs that were cut off are driven to their end: it takes longer than all the rest."""

Event: TypeAlias = tuple[int, int, int, str, str, int, str | None]
"""A row: position, run, version, type, data, epoch, names of large values."""


@attrs.frozen
class Recording:
    """What a program has done.

    Attributes:
        home: Its directory.
        moments: Its system calls, in their order.
        events: What was in its log at the end.
    """

    home: PurePosixPath
    moments: tuple[Call, ...]
    events: tuple[Event, ...]


@attrs.define
class Findings:
    """What the cuts came to.

    Attributes:
        cuts: How many there were.
        lost: Of them, after how many an acknowledged event was missing.
        broken: What else was wrong.
        unacknowledged: Cuts after which there was more than had been acknowledged.
        continued: Cuts after which the runs were driven to their end.
        moments: At how many different moments of the recording the power was cut.
    """

    cuts: int = 0
    lost: int = 0
    broken: list[str] = attrs.field(factory=list[str])
    unacknowledged: int = 0
    continued: int = 0
    moments: int = 0


def record(home: Path, seed: int, durability: Durability) -> Recording:
    """Run the program in *home*, an empty directory, and return what it did."""
    assert shutil.which("strace") is not None, "strace records what the program does: apt-get install strace"
    home = home.resolve()
    trace = home.with_name(f"{home.name}.strace")
    command = ["strace", "-o", str(trace), *OPTIONS, sys.executable, "-B", str(PROGRAM), str(seed), durability]
    ended = subprocess.run(command, check=False, cwd=home, capture_output=True, encoding="utf-8", timeout=LONGEST_S)
    assert ended.returncode == 0, ended.stderr
    with trace.open(encoding="ascii", errors="strict") as lines:
        mark = str(home).encode().hex()
        kept = tuple(call for call in calls(lines) if mark in call.arguments.replace("\\x", ""))
    trace.unlink()
    log = SqliteEventLog(home / "log.db")
    assert [load(log, run_id).status for run_id in log.runs()] == ["succeeded"] * RUNS
    recording = Recording(PurePosixPath(home), kept, _rows(log))
    log.close()
    return recording


def cut(recording: Recording, scratch: Path, seed: int, count: int) -> Findings:
    """Cut the power at *count* moments, and look at what is left, in *scratch*."""
    random = Random(seed)
    findings = Findings()
    dark = sorted(random.choices(range(len(recording.moments)), k=count))
    findings.moments = len(set(dark))
    replay = Replay(recording.home)
    for number, call in enumerate(recording.moments):
        replay.take(call)
        while dark and dark[0] == number:
            dark.pop(0)
            home = scratch / "disk"
            home.mkdir()
            own = random.getrandbits(64)
            replay.disk.cut(Random(own), home)
            if own % 2:  # what is in shared memory is no part of the disk, but its file may be
                (home / "log.db-shm").write_bytes(Random(own).randbytes(32768))
            findings.cuts += 1
            try:
                _look(recording, home, replay.acknowledged, findings, go_on=own / 2**64 < GO_ON)
            except (FlowcoreError, AssertionError) as error:
                findings.broken.append(f"moment {number}, disk {own}: {error!r}")
            shutil.rmtree(home)
    return findings


def _look(recording: Recording, home: Path, acknowledged: int, findings: Findings, *, go_on: bool) -> None:
    """See that the log opens, holds what was acknowledged and a beginning of what happened, and can be gone on with."""
    log = SqliteEventLog(home / "log.db")
    try:
        events = _rows(log)
        assert events == recording.events[: len(events)], "what is there is not what was appended"
        assert log.check_file() == [], "the file is damaged"
        for run_id in log.runs():
            recorded = list(log.read(run_id))
            assert violations(recorded) == [], "an invariant is broken"
            assert log.version(run_id) == len(recorded), "a run is cut off"
        findings.lost += len(events) < acknowledged
        findings.unacknowledged += len(events) > acknowledged
        if go_on:
            drive(log, 0, 0)
            assert not unfinished(log), "a run has not come to its end"
            assert all(violations(log.read(run_id)) == [] for run_id in log.runs()), "an invariant is broken"
            findings.continued += 1
    finally:
        log.close()


def _rows(log: SqliteEventLog) -> tuple[Event, ...]:
    with log._readers.lend() as cursor:
        rows: list[Event] = cursor.execute(
            "SELECT position, run_id, version, type, data, epoch, large FROM events ORDER BY position"
        ).fetchall()
    assert [position for position, *_ in rows] == list(range(1, len(rows) + 1))
    return tuple(rows)
