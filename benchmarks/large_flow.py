"""A YAML file of 10,000 steps: load and validate within 2 s, load and run within 5 s, at most 200 MB of memory."""

import resource
import sys
import tempfile
import time
from pathlib import Path

from flowcore_adapters.config import load_flow
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.local import LocalRunner

STEPS = 10_000


def document(shape: str) -> str:
    """Return the text of a flow whose steps use each other's outputs."""
    steps = [
        f"""  - name: step{number}
    source: constant
    input: {{type: parameter, value: "{_input(shape, number)}"}}
    output:
      - {{name: value, type: jmespath, value: "@"}}
"""
        for number in range(STEPS)
    ]
    return "sources:\n  constant: {type: value}\nflow:\n" + "".join(steps)


def _input(shape: str, number: int) -> str:
    parent = number - 1 if shape == "chain" else 0
    return "text" if number == 0 else f"{{{{ flows.step{parent}.value }}}}"


def main() -> None:
    """Print the figures of the shape that the first argument names: `chain`, or else every step after the first."""
    shape = sys.argv[1] if len(sys.argv) > 1 else "chain"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.yaml"
        path.write_text(document(shape), encoding="utf-8")
        start = time.perf_counter()
        registry = load_registry()
        flow = load_flow([path], registry.catalog)
        loaded = time.perf_counter() - start
        runner = LocalRunner(flow, registry=registry)
        runner.run()
        total = time.perf_counter() - start
    assert runner.status.state == "succeeded"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{shape}: load and validate {loaded:.2f} s (limit 2), load and run {total:.2f} s (limit 5), peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
