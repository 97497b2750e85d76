"""`flowcore-cli explain`."""

from typing import TYPE_CHECKING

import click

from flowcore_cli.moments import MOMENT_HELP
from flowcore_cli.output import print_whole
from flowcore_cli.selection import driver, find_run, recorded_log
from flowcore_cli.storage import db_option, undriven

if TYPE_CHECKING:
    from flowcore.views.explain import Explanation


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("step", metavar="STEP")
@click.option("--at", metavar="MOMENT", help=f"As it was then: {MOMENT_HELP}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@db_option
def explain(*, run: str, step: str, at: str | None, as_json: bool, db: str | None) -> None:
    """Say why STEP of RUN is pending, waiting, running, skipped or failed.

    RUN is an id as `runs` prints it, or `latest`; STEP may also be an item of a fan-out, such as `fetch/3`.
    """
    import attrs

    from flowcore.run.machine import SETTLED
    from flowcore.views.explain import explain as explained
    from flowcore_cli.moments import Moment
    from flowcore_cli.render import to_json

    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        owner = driver(log, run_id)
        recorded = log.read(run_id)
        # Who drove it then is not recorded.
        driven = owner is not None or at is not None
        found = explained(recorded if at is None else Moment(at).until(recorded), step, driven=driven)
    if not driven and found.status not in SETTLED:
        found = attrs.evolve(found, sentences=(*found.sentences, undriven(run_id, db, "the run")))
    print_whole(to_json(attrs.asdict(found)) if as_json else _text(found))


def _text(found: "Explanation") -> str:
    from flowcore_cli.render import clock_time, colour_of, duration, table, visible

    status = click.style(found.status, fg=colour_of(found.status))
    lines = [f"{click.style(visible(found.step), bold=True)} is {status}"]
    lines += [f"  - {visible(sentence)}" for sentence in found.sentences]
    if len(found.attempts) > 1 or any(attempt.error for attempt in found.attempts):
        rows = [
            (
                str(attempt.attempt),
                attempt.outcome,
                clock_time(attempt.started_at),
                "" if attempt.ended_at is None else duration(attempt.ended_at - attempt.started_at),
                "" if attempt.error is None else attempt.error.strip().partition("\n")[0],
            )
            for attempt in found.attempts
        ]
        lines += ["", table(("ATTEMPT", "OUTCOME", "STARTED", "TOOK", "WHY"), rows, states=1)]
    return "\n".join(lines)
