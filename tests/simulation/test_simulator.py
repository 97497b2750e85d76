"""The simulator: it finds what is planted, tells the same seed the same way, and finds nothing in the engine itself."""

import os
import subprocess
import sys
from typing import Final

import pytest

from flowcore_adapters.simulation.search import search
from flowcore_adapters.simulation.world import simulate
from tests.simulation.mutants import MUTANTS, Mutant

pytestmark = pytest.mark.simulation

SCHEDULES: Final = 20_000
"""How many histories are lived through here; `nox -s soak` goes on from there."""
MOST_SEEDS: Final = 2_000
"""Within so many seeds every planted bug must be found."""
FOUND: Final = {
    24: "the outputs of a fan-out in a body were looked for among those of the flow",
    50: "a step in a body waited for an artifact that had arrived before the body began",
    418: "a body that had ended well was taken for one that was given up",
    507: "a step before which the run was about to pause could be started",
    10_152: "a step that was to be skipped gave up waiting in the same moment, and was to be skipped for ever",
    22_038: "a step gave up waiting and was skipped, both in one moment",
    276: "a condition that was looked at before a pause was recorded after it: a paused run made progress",
    1_008_827: "of two attempts lost at once, the end of one halted the run while the other was to be tried again",
    710: "a program that had lost a run saw it in the log, and waited for ever for attempts of its new owner",
}
"""What the simulator has found in the engine, by the seed that showed it when it was found."""


def test_nothing_breaks() -> None:
    broken = [history for piece in search(0, SCHEDULES, os.cpu_count() or 1) for history in piece.found]
    assert [(history.seed, history.violation) for history in broken] == []


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_stays_mended(seed: int) -> None:
    assert simulate(seed).violation is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.about for mutant in MUTANTS])
def test_every_planted_bug_is_found(mutant: Mutant) -> None:
    with mutant.planted():
        assert any(simulate(seed).violation is not None for seed in range(MOST_SEEDS))
    assert simulate(0).violation is None


def test_there_are_enough_planted_bugs() -> None:
    assert len({mutant.about for mutant in MUTANTS}) == len(MUTANTS) >= 25


@pytest.mark.parametrize("seed", [3, 710, 4_711])
def test_a_seed_gives_the_same_history_everywhere(seed: int) -> None:
    here = simulate(seed, trace=True)
    assert here == simulate(seed, trace=True)
    command = [sys.executable, "-m", "flowcore_cli", "sim", "--seed", str(seed)]
    for hash_seed in ("0", "1"):
        told = subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, check=True, encoding="utf-8"
        )
        assert told.stdout.splitlines() == list(here.lines)
