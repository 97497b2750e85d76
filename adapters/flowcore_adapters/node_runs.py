"""Starting runs of flows of nodes: what must be there is looked for first, so that what cannot run leaves no trace."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from flowcore.artifacts import Artifact
from flowcore.documents.nodes.compilation import Compiled
from flowcore.documents.nodes.object_names import name_on_edge
from flowcore.errors import ObjectNameError
from flowcore.ids import RunId
from flowcore.model import Flow
from flowcore.ports import Clock, EventLog
from flowcore.run.commands import DeliverArtifact
from flowcore.service import create_run, request
from flowcore.stores import check_object_name
from flowcore.values import Instant

from .audited_log import audited

Create: TypeAlias = Callable[[EventLog], RunId]
"""Records a run and returns its id."""


class Storage(Protocol):
    """The stores of runs, as far as starting one needs them."""

    def prepare(self, compiled: Compiled) -> Mapping[str, Artifact]:
        """Return the objects of the static wells of *compiled*, by edge.

        Raises:
            StoreConfigurationError: A store is declared wrongly, or not as the operator allows.
            StoreError: A store cannot be used.
            ObjectNotFoundError: An object is not there.
        """
        ...

    def keep(self, run_id: RunId, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Keep the *secrets* of the stores of a run for as long as it goes on, where nobody records them."""
        ...


def check_names(flow: Flow) -> None:
    """See that the objects of a run can be called what the keys say; for any run, they differ in digits only.

    Raises:
        ObjectNameError: A well's key makes names that no store takes.
    """
    for edge, well in flow.wells.items():
        name = name_on_edge(flow, edge, RunId(1), Instant(0.0))
        try:
            check_object_name(name)
        except ObjectNameError as error:
            raise ObjectNameError(f"edge '{edge}' with the key '{well.key}': {error}") from None


def prepare_run(create: Create, compiled: Compiled, storage: Storage, clock: Clock) -> Create:
    """Return what records a run as *create* does, and tells it at once of the objects that are there already.

    Args:
        create: Records the run of *compiled*, and nothing else.
        compiled: Its flow, and the secrets of its stores: these are kept, and recorded nowhere.
        storage: Its stores; they are looked at here, before anything is recorded.
        clock: The time.

    Raises:
        StoreError: A store cannot be used, or an object that must be there is not (see `Storage.prepare`).
    """
    objects = storage.prepare(compiled)

    def create_supplied(log: EventLog) -> RunId:
        run_id = create(log)
        storage.keep(run_id, compiled.secrets)
        for edge, artifact in objects.items():
            request(log, run_id, DeliverArtifact(edge=edge, artifact=artifact, at=clock.now()))
        return run_id

    return create_supplied


class NodeRuns:
    """Starts runs, and has them driven."""

    def __init__(self, log: EventLog, clock: Clock, drive: Callable[[RunId], object], storage: Storage) -> None:
        """Record runs in *log*, with what is in *storage*, and give them to *drive*."""
        # Who has asked for it over HTTP is recorded with the run.
        self._log = audited(log)
        self._clock = clock
        self._drive = drive
        self._storage = storage

    def __call__(self, compiled: Compiled) -> RunId:
        """Start a run and return its id. The lines of its nodes are recorded.

        Raises:
            FlowcoreError: It cannot be started; nothing is recorded then.
        """
        check_names(compiled.flow)

        def create(log: EventLog) -> RunId:
            return create_run(log, compiled.flow, at=self._clock.now(), trace=True)

        run_id = prepare_run(create, compiled, self._storage, self._clock)(self._log)
        self._drive(run_id)
        return run_id
