"""`kill -9` at every boundary and at random times: nothing acknowledged is lost, and no recorded success runs again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from flowcore.invariants import violations
from flowcore.ports import EventLog
from flowcore.run.events import AttemptLost, AttemptStarted, AttemptSucceeded
from flowcore.service import load
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

PLENTY_S: Final = 60.0
PROGRAM: Final = Path(__file__).with_name("killed_program.py")


def go(home: Path, stage: str, number: int, which: str) -> int:
    """Run the program, or go on with its run; return how it ended."""
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), stage, str(number), which],
        check=False,
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=PLENTY_S,
    )
    assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
    return ended.returncode


def check(log: EventLog, ran: Mapping[str, int]) -> None:
    """See that the run has ended well, that its history is sound, and that nothing ran more often than it may."""
    (run_id,) = log.runs()
    recorded = list(log.read(run_id))
    assert load(log, run_id).status == "succeeded"
    assert violations(recorded) == []
    events = [each.event for each in recorded]
    successes = Counter(event.instance for event in events if isinstance(event, AttemptSucceeded))
    assert set(successes.values()) == {1}, "a recorded success happens once"
    starts = Counter(event.instance.partition("/")[0] for event in events if isinstance(event, AttemptStarted))
    wins = Counter(instance.partition("/")[0] for instance in successes.elements())
    for step, count in ran.items():
        assert wins[step] <= count <= starts[step], "every success has had its effect, and no attempt more than one"


@pytest.mark.parametrize("which", ["diamond", "fan-out"])
@pytest.mark.parametrize("stage", ["before", "stored", "acknowledged"])
def test_killed_at_every_boundary_of_an_append(tmp_path: Path, which: str, stage: str) -> None:
    died = number = 0
    while number < 40:
        number += 1
        home = tmp_path / str(number)
        home.mkdir()
        if go(home, stage, number, which) == 0:
            break
        died += 1
        acknowledged = [int(line) for line in (home / "acknowledged").read_text().split()] if number > 1 else []
        if not (home / "log.db").exists():
            continue
        log = SqliteEventLog(home / "log.db")
        assert log.position() >= max(acknowledged, default=0), "what was acknowledged is there"
        log.close()
        assert go(home, "never", 0, which) == 0
        log = SqliteEventLog(home / "log.db")
        check(log, Counter((home / "ran").read_text().split()))
        log.close()
    assert died >= 4, "there were that many appends to be killed at"


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_times(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    command = Command(tmp_path)
    steps = "".join(
        f"  - {{name: s{number}, depends_on: [{f's{number - 3}' if number >= 3 else ''}],"
        f" source: {{type: process, configuration: {{command: [sh, -c, 'echo s{number} >> ran; sleep 0.1']}}}}}}\n"
        for number in range(60)
    )
    flow = command.write("flow.yaml", f"flow:\n{steps}")
    kills = 0
    arguments: tuple[str, ...] = ("run", flow, "-q", "--max-workers", "3", "--db", "log.db")
    while True:
        process = command.start(*arguments)
        try:
            code = process.wait(chance.uniform(0.4, 0.8))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            kills += 1
        _, err = process.communicate()
        if code == 0 or "is over: it has succeeded" in err:
            break
        assert code == -signal.SIGKILL, err
        if command("runs", "--json", "--db", "log.db").out.strip() != "[]":
            arguments = ("resume", "latest", "-q", "--db", "log.db")
        assert kills < 200
    assert kills >= 3
    log = SqliteEventLog(tmp_path / "log.db")
    check(log, Counter((tmp_path / "ran").read_text().split()))
    log.close()


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
    check(log, counts)
    assert len(counts) == 200
    lost = [each.event.instance for each in log.read(log.runs()[0]) if isinstance(each.event, AttemptLost)]
    assert {step for step, count in counts.items() if count > 1} <= set(lost), "only what was lost has run twice"
    log.close()
