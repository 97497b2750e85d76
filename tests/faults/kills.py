"""`kill -9` of the command at random moments: what it had told on stderr is held against what its log says."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Final

import attrs

from flowcore.invariants import violations
from flowcore.ports import Recorded
from flowcore.run.events import AttemptStarted, AttemptSucceeded
from flowcore.service import load
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.e2e.installed_command import Command

STEPS: Final = 60
"""With more of them the command would tell failures only."""
LONGEST_S: Final = 60.0
START_S: Final = 0.3
"""About as long as the command takes to begin: some are killed before they have said anything."""
_TOLD: Final = re.compile(rb"^(s\d+) +(running|succeeded)\b", re.MULTILINE)


PROGRAM: Final = Path(__file__).with_name("killed_program.py")


@attrs.define
class Killed:
    """What the kills came to.

    Attributes:
        kills: How many there were.
        told: How many successes had been told before.
        runs: How many runs came to their end.
    """

    kills: int = 0
    told: int = 0
    runs: int = 0


def kill_many(home: Path, seed: int, kills: int) -> Killed:
    """Run flows and kill the command until it was killed *kills* times; each run is resumed until it succeeds.

    Raises:
        AssertionError: Something that was acknowledged is lost, or a recorded success ran again.
    """
    found = Killed()
    while found.kills < kills:
        directory = home / f"{seed}-{found.runs}"
        directory.mkdir()
        _one_run(Command(directory), Random(f"{seed} {found.runs}"), found, kills)
        found.runs += 1
    return found


def kill_at_every_append(home: Path, stage: str, which: str) -> int:
    """Kill a program at each of its appends, have another one go on, and look at both logs; return how many there were.

    Raises:
        AssertionError: Something that was acknowledged is lost, or a recorded success ran again.
    """
    ended = subprocess.run(
        [sys.executable, "-B", str(PROGRAM), stage, which],
        check=False,
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_S,
    )
    assert ended.returncode == 0, ended.stderr
    points = int(ended.stdout)
    for number in range(1, points + 2):
        place = home / str(number)
        if number <= points:
            _check_log(place / "first", over=False)
        _check_log(place, over=True)
    return points


def _check_log(home: Path, *, over: bool) -> None:
    told, ran = home / "acknowledged", home / "ran"
    acknowledged = [int(line) for line in told.read_text().split()] if told.exists() else []
    log = SqliteEventLog(home / "log.db")
    try:
        assert log.position() >= max(acknowledged, default=0), "what was acknowledged is there"
        assert log.check_file() == []
        for run_id in log.runs():
            history = list(log.read(run_id))
            assert violations(history) == []
            if over:
                assert load(log, run_id).status == "succeeded"
                check(history, ran.read_text().split() if ran.exists() else [])
        assert log.runs() or not over
    finally:
        log.close()


def write_flow(command: Command, chance: Random) -> str:
    """Write a flow of processes that leave a line in `ran`, and return its name."""
    steps = "".join(
        f"  - {{name: s{number}, depends_on: [{', '.join(_needs(number, chance))}],"
        f" source: {{type: process, configuration: {{command: [sh, -c, 'echo s{number} >> ran']}}}}}}\n"
        for number in range(STEPS)
    )
    return command.write("flow.yaml", f"flow:\n{steps}")


def check(recorded: Iterable[Recorded], ran: Iterable[str]) -> None:
    """See that a history is sound, and that nothing in it had more effects than it may."""
    history = list(recorded)
    assert violations(history) == []
    events = [each.event for each in history]
    wins = Counter(event.instance for event in events if isinstance(event, AttemptSucceeded))
    assert set(wins.values()) <= {1}, "a recorded success happens once"
    starts = Counter(_step(event.instance) for event in events if isinstance(event, AttemptStarted))
    successes = Counter(map(_step, wins))
    counts = Counter(ran)
    for step in {*successes, *counts}:
        made, needed, allowed = counts[step], successes[step], starts[step]
        assert needed <= made <= allowed, f"{step}: {made} effects, {needed} successes, {allowed} attempts"


def _step(instance: str) -> str:
    return instance.partition("/")[0]


def _needs(number: int, chance: Random) -> list[str]:
    return sorted({f"s{chance.randrange(number)}" for _ in range(chance.randrange(3))}) if number else []


def _one_run(command: Command, chance: Random, found: Killed, kills: int) -> None:
    flow = write_flow(command, chance)
    start = ("run", flow, "--max-workers", "3", "--db", "log.db")
    arguments: tuple[str, ...] = start
    told: dict[str, set[str]] = {"running": set(), "succeeded": set()}
    for _ in range(10 * STEPS):
        code, text = _start_and_kill(command, arguments, chance, spare=found.kills >= kills)
        for name, word in _TOLD.findall(text):
            told[word.decode()].add(name.decode())
        found.kills += code == -signal.SIGKILL
        ended = _look(command.home, told)
        assert code in {0, -signal.SIGKILL} or ended, text.decode()
        if ended:
            found.told += len(told["succeeded"])
            return
        arguments = ("resume", "latest", "--db", "log.db") if ended is False else start
    raise AssertionError("the run has not come to its end")


def _start_and_kill(command: Command, arguments: tuple[str, ...], chance: Random, *, spare: bool) -> tuple[int, bytes]:
    """Start the command and kill it after some lines, or some time; return how it ended and what it has told."""
    lines = chance.randint(1, 30) if chance.random() < 0.9 else 10_000
    begun = time.monotonic()
    until = begun + (LONGEST_S if spare or lines < 10_000 else chance.uniform(0.0, START_S))
    pause_s = chance.choice((0.0, 0.0, chance.uniform(0.0, 0.005)))
    with subprocess.Popen(
        [command.program, *arguments],
        cwd=command.home,
        env=command.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        pipe, text = process.stderr.fileno(), b""
        while select.select([pipe], [], [], max(until - time.monotonic(), 0.0))[0]:
            piece = os.read(pipe, 65536)
            text += piece
            if not piece or (not spare and text.count(b"\n") >= lines):
                break
        if not spare and process.poll() is None:
            time.sleep(pause_s)
            os.killpg(process.pid, signal.SIGKILL)
        text += process.stderr.read()
        process.wait(LONGEST_S)
    return process.returncode, text


def _look(home: Path, told: dict[str, set[str]]) -> bool | None:
    """See that what was told is recorded; return whether the run is over, None when there is none yet."""
    if not (home / "log.db").exists():
        assert not told["running"]
        return None
    log = SqliteEventLog(home / "log.db")
    try:
        runs = log.runs()
        if not runs:
            assert not told["running"]
            return None
        (run_id,) = runs
        recorded = list(log.read(run_id))
        events = [each.event for each in recorded]
        assert told["succeeded"] <= {each.instance for each in events if isinstance(each, AttemptSucceeded)}
        assert told["running"] <= {each.instance for each in events if isinstance(each, AttemptStarted)}
        state = load(log, run_id)
        if not state.ended:
            assert violations(recorded) == []
            return False
        assert state.status == "succeeded"
        check(recorded, (home / "ran").read_text().split())
        return True
    finally:
        log.close()
