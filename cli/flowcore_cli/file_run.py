"""The run of the files that `serve` is given: looked at before the server starts, recorded when it has."""

from collections.abc import Mapping

from flowcore.artifacts import Artifact
from flowcore.documents.nodes.compilation import Compiled
from flowcore.ids import RunId
from flowcore.model import Dialect, Flow
from flowcore.ports import EventLog
from flowcore.service import create_run
from flowcore_adapters.artifacts.book import StoreBook
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.node_runs import deliver
from flowcore_cli.server import OwnRun


class FileRun:
    """A run that is to be recorded.

    Attributes:
        flow: What it does.
        own: Tells the server which run it is.
    """

    def __init__(
        self, flow: Flow, secrets: Mapping[str, Mapping[str, str]], book: StoreBook, max_workers: int | None
    ) -> None:
        """Get ready to run *flow*, whose stores have *secrets* and are opened by *book*.

        Raises:
            StoreError: A store cannot be used, or an object that must be there is not.
        """
        self.flow = flow
        self.own = OwnRun()
        self._secrets = secrets
        self._book = book
        self._max_workers = max_workers
        self._objects: Mapping[str, Artifact] = book.prepare(Compiled(flow=flow, secrets=secrets))

    def record(self, log: EventLog) -> RunId:
        """Record it, with the objects that are there already, and return its id."""
        clock = SystemClock()
        # What a node's program writes is what is known of it.
        traced = self.flow.dialect is Dialect.NODES
        run_id = create_run(log, self.flow, at=clock.now(), max_workers=self._max_workers, trace=traced)
        self._book.keep(run_id, self._secrets)
        deliver(log, run_id, self._objects, clock)
        self.own.run_id = run_id
        return run_id
