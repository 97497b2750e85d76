"""The `env` source: what of the environment a flow sees."""

import json
import os
from pathlib import Path

import pytest

from flowcore.errors import FlowDocumentError
from flowcore.ids import StepName
from flowcore.model import Flow, OnError, Output, Source, Step
from flowcore.values import Json
from flowcore_adapters import LocalRunner
from flowcore_adapters.config import load_flow, load_yaml_files
from flowcore_adapters.registry import load_registry
from flowcore_adapters.sources.env import EnvSource
from tests.calls import fail, give

SOURCE = EnvSource()
CATALOG = load_registry().catalog


def test_a_variable_that_is_not_set_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCORE_TEST_SET", "a b")
    monkeypatch.setenv("FLOWCORE_TEST_EMPTY", "")
    monkeypatch.delenv("FLOWCORE_TEST_UNSET", raising=False)
    names: Json = ["FLOWCORE_TEST_SET", "FLOWCORE_TEST_EMPTY", "FLOWCORE_TEST_UNSET"]
    result = give(SOURCE, {"vars": names})
    assert result.data == {"FLOWCORE_TEST_SET": "a b", "FLOWCORE_TEST_EMPTY": "", "FLOWCORE_TEST_UNSET": None}
    assert result.notes == ()


def test_one_name_counts_as_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCORE_TEST_SET", "1")
    assert give(SOURCE, {"vars": "FLOWCORE_TEST_SET"}).data == {"FLOWCORE_TEST_SET": "1"}


def test_nothing_is_read_unasked() -> None:
    assert give(SOURCE, {}).data == {}


def test_every_call_reads_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration: dict[str, Json] = {"vars": ["FLOWCORE_TEST_SET"]}
    monkeypatch.setenv("FLOWCORE_TEST_SET", "before")
    give(SOURCE, configuration)
    monkeypatch.setenv("FLOWCORE_TEST_SET", "after")
    assert give(SOURCE, configuration).data == {"FLOWCORE_TEST_SET": "after"}


@pytest.mark.parametrize("secret", [True, False, ["FLOWCORE_TEST_SET"], "FLOWCORE_TEST_SET"])
def test_a_secret_is_read_like_everything_else(monkeypatch: pytest.MonkeyPatch, secret: Json) -> None:
    monkeypatch.setenv("FLOWCORE_TEST_SET", "1")
    assert give(SOURCE, {"vars": ["FLOWCORE_TEST_SET"], "secret": secret}).data == {"FLOWCORE_TEST_SET": "1"}


def test_what_is_no_utf8_is_replaced_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCORE_TEST_SET", os.fsdecode(b"a\xffb"))
    result = give(SOURCE, {"vars": ["FLOWCORE_TEST_SET"]})
    assert result.data == {"FLOWCORE_TEST_SET": "a\ufffdb"}
    assert result.notes == ("variable FLOWCORE_TEST_SET is no valid UTF-8; what could not be read was replaced",)


@pytest.mark.parametrize("name", ["", "a=b", "a\0b", "\ud800", "ü"])
def test_a_name_that_no_variable_can_have_is_not_set(name: str) -> None:
    assert give(SOURCE, {"vars": [name]}).data == {name: None}


def test_a_null_in_the_list_is_no_name() -> None:
    assert str(fail(SOURCE, {"vars": ["PATH", None]})).startswith("'vars[1]' is null")


@pytest.mark.parametrize(
    "secret",
    [
        ["FLOWCORE_TEST_SET", "{{ 'FLOWCORE_TEST_OTHR' }}"],
        "{{ ['FLOWCORE_TEST_OTHR', 'FLOWCORE_TEST_SET'] }}",
        "{{ 'FLOWCORE_TEST_OTHR' }}",
        ["FLOWCORE_TEST_OTHR"],
    ],
)
def test_a_secret_that_is_not_read_is_refused_at_its_step_and_uncovers_nothing(
    secret: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No flow that is loaded has one; so may one have been recorded, or come from a program.
    monkeypatch.setenv("FLOWCORE_TEST_SET", "hush-hush")
    monkeypatch.setenv("FLOWCORE_TEST_OTHER", "whist-whist")
    listed: Json = ["FLOWCORE_TEST_SET", "FLOWCORE_TEST_OTHER"]
    shown = "{{ sources.settings.FLOWCORE_TEST_SET }} {{ sources.settings.FLOWCORE_TEST_OTHER }}"
    flow = Flow(
        sources={
            "settings": Source(type="env", configuration={"vars": listed, "secret": secret}),
            "shown": Source(type="value", configuration={"value": shown}),
        },
        steps=(
            Step(name=StepName("reads"), source="shown", outputs=(Output(name="v"),)),
            Step(name=StepName("takes"), source="settings", outputs=(Output(name="v"),), on_error=OnError.CONTINUE),
        ),
    )
    runner = LocalRunner(flow)
    runner.run()
    assert runner.flows["reads"] == {"v": "*** ***"}
    assert runner.status.steps["takes"].error == (
        "'secret' must be of what 'vars' lists (FLOWCORE_TEST_SET, FLOWCORE_TEST_OTHER), not 'FLOWCORE_TEST_OTHR'"
        " (did you mean `FLOWCORE_TEST_OTHER`?)"
    )


@pytest.mark.parametrize("secret", ["{{ {a: 'FLOWCORE_TEST_SET'} }}", "{{ `5` }}", ["FLOWCORE_TEST_SET", "{{ `1` }}"]])
def test_a_secret_that_makes_no_sense_hides_everything(secret: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCORE_TEST_SET", "hush-hush")
    flow: dict[str, Json] = {
        "sources": {"settings": {"type": "env", "configuration": {"vars": ["FLOWCORE_TEST_SET"], "secret": secret}}},
        "flow": [
            {
                "name": "a",
                "source": {"type": "value", "configuration": {"value": "{{ sources.settings.FLOWCORE_TEST_SET }}"}},
                "output": [{"name": "v"}],
            }
        ],
    }
    runner = LocalRunner(flow)
    runner.run()
    assert runner.flows == {"a": {"v": "***"}}


@pytest.mark.parametrize("secret", [["FLOWCORE_TEST_SET"], "{{ 'FLOWCORE_TEST_SET' }}", "{{ ['FLOWCORE_TEST_SET'] }}"])
def test_a_secret_is_hidden_however_it_is_named(secret: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWCORE_TEST_SET", "hush-hush")
    configuration: dict[str, Json] = {"vars": ["FLOWCORE_TEST_SET"], "secret": secret}
    shown: Json = {"value": "so: {{ sources.settings.FLOWCORE_TEST_SET }}"}
    flow: dict[str, Json] = {
        "sources": {"settings": {"type": "env", "configuration": configuration}},
        "flow": [{"name": "a", "source": {"type": "value", "configuration": shown}, "output": [{"name": "v"}]}],
    }
    runner = LocalRunner(flow)
    runner.run()
    assert runner.flows == {"a": {"v": "so: ***"}}


BASE = """
sources: {s: {type: env, configuration: {vars: [FLOWCORE_TOKEN, FLOWCORE_REGION], secret: [FLOWCORE_TOKEN]}}}
flow: [{name: a, source: s, output: [{name: v, type: jmespath, value: "@"}]}]
"""


def _override(listed: str) -> str:
    source = f"{{base: s, override: {{configuration: {{vars: {listed}}}}}}}"
    return f'flow: [{{name: a, source: {source}, output: [{{name: v, type: jmespath, value: "@"}}]}}]\n'


def _later(listed: str) -> str:
    return f"sources: {{s: {{configuration: {{vars: {listed}}}}}}}\n"


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that the files below list."""
    for name, value in (("TOKEN", "s3cr3t-token"), ("DEV_TOKEN", "dev-s3cr3t"), ("REGION", "north")):
        monkeypatch.setenv(f"FLOWCORE_{name}", value)


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(
    ("later", "shown"),
    [
        (_override("[FLOWCORE_REGION]"), {"FLOWCORE_REGION": "north"}),
        (_override("[FLOWCORE_TOKEN]"), {"FLOWCORE_TOKEN": "***"}),
        (_override("[]"), {}),
    ],
)
def test_fewer_variables_keep_what_is_secret_of_them(later: str, shown: Json, tmp_path: Path) -> None:
    paths = _written(tmp_path, [BASE, later])
    config = load_yaml_files(paths)
    for given in (load_flow(paths, CATALOG), config, json.loads(json.dumps(config))):
        runner = LocalRunner(given)
        runner.run()
        assert runner.flows == {"a": {"v": shown}}


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(
    ("later", "listed"),
    [
        ([_later("[FLOWCORE_DEV_TOKEN, FLOWCORE_REGION]")], "FLOWCORE_DEV_TOKEN, FLOWCORE_REGION"),
        ([_override("[FLOWCORE_DEV_TOKEN]")], "FLOWCORE_DEV_TOKEN"),
        ([_later("[flowcore_token, FLOWCORE_REGION]")], "flowcore_token, FLOWCORE_REGION"),
        ([_override("[flowcore_token]")], "flowcore_token"),
        # What an earlier file said is gone with a later one, so that says it again.
        ([_later("[FLOWCORE_REGION]")], "FLOWCORE_REGION"),
        ([_later("[FLOWCORE_TOKEN]"), _later("[FLOWCORE_REGION]")], "FLOWCORE_REGION"),
    ],
)
def test_another_variable_is_refused_until_it_is_said_what_is_secret(
    later: list[str], listed: str, tmp_path: Path
) -> None:
    paths = _written(tmp_path, [BASE, *later])
    with pytest.raises(FlowDocumentError) as caught:
        load_flow(paths, CATALOG)
    (problem,) = caught.value.problems
    assert problem.code == "bad-value"
    assert problem.message == f"'secret' must be of what 'vars' lists ({listed}), not 'FLOWCORE_TOKEN'"
    hint = "where a later file or an 'override' gives another 'vars', write 'secret' again beside it"
    assert (problem.hint or "").endswith(hint)
    with pytest.raises(FlowDocumentError) as again:
        LocalRunner(load_yaml_files(paths)).run()
    assert [(each.message, each.hint) for each in again.value.problems] == [(problem.message, problem.hint)]


@pytest.mark.usefixtures("variables")
def test_what_an_override_leaves_out_stays_secret_in_the_whole_run(tmp_path: Path) -> None:
    child = "{type: process, configuration: {command: [sh, -c, 'echo is $FLOWCORE_TOKEN']}}"
    output = "output: [{name: v, type: jmespath, value: stdout}]"
    later = f"{_override('[FLOWCORE_REGION]').rstrip()[:-1]}, {{name: child, source: {child}, {output}}}]\n"
    runner = LocalRunner(load_flow(_written(tmp_path, [BASE, later]), CATALOG))
    runner.run()
    assert runner.flows["child"] == {"v": "is ***\n"}


@pytest.mark.usefixtures("variables")
def test_what_is_secret_is_written_again_beside_other_variables(tmp_path: Path) -> None:
    later = "sources: {s: {configuration: {vars: [FLOWCORE_DEV_TOKEN], secret: [FLOWCORE_DEV_TOKEN]}}}\n"
    runner = LocalRunner(load_flow(_written(tmp_path, [BASE, later]), CATALOG))
    runner.run()
    assert runner.flows == {"a": {"v": {"FLOWCORE_DEV_TOKEN": "***"}}}


def _written(directory: Path, texts: list[str]) -> list[Path]:
    paths = [directory / f"{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths
