"""What nodes leave reaches whoever reads it, and nobody starts without what it needs (flow-runs, section 4)."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from flowcore.documents.nodes.compilation import Compiled
from flowcore.ids import flow_run_id
from flowcore.ports import SourceCall
from flowcore.run.events import AttemptFailed, RunFailed, RunSucceeded
from flowcore.service import load
from flowcore.views.flow_runs import FlowRunView
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.test_node_artifacts import PNG, put, waiting
from tests.node_flows import TEXT, compiled, content, definition, functions, leave, node, station


def write(call: SourceCall) -> None:
    leave(call, "out", b"one text")


def nothing(_call: SourceCall) -> None:
    pass


def spread(*edges: str) -> dict[str, Any]:
    """Return a node that binds one output to all of *edges*."""
    return {**node("writer", "write"), "Outputs": [{"Name": "out", "Edge": edge} for edge in edges]}


WRITER = definition("write", outputs={"out": TEXT})
READER = definition("read", inputs={"text": TEXT})
LAX = definition("write", Outputs=[{"Name": "out", "Required": False, "Type": TEXT}], MaxAttempts=1)


@pytest.mark.parametrize("read", ["first", "second", "third"])
def test_an_output_reaches_every_edge_that_it_is_bound_to(log: SharedMemoryEventLog, tmp_path: Path, read: str) -> None:
    seen: list[bytes] = []
    flow = compiled([spread("first", "second", "third"), node("reader", "read", {"text": read})], [WRITER, READER])
    with station(log, tmp_path, functions(write=write, read=lambda call: seen.append(content(call, "text")))) as place:
        run_id = place.start(flow)
        assert isinstance(place.finish(run_id)[-1], RunSucceeded)
        assert seen == [b"one text"]
        # Each has an object of its own, where its well wants it.
        run = flow_run_id(run_id)
        found = {edge: artifact.name for edge, artifact in load(log, run_id).artifacts.items()}
        assert found == {edge: f"{run}/{edge}.txt" for edge in ("first", "second", "third")}
        assert [place.object(run_id, edge) for edge in found] == [b"one text"] * 3


def test_a_node_waits_for_each_edge_that_its_input_is_bound_to(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """Contract flow-runs, section 4: "every bound input edge has an Artifact"; NODE_010: the last is the file."""
    seen: list[bytes] = []
    both = {**node("reader", "read"), "Inputs": [{"Name": "text", "Edge": edge} for edge in ("first", "second")]}
    with station(log, tmp_path, functions(read=lambda call: seen.append(content(call, "text")))) as place:
        run_id = waiting(place, compiled([both], [READER]))
        view = FlowRunView()
        for recorded in log.read(run_id):
            view.evolve(recorded)
        assert [each["Artifact"]["EdgeName"] for each in view.render()["WaitingURLs"]] == ["first", "second"]
        assert put(place, run_id, b"the last", "second").status == 200
        assert (load(log, run_id).awaiting, seen) == ({0: {"first"}}, [])
        assert put(place, run_id, PNG, "first").status == 415
        assert isinstance(place.finish(run_id)[-1], RunFailed)
        run_id = waiting(place, compiled([both], [READER]))
        assert put(place, run_id, b"the last", "second").status == 200
        assert put(place, run_id, b"the first", "first").status == 200
        assert isinstance(place.finish(run_id)[-1], RunSucceeded)
        assert seen == [b"the last"]


def test_edges_of_one_output_may_be_kept_in_two_stores_or_in_one_object(
    log: SharedMemoryEventLog, tmp_path: Path
) -> None:
    wells = [
        {"Edge": "first", "Store": "memory", "Key": "kept/${RUN_ID}"},
        {"Edge": "second", "Store": "default", "Key": "kept/${RUN_ID}"},
        {"Edge": "third", "Store": "memory", "Key": "kept/${RUN_ID}"},
    ]
    stores = [{"Name": "memory", "Type": "s3local", "Params": {"BucketName": f"{tmp_path.name}-edges"}}]
    flow = compiled([spread("first", "second", "third")], [WRITER], Stores=stores, DataWells=wells)
    with station(log, tmp_path, functions(write=write)) as place:
        run_id = place.start(flow)
        assert isinstance(place.finish(run_id)[-1], RunSucceeded)
        name = f"kept/{flow_run_id(run_id)}"
        found = {edge: (artifact.store, artifact.name) for edge, artifact in load(log, run_id).artifacts.items()}
        assert found == {"first": ("memory", name), "second": ("default", name), "third": ("memory", name)}
        assert [place.object(run_id, edge) for edge in found] == [b"one text"] * 3


@pytest.mark.parametrize("reader", [READER, {**READER, "Inputs": None}], ids=["a required input", "an open definition"])
def test_a_node_does_not_run_without_what_it_needs(
    log: SharedMemoryEventLog, tmp_path: Path, reader: dict[str, Any]
) -> None:
    """An optional output that was not left fails its node by name when somebody reads it who cannot do without it."""
    ran: list[str] = []
    flow = compiled([spread("middle"), node("reader", "read", {"text": "middle"})], [LAX, reader])
    with station(log, tmp_path, functions(write=nothing, read=lambda _: ran.append("reader"))) as place:
        events = place.finish(place.start(flow))
        assert isinstance(events[-1], RunFailed)
        (failed,) = [event for event in events if isinstance(event, AttemptFailed)]
        told = "output 'out' was not left: the file that it should be in is not there, and node 'reader' needs it"
        assert (failed.instance, failed.code, failed.error) == ("writer", "output-missing", told)
        assert ran == []


def test_a_reader_that_may_go_without_goes_on(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    ran: list[list[str]] = []

    def read(call: SourceCall) -> None:
        assert call.files is not None
        ran.append(list(call.files.inputs))

    reader = definition("read", Inputs=[{"Name": "text", "Required": False, "Type": TEXT}])
    flow = compiled([spread("middle"), node("reader", "read", {"text": "middle"})], [LAX, reader])
    with station(log, tmp_path, functions(write=nothing, read=read)) as place:
        assert isinstance(place.finish(place.start(flow))[-1], RunSucceeded)
        assert ran == [[]]


def test_an_attempt_whose_required_input_has_no_artifact_fails_by_name(
    log: SharedMemoryEventLog, tmp_path: Path
) -> None:
    """A flow that was recorded with one edge for each output may still be gone on with."""
    ran: list[str] = []
    found = compiled([spread("middle"), node("reader", "read", {"text": "middle"})], [WRITER, READER])
    writer, reader = found.flow.steps
    steps = (attrs.evolve(writer, artifact_outputs=()), reader)
    flow = Compiled(flow=attrs.evolve(found.flow, steps=steps), secrets={})
    with station(log, tmp_path, functions(write=nothing, read=lambda _: ran.append("reader"))) as place:
        events = place.finish(place.start(flow))
        (failed,) = [event for event in events if isinstance(event, AttemptFailed)]
        told = "input 'text' has no artifact: nothing was left on the edge 'middle'"
        assert (failed.instance, failed.code, failed.error) == ("reader", "input-missing", told)
        # Nothing would come of trying again.
        assert (failed.retry_at, ran) == (None, [])
        assert isinstance(events[-1], RunFailed)
