"""Nothing that people can use is left out of the documentation."""

from pathlib import Path

import pytest
from click import Group

from flowcore.documents.flow_document import STEP_KEYS, TOP_KEYS
from flowcore.documents.nodes.codes import RULES
from flowcore.documents.nodes.object_names import KEY_VARIABLES
from flowcore.documents.nodes.tiers import TIERS
from flowcore.documents.workflows.fakes import KEYS
from flowcore.documents.workflows.nodes import NODE_TYPES
from flowcore.testing import ManualClock, MemoryEventLog
from flowcore_adapters.artifacts.signed_urls import UrlSigner
from flowcore_adapters.artifacts.url_keys import new_keys, parse_keys
from flowcore_adapters.http.app import routes
from flowcore_adapters.http.uploads.resources import Uploads
from flowcore_adapters.registry import load_registry
from flowcore_cli.main import main
from tests.upload_server import NoStores

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / name).read_text(encoding="utf-8")


def commands() -> list[str]:
    """Return the names of the commands."""
    assert isinstance(main, Group)
    return main.list_commands(main.make_context("flowcore-cli", [], resilient_parsing=True))


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"## `{command}" in page("cli.md") or f"flowcore-cli {command}" in page("cli.md")


@pytest.mark.parametrize("kind", [*NODE_TYPES, "reusable.reusable", "reusable.end", "reusable.runReusable"])
def test_every_type_of_node_is_documented(kind: str) -> None:
    assert f"`{kind}`" in page("workflows.md")


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_made_up_data_is_documented(key: str) -> None:
    assert f"`{key}`" in page("workflows.md").lower()


def paths() -> list[str]:
    """Return every path that a server can have."""
    uploads = Uploads(signer=UrlSigner(parse_keys(new_keys(), "here"), ManualClock().now), stores=NoStores())
    return [route.path for route in routes(MemoryEventLog(), uploads=uploads)]


@pytest.mark.parametrize("path", paths())
def test_every_endpoint_is_documented(path: str) -> None:
    assert path in page("http-api.md")


@pytest.mark.parametrize("key", [*TOP_KEYS, *STEP_KEYS])
def test_every_key_of_a_flow_file_is_documented(key: str) -> None:
    assert f"`{key}`" in page("flow-file.md") or f"{key}:" in page("flow-file.md")


@pytest.mark.parametrize("name", sorted(load_registry().catalog))
def test_every_source_and_parameter_is_documented(name: str) -> None:
    text = page("sources.md")
    assert f"`{name}`" in text
    missing = [parameter for parameter in load_registry().catalog[name].parameters if parameter not in text]
    assert missing == []


@pytest.mark.parametrize("code", RULES)
def test_every_validation_code_is_documented_with_its_name(code: str) -> None:
    assert f"| `{code}` | `{RULES[code].name}` |" in page("nodes.md")


def test_every_key_variable_is_documented() -> None:
    assert [name for name in KEY_VARIABLES if f"`{name}`" not in page("nodes.md")] == []


@pytest.mark.parametrize("name", TIERS)
def test_every_tier_is_documented(name: str) -> None:
    family, _, size = name.partition("-")
    (row,) = [line for line in page("nodes.md").splitlines() if line.startswith(f"| `{family}-`")]
    assert f" {size} {TIERS[name].cores}/" in row
