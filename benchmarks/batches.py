"""A batch of 1,000 runs of 4 steps: in memory, and with the SQLite log at FULL.

From the moment it is accepted until its end is recorded: at most 0.65 s in memory, which is what the original takes
without any durability, and 1.5 s with the log on the disk. Beside it, what the process holds in memory.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from flowcore.batch.events import BatchSource
from flowcore.batch.machine import BatchStatus
from flowcore.batch_service import NewBatch, NewItem, create_batch, load_batch
from flowcore.ids import StepName
from flowcore.model import Flow, Output, Source, Step
from flowcore.ports import EventLog
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine

ITEMS = 1_000
ROUNDS = 3


def flow() -> Flow:
    """Return a chain of four steps that do nothing."""
    names = [StepName(f"step-{number}") for number in range(4)]
    steps = tuple(
        Step(
            name=name,
            source="value",
            outputs=(Output(name="data"),),
            depends_on=tuple(names[max(0, place - 1) : place]),
        )
        for place, name in enumerate(names)
    )
    return Flow(name="four", sources={"value": Source(type="value", configuration={"value": 1})}, steps=steps)


def measure(log: EventLog) -> tuple[float, float]:
    """Return how long it took to accept a batch, and to bring it to its end, in seconds."""
    clock = SystemClock()
    engine = Engine(log, load_registry(), clock)
    engine.start()
    items = [NewItem(name=f"workflow{number}.json", flow=flow()) for number in range(1, ITEMS + 1)]
    start = time.perf_counter()
    batch_id = create_batch(log, NewBatch(source=BatchSource.WORKFLOWS, items=items, workers=4), at=clock.now())
    accepted = time.perf_counter() - start
    engine.adopt_batch(batch_id).wait()
    seconds = time.perf_counter() - start
    engine.close()
    assert load_batch(log, batch_id).status is BatchStatus.SUCCEEDED
    return accepted, seconds


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        for number in range(ROUNDS):
            for kind in sys.argv[1:] or ("memory", "sqlite"):
                log = SharedMemoryEventLog() if kind == "memory" else SqliteEventLog(Path(name) / f"{number}.db")
                accepted, seconds = measure(log)
                log.close()
                print(f"{kind:8} accepted in {accepted:5.2f} s, ended after {seconds:5.2f} s")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{megabytes:.0f} MB at most")


if __name__ == "__main__":
    main()
