"""Tiers with a graphics processor, which nobody can be given (contract flow-runs, section 10)."""

from collections.abc import Generator
from pathlib import Path
from threading import Event as Flag

import pytest

from flowcore.artifacts import Resources
from flowcore.documents.nodes.tiers import Fit
from flowcore.ports import SourceCall
from flowcore.run.events import AttemptStarted, RunSucceeded
from flowcore.views.flow_runs import FlowRunView
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.runner.budget import Budget
from flowcore_adapters.runner.capacity import Capacity
from tests.node_flows import compiled, definition, functions, node, station

GB = 1024**3
PLENTY = Capacity(64, 256 * GB)
SMALL = Capacity(2, 4 * GB)


@pytest.fixture
def log() -> Generator[SharedMemoryEventLog]:
    found = SharedMemoryEventLog()
    yield found
    found.close()


def test_a_tier_with_a_gpu_waits_when_the_operator_is_strict(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    done = Flag()
    nodes = [node("painting", "paint"), node("small", "little")]
    definitions = [definition("paint", Tier="gn-xlarge"), definition("little", Tier="c-nano")]
    sources = functions(paint=lambda _: None, little=lambda _: done.set())
    with station(log, tmp_path, sources, Budget(PLENTY, Fit.STRICT)) as place:
        run_id = place.start(compiled(nodes, definitions))
        assert done.wait(20)
        started = [event.instance for event in place.events(run_id) if isinstance(event, AttemptStarted)]
        assert started == ["small"]
        view = FlowRunView()
        for recorded in log.read(run_id):
            view.evolve(recorded)
        state = view.render()["NodeState"]["painting"]
        need = "its tier gn-xlarge needs 16 cores and 64.0 GB of memory, and a GPU by nvidia with 40 GB"
        there = "there are 64 cores and 256.0 GB, and nodes are given no GPU"
        reason = f"it cannot start on this machine: {need}; {there} (`--tier-policy strict`)"
        assert (state["Status"], state["Error"]) == ("READY", reason)


def test_a_tier_with_a_gpu_starts_without_one_otherwise_and_it_is_told_once(
    log: SharedMemoryEventLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    granted: list[Resources | None] = []

    def paint(call: SourceCall) -> None:
        granted.append(call.resources)
        if call.attempt == 1:
            raise OSError("no GPU")

    flow = compiled([node("painting", "paint")], [definition("paint", Tier="g-micro", MaxAttempts=2)])
    with station(log, tmp_path, functions(paint=paint), Budget(SMALL)) as place:
        assert isinstance(place.finish(place.start(flow))[-1], RunSucceeded)
    # What it is granted is what it gets.
    size = Resources(cores=2, memory_bytes=4 * GB, storage_bytes=50 * GB, tier="g-micro")
    assert granted == [size, size]
    need = "its tier g-micro needs 4 cores and 8.0 GB of memory, and a GPU with 2 GB"
    assert [record.getMessage() for record in caplog.records if record.name == "flowcore.run"] == [
        f"step 'painting' will have no GPU: {need}, and nodes are given none"
    ]


def test_who_waits_for_what_others_use_is_not_told_of_gpus() -> None:
    budget = Budget(PLENTY)
    wanted = Resources(cores=64, memory_bytes=GB, storage_bytes=0, gpu="amd", gpu_memory_bytes=GB)
    assert budget.reserve(wanted, "first") is not None
    assert budget.reserve(wanted, "second") is None
    told = (
        "it waits for what others use: it needs 64 cores and 1.0 GB of memory; there are 64 cores and 256.0 GB for all"
    )
    assert budget.reason(wanted) == told
