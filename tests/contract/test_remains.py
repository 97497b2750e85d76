"""What deleted runs leave in the stores (docs/cli.md, purge): "all but those that another run of the log refers to"."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typing_extensions import override

from flowcore.artifacts import Artifact
from flowcore.errors import EventFormatError, StoreError
from flowcore.ids import RunId, flow_run_id
from flowcore.model import Flow
from flowcore.ports import Recorded, SourceCall
from flowcore.run.commands import DeliverArtifact
from flowcore.service import create_run, request
from flowcore_adapters.artifacts.book import StoreBook
from flowcore_adapters.artifacts.factory import StoreSettings
from flowcore_adapters.artifacts.local import LocalArtifactStore
from flowcore_adapters.artifacts.remains import Remains, remains_of, still_free
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from tests.node_flows import TEXT, Station, compiled, definition, functions, leave, node, station

KEYS: Final = {"AccessKey": "an-access-key", "SecretKey": "a-secret-key"}


class Log(SharedMemoryEventLog):
    """A log in which a run may be damaged."""

    damaged: RunId | None = None

    @override
    def read(self, run_id: RunId, *, after: int = 0) -> Iterator[Recorded]:
        if run_id == self.damaged:
            raise EventFormatError("the event is of no known type")
        return super().read(run_id, after=after)


@pytest.fixture
def log() -> Generator[Log]:
    found = Log()
    yield found
    found.close()


@pytest.fixture
def place(log: Log, tmp_path: Path) -> Generator[Station]:
    with station(log, tmp_path, functions(make=make)) as found:
        yield found


def make(call: SourceCall) -> None:
    leave(call, "out", b"made\n")


def made(place: Station, well: dict[str, Any] | None = None) -> RunId:
    """Run a node that leaves a text at the edge `made`, to its end."""
    wells = [{"Edge": "made", "Store": "default", **(well or {})}]
    flow = compiled(
        [node("make", "make", outputs={"out": "made"})], [definition("make", outputs={"out": TEXT})], DataWells=wells
    )
    run_id = place.start(flow)
    place.finish(run_id)
    return run_id


def left(place: Station, *run_ids: RunId) -> Remains:
    return remains_of(place.log, place.services.book, run_ids)


def kept(place: Station) -> list[str]:
    return [stored.name for stored in place.services.book.find("default").list()]


def test_the_objects_of_a_run_go_and_those_of_others_stay(place: Station) -> None:
    first, second = made(place), made(place)
    place.services.book.find("default").put("mine.txt", [b"somebody's own"])
    remains = left(place, first)
    assert [name for _, name in remains.objects] == [f"{flow_run_id(first)}/made.txt"]
    assert (remains.absent, remains.elsewhere, remains.unreadable) == (0, 0, None)
    remains.delete()
    assert kept(place) == ["mine.txt", f"{flow_run_id(second)}/made.txt"]


def test_what_another_run_refers_to_stays(place: Station) -> None:
    first, second = made(place, {"Key": "latest.txt"}), made(place, {"Key": "latest.txt"})
    assert left(place, first).objects == {}
    left(place, first, second).delete()
    assert kept(place) == []


def test_what_a_run_refers_to_that_came_meanwhile_stays(place: Station) -> None:
    first = made(place, {"Key": "latest.txt"})
    remains = left(place, first)
    place.log.delete_runs(first, now=SystemClock().now(), ended=True)
    assert still_free(place.log, place.services.book, remains) == remains
    made(place, {"Key": "latest.txt"})
    still_free(place.log, place.services.book, remains).delete()
    assert kept(place) == ["latest.txt"]


def test_what_attempts_left_that_came_to_nothing_goes_too(place: Station) -> None:
    run_id = made(place, {"Key": "made/${RUN_ID}.txt"})
    place.services.book.find("default").put(f"{flow_run_id(run_id)}/half.bin", [b"half"])
    assert len(left(place, run_id).objects) == 2
    left(place, run_id).delete()
    assert kept(place) == []


def test_a_static_object_is_no_runs_own(log: Log, tmp_path: Path) -> None:
    with station(log, tmp_path, functions(read=lambda _: None)) as place:
        place.services.book.find("default").put("logo.txt", [b"logo"])
        well = {"Edge": "logo", "Store": "default", "Source": "static", "Key": "logo.txt"}
        nodes = [node("read", "read", {"logo": "logo"})]
        run_id = place.start(compiled(nodes, [definition("read", inputs={"logo": TEXT})], DataWells=[well]))
        place.finish(run_id)
        assert left(place, run_id) == Remains(objects={})


@pytest.mark.parametrize(("well", "absent"), [({}, 1), ({"Lifetime": {"Days": 1}}, 0)])
def test_what_is_not_there_is_counted(place: Station, well: dict[str, Any], absent: int) -> None:
    run_id = made(place, well)
    place.services.book.find("default").delete(f"{flow_run_id(run_id)}/made.txt")
    assert left(place, run_id) == Remains(objects={}, absent=absent)


def test_nothing_goes_while_a_run_does_not_say_what_it_refers_to(place: Station, log: Log) -> None:
    first, second = made(place), made(place)
    log.damaged = second
    assert left(place, first) == Remains(objects={}, unreadable=second)
    log.damaged = None


@pytest.mark.parametrize(
    ("store", "elsewhere"),
    [
        ({"Type": "s3", "Params": {"BucketName": "photos", **KEYS}}, 1),
        ({"Type": "s3local", "Params": {"BucketName": "photos"}}, 0),
    ],
)
def test_stores_of_others_are_left_alone(log: Log, tmp_path: Path, store: dict[str, Any], elsewhere: int) -> None:
    flow = compiled(
        [node("read", "read", {"photo": "photo"})],
        [definition("read", inputs={"photo": TEXT})],
        Stores=[{"Name": "bucket", **store}],
        DataWells=[{"Edge": "photo", "Store": "bucket", "Source": "upload"}],
    ).flow
    clock = SystemClock()
    run_id = create_run(log, flow, at=clock.now())
    artifact = Artifact(store="bucket", name="photo.png")
    request(log, run_id, DeliverArtifact(edge="photo", artifact=artifact, at=clock.now()))
    book = StoreBook(log, StoreSettings(directory=tmp_path))
    assert remains_of(log, book, [run_id]) == Remains(objects={}, elsewhere=elsewhere)


def test_runs_without_artifacts_open_no_store(log: Log, tmp_path: Path) -> None:
    run_id = create_run(log, Flow(sources={}, steps=()), at=SystemClock().now())
    book = StoreBook(log, StoreSettings(directory=tmp_path / "none"))
    assert remains_of(log, book, [run_id]) == Remains(objects={})
    assert not (tmp_path / "none").exists()


def test_one_that_cannot_be_deleted_keeps_no_other(tmp_path: Path) -> None:
    class Stubborn(LocalArtifactStore):
        @override
        def delete(self, name: str) -> None:
            if name == "a":
                raise StoreError("'a' in the store cannot be used: Permission denied")
            super().delete(name)

    store = Stubborn(tmp_path)
    for name in ("a", "b"):
        store.put(name, [b"x"])
    with pytest.raises(StoreError, match="Permission denied"):
        Remains(objects={(store.directory, name): store for name in ("a", "b")}).delete()
    assert [stored.name for stored in store.list()] == ["a"]
