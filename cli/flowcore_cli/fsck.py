"""`flowcore-cli fsck`."""

import sys
from typing import TYPE_CHECKING, Final, TypeVar

import click

from flowcore_cli.output import print_whole
from flowcore_cli.selection import find_batch, find_run, is_batch, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowcore.ids import BatchId, RunId, StreamId
    from flowcore.invariants import Violation
    from flowcore.ports import EventLog, Recorded, RecordedBatch


R = TypeVar("R", "Recorded", "RecordedBatch")
_MOST: Final = 20
"""How many problems of one run are told."""


@click.command(epilog="Exit codes: 0 nothing is wrong, 1 something is, 2 the log cannot be used.")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@db_option
def fsck(*, run: str | None, as_json: bool, db: str | None) -> None:
    """Check the event log: the file, every event, and every invariant of every run and batch, or of RUN alone.

    RUN may be a batch (batch-...), which is checked with the runs of its items. Nothing is changed.
    """
    from flowcore_cli.exits import RunFailedError
    from flowcore_cli.render import counted, to_json, visible

    with recorded_log(db) as log:
        damage = _damage(log)
        batch_ids, run_ids = _streams(log, run, db)
        found: dict[StreamId, Sequence[dict[str, object]]] = {}
        checked = events = 0
        for batch_id in batch_ids:
            problems, count = _check_batch(log, batch_id)
            events += count
            if problems:
                found[batch_id] = problems
        for run_id in run_ids:
            problems, count = _check(log, run_id)
            checked += 1
            events += count
            if problems:
                found[run_id] = problems
            if sys.stderr.isatty() and not checked % 50:
                click.echo(f"\r{counted(checked, 'run')} checked", err=True, nl=False)
    if as_json:
        document = {
            "runs": checked,
            "batches": len(batch_ids),
            "events": events,
            "file": damage,
            "problems": [{"run_id": run_id, **each} for run_id, problems in found.items() for each in problems],
        }
        print_whole(to_json(document))
    else:
        for line in damage:
            print_whole(f"{click.style('file', bold=True)}  {visible(line)}")
        for stream, problems in found.items():
            for each in problems[:_MOST]:
                place = f"run {stream} position {each['position']}"
                print_whole(f"{click.style(place, bold=True)}  {each['invariant']}  {visible(str(each['message']))}")
            if len(problems) > _MOST:
                print_whole(f"run {stream}: and {len(problems) - _MOST:,} more problems")
        bad = len(damage) + sum(len(problems) for problems in found.values())
        said = "nothing is wrong" if not bad else counted(bad, "problem")
        batches = f"{len(batch_ids):,} batches, " if len(batch_ids) != 1 else "1 batch, "
        some = batches if batch_ids else ""
        click.echo(f"{counted(checked, 'run')}, {some}{counted(events, 'event')}: {said}", err=True)
    if damage or found:
        raise RunFailedError


def _streams(log: "EventLog", text: str | None, db: str | None) -> "tuple[Sequence[BatchId], Sequence[RunId]]":
    """Return the batches and the runs that are meant, oldest first."""
    from flowcore.batch_service import load_batch
    from flowcore.errors import EventFormatError
    from flowcore.ids import item_run

    if text is None:
        return log.batches().batch_ids[::-1], log.runs()[::-1]
    if not is_batch(text):
        return (), [find_run(log, text, db)]
    batch_id = find_batch(log, text, db)
    try:
        count = len(load_batch(log, batch_id).items)
    except EventFormatError:
        count = 0
    return [batch_id], [item_run(batch_id, number) for number in range(1, count + 1)]


class _Look:
    """A look at one stream, event by event.

    Attributes:
        problems: What is wrong.
        count: The version of the last event that can be read.
    """

    def __init__(self) -> None:
        self.problems: list[dict[str, object]] = []
        self.count = 0
        self._position = 0

    def through(self, events: "Iterable[R]", check: "Callable[[R], Sequence[Violation]]") -> None:
        """Take down what *check* finds in *events*; what cannot be read ends the look."""
        import attrs

        from flowcore.errors import EventFormatError

        try:
            for recorded in events:
                self.count, self._position = recorded.version, recorded.position
                self.problems += [attrs.asdict(each) for each in check(recorded)]
        except EventFormatError as error:
            self.note("I21", f"what follows cannot be read: {error}")

    def note(self, invariant: str, message: str) -> None:
        """Take down what is wrong where the look has come to."""
        self.problems.append({"position": self._position, "invariant": invariant, "message": message})


def _check_batch(log: "EventLog", batch_id: "BatchId") -> "tuple[Sequence[dict[str, object]], int]":
    """Return what is wrong with a batch, and how many events it has; what it says of its runs is looked at too."""
    from flowcore.batch.evolve import evolve
    from flowcore.batch.state import BatchState
    from flowcore.ids import item_run
    from flowcore.invariants import BatchChecker

    look = _Look()
    checker, state = BatchChecker(), BatchState()

    def check(recorded: "RecordedBatch") -> "Sequence[Violation]":
        found = checker.check(recorded)
        if not found and not look.problems:
            evolve(state, recorded.event)
        return found

    look.through(log.read_batch(batch_id), check)
    if not look.problems:
        missing = [number for number in range(1, len(state.items) + 1) if not log.version(item_run(batch_id, number))]
        if missing:
            look.note("I17", f"the runs of {len(missing)} items are missing, that of item {missing[0]} first")
    return look.problems, look.count


def _damage(log: "EventLog") -> list[str]:
    """Return what SQLite itself finds wrong with the file."""
    from flowcore_adapters.logs.sqlite import SqliteEventLog

    return log.check_file() if isinstance(log, SqliteEventLog) else []


def _check(log: "EventLog", run_id: "RunId") -> "tuple[Sequence[dict[str, object]], int]":
    """Return what is wrong with a run, and how many events it has; what cannot be read ends the look at it."""
    from flowcore.invariants import RunChecker

    look = _Look()
    look.through(log.read(run_id), RunChecker().check)
    if look.count != log.version(run_id) and not look.problems:
        look.note("I1", f"{look.count} events, but version {log.version(run_id)}")
    return look.problems, look.count
