"""The server beside a run: bound before anything runs, stopped after everything has been said."""

import attrs

from flowcore.ids import RunId
from flowcore.ports import EventLog
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.executions.start_resources import Starting
from flowcore_adapters.http.flow_runs.service import NodeService
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.server import ServerHandle, serve_in_thread


@attrs.define
class OwnRun:
    """Tells the server which run it stands beside: its most recent one, whatever other processes run in the meantime.

    Attributes:
        run_id: The run; None until there is one, and the log seems empty.
    """

    run_id: RunId | None = None

    def __call__(self) -> RunId | None:
        """Return the run."""
        return self.run_id


def start_server(
    log: EventLog,
    port: int,
    guard: GuardSettings | None = None,
    *,
    insecure: bool = False,
    own: OwnRun | None = None,
    nodes: NodeService | None = None,
    starting: Starting | None = None,
) -> ServerHandle:
    """Serve *log* at *port*, with *own* as its most recent run, and *starting* new ones; stop the server afterwards.

    Runs of flows of nodes are started, and their artifacts put and fetched, as *nodes* says. Runs that nobody drives
    are driven as *starting* says when they are continued.

    Raises:
        ServerError: It cannot listen there, or must not.
    """
    guard = GuardSettings() if guard is None else guard
    uploads = None if nodes is None else nodes.uploads()
    application = create_app(
        log,
        guard=guard,
        own=own,
        uploads=uploads,
        flow_runs=None if nodes is None else nodes.flow_runs(log),
        starting=starting,
    )
    return serve_in_thread(application, guard.host, port, token=guard.token, insecure=insecure, uploads=uploads)
