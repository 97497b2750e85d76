"""Steps that do nothing, with the log in memory: what the engine costs.

Through the pool beside a bare `ThreadPoolExecutor` driven by `graphlib` over the same graph and with as many workers;
on the loop beside nothing but its limit of 40,000 steps/s. Best of several rounds, ours and the bare one in turn, each
from the graph that it is given to its end: what it takes to set up and to clear away belongs to both.

With `--cpu` the figures are of the time that the processor worked, for machines on which others work as well: what
waits costs nothing then, so the bare pool, whose threads work at once for a part of the time, looks worse by that part.
"""

import argparse
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

WORKERS = (4, 32)
ROUNDS = 7


def nothing() -> None:
    """Do nothing."""


def bare(graph: Graph, workers: int, clock: Callable[[], float]) -> float:
    """Run *graph* on a bare pool; return the seconds it took. Finished work comes back through a queue."""
    start = clock()
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    done: SimpleQueue[str] = SimpleQueue()
    with ThreadPoolExecutor(workers) as pool:
        while sorter.is_active():
            for name in sorter.get_ready():
                future = pool.submit(nothing)
                future.add_done_callback(lambda _future, name=name: done.put(name))
            sorter.done(done.get())
    return clock() - start


def ours(graph: Graph, source: Source, workers: int, clock: Callable[[], float]) -> float:
    """Run *graph* as a flow; return the seconds it took."""
    wanted = flow(graph, source)
    start = clock()
    runner = LocalRunner(wanted, max_workers=workers)
    runner.prepare()
    runner.run()
    seconds = clock() - start
    status = runner.status
    assert status.state == "succeeded", status
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="count the time of the processor alone")
    clock = time.process_time if parser.parse_args().cpu else time.perf_counter
    pooled = Source(type="python", configuration={"callable": "noop_steps:nothing"})
    inline = Source(type="value", configuration={"value": 1})
    print(f"{'shape':<8} {'steps':>6} {'workers':>7} {'bare/s':>9} {'pool/s':>9} {'ratio':>6} {'loop/s':>9}")
    costs: dict[tuple[str, int, str], list[float]] = {}
    for shape, make in SHAPES.items():
        for workers in WORKERS:
            for steps in (1_000, 10_000):
                graph = make(steps)
                rounds = [
                    (
                        bare(graph, workers, clock),
                        ours(graph, pooled, workers, clock),
                        ours(graph, inline, workers, clock),
                    )
                    for _ in range(ROUNDS)
                ]
                bare_s, pool_s, loop_s = (min(column) for column in zip(*rounds, strict=True))
                costs.setdefault((shape, workers, "pool"), []).append(pool_s / steps)
                costs.setdefault((shape, workers, "loop"), []).append(loop_s / steps)
                print(
                    f"{shape:<8} {steps:>6} {workers:>7} {steps / bare_s:>9.0f} {steps / pool_s:>9.0f}"
                    f" {bare_s / pool_s:>6.2f} {steps / loop_s:>9.0f}"
                )
    for (shape, workers, kind), (small, large) in costs.items():
        print(
            f"{shape}, {workers} workers, {kind}: 10,000 steps cost {large / small:.2f} times as much per step as 1,000"
        )


if __name__ == "__main__":
    main()
