"""The last words of a run: what became of it, why, and where it is recorded."""

from collections.abc import Iterator

import click

from flowcore_cli.records import RunRecord, StepRecord, counts_text
from flowcore_cli.render import duration, mark, visible

_MOST_SKIPPED = 10


def summary_text(record: RunRecord, shown_by: str | None) -> str:
    """Return the summary of an ended run.

    Args:
        record: The run.
        shown_by: The command that shows it again, or None when it is recorded nowhere.
    """
    state = str(record.state)
    took = "" if record.duration is None else f" in {duration(record.duration)}"
    reason = f" ({visible(record.reason)})" if record.reason is not None and state == "stopped" else ""
    name = f" of {visible(record.name)}" if record.name else ""
    counts = counts_text(record.counts)
    lines = [f"{mark(state)} run {record.run_id}{name} {click.style(state, bold=True)}{reason}{took}: {counts}"]
    lines.extend(_troubles(record))
    lines.append(click.style("  not recorded (--no-db)" if shown_by is None else f"  recorded: {shown_by}", dim=True))
    return "\n".join(lines)


def _troubles(record: RunRecord) -> Iterator[str]:
    steps = record.steps
    for step in steps:
        if step.state == "failed":
            yield from _failure(step)
    for step in steps:
        if step.state == "stopped":
            yield f"  {click.style('stopped', fg='yellow')}  {visible(step.name)}"
    skipped = [step for step in steps if step.state == "skipped"]
    for step in skipped[:_MOST_SKIPPED]:
        note = f": {visible(step.notes[0])}" if step.notes else ""
        yield f"  {click.style('skipped', dim=True)}  {visible(step.name)}{note}"
    if len(skipped) > _MOST_SKIPPED:
        yield f"  {click.style('skipped', dim=True)}  and {len(skipped) - _MOST_SKIPPED:,} more"


def _failure(step: StepRecord) -> Iterator[str]:
    """Yield the lines about a failed step; a note of several lines, such as the end of a stderr, stays as it is."""
    head, *rest = note_lines(step.notes) or [""]
    if step.tolerated is None:
        label = click.style("failed ", fg="red")
        yield f"  {label}  {visible(step.name)}{': ' if head else ''}{head}"
    else:
        label = click.style("failed ", fg="yellow")
        yield f"  {label}  {visible(step.name)}{': ' if head else ''}{head} (tolerated: {step.tolerated})"
    yield from (f"           {line}" for line in rest)


def note_lines(notes: tuple[str, ...]) -> list[str]:
    """Return *notes* as lines that do nothing to a terminal."""
    return [visible(line) for note in notes for line in note.strip().splitlines() if line.strip()]
