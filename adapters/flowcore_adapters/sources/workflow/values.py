"""Value nodes: a value under the node's id, under its variable's name, and as `data.value`."""

from collections.abc import Callable
from typing import Final

from flowcore.documents.workflows.numbers import number_of, whole_number_of
from flowcore.documents.workflows.references import to_text
from flowcore.values import Json

from .node import NodeCall, Patch
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource

_TRUE: Final = frozenset({"true", "1", "yes"})


def int_value(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `intValue` nodes."""
    return _source("intValue", "Gives a whole number.", _whole, settings)


def string_value(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `stringValue` nodes."""
    return _source("stringValue", "Gives a text.", to_text, settings)


def boolean_value(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `booleanValue` nodes."""
    return _source("booleanValue", "Gives true or false.", _boolean, settings)


def input_value(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `inputValue` nodes."""

    def run(node: NodeCall) -> Patch:
        return _leave(node, _typed(node.get("value"), node.text("dataType", "string")))

    return NodeSource("inputValue", "Gives a value of the type that it says.", run, settings, blocking=False)


def _source(kind: str, about: str, read: Callable[[Json], Json], settings: WorkflowSettings) -> NodeSource:
    def run(node: NodeCall) -> Patch:
        return _leave(node, read(node.get("value")))

    return NodeSource(kind, about, run, settings, blocking=False)


def _leave(node: NodeCall, value: Json) -> Patch:
    variables = {node.id: value}
    name = node.text("variableName").strip()
    if name:
        variables[name] = value
    return Patch(data={"value": value}, variables=variables)


def _typed(value: Json, kind: str) -> Json:
    match kind:
        case "int":
            return _whole(value)
        case "float" | "double":
            return number_of(value) or 0.0
        case "boolean":
            return _boolean(value)
        case _:
            return to_text(value)


def _whole(value: Json) -> int:
    """Return the whole number that *value* is or begins with; what begins with none counts as 0."""
    return whole_number_of(value) or 0


def _boolean(value: Json) -> bool:
    return value is True or (value is not False and to_text(value).strip().lower() in _TRUE)
