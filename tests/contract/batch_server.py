"""An application with an engine behind it, and workflows to start through it."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from flowcore.ports import EventLog
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.executions.start_resources import Starting
from flowcore_adapters.launching import Launcher
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine
from flowcore_adapters.workflow_files import WorkflowFolders
from tests.contract.wsgi_client import Answer, call

PLENTY_S: Final = 30.0
"""How long a test waits for what must happen: nothing waits this long unless it is broken."""
BASE: Final = "/api/workflows"


class Server:
    """The API over a log, with an engine that drives what is started; requests go without a network."""

    def __init__(self, log: EventLog, root: Path, *, batch_workers: int = 4) -> None:
        self.log = log
        registry = load_registry()
        clock = SystemClock()
        self.engine = Engine(log, registry, clock, batch_workers=batch_workers)
        self.engine.start()
        starting = Starting(Launcher(log, clock, self.engine), registry.catalog, WorkflowFolders(root))
        self.application = create_app(log, starting=starting)

    def close(self) -> None:
        self.engine.close(stop=True)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return call(self.application, BASE + path, headers=headers)

    def delete(self, path: str) -> Answer:
        return call(self.application, BASE + path, method="DELETE")

    def post(self, path: str, body: "Json | bytes" = b"", headers: Mapping[str, str] | None = None) -> Answer:
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        sent = {"Content-Type": "application/json"} if data and headers is None else headers
        return call(self.application, BASE + path, method="POST", body=data, headers=sent)

    def execute(self, **body: Json) -> Answer:
        return self.post("/execute", body)

    def batch(self, batch_id: str) -> Any:  # noqa: ANN401 - a document
        found = self.get(f"/execution/batch/{batch_id}")
        assert found.status == 200
        return found.document

    def ended(self, batch_id: str) -> Any:  # noqa: ANN401 - a document
        until(lambda: self.batch(batch_id)["status"] != "running")
        return self.batch(batch_id)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must happen soon."""
    deadline = time.monotonic() + PLENTY_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def said(found: Answer) -> tuple[int, Any]:
    assert found.headers["content-type"] == "application/json"
    return found.status, found.document


def node(name: str, type_: str, **data: Json) -> dict[str, Json]:
    return {"id": name, "type": type_, "position": {"x": 0, "y": 0}, "data": data}


def workflow(*nodes: dict[str, Json]) -> dict[str, Json]:
    """Return a workflow of *nodes* in a chain behind a start."""
    chain = [node("start-1", "start"), *nodes]
    names = [str(each["id"]) for each in chain]
    edges: Sequence[Json] = [
        {"id": f"e{number}", "source": source, "target": target}
        for number, (source, target) in enumerate(pairwise(names))
    ]
    return {"nodes": chain, "edges": edges}


QUICK: Final = workflow(node("v", "intValue", value=3, variableName="n"))
SLOW: Final = workflow(node("click-2", "wait", waitType="timeout", value=60_000))
"""It goes on until it is stopped."""
BAD: Final = workflow(node("z", "nonsense"))
