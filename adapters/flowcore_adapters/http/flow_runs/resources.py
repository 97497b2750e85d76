"""`POST /api/v1/flow/test` and `GET /api/v1/flow/status/{flowRunID}` (documents/flow-api.md)."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias
from urllib.parse import quote

import attrs
import falcon

from flowcore.artifacts import WellSource
from flowcore.documents.findings import Findings
from flowcore.documents.nodes.compilation import Compiled, compile_nodes
from flowcore.documents.nodes.report import entries
from flowcore.documents.nodes.validation import check_document
from flowcore.errors import FlowcoreError, Problem, RunNotFoundError, Severity, StoreError
from flowcore.ids import RunId, flow_run_id, parse_run_id
from flowcore.ports import EventLog
from flowcore.run.events import RunCreated
from flowcore.values import Instant, Json
from flowcore.views.flow_runs import UNSIGNED, ArtifactDocument, FlowRunDocument, WaitingUrlDocument, instant_text
from flowcore_adapters.artifacts.services import MAX_UPLOAD
from flowcore_adapters.artifacts.signed_urls import SAFE
from flowcore_adapters.http.description.operations import UNCHANGED, Answer, operation
from flowcore_adapters.http.description.schemas import OBJECT, TEXT, list_of, object_of
from flowcore_adapters.http.routing import Route, Scope
from flowcore_adapters.http.uploads.resources import Uploads
from flowcore_adapters.http.views.cache import ViewCache
from flowcore_adapters.http.views.operations import BUSY, VIEW_QUERY
from flowcore_adapters.http.views.query import read_query
from flowcore_adapters.http.views.resource import ViewResource

from .query import URL_QUERY, UrlQuery, read_url_query

FAMILY: Final = "flow-run"
INVALID_INPUT: Final = "Invalid input"
UNKNOWN_RUN: Final = "Flow run does not exist."
INVALID_FLOW: Final = "unable to run flow: invalid flow"
_MOST_REPEATED: Final = 20
"""How many repeated keys are told."""
_START_S: Final = 2.0
"""How long a new run is waited for until its nodes have begun; it goes on in any case."""

Launch: TypeAlias = Callable[[Compiled], RunId]
"""Starts a run and has it driven."""
_ENTRIES: Final = list_of(object_of({}, optional=dict.fromkeys(("Type", "Code", "Name", "Description"), TEXT)))
_FAILURE: Final = object_of({}, optional={"error": TEXT, "Errors": _ENTRIES, "Warnings": _ENTRIES})
_REQUEST: Final = object_of({"Flow": OBJECT, "NodeDefs": list_of(OBJECT)})


class PutUrls(Protocol):
    """Signs the URLs that a run's missing objects are put with."""

    def sign(self, request: falcon.Request, run_id: RunId, waiting: WaitingUrlDocument) -> WaitingUrlDocument:
        """Return *waiting* with its `PutURL` and its `TTL`."""
        ...

    def fetch(self, request: falcon.Request, run_id: RunId, artifact: ArtifactDocument) -> tuple[str, str]:
        """Return the URL that *artifact* is fetched with, and when it ends; empty when its store cannot be used."""
        ...


@attrs.frozen(kw_only=True)
class FlowRuns:
    """What a server needs to start runs and to take what they wait for.

    Attributes:
        launch: Starts them; None where none are started.
        put_urls: Signs URLs; None where nothing can be put, and the URLs are empty.
    """

    launch: Launch | None = None
    put_urls: PutUrls | None = None


class FlowTestResource:
    """`POST /api/v1/flow/test`."""

    def __init__(self, log: EventLog, cache: ViewCache, settings: FlowRuns) -> None:
        """Start runs as *settings* say, and show them from *log*."""
        self._log = log
        self._cache = cache
        self._launch = settings.launch
        self._urls = settings.put_urls

    @operation(
        "Run a flow of nodes at once",
        body=_REQUEST,
        body_required=True,
        query=URL_QUERY,
        answers={
            200: OBJECT,
            400: Answer(
                "The body is no JSON object (a text), the flow cannot run, or the query is malformed.",
                {"anyOf": [TEXT, _FAILURE]},
            ),
            502: Answer("A store cannot be used.", _FAILURE),
            503: Answer("This server starts no runs.", _FAILURE),
        },
    )
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Start a run and answer with it as it is when its nodes have begun."""
        wanted = read_url_query(request)
        repeated: list[str] = []
        body = _parsed(request.bounded_stream.read(), repeated)
        if body is None:
            _tell(request, response, INVALID_INPUT)
            return
        if repeated:
            # One reader takes the first, another the last: what is run must be what everybody reads.
            findings = Findings()
            for key in repeated[:_MOST_REPEATED]:
                findings.add("DOC_001", (), f"the key {key[:40]!r} is there more than once in one object")
            _refuse(response, falcon.HTTP_400, INVALID_FLOW, findings.problems)
            return
        checked = check_document(body)
        if not checked.sound:
            _refuse(response, falcon.HTTP_400, INVALID_FLOW, checked.problems)
            return
        if self._launch is None:
            _refuse(
                response,
                falcon.HTTP_503,
                "this server starts no runs; `flowcore-cli serve` does, and so does FLOWCORE_START=1",
                checked.problems,
            )
            return
        try:
            run_id = self._launch(compile_nodes(checked.document))
        except StoreError as error:
            # What the caller has declared wrongly is a kind of its own; the rest is a store that does not do its work.
            theirs = error.code in {"store-configuration", "object-not-found", "object-name"}
            status = falcon.HTTP_400 if theirs else falcon.HTTP_502
            _refuse(response, status, f"unable to run flow: {error}", checked.problems)
            return
        except FlowcoreError as error:
            _refuse(response, falcon.HTTP_500, f"unable to run flow: {error}", checked.problems)
            return
        response.content_type = falcon.MEDIA_JSON
        response.set_header("Cache-Control", "no-store")
        response.data = self._begun(run_id)
        _sign(request, response, run_id, wanted, self._urls)

    def _begun(self, run_id: RunId) -> bytes:
        """Return the run as soon as something of it has begun, or as it is after a while."""
        deadline = time.monotonic() + _START_S
        while True:
            position = self._log.position()
            page = self._cache.page(FAMILY, run_id)
            left_s = deadline - time.monotonic()
            if _has_begun(page.body) or left_s <= 0:
                return page.body
            self._log.wait(position, left_s)


class FlowStatusResource:
    """`GET /api/v1/flow/status/{flowRunID}`."""

    def __init__(self, view: ViewResource, settings: FlowRuns) -> None:
        """Show runs through *view*."""
        self._view = view
        self._urls = settings.put_urls

    @operation(
        "A run as a flow run",
        query=(*VIEW_QUERY, *URL_QUERY),
        answers={
            200: OBJECT,
            304: UNCHANGED,
            400: Answer("There is no such run (a text), or the query is malformed.", {"anyOf": [TEXT, OBJECT]}),
            503: BUSY,
        },
    )
    def on_get(self, request: falcon.Request, response: falcon.Response, flow_run_id: str) -> None:
        """Answer with the run, or with 304 when the caller has it."""
        run_id = parse_run_id(flow_run_id)
        if run_id is None:
            _tell(request, response, UNKNOWN_RUN)
            return
        query = attrs.evolve(read_query(request), run_id=run_id)
        wanted = read_url_query(request)
        try:
            self._view.answer(request, response, query)
        except RunNotFoundError:
            _tell(request, response, UNKNOWN_RUN)
            return
        _sign(request, response, run_id, wanted, self._urls)

    on_head = on_get


class SignedPutUrls:
    """URLs of this server's own, for the objects of stores that have none."""

    def __init__(self, log: EventLog, uploads: Uploads) -> None:
        """Sign with the signer of *uploads* what the runs in *log* wait for."""
        self._log = log
        self._signer = uploads.signer

    def sign(self, request: falcon.Request, run_id: RunId, waiting: WaitingUrlDocument) -> WaitingUrlDocument:
        """Return *waiting* with its `PutURL` and its `TTL`."""
        artifact = waiting["Artifact"]
        ticket = self._signer.ticket(
            # A URL for POST is good for PUT too.
            "POST" if self._webhook(run_id, artifact["EdgeName"]) else "PUT",
            artifact["StoreName"],
            artifact["ObjectName"],
            max_bytes=MAX_UPLOAD,
            run=flow_run_id(run_id),
            edge=artifact["EdgeName"],
        )
        url = f"{called(request)}{self._signer.sign(ticket)}"
        return {"Artifact": artifact, "PutURL": url, "TTL": instant_text(Instant(ticket.expires_at))}

    def fetch(self, request: falcon.Request, run_id: RunId, artifact: ArtifactDocument) -> tuple[str, str]:
        """Return a URL for *artifact*, and when it ends."""
        ticket = self._signer.ticket(
            "GET", artifact["StoreName"], artifact["ObjectName"], run=flow_run_id(run_id), edge=artifact["EdgeName"]
        )
        return f"{called(request)}{self._signer.sign(ticket)}", instant_text(Instant(ticket.expires_at))

    def _webhook(self, run_id: RunId, edge: str) -> bool:
        created = next(self._log.read(run_id)).event
        well = created.flow.wells.get(edge) if isinstance(created, RunCreated) else None
        return well is not None and well.source is WellSource.WEBHOOK


def called(request: falcon.Request) -> str:
    """Return what *request* called this server, and where on it the application is mounted, as a URL begins."""
    # The guard has seen that the Host header names this server.
    return f"{request.scheme}://{request.netloc}{quote(request.root_path, safe=SAFE)}"


def flow_routes(
    log: EventLog, cache: ViewCache, view: ViewResource, settings: FlowRuns, uploads: Uploads | None
) -> tuple[Route, ...]:
    """Return the paths of the family.

    Args:
        log: Where the runs are.
        cache: The views of *log*.
        view: The view `FAMILY` as a resource.
        settings: How runs are started, and URLs signed.
        uploads: What signs URLs when *settings* have nothing that does.
    """
    if settings.put_urls is None and uploads is not None:
        settings = attrs.evolve(settings, put_urls=SignedPutUrls(log, uploads))
    return (
        Route("/api/v1/flow/test", FlowTestResource(log, cache, settings), Scope.EXECUTE),
        Route("/api/v1/flow/status/{flow_run_id}", FlowStatusResource(view, settings), Scope.READ),
    )


def _parsed(data: bytes, repeated: list[str]) -> dict[str, Json] | None:
    """Return the JSON object that *data* spells; None when it spells none. What is in it is looked at elsewhere.

    Args:
        data: The body.
        repeated: Takes the keys that are more than once in one object: afterwards nobody could tell.
    """

    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.extend(key for key, count in counts.items() if count > 1)
        return found

    try:
        found: Json = json.loads(data, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _has_begun(body: bytes) -> bool:
    document: FlowRunDocument = json.loads(body)
    if document["Status"] == "RUNNING":
        return any(node["Attempt"] for node in document["NodeState"].values())
    return document["Status"] != "STOPPED"


def _tell(request: falcon.Request, response: falcon.Response, message: str) -> None:
    """Answer 400 with *message*: a JSON text, as the document prints it, or plain for those who ask for that."""
    response.status = falcon.HTTP_400
    if request.client_prefers([falcon.MEDIA_JSON, falcon.MEDIA_TEXT]) == falcon.MEDIA_TEXT:
        response.content_type = falcon.MEDIA_TEXT
        response.text = message
    else:
        response.content_type = falcon.MEDIA_JSON
        response.data = json.dumps(message).encode()


def _refuse(response: falcon.Response, status: str, error: str, problems: Sequence[Problem]) -> None:
    response.status = status
    response.media = {
        "error": error,
        "Errors": entries(problems, Severity.ERROR),
        "Warnings": entries(problems, Severity.WARNING),
    }


def _sign(
    request: falcon.Request, response: falcon.Response, run_id: RunId, wanted: UrlQuery, urls: PutUrls | None
) -> None:
    """Put the URLs into the answer; they are for whoever has them, and end, so that nobody may keep the answer."""
    body = response.data
    downloads = urls is not None and wanted.downloads
    if body is None or (UNSIGNED not in body and not downloads):
        return
    document = json.loads(body)
    if urls is not None and downloads:
        for artifact in document["Artifacts"].values():
            artifact["GetURL"], artifact["TTL"] = urls.fetch(request, run_id, artifact)
    waiting = document["WaitingURLs"]
    if urls is not None:
        waiting = [urls.sign(request, run_id, each) for each in waiting]
    if wanted.strings:
        document["WaitingURLs"] = [each["PutURL"] for each in waiting]
    else:
        document["WaitingURLs"] = waiting
    response.data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    response.delete_header("ETag")
    response.delete_header("Content-Length")
    response.set_header("Cache-Control", "no-store")
