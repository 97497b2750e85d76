"""A program that drives runs in `log.db` of its directory: `recorded_program.py SEED DURABILITY`.

Its runs leave small outputs, some that fill pages, and some that are kept beside the log; another process appends to
the same log. What was acknowledged stands in the file `acknowledged`, a position in each line.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias, cast

from typing_extensions import override

from flowcore.documents.flow_document import compile_flow
from flowcore.errors import CommandRejectedError
from flowcore.ids import RunId
from flowcore.ports import AnyAppend, EventLog
from flowcore.run.commands import ContinueRun, PauseRun
from flowcore.service import create_run, request, unfinished
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.sources.python import PythonSource

RUNS: Final = 3
PLENTY_S: Final = 60.0
CHECKPOINT_PAGES: Final = 64
"""Far more often than SQLite does by itself, so that a short program lives through many checkpoints."""
Durability: TypeAlias = Literal["full", "relaxed", "off"]
"""As of the log; "off" waits for no disk at all, which no log of ours does."""


class TellingLog(SqliteEventLog):
    """A log that tells what it has acknowledged."""

    def __init__(self, durability: Durability) -> None:
        super().__init__("log.db", durability="full" if durability == "full" else "relaxed")
        if durability == "off":
            self._writer._synchronous = "OFF"
        self._writer.cursor().execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
        self._told = os.open("acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @override
    def append(self, *appends: AnyAppend) -> int:
        position = super().append(*appends)
        os.write(self._told, b"%d\n" % position)
        return position


def value(seed: int, name: str) -> Callable[[], Json]:
    """Return a source that leaves a value of a size of its own."""
    random = Random(f"{seed} {name}")
    size = random.choice((1, 1, 300, 5_000, 30_000))
    if name == "s3":
        size = 1_100_000
    return lambda: {"v": random.choice("abc") * size}


def flow(seed: int) -> dict[str, Json]:
    """Return the flow of one run: a few layers, a list, and an attempt that fails."""
    steps: list[Json] = [
        {
            "name": f"s{number}",
            "source": f"call-s{number}",
            "output": [{"name": "v"}],
            "depends_on": _before(seed, number),
        }
        for number in range(8)
    ]
    steps.append({"name": "each", "source": "call-each", "for_each": [1, 2, 3, 4], "depends_on": ["s1"]})
    sources: Json = {
        f"call-{name}": {"type": "python", "configuration": {"callable": name}} for name in (*_names(), "each")
    }
    return {"sources": sources, "flow": steps}


def _names() -> list[str]:
    return [f"s{number}" for number in range(8)]


def _before(seed: int, number: int) -> Json:
    return sorted({f"s{Random(f'{seed} {number}').randrange(number)}"}) if number > 1 else []


def drive(log: EventLog, seed: int, runs: int) -> None:
    """Create *runs* runs, and drive whatever has not ended to its end."""
    registry = load_registry({"python": PythonSource({name: value(seed, name) for name in (*_names(), "each")})})
    clock = SystemClock()
    for number in range(runs):
        create_run(log, compile_flow(flow(seed + number), registry.catalog), at=clock.now(), max_workers=3)
    for run_id in unfinished(log):
        # Whoever had paused it, and was to have it go on, is gone.
        request(log, run_id, ContinueRun(at=clock.now()))
    engine = Engine(log, registry, clock)
    endings = [engine.adopt(run_id) for run_id in unfinished(log)]
    engine.start()
    over = all(ended.wait(PLENTY_S) for ended in endings)
    engine.close()
    assert over, "a run has not come to its end"
    engine.check()


def ask(log: EventLog, runs: tuple[RunId, ...]) -> None:
    """Pause runs and have them go on, from a process that drives none of them."""
    clock = SystemClock()
    for run_id in runs:
        for kind in (PauseRun, ContinueRun):
            try:
                request(log, run_id, kind(at=clock.now()))
            except CommandRejectedError:
                break


def main() -> None:
    task, durability = sys.argv[1], cast("Durability", sys.argv[2])
    log = TellingLog(durability)
    if task == "ask":
        ask(log, tuple(log.runs()))
        log.close()
        return
    registry = load_registry({"python": PythonSource({name: value(int(task), name) for name in (*_names(), "each")})})
    create_run(log, compile_flow(flow(int(task)), registry.catalog), at=SystemClock().now())
    with subprocess.Popen([sys.executable, str(Path(__file__)), "ask", durability]) as other:
        drive(log, int(task), RUNS - 1)
    assert not other.returncode
    log.close()


if __name__ == "__main__":
    main()
