"""`flowcore-cli diff`."""

import re
from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.output import print_whole
from flowcore_cli.selection import find_run, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcore.values import Json
    from flowcore.views.difference import Difference, StepDifference

_WIDEST: Final = 60
_MOST_TIMINGS: Final = 10


@click.command(epilog="Exit codes: 0 flow, states and outputs are the same, 1 they are not, 2 bad input or usage.")
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@db_option
def diff(*, first: str, second: str, as_json: bool, db: str | None) -> None:
    """Say what is different between two runs: flow, states, outputs, times, and where their histories part.

    RUN is an id as `runs` prints it, or `latest`. That times differ is told, and is no difference.
    """
    import attrs

    from flowcore.views.difference import difference
    from flowcore_cli.exits import RunFailedError
    from flowcore_cli.render import to_json

    with recorded_log(db) as log:
        histories = [list(log.read(find_run(log, run, db))) for run in (first, second)]
    found = difference(*histories)
    if as_json:
        print_whole(to_json({"equal": found.equal, **attrs.asdict(found)}))
    else:
        print_whole("\n".join(_lines(found)))
    if not found.equal:
        raise RunFailedError


def _lines(found: "Difference") -> "Iterator[str]":
    from flowcore_cli.render import duration, table

    same = "the same in flow, states and outputs" if found.equal else "different"
    yield f"runs {found.first} and {found.second} are {same}"
    for title, differences in (("FLOW", found.flow), ("STATES", found.states), ("OUTPUTS", found.outputs)):
        yield from section(title, differences)
    if found.parting is not None:
        here, there = (_event(each) for each in (found.parting.first, found.parting.second))
        yield f"\n{click.style('HISTORIES PART', dim=True)}\nevent {found.parting.version}: {here} | {there}"
    if found.timings:
        rows = [
            (each.step, *("-" if took is None else duration(took) for took in (each.first, each.second)))
            for each in found.timings[:_MOST_TIMINGS]
        ]
        yield "\n" + table(("STEP", "FIRST TOOK", "SECOND TOOK"), rows)
        if len(found.timings) > _MOST_TIMINGS:
            yield f"and {len(found.timings) - _MOST_TIMINGS:,} more steps"


def _event(name: str | None) -> str:
    """Return an event and what it is about in words: `AttemptFailed a` is `a: attempt failed`."""
    if name is None:
        return "nothing more"
    kind, _, who = name.partition(" ")
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", kind).lower()
    return f"{who}: {words}" if who else words


def section(title: str, differences: "Sequence[StepDifference]") -> "Iterator[str]":
    """Yield the lines about *differences* under *title*; none when there are none."""
    from flowcore_cli.render import visible

    if not differences:
        return
    yield f"\n{click.style(title, dim=True)}"
    for each in differences:
        yield click.style(f"{visible(each.step)}  {visible(each.field)}", bold=True)
        yield click.style(f"  - {_short(each.first)}", fg="red")
        yield click.style(f"  + {_short(each.second)}", fg="green")


def _short(value: "Json") -> str:
    from flowcore_cli.render import to_json

    text = to_json(value, indent=None)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
