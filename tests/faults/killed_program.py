"""Programs that drive a run and kill themselves, each at another of its appends: `killed_program.py STAGE FLOW`.

STAGE is `before` (nothing is stored), `stored` (and not acknowledged) or `acknowledged`. For each append there is a
directory with its number, where another program has gone on with the run, and in it one, `first`, with what the killed
program had left. Each function that a step calls leaves its name in the file `ran`, each acknowledged position stands
in `acknowledged`. What is printed is how many were killed: the next came to its end, so there was no further append.

The programs are forks of one that has everything loaded: a new interpreter for each takes ten times as long.
"""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from typing_extensions import override

from flowcore.documents.flow_document import compile_flow
from flowcore.ports import AnyAppend
from flowcore.service import create_run, unfinished
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.sources.python import PythonSource

NAMES: Final = ("a", "b", "c", "d", "each", "fails", "flaky", "large")


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
    "retries": [
        step("flaky", retry={"max_attempts": 3, "delay": 0}),
        step("a", depends_on=["flaky"]),
    ],
    "failures": [
        step("fails", on_error="skip"),
        step("a", depends_on=["fails"]),
        step("b", depends_on=["a"], on_error="continue"),
        step("c"),
    ],
    "conditions": [
        step("a", when="{{ `false` }}"),
        step("b", depends_on=["a"], on_error="continue"),
        step("c", depends_on=["a"]),
    ],
    "large values": [
        step("large", output=[{"name": "v"}]),
        step("each", for_each="{{ [flows.large.v] }}"),
    ],
}


class KillingLog(SqliteEventLog):
    """A log whose program dies at one of its appends."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__("log.db")
        self.stage, self.number, self.appends = stage, number, 0

    @override
    def append(self, *appends: AnyAppend) -> int:
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


def mark(name: str) -> Callable[[], Json]:
    """Return a function that leaves its name."""

    def work() -> Json:
        with Path("ran").open("a", encoding="utf-8") as ran:
            ran.write(f"{name}\n")
        if name == "fails" or (name == "flaky" and Path("ran").read_text(encoding="utf-8").count(name) % 2):
            raise RuntimeError(name)
        return {"v": "x" * 1_100_000} if name == "large" else None

    return work


def drive(stage: str, number: int, which: str) -> None:
    """Create the run, or go on with it, and kill this process at its append *number*."""
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


def forked(stage: str, number: int, which: str) -> bool:
    """Do that in a process of its own; return whether it was killed."""
    child = os.fork()
    if not child:
        try:
            drive(stage, number, which)
        except BaseException:  # noqa: BLE001 - a fork must never come back
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGKILL}, f"the program ended with {code}"
    return code != 0


def main() -> None:
    """Kill programs until one is through."""
    stage, which = sys.argv[1:]
    number, top = 1, Path.cwd()
    while True:
        home = top / str(number)
        home.mkdir()
        os.chdir(home)
        if not forked(stage, number, which):
            break
        first = Path("first")
        first.mkdir()
        for name in ("log.db", "log.db-wal", "acknowledged"):
            if Path(name).exists():
                shutil.copyfile(name, first / name)
        if Path("log.db.values").exists():
            shutil.copytree("log.db.values", first / "log.db.values")
        assert not forked("never", 0, which)
        number += 1
    sys.stdout.write(f"{number - 1}\n")


if __name__ == "__main__":
    main()
