"""`kill -9` at every append and at random moments: nothing acknowledged is lost, and no recorded success runs again."""

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from flowcore.run.events import AttemptLost
from flowcore.service import load
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.e2e.installed_command import Command
from tests.faults.killed_program import FLOWS
from tests.faults.kills import check, kill_at_every_append, kill_many

pytestmark = pytest.mark.faults

KILLS: Final = 200
"""Over two tests, which may run side by side; `nox -s soak` goes on from there."""

PLENTY_S: Final = 60.0


@pytest.mark.parametrize("which", FLOWS)
@pytest.mark.parametrize("stage", ["before", "stored", "acknowledged"])
def test_killed_at_every_append(tmp_path: Path, which: str, stage: str) -> None:
    assert kill_at_every_append(tmp_path, stage, which) >= 3, "there were that many appends to be killed at"


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    found = kill_many(tmp_path, seed, KILLS // 2)
    assert found.kills >= KILLS // 2
    assert found.told > found.runs, "some had told of successes before"


def test_two_hundred_processes_killed_in_the_middle(tmp_path: Path) -> None:
    command = Command(tmp_path)
    steps = "".join(
        f"  - {{name: s{number}, source: {{type: process,"
        f" configuration: {{command: [sh, -c, 'echo s{number} >> ran']}}}}}}\n"
        for number in range(200)
    )
    flow = command.write("flow.yaml", f"flow:\n{steps}")
    process = command.start("run", flow, "-q", "--db", "log.db")
    ran = tmp_path / "ran"
    deadline = time.monotonic() + PLENTY_S
    while not ran.exists() or len(ran.read_text().split()) < 80:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert command("resume", "latest", "-q", "--db", "log.db").code == 0
    log = SqliteEventLog(tmp_path / "log.db")
    counts = Counter(ran.read_text().split())
    run_id = log.runs()[0]
    assert load(log, run_id).status == "succeeded"
    check(log.read(run_id), ran.read_text().split())
    assert len(counts) == 200
    lost = [each.event.instance for each in log.read(run_id) if isinstance(each.event, AttemptLost)]
    assert {step for step, count in counts.items() if count > 1} <= set(lost), "only what was lost has run twice"
    log.close()
