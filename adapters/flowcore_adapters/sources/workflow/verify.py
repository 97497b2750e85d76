"""Verify nodes: an answer that is not as it should be is an error."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flowcore.documents.workflows.matching import DEFAULT_KEY, Expectation

from .answers import check_expected
from .node import NodeCall, Patch, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource

_PARTS: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "status": ("status", "", "statusCode"),
        "header": ("header", "headerName", "expectedValue"),
        "bodyPath": ("body-path", "jsonPath", "expectedValue"),
        "bodyValue": ("body-value", "", "expectedValue"),
    }
)
"""For each type of verification: the part of the answer, and the properties with its name and what is expected."""


def verify(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `verify` nodes."""
    return NodeSource("verify", "Fails unless an answer is as it should.", _verify, settings)


def _verify(node: NodeCall) -> Patch:
    domain = node.text("domain")
    if domain != "api":
        needs = {"browser": "a browser", "database": "a database"}.get(domain)
        why = f"that needs {needs}, and there is none here" if needs else "allowed here: api"
        raise unfit(f"a verification of the domain '{domain}' cannot be made: {why}")
    kind = node.text("verificationType")
    if kind not in _PARTS:
        raise unfit(f"there is no API verification '{kind}'; allowed: {', '.join(_PARTS)}")
    part, name_key, value_key = _PARTS[kind]
    value = node.get(value_key)
    if value is None:
        raise unfit(f"'{value_key}' is required for API {kind} verification")
    name = node.needed(name_key, f"'{name_key}' is required for API {kind} verification") if name_key else ""
    expectation = Expectation(
        key=node.text("apiContextKey", DEFAULT_KEY),
        part=part,
        name=name,
        value=value,
        match_type=node.text("matchType", "equals") if value_key == "expectedValue" else "equals",
        case_sensitive=node.flag("caseSensitive"),
    )
    message = check_expected(node, expectation, f"API {kind} verification", code="verification-failed")
    node.call.log(f"API {kind} verification passed: {message}")
    return Patch()
