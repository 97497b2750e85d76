"""Signed URLs for tests: a signer with a fixed key and a clock that stands, and one local store."""

from pathlib import Path
from typing import Final

import attrs

from flowcore.errors import ObjectNotFoundError
from flowcore.testing import ManualClock
from flowcore.values import Instant
from flowcore_adapters.artifacts.local import LocalArtifactStore
from flowcore_adapters.artifacts.signed_urls import UrlSigner
from flowcore_adapters.artifacts.url_keys import parse_keys
from flowcore_adapters.http.uploads.resources import Uploads

KEYS: Final = "k1:" + "A" * 43 + " k0:" + "B" * 43
T0: Final = Instant(1_733_524_800.0)


@attrs.frozen
class OneStore:
    """A store that is called `default`."""

    store: LocalArtifactStore

    def find(self, name: str, run: str = "") -> LocalArtifactStore:
        """Return the store."""
        if name != "default":
            raise ObjectNotFoundError(f"there is no store '{name}'")
        return self.store


class NoStores:
    """The stores of a server that is only looked at."""

    def find(self, name: str, run: str = "") -> LocalArtifactStore:
        """Refuse."""
        raise ObjectNotFoundError(f"there is no store '{name}'")


def uploads_to(directory: Path, clock: ManualClock | None = None) -> Uploads:
    """Return uploads to a store below *directory*."""
    time = clock or ManualClock(T0)
    return Uploads(signer=UrlSigner(parse_keys(KEYS, "test"), time.now), stores=OneStore(LocalArtifactStore(directory)))
