"""What durability costs: resuming a long run, one append beside a bare commit, many small runs.

- Resume of a run with 10,000 finished steps: at most 1 s to the first new step.
- Append to acknowledgement: the median at most 3 times that of a bare commit of one row, SQLite FULL, in the same run.
- 1,000 runs of 5 steps that do nothing, in one process, SQLite FULL: at least 1,500 steps/s.
"""

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from shapes import SHAPES, flow

from flowcore.ids import InstanceId, RunId
from flowcore.model import Source
from flowcore.ports import Append
from flowcore.run.events import AttemptStarted, RunCreated, RunStarted
from flowcore.run.state import RunState
from flowcore.service import create_run, load
from flowcore.values import Instant
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.collector import uncollected
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.runner.local import LocalRunner

VALUE = Source(type="value", configuration={"value": 1})
ROUNDS = 500


def resume(folder: Path) -> None:
    """Cut a run of 10,000 steps just before its last one, and go on with it."""
    path = folder / "resume.db"
    log = SqliteEventLog(path, durability="relaxed")
    runner = LocalRunner(flow(SHAPES["chain"](10_001), VALUE), log=log)
    runner.run()
    run_id, versions = runner.run_id, log.version(runner.run_id)
    log.close()
    with sqlite3.connect(path) as connection:
        # Its last step (a start, a success) and the end of the run never happened.
        connection.execute("DELETE FROM events WHERE version > ?", (versions - 3,))
        connection.execute("UPDATE runs SET version = ?, owner = NULL", (versions - 3,))
    connection.close()
    log = SqliteEventLog(path)
    started = time.perf_counter()
    engine = Engine(log, load_registry(), SystemClock())
    ended = engine.adopt(run_id)
    engine.start()
    ended.wait()
    print(f"resume after 10,000 steps: {time.perf_counter() - started:.2f} s to the last step (limit 1 s)")
    engine.close()
    log.close()


def median(work: Callable[[int], object]) -> float:
    """Return the median of many rounds, in seconds."""
    taken: list[float] = []
    for number in range(ROUNDS):
        start = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def append(folder: Path) -> None:
    """Compare one event with one row."""
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, data TEXT)")

    def row(_number: int) -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO events (data) VALUES (?)", ("x" * 100,))
        bare.execute("COMMIT")

    log = SqliteEventLog(folder / "append.db")
    run_id = RunId(1)
    created = RunCreated(run_id=run_id, flow=flow({}, VALUE), max_workers=1, at=Instant(0.0))
    log.append(Append(run_id, 0, [created, RunStarted(at=Instant(0.0))]))

    def event(number: int) -> None:
        started = AttemptStarted(instance=InstanceId("a"), attempt=number + 1, at=Instant(0.0))
        log.append(Append(run_id, number + 2, [started]))

    theirs, ours = median(row), median(event)
    print(f"append: {ours * 1e6:.0f} us, a bare commit {theirs * 1e6:.0f} us: {ours / theirs:.2f} times (limit 3)")
    bare.close()
    log.close()


def many_runs(folder: Path) -> None:
    """Drive 1,000 runs of 5 steps."""
    log, clock = SqliteEventLog(folder / "many.db"), SystemClock()
    five = flow(SHAPES["chain"](5), VALUE)
    engine = Engine(log, load_registry(), clock)
    engine.start()
    started = time.perf_counter()
    ended = [engine.adopt(create_run(log, five, at=clock.now())) for _ in range(1_000)]
    for each in ended:
        each.wait()
    print(f"1,000 runs of 5 steps: {5_000 / (time.perf_counter() - started):.0f} steps/s (limit 1,500)")
    engine.close()
    log.close()


def loading(folder: Path) -> None:
    """Fold a run of 100,000 events."""
    log = SqliteEventLog(folder / "loading.db", durability="relaxed")
    runner = LocalRunner(flow(SHAPES["layers"](50_000), VALUE), log=log)
    runner.run()
    best: list[float] = []
    state = RunState()
    for _ in range(3):
        start = time.perf_counter()
        with uncollected():  # as the engine does
            state = load(log, runner.run_id)
        best.append(time.perf_counter() - start)
    print(f"loading a run of {state.version:,} events: {min(best):.2f} s (limit 0.3 s)")
    log.close()


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        resume(folder)
        append(folder)
        many_runs(folder)
        loading(folder)


if __name__ == "__main__":
    main()
