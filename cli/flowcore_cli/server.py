"""The server beside a run: bound before anything runs, stopped after everything has been said."""

import attrs

from flowcore.ids import RunId
from flowcore.ports import EventLog
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.flow_runs import FlowRuns
from flowcore_adapters.http.guard import GuardSettings
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
    flow_runs: FlowRuns | None = None,
) -> ServerHandle:
    """Serve *log* at *port*, with *own* as its most recent run; stop the server afterwards.

    Runs of flows of nodes are started as *flow_runs* say.

    Raises:
        ServerError: It cannot listen there, or must not.
    """
    guard = GuardSettings() if guard is None else guard
    application = create_app(log, guard=guard, own=own, flow_runs=flow_runs)
    return serve_in_thread(application, guard.host, port, token=guard.token, insecure=insecure)
