"""How a view keeps up: it reads what it has not seen yet when somebody asks, and nothing when nobody does."""

from typing import Protocol, TypeVar

from flowcore.ids import RunId
from flowcore.ports import EventLog, Recorded


class RunView(Protocol):
    """A read model of one run.

    Attributes:
        version: The version of the last event taken in.
        position: The log position of the last event taken in: the view's `ETag`.
    """

    version: int
    position: int

    def evolve(self, recorded: Recorded) -> None:
        """Take *recorded* in, in place."""
        ...


V = TypeVar("V", bound=RunView)


def catch_up(view: V, log: EventLog, run_id: RunId, *, until: int | None = None) -> V:
    """Bring *view* up to the log, or to position *until* of it, and return it. Costs what is new."""
    for recorded in log.read(run_id, after=view.version):
        if until is not None and recorded.position > until:
            break
        view.evolve(recorded)
    return view
