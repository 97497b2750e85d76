"""The run of the files that `serve` is given: looked at before the server starts, recorded when it has."""

from collections.abc import Mapping

from flowcore.documents.nodes.compilation import Compiled
from flowcore.ids import RunId
from flowcore.model import Dialect, Flow
from flowcore.ports import EventLog
from flowcore.service import create_run
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.node_runs import Storage, prepare_run
from flowcore_cli.server import OwnRun


class FileRun:
    """A run that is to be recorded.

    Attributes:
        flow: What it does.
        own: Tells the server which run it is.
    """

    def __init__(
        self, flow: Flow, secrets: Mapping[str, Mapping[str, str]], storage: Storage, max_workers: int | None
    ) -> None:
        """Get ready to run *flow*, whose stores have *secrets* and are in *storage*.

        Raises:
            StoreError: A store cannot be used, or an object that must be there is not.
        """
        self.flow = flow
        self.own = OwnRun()
        self._max_workers = max_workers
        self._create = prepare_run(self._create_run, Compiled(flow=flow, secrets=secrets), storage, SystemClock())

    def record(self, log: EventLog) -> RunId:
        """Record it, with the objects that are there already, and return its id."""
        self.own.run_id = run_id = self._create(log)
        return run_id

    def _create_run(self, log: EventLog) -> RunId:
        # What a node's program writes is what is known of it.
        traced = self.flow.dialect is Dialect.NODES
        return create_run(log, self.flow, at=SystemClock().now(), max_workers=self._max_workers, trace=traced)
