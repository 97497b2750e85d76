"""What `LocalRunner.flows` hands out is its caller's own, and costs what is looked at."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from flowcore_adapters.runner.flows import Flows


def as_yaml(value: object, dumper: type[Any] = yaml.SafeDumper) -> str:
    return str(yaml.dump(value, Dumper=dumper))  # pyright: ignore[reportUnknownMemberType]


def left() -> dict[str, dict[str, Any]]:
    return {"a": {"list": [3, 1, 2], "deep": {"x": [{"y": [1]}]}}, "b": {"n": 1, "rows": [[1], [2]]}, "c": {}}


WAYS: Mapping[str, Callable[[Flows], Any]] = {
    "[]": lambda flows: flows["a"],
    "get": lambda flows: flows.get("a"),
    "get with a default": lambda flows: flows.get("a", {}),
    "items": lambda flows: dict(flows.items())["a"],
    "values": lambda flows: next(iter(flows.values())),
    "pop": lambda flows: flows.pop("a"),
    "pop with a default": lambda flows: flows.pop("a", None),
    "popitem": lambda flows: [flows.popitem(), flows.popitem(), flows.popitem()][-1][1],
    "setdefault": lambda flows: flows.setdefault("a", {}),
    "copy": lambda flows: flows.copy()["a"],
    "copy.copy": lambda flows: copy.copy(flows)["a"],
    "copy.deepcopy": lambda flows: copy.deepcopy(flows)["a"],
    "pickle": lambda flows: pickle.loads(pickle.dumps(flows))["a"],  # noqa: S301 - what this test has written
    "yaml": lambda flows: yaml.safe_load(as_yaml(flows))["a"],
    "dict": lambda flows: dict(flows)["a"],
    "**": lambda flows: {**flows}["a"],
    "update": lambda flows: _updated(flows)["a"],
    "|": lambda flows: (flows | {"d": {}})["a"],
    "| from the right": lambda flows: ({"d": {}} | flows)["a"],
}


def _updated(flows: Flows) -> dict[str, Any]:
    found: dict[str, Any] = {}
    found.update(flows)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_to_what_others_hold(way: str) -> None:
    shown = left()
    found = WAYS[way](Flows(shown))
    assert found == left()["a"]
    found["list"].sort()
    found["deep"]["x"][0]["y"].append(2)
    found["new"] = 1
    assert shown == left()


def test_it_is_the_dictionary_that_it_looks_like() -> None:
    flows = Flows(left())
    assert flows == left()
    assert repr(flows) == repr(left())
    assert isinstance(flows, dict)
    assert json.dumps(flows) == json.dumps(left())
    assert type(copy.deepcopy(flows)) is type(pickle.loads(pickle.dumps(flows))) is dict  # noqa: S301 - as above
    assert (list(flows), len(flows), "b" in flows, flows.get("d"), flows.get("d", 7)) == (
        ["a", "b", "c"],
        3,
        True,
        None,
        7,
    )
    with pytest.raises(KeyError, match="d"):
        flows["d"]


@pytest.mark.parametrize("dumper", [yaml.SafeDumper, yaml.Dumper])
def test_yaml_writes_it_like_any_dictionary(dumper: type[Any]) -> None:
    flows, plain = Flows(left()), left()
    assert as_yaml(flows, dumper) == as_yaml(plain, dumper)
    assert as_yaml({"flows": flows, "x": [flows]}, dumper) == as_yaml({"flows": plain, "x": [plain]}, dumper)


def test_what_a_caller_changes_stays_for_that_caller() -> None:
    flows = Flows(left())
    flows["a"]["list"].append(4)
    flows["b"] = {"mine": 1}
    del flows["c"]
    assert flows["a"]["list"] == [3, 1, 2, 4]
    assert (flows.get("b"), "c" in flows, flows.get("c")) == ({"mine": 1}, False, None)
    assert dict(flows) == {"a": {**left()["a"], "list": [3, 1, 2, 4]}, "b": {"mine": 1}}


def test_looking_at_one_step_copies_no_other() -> None:
    shown = left()
    flows = Flows(shown)
    assert flows["a"] is not shown["a"]
    assert flows["a"] is flows["a"]
    assert super(Flows, flows).__getitem__("b") is shown["b"]
