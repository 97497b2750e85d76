"""`flowcore-cli run` as people and scripts meet it."""

import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.installed_command import PROGRAM, Command

pytestmark = pytest.mark.e2e

GREET = """
name: greet
sources:
  echo: {type: process, configuration: {command: [echo, hello]}}
flow:
  - name: hello
    source: echo
    output: [{name: said, type: jmespath, value: trim(stdout)}, {name: code, type: jmespath, value: returncode}]
  - {name: again, source: {type: value}, input: ["{{ flows.hello.said }}", "[red]"], output: [{name: all}]}
"""
GREET_OUTPUTS = {"hello": {"said": "hello", "code": 0}, "again": {"all": ["hello", "[red]"]}}
MIXED = """
name: mixed
flow:
  - {name: good, source: {type: value, configuration: {value: 1}}, output: [{name: v}]}
  - name: bad
    source: {type: process, configuration: {command: [sh, -c, "echo why >&2; exit 3"]}}
  - {name: below, source: value, input: 1, depends_on: bad}
  - {name: borne, source: {type: process, configuration: {command: ["false"]}}, on_error: continue}
"""
TOLERATED = """
flow:
  - {name: borne, source: {type: process, configuration: {command: ["false"]}}, on_error: continue}
  - {name: good, source: {type: value, configuration: {value: 1}}, depends_on: borne, output: [{name: v}]}
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def steady(text: str) -> str:
    """Return *text* with the ids and times taken out that differ from run to run."""
    return re.sub(r"\d+\.\d\d s", "0.00 s", re.sub(r"\d{13}", "1733524800000", text))


def test_outputs_go_to_stdout_and_progress_to_stderr(command: Command) -> None:
    ended = command("run", command.write("flow.yaml", GREET))
    assert ended.code == 0
    assert ended.out == 'hello\n  said: hello\n  code: 0\n\nagain\n  all: [hello, "[red]"]\n'
    assert steady(ended.err) == (
        "hello  running\n"
        "hello  succeeded  0.00 s\n"
        "again  running\n"
        "again  succeeded  0.00 s\n"
        "✓ run 1733524800000 of greet succeeded in 0.00 s: 2 succeeded\n"
        "  recorded: flowcore-cli show 1733524800000\n"
    )


@pytest.mark.parametrize("option", ["-j", "--json"])
def test_json_stands_alone_on_stdout(command: Command, option: str) -> None:
    ended = command("run", option, command.write("flow.yaml", GREET))
    assert ended.code == 0
    assert json.loads(ended.out) == GREET_OUTPUTS
    assert steady(ended.err) == (
        "✓ run 1733524800000 of greet succeeded in 0.00 s: 2 succeeded\n  recorded: flowcore-cli show 1733524800000\n"
    )


@pytest.mark.parametrize("option", ["-o", "--output-file"])
def test_a_file_takes_the_json_and_stdout_stays_empty(command: Command, option: str) -> None:
    ended = command("run", option, "out.json", "-j", command.write("flow.yaml", GREET))
    assert (ended.code, ended.out) == (0, "")
    assert json.loads((command.home / "out.json").read_text()) == GREET_OUTPUTS


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_prints_nothing(command: Command, option: str) -> None:
    ended = command("run", option, command.write("flow.yaml", GREET))
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    ended = command("run", option, command.write("mixed.yaml", MIXED))
    assert (ended.code, ended.out, ended.err) == (1, "", "")


def test_quiet_json_is_the_json_alone(command: Command) -> None:
    ended = command("run", "-q", "-j", command.write("flow.yaml", GREET))
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == GREET_OUTPUTS
    told = " ".join(command("run", "--help").out.split())
    assert "Print nothing: no progress, no outputs, no summary. With -j: the JSON alone." in told


def test_a_failed_run_ends_with_1_and_says_why(command: Command) -> None:
    ended = command("run", command.write("mixed.yaml", MIXED))
    assert ended.code == 1
    assert ended.out == "good\n  v: 1\n"
    summary = steady(ended.err).split("✗ run", 1)[1]
    assert summary == (
        " 1733524800000 of mixed failed in 0.00 s: 1 succeeded, 2 failed, 1 skipped\n"
        "  failed   bad: process exited with code 3: why\n"
        "  failed   borne: process exited with code 1 (tolerated: on_error: continue)\n"
        "  skipped  below: step 'bad' failed\n"
        "  recorded: flowcore-cli show 1733524800000\n"
    )


def test_tolerated_failures_leave_the_exit_code_at_0(command: Command) -> None:
    ended = command("run", command.write("flow.yaml", TOLERATED))
    assert ended.code == 0
    assert "  failed   borne: process exited with code 1 (tolerated: on_error: continue)\n" in ended.err


def test_a_step_without_outputs_is_listed(command: Command) -> None:
    flow = command.write("flow.yaml", "flow: [{name: a, source: value, input: 1}]")
    assert command("run", flow).out == "a  no outputs\n"
    assert json.loads(command("run", "-j", flow).out) == {"a": {}}


def test_later_files_override_earlier_ones(command: Command) -> None:
    base = command.write(
        "base.yaml",
        "sources: {s: {type: value, configuration: {value: 1}}}\nflow: [{name: a, source: s, output: [{name: v}]}]",
    )
    over = command.write("over.yaml", "sources: {s: {configuration: {value: 2}}}")
    assert json.loads(command("run", "-j", base, over).out) == {"a": {"v": 2}}


def test_bad_flows_are_refused_before_anything_runs_or_is_recorded(command: Command) -> None:
    touch = "{type: process, configuration: {command: [touch, ran]}}"
    flow = command.write(
        "bad.yaml",
        f"flow:\n  - {{name: a, source: {touch}, on_eror: skip}}\n  - {{name: b, source: value, depends_on: [aa]}}\n",
    )
    ended = command("run", flow)
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("bad.yaml:2:")
    assert lines[0].endswith("flow[0].on_eror: unknown key 'on_eror' (did you mean `on_error`?)")
    assert lines[1].startswith("bad.yaml:3:")
    assert lines[2] == "2 problems: nothing was run"
    assert not (command.home / "ran").exists()
    assert command("runs").out == "no runs yet\n"


def test_quiet_does_not_hide_bad_input(command: Command) -> None:
    ended = command("run", "-q", "gone.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "gone.yaml: cannot be read: No such file or directory\n1 problem: nothing was run\n"


def test_a_cycle_is_named(command: Command) -> None:
    flow = "flow: [{name: a, source: value, depends_on: b}, {name: b, source: value, depends_on: a}]"
    ended = command("run", command.write("flow.yaml", flow))
    assert ended.code == 2
    assert "a -> b -> a" in ended.err


def test_max_workers_is_obeyed(command: Command) -> None:
    steps = ", ".join(f"{{name: s{number}, source: wait, input: 0.2}}" for number in range(4))
    flow = command.write("flow.yaml", f"flow: [{steps}]")
    run_id = _run_id(command("run", "--max-workers", "1", flow).err)
    document = json.loads(command("show", "--json", run_id).out)
    spans = sorted((step["started_at"], step["ended_at"]) for step in document["steps"].values())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert command("run", "--max-workers", "0", flow).code == 2


def _run_id(err: str) -> str:
    found = re.search(r"run (\d+)", err)
    assert found is not None
    return found.group(1)


def test_db_names_the_log_and_the_summary_repeats_it(command: Command) -> None:
    ended = command("run", "--db", "my log.db", "--durability", "relaxed", command.write("flow.yaml", GREET))
    assert ended.code == 0
    assert re.search(r"recorded: flowcore-cli show \d+ --db 'my log\.db'\n$", ended.err)
    assert command("show", "latest", "--db", "my log.db").code == 0
    assert not (command.home / "state").exists()


def test_the_environment_names_the_log_as_well(command: Command) -> None:
    env = {"FLOWCORE_DB": str(command.home / "env.db")}
    ended = command("run", command.write("flow.yaml", GREET), env=env)
    assert re.search(r"recorded: flowcore-cli show \d+\n$", ended.err)
    assert "greet" in command("runs", env=env).out
    assert command("run", "--no-db", "flow.yaml", env=env).code == 0


def test_no_db_leaves_nothing_behind(command: Command) -> None:
    ended = command("run", "--no-db", command.write("flow.yaml", GREET))
    assert ended.code == 0
    assert ended.err.endswith("  not recorded (--no-db)\n")
    assert [entry.name for entry in command.home.iterdir()] == ["flow.yaml"]


def test_a_log_that_cannot_be_used_is_named(command: Command) -> None:
    flow = command.write("flow.yaml", GREET)
    ended = command("run", "--db", "flow.yaml", flow)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("flowcore-cli: the event log cannot be used: ")
    assert "it is not an SQLite database" in ended.err
    assert (command.home / "flow.yaml").read_text() == GREET


def test_an_output_file_that_cannot_be_written_is_found_before_the_run(command: Command) -> None:
    ended = command("run", "-o", "gone/out.json", command.write("flow.yaml", GREET))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "flowcore-cli: gone/out.json: its directory does not exist\n"
    assert command("runs").out == "no runs yet\n"


def test_a_missing_secret_is_refused_and_no_run_is_left_waiting(command: Command) -> None:
    flow = "secrets: [NO_SUCH_SECRET]\nflow: [{name: a, source: value, input: '{{ secrets.NO_SUCH_SECRET }}'}]"
    ended = command("run", command.write("flow.yaml", flow))
    assert (ended.code, ended.out) == (2, "")
    assert "NO_SUCH_SECRET" in ended.err
    assert {run["state"] for run in json.loads(command("runs", "--json").out)} <= {"stopped"}


def test_options_that_contradict_each_other_are_refused(command: Command) -> None:
    flow = command.write("flow.yaml", GREET)
    both = command("run", "--db", "x.db", "--no-db", flow)
    assert (both.code, both.err.splitlines()[-1]) == (2, "Error: `--db` and `--no-db` exclude each other")
    alone = command("run", "--exit-when-done", flow)
    assert (alone.code, alone.err.splitlines()[-1]) == (2, "Error: `--exit-when-done` goes with `--status-port`")


def test_a_reader_that_goes_away_is_no_error(command: Command) -> None:
    flow = command.write(
        "flow.yaml",
        "flow: [{name: a, source: {type: value, configuration: {value: " + "x" * 200_000 + "}}, output: [{name: v}]}]",
    )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [PROGRAM, "run", "-j", flow],
            cwd=command.home,
            env=command.environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    finally:
        os.close(writing)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert "Broken pipe" not in ended.stderr


@pytest.mark.parametrize("words", ["run flow.yaml", "batch flow.yaml", "serve --port 0"])
@pytest.mark.parametrize("named_by", ["--db", "FLOWCORE_DB"])
def test_a_mistyped_event_log_makes_no_directory(command: Command, words: str, named_by: str) -> None:
    command.write("flow.yaml", GREET)
    option, env = (["--db", "gone/dir/x.db"], {}) if named_by == "--db" else ([], {"FLOWCORE_DB": "gone/dir/x.db"})
    ended = command(*words.split(), *option, env=env)
    assert (ended.code, ended.out) == (2, "")
    path = command.home / "gone" / "dir" / "x.db"
    assert ended.err.startswith(f"flowcore-cli: the event log cannot be used: {path}: its directory does not exist (")
    assert sorted(path.name for path in command.home.iterdir()) == ["flow.yaml"]


def test_a_full_disk_behind_stdout_is_named(command: Command) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [PROGRAM, "run", "-j", command.write("flow.yaml", GREET)],
            cwd=command.home,
            env=command.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == "flowcore-cli: stdout cannot be written: No space left on device\n"


def test_tracebacks_are_for_debug_only(command: Command) -> None:
    flow = command.write("bad.yaml", "flow: 3")
    assert "Traceback" not in command("run", flow).err
    debugged = command("--debug", "run", flow)
    assert debugged.code == 2
    assert "Traceback" in debugged.err


def test_names_and_notes_never_reach_a_terminal_as_commands(command: Command) -> None:
    flow = command.write(
        "flow.yaml",
        """
        flow:
          - name: "[red]\\e[2Jx"
            source: {type: process, configuration: {command: [sh, -c, "printf '\\\\033[31m' >&2; exit 1"]}}
        """,
    )
    ended = command("run", flow)
    assert ended.code == 1
    assert "\x1b" not in ended.out + ended.err
    assert "failed   [red]\\x1b[2Jx: process exited with code 1: \\x1b[31m\n" in ended.err
    assert "\x1b" not in command("show", "latest").out


def test_python_m_is_the_same_command(command: Command) -> None:
    ended = subprocess.run(
        [
            str(Path(PROGRAM).with_name("python")),
            "-m",
            "flowcore_cli",
            "run",
            "-q",
            "-j",
            command.write("flow.yaml", GREET),
        ],
        cwd=command.home,
        env=command.environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == GREET_OUTPUTS


def test_a_pattern_that_is_none_is_told_where_it_stands_before_anything_runs(command: Command) -> None:
    flow = """
flow:
  - name: x
    source:
      type: process
      configuration:
        command: [echo, a]
        redact_patterns: ["ok", "("]
"""
    ended = command("run", command.write("flow.yaml", flow))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "flow.yaml:8:33 flow[0].source.configuration.redact_patterns[1]: "
        "'redact_patterns[1]' is no regular expression: missing ), unterminated subpattern at position 0\n"
        "1 problem: nothing was run\n"
    )
