"""Everything about artifacts that a program needs which runs nodes, put together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from flowcore.artifacts import Store
from flowcore.ports import Clock, EventLog

from .arrivals import RunArrivals
from .book import StoreBook
from .factory import StoreSettings
from .handing import Handing
from .lifetimes import Lifetimes
from .polling import Polling
from .signed_urls import UrlSigner
from .url_keys import load_keys

KEY_FILE: Final = "url.key"
MAX_UPLOAD: Final = 10 * 1024**3
"""How large an object may be that a run waits for, in bytes."""


@attrs.frozen(kw_only=True)
class ArtifactServices:
    """The parts.

    Attributes:
        book: Opens the stores of runs.
        handing: Gives attempts their artifacts.
        arrivals: Tells runs of what they wait for.
        polling: Looks for it where nobody tells.
        signer: Signs URLs and checks them.
        lifetimes: Deletes objects whose lifetime is over, once it is started.
    """

    book: StoreBook
    handing: Handing
    arrivals: RunArrivals
    polling: Polling
    signer: UrlSigner
    lifetimes: Lifetimes

    def close(self) -> None:
        """Look for nothing more, and delete nothing more."""
        self.lifetimes.close()
        self.polling.close()


def artifact_services(
    log: EventLog,
    clock: Clock,
    directory: Path,
    *,
    mount_roots: tuple[Path, ...] = (),
    configured: Mapping[str, Store] | None = None,
    private_endpoints: bool = True,
) -> ArtifactServices:
    """Return the services for the runs in *log*, with local stores and the key of the URLs below *directory*.

    Args:
        log: Where the runs are.
        clock: The time.
        directory: Where everything is kept; it is made when it is needed.
        mount_roots: Where the `MountPath` of `s3fs` stores may be.
        configured: The server's own stores, by name.
        private_endpoints: Whether flows may name servers that are not public.

    Raises:
        StoreConfigurationError: The key cannot be used.
    """
    settings = StoreSettings(directory=directory, mount_roots=mount_roots, private_endpoints=private_endpoints)
    book = StoreBook(log, settings, configured)
    arrivals = RunArrivals(log, clock, book)
    return ArtifactServices(
        book=book,
        handing=Handing(book),
        arrivals=arrivals,
        polling=Polling(log, clock, book, arrivals, max_bytes=MAX_UPLOAD),
        signer=UrlSigner(load_keys(directory / KEY_FILE), clock.now),
        lifetimes=Lifetimes(log, clock, book),
    )
