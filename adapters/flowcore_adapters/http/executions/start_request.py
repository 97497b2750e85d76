"""What `POST /api/workflows/execute` is asked for (contract executions, section 4), checked field by field."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import falcon

from flowcore.model import Breakpoints, Moment
from flowcore.values import Json
from flowcore_adapters.http.incoming.json_body import parse_object

DEFAULT_WORKERS: Final = 4
MOST_WORKERS: Final = 1_000
MOST_PRIORITY: Final = 2**31
_LONGEST_NAME: Final = 1_024
_INPUTS: Final = ("workflow", "workflows", "folderPath")
_FILES: Final = (".json", ".yaml", ".yml")


@attrs.frozen(kw_only=True)
class UploadedFile:
    """A file of a form: its name, without any path, and what is in it."""

    name: str
    data: bytes


@attrs.frozen(kw_only=True)
class StartRequest:
    """A request, understood.

    Attributes:
        workflow: The document of a single run; None for a batch.
        workflows: The documents of a batch, by the names of their files; None unless they are in the request.
        folder: The folder of a batch, or None.
        files: The files of a form, or None.
        overrides: What goes into the data of start nodes.
    """

    workflow: Json = None
    workflows: Sequence[tuple[str, Json]] | None = None
    folder: str | None = None
    recursive: bool = False
    pattern: str = "*.json"
    files: Sequence[UploadedFile] | None = None
    workers: int = DEFAULT_WORKERS
    priority: int = 0
    overrides: Mapping[str, Json] = attrs.field(factory=dict[str, Json])
    trace: bool = False
    breakpoints: Breakpoints | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])


def read_json(body: Mapping[str, Json]) -> StartRequest:
    """Return what a JSON body asks for.

    Raises:
        HTTPBadRequest: It asks for nothing, for too much, or for what cannot be.
    """
    given = [name for name in _INPUTS if body.get(name) is not None]
    if not given:
        raise _bad("No workflow input provided: give 'workflow', 'workflows' or 'folderPath'")
    if len(given) > 1:
        raise _bad(f"'{given[0]}' and '{given[1]}' exclude each other: give one of them")
    mode = body.get("executionMode", "auto")
    if not isinstance(mode, str):
        raise _bad("'executionMode' must be auto, single or parallel")
    single = given == ["workflow"]
    if single and mode not in {"auto", "single"}:
        raise _bad("executionMode 'parallel' needs 'workflows' or 'folderPath'")
    if not single and mode == "single":
        raise _bad("executionMode 'single' needs 'workflow'")
    common = _common(body)
    if single:
        workflow = body["workflow"]
        _check_format(workflow)
        return attrs.evolve(common, workflow=workflow, breakpoints=_breakpoints(body.get("breakpointConfig")))
    if given == ["folderPath"]:
        return attrs.evolve(
            common,
            folder=_text(body, "folderPath", ""),
            recursive=_truth(body, "recursive"),
            pattern=_text(body, "pattern", "*.json"),
        )
    return attrs.evolve(common, workflows=_documents(body))


def read_form(fields: Mapping[str, str], files: Sequence[UploadedFile]) -> StartRequest:
    """Return what a form asks for: always a batch of its files.

    Raises:
        HTTPBadRequest: It has no files, or a field that cannot be.
    """
    if not files:
        raise _bad("No workflow input provided: the form has no field 'files'")
    for name in _INPUTS:
        if name in fields:
            raise _bad(f"'files' and '{name}' exclude each other: a form starts its 'files' and nothing else")
    mode = fields.get("executionMode", "auto")
    if mode not in {"auto", "parallel"}:
        raise _bad(
            f"form field 'executionMode': a form starts a batch: auto and parallel are allowed, not '{mode[:40]}'"
        )
    for file in files:
        if not file.name.lower().endswith(_FILES):
            raise _bad(
                f"form field 'files': '{file.name[:200]}' is no workflow: files called {', '.join(_FILES)} are allowed"
            )
    body: dict[str, Json] = dict(fields)
    for name in ("reportConfig", "screenshotConfig", "startNodeOverrides"):
        text = fields.get(name)
        if text is not None:
            body[name] = _parsed(name, text)
    for name in ("traceLogs", "recordSession"):
        if name in fields:
            word = fields[name].lower()
            if word not in {"true", "false"}:
                raise _bad(f"form field '{name}' must be true or false, not '{fields[name][:40]}'")
            body[name] = word == "true"
    return attrs.evolve(_common(body), files=files)


def _common(body: Mapping[str, Json]) -> StartRequest:
    for name in ("recordSession", "builderModeEnabled"):
        _truth(body, name)
    for name in ("screenshotConfig", "reportConfig"):
        if not isinstance(body.get(name), (dict, type(None))):
            raise _bad(f"'{name}' must be an object")
    overrides = body.get("startNodeOverrides")
    if overrides is not None and not isinstance(overrides, dict):
        raise _bad("'startNodeOverrides' must be an object")
    labels = {"source": _text(body, "source", "api")}
    for name, label in (("workflowFileName", "file"), ("outputPath", "output")):
        if body.get(name) is not None:
            labels[label] = _text(body, name, "")
    return StartRequest(
        workers=_whole(body, "workers", DEFAULT_WORKERS, least=0, most=MOST_WORKERS) or DEFAULT_WORKERS,
        priority=_whole(body, "batchPriority", 0, least=-MOST_PRIORITY, most=MOST_PRIORITY),
        overrides=overrides or {},
        trace=_truth(body, "traceLogs"),
        labels=labels,
    )


def _documents(body: Mapping[str, Json]) -> list[tuple[str, Json]]:
    documents = body["workflows"]
    if not isinstance(documents, (list, tuple)):
        raise _bad("'workflows' must be an array")
    names = body.get("workflowFileNames")
    if names is None:
        names = []
    if not isinstance(names, (list, tuple)) or len(names) > len(documents):
        raise _bad("'workflowFileNames' must be an array, with at most one name for each of 'workflows'")
    found: list[tuple[str, Json]] = []
    for number, document in enumerate(documents, 1):
        name: Json = names[number - 1] if number <= len(names) else None
        if name is None:
            name = f"workflow-{number}.json"
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise _bad(f"workflowFileNames[{number - 1}] must be the name of a file")
        found.append((name, document))
    return found


def _check_format(workflow: Json) -> None:
    if not isinstance(workflow, dict) or "nodes" not in workflow or "edges" not in workflow:
        raise _bad("Invalid workflow format: an object with 'nodes' and 'edges' is needed")
    for name in ("nodes", "edges"):
        if not isinstance(workflow[name], (list, tuple)):
            raise _bad(f"Invalid workflow format: '{name}' must be an array")


def _breakpoints(config: Json) -> Breakpoints | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise _bad("'breakpointConfig' must be an object")
    moment, steps = config.get("breakpointAt", "pre"), config.get("breakpointFor", "all")
    if not isinstance(moment, str) or moment not in {"pre", "post", "both"}:
        raise _bad("'breakpointConfig.breakpointAt' must be pre, post or both")
    if not isinstance(steps, str) or steps not in {"all", "marked"}:
        raise _bad("'breakpointConfig.breakpointFor' must be all or marked")
    if not _truth(config, "enabled"):
        return None
    return Breakpoints(moment=Moment(moment), marked=steps == "marked", steps=None if steps == "all" else ())


def _text(body: Mapping[str, Json], name: str, default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise _bad(f"'{name}' must be text of at most {_LONGEST_NAME} characters")
    return value


def _truth(body: Mapping[str, Json], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _bad(f"'{name}' must be true or false")
    return value


_LONGEST_NUMBER: Final = 20
"""A text of so many digits is no number that any field takes."""


def _whole(body: Mapping[str, Json], name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number, also where it is spelled in text, as forms do."""
    value = body.get(name)
    if value is None:
        return default
    if (
        isinstance(value, str)
        and value.isascii()
        and value.removeprefix("-").isdigit()
        and len(value) < _LONGEST_NUMBER
    ):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _bad(f"'{name}' must be a whole number from {least} to {most}")
    return value


def _parsed(name: str, text: str) -> Json:
    try:
        return parse_object(text.encode())
    except falcon.HTTPBadRequest as error:
        # It speaks of a body, and a field of a form is none.
        told = (error.title or "").replace("the body", f"form field '{name}'", 1)
        raise _bad(told) from error
    except UnicodeEncodeError as error:
        raise _bad(f"form field '{name}' is no Unicode text") from error


def _bad(message: str) -> falcon.HTTPBadRequest:
    return falcon.HTTPBadRequest(title=message)
