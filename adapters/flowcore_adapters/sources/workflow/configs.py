"""Nodes that put values into `data`: written in the node, or in files that an editor has put into it."""

import json
from collections.abc import Mapping

from flowcore.documents.workflows.references import to_text
from flowcore.errors import EventFormatError
from flowcore.json_text import from_json
from flowcore.values import Json

from .files import read_bytes
from .node import NodeCall, Patch, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource


def set_config(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `setConfig.setConfig` nodes."""
    return NodeSource("setConfig.setConfig", "Puts values into `data`.", _set, settings, blocking=False)


def load_config_file(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `loadConfigFile` nodes."""
    return NodeSource("loadConfigFile", "Puts what JSON files hold into `data`.", _load, settings)


def select_config_file(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `selectConfigFile` nodes."""
    return NodeSource("selectConfigFile", "Puts what JSON files hold into `data`.", _load, settings)


def _set(node: NodeCall) -> Patch:
    config = node.get("config")
    if config is None:
        return Patch()
    if not isinstance(config, Mapping):
        raise unfit("Failed to set config: Config must be a JSON object")
    return Patch(data=_merged(config, node.text("contextKey")))


def _merged(config: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    return {key: config} if key else config


def _load(node: NodeCall) -> Patch:
    configs = node.raw("configs")
    if isinstance(configs, (list, tuple)) and configs:
        found: dict[str, Json] = {}
        for config in configs:
            if isinstance(config, Mapping) and config.get("enabled") is True:
                text = to_text(config.get("fileContent"))
                parsed = _parsed(text, f'config file "{to_text(config.get("fileName"))}"')
                # Later files override earlier ones.
                found.update(_merged(parsed, to_text(config.get("contextKey"))))
        return Patch(data=found)
    content = to_text(node.raw("fileContent"))
    if not content:
        path = node.needed("filePath", "No config files specified. Please load at least one config file.")
        try:
            content = read_bytes(node, path, "the config file").decode("utf-8-sig")
        except UnicodeDecodeError:
            raise unfit(f"the config file '{path}' is no UTF-8 text") from None
    return Patch(data=_merged(_parsed(content, "config file"), node.text("contextKey")))


def _parsed(text: str, what: str) -> Mapping[str, Json]:
    try:
        found = from_json(text.strip())
    except EventFormatError as error:
        cause = error.__cause__
        reason = f"{cause.msg} at line {cause.lineno}" if isinstance(cause, json.JSONDecodeError) else str(error)
        raise unfit(f"Invalid JSON in {what}: {reason}") from None
    if not isinstance(found, Mapping):
        raise unfit(f"{what[0].upper()}{what[1:]} must contain a JSON object")
    return found
