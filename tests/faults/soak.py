"""The long runs: `python -m tests.faults.soak [--seed BASE] [--schedules N] [--kills N] [--cuts N] [--disks N]`.

What is not named is left out. Whatever is found is told with its seed, and the exit code is 1.
"""

import argparse
import itertools
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Final

from flowcore_adapters.simulation.search import search
from tests.faults.full_disk import fill_disk, mountable
from tests.faults.kills import kill_many
from tests.faults.power_cut import cut, record

KILLS_OF_ONE: Final = 50
CUTS_OF_ONE: Final = 500
"""So many cuts are made in the recording of one program."""
RELAXED: Final = 20
"""Every so many recordings one is made at `relaxed` durability, where events may be lost and nothing else be wrong."""
TELL: Final = 50_000


def say(line: str) -> None:
    """Tell how far it has come, with the date and the time."""
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    sys.stdout.flush()


def simulate(seed: int, schedules: int, jobs: int) -> int:
    """Live through *schedules* histories, and return how many showed something."""
    done = events = bad = 0
    for piece in search(seed, schedules, jobs):
        done, events = done + piece.schedules, events + piece.events
        for history in piece.found:
            bad += 1
            say(f"BROKEN: `flowcore-cli sim --seed {history.seed}`: {history.violation}")
        if not done % TELL or done == schedules:
            say(f"simulator: {done:,} schedules from seed {seed}, {events:,} events; {bad} broken")
    return bad


def kill(first: int, kills: int) -> int:
    """Kill the command *kills* times, and return how many runs showed something."""
    done = told = runs = bad = 0
    for seed in itertools.count(first):
        if done >= kills:
            return bad
        home = Path(tempfile.mkdtemp(prefix="flowcore-kills-"))
        try:
            found = kill_many(home, seed, KILLS_OF_ONE)
        except AssertionError as error:
            bad += 1
            say(f"BROKEN: kills of seed {seed}: {error!r}; see {home}")
            continue
        shutil.rmtree(home)
        done, told, runs = done + found.kills, told + found.told, runs + found.runs
        say(f"kills: {done:,} in {runs:,} runs, {told:,} successes told before; {bad} broken")
    return bad


def cut_power(first: int, cuts: int) -> int:
    """Cut the power *cuts* times, and return after how many of these something was wrong."""
    done = lost = relaxed = forgotten = ahead = continued = bad = 0
    for seed in itertools.count(first):
        if done >= cuts:
            return bad
        mild = not (seed - first + 1) % RELAXED
        home = Path(tempfile.mkdtemp(prefix="flowcore-cuts-"))
        program, scratch = home / "program", home / "scratch"
        program.mkdir()
        scratch.mkdir()
        found = cut(record(program, seed, "relaxed" if mild else "full"), scratch, seed, CUTS_OF_ONE)
        shutil.rmtree(home)
        if mild:
            relaxed, forgotten = relaxed + found.cuts, forgotten + found.lost
        else:
            done, lost = done + found.cuts, lost + found.lost
        ahead, continued = ahead + found.unacknowledged, continued + found.continued
        for each in found.broken:
            say(f"BROKEN: cuts of seed {seed}: {each}")
        bad += len(found.broken) + (0 if mild else found.lost)
        say(
            f"cuts: {done:,} in full durability, {lost} lost something acknowledged;"
            f" {relaxed:,} relaxed, {forgotten:,} lost something; {ahead:,} had more than was acknowledged,"
            f" {continued:,} went on; {bad} broken"
        )
    return bad


def fill(first: int, disks: int) -> int:
    """Fill *disks* disks of all sorts of sizes, and return on how many something was wrong."""
    bad = 0
    for seed in range(first, first + disks):
        size = Random(seed).randrange(512 * 1024, 8 * 1024 * 1024, 4096)
        for task in ("fill", "command"):
            with tempfile.TemporaryDirectory() as home:
                try:
                    fill_disk(Path(home), task, size, mounted=mountable(Path(home)))
                except AssertionError as error:
                    bad += 1
                    say(f"BROKEN: a disk of {size} bytes: {error}")
    if disks:
        say(f"full disks: {disks}, {bad} broken")
    return bad


def main() -> None:
    """Do what the command line asks for, one after the other."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1_000_000, metavar="BASE", help="the first seed of each")
    parser.add_argument("--schedules", type=int, default=0, metavar="N", help="histories to simulate")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="times to kill the command with `kill -9`")
    parser.add_argument("--cuts", type=int, default=0, metavar="N", help="power cuts to make")
    parser.add_argument("--disks", type=int, default=0, metavar="N", help="sizes of disks to fill")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes that simulate")
    given = parser.parse_args()
    bad = cut_power(given.seed, given.cuts) + kill(given.seed, given.kills) + fill(given.seed, given.disks)
    if given.schedules:
        bad += simulate(given.seed, given.schedules, given.jobs)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
