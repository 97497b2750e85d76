"""The commands themselves, in this process: help, completion, and what needs no process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from flowcore_adapters.registry import Registry
from flowcore_cli.main import COMMANDS, main
from flowcore_cli.storage import log_path

ROOT = Path(__file__).parents[3]
FLOW = """
sources:
  fetch: {type: value, configuration: {value: [1, 2]}}
flow:
  - {name: users, source: fetch, output: [{name: rows}]}
  - {name: each, source: value, for_each: "{{ flows.users.rows }}", input: "{{ item }}"}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("FLOWCORE_DB", raising=False)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="flowcore-cli")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_with_its_line(option: str) -> None:
    result = invoke(option)
    assert result.exit_code == 0
    for name, (_, about) in COMMANDS.items():
        assert f"  {name:<9}  {about}\n" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(name: str, option: str) -> None:
    result = invoke(name, option)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: flowcore-cli {name} [OPTIONS]")
    assert "-h, --help" in result.stdout
    assert "--version" in result.stdout


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_version_everywhere(arguments: list[str]) -> None:
    result = invoke(*arguments, "--version")
    assert result.exit_code == 0
    assert result.stdout.split()[0] == "flowcore-cli"
    assert len(result.stdout.split()) == 2


def test_every_option_is_documented() -> None:
    documentation = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert f"## {name}\n" in documentation
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert all(f"`{option}" in documentation or f"[{option}" in documentation for option in parameter.opts)


def test_help_imports_click_and_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from flowcore_cli.main import main\n"
        "try:\n    main(['--help'], prog_name='x')\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'attrs', 'cattrs', 'falcon', 'flowcore', 'flowcore_adapters', 'jmespath', 'rich', 'sqlite3',"
        " 'urllib3', 'waitress', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    assert ended.stderr == "[]\n"


def test_an_unknown_command_gets_a_hint() -> None:
    result = invoke("rnu")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: no such command 'rnu' (did you mean `run`?)"
    assert invoke("xyzzy").stderr.splitlines()[-1] == "Error: no such command 'xyzzy'"


def test_completion_knows_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"_FLOWCORE_CLI_COMPLETE": "bash_complete", "COMP_WORDS": "flowcore-cli ru", "COMP_CWORD": "1"}
    result = CliRunner(env=env).invoke(main, prog_name="flowcore-cli")
    assert result.stdout.split() == ["plain,run", "plain,runs"]


def test_validate_says_ok(here: Path) -> None:
    (here / "flow.yaml").write_text(FLOW)
    result = invoke("validate", "flow.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "flow.yaml: ok (2 steps, 2 sources)\n", "")
    (here / "one.yaml").write_text("flow: [{name: a, source: value}]")
    assert invoke("validate", "one.yaml").stdout == "one.yaml: ok (1 step, 1 source)\n"
    (here / "name.yaml").write_text("name: x")
    assert invoke("validate", "flow.yaml", "name.yaml").stdout == "flow.yaml, name.yaml: ok (2 steps, 2 sources)\n"


def test_validate_names_everything_from_top_to_bottom(here: Path) -> None:
    (here / "bad.yaml").write_text("flow:\n  - name: a\n    source: valu\n    on_eror: skip\n  - name: b\n")
    result = invoke("validate", "bad.yaml", "gone.yaml")
    assert result.exit_code == 2
    assert result.stderr == "gone.yaml: cannot be read: No such file or directory\n1 problem\n"
    result = invoke("validate", "bad.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[0] == (
        "bad.yaml:3:5 flow[0].source: no source and no source type is called 'valu' (did you mean `value`?)"
    )
    assert lines[1] == "bad.yaml:4:5 flow[0].on_eror: unknown key 'on_eror' (did you mean `on_error`?)"
    assert lines[2].startswith("bad.yaml:5:")
    assert " flow[1]: a step needs a 'source' (available: container, env, process, " in lines[2]
    assert lines[3:] == ["3 problems"]


def test_validate_as_json(here: Path) -> None:
    (here / "flow.yaml").write_text(f"name: etl\n{FLOW}")
    result = invoke("validate", "--json", "flow.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "valid": True,
        "files": ["flow.yaml"],
        "name": "etl",
        "steps": 2,
        "sources": 2,
        "problems": [],
        "warnings": [],
    }
    (here / "bad.yaml").write_text("on_eror: 1")
    result = invoke("validate", "--json", "bad.yaml")
    assert (result.exit_code, result.stderr) == (2, "")
    document = json.loads(result.stdout)
    assert (document["valid"], document["steps"]) == (False, None)
    assert document["problems"] == [
        {
            "severity": "error",
            "code": "unknown-key",
            "message": "unknown key 'on_eror'",
            "hint": "allowed here: name, sources, secrets, runner, flow",
            "path": ["on_eror"],
            "file": "bad.yaml",
            "line": 1,
            "column": 1,
        }
    ]


def test_warnings_about_installed_sources_are_shown(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "flow.yaml").write_text("flow: []")
    (here / "bad.yaml").write_text("flow: [{name: a, source: x}]")
    monkeypatch.setattr(Registry, "warnings", ("source 'x' (x:X) cannot be used: ImportError: no \x1b[31m",))
    warning = "flowcore-cli: warning: source 'x' (x:X) cannot be used: ImportError: no \\x1b[31m\n"
    result = invoke("validate", "flow.yaml")
    assert (result.exit_code, result.stderr) == (0, warning)
    assert invoke("schema").stderr == warning
    assert invoke("run", "bad.yaml").stderr.startswith(warning)
    assert invoke("run", "-j", "--no-db", "flow.yaml").exit_code == 0


def test_graph_in_every_form(here: Path) -> None:
    (here / "flow.yaml").write_text(FLOW)
    text = "1  users  value\n2  each   value  <- users  [for each]\n"
    assert invoke("graph", "flow.yaml").stdout == text
    assert invoke("graph", "--format", "text", "flow.yaml").stdout == text
    assert invoke("graph", "--format", "mermaid", "flow.yaml").stdout.startswith("flowchart TD\n")
    assert invoke("graph", "--format", "dot", "flow.yaml").stdout.startswith("digraph ")
    assert invoke("graph", "--format", "png", "flow.yaml").exit_code == 2
    (here / "bad.yaml").write_text("flow: 3")
    assert invoke("graph", "bad.yaml").exit_code == 2


def test_schema_is_one_and_takes_the_starter(here: Path) -> None:
    result = invoke("schema")
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    assert {"env", "process", "python", "rest", "value", "wait"} <= set(
        schema["$defs"]["declared_source"]["properties"]["type"]["enum"]
    )


def test_init_writes_a_flow_that_runs_and_replaces_nothing(here: Path) -> None:
    result = invoke("init")
    assert (result.exit_code, result.stdout) == (0, "flow.yaml: written; next: flowcore-cli run flow.yaml\n")
    assert invoke("validate", "flow.yaml").exit_code == 0
    assert invoke("init", "my flow.yaml").stdout == "my flow.yaml: written; next: flowcore-cli run 'my flow.yaml'\n"
    (here / "flow.yaml").write_text("mine")
    result = invoke("init", "flow.yaml")
    assert (result.exit_code, result.stderr) == (2, "flowcore-cli: flow.yaml: exists already (`--force` replaces it)\n")
    assert (here / "flow.yaml").read_text() == "mine"
    assert invoke("init", "--force").exit_code == 0
    assert (here / "flow.yaml").read_text() != "mine"
    assert invoke("init", "gone/flow.yaml").stderr == "flowcore-cli: gone/flow.yaml: No such file or directory\n"


def test_the_starter_runs_offline(here: Path) -> None:
    invoke("init")
    result = CliRunner(env={"USER": "ada"}).invoke(main, ["run", "-j", "--no-db", "flow.yaml"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["report"] == {"text": "Hello ada: 9 words in 3 lines\n"}


def test_an_unexpected_error_is_one_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Registry:
        raise KeyError("oh\x1b")

    monkeypatch.setattr("flowcore_adapters.registry.load_registry", broken)
    result = invoke("schema")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "flowcore-cli: KeyError: 'oh\\x1b' (a bug: `--debug` shows where it is)\n"
    assert "Traceback" in invoke("--debug", "schema").stderr


def test_an_interrupt_outside_a_run_ends_with_130(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Registry:
        raise KeyboardInterrupt

    monkeypatch.setattr("flowcore_adapters.registry.load_registry", interrupted)
    result = invoke("schema")
    assert (result.exit_code, result.stderr) == (130, "")


def test_the_log_is_where_the_user_says(here: Path) -> None:
    assert log_path(None) == here / "state" / "flowcore" / "flowcore.db"
    assert log_path("x.db") == Path("x.db")
