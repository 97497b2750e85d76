"""The worked cases of node flows in tests/data/node_flows: documents, and the codes that they must get."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Final, cast

import attrs

from flowcore.documents.nodes.validation import check_document
from flowcore.documents.yaml_text import load_yaml
from flowcore.errors import Severity
from flowcore.values import Json

DATA: Final = Path(__file__).parent / "data" / "node_flows"
LONG: Final[dict[Json, str]] = {"LONG128": "e" * 128, "LONG129": "e" * 129}


@attrs.frozen(kw_only=True)
class Case:
    """A base document, what is changed in it, and the codes it must get."""

    title: str
    base: str
    set: dict[str, Json] = attrs.field(factory=dict[str, Json])
    errors: list[str] = attrs.field(factory=list[str])
    warnings: list[str] = attrs.field(factory=list[str])

    @property
    def document(self) -> dict[str, Json]:
        """The document of this case, a fresh copy."""
        return changed(BASES[self.base], self.set)


def _load(name: str) -> Json:
    return load_yaml((DATA / name).read_text("utf-8"), file=name)


def changed(document: dict[str, Json], changes: dict[str, Json]) -> dict[str, Json]:
    """Return a copy of *document* with *changes* made in their order; null takes a well away."""
    document = deepcopy(document)
    for path, value in changes.items():
        *way, last = re.findall(r"[^.\[\]]+", path)
        target: Json = document
        for part in way:
            if isinstance(target, dict):
                target = target[part]
            elif isinstance(target, list):
                target = target[int(part)]
        new = LONG[value] if isinstance(value, str) and value in LONG else deepcopy(value)
        if isinstance(target, dict):
            target[last] = new
        elif isinstance(target, list) and last.startswith("+"):
            target.append(new)
        elif isinstance(target, list):
            target[int(last)] = new
    flow = document.get("Flow")
    if isinstance(flow, dict) and isinstance(flow.get("DataWells"), list):
        flow["DataWells"] = [well for well in cast("list[Json]", flow["DataWells"]) if well is not None]
    return document


def codes(document: Json) -> tuple[list[str], list[str]]:
    """Return the codes of the errors and of the warnings of *document*, each once."""
    problems = check_document(document).problems
    return (
        sorted({problem.code for problem in problems if problem.severity is Severity.ERROR}),
        sorted({problem.code for problem in problems if problem.severity is Severity.WARNING}),
    )


BASES: Final = cast("dict[str, dict[str, Json]]", _load("bases.yaml"))
CASES: Final = tuple(Case(**row) for row in cast("list[dict[str, str]]", _load("cases.yaml")))  # type: ignore[arg-type]
