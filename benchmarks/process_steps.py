"""`process` steps through the whole engine, beside a bare pool that calls `subprocess.run`: at least 0.85 of its rate.

The bare pool and the engine take turns over several rounds, in the same process and after a round each that does not
count; the ratio is that of the medians, because a single round on a busy machine says little.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final

from flowcore_adapters.runner.local import LocalRunner

WORKERS: Final = 4
STEPS: Final = 400
ROUNDS: Final = 7
LIMIT: Final = 0.85
COMMAND: Final = ["true"]


def bare() -> float:
    """Run the steps on a bare pool; return the seconds they took."""
    with ThreadPoolExecutor(WORKERS) as pool:
        start = time.perf_counter()
        futures = [pool.submit(subprocess.run, COMMAND, capture_output=True, check=True) for _ in range(STEPS)]
        for future in futures:
            future.result()
        return time.perf_counter() - start


def ours() -> float:
    """Run the steps as a flow; return the seconds they took."""
    config = {
        "sources": {"true": {"type": "process", "configuration": {"command": COMMAND}}},
        "flow": [{"name": f"step_{number}", "source": "true"} for number in range(STEPS)],
    }
    runner = LocalRunner(config, max_workers=WORKERS)
    runner.prepare()
    start = time.perf_counter()
    runner.run()
    seconds = time.perf_counter() - start
    status = runner.status
    assert status.state == "succeeded", status
    return seconds


def main() -> int:
    """Print the rates and the ratio; fail below the limit."""
    bare()
    ours()
    pairs = [(bare(), ours()) for _ in range(ROUNDS)]
    bare_s, ours_s = (median(column) for column in zip(*pairs, strict=True))
    ratio = bare_s / ours_s
    print(f"bare pool {STEPS / bare_s:>6.0f} steps/s")
    print(f"flowcore  {STEPS / ours_s:>6.0f} steps/s")
    print(f"ratio     {ratio:>6.2f} (at least {LIMIT})")
    return 0 if ratio >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
