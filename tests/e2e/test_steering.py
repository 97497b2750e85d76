"""Stop, pause and continue from any process: whoever drives the run acts on them soon, wherever they come from."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from flowcore.ids import RunId
from flowcore.ports import Recorded
from flowcore.run.commands import ContinueRun, PauseRun, StopRun
from flowcore.run.events import AttemptStarted, RunContinued, RunPaused, RunStopped
from flowcore.run.state import RunState
from flowcore.service import load, request
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.sqlite import SqliteEventLog
from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

SOON_S: Final = 0.2
"""Within so long an owner acts on a request (contract); on a machine that does much else the tests allow more."""
GENEROUS_S: Final = 2.0
PLENTY_S: Final = 30.0
PYTHON: Final = sys.executable
TOLD: Final = (
    "import signal, sys, time\n"
    "def leave(*_):\n"
    "    open('told', 'w').write(str(time.monotonic()))\n"
    "    sys.exit(1)\n"
    "signal.signal(signal.SIGTERM, leave)\n"
    "open('up', 'w').write('1')\n"
    "time.sleep(60)\n"
)
"""A child that writes down when it was told to end: that clock is the same for all processes of the machine."""
SLEEPING: Final = "flow:\n  - name: sleeps\n    source: {type: process, configuration: {command: [PYTHON, child.py]}}\n"
BUSY: Final = "flow:\n" + "".join(
    f"  - {{name: s{number}, source: {{type: process, configuration: {{command: [sleep, '0.02']}}}}}}\n"
    for number in range(400)
)
OWNERS: Final = {
    "serve": (str(Path(PYTHON).with_name("flowcore-cli")), "serve", "flow.yaml", "--db", "log.db", "--port", "0"),
    "run": (str(Path(PYTHON).with_name("flowcore-cli")), "run", "flow.yaml", "--db", "log.db", "-q"),
    "LocalRunner": (PYTHON, str(Path(__file__).with_name("steered_program.py"))),
}
Owner = Callable[[str], None]


@pytest.fixture(params=[*OWNERS.values()], ids=[*OWNERS])
def owner(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Owner]:
    """Return what starts the owner of a run of a flow."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(flow: str) -> None:
        (tmp_path / "child.py").write_text(TOLD, encoding="utf-8")
        (tmp_path / "flow.yaml").write_text(flow.replace("PYTHON", PYTHON), encoding="utf-8")
        processes.append(
            subprocess.Popen(
                request.param,
                cwd=tmp_path,
                env=Command(tmp_path).environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    yield start
    for process in processes:
        process.terminate()
        process.wait(PLENTY_S)


def wait_until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + PLENTY_S
    while not reached():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def state_of(log: SqliteEventLog) -> RunState:
    return load(log, log.runs()[0])


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteEventLog]:
    """Return the log, opened by this process too."""
    opened = SqliteEventLog(tmp_path / "log.db")
    yield opened
    opened.close()


def events_of(log: SqliteEventLog) -> list[Recorded]:
    return list(log.read(log.runs()[0]))


def seconds(events: list[Recorded], first: type[object], then: type[object]) -> float:
    """Return how long it took from an event to the next one of that kind."""
    begun = next(each for each in events if isinstance(each.event, first))
    later = next(each for each in events if each.position > begun.position and isinstance(each.event, then))
    return later.event.at - begun.event.at


def test_a_stop_reaches_the_child_soon(
    tmp_path: Path, owner: Owner, log: SqliteEventLog, record_property: Callable[[str, object], None]
) -> None:
    owner(SLEEPING)
    wait_until((tmp_path / "up").exists)
    asked = time.monotonic()
    request(log, log.runs()[0], StopRun(at=SystemClock().now()))
    wait_until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text())
    took_s = float((tmp_path / "told").read_text()) - asked
    record_property("stop_s", took_s)
    wait_until(lambda: state_of(log).ended)
    assert took_s < GENEROUS_S
    assert state_of(log).status == "stopped", "never `succeeded` after an accepted stop"
    events = events_of(log)
    assert isinstance(events[-1].event, RunStopped)
    assert time.monotonic() - asked < 1.0 + GENEROUS_S, "a step that can be cancelled"


def test_a_pause_holds_and_a_run_goes_on_soon(
    owner: Owner, log: SqliteEventLog, record_property: Callable[[str, object], None]
) -> None:
    owner(BUSY)
    wait_until(lambda: log.runs() and log.version(log.runs()[0]) > 20)
    run_id = log.runs()[0]
    request(log, run_id, PauseRun(at=SystemClock().now()))
    wait_until(lambda: not state_of(log).in_the_air)
    version = log.version(run_id)
    time.sleep(0.5)
    assert log.version(run_id) == version, "nothing new starts"
    request(log, run_id, ContinueRun(at=SystemClock().now()))
    wait_until(lambda: log.version(run_id) > version + 2)
    took_s = seconds(events_of(log), RunContinued, AttemptStarted)
    record_property("continue_s", took_s)
    assert took_s < GENEROUS_S
    request(log, run_id, StopRun(at=SystemClock().now()))
    wait_until(lambda: state_of(log).ended)
    assert state_of(log).status == "stopped"
    events = events_of(log)
    paused = next(each.position for each in events if isinstance(each.event, RunPaused))
    went_on = next(each.position for each in events if isinstance(each.event, RunContinued))
    assert not [each for each in events if paused < each.position < went_on and isinstance(each.event, AttemptStarted)]


def test_two_gunicorn_workers_steer_the_run_of_a_third_process(
    tmp_path: Path, owner: Owner, log: SqliteEventLog
) -> None:
    owner(BUSY)
    wait_until(lambda: log.runs() and log.version(log.runs()[0]) > 20)
    application = Path(__file__).with_name("steering_application.py")
    words = ("--bind", "127.0.0.1:0", "--workers", "2", "--pythonpath", str(application.parent))
    gunicorn = subprocess.Popen(
        [Path(PYTHON).with_name("gunicorn"), *words, "steering_application:app"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(application.parents[2])},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert gunicorn.stderr is not None
        port = next(found[1] for line in gunicorn.stderr if (found := re.search(r"http://127\.0\.0\.1:(\d+)", line)))
        workers: set[str] = set()
        while len(workers) < 2:
            workers.add(ask(port, "pause"))
            assert state_of(log).status == "paused"
            workers.add(ask(port, "continue"))
            assert state_of(log).status == "running"
        ask(port, "stop")
        wait_until(lambda: state_of(log).ended)
        assert state_of(log).status == "stopped"
        shown = ask(port, "status", method="GET")
        assert f'"run_id":{RunId(log.runs()[0])}' in shown.replace(" ", "")
        assert '"running_count":0' in shown.replace(" ", "")
    finally:
        gunicorn.terminate()
        gunicorn.communicate(timeout=PLENTY_S)


def ask(port: str, what: str, *, method: str = "POST") -> str:
    """Ask a worker for something, whichever takes the connection."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/{what}", method=method)
    with urllib.request.urlopen(asked, timeout=PLENTY_S) as answer:
        text: str = answer.read().decode()
        return text
