"""What a server needs for flows of nodes: their artifacts, the URLs to put them with, and who starts runs."""

import attrs

from flowcore.ports import EventLog
from flowcore_adapters.artifacts.services import ArtifactServices
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.uploads.resources import Uploads

from .put_urls import StorePutUrls
from .resources import FlowRuns, Launch, SignedPutUrls


@attrs.frozen(kw_only=True)
class NodeService:
    """Flows of nodes, as a server has them.

    Attributes:
        services: Their artifacts.
        launch: Starts a run; None where none are started.
        public_url: What the server is called from outside; None for what each request called it.
    """

    services: ArtifactServices
    launch: Launch | None = None
    public_url: str | None = None

    def uploads(self) -> Uploads:
        """Return what takes and hands out objects."""
        return Uploads(signer=self.services.signer, stores=self.services.book, arrivals=self.services.arrivals)

    def flow_runs(self, log: EventLog) -> FlowRuns:
        """Return what starts runs, and signs the URLs that the runs in *log* wait for."""
        own = SignedPutUrls(log, self.uploads())
        urls = StorePutUrls(own, self.services.book, SystemClock(), self.public_url)
        return FlowRuns(launch=self.launch, put_urls=urls)
