"""The server beside a run: bound before anything runs, stopped after everything has been said."""

from collections.abc import Iterator, Sequence

from flowcore.ids import RunId
from flowcore.ports import Append, EventLog, Recorded
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.guard import GuardSettings
from flowcore_adapters.http.server import ServerHandle, serve_in_thread


class OwnRunLog:
    """A log whose most recent run is the command's own, whatever other processes run in the meantime.

    Attributes:
        own: The command's run; until there is one, the log seems empty.
    """

    def __init__(self, log: EventLog) -> None:
        """Stand in front of *log*."""
        self._log = log
        self.own: RunId | None = None

    def append(self, *appends: Append) -> int:
        """Append (see `EventLog.append`)."""
        return self._log.append(*appends)

    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        """Yield events (see `EventLog.read`)."""
        return self._log.read(run_id, after=after)

    def version(self, run_id: RunId) -> int:
        """Return the version of the last event of *run_id*."""
        return self._log.version(run_id)

    def position(self) -> int:
        """Return the position of the last event."""
        return self._log.position()

    def runs(self, *, limit: int | None = None) -> Sequence[RunId]:
        """Return the ids of the runs, the own one first."""
        own = self.own
        if own is None:
            return ()
        if limit == 1:
            return (own,)
        return (own, *(run_id for run_id in self._log.runs(limit=limit) if run_id != own))[:limit]

    def wait(self, position: int, timeout_s: float) -> int:
        """Block until there is news (see `EventLog.wait`)."""
        return self._log.wait(position, timeout_s)

    def close(self) -> None:
        """Leave the log open: it belongs to somebody else."""


def start_server(
    log: EventLog, port: int, guard: GuardSettings | None = None, *, insecure: bool = False
) -> ServerHandle:
    """Serve *log* at *port*; stop the server afterwards.

    Raises:
        ServerError: It cannot listen there, or must not.
    """
    guard = GuardSettings() if guard is None else guard
    application = create_app(log, guard=guard)
    return serve_in_thread(application, guard.host, port, token=guard.token, insecure=insecure)
