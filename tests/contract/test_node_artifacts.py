"""Artifacts of runs: handed from node to node, awaited, looked for (contract flow-runs, sections 4 to 9)."""

import io
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from typing_extensions import override

from flowcore.artifacts import Artifact, Store
from flowcore.audit import CallAccepted, Credential
from flowcore.documents.nodes.compilation import Compiled
from flowcore.errors import LogError, ObjectNotFoundError, StoreConfigurationError, StoreError
from flowcore.ids import RunId, flow_run_id
from flowcore.model import Flow
from flowcore.ports import Owner, SourceCall
from flowcore.run.commands import ContinueRun, PauseRun
from flowcore.run.events import (
    ArtifactArrived,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    AwaitFailed,
    RunFailed,
    RunSucceeded,
    StepLogged,
)
from flowcore.run.machine import RunStatus
from flowcore.service import create_run, load, request
from flowcore.stores import ArtifactStore
from flowcore_adapters.artifacts.arrivals import RunArrivals
from flowcore_adapters.artifacts.book import StoreBook
from flowcore_adapters.artifacts.factory import StoreSettings
from flowcore_adapters.artifacts.objects import S3ArtifactStore
from flowcore_adapters.artifacts.polling import Polling
from flowcore_adapters.artifacts.services import artifact_services
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.flow_runs.service import NodeService
from flowcore_adapters.http.uploads.resources import Uploads
from flowcore_adapters.logs.memory import SharedMemoryEventLog
from flowcore_adapters.runner.lines import FLUSH_S
from flowcore_adapters.runner.ownership import this_program
from flowcore_adapters.sources.container import engine
from flowcore_adapters.sources.container.orphans import remove_orphans
from tests.contract.wsgi_client import Answer, call
from tests.node_flows import LONGEST_S, TEXT, Station, compiled, content, definition, functions, leave, node, station

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def upper(call: SourceCall) -> None:
    call.log("working", stream="stdout")
    leave(call, "out", content(call, "text").upper())


def twice(call: SourceCall) -> None:
    leave(call, "out", content(call, "text") * 2)


CHAIN = (
    [node("one", "upper", {"text": "in"}, {"out": "middle"}), node("two", "twice", {"text": "middle"}, {"out": "end"})],
    [
        definition("upper", inputs={"text": TEXT}, outputs={"out": TEXT}),
        definition("twice", inputs={"text": TEXT}, outputs={"out": TEXT}),
    ],
)


class Trickle(io.BytesIO):
    """A body that comes in small pieces, however much is asked for."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7)


def put(
    place: Station,
    run_id: Any,  # noqa: ANN401
    data: bytes,
    edge: str = "in",
    *,
    environ: Mapping[str, object] | None = None,
    max_bytes: int = 1000,
) -> Answer:
    """Put an object with a URL for the run."""
    services = place.services
    uploads = Uploads(signer=services.signer, stores=services.book, arrivals=services.arrivals)
    run = flow_run_id(run_id)
    ticket = services.signer.ticket("PUT", "default", f"{run}/{edge}", max_bytes=max_bytes, run=run, edge=edge)
    app = create_app(place.log, uploads=uploads)
    return call(app, services.signer.sign(ticket), method="PUT", body=data, environ=environ)


def waiting(place: Station, flow: Compiled) -> RunId:
    """Start a run that waits for an object, and return its id when it does."""
    run_id = place.start(flow)
    position = 0
    while load(place.log, run_id).status is RunStatus.QUEUED:
        position = place.log.wait(position, LONGEST_S)
    return run_id


def test_artifacts_go_from_node_to_node(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = place.start(compiled(*CHAIN))
        assert put(place, run_id, b"hello\n").status == 200
        events = place.finish(run_id)
        assert isinstance(events[-1], RunSucceeded)
        run = flow_run_id(run_id)
        (asked,) = [event for event in events if isinstance(event, CallAccepted)]
        assert (asked.credential, asked.method) == (Credential.SIGNED_URL, "PUT")
        assert asked.route == "/api/v1/upload/{store}/{name:path}"
        arrived = next(event for event in events if isinstance(event, ArtifactArrived))
        assert (arrived.edge, arrived.artifact) == (
            "in",
            Artifact(store="default", name=f"{run}/in.txt", size_bytes=6, content_type="text/plain"),
        )
        left = [event.artifacts for event in events if isinstance(event, AttemptSucceeded)]
        assert left == [
            {"middle": Artifact(store="default", name=f"{run}/middle.txt", size_bytes=6, content_type="text/plain")},
            {"end": Artifact(store="default", name=f"{run}/end.txt", size_bytes=12, content_type="text/plain")},
        ]
        assert place.object(run_id, "end") == b"HELLO\nHELLO\n"


def test_lines_are_recorded_before_what_the_attempt_came_to(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    def talk(call: SourceCall) -> None:
        for number in range(1000):
            call.log(f"line {number}", stream="stdout" if number % 2 else "stderr")

    with station(log, tmp_path, functions(talk=talk)) as place:
        events = place.finish(place.start(compiled([node("one", "talk")], [definition("talk")])))
        said = [event for event in events if isinstance(event, StepLogged)]
        lines = [line for event in said for line in event.lines if line.stream != "trace"]
        assert [line.message for line in lines] == [f"line {number}" for number in range(1000)]
        assert {line.stream for line in lines} == {"stdout", "stderr"}
        assert [event.first for event in said] == [
            sum(len(each.lines) for each in said[:place]) for place in range(len(said))
        ]
        assert len(said) < 50
        assert events.index(said[-1]) < events.index(
            next(each for each in events if isinstance(each, AttemptSucceeded))
        )


def test_lines_are_recorded_while_the_attempt_goes_on(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    said = threading.Event()

    def talk(call: SourceCall) -> None:
        call.log("here")
        assert said.wait(20)

    with station(log, tmp_path, functions(talk=talk)) as place:
        run_id = place.start(compiled([node("one", "talk")], [definition("talk")]))
        position = 0
        while not any(isinstance(event, StepLogged) for event in place.events(run_id)):
            seen = log.wait(position, 50 * FLUSH_S)
            assert seen > position
            position = seen
        said.set()
        place.finish(run_id)


def test_a_second_object_is_refused_and_changes_nothing(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = place.start(compiled(*CHAIN))
        assert put(place, run_id, b"first").status == 200
        assert put(place, run_id, b"second").status == 409
        place.finish(run_id)
        assert put(place, run_id, b"third").status == 409
        assert place.object(run_id, "in") == b"first"


@pytest.mark.parametrize("edge", ["unknown", "end"])
def test_what_nobody_waits_for_is_refused(log: SharedMemoryEventLog, tmp_path: Path, edge: str) -> None:
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = place.start(compiled(*CHAIN))
        assert put(place, run_id, b"x", edge).status == 409
        assert put(place, run_id + 1, b"x").status == 404


def test_an_input_of_the_wrong_type_fails_the_node_at_once(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    definitions = [definition("upper", inputs={"text": ["image/*"]}, outputs={"out": TEXT}, MaxAttempts=3)]
    with station(log, tmp_path, functions(upper=upper)) as place:
        run_id = waiting(place, compiled([node("one", "upper", {"text": "in"}, {"out": "end"})], definitions))
        refused = put(place, run_id, b"plain text")
        why = "input 'text' must be image/*, and it is text/plain"
        assert (refused.status, refused.document) == (
            415,
            {"error": f"the object is refused: {why} (node 'one')"},
        )
        events = place.finish(run_id)
        (failed,) = [event for event in events if isinstance(event, AwaitFailed)]
        assert (failed.step, failed.code, failed.error) == ("one", "input-type", why)
        assert not any(isinstance(event, ArtifactArrived | AttemptStarted) for event in events)
        assert list(place.services.book.find("default").list()) == []
        assert put(place, run_id, PNG).status == 409


def test_a_node_that_waits_for_more_fails_at_once_too(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """Contract flow-runs, section 9: "Check at upload arrival (we own the PUT)"."""
    definitions = [definition("join", inputs={"text": TEXT, "photo": ["image/png"]}), definition("upper")]
    nodes = [node("join", "join", {"text": "words", "photo": "pixels"})]
    with station(log, tmp_path, functions(join=upper)) as place:
        run_id = waiting(place, compiled(nodes, definitions))
        assert put(place, run_id, PNG, "words").status == 415
        assert isinstance(place.finish(run_id)[-1], RunFailed)


def test_while_the_run_is_paused_a_refused_object_may_come_again(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """docs/artifacts.md: "fails nothing: the URL is good for another try"."""
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = waiting(place, compiled(*CHAIN))
        request(log, run_id, PauseRun(at=SystemClock().now()))
        assert put(place, run_id, PNG).status == 415
        assert put(place, run_id, b"text").status == 200
        request(log, run_id, ContinueRun(at=SystemClock().now()))
        assert isinstance(place.finish(run_id)[-1], RunSucceeded)


def test_an_object_that_breaks_off_fails_nobody(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """What there is of it says nothing of its type: seven bytes of a picture are none."""
    definitions = [definition("upper", inputs={"text": ["image/*"]}, outputs={"out": TEXT})]
    with station(log, tmp_path, functions(upper=lambda call: leave(call, "out", b"seen"))) as place:
        run_id = waiting(place, compiled([node("one", "upper", {"text": "in"}, {"out": "end"})], definitions))
        broken = put(place, run_id, b"", environ={"wsgi.input": Trickle(PNG[:7]), "CONTENT_LENGTH": "100"})
        assert (broken.status, broken.document) == (400, {"error": "the body ended 93 bytes too early"})
        whole = {"wsgi.input": Trickle(PNG), "CONTENT_LENGTH": str(len(PNG))}
        assert put(place, run_id, b"", environ=whole).status == 200
        assert isinstance(place.finish(run_id)[-1], RunSucceeded)


def test_what_did_not_come_through_us_is_looked_at_before_the_start(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    definitions = [definition("upper", inputs={"text": ["image/*"]}, MaxAttempts=3)]
    well = {"Edge": "in", "Store": "default", "Source": "static", "Key": "logo.png"}
    with station(log, tmp_path, functions(upper=upper)) as place:
        place.services.book.find("default").put("logo.png", [b"plain text"])
        run_id = place.start(compiled([node("one", "upper", {"text": "in"})], definitions, DataWells=[well]))
        (failed,) = [event for event in place.finish(run_id) if isinstance(event, AttemptFailed)]
        assert (failed.code, failed.retry_at) == ("input-type", None)
        assert failed.error == "input 'text' must be image/*, and it is text/plain"


def test_an_output_of_the_wrong_type_fails_the_node_at_once(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    def paint(call: SourceCall) -> None:
        leave(call, "out", PNG)

    definitions = [definition("paint", outputs={"out": TEXT})]
    with station(log, tmp_path, functions(paint=paint)) as place:
        events = place.finish(place.start(compiled([node("one", "paint", None, {"out": "end"})], definitions)))
        (failed,) = [event for event in events if isinstance(event, AttemptFailed)]
        assert (failed.code, failed.error) == ("output-type", "output 'out' must be text/plain, and it is image/png")


def test_a_required_output_that_is_not_there_is_tried_again(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    tries: list[int] = []

    def forgetful(call: SourceCall) -> None:
        tries.append(call.attempt)
        if call.attempt == 2:
            leave(call, "out", b"at last")

    definitions = [definition("forgetful", outputs={"out": TEXT}, MaxAttempts=2)]
    with station(log, tmp_path, functions(forgetful=forgetful)) as place:
        run_id = place.start(compiled([node("one", "forgetful", None, {"out": "end"})], definitions))
        (failed,) = [event for event in place.finish(run_id) if isinstance(event, AttemptFailed)]
        assert failed.code == "output-missing"
        assert tries == [1, 2]
        assert place.object(run_id, "end") == b"at last"


def test_a_static_object_must_be_there_at_the_start(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    wells = [{"Edge": "in", "Store": "default", "Source": "static", "Key": "shared/text.txt"}]
    flow = compiled(*CHAIN, DataWells=wells)
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        with pytest.raises(ObjectNotFoundError):
            place.start(flow)
        assert list(log.runs()) == []
        place.services.book.find("default").put("shared/text.txt", [b"shared"])
        run_id = place.start(flow)
        place.finish(run_id)
        assert place.object(run_id, "end") == b"SHAREDSHARED"


def test_what_arrives_in_a_store_of_others_is_found(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    stores = [{"Name": "memory", "Type": "s3local", "Params": {"BucketName": tmp_path.name}}]
    flow = compiled(*CHAIN, Stores=stores, DefaultDataWell={"Store": "memory", "Source": "upload"})
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = place.start(flow)
        polling = place.services.polling
        assert polling.look(run_id, "in")
        store = place.services.book.find("memory", flow_run_id(run_id))
        store.put(f"{flow_run_id(run_id)}/in", [b"found"])
        assert not polling.look(run_id, "in")
        assert not polling.look(run_id, "in")
        place.finish(run_id)
        assert place.object(run_id, "end") == b"FOUNDFOUND"


def test_what_is_in_the_memory_of_one_process_is_for_no_other(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    """Contract flow-runs, section 7, "s3local: BucketName (memory)": what the nodes cannot find is not taken in."""
    stores = [{"Name": "memory", "Type": "s3local", "Params": {"BucketName": f"{tmp_path.name}-elsewhere"}}]
    flow = compiled(*CHAIN, Stores=stores, DefaultDataWell={"Store": "memory", "Source": "upload"})
    clock = SystemClock()
    services = artifact_services(log, clock, tmp_path)
    run_id = create_run(log, flow.flow, at=clock.now())
    stranger = Owner("stranger", "process 4711 on host", "host", 4711)
    log.claim(run_id, stranger, now=clock.now(), ttl_s=LONGEST_S)
    nodes = NodeService(services=services)
    app = create_app(log, uploads=nodes.uploads(), flow_runs=nodes.flow_runs(log))

    def put_url() -> str:
        document = call(app, f"/api/v1/flow/status/{flow_run_id(run_id)}").document
        return str(document["WaitingURLs"][0]["PutURL"]).removeprefix("http://127.0.0.1:8000")

    try:
        refused = call(app, put_url(), method="PUT", body=b"lost")
        assert (refused.status, refused.document) == (
            421,
            {
                "error": "store 'memory' is in the memory of process 4711 on host, which drives the run: only that"
                " process takes and hands out its objects. Ask that one, or let several processes have a store of the"
                " type local, s3fs or s3"
            },
        )
        # A server that takes bodies in before it asks does not wait for this one, which may be large.
        path, _, query = put_url().partition("?")
        assert nodes.uploads().expect("PUT", path, query, f"{path}?{query}") is None
        assert not services.polling.look(run_id, "in")
        assert load(log, run_id).artifacts == {}
        log.release(stranger, run_id)
        log.claim(run_id, this_program(), now=clock.now(), ttl_s=LONGEST_S)
        assert services.polling.look(run_id, "in")
        path, _, query = put_url().partition("?")
        assert nodes.uploads().expect("PUT", path, query, f"{path}?{query}") is not None
        assert call(app, put_url(), method="PUT", body=b"found").status == 200
        assert list(load(log, run_id).artifacts) == ["in"]
    finally:
        services.close()


def test_the_keys_of_a_store_are_recorded_nowhere(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    params = {
        "BucketName": "b",
        "AccessKey": "the-access-key",
        "SecretKey": "the-secret-key",
        "Endpoint": "127.0.0.1:9",
    }
    stores = [{"Name": "bucket", "Type": "s3", "Params": params}]
    flow = compiled(*CHAIN, Stores=stores, DefaultDataWell={"Store": "bucket", "Source": "upload"})
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = place.start(flow)
        assert isinstance(place.services.book.find("bucket", flow_run_id(run_id)), S3ArtifactStore)
        assert "the-secret-key" not in repr(place.events(run_id))
        assert "the-access-key" not in repr(place.events(run_id))
        settings = StoreSettings(directory=tmp_path)
        with pytest.raises(StoreConfigurationError, match="recorded nowhere") as lost:
            StoreBook(log, settings).find("bucket", flow_run_id(run_id))
        # The error says what to write where: with the keys it is what the server needs.
        (told,) = json.loads(str(lost.value).partition("FILE holds ")[2]).items()
        shown = {"BucketName": params["BucketName"], "AccessKey": "...", "SecretKey": "..."}
        assert told[0] == "bucket"
        assert {**told[1]["params"], **shown} == told[1]["params"]
        given = Store(type=told[1]["type"], params={**told[1]["params"], "AccessKey": "a", "SecretKey": "b"})
        found = StoreBook(log, settings, {"bucket": given}).find("bucket", flow_run_id(run_id))
        assert isinstance(found, S3ArtifactStore)
        # The server's keys are for its own bucket, and not for another one that a flow names.
        other = {"bucket": Store(type="s3", params={**params, "BucketName": "other"})}
        with pytest.raises(StoreConfigurationError, match="recorded nowhere"):
            StoreBook(log, settings, other).find("bucket", flow_run_id(run_id))
        own = {"bucket": Store(type="s3", params={**params, "SecretKey": "another"})}
        assert isinstance(StoreBook(log, settings, own).find("bucket", flow_run_id(run_id)), S3ArtifactStore)


def test_a_store_that_nobody_knows_is_refused_before_anything_is_recorded(
    log: SharedMemoryEventLog, tmp_path: Path
) -> None:
    flow = compiled(
        *CHAIN, Stores=[{"Name": "mine", "Type": "s3"}], DefaultDataWell={"Store": "mine", "Source": "upload"}
    )
    with station(log, tmp_path, functions()) as place:
        with pytest.raises(StoreConfigurationError, match="neither the flow nor the server"):
            place.start(flow)
        assert list(log.runs()) == []


def test_a_run_waits_across_restarts(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id = place.launch(compiled(*CHAIN))
        place.engine.close()
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        # Nobody drives it when the object comes.
        assert put(place, run_id, b"late").status == 200
        assert not load(log, run_id).ended
        place.engine.adopt(run_id)
        place.finish(run_id)
        assert place.object(run_id, "end") == b"LATELATE"


def test_a_server_that_ends_leaves_alone_what_only_waits(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    begun, over = threading.Event(), threading.Event()

    def busy(_call: SourceCall) -> None:
        begun.set()
        over.wait(20)

    with station(log, tmp_path, functions(upper=upper, twice=twice, busy=busy)) as place:
        waiting = place.launch(compiled(*CHAIN))
        working = place.start(compiled([node("busy", "busy")], [definition("busy")]))
        assert begun.wait(20)
        Timer(0.1, over.set).start()
        place.engine.close(stop=True, but_resting=True)
    assert load(log, working).status is RunStatus.STOPPED
    assert load(log, waiting).status is RunStatus.RUNNING
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        place.engine.adopt(waiting)
        assert put(place, waiting, b"late").status == 200
        place.finish(waiting)
        assert place.object(waiting, "end") == b"LATELATE"


def in_memory(place: Station, tmp_path: Path) -> tuple[RunId, ArtifactStore]:
    """Start a run that waits for an object in a store of others, and return that store, too."""
    stores = [{"Name": "memory", "Type": "s3local", "Params": {"BucketName": f"{tmp_path.name}-large"}}]
    flow = compiled(*CHAIN, Stores=stores, DefaultDataWell={"Store": "memory", "Source": "upload"})
    run_id = waiting(place, flow)
    return run_id, place.services.book.find("memory", flow_run_id(run_id))


def test_what_is_too_large_in_a_store_of_others_is_deleted_and_fails_who_waits(
    log: SharedMemoryEventLog, tmp_path: Path
) -> None:
    """Contract flow-runs, section 13: "delete and ERROR"."""
    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id, store = in_memory(place, tmp_path)
        store.put(f"{flow_run_id(run_id)}/in", [b"four"])
        polling = Polling(log, SystemClock(), place.services.book, place.services.arrivals, max_bytes=3)
        assert not polling.look(run_id, "in")
        assert list(store.list()) == []
        events = place.finish(run_id)
        (failed,) = [event for event in events if isinstance(event, AwaitFailed)]
        assert (failed.step, failed.code) == ("one", "input-too-large")
        assert failed.error == "the object for 'in' has 4 bytes; it may have 3"
        assert not any(isinstance(event, ArtifactArrived) for event in events)


def test_a_log_that_is_busy_for_a_moment_is_asked_again(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    class Busy(RunArrivals):
        """Cannot tell the run."""

        @override
        def deliver(self, run_id: RunId, edge: str, artifact: Artifact) -> None:
            raise LogError("the database is locked")

    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id, store = in_memory(place, tmp_path)
        store.put(f"{flow_run_id(run_id)}/in", [b"text"])
        book, clock = place.services.book, SystemClock()
        assert Polling(log, clock, book, Busy(log, clock, book), max_bytes=100).look(run_id, "in")
        assert not Polling(log, clock, book, place.services.arrivals, max_bytes=100).look(run_id, "in")
        assert isinstance(place.finish(run_id)[-1], RunSucceeded)


def test_a_store_that_cannot_be_opened_just_now_is_looked_into_later(log: SharedMemoryEventLog, tmp_path: Path) -> None:
    class Away(StoreBook):
        """Cannot find the server of a store."""

        @override
        def of(self, run_id: RunId, flow: Flow, name: str) -> ArtifactStore:
            raise StoreError("the name of the server is not known")

    with station(log, tmp_path, functions(upper=upper, twice=twice)) as place:
        run_id, _ = in_memory(place, tmp_path)
        book = Away(log, StoreSettings(directory=tmp_path))
        polling = Polling(log, SystemClock(), book, place.services.arrivals, max_bytes=100)
        polling.watch(run_id)
        assert any(thread.name == "flowcore-polling" and thread.is_alive() for thread in threading.enumerate())
        polling.close()
        assert polling.look(run_id, "in")


def test_without_the_engines_client_there_is_nothing_to_clear_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    monkeypatch.setitem(sys.modules, "docker.errors", None)

    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(engine, "find_spec", nothing)
    assert remove_orphans() == 0
