"""Wait nodes: for time, or for an answer to be as it should."""

from typing import Final

from flowcore.documents.workflows.matching import Expectation
from flowcore.documents.workflows.numbers import number_of
from flowcore.documents.workflows.references import to_text
from flowcore.values import Json

from .answers import check_expected
from .node import NodeCall, Patch, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource

_BROWSER: Final = frozenset({"selector", "url", "condition"})


def wait(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `wait` nodes."""
    return NodeSource("wait", "Waits for some time, or for an answer; a stop ends it at once.", _wait, settings)


def _wait(node: NodeCall) -> Patch:
    kind = node.text("waitType")
    if kind == "timeout":
        node.pause(_seconds(node.get("value")))
    elif kind == "api-response":
        _check(node)
    elif kind in _BROWSER:
        raise unfit(f"a wait of the type '{kind}' needs a browser, and there is none here")
    else:
        raise unfit(f"Invalid wait type: {kind}")
    return Patch()


def _seconds(value: Json) -> float:
    milliseconds = number_of(value)
    if milliseconds is None:
        raise unfit("Invalid timeout value for Wait node: 'value' must be a number of milliseconds")
    return max(0.0, milliseconds) / 1000


def _check(node: NodeCall) -> None:
    """See once whether the answer is as it should; retries look again."""
    wanted = node.mapping("apiWaitConfig")
    if not wanted:
        raise unfit("apiWaitConfig is required for API response wait")
    part, name = to_text(wanted.get("checkType")), to_text(wanted.get("path"))
    if part in {"header", "body-path"} and not name:
        raise unfit(f"'apiWaitConfig.path' is required for the check '{part}'")
    expectation = Expectation(
        key=to_text(wanted.get("contextKey")) or node.text("value", "apiResponse"),
        part=part,
        name=name,
        value=wanted.get("expectedValue"),
        match_type=to_text(wanted.get("matchType")) or "equals",
    )
    check_expected(node, expectation, "API response check", code="not-as-expected")
