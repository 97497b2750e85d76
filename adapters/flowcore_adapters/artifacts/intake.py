"""Taking objects in, however they come: one at a time for each place, and who waits for one hears of it.

What a run is told of must be what it will find. So whoever brings an object holds its place from before it is asked
whether anybody waits for it until the run has been told: nobody else can put another one there in between.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, Protocol

from flowcore.errors import CommandRejectedError, ObjectExistsError, StoreError
from flowcore.stores import ArtifactStore, StoredObject
from flowcore_adapters.content_type import HEAD

from .chunks import split_head
from .incoming import IncomingFile
from .local import LocalArtifactStore
from .signed_urls import Ticket

_LOG: Final = logging.getLogger("flowcore.artifacts")


class Arrivals(Protocol):
    """Who waits for objects."""

    def place(self, ticket: Ticket, beginning: bytes) -> str:
        """Return the name to keep an object under that begins with *beginning*.

        Raises:
            FlowcoreError: Nobody waits for it any more (code `artifact-not-awaited`), or nobody can take it (code
                `artifact-type`).
        """
        ...

    def arrived(self, ticket: Ticket, stored: StoredObject, beginning: bytes) -> None:
        """Tell the run of *ticket* that its object is there.

        Raises:
            CommandRejectedError: It does not wait for it any more (code `artifact-not-awaited`).
        """
        ...

    def unclaimed(self, ticket: Ticket, name: str) -> bool:
        """Return whether the object *name* can only be the run's own, and the run has not taken it."""
        ...


class Intake:
    """Takes objects in. Safe for threads."""

    def __init__(self, arrivals: Arrivals | None) -> None:
        """Tell *arrivals* of what runs wait for; None to tell nobody."""
        self._arrivals = arrivals
        self._lock = Lock()
        self._coming: set[str] = set()

    def take(self, ticket: Ticket, store: ArtifactStore, body: IncomingFile | Iterator[bytes]) -> StoredObject:
        """Keep *body* in *store* as *ticket* allows it, all of it or nothing, and tell who waits for it.

        Raises:
            ObjectExistsError: Somebody else is just putting the same object.
            FlowcoreError: Nobody waits for it, or nobody can take it; see `Arrivals`.
            StoreError: It is too large, or the store does not do its work.
        """
        with self._alone(ticket, store):
            return self._keep(ticket, store, body)

    def _keep(self, ticket: Ticket, store: ArtifactStore, body: IncomingFile | Iterator[bytes]) -> StoredObject:
        if self._arrivals is None or not ticket.run:
            return store.put(ticket.name, body, max_bytes=ticket.max_bytes)
        # What is judged must have come: a body that breaks off before has no type yet, and fails nobody.
        if isinstance(body, IncomingFile):
            beginning = body.read(0, HEAD)
        else:
            beginning, body = split_head(body, HEAD)
        name = self._arrivals.place(ticket, beginning)
        stored = store.put(name, body, max_bytes=ticket.max_bytes)
        try:
            self._arrivals.arrived(ticket, stored, beginning)
        except CommandRejectedError:
            if self._arrivals.unclaimed(ticket, name):
                _discard(store, name)
            raise
        return stored

    @contextmanager
    def _alone(self, ticket: Ticket, store: ArtifactStore) -> Generator[None]:
        """See that nobody else puts the same object."""
        # An edge has one object, whatever those call it who bring it.
        key = f"{ticket.run}\n{ticket.edge}" if ticket.run else f"\n{ticket.name}"
        if isinstance(store, LocalArtifactStore):
            # Another process may share its directory.
            with store.hold(key):
                yield
            return
        with self._lock:
            if key in self._coming:
                raise ObjectExistsError("this object is just being put by somebody else")
            self._coming.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._coming.discard(key)


def _discard(store: ArtifactStore, name: str) -> None:
    try:
        store.delete(name)
    except StoreError as error:
        # Whoever has brought it hears of the refusal: that matters more.
        _LOG.warning("the refused object '%s' cannot be deleted: %s", name, error)
