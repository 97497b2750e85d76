"""The registry: what is here, what others have installed, and what of it cannot be used."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path

import pytest

from flowcore.catalog import SourceType
from flowcore.errors import SourceError
from flowcore.ports import SourceCall, SourceResult
from flowcore_adapters.registry import GROUP, LEGACY_GROUP, Registry, load_registry
from tests.calls import give

OWN = ("env", "process", "python", "rest", "value", "wait")
_CODE = """
from flowcore.catalog import SourceType
from flowcore.ports import SourceResult


class Shout:
    type = SourceType(name="shout", about="Shouts.", parameters={})

    def call(self, call):
        return SourceResult(data=str(call.payload).upper())


class Old:
    def __init__(self, configuration):
        self.configuration = configuration

    def call(self, input_payload=None):
        return {"status": {"success": True}, "data": [self.configuration, input_payload]}


class Leaves:
    def __init__(self):
        raise SystemExit("bye")
"""


class Fake:
    """A source of the program itself."""

    def __init__(self, name: str) -> None:
        self.type = SourceType(name=name, about="Fakes.", parameters={})

    def call(self, call: SourceCall) -> SourceResult:
        """Return its name."""
        return SourceResult(data=self.type.name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on the path, where somebody may install something."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    invalidate_caches()
    yield tmp_path
    sys.modules.pop("flowcore_test_plugin", None)


def install(site: Path, group: str, **points: str) -> None:
    """Install a distribution with these entry points."""
    (site / "flowcore_test_plugin.py").write_text(_CODE, encoding="utf-8")
    folder = site / f"plugin_{group.replace('.', '_')}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{group}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]", *(f"{name} = flowcore_test_plugin:{value}" for name, value in points.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_our_own_are_there() -> None:
    registry = load_registry()
    assert set(OWN) <= set(registry.names())
    assert {registry.adapter(name).type.name for name in OWN} == set(OWN)
    assert registry.warnings == ()


def test_our_own_need_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def search() -> bool:
        raise AssertionError("searched")

    monkeypatch.setattr("flowcore_adapters.registry._others_declared", search)
    registry = load_registry()
    assert registry.adapter("value").type.name == "value"
    assert registry.catalog["rest"].name == "rest"
    with pytest.raises(AssertionError, match="searched"):
        registry.find("shout")


def test_an_unknown_type_is_refused_with_what_is_available() -> None:
    with pytest.raises(SourceError) as caught:
        Registry({"b": Fake("b"), "a": Fake("a")}).adapter("c")
    assert str(caught.value) == "there is no source type 'c'; available: a, b"
    assert (caught.value.code, caught.value.retryable) == ("unknown-source", False)


def test_the_catalog_shows_the_types() -> None:
    catalog = Registry({"a": Fake("a"), "b": Fake("b")}).catalog
    assert {name: kind.name for name, kind in catalog.items()} == {"a": "a", "b": "b"}
    assert (len(catalog), "a" in catalog, "c" in catalog, catalog.get("c")) == (2, True, False, None)


def test_a_source_of_the_program_comes_first() -> None:
    registry = load_registry({"value": Fake("value"), "mine": Fake("mine")})
    assert give(registry.adapter("value"), {"value": 1}).data == "value"
    assert give(registry.adapter("mine"), {}).data == "mine"


def test_an_installed_source_is_found(site: Path) -> None:
    install(site, GROUP, shout="Shout")
    registry = load_registry()
    assert give(registry.adapter("shout"), {}, "hello").data == "HELLO"
    assert registry.catalog["shout"].about == "Shouts."
    assert "shout" in list(registry.catalog)
    assert registry.warnings == ()


def test_an_installed_provider_of_flowtoy_is_found(site: Path) -> None:
    install(site, LEGACY_GROUP, old="Old")
    source = load_registry().adapter("old")
    assert source.type.open
    assert give(source, {"a": 1}, "hello").data == [{"a": 1}, "hello"]


def test_a_source_goes_before_a_provider_of_its_name(site: Path) -> None:
    install(site, LEGACY_GROUP, shout="Old")
    install(site, GROUP, shout="Shout")
    assert not load_registry().adapter("shout").type.open


@pytest.mark.parametrize("group", [GROUP, LEGACY_GROUP])
def test_nobody_takes_the_place_of_ours(site: Path, group: str) -> None:
    install(site, group, value="Old")
    registry = load_registry()
    assert give(registry.adapter("value"), {"value": 1}).data == 1
    assert registry.warnings == ()


@pytest.mark.parametrize(
    ("group", "what", "value", "reason"),
    [
        (GROUP, "source", "Missing", "AttributeError: module 'flowcore_test_plugin' has no attribute 'Missing'"),
        (GROUP, "source", "Leaves", "SystemExit: bye"),
        (GROUP, "source", "Shout", "ValueError: its type is called 'shout'"),
        (LEGACY_GROUP, "provider", "Missing", "AttributeError: "),
    ],
)
def test_one_that_cannot_be_used_is_a_warning(site: Path, group: str, what: str, value: str, reason: str) -> None:
    install(site, group, broken=value)
    registry = load_registry()
    assert registry.find("broken") is None
    assert len(registry.warnings) == 1
    assert registry.warnings[0].startswith(f"{what} 'broken' (flowcore_test_plugin:{value}) cannot be used: {reason}")
    assert registry.find("value") is not None


def test_a_module_that_does_not_import_is_a_warning(site: Path) -> None:
    install(site, GROUP, broken="Shout")
    (site / "flowcore_test_plugin.py").write_text("import no_such_module\n", encoding="utf-8")
    warnings = load_registry().warnings
    assert [warning.rpartition("cannot be used: ")[2] for warning in warnings] == [
        "ModuleNotFoundError: No module named 'no_such_module'"
    ]


def test_a_broken_one_does_not_hide_the_others(site: Path) -> None:
    install(site, GROUP, broken="Missing", shout="Shout")
    registry = load_registry()
    assert registry.find("shout") is not None
    assert len(registry.warnings) == 1


def test_what_is_heavy_waits_until_it_is_used() -> None:
    code = (
        "import sys\n"
        "from flowcore_adapters.registry import load_registry\n"
        "load_registry().catalog['rest']\n"
        "print([name for name in ('urllib3', 'subprocess', 'importlib.metadata') if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
