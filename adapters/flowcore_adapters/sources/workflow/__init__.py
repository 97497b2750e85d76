"""The nodes of workflow documents: one source for each type of node, made when it is first asked for."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from .settings import DEFAULT_SETTINGS, WorkflowSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .source import NodeSource

PREFIX: Final = "workflow."
FAMILIES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "workflow.start": ("marks", "start"),
        "workflow.nothing": ("marks", "nothing"),
        "workflow.fault": ("marks", "fault"),
        "workflow.unknown": ("marks", "unknown"),
        "workflow.email": ("marks", "email"),
        "workflow.intValue": ("values", "int_value"),
        "workflow.stringValue": ("values", "string_value"),
        "workflow.booleanValue": ("values", "boolean_value"),
        "workflow.inputValue": ("values", "input_value"),
        "workflow.wait": ("waits", "wait"),
        "workflow.apiRequest": ("requests", "api_request"),
        "workflow.webhook": ("requests", "webhook"),
        "workflow.slack": ("requests", "slack"),
        "workflow.apiCurl": ("curl", "api_curl"),
        "workflow.verify": ("verify", "verify"),
        "workflow.switch.switch": ("conditions", "switch"),
        "workflow.loop": ("conditions", "loop"),
        "workflow.setConfig.setConfig": ("configs", "set_config"),
        "workflow.loadConfigFile": ("configs", "load_config_file"),
        "workflow.selectConfigFile": ("configs", "select_config_file"),
        "workflow.csvHandle": ("csv_files", "csv_handle"),
        "workflow.javascriptCode": ("javascript", "javascript_code"),
    }
)
"""Where the source of each type of node is made: the module and its function."""


def node_source(name: str, settings: WorkflowSettings = DEFAULT_SETTINGS) -> "NodeSource | None":
    """Return the source *name* for a place that allows its nodes *settings*, or None when there is none."""
    family = FAMILIES.get(name)
    if family is None:
        return None
    module, function = family
    make = cast("Callable[[WorkflowSettings], NodeSource]", getattr(import_module(f"{__name__}.{module}"), function))
    return make(settings)


__all__ = ["FAMILIES", "PREFIX", "WorkflowSettings", "node_source"]
