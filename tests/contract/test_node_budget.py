"""What nodes use together, and what no machine has for them: their tiers (contract flow-runs, section 10)."""

import threading
from pathlib import Path

import pytest

from flowcore.artifacts import Fit, Resources
from flowcore.invariants import violations
from flowcore.ports import SourceCall
from flowcore.run.events import AttemptStarted, RunSucceeded, StepHeld
from flowcore.views.explain import explain
from flowcore.views.flow_runs import FlowRunView
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.runner.budget import Budget
from flowcore_adapters.runner.capacity import Capacity
from tests.node_flows import LONGEST_S, compiled, definition, functions, node, station

GB = 1024**3
PLENTY = Capacity(64, 256 * GB)
SMALL = Capacity(2, 4 * GB)
TOO_LARGE = {
    "c-large": (SMALL, "8 cores and 8.0 GB of memory", "2 cores and 4.0 GB"),
    "gn-xlarge": (
        PLENTY,
        "16 cores and 64.0 GB of memory, and a GPU by nvidia with 40 GB",
        "64 cores and 256.0 GB, and nodes are given no GPU",
    ),
}
"""Tiers, a machine that does not have what they need, and what is told of both."""


def test_nodes_share_what_the_machine_has(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """Ten `c-large` nodes do not start at once on two cores."""
    lock, now, most = threading.Lock(), 0, 0
    granted: set[tuple[float, int]] = set()

    def work(call: SourceCall) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            assert call.resources is not None
            granted.add((call.resources.cores, call.resources.memory_bytes))
        threading.Event().wait(0.02)
        with lock:
            now -= 1

    nodes = [node(f"node-{number}", "work") for number in range(10)]
    budget = Budget(SMALL)
    with station(log, tmp_path, functions(work=work), budget) as place:
        events = place.finish(place.start(compiled(nodes, [definition("work", Tier="c-large")])))
        assert isinstance(events[-1], RunSucceeded)
        assert (most, granted) == (1, {(2, 4 * GB)})
        # Each is told of once, however often the engine looks.
        held = [event for event in events if isinstance(event, StepHeld)]
        assert len({event.instance for event in held}) == len(held) > 0
        need = "its tier c-large needs 8 cores and 8.0 GB of memory; there are 2 cores and 4.0 GB for all"
        assert {event.reason for event in held} == {f"it waits for what others use: {need}"}
        assert budget.reserve(Resources(cores=2, memory_bytes=4 * GB, storage_bytes=0), "all is free again")


@pytest.mark.parametrize("tier", TOO_LARGE)
def test_what_the_machine_does_not_have_is_waited_for_when_the_operator_is_strict(
    log: SharedMemoryEventLog, tmp_path: Path, caplog: pytest.LogCaptureFixture, tier: str
) -> None:
    capacity, wanted, there = TOO_LARGE[tier]
    nodes = [node("large", "work"), node("small", "little")]
    definitions = [definition("work", Tier=tier), definition("little", Tier="c-nano")]
    done = threading.Event()
    sources = functions(work=lambda _: None, little=lambda _: done.set())
    with station(log, tmp_path, sources, Budget(capacity, Fit.STRICT)) as place:
        run_id = place.start(compiled(nodes, definitions))
        assert done.wait(LONGEST_S)
        started = [event.instance for event in place.events(run_id) if isinstance(event, AttemptStarted)]
        assert started == ["small"]
        view = FlowRunView()
        for recorded in log.read(run_id):
            view.evolve(recorded)
        state = view.render()["NodeState"]["large"]
        assert not violations(log.read(run_id))
        need = f"its tier {tier} needs {wanted}; there are {there}"
        reason = f"it cannot start on this machine: {need} (`--tier-policy strict`)"
        assert (state["Status"], state["Error"], state["Attempt"]) == ("READY", reason, 0)
        assert reason in explain(log.read(run_id), "large").sentences
    assert f"step 'large' waits: {reason}" in caplog.text


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


def test_a_budget_gives_back_what_it_gave() -> None:
    budget = Budget(Capacity(4, 8 * GB))
    wanted = Resources(cores=2, memory_bytes=3 * GB, storage_bytes=0)
    first, second = budget.reserve(wanted, "a"), budget.reserve(wanted, "b")
    assert first == second == wanted
    assert budget.reserve(wanted, "c") is None
    budget.release(first)
    assert budget.reserve(wanted, "c") == wanted
    budget.release(None)
    assert budget.reserve(None, "d") is None


def test_each_kind_of_node_that_must_wait_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Flows have steps of one name: what is told of one says nothing of the other."""
    budget = Budget(SMALL, Fit.STRICT)
    for _ in range(3):
        for tier, cores in (("c-large", 8), ("c-medium", 4)):
            wanted = Resources(cores=cores, memory_bytes=GB, storage_bytes=0, tier=tier)
            assert budget.reserve(wanted, "one") is None
    cannot = "step 'one' waits: it cannot start on this machine"
    assert [record.getMessage().partition(" needs ")[0] for record in caplog.records] == [
        f"{cannot}: its tier c-large",
        f"{cannot}: its tier c-medium",
    ]
