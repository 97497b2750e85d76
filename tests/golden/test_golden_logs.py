"""Logs of every version that there ever was: they fold to the views that were shown when they were written."""

import json
import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest

from flowcore.invariants import violations
from flowcore.service import load
from flowcore_adapters.http.app import create_app
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.logs.sqlite.schema import SCHEMA_VERSION
from tests.contract.wsgi_client import call
from tests.e2e.installed_command import Command

HERE: Final = Path(__file__).parent
NAMES: Final = sorted(path.stem for path in HERE.glob("*.sql"))


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a directory with the log of that name, as it was written."""
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.executescript((HERE / f"{request.param}.sql").read_text(encoding="utf-8"))
    connection.close()
    return tmp_path


def views(name: str) -> dict[str, Any]:
    """Return what was shown of the runs of a log when it was written."""
    document: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return document


def test_there_is_one_for_every_version_of_the_tables() -> None:
    expected = {f"schema-{version}" for version in range(1, SCHEMA_VERSION + 1)}
    assert set(NAMES) >= expected, "`python -m tests.golden.make schema-N` makes one of today's version: commit it"


@pytest.mark.parametrize(("home", "name"), [(name, name) for name in NAMES], indirect=["home"], ids=NAMES)
def test_it_shows_what_it_has_always_shown(home: Path, name: str) -> None:
    log = SqliteEventLog(home / "log.db")
    app = create_app(log)
    golden = views(name)
    assert {str(run_id) for run_id in log.runs()} == set(golden)
    for run_id, shown in golden.items():
        assert call(app, f"/outputs?run_id={run_id}").document == shown["outputs"]
        status = call(app, f"/status?run_id={run_id}").document
        # The command shows more of each step.
        golden_steps = shown["status"]["steps"]
        steps = {step: {key: golden_steps[step][key] for key in row} for step, row in status["steps"].items()}
        assert status == {**{key: shown["status"][key] for key in status}, "steps": steps}
        assert list(status["steps"]) == list(golden_steps)
    for number in log.runs():
        recorded = list(log.read(number))
        assert violations(recorded) == []
        assert load(log, number).version == len(recorded)
    assert log.check_file() == []
    log.close()


@pytest.mark.e2e
@pytest.mark.parametrize(("home", "name"), [(name, name) for name in NAMES], indirect=["home"], ids=NAMES)
def test_the_command_shows_and_goes_on_with_it(home: Path, name: str) -> None:
    command = Command(home)
    for run_id, shown in views(name).items():
        status = json.loads(command("show", run_id, "--json", "--db", "log.db").out)
        # Later versions may add to what is shown, and take nothing away.
        assert {key: status.get(key) for key in shown["status"]} == shown["status"]
    assert command("fsck", "--db", "log.db").code == 0
    again = command("retry", "latest", "-q", "--db", "log.db")
    assert (again.code, again.err) != (2, "")
    assert len(json.loads(command("runs", "--json", "--db", "log.db").out)) == len(views(name)) + 1
