"""Finding sources: ours, the program's, and those that others have installed."""

import sys
from pathlib import Path

import pytest

from flowcore.errors import SourceError
from flowcore.values import Json
from flowcore_adapters.registry import Registry, load_registry
from flowcore_adapters.sources.value import ValueSource
from tests.calls import fail, give

OWN = ["container", "env", "process", "python", "rest", "value", "wait"]
MODULE = """
from flowcore.catalog import SourceType
from flowcore.ports import SourceResult

class Good:
    type = SourceType(name="good", about="Good.", parameters={})
    def call(self, call):
        return SourceResult(data="good")

class Old:
    def __init__(self, configuration):
        self.configuration = configuration
    def call(self, input_payload=None):
        if "raise" in self.configuration:
            raise ValueError("no luck")
        if "leave" in self.configuration:
            raise SystemExit
        self.configuration.setdefault("seen", []).append(input_payload)
        return self.configuration.get("answer", input_payload)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory on the path in which a package declares sources."""
    (tmp_path / "others_sources.py").write_text(MODULE, encoding="utf-8")
    info = tmp_path / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n", encoding="utf-8")
    declare(
        tmp_path, "flowcore.sources", good="others_sources:Good", env="others_sources:Good", odd="others_sources:Good"
    )
    declare(tmp_path, "flowtoy.providers", old="others_sources:Old", rest="others_sources:Old", lost="no_such_module:X")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "others_sources", raising=False)
    return tmp_path


def declare(place: Path, group: str, **points: str) -> None:
    """Add entry points to the package at *place*."""
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items()), ""]
    with (place / "others-1.0.dist-info" / "entry_points.txt").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines))


def test_our_own_are_there_without_any_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    registry = load_registry()
    assert sorted(registry.catalog) == OWN
    assert registry.warnings == ()


def test_the_program_comes_first() -> None:
    mine = ValueSource()
    registry = load_registry({"rest": mine, "mine": mine})
    assert registry.adapter("rest") is mine
    assert registry.catalog["mine"] is mine.type
    assert sorted(registry.names()) == sorted([*OWN, "mine"])


def test_an_unknown_name_is_told_what_there_is() -> None:
    registry = Registry({"value": ValueSource()})
    with pytest.raises(SourceError, match="there is no source type 'valu'; available: value") as caught:
        registry.adapter("valu")
    assert not caught.value.retryable
    assert "valu" not in registry.catalog
    assert len(registry.catalog) == 1


def test_what_others_have_installed(installed: Path) -> None:
    registry = load_registry()
    assert sorted(registry.catalog) == sorted([*OWN, "good", "old"])
    assert give(registry.adapter("good"), {}).data == "good"
    assert registry.adapter("rest").type.parameters
    assert sorted(registry.warnings) == [
        "provider 'lost' (no_such_module:X) cannot be used: ModuleNotFoundError: No module named 'no_such_module'",
        "source 'odd' (others_sources:Good) cannot be used: ValueError: its type is called 'good'",
    ]


def test_nobody_looks_at_others_for_a_flow_of_our_own_sources(installed: Path) -> None:
    registry = load_registry()
    assert registry.catalog["process"].name == "process"
    assert "others_sources" not in sys.modules
    assert "good" in registry.catalog


def test_others_in_a_zip_file_are_found(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    archive = shutil.make_archive(str(tmp_path.parent / f"{tmp_path.name}-zip"), "zip", installed)
    monkeypatch.setattr(sys, "path", [archive, *(place for place in sys.path if place != str(installed))])
    assert "good" in load_registry().catalog


def test_a_provider_of_flowtoy(installed: Path) -> None:
    old = load_registry().adapter("old")
    assert old.type.open
    assert give(old, {}, [1]).data == [1]
    assert give(old, {"answer": {"status": "fine", "a": 1}}).data == {"status": "fine", "a": 1}
    envelope: Json = {"status": {"success": True, "notes": ["odd"]}, "data": {"a": 1}, "meta": {"took": 2}}
    result = give(old, {"answer": envelope})
    assert (result.data, result.meta, result.notes) == ({"a": 1}, {"took": 2}, ("odd",))
    assert give(old, {"answer": {"status": {"success": True}, "data": 1, "meta": "none"}}).meta == {}


def test_what_a_provider_does_to_its_configuration_stays_there(installed: Path) -> None:
    configuration: dict[str, Json] = {"seen": []}
    give(load_registry().adapter("old"), configuration, "x")
    assert configuration == {"seen": []}


def test_a_provider_that_fails(installed: Path) -> None:
    old = load_registry().adapter("old")
    status: Json = {"success": False, "code": 503, "notes": ["a", "b"]}
    error = fail(old, {"answer": {"status": status}})
    assert (str(error), error.code) == ("a; b", "503")
    error = fail(old, {"answer": {"status": {"success": False, "notes": "why"}}})
    assert (str(error), error.code) == ("why", "source-failed")
    error = fail(old, {"answer": {"status": {"success": False}}})
    assert str(error) == "the provider reported a failure"
    assert str(fail(old, {"raise": True})) == "ValueError: no luck"
    assert str(fail(old, {"leave": True})) == "SystemExit"
