"""The URLs that a run's missing objects are put with, and the others fetched with.

They are those of the store itself where it has a server, else ours.
"""

from typing import Literal

import falcon

from flowcore.errors import StoreElsewhereError, StoreError
from flowcore.ids import RunId, flow_run_id
from flowcore.ports import Clock
from flowcore.values import Instant
from flowcore.views.flow_runs import ArtifactDocument, WaitingUrlDocument, instant_text
from flowcore_adapters.artifacts.objects import S3ArtifactStore
from flowcore_adapters.artifacts.signed_urls import LONGEST_S
from flowcore_adapters.http.uploads.resources import Stores

from .resources import SignedPutUrls, called


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
            signed = self._signed_by_store("PUT", run_id, artifact)
        except StoreError:
            return waiting
        if signed is not None:
            url, ends = signed
            return {"Artifact": artifact, "PutURL": url, "TTL": ends}
        own = self._own.sign(request, run_id, waiting)
        return {**own, "PutURL": self._public(request, own["PutURL"])}

    def fetch(self, request: falcon.Request, run_id: RunId, artifact: ArtifactDocument) -> tuple[str, str]:
        """Return the URL that *artifact* is fetched with, and when it ends; empty when its store cannot be used."""
        try:
            signed = self._signed_by_store("GET", run_id, artifact)
            if signed is not None:
                return signed
            url, ends = self._own.fetch(request, run_id, artifact)
        except StoreError:
            return "", ""
        return self._public(request, url), ends

    def _signed_by_store(
        self, method: Literal["GET", "PUT"], run_id: RunId, artifact: ArtifactDocument
    ) -> tuple[str, str] | None:
        """Return a URL of the store itself, and when it ends; None when it has no server."""
        try:
            store = self._stores.find(artifact["StoreName"], flow_run_id(run_id))
        except StoreElsewhereError:
            # It has no server, and the URL is good at the process that has it.
            return None
        if not isinstance(store, S3ArtifactStore):
            return None
        url = store.sign(method, artifact["ObjectName"], expires_in_s=LONGEST_S)
        return url, instant_text(Instant(self._clock.now() + LONGEST_S))

    def _public(self, request: falcon.Request, url: str) -> str:
        return url if self._public_url is None else self._public_url + url.removeprefix(called(request))
