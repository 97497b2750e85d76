"""Workflows on the command line: a JSON file with nodes and edges is recognised as one."""

import json
import re
from pathlib import Path

import pytest

from flowcore.values import Json
from tests.e2e.installed_command import Command
from tests.workflow_documents import document, edges, node, start

pytestmark = pytest.mark.e2e


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def workflow(nodes: list[dict[str, Json]], links: list[dict[str, Json]]) -> str:
    """Return the text of a workflow file."""
    return json.dumps({**document(nodes, links), "metadata": {"name": "demo"}}, indent=1)


LOOP = workflow(
    [
        start(),
        node("items", "setConfig.setConfig", config={"items": ["a", "b"]}),
        node("loop", "loop", mode="forEach", arrayVariable="items"),
        node("each", value="${variables.index}:${variables.item}"),
    ],
    edges("start items loop each"),
)


def test_a_workflow_is_run_recorded_and_shown(command: Command) -> None:
    ended = command("run", "--json", command.write("w.json", LOOP))
    assert ended.code == 0
    assert json.loads(ended.out) == {
        "start": {"data": {}, "variables": {}},
        "items": {"data": {"items": ["a", "b"]}, "variables": {}},
        "loop": {},
    }
    (found,) = re.findall(r"run (\d{13}) of demo succeeded", ended.err)
    shown = command("show", found)
    assert shown.code == 0
    assert "3 succeeded" in shown.out + shown.err
    assert "loop/1/each" in command("events", found).out
    assert command("fsck").code == 0


def test_a_run_that_errs_ends_with_1_and_says_why(command: Command) -> None:
    ended = command("run", command.write("w.json", workflow([start(), node("b", "openBrowser")], edges("start b"))))
    assert ended.code == 1
    assert "No handler found for node type: openBrowser" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("verb", ["run", "validate", "graph"])
def test_what_is_wrong_is_told_before_anything_runs(command: Command, verb: str) -> None:
    ended = command(verb, command.write("w.json", workflow([start(), node("a")], edges("start a b"))))
    assert ended.code == 2
    assert re.search(r"w\.json:\d+:\d+ edges\[1\]\.target: there is no node 'b'", ended.err)
    assert not command("runs", "--json").out.strip().removeprefix("[").removesuffix("]").strip()


def test_validate_and_graph(command: Command) -> None:
    path = command.write("w.json", LOOP)
    assert "ok (3 steps" in command("validate", path).out
    assert command("graph", path).out.splitlines()[1].split() == [
        "2",
        "items",
        "workflow.setConfig.setConfig",
        "<-",
        "start",
    ]
