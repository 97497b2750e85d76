"""How long a node may take: the operator's word (contract flow-runs, section 11: no node without a limit)."""

import math
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from flowcore.model import DEFAULT_TIMEOUT_S, Dialect
from flowcore.run.events import AttemptFailed
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.node_runtime import NodeRuntime
from flowcore_adapters.runner.plan import Planner
from flowcore_cli.main import main
from tests.node_flows import compiled, definition, node, station


def test_an_attempt_is_ended_when_the_operators_time_is_over(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    flow = compiled([node("slow", "sleep")], [definition("sleep", Command={"Exec": "sleep 300"}, MaxAttempts=1)])
    registry = NodeRuntime("process", timeout_s=0.3).registry()
    with station(log, tmp_path, registry) as place:
        events = place.finish(place.start(flow))
    (failed,) = [event for event in events if isinstance(event, AttemptFailed)]
    assert (failed.code, failed.error) == ("timeout", "timeout after 0.3 s; the process was ended")


def test_nodes_alone_have_that_limit() -> None:
    flow = compiled([node("one", "work")], [definition("work")]).flow
    (step,) = flow.steps
    registry = NodeRuntime(timeout_s=4000.0).registry()
    assert Planner(flow, registry).plan("one", step).timeout_s == 4000.0
    assert Planner(flow, NodeRuntime().registry()).plan("one", step).timeout_s == DEFAULT_TIMEOUT_S == 300.0
    other = attrs.evolve(flow, dialect=Dialect.FLOW)
    assert Planner(other, registry).plan("one", step).timeout_s == DEFAULT_TIMEOUT_S


@pytest.mark.parametrize("given", [0.0, -1.0, math.nan, math.inf, 366 * 86_400.0 + 1])
@pytest.mark.parametrize("command", ["run", "serve"])
def test_what_is_no_limit_is_refused(given: float, command: str) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 31622400 seconds"):
        NodeRuntime(timeout_s=given)
    ended = CliRunner().invoke(main, [command, "none.yaml", "--node-timeout", str(given)])
    assert ended.exit_code == 2
    assert "it must be more than 0 and at most 31622400 seconds" in " ".join(ended.output.split())
