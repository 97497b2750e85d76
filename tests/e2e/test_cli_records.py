"""`runs` and `show`: what was recorded, seen from another process."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

FLOW = """
name: etl
flow:
  - {name: fetch, source: {type: value, configuration: {value: [1, 2]}}, output: [{name: rows}]}
  - {name: each, source: value, for_each: "{{ flows.fetch.rows }}", input: "{{ item }}", output: [{name: row}]}
  - {name: bad, source: {type: process, configuration: {command: [sh, -c, "echo one >&2; echo two >&2; exit 3"]}}}
  - {name: below, source: value, input: 1, depends_on: bad}
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def run_once(command: Command) -> int:
    ended = command("run", command.write("flow.yaml", FLOW))
    assert ended.code == 1
    found = re.search(r"flowcore-cli show (\d+)", ended.err)
    assert found is not None
    return int(found.group(1))


def test_a_run_is_listed_and_shown_by_other_processes(command: Command) -> None:
    run_id = run_once(command)
    listed = command("runs")
    assert listed.code == 0
    header, row = listed.out.splitlines()
    assert header.split() == ["RUN", "NAME", "STATE", "STARTED", "DURATION", "STEPS"]
    assert re.fullmatch(
        rf"{run_id}  etl   failed  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  \d\.\d\d s    2 succeeded, 1 failed, 1 skipped",
        row,
    )
    shown = command("show", str(run_id))
    assert shown.code == 0
    text = re.sub(r"\d\.\d\d s", "0.00 s", re.sub(r"started .*,", "started then,", shown.out))
    assert text == (
        f"✗ run {run_id} of etl failed\n"
        "  started then, took 0.00 s\n"
        "  2 succeeded, 1 failed, 1 skipped\n"
        "\n"
        "STEP   STATE      START    TOOK    ITEMS\n"
        "fetch  succeeded  +0.00 s  0.00 s\n"
        "each   succeeded  +0.00 s  0.00 s  2\n"
        "bad    failed     +0.00 s  0.00 s\n"
        "below  skipped\n"
        "\n"
        "NOTES\n"
        "bad: process exited with code 3: one\n"
        "  two\n"
        "below: step 'bad' failed\n"
        "\n"
        "OUTPUTS\n"
        "fetch\n"
        "  rows: [1, 2]\n"
        "\n"
        "each\n"
        "  row: [1, 2]\n"
    )


def test_runs_as_json(command: Command) -> None:
    run_id = run_once(command)
    (found,) = json.loads(command("runs", "--json").out)
    assert found["duration"] == pytest.approx(found["ended_at"] - found["started_at"])
    assert found == {
        "run_id": run_id,
        "name": "etl",
        "state": "failed",
        "started_at": found["started_at"],
        "ended_at": found["ended_at"],
        "duration": found["duration"],
        "step_counts": {
            "total": 4,
            "succeeded": 2,
            "failed": 1,
            "skipped": 1,
            "stopped": 0,
            "running": 0,
            "pending": 0,
        },
        "driven_by": None,
    }


def test_show_as_json_holds_everything_that_status_shows(command: Command) -> None:
    run_id = run_once(command)
    found = json.loads(command("show", "--json", "latest").out)
    assert {name: found[name] for name in ("run_id", "total_steps", "completed_steps", "current_step")} == {
        "run_id": run_id,
        "total_steps": 4,
        "completed_steps": 3,
        "current_step": None,
    }
    assert (found["running_steps"], found["running_count"], found["name"], found["state"]) == ([], 0, "etl", "failed")
    assert list(found["steps"]) == ["fetch", "each", "bad", "below"]
    each = found["steps"]["each"]
    assert (each["state"], each["outputs"], each["notes"], each["items"], each["attempts"]) == (
        "succeeded",
        ["row"],
        [],
        2,
        2,
    )
    assert found["outputs"] == {"fetch": {"rows": [1, 2]}, "each": {"row": [1, 2]}}


def test_the_newest_run_comes_first_and_limit_cuts(command: Command) -> None:
    first, second = run_once(command), run_once(command)
    assert [run["run_id"] for run in json.loads(command("runs", "--json").out)] == [second, first]
    assert [run["run_id"] for run in json.loads(command("runs", "--json", "--limit", "1").out)] == [second]
    assert command("runs", "--limit", "0").code == 2
    assert json.loads(command("show", "--json", "latest").out)["run_id"] == second


@pytest.mark.parametrize("spelling", ["{}", "exec-{}", "run_{}"])
def test_show_takes_every_spelling_of_an_id(command: Command, spelling: str) -> None:
    run_id = run_once(command)
    assert json.loads(command("show", "--json", spelling.format(run_id)).out)["run_id"] == run_id


def test_reading_creates_nothing(command: Command) -> None:
    named = command("runs", "--db", "typo.db")
    assert (named.code, named.out) == (2, "")
    assert named.err == "flowcore-cli: there is no event log at typo.db (`flowcore-cli run --db FILE` makes one)\n"
    assert command("runs").out == "no runs yet\n"
    assert json.loads(command("runs", "--json").out) == []
    assert command("runs", "--json", "--db", "gone.db").code == 2
    ended = command("show", "latest", "--db", "gone.db")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == ("flowcore-cli: no runs yet: there is no event log at gone.db (`flowcore-cli run` makes one)\n")
    assert list(command.home.iterdir()) == []


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("1", "no run '1' in x.db (`flowcore-cli runs` lists them)"),
        ("../x", "'../x' is no run id (such as 1733524800000, or `latest`; `flowcore-cli runs` lists them)"),
    ],
)
def test_an_unknown_run_is_named_with_a_hint(command: Command, run: str, message: str) -> None:
    command("run", "-q", "--db", "x.db", command.write("flow.yaml", FLOW))
    ended = command("show", run, "--db", "x.db")
    assert (ended.code, ended.out, ended.err) == (2, "", f"flowcore-cli: {message}\n")


def test_a_file_that_is_no_log_is_named(command: Command) -> None:
    command.write("x.db", "not a database, but long enough to look at")
    for arguments in (["runs"], ["show", "latest"]):
        ended = command(*arguments, "--db", "x.db")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("flowcore-cli: the event log cannot be used: ")
