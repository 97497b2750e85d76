"""Whole workflows, run in memory and over SQLite: contract executions, sections 4 to 8."""

import json
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Final, TypeAlias

import pytest

from flowcore.documents.workflows import compile_workflow, node_id, read_workflow
from flowcore.errors import FlowDocumentError
from flowcore.model import Breakpoints, Flow, Moment
from flowcore.ports import EventLog
from flowcore.run.commands import ContinueRun
from flowcore.run.events import AttemptStarted, AttemptSucceeded, RunFailed, StepPaused, StepSkipped
from flowcore.run.machine import RunStatus
from flowcore.service import create_run, load, request
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.config import load_flow, load_yaml_files
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.runner.local import LocalRunner
from tests.calls import at_most
from tests.fault_server import FaultServer
from tests.workflow_documents import connected, document, edge, edges, node, start

Nodes: TypeAlias = list[dict[str, Json]]
Run: TypeAlias = Callable[[Nodes, Nodes], "Ended"]


class Ended:
    """A run that has ended, as its log tells it."""

    def __init__(self, runner: LocalRunner) -> None:
        """Look at the latest run of *runner*."""
        self.runner = runner
        self.state = load(runner.log, runner.run_id)
        self.events = [each.event for each in runner.log.read(runner.run_id)]

    @property
    def status(self) -> RunStatus:
        """How it has ended."""
        return self.state.status

    @property
    def trail(self) -> list[str]:
        """The instances that were run, in order; those that run nothing by themselves included."""
        return [event.instance for event in self.events if isinstance(event, AttemptStarted)]

    @property
    def skipped(self) -> list[str]:
        """The instances that were skipped, in order."""
        return [event.instance for event in self.events if isinstance(event, StepSkipped)]

    @property
    def data(self) -> Mapping[str, Json]:
        """What the nodes have left in `data`."""
        return (self.state.context or {})["data"]

    @property
    def variables(self) -> Mapping[str, Json]:
        """What the nodes have left in `variables`."""
        return (self.state.context or {})["variables"]

    def error(self, name: str) -> str | None:
        """Return the error of a step."""
        return self.runner.status.steps[name].error


@pytest.fixture(scope="module")
def server() -> Generator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[EventLog]:
    if request.param == "memory":
        yield SharedMemoryEventLog()
        return
    found = SqliteEventLog(tmp_path / "runs.db")
    yield found
    found.close()


@pytest.fixture
def run(log: EventLog, tmp_path: Path) -> Run:
    registry = load_registry(files_root=tmp_path)

    def drive(nodes: Nodes, links: Nodes) -> Ended:
        flow = compile_workflow(read_workflow(document(nodes, links)), catalog=registry.catalog)
        runner = LocalRunner(flow, log=log, registry=registry)
        with at_most(20.0):
            runner.run()
        return Ended(runner)

    return drive


class TestOrderAndData:
    """One after the other; two maps, `data` and `variables`."""

    def test_values_travel_over_data_variables_and_edges(self, run: Run) -> None:
        nodes = [
            start(),
            node("five", "intValue", value="5", variableName="n"),
            node("text", value="n is ${variables.n}"),
            node("copy", "stringValue", value="", **connected("value")),
            node("last", value="${data.value}, ${variables.copy}"),
        ]
        ended = run(nodes, [*edges("start text copy last"), edge("five", "copy", "value-input")])
        assert ended.status is RunStatus.SUCCEEDED
        # The node that only gives a value runs right before the one that takes it: `n` was not there yet.
        assert ended.trail == ["start", "text", "five", "copy", "last"]
        assert ended.variables == {
            "text": "n is ${variables.n}",
            "five": 5,
            "n": 5,
            "copy": "5",
            "last": "5, 5",
        }
        assert ended.data == {"value": "5, 5"}

    def test_fan_out_and_join(self, run: Run) -> None:
        links = [*edges("start a", "start b c"), edge("a", "j", "input"), edge("c", "j", "input")]
        ended = run([start(), *(node(name) for name in "abcj")], links)
        assert ended.trail == ["start", "a", "b", "c", "j"]

    def test_five_hundred_nodes_in_a_row(self, run: Run) -> None:
        names = [f"n{number}" for number in range(500)]
        nodes = [node(name, value=name, variableName="last") for name in names]
        ended = run([start(), *nodes], edges(f"start {' '.join(names)}"))
        assert (ended.status, ended.variables["last"]) == (RunStatus.SUCCEEDED, "n499")

    def test_ids_of_any_kind(self, run: Run) -> None:
        ids = ["a/b", "100%", "3", "", "ä ö", "loop/1", "{{ x }}", "a'\"b"]
        nodes = [node(name, value=name) for name in ids]
        links = [edge(source, target) for source, target in zip(["start", *ids], ids, strict=False)]
        ended = run([start(), *nodes], links)
        assert ended.status is RunStatus.SUCCEEDED
        assert [node_id(name) for name in ended.trail] == ["start", *ids]
        assert {name: ended.variables[name] for name in ids} == {name: name for name in ids}

    def test_braces_mean_nothing_here(self, run: Run) -> None:
        ended = run([start(), node("a", value="{{ flows.start.data }} {% if %}")], edges("start a"))
        assert ended.variables["a"] == "{{ flows.start.data }} {% if %}"


class TestErrors:
    """A single workflow is not checked: what is wrong with it is what its run ends with."""

    @pytest.mark.parametrize(
        ("nodes", "links", "step", "message"),
        [
            ([node("a")], [], "%.fault", "Workflow must contain a Start node"),
            (
                [start(), node("a"), node("b")],
                edges("start a b a", into="input"),
                "a%.fault",
                "Circular dependency detected involving node: a",
            ),
            ([start(), node("a", "openBrowser")], edges("start a"), "a", "No handler found for node type: openBrowser"),
        ],
    )
    def test_faults_end_the_run_by_name(self, run: Run, nodes: Nodes, links: Nodes, step: str, message: str) -> None:
        ended = run(nodes, links)
        assert (ended.status, ended.error(step)) == (RunStatus.FAILED, message)
        assert isinstance(ended.events[-1], RunFailed)

    def test_a_node_that_fails_ends_the_run(self, run: Run) -> None:
        ended = run([start(), node("a", "wait"), node("b", failSilently=True)], edges("start a b"))
        assert (ended.status, ended.error("a")) == (RunStatus.FAILED, "Invalid wait type: ")
        assert ended.trail == ["start", "a"]

    def test_fail_silently_is_an_error_of_the_node_and_the_flow_goes_on(self, run: Run) -> None:
        nodes = [start(), node("a", "openBrowser", failSilently=True), node("b", "wait", failSilently=True), node("c")]
        ended = run(nodes, edges("start a b c"))
        assert (ended.status, ended.trail) == (RunStatus.SUCCEEDED, ["start", "a", "b", "c"])
        assert ended.error("a") == "No handler found for node type: openBrowser"

    def test_a_bypassed_node_is_not_run(self, run: Run) -> None:
        ended = run([start(), node("a", "openBrowser", bypass=True), node("b")], edges("start a b"))
        assert ended.status is RunStatus.SUCCEEDED
        assert "a" not in ended.variables


class TestRetries:
    """retryCount further tries, or until a condition holds."""

    def test_count(self, run: Run) -> None:
        retry: dict[str, Json] = {"retryEnabled": True, "retryCount": 2, "retryDelay": 5}
        nodes = [start(), node("a", "apiRequest", url="http://127.0.0.1:1/", **retry)]
        ended = run(nodes, edges("start a"))
        assert (ended.status, ended.trail) == (RunStatus.FAILED, ["start", "a", "a", "a"])

    def test_until_condition(self, run: Run, server: FaultServer, log: EventLog) -> None:
        retry: dict[str, Json] = {
            "retryEnabled": True,
            "retryStrategy": "untilCondition",
            "retryUntilCondition": {"type": "api-status", "expectedStatus": 200, "timeout": 5000},
            "retryDelay": 5,
        }
        url = f"{server.url}/nth/3-{type(log).__name__}"
        ended = run([start(), node("a", "apiRequest", url=url, **retry)], edges("start a"))
        assert (ended.status, ended.trail) == (RunStatus.SUCCEEDED, ["start", "a", "a", "a"])
        answer = ended.data["apiResponse"]
        assert isinstance(answer, dict)
        assert (answer["status"], answer["body"]) == (200, {"count": 3})

    def test_slow_tries_end_with_the_time_of_the_condition(self, run: Run, server: FaultServer) -> None:
        """Their pauses alone would let it be tried sixty times."""
        retry: dict[str, Json] = {
            "retryEnabled": True,
            "retryStrategy": "untilCondition",
            "retryUntilCondition": {"type": "api-status", "expectedStatus": 200, "timeout": 300},
            "retryDelay": 5,
        }
        ended = run([start(), node("a", "apiRequest", url=f"{server.url}/hang", **retry)], edges("start a"))
        assert (ended.status, ended.trail) == (RunStatus.FAILED, ["start", "a"])
        found = re.fullmatch(
            r"timeout after 0\.3 s \(tried once in \d\.\d s; at most 0\.3 s are allowed\)", str(ended.error("a"))
        )
        assert found is not None


_SWITCH: Final[dict[str, Json]] = {
    "cases": [
        {"id": "small", "condition": {"type": "variable", "variableName": "n", "comparisonValue": 1}},
        {"id": "big", "condition": {"type": "variable", "variableName": "n", "comparisonValue": 2}},
    ],
    "defaultCase": {"label": "else"},
}


class TestSwitches:
    """First match wins, nodes behind other handles are skipped."""

    @pytest.mark.parametrize(
        ("value", "trail", "skipped"),
        [
            (1, ["start", "n", "s", "a", "a2", "j"], ["b", "c"]),
            (2, ["start", "n", "s", "b", "j"], ["a", "a2", "c"]),
            (3, ["start", "n", "s", "c", "j"], ["a", "a2", "b"]),
        ],
    )
    def test_branches(self, run: Run, value: int, trail: list[str], skipped: list[str]) -> None:
        nodes = [
            start(),
            node("n", "intValue", value=value, variableName="n"),
            node("s", "switch.switch", **_SWITCH),
            *(node(name) for name in ("a", "a2", "b", "c", "j")),
        ]
        links = [
            *edges("start n s", "a a2"),
            edge("s", "a", out="small"),
            edge("s", "b", out="big"),
            edge("s", "c", out="default"),
            *(edge(name, "j", "input") for name in ("a2", "b", "c")),
        ]
        ended = run(nodes, links)
        assert (ended.status, sorted(ended.trail), sorted(ended.skipped)) == (
            RunStatus.SUCCEEDED,
            sorted(trail),
            sorted(skipped),
        )
        assert ended.trail[-1] == "j"

    def test_a_switch_behind_a_branch_that_is_not_taken(self, run: Run) -> None:
        nodes = [
            start(),
            node("n", "intValue", value=9, variableName="n"),
            node("s", "switch.switch", **_SWITCH),
            node("t", "switch.switch", **_SWITCH),
            node("x"),
            node("y"),
        ]
        links = [
            *edges("start n s"),
            edge("s", "t", out="small"),
            edge("t", "x", out="default"),
            edge("s", "y", out="default"),
        ]
        ended = run(nodes, links)
        assert (ended.trail, sorted(ended.skipped)) == (["start", "n", "s", "y"], ["t", "x"])


class TestLoops:
    """sets variables index, item; children run as body, not again afterwards."""

    def items(self, *values: Json) -> dict[str, Json]:
        return node("items", "setConfig.setConfig", config={"items": [*values]})

    def loop(self, name: str = "loop", **more: Json) -> dict[str, Json]:
        return node(name, "loop", mode="forEach", arrayVariable="items", **more)

    def test_for_each(self, run: Run) -> None:
        code = """
        const { index, item } = context.variables;
        context.setData('seen', [...(context.getData('seen') || []), [index, item]]);
        """
        nodes = [start(), self.items("a", {"b": 1}), self.loop(), node("js", "javascriptCode", code=code), node("3")]
        ended = run(nodes, edges("start items loop js 3"))
        assert ended.status is RunStatus.SUCCEEDED
        assert ended.data["seen"] == [[0, "a"], [1, {"b": 1}]]
        assert ended.trail == ["start", "items", "loop/0/js", "loop/0/%33", "loop/1/js", "loop/1/%33"]
        assert [node_id(name) for name in ended.trail[2:4]] == ["js", "3"]

    def test_for_each_over_nothing(self, run: Run) -> None:
        ended = run([start(), self.items(), self.loop(), node("a")], edges("start items loop a"))
        assert (ended.status, ended.trail) == (RunStatus.SUCCEEDED, ["start", "items"])

    def test_for_each_over_what_is_no_list(self, run: Run) -> None:
        ended = run([start(), self.loop(), node("a")], edges("start loop a"))
        assert ended.status is RunStatus.FAILED
        assert ended.error("loop") == "Variable data.items is not an array: there is none, or it is null"
        silent = run([start(), self.loop(failSilently=True), node("a"), node("b")], edges("start loop a", "start b"))
        assert (silent.status, silent.trail) == (RunStatus.SUCCEEDED, ["start", "b"])

    def test_do_while(self, run: Run) -> None:
        condition: Json = {
            "type": "variable",
            "variableName": "n",
            "comparisonOperator": "lessThan",
            "comparisonValue": 3,
        }
        loop = node("loop", "loop", mode="doWhile", condition=condition)
        code = "context.setVariable('n', context.getVariable('n') + 1);"
        nodes = [
            start(),
            node("n", "intValue", value=1, variableName="n"),
            loop,
            node("js", "javascriptCode", code=code),
        ]
        ended = run(nodes, edges("start n loop js"))
        assert (ended.status, ended.variables["n"], ended.variables["index"]) == (RunStatus.SUCCEEDED, 3, 1)
        assert [name for name in ended.trail if name.endswith("/js")] == ["loop/0/js", "loop/1/js"]

    def test_do_while_does_not_begin_when_its_condition_does_not_hold(self, run: Run) -> None:
        loop = node("loop", "loop", mode="doWhile", condition={"type": "variable", "variableName": "nobody"})
        ended = run([start(), loop, node("a")], edges("start loop a"))
        assert (ended.status, ended.trail) == (RunStatus.SUCCEEDED, ["start", "loop%.check"])

    def test_do_while_for_ever_is_an_error(self, run: Run) -> None:
        condition: Json = {"type": "variable", "variableName": "x", "comparisonValue": "x"}
        loop = node("loop", "loop", mode="doWhile", condition=condition, maxIterations=3)
        nodes = [start(), node("x", value="x", variableName="x"), loop, node("a")]
        ended = run(nodes, edges("start x loop a"))
        assert ended.status is RunStatus.FAILED
        assert sum(name.endswith("/a") for name in ended.trail) == 3
        assert ended.error("loop") == "it would go on after 3 iterations, the most that are allowed"

    def test_what_is_said_of_a_loop_names_its_node_and_no_step_of_ours(self, run: Run) -> None:
        condition: Json = {"type": "variable", "variableName": "x", "comparisonValue": "x"}
        loop = node("loop", "loop", mode="doWhile", condition=condition, updateStep="throw Error('no');")
        nodes = [start(), node("x", value="x", variableName="x"), loop, node("a/b")]
        ended = run(nodes, edges("start x loop a/b"))
        assert ended.status is RunStatus.FAILED
        assert ended.error("loop") == "iteration 0: node 'loop' failed: JavaScript execution error: no"

    def test_a_failure_in_a_loop_fails_it_unless_it_is_silent(self, run: Run) -> None:
        ended = run([start(), self.items(1, 2), self.loop(), node("a", "openBrowser")], edges("start items loop a"))
        assert (ended.status, ended.trail) == (RunStatus.FAILED, ["start", "items", "loop/0/a"])
        silent = node("a", "openBrowser", failSilently=True)
        again = run([start(), self.items(1, 2), self.loop(), silent, node("b")], edges("start items loop a b"))
        assert (again.status, again.trail[-1]) == (RunStatus.SUCCEEDED, "loop/1/b")

    def test_loops_in_loops_and_switches_in_loops(self, run: Run) -> None:
        cases: Json = [
            {"id": "one", "condition": {"type": "variable", "variableName": "item", "comparisonValue": 1}},
        ]
        nodes = [
            start(),
            self.items(1, 2),
            self.loop(),
            node("s", "switch.switch", cases=cases, defaultCase={"label": "d"}),
            node("a"),
            self.loop("inner"),
            node("b"),
        ]
        links = [
            *edges("start items loop s"),
            edge("s", "a", out="one"),
            edge("s", "inner", out="default"),
            *edges("inner b"),
        ]
        ended = run(nodes, links)
        assert ended.status is RunStatus.SUCCEEDED
        assert ended.trail[2:] == ["loop/0/s", "loop/0/a", "loop/1/s", "loop/1/inner/0/b", "loop/1/inner/1/b"]


class TestReusables:
    """named sub-flow, run in place with shared data."""

    def test_a_sub_flow_is_run_wherever_it_is_called(self, run: Run) -> None:
        code = "context.setVariable('n', (context.getVariable('n') || 0) + 1);"
        nodes = [
            start(),
            node("one", "reusable.runReusable", contextName="count"),
            node("two", "reusable.runReusable", contextName="count"),
            node("last", value="n=${variables.n}"),
            node("r", "reusable.reusable", contextName="count"),
            node("js", "javascriptCode", code=code),
            node("e", "reusable.end"),
        ]
        ended = run(nodes, edges("start one two last", "r js e"))
        assert ended.status is RunStatus.SUCCEEDED
        assert ended.trail == ["start", "one/js", "two/js", "last"]
        assert ended.variables["last"] == "n=2"

    def test_a_sub_flow_that_runs_itself_is_an_error_by_name(self, run: Run) -> None:
        nodes = [
            start(),
            node("run", "reusable.runReusable", contextName="x"),
            node("r", "reusable.reusable", contextName="x"),
            node("again", "reusable.runReusable", contextName="x"),
        ]
        ended = run(nodes, edges("start run", "r again"))
        assert ended.error("r%.fault") == 'Reusable flow "x" runs itself: x -> x'


class TestStop:
    """interrupt waits and requests; `stopped` within a second."""

    @pytest.mark.parametrize("kind", ["wait", "apiRequest", "loop"])
    def test_a_stop_ends_a_run_at_once(self, log: EventLog, server: FaultServer, kind: str) -> None:
        wait = node("w", "wait", waitType="timeout", value=20_000)
        nodes: Mapping[str, tuple[Nodes, str]] = {
            "wait": ([wait, node("b")], "start w b"),
            "apiRequest": ([node("w", "apiRequest", url=f"{server.url}/hang"), node("b")], "start w b"),
            "loop": (
                [
                    node("i", "setConfig.setConfig", config={"items": [1, 2]}),
                    node("l", "loop", mode="forEach", arrayVariable="items"),
                    wait,
                ],
                "start i l w",
            ),
        }
        given, walk = nodes[kind]
        flow = compile_workflow(read_workflow(document([start(), *given], edges(walk))))
        runner = LocalRunner(flow, log=log)
        thread = Thread(target=runner.run)
        thread.start()
        path = "l/0/w" if kind == "loop" else "w"
        deadline = time.monotonic() + 10
        while path not in load(log, runner.run_id).in_the_air and time.monotonic() < deadline:
            log.wait(log.position(), 0.05)
        begun = time.monotonic()
        runner.stop()
        thread.join(5)
        assert time.monotonic() - begun < 1.0
        assert Ended(runner).status is RunStatus.STOPPED
        assert "b" not in Ended(runner).trail


def test_slow_motion(run: Run) -> None:
    begun = time.monotonic()
    ended = run([start(slowMo=40), node("a"), node("b")], edges("start a b"))
    assert time.monotonic() - begun >= 0.08
    assert ended.status is RunStatus.SUCCEEDED


def test_files_and_answers_meet(run: Run, server: FaultServer, tmp_path: Path) -> None:
    nodes = [
        start(),
        node("config", "loadConfigFile", configs=[{"enabled": True, "fileContent": json.dumps({"base": server.url})}]),
        node("ask", "apiRequest", url="${data.base}/json"),
        node("check", "verify", domain="api", verificationType="bodyPath", jsonPath="name", expectedValue="Ada"),
        node("wait", "wait", waitType="api-response", apiWaitConfig={"checkType": "status", "expectedValue": 200}),
        node("rows", "javascriptCode", code="context.setData('rows', [context.data.apiResponse.body]);"),
        node("csv", "csvHandle", action="write", filePath="a.csv", dataSource="rows"),
        node("hook", "webhook", url="${data.base}/mirror", body="${data.apiResponse.body}"),
    ]
    ended = run(nodes, edges("start config ask check wait rows csv hook"))
    assert ended.status is RunStatus.SUCCEEDED
    assert (tmp_path / "a.csv").read_text() == "name\nAda\n"
    assert '"text": "{\\"name\\":\\"Ada\\"}"' in json.dumps(ended.data["webhookResult"])


def test_a_large_answer_does_not_travel_with_every_node(log: EventLog, server: FaultServer) -> None:
    nodes = [
        start(),
        node("ask", "apiRequest", url=f"{server.url}/big/1"),
        *(node(f"n{n}", value="x") for n in range(50)),
    ]
    links = edges(f"start ask {' '.join(f'n{n}' for n in range(50))}")
    runner = LocalRunner(compile_workflow(read_workflow(document(nodes, links))), log=log)
    runner.run()
    sizes = [
        len(json.dumps(each.event.outputs))
        for each in log.read(runner.run_id)
        if isinstance(each.event, AttemptSucceeded)
    ]
    assert max(sizes) == sizes[1] > 1_000_000
    assert sum(sizes) - sizes[1] < 10_000


class TestFiles:
    """A JSON file with nodes and edges is a workflow."""

    def file(self, tmp_path: Path, nodes: Nodes, links: Nodes, name: str = "w.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(document(nodes, links), indent=1))
        return path

    def refused(self, paths: Sequence[Path]) -> list[str]:
        with pytest.raises(FlowDocumentError) as caught:
            load_flow(paths, load_registry().catalog)
        return [str(problem) for problem in caught.value.problems]

    def test_it_is_loaded_and_run(self, tmp_path: Path) -> None:
        path = self.file(tmp_path, [start(), node("a", value="x")], edges("start a"))
        flow: Flow = load_flow(path, load_registry().catalog)
        assert [step.name for step in flow.steps] == ["start", "a"]
        runner = LocalRunner(load_yaml_files(path))
        runner.run()
        assert runner.flows["a"]["variables"] == {"a": "x"}

    def test_what_is_wrong_with_it_has_a_line(self, tmp_path: Path) -> None:
        path = self.file(tmp_path, [start(), node("a")], edges("start a b"))
        (found,) = self.refused([path])
        assert found.startswith(f"{path}:")
        assert found.endswith("edges[1].target: there is no node 'b'")
        circle = self.file(tmp_path, [start(), node("a")], edges("start a a", into="input"))
        assert self.refused([circle])[0].endswith("nodes[1]: Circular dependency detected involving node: a")

    def test_it_is_not_merged(self, tmp_path: Path) -> None:
        first = self.file(tmp_path, [start()], [])
        second = tmp_path / "flow.yaml"
        second.write_text("flow: []\n")
        assert self.refused([second, first]) == [f"{first}: a workflow is one file: it is not merged"]

    @pytest.mark.parametrize("text", ["{nodes: [], edges: []}", '{"flow": []}'])
    def test_a_file_is_a_flow_file_unless_it_has_nodes_and_edges(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "flow.json"
        path.write_text(text)
        if "flow" in text:
            assert load_flow(path, load_registry().catalog).steps == ()
        else:
            assert self.refused([path])[0].startswith(f"{path}:1:2: a workflow is JSON, and this is none: ")

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("NaN", "1:1: a workflow is JSON, and this is none: NaN is not JSON"),
            ("1e999", "1:63 nodes[1].value: `1e999` is a number too large to hold; as text it stands in quotes"),
            ("5 5", "1:65: a workflow is JSON, and this is none: "),
        ],
    )
    def test_what_is_not_quite_json_is_told_with_the_rest(self, tmp_path: Path, given: str, said: str) -> None:
        path = tmp_path / "flow.json"
        nodes = f'[{{"id": "s", "type": "start"}}, {{"id": "s", "value": {given}}}]'
        path.write_text(f'{{"nodes": {nodes}, "edges": []}}')
        first, second = self.refused([path])
        assert first.startswith(f"{path}:{said}")
        assert second.endswith("nodes[1]: 'type' is missing")

    def test_a_key_that_is_there_twice_is_told_with_both_places(self, tmp_path: Path) -> None:
        """As in bodies: one reader takes the first value, and the next the last."""
        path = tmp_path / "flow.json"
        path.write_text(
            """{
  "nodes": [
    {"id": "s", "type": "start"},
    {"id": "a", "type": "variable", "data": {"name": "n",
                                             "value": 1, "n\\u0061me": "m"}}
  ],
  "edges": [{"source": "s", "target": "b"}],
  "edges": [{"source": "s", "target": "a"}]
}"""
        )
        assert self.refused([path]) == [
            f"{path}:5:58 nodes[1].data.name: the key `name` is given twice: here and in line 4",
            f"{path}:8:3 edges: the key `edges` is given twice: here and in line 7",
        ]


class TestPauses:
    """Bypassed, skipped and loop-child nodes never pause; a wait with `pause` does when it is reached."""

    def trail(self, log: EventLog, nodes: Nodes, links: Nodes, points: Breakpoints | None) -> list[tuple[str, str]]:
        """Run a workflow, continue it whenever it pauses, and return where that was and why."""
        clock = SystemClock()
        flow = compile_workflow(read_workflow(document(nodes, links)))
        run_id = create_run(log, flow, at=clock.now(), breakpoints=points)
        engine = Engine(log, load_registry(), clock)
        ended = engine.adopt(run_id)
        engine.start()
        found: list[tuple[str, str]] = []
        try:
            deadline = time.monotonic() + 20
            seen = 0
            while not ended.wait(0.01):
                assert time.monotonic() < deadline
                events = [each.event for each in log.read(run_id)]
                pauses = [event for event in events if isinstance(event, StepPaused)]
                if len(pauses) > seen:
                    seen += 1
                    found.append((pauses[-1].instance, str(pauses[-1].cause)))
                    request(log, run_id, ContinueRun(at=clock.now()))
        finally:
            engine.close()
        assert load(log, run_id).status is RunStatus.SUCCEEDED
        return found

    NODES: Final[Nodes] = [
        start(),
        node("a", breakpoint=True),
        node("b", bypass=True, breakpoint=True),
        node("items", "setConfig.setConfig", config={"items": [1, 2]}),
        node("w", "wait", waitType="timeout", value=1, pause=True),
        node("s", "switch.switch", **_SWITCH),
        node("no"),
        node("each", "loop", mode="forEach", arrayVariable="items"),
        node("child", breakpoint=True),
        node("do", "loop", mode="doWhile", condition={"type": "variable", "variableName": "nobody"}),
    ]
    LINKS: Final[Nodes] = [*edges("start a b items w s", "s each child", "s do"), edge("s", "no", out="small")]

    def test_marked(self, log: EventLog) -> None:
        points = Breakpoints(moment=Moment.BOTH, marked=True)
        assert self.trail(log, self.NODES, self.LINKS, points) == [
            ("a", "breakpoint-pre"),
            ("a", "breakpoint-post"),
            ("w", "wait"),
        ]

    def test_all(self, log: EventLog) -> None:
        points = Breakpoints(moment=Moment.PRE, steps=None)
        found = self.trail(log, self.NODES, self.LINKS, points)
        names = list(dict.fromkeys(name for name, _cause in found))
        assert names == ["start", "a", "items", "w", "s", "each"]

    def test_without_breakpoints_only_a_wait_pauses(self, log: EventLog) -> None:
        assert self.trail(log, self.NODES, self.LINKS, None) == [("w", "wait")]
