"""Starting runs of flows of nodes: what must be there is looked for first, so that what cannot run leaves no trace."""

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from flowcore.artifacts import Artifact
from flowcore.documents.nodes.compilation import Compiled
from flowcore.documents.nodes.object_names import name_on_edge
from flowcore.errors import ObjectNameError
from flowcore.ids import BatchId, RunId
from flowcore.model import Flow
from flowcore.ports import Clock, EventLog
from flowcore.run.commands import DeliverArtifact
from flowcore.service import create_run, request
from flowcore.stores import check_object_name
from flowcore.values import Instant

from .audited_log import audited
from .launching import Driver


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


def deliver(log: EventLog, run_id: RunId, objects: Mapping[str, Artifact], clock: Clock) -> None:
    """Tell a run of the *objects* that are there already, by edge (see `Storage.prepare`)."""
    for edge, artifact in objects.items():
        request(log, run_id, DeliverArtifact(edge=edge, artifact=artifact, at=clock.now()))


@attrs.frozen
class WatchingDriver:
    """A driver that has it looked for what its runs wait for where nobody tells (see `artifacts.polling`)."""

    driver: Driver
    watch: Callable[[RunId], None]

    def adopt(self, run_id: RunId) -> object:
        """Drive a run."""
        ended = self.driver.adopt(run_id)
        self.watch(run_id)
        return ended

    def adopt_batch(self, batch_id: BatchId) -> object:
        """Drive a batch; nothing in it waits for objects."""
        return self.driver.adopt_batch(batch_id)


class NodeRuns:
    """Starts runs, and has them driven."""

    def __init__(
        self, log: EventLog, clock: Clock, drive: Callable[[RunId], object], storage: Storage | None = None
    ) -> None:
        """Record runs in *log* and give them to *drive*."""
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
        objects: Mapping[str, Artifact] = {} if self._storage is None else self._storage.prepare(compiled)
        run_id = create_run(self._log, compiled.flow, at=self._clock.now(), trace=True)
        if self._storage is not None:
            self._storage.keep(run_id, compiled.secrets)
        deliver(self._log, run_id, objects, self._clock)
        self._drive(run_id)
        return run_id
