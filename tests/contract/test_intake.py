"""Objects that are taken in, by HTTP and by the command: what a run is told of is what it finds."""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from flowcore.artifacts import Artifact
from flowcore.errors import CommandRejectedError
from flowcore.ids import flow_run_id
from flowcore.run.commands import StopRun
from flowcore.service import load, request
from flowcore.stores import StoredObject
from flowcore_adapters.artifacts.intake import Intake
from flowcore_adapters.artifacts.objects import ObstoreArtifactStore
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.content_type import HEAD
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.contract.test_node_artifacts import CHAIN, put, twice, upper, waiting
from tests.node_flows import compiled, functions, station


class Meanwhile(io.BytesIO):
    """A body during which something happens: when what it is judged by has come."""

    def __init__(self, data: bytes, happens: Callable[[], object]) -> None:
        super().__init__(data)
        self._happens: Callable[[], object] | None = happens

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > HEAD and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return super().read(7)


def test_what_the_command_brings_and_what_comes_over_http_keep_each_other_out(
    log: SharedMemoryEventLog, tmp_path: Path
) -> None:
    """docs/artifacts.md: "Only the first object for an edge counts", whichever way it comes."""
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = waiting(place, compiled(*CHAIN))
        run = flow_run_id(run_id)
        services = place.services
        answers: list[int] = []

        def slowly() -> Iterator[bytes]:
            yield b"command " * 10_000
            answers.append(put(place, run_id, b"hello").status)
            yield b"is whole"

        # The command calls the object otherwise than the URL does; it is for the same edge.
        ticket = services.signer.ticket("PUT", "default", "in", max_bytes=10**6, run=run, edge="in")
        stored = Intake(services.arrivals).take(ticket, services.book.find("default"), slowly())
        assert answers == [409]
        place.finish(run_id)
        assert place.object(run_id, "in") == b"command " * 10_000 + b"is whole"
        assert load(log, run_id).artifacts["in"].size_bytes == stored.size_bytes == 80_008


@pytest.mark.parametrize(("key", "left"), [(None, []), ("${RUN_ID}.txt", []), ("shared/${EDGE}", ["shared/in"])])
def test_what_comes_too_late_is_kept_nowhere(
    log: SharedMemoryEventLog, tmp_path: Path, key: str | None, left: list[str]
) -> None:
    """docs/artifacts.md: "Half an upload is kept nowhere, and neither is one that is refused"."""
    wells = [{"Edge": "in", "Store": "default", "Source": "upload", "Key": key}]
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = waiting(place, compiled(*CHAIN, DataWells=wells))

        def stop() -> None:
            request(log, run_id, StopRun(reason="enough", at=SystemClock().now()))
            place.finish(run_id)

        size = 2 * HEAD
        environ = {"wsgi.input": Meanwhile(b"x" * size, stop), "CONTENT_LENGTH": str(size)}
        refused = put(place, run_id, b"", environ=environ, max_bytes=size)
        assert (refused.status, refused.document) == (409, {"error": "the run has ended"})
        assert [each.name for each in place.services.book.find("default").list()] == left


def test_what_was_found_before_it_was_told_is_taken_all_the_same(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """A look for what comes may fall between the object's arrival and the word of it."""
    stores = [{"Name": "memory", "Type": "s3local", "Params": {"BucketName": f"{tmp_path.name}-between"}}]
    flow = compiled(*CHAIN, Stores=stores, DefaultDataWell={"Store": "memory", "Source": "upload"})
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = waiting(place, flow)
        run, services = flow_run_id(run_id), place.services
        store = services.book.find("memory", run)

        class Looking(ObstoreArtifactStore):
            @override
            def put(
                self, name: str, chunks: Iterable[bytes], *, max_bytes: int | None = None, create: bool = False
            ) -> StoredObject:
                stored = store.put(name, chunks, max_bytes=max_bytes, create=create)
                artifact = Artifact(store="memory", name=name, size_bytes=5, content_type="text/plain")
                services.arrivals.deliver(run_id, "in", artifact)
                return stored

        assert isinstance(store, ObstoreArtifactStore)
        between = Looking(store._store)
        ticket = services.signer.ticket("PUT", "memory", f"{run}/in", max_bytes=10, run=run, edge="in")
        assert Intake(services.arrivals).take(ticket, between, iter([b"first"])).size_bytes == 5
        with pytest.raises(CommandRejectedError, match="already"):
            Intake(services.arrivals).take(ticket, store, iter([b"second"]))
        place.finish(run_id)
        assert place.object(run_id, "in") == b"first"
