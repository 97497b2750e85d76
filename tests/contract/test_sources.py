"""What every source must do, whoever wrote it."""

import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from threading import Thread

import pytest

from flowcore.catalog import Kind
from flowcore.errors import SourceError
from flowcore.ports import SourceAdapter, SourceCall
from flowcore.values import Json
from flowcore_adapters.registry import GROUP, load_registry
from flowcore_adapters.sources.workflow import FAMILIES
from tests.calls import cancelled_after, fail, give
from tests.fault_server import FaultServer

OWN = ("env", "process", "python", "rest", "value", "wait")
APART = ("container",)
"""Sources that need more than a call: they have tests of their own."""
_MISFITS: Mapping[Kind, Json] = {
    Kind.TEXT: ["a"],
    Kind.NUMBER: "many",
    Kind.SECONDS: -1,
    Kind.INTEGER: 1.5,
    Kind.BOOLEAN: "perhaps",
    Kind.WORDS: [],
    Kind.TEXTS: [None],
    Kind.NAMES: {"a": 1},
    Kind.MAPPING: "a",
}
_NEEDED: Mapping[str, Mapping[str, Json]] = {
    "process": {"command": ["true"]},
    "python": {"callable": "builtins:len"},
    "rest": {"url": "http://127.0.0.1:9/"},
}
_PARAMETERS = [
    pytest.param(name, parameter, id=f"{name}-{parameter}")
    for name in OWN
    for parameter in load_registry().adapter(name).type.parameters
]


def adapter(name: str) -> SourceAdapter:
    """Return the source *name*."""
    return load_registry().adapter(name)


def test_entry_points_name_the_types() -> None:
    found = {point.name: point.load()().type.name for point in entry_points(group=GROUP)}
    assert found == {name: name for name in (*OWN, *FAMILIES, *APART)}


@pytest.mark.parametrize("name", OWN)
def test_the_type_is_declared(name: str) -> None:
    kind = adapter(name).type
    assert kind.name == name
    assert re.fullmatch(r"[A-Z`].*\.", kind.about)
    assert not kind.open


@pytest.mark.parametrize(("name", "parameter"), _PARAMETERS)
def test_every_parameter_says_what_it_is_for(name: str, parameter: str) -> None:
    declared = adapter(name).type.parameters[parameter]
    assert re.fullmatch(r"[A-Z`].*\.", declared.about)


@pytest.mark.parametrize(("name", "parameter"), _PARAMETERS)
def test_a_rendered_value_that_does_not_fit_is_an_error_for_people(name: str, parameter: str) -> None:
    kind = adapter(name).type.parameters[parameter].kind
    if kind is Kind.ANY:
        assert give(adapter(name), {parameter: ["anything"]}).data == ["anything"]
        return
    error = fail(adapter(name), {**_NEEDED.get(name, {}), parameter: _MISFITS[kind]})
    assert (error.code, error.retryable) == ("bad-configuration", False)
    assert f"'{parameter}" in str(error)


@pytest.mark.parametrize("name", [name for name in OWN if name != "value"])
def test_an_unknown_key_is_an_error(name: str) -> None:
    error = fail(adapter(name), {**_NEEDED.get(name, {}), "colour": "red"})
    assert (error.code, str(error)) == ("bad-configuration", f"a `{name}` source has no 'colour'")


@pytest.mark.parametrize(
    ("name", "what"), [("process", "'command'"), ("python", "'callable'"), ("rest", "'url' or 'base_url'")]
)
def test_what_is_needed_is_asked_for(name: str, what: str) -> None:
    error = fail(adapter(name), {})
    assert (error.code, error.retryable) == ("bad-configuration", False)
    assert what in str(error)


def wait_for_cancel(call: SourceCall) -> None:
    """Wait until nobody wants the answer any more."""
    if call.cancel.wait(20):
        raise SourceError("stopped", code="cancelled")


@pytest.mark.parametrize("name", [name for name in OWN if adapter(name).type.blocking])
def test_a_cancel_ends_it_at_once(name: str) -> None:
    with FaultServer() as server:
        lasting: Mapping[str, Mapping[str, Json]] = {
            "process": {"command": ["sleep", "20"]},
            "python": {"callable": f"{__name__}:wait_for_cancel"},
            "rest": {"url": f"{server.url}/hang"},
            "wait": {"seconds": 20},
        }
        code, taken = cancelled_after(0.1, adapter(name), lasting[name])
    assert code == "cancelled"
    assert taken < 0.5


@pytest.mark.parametrize("name", OWN)
def test_one_object_serves_several_threads(name: str) -> None:
    with FaultServer() as server:
        quick: Mapping[str, Mapping[str, Json]] = {
            "env": {"vars": ["PATH"]},
            "process": {"command": ["true"]},
            "python": {"callable": "builtins:list"},
            "rest": {"url": f"{server.url}/json"},
            "value": {"value": 1},
            "wait": {"seconds": 0.001},
        }
        source, found = adapter(name), list[object]()
        threads = [Thread(target=lambda: found.append(give(source, quick[name]))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
