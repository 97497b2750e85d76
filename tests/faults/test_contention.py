"""Several processes on one log: no version is given twice, and only the owner of a run appends to it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from flowcore.ids import RunId
from flowcore.ports import Append
from flowcore.run.events import AttemptFailed
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.builders import RUN, created, step
from tests.faults.contending_program import OWNED

pytestmark = pytest.mark.faults

PROGRAM: Final = Path(__file__).with_name("contending_program.py")
PROCESSES: Final = 8
SECONDS: Final = 4.0
PLENTY_S: Final = 60.0


def test_eight_processes_compare_and_append(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteEventLog(path)
    for run_id in (RUN, OWNED):
        log.append(Append(run_id, 0, [created(step("a"))]))
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    programs = [
        subprocess.Popen(
            [sys.executable, "-B", str(PROGRAM), str(path), f"p{number}", str(SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )
        for number in range(PROCESSES)
    ]
    told = {f"p{number}": program.communicate(timeout=PLENTY_S) for number, program in enumerate(programs)}
    assert [program.returncode for program in programs] == [0] * PROCESSES, told
    for kind, run_id in (("free", RUN), ("owned", OWNED)):
        acknowledged: dict[int, str] = {}
        epochs: dict[int, int] = {}
        for name, (out, _) in told.items():
            for line in out.splitlines():
                if line.startswith(kind):
                    version, number, *epoch = line.split()[1:]
                    assert int(version) not in acknowledged, f"version {version} was given twice"
                    acknowledged[int(version)] = f"{name} {number}"
                    epochs[int(version)] = int(epoch[0]) if epoch else 0
        assert acknowledged == stored(log, run_id)
        assert len(acknowledged) >= PROCESSES
        assert [epochs[version] for version in sorted(epochs)] == sorted(epochs.values()), "an epoch went back"
    log.close()


def stored(log: SqliteEventLog, run_id: RunId) -> dict[int, str]:
    """Return what the events of a run say, by their versions."""
    return {each.version: each.event.error for each in log.read(run_id) if isinstance(each.event, AttemptFailed)}
