"""Short words for workflow documents: nodes and edges as editors write them."""

from itertools import pairwise

from flowcore.documents.workflows import Workflow, read_workflow
from flowcore.values import Json


def node(name: str, kind: str = "stringValue", **data: Json) -> dict[str, Json]:
    """Return a node with *data*."""
    return {"id": name, "type": kind, "position": {"x": 0, "y": 0}, "data": data}


def start(**data: Json) -> dict[str, Json]:
    """Return a start node."""
    return node("start", "start", **data)


def edge(source: str, target: str, into: str | None = "driver", out: str | None = "output") -> dict[str, Json]:
    """Return an edge that leaves *source* at the handle *out* and enters *target* at the handle *into*."""
    return {"id": f"{source}-{target}", "source": source, "target": target, "sourceHandle": out, "targetHandle": into}


def edges(*walks: str, into: str | None = "driver") -> list[dict[str, Json]]:
    """Return the edges of *walks*, such as ``start a b``."""
    found: list[dict[str, Json]] = []
    for walk in walks:
        names = walk.split()
        found += [edge(source, target, into) for source, target in pairwise(names)]
    return found


def document(nodes: list[dict[str, Json]], links: list[dict[str, Json]]) -> dict[str, Json]:
    """Return a document."""
    return {"nodes": [*nodes], "edges": [*links]}


def workflow(nodes: list[dict[str, Json]], links: list[dict[str, Json]]) -> Workflow:
    """Return what such a document says."""
    return read_workflow(document(nodes, links))


def connected(*names: str) -> dict[str, Json]:
    """Return the marks of properties that take their value over an edge."""
    return {"_inputConnections": {name: {"isInput": True} for name in names}}
