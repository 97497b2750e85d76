"""What runs that are deleted leave in the stores: it goes with them, but for what another run refers to."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import TypeAlias

import attrs

from flowcore.artifacts import Artifact, WellSource
from flowcore.errors import EventFormatError, StoreError
from flowcore.ids import RunId, flow_run_id
from flowcore.model import Dialect, Flow
from flowcore.ports import EventLog
from flowcore.service import load
from flowcore.stores import DEFAULT_STORE

from .book import StoreBook
from .factory import IN_MEMORY
from .local import LocalArtifactStore

Objects: TypeAlias = dict[tuple[str, str], LocalArtifactStore]
"""Objects on this machine's disks, by the directory of their store and their name, whatever a flow calls the store."""


@attrs.frozen(kw_only=True)
class Remains:
    """What is left of some runs.

    Attributes:
        objects: What may go with them.
        absent: How many objects are recorded that are not where they should be, though nothing has ended their time.
        elsewhere: How many are in stores that are not on this machine, or that are not known here.
        unreadable: A run of the log that cannot be read, so that nobody knows what it refers to; then nothing may go.
    """

    objects: Objects
    absent: int = 0
    elsewhere: int = 0
    unreadable: RunId | None = None

    def delete(self) -> None:
        """Delete the objects.

        Raises:
            StoreError: One cannot be deleted; the others have been.
        """
        failed: StoreError | None = None
        for (_, name), store in self.objects.items():
            try:
                store.delete(name)
            except StoreError as error:
                failed = failed or error
        if failed is not None:
            raise failed


def remains_of(log: EventLog, book: StoreBook, run_ids: Collection[RunId]) -> Remains:
    """Return what is left of *run_ids*: to be asked for before they are deleted from *log*.

    What a static well names is no run's own, and stays. So does what any other run of the log refers to.

    Raises:
        EventFormatError: One of the runs cannot be read.
        LogError: The log cannot be read.
    """
    found: Objects = {}
    absent = elsewhere = 0
    for run_id in run_ids:
        flow, artifacts = _of(log, book, run_id)
        for edge, artifact in artifacts:
            well = flow.wells.get(edge)
            if well is not None and well.source is WellSource.STATIC:
                continue
            store = _local(book, run_id, flow, artifact.store)
            if store is None:
                elsewhere += not _passing(flow, artifact.store)
            elif _exists(store, artifact.name):
                found[store.directory, artifact.name] = store
            else:
                absent += well is None or well.lifetime_s is None
        found.update(_unrecorded(book, run_id, flow))
    unreadable = _keep_others(log, book, frozenset(run_ids), found) if found else None
    return Remains(
        objects={} if unreadable is not None else found, absent=absent, elsewhere=elsewhere, unreadable=unreadable
    )


def still_free(log: EventLog, book: StoreBook, remains: Remains) -> Remains:
    """Return of *remains*, whose runs are deleted by now, what no run refers to that has come since.

    Raises:
        LogError: The log cannot be read.
    """
    objects = dict(remains.objects)
    unreadable = _keep_others(log, book, frozenset(), objects) if objects else None
    return attrs.evolve(remains, objects={} if unreadable is not None else objects, unreadable=unreadable)


def _keep_others(log: EventLog, book: StoreBook, leaving: frozenset[RunId], found: Objects) -> RunId | None:
    """Take out of *found* what other runs refer to; return a run that does not say what it refers to."""
    for run_id in log.runs():
        if run_id in leaving:
            continue
        try:
            flow, artifacts = _of(log, book, run_id)
        except EventFormatError:
            return run_id
        for _, artifact in artifacts:
            store = _local(book, run_id, flow, artifact.store)
            if store is not None:
                found.pop((store.directory, artifact.name), None)
    return None


def _of(log: EventLog, book: StoreBook, run_id: RunId) -> tuple[Flow, tuple[tuple[str, Artifact], ...]]:
    """Return the flow of a run and its artifacts, by edge; only runs of nodes have some."""
    declared = book.declared(run_id)
    if declared is None or declared.flow.dialect is not Dialect.NODES:
        return Flow(sources={}, steps=()), ()
    return declared.flow, tuple(load(log, run_id).artifacts.items())


def _unrecorded(book: StoreBook, run_id: RunId, flow: Flow) -> Iterator[tuple[tuple[str, str], LocalArtifactStore]]:
    """Yield what is called after the run: also what attempts left that failed later, which no event names."""
    if flow.dialect is not Dialect.NODES:
        return
    for name in {DEFAULT_STORE, *(well.store for well in flow.wells.values())}:
        store = _local(book, run_id, flow, name)
        if store is not None:
            with suppress(StoreError):
                for stored in store.list(flow_run_id(run_id)):
                    yield (store.directory, stored.name), store


def _local(book: StoreBook, run_id: RunId, flow: Flow, name: str) -> LocalArtifactStore | None:
    try:
        store = book.of(run_id, flow, name)
    except StoreError:
        return None
    return store if isinstance(store, LocalArtifactStore) else None


def _passing(flow: Flow, name: str) -> bool:
    """Return whether a store is gone with its process."""
    declared = flow.stores.get(name)
    return declared is not None and declared.type == IN_MEMORY


def _exists(store: LocalArtifactStore, name: str) -> bool:
    try:
        store.head(name)
    except StoreError:
        # Not there, or not to be looked at: in either case nothing to delete.
        return False
    return True
