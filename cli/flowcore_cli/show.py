"""`flowcore-cli show`."""

import sys
from typing import TYPE_CHECKING

import click

from flowcore_cli.exits import CommandError
from flowcore_cli.moments import MOMENT_HELP
from flowcore_cli.output import print_whole
from flowcore_cli.selection import driver, find_batch, find_run, is_batch, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcore_cli.records import RunRecord


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON on stdout: its status, and its outputs.")
@click.option("--at", metavar="MOMENT", help=f"As it was then: {MOMENT_HELP}.")
@db_option
def show(*, run: str, as_json: bool, at: str | None, db: str | None) -> None:
    """Show the recorded RUN: its steps, what went wrong, and its outputs.

    RUN is an id as `run` and `runs` print it, in any spelling of the API (1733524800000, exec-1733524800000,
    run_1733524800000, exec-1733524800000-3 for an item of a batch), or `latest`; or that of a batch (batch-...), which
    is shown with all its items.
    """
    if is_batch(run):
        _show_batch(run, as_json=as_json, at=at, db=db)
        return
    from flowcore_cli.moments import Moment
    from flowcore_cli.records import RunRecord

    with recorded_log(db) as log:
        record = RunRecord(log, find_run(log, run, db), None if at is None else Moment(at))
        if not record.found:
            raise CommandError(f"there was no run {record.run_id} yet at {at}")
        owner = None if record.ended or at is not None else driver(log, record.run_id)
    if as_json:
        from flowcore_cli.render import to_json

        print_whole(to_json({**_document(record), "driven_by": owner}))
    else:
        print_whole(_text(record, owner, past=at is not None, db=db))


def _show_batch(text: str, *, as_json: bool, at: str | None, db: str | None) -> None:
    from flowcore_cli.batch_records import BatchRecord

    if at is not None:
        raise click.UsageError("`--at` goes with a run, not with a batch")
    with recorded_log(db) as log:
        record = BatchRecord(log, find_batch(log, text, db))
    if as_json:
        from flowcore_cli.render import to_json

        print_whole(to_json(record.document()))
    else:
        print_whole(record.text())


def _document(record: "RunRecord") -> dict[str, object]:
    """Return the nine keys of `/status`, each step with a little more, and what `/status` leaves out."""
    status = record.status
    steps = {
        step.name: {
            **status["steps"][step.name],
            "attempts": step.attempts,
            "items": step.items,
            "tolerated": step.tolerated is not None,
        }
        for step in record.steps
    }
    head: dict[str, object] = {**status, "steps": steps}
    return {**record.document(), **head, "reason": record.reason, "outputs": record.outputs}


def _text(record: "RunRecord", owner: str | None, *, past: bool, db: str | None) -> str:
    from flowcore_cli.render import outputs_text

    shown = {name: values for name, values in record.outputs.items() if values}
    outputs = outputs_text(shown, shorten=sys.stdout.isatty())
    blocks = [
        _head(record, owner, past=past, db=db),
        _steps(record),
        _headed("NOTES", _notes(record)),
        _headed("OUTPUTS", outputs),
    ]
    return "\n\n".join(filter(None, blocks))


def _headed(title: str, text: str) -> str:
    return f"{click.style(title, dim=True)}\n{text}" if text else ""


def _head(record: "RunRecord", owner: str | None, *, past: bool, db: str | None) -> str:
    from flowcore_cli.records import counts_text
    from flowcore_cli.render import clock_time, duration, mark, visible
    from flowcore_cli.storage import undriven

    state = str(record.state)
    reason = "" if record.reason is None else f" ({visible(record.reason)})"
    name = f" of {click.style(visible(record.name), bold=True)}" if record.name else ""
    started = "not started" if record.started_at is None else f"started {clock_time(record.started_at)}"
    took = "" if record.duration is None else f", took {duration(record.duration)}"
    head = f"{mark(state)} run {record.run_id}{name} {state}{reason}\n  {started}{took}\n  {counts_text(record.counts)}"
    if record.paused:
        from flowcore_cli.pauses import pause_hint, paused_text

        head = f"{head}\n  paused {paused_text(record.paused_at)}"
        if not past:
            head = f"{head}\n  {pause_hint(record.run_id, record.paused_at, db)}"
    if record.ended or past:
        return head
    hint = f"driven by {visible(owner)}" if owner else undriven(record.run_id, db)
    return f"{head}\n  {hint}"


def _steps(record: "RunRecord") -> str:
    from flowcore_cli.render import duration, table

    rows: list[Sequence[str]] = []
    for step in record.steps:
        offset = None if step.started_at is None or record.started_at is None else step.started_at - record.started_at
        took = None if step.started_at is None or step.ended_at is None else step.ended_at - step.started_at
        rows.append(
            (
                step.name,
                step.state,
                "" if offset is None else f"+{duration(offset)}",
                "" if took is None else duration(took),
                str(step.attempts) if step.attempts > 1 and step.items is None else "",
                "" if step.items is None else str(step.items),
                "" if step.tolerated is None else f"tolerated: {step.tolerated}",
            )
        )
    # Columns that say nothing are left out.
    headers = ("STEP", "STATE", "START", "TOOK", "ATTEMPTS", "ITEMS", "")
    used = [index for index in range(len(headers)) if any(row[index] for row in rows)]
    return table([headers[index] for index in used], [[row[index] for index in used] for row in rows], states=1)


def _notes(record: "RunRecord") -> str:
    from flowcore_cli.render import visible
    from flowcore_cli.summary import note_lines

    blocks: list[str] = []
    for step in record.steps:
        lines = note_lines(step.notes)
        if lines and lines != [step.state]:
            blocks.append(f"{visible(step.name)}: " + "\n  ".join(lines))
    return "\n".join(blocks)
