"""Flows of nodes for tests, and nodes that are functions."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from flowcore.catalog import SourceType
from flowcore.documents.nodes.compilation import Compiled, compile_nodes
from flowcore.documents.nodes.validation import check_document
from flowcore.ids import RunId
from flowcore.ports import EventLog, SourceCall, SourceResult
from flowcore.run.events import Event
from flowcore.service import load
from flowcore_adapters.artifacts.services import ArtifactServices, artifact_services
from flowcore_adapters.audited_log import audited
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.node_runs import NodeRuns
from flowcore_adapters.registry import Registry, load_registry
from flowcore_adapters.runner.budget import Budget
from flowcore_adapters.runner.engine import Engine

LONGEST_S: Final = 20.0
TEXT: Final = ["text/plain"]


def definition(
    name: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - what a document may have
) -> dict[str, Any]:
    """Return a node definition; ports by name, with their types."""
    return {
        "Publisher": "test",
        "Name": name,
        "Image": "localhost/flowcore-test:latest",
        "Inputs": [{"Name": port, "Required": True, "Type": types} for port, types in (inputs or {}).items()],
        "Outputs": [{"Name": port, "Required": True, "Type": types} for port, types in (outputs or {}).items()],
        "Command": {"Exec": f"run {name}"},
        "Tier": "c-nano",
        **more,
    }


def node(
    name: str, uses: str, inputs: Mapping[str, str] | None = None, outputs: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a node; ports by name, with their edges."""
    return {
        "ID": name,
        "Uses": f"test/{uses}",
        "Inputs": [{"Name": port, "Edge": edge} for port, edge in (inputs or {}).items()],
        "Outputs": [{"Name": port, "Edge": edge} for port, edge in (outputs or {}).items()],
    }


def compiled(nodes: list[dict[str, Any]], definitions: list[dict[str, Any]], **flow: Any) -> Compiled:  # noqa: ANN401 - what a document may have
    """Return a sound flow of nodes."""
    well = {"Store": "default", "Source": "upload"}
    document: dict[str, Any] = {
        "Flow": {"Name": "test", "DefaultDataWell": well, **flow, "Nodes": nodes},
        "NodeDefs": definitions,
    }
    checked = check_document(document)
    assert checked.sound, [str(problem) for problem in checked.problems]
    return compile_nodes(checked.document)


class FunctionNodes:
    """A `container` source whose programs are functions, by the last word of their command."""

    type = SourceType(name="container", about="Functions.", parameters={}, open=True)

    def __init__(self, **functions: Callable[[SourceCall], None]) -> None:
        self._functions = functions

    def call(self, call: SourceCall) -> SourceResult:
        self._functions[str(call.configuration["command"]).split()[-1]](call)
        return SourceResult(data={})


def content(call: SourceCall, port: str) -> bytes:
    """Return what comes in at a port."""
    assert call.files is not None
    reader = call.files.open(port)
    try:
        return b"".join(reader)
    finally:
        reader.close()


def leave(call: SourceCall, port: str, data: bytes) -> None:
    """Leave *data* at a port."""
    assert call.files is not None
    call.files.keep(port, [data])


@attrs.frozen
class Station:
    """A program that runs flows of nodes."""

    log: EventLog
    services: ArtifactServices
    engine: Engine
    launch: NodeRuns

    def start(self, flow: Compiled) -> RunId:
        """Start a run."""
        return self.launch(flow)

    def finish(self, run_id: RunId) -> list[Event]:
        """Wait for the end of a run and return its events."""
        position = 0
        while not load(self.log, run_id).ended:
            seen = self.log.wait(position, LONGEST_S)
            assert seen > position, "nothing has happened for a long time"
            position = seen
        return self.events(run_id)

    def events(self, run_id: RunId) -> list[Event]:
        """Return the events of a run."""
        return [recorded.event for recorded in self.log.read(run_id)]

    def object(self, run_id: RunId, edge: str) -> bytes:
        """Return the artifact on an edge."""
        state = load(self.log, run_id)
        artifact = state.artifacts[edge]
        reader = self.services.book.of(run_id, state.flow, artifact.store).open(artifact.name)
        try:
            return b"".join(reader)
        finally:
            reader.close()


def functions(**named: Callable[[SourceCall], None]) -> Registry:
    """Return sources whose nodes are functions."""
    return load_registry({"container": FunctionNodes(**named)})


def drive(engine: Engine, run_id: RunId) -> None:
    """Have a run driven."""
    engine.adopt(run_id)


@contextmanager
def station(log: EventLog, directory: Path, registry: Registry, budget: Budget | None = None) -> Generator[Station]:
    """Run flows of nodes until the end of the block."""
    clock = SystemClock()
    services = artifact_services(audited(log), clock, directory)
    engine = Engine(log, registry, clock, handing=services.handing, budget=budget)
    engine.start()
    try:
        yield Station(log, services, engine, NodeRuns(log, clock, lambda run_id: drive(engine, run_id), services.book))
    finally:
        engine.close(stop=True)
        services.close()
