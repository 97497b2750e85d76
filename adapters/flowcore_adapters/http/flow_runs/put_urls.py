"""The URLs that a run's missing objects are put with: of the store itself where it has a server, else of ours."""

import falcon

from flowcore.errors import StoreError
from flowcore.ids import RunId, flow_run_id
from flowcore.ports import Clock
from flowcore.values import Instant
from flowcore.views.flow_runs import WaitingUrlDocument, instant_text
from flowcore_adapters.artifacts.objects import S3ArtifactStore
from flowcore_adapters.artifacts.signed_urls import LONGEST_S
from flowcore_adapters.http.uploads.resources import Stores

from .resources import SignedPutUrls


class StorePutUrls:
    """Signs with whatever holds the object."""

    def __init__(self, own: SignedPutUrls, stores: Stores, clock: Clock, public_url: str | None = None) -> None:
        """Sign with *own* for stores that have no server; *public_url* is what this one is called from outside."""
        self._own = own
        self._stores = stores
        self._clock = clock
        self._public_url = None if public_url is None else public_url.rstrip("/")

    def sign(self, request: falcon.Request, run_id: RunId, waiting: WaitingUrlDocument) -> WaitingUrlDocument:
        """Return *waiting* with its `PutURL` and its `TTL`; without them when its store cannot be used."""
        artifact = waiting["Artifact"]
        try:
            store = self._stores.find(artifact["StoreName"], flow_run_id(run_id))
            if isinstance(store, S3ArtifactStore):
                url = store.sign("PUT", artifact["ObjectName"], expires_in_s=LONGEST_S)
                ends = instant_text(Instant(self._clock.now() + LONGEST_S))
                return {"Artifact": artifact, "PutURL": url, "TTL": ends}
        except StoreError:
            return waiting
        signed = self._own.sign(request, run_id, waiting)
        if self._public_url is not None:
            signed["PutURL"] = self._public_url + signed["PutURL"].removeprefix(request.prefix)
        return signed
