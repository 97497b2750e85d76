"""`flowcore-cli sim`."""

import os
import sys

import click

from flowcore_cli.output import print_whole


@click.command(epilog="Exit codes: 0 nothing was found, 1 an invariant broke, 2 bad usage, 130 ended by Ctrl-C.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="BASE", help="The first seed.")
@click.option(
    "--schedules",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many seeds; one alone is told event by event.",
)
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="How many processes. Default: one for each processor."
)
def sim(*, seed: int, schedules: int, jobs: int | None) -> None:
    """Search for bugs in the engine: run simulated programs that crash, stall and race, and check every invariant.

    Each seed is one history: flows, programs that drive them, clients that stop and pause them, clocks that jump, a log
    that dies in the midst of an append. The same seed gives the same history on every machine. When something breaks,
    its history is printed.
    """
    import time

    from flowcore_adapters.simulation.search import search
    from flowcore_adapters.simulation.world import simulate
    from flowcore_cli.exits import RunFailedError
    from flowcore_cli.render import counted, duration

    if schedules == 1:
        history = simulate(seed, trace=True)
        print_whole("\n".join(history.lines))
        if history.violation is not None:
            click.echo(f"BROKEN  {history.violation}", err=True)
            raise RunFailedError
        click.echo(f"seed {seed}: {counted(history.events, 'event')}, nothing broke", err=True)
        return
    began = time.monotonic()
    done = events = 0
    for piece in search(seed, schedules, jobs or os.cpu_count() or 1):
        done += piece.schedules
        events += piece.events
        if piece.found:
            first = piece.found[0]
            print_whole("\n".join(simulate(first.seed, trace=True).lines))
            click.echo(f"BROKEN  {first.violation}", err=True)
            click.echo(f"`flowcore-cli sim --seed {first.seed}` shows it again", err=True)
            raise RunFailedError
        if sys.stderr.isatty():
            click.echo(f"\r{done:,} of {schedules:,}", err=True, nl=False)
    took_s = time.monotonic() - began
    start = "\r" if sys.stderr.isatty() else ""
    click.echo(
        f"{start}{counted(done, 'schedule')} from seed {seed}: {counted(events, 'event')}, nothing broke"
        f" ({duration(took_s)}, {done / took_s:,.0f}/s)",
        err=True,
    )
