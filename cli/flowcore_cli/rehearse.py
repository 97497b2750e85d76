"""`flowcore-cli test`."""

from typing import TYPE_CHECKING

import click

from flowcore_cli.output import print_whole
from flowcore_cli.selection import find_run, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcore.rehearsal import Rehearsal
    from flowcore.views.difference import Difference


@click.command(
    epilog="Exit codes: 0 it comes to the same states and outputs as RUN, 1 it does not, 2 bad input or usage."
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option("--from-run", "run", required=True, metavar="RUN", help="The run whose results the steps get.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@db_option
def test(*, files: tuple[str, ...], run: str, as_json: bool, db: str | None) -> None:
    """Rehearse the flow of FILE: no source is called, and time passes at once.

    Each attempt comes to what it came to in RUN. Conditions, lists, retries and policies are those of FILE. What comes
    out is compared with RUN, an id as `runs` prints it, or `latest`.
    """
    import attrs

    from flowcore.rehearsal import recorded_results, rehearse
    from flowcore.views.difference import difference
    from flowcore_adapters.config import load_flow
    from flowcore_adapters.registry import load_registry
    from flowcore_adapters.sources.patterns import evaluation_search
    from flowcore_cli.exits import RunFailedError
    from flowcore_cli.render import to_json

    flow = load_flow(files, load_registry().catalog)
    with recorded_log(db) as log:
        recorded = list(log.read(find_run(log, run, db)))
    found = rehearse(flow, recorded_results(recorded), searches=evaluation_search)
    compared = difference(recorded, found.events)
    same = not (compared.states or compared.outputs)
    if as_json:
        document = {
            "same": same,
            "state": str(found.status.state),
            "states": dict(found.states),
            "took_s": found.took_s,
            "missing": list(found.missing),
            "differences": [attrs.asdict(each) for each in (*compared.states, *compared.outputs)],
        }
        print_whole(to_json(document))
    else:
        print_whole("\n".join(_lines(found, compared, same=same)))
    if not same:
        raise RunFailedError


def _lines(found: "Rehearsal", compared: "Difference", *, same: bool) -> "Iterator[str]":
    from flowcore_cli.diff import section
    from flowcore_cli.render import duration, mark, visible

    state = str(found.status.state)
    yield f"{mark(state)} rehearsed: {state} after {duration(found.took_s)} of its own time"
    if same:
        yield f"  as in run {compared.first}: the same states and outputs"
    for name in found.missing:
        yield f"  run {compared.first} has no result for {visible(name)}: it failed here"
    yield from section("STATES", compared.states)
    yield from section("OUTPUTS", compared.outputs)
