"""`flowcore-cli events`."""

from typing import TYPE_CHECKING, Final

import attrs
import click

from flowcore_cli.output import print_whole
from flowcore_cli.selection import find_batch, find_run, is_batch, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flowcore.batch.events import BatchItem
    from flowcore.ports import AnyRecorded, EventLog

_WAIT_S: Final = 30.0


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON, as it is stored.")
@click.option("--follow", is_flag=True, help="Go on until the run, or the batch, has ended.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="POSITION", help="Only what stands after it.")
@db_option
def events(*, run: str, as_json: bool, follow: bool, after: int, db: str | None) -> None:
    """Print what happened in RUN, event by event.

    RUN is an id as `runs` prints it, or `latest`; or that of a batch (batch-...): when its items started, and how they
    ended. What happened in an item is printed for its own run.
    """
    with recorded_log(db) as log:
        printer = _Printer(_stream(log, run, db), after, as_json=as_json)
        printer.catch_up()
        while follow and not printer.ended:
            position = log.position()
            if printer.up_to_date:
                log.wait(position, _WAIT_S)
            printer.catch_up()


@attrs.frozen
class _Stream:
    """The events of a run, or of a batch.

    Attributes:
        read: Yields those above a version.
        version: Returns that of the last one.
    """

    read: "Callable[[int], Iterator[AnyRecorded]]"
    version: "Callable[[], int]"


def _stream(log: "EventLog", text: str, db: str | None) -> _Stream:
    if is_batch(text):
        batch_id = find_batch(log, text, db)
        return _Stream(lambda after: log.read_batch(batch_id, after=after), lambda: log.version(batch_id))
    run_id = find_run(log, text, db)
    return _Stream(lambda after: log.read(run_id, after=after), lambda: log.version(run_id))


class _Printer:
    """Prints a stream as it grows.

    Attributes:
        ended: Whether the last word has been said.
    """

    def __init__(self, stream: _Stream, after: int, *, as_json: bool) -> None:
        """Print what of *stream* stands after the position *after*."""
        self.ended = False
        self._stream = stream
        self._after = after
        self._as_json = as_json
        self._version = 0
        self._items: Sequence[BatchItem] = ()

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing new."""
        return self._stream.version() == self._version

    def catch_up(self) -> None:
        """Print what is new."""
        from flowcore.batch.events import BatchCreated, BatchFailed, BatchStopped, BatchSucceeded
        from flowcore.run.events import RunFailed, RunStopped, RunSucceeded

        last_words = (RunSucceeded, RunFailed, RunStopped, BatchSucceeded, BatchFailed, BatchStopped)
        for recorded in self._stream.read(self._version):
            self._version = recorded.version
            event = recorded.event
            if isinstance(event, BatchCreated):
                self._items = event.items
            self.ended = self.ended or isinstance(event, last_words)
            if recorded.position > self._after:
                print_whole(_json(recorded) if self._as_json else _line(recorded, self._items))


def _json(recorded: "AnyRecorded") -> str:
    from flowcore.codec import BATCH_CODEC, encode
    from flowcore.ports import Recorded
    from flowcore_cli.render import to_json

    if isinstance(recorded, Recorded):
        whose: dict[str, object] = {"run_id": recorded.run_id}
        encoded = encode(recorded.event)
    else:
        whose = {"batch_id": f"batch-{recorded.batch_id}"}  # as `batches --json` has it
        encoded = BATCH_CODEC.encode(recorded.event)
    document = {
        "position": recorded.position,
        **whose,
        "version": recorded.version,
        "epoch": recorded.epoch,
        "at": recorded.event.at,
        "type": encoded.type,
        "schema": encoded.schema,
        "data": encoded.data,
    }
    return to_json(document, indent=None)


def _line(recorded: "AnyRecorded", items: "Sequence[BatchItem]") -> str:
    from flowcore.ports import Recorded
    from flowcore_cli.render import clock_time, visible
    from flowcore_cli.words import batch_described, described

    if isinstance(recorded, Recorded):
        whole, (who, what) = "run", described(recorded.event)
    else:
        whole, (who, what) = "batch", batch_described(recorded.event, items)
    first = visible(what.strip().partition("\n")[0])
    name = click.style(visible(who), bold=True) if who else click.style(whole, dim=True)
    return f"{recorded.position:>6}  {clock_time(recorded.event.at)}  {name}  {first}"
