"""How long the command takes to say anything: `--help` within 150 ms of bare Python, a one-step run within 400 ms."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
FLOW = "flow:\n  - {name: hello, source: {type: process, configuration: {command: [echo, hello]}}}\n"


def seconds(command: list[str]) -> float:
    """Return how long *command* takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians, each round taking all commands in turn."""
    program = str(Path(sys.executable).parent / "flowcore-cli")
    with tempfile.TemporaryDirectory() as folder:
        flow = Path(folder) / "hello.yaml"
        flow.write_text(FLOW, encoding="utf-8")
        commands = {
            "bare python": [sys.executable, "-c", "pass"],
            "--help": [program, "--help"],
            "run, one step": [program, "run", str(flow), "--db", str(Path(folder) / "log.db"), "-q"],
        }
        rounds = [{name: seconds(command) for name, command in commands.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in commands}
    for name, median in medians.items():
        print(f"{name:<14} {median * 1000:>6.0f} ms")
    print(f"--help over bare python: {(medians['--help'] - medians['bare python']) * 1000:.0f} ms (limit 150)")


if __name__ == "__main__":
    main()
