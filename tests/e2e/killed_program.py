"""A program that drives a run and kills itself at an append: `killed_program.py STAGE NUMBER FLOW`, in its directory.

STAGE is `before` (nothing is stored), `stored` (and not acknowledged) or `acknowledged`; each function that a step
calls leaves its name in the file `ran`, each acknowledged position stands in `acknowledged`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from typing_extensions import override

from flowcore.documents.flow_document import compile_flow
from flowcore.ports import Append
from flowcore.service import create_run, unfinished
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.sources.python import PythonSource

NAMES: Final = ("a", "b", "c", "d", "each")


def step(name: str, **more: Json) -> dict[str, Json]:
    return {"name": name, "source": f"call-{name}", **more}


FLOWS: Final[dict[str, list[Json]]] = {
    "diamond": [
        step("a"),
        step("b", depends_on=["a"]),
        step("c", depends_on=["a"]),
        step("d", depends_on=["b", "c"]),
    ],
    "fan-out": [
        step("a"),
        step("each", depends_on=["a"], for_each=[1, 2, 3], max_parallel=2),
        step("d", depends_on=["each"], when="{{ `true` }}"),
    ],
}


class KillingLog(SqliteEventLog):
    """A log whose program dies at one of its appends."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__("log.db")
        self.stage, self.number, self.appends = stage, number, 0

    @override
    def append(self, *appends: Append) -> int:
        self.appends += 1
        self.die("before")
        position = super().append(*appends)
        self.die("stored")
        with Path("acknowledged").open("a", encoding="utf-8") as acknowledged:
            acknowledged.write(f"{position}\n")
        self.die("acknowledged")
        return position

    def die(self, stage: str) -> None:
        if (self.stage, self.number) == (stage, self.appends):
            os.kill(os.getpid(), signal.SIGKILL)


def mark(name: str) -> Callable[[], None]:
    def work() -> None:
        with Path("ran").open("a", encoding="utf-8") as ran:
            ran.write(f"{name}\n")

    return work


def main() -> None:
    stage, number, which = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    registry = load_registry({"python": PythonSource({name: mark(name) for name in NAMES})})
    sources: Json = {f"call-{name}": {"type": "python", "configuration": {"callable": name}} for name in NAMES}
    log, clock = KillingLog(stage, number), SystemClock()
    left = unfinished(log)
    if left:
        run_id = left[0]
    elif log.runs():
        return
    else:
        flow = compile_flow({"sources": sources, "flow": FLOWS[which]}, registry.catalog)
        run_id = create_run(log, flow, at=clock.now(), max_workers=2)
    engine = Engine(log, registry, clock)
    ended = engine.adopt(run_id)
    engine.start()
    assert ended.wait(30)
    engine.close()
    engine.check()


if __name__ == "__main__":
    main()
