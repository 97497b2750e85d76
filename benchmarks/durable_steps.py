"""Steps with the SQLite log at FULL: what durability costs, beside bare commits to the same disk.

A fan-out of 1,000 steps that do nothing: at least 8,000 steps/s through group commit.
"""

import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from shapes import SHAPES, flow

from flowcore.model import Source
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.runner.local import LocalRunner

ROUNDS = 3
STEPS = 1_000


def bare(folder: Path, rows: int, commits: int) -> float:
    """Return how many rows a second bare commits of *rows* rows each bring to the disk."""
    connection = sqlite3.connect(folder / f"bare-{rows}-{time.monotonic_ns()}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, data TEXT)")
    start = time.perf_counter()
    for _ in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events (data) VALUES (?)", [("x" * 100,)] * rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return rows * commits / seconds


def ours(folder: Path, shape: str, source: Source, workers: int) -> float:
    """Return the steps per second of a run whose log is on the disk."""
    log = SqliteEventLog(folder / f"ours-{time.monotonic_ns()}.db")
    runner = LocalRunner(flow(SHAPES[shape](STEPS), source), log=log, max_workers=workers)
    runner.prepare()
    start = time.perf_counter()
    runner.run()
    seconds = time.perf_counter() - start
    assert runner.status.state == "succeeded"
    log.close()
    return STEPS / seconds


def main() -> None:
    """Print the table."""
    value = Source(type="value", configuration={"value": 1})
    python = Source(type="python", configuration={"callable": "noop_steps:nothing"})
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        for rows, commits in ((1, 1_000), (10, 500)):
            print(
                f"bare commits of {rows:>2}: {max(bare(folder, rows, commits) for _ in range(ROUNDS)):>8.0f} events/s"
            )
        # With 4 workers a commit brings 4 ends and 4 starts: more than 4 steps for each the disk does not allow.
        most = max(bare(folder, 8, 250) for _ in range(ROUNDS)) / 2
        print(f"4 workers, were there nothing but commits of 8: {most:>8.0f} steps/s")
        for shape in SHAPES:
            for kind, source, workers in (("loop", value, 4), ("pool", python, 4), ("pool", python, 32)):
                best = max(ours(folder, shape, source, workers) for _ in range(ROUNDS))
                print(f"{shape:<8} {kind} {workers:>2} workers: {best:>8.0f} steps/s")


if __name__ == "__main__":
    main()
