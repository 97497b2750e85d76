"""Workflows that chance has drawn: whatever they are, their runs end, and what runs has what it needs."""

import random
from threading import Thread

import pytest

from flowcore.documents.workflows import check_workflow, compile_workflow, read_workflow
from flowcore.invariants import violations
from flowcore.run.events import AttemptStarted, RunCreated
from flowcore.values import Json
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.local import LocalRunner
from tests.workflow_documents import document, edge, node, start

KINDS = {
    "stringValue": 6.0,
    "intValue": 3.0,
    "loop": 2.0,
    "switch.switch": 3.0,
    "reusable.reusable": 1.0,
    "reusable.end": 1.0,
    "reusable.runReusable": 2.0,
    "setConfig.setConfig": 1.0,
    "openBrowser": 0.3,
    "verify": 0.3,
}


def drawn(chance: random.Random) -> dict[str, Json]:
    """Return a document."""
    nodes = [start(), node("seed", "setConfig.setConfig", config={"items": [1, 2]})]
    for number in range(chance.randint(1, 14)):
        kind = chance.choices([*KINDS], [*KINDS.values()])[0]
        flags: dict[str, Json] = {name: chance.random() < 0.1 for name in ("bypass", "failSilently")}
        name = f"n{number}" if chance.random() < 0.7 else str(number)
        nodes.append(node(name, kind, **_data(kind, chance), **flags))
    ids = [str(each["id"]) for each in nodes]
    links = [edge("start", "seed")]
    for place in range(2, len(ids)):
        for _ in range(chance.randint(0, 2)):
            back = chance.randrange(place) if chance.random() < 0.98 else chance.randrange(len(ids))
            into = chance.choice(["driver", "input", "input", "input", "value-input"])
            links.append(edge(ids[back], ids[place], into, chance.choice(["output", "output", None, "c0", "default"])))
    return document(nodes, links)


def _data(kind: str, chance: random.Random) -> dict[str, Json]:
    condition: Json = {"type": "variable", "variableName": "n1", "comparisonValue": chance.randint(0, 1)}
    match kind:
        case "loop":
            going: Json = {
                "type": "variable",
                "variableName": "index",
                "comparisonOperator": "lessThan",
                "comparisonValue": 2,
            }
            mode = chance.choice(["forEach", "forEach", "doWhile", "never"])
            return {"mode": mode, "arrayVariable": "items", "condition": going, "maxIterations": 4}
        case "switch.switch":
            return {"cases": [{"id": "c0", "condition": condition}], "defaultCase": {"label": "else"}}
        case "setConfig.setConfig":
            return {"config": {"items": [3, 4]}}
        case _:
            return {"contextName": chance.choice("AB"), "value": chance.randint(0, 1), "variableName": "n1"}


@pytest.mark.parametrize("seed", range(60))
def test_a_run_of_whatever_workflow_ends_and_its_history_is_sound(seed: int) -> None:
    given = drawn(random.Random(seed))
    check_workflow(given)
    registry = load_registry()
    runner = LocalRunner(compile_workflow(read_workflow(given), catalog=registry.catalog), registry=registry)
    thread = Thread(target=runner.run, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    recorded = list(runner.log.read(runner.run_id))
    assert violations(recorded) == []
    events = [each.event for each in recorded]
    assert isinstance(events[0], RunCreated)
    assert runner.status.ended_at is not None
    tried = [(event.instance, event.attempt) for event in events if isinstance(event, AttemptStarted)]
    assert len(tried) == len(set(tried))
