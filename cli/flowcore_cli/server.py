"""The server beside a run: bound before anything runs, stopped after everything has been said."""

import attrs

from flowcore.ids import RunId
from flowcore.ports import EventLog
from flowcore_adapters.artifacts.services import ArtifactServices
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.executions.start_resources import Starting
from flowcore_adapters.http.flow_runs.put_urls import StorePutUrls
from flowcore_adapters.http.flow_runs.resources import FlowRuns, Launch, SignedPutUrls
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.server import ServerHandle, serve_in_thread
from flowcore_adapters.http.uploads.resources import Uploads
from flowcore_adapters.launching import Launcher


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


@attrs.frozen
class NodeService:
    """What a server needs to run flows of nodes.

    Attributes:
        services: Their artifacts.
        launch: Starts a run.
    """

    services: ArtifactServices
    launch: Launch


def start_server(
    log: EventLog,
    port: int,
    guard: GuardSettings | None = None,
    *,
    insecure: bool = False,
    own: OwnRun | None = None,
    nodes: NodeService | None = None,
    public_url: str | None = None,
    launcher: Launcher | None = None,
    starting: Starting | None = None,
) -> ServerHandle:
    """Serve *log* at *port*, with *own* as its most recent run, and *starting* new ones; stop the server afterwards.

    Runs of flows of nodes are started, and their artifacts put and fetched, as *nodes* says; *public_url* is what the
    server is called from outside. Other runs that nobody drives are driven by *launcher* when they are continued.

    Raises:
        ServerError: It cannot listen there, or must not.
    """
    guard = GuardSettings() if guard is None else guard
    uploads, flow_runs = None, None
    if nodes is not None:
        services = nodes.services
        uploads = Uploads(signer=services.signer, stores=services.book, arrivals=services.arrivals)
        put_urls = StorePutUrls(SignedPutUrls(log, uploads), services.book, SystemClock(), public_url)
        flow_runs = FlowRuns(launch=nodes.launch, put_urls=put_urls)
    application = create_app(
        log,
        guard=guard,
        own=own,
        uploads=uploads,
        flow_runs=flow_runs,
        launcher=launcher,
        starting=starting,
    )
    return serve_in_thread(application, guard.host, port, token=guard.token, insecure=insecure, uploads=uploads)
