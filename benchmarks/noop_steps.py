"""Steps that do nothing, with the log in memory: what the engine costs.

Through the pool beside a bare `ThreadPoolExecutor` driven by `graphlib` over the same graph; on the loop beside
nothing but its limit of 40,000 steps/s. Best of several rounds, ours and the bare one in turn.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent))

from shapes import SHAPES, Graph, flow

from flowcore.model import Source
from flowcore_adapters.runner.local import LocalRunner

WORKERS = 4
ROUNDS = 3


def nothing() -> None:
    """Do nothing."""


def bare(graph: Graph) -> float:
    """Run *graph* on a bare pool; return the seconds it took. Finished work comes back through a queue."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    done: SimpleQueue[str] = SimpleQueue()
    with ThreadPoolExecutor(WORKERS) as pool:
        start = time.perf_counter()
        while sorter.is_active():
            for name in sorter.get_ready():
                future = pool.submit(nothing)
                future.add_done_callback(lambda _future, name=name: done.put(name))
            sorter.done(done.get())
        return time.perf_counter() - start


def ours(graph: Graph, source: Source) -> float:
    """Run *graph* as a flow; return the seconds it took."""
    runner = LocalRunner(flow(graph, source), max_workers=WORKERS)
    runner.prepare()
    start = time.perf_counter()
    runner.run()
    seconds = time.perf_counter() - start
    status = runner.status
    assert status.state == "succeeded", status
    return seconds


def best(measure: Callable[[], float]) -> float:
    """Return the shortest of some rounds."""
    return min(measure() for _ in range(ROUNDS))


def main() -> None:
    """Print the table."""
    pooled = Source(type="python", configuration={"callable": "noop_steps:nothing"})
    inline = Source(type="value", configuration={"value": 1})
    print(f"{'shape':<8} {'steps':>6} {'bare/s':>9} {'pool/s':>9} {'ratio':>6} {'loop/s':>9}")
    costs: dict[tuple[str, str], list[float]] = {}
    for shape, make in SHAPES.items():
        for steps in (1_000, 10_000):
            graph = make(steps)
            pairs = [(bare(graph), ours(graph, pooled), ours(graph, inline)) for _ in range(ROUNDS)]
            bare_s, pool_s, loop_s = (min(column) for column in zip(*pairs, strict=True))
            costs.setdefault((shape, "pool"), []).append(pool_s / steps)
            costs.setdefault((shape, "loop"), []).append(loop_s / steps)
            print(
                f"{shape:<8} {steps:>6} {steps / bare_s:>9.0f} {steps / pool_s:>9.0f} {bare_s / pool_s:>6.2f}"
                f" {steps / loop_s:>9.0f}"
            )
    for (shape, kind), (small, large) in costs.items():
        print(f"{shape} {kind}: 10,000 steps cost {large / small:.2f} times as much per step as 1,000")


if __name__ == "__main__":
    main()
