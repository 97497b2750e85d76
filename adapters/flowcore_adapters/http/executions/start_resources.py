"""`POST /api/workflows/execute` and `GET /api/workflows/scan`: starting runs and batches, and looking for what can be.

The rules are those of contract executions, section 4. A single workflow is not checked when it is handed in: what is
wrong with it is what its run ends with. The items of a batch are.
"""

from collections.abc import Sequence
from typing import Final

import attrs
import falcon

from flowcore.batch.events import BatchSource
from flowcore.batch_service import MAX_ITEMS, NewBatch
from flowcore.catalog import Catalog
from flowcore.documents.workflows import compile_workflow, read_workflow
from flowcore.errors import FlowDocumentError
from flowcore.ids import BatchId
from flowcore.values import Json
from flowcore.views.batches import batch_id_text, item_id_text
from flowcore.views.executions import execution_id
from flowcore_adapters.batch_items import Candidate, Candidates, items, messages
from flowcore_adapters.http.description.operations import Answer, Parameter, operation
from flowcore_adapters.http.description.schemas import FLAG, OBJECT, TEXT
from flowcore_adapters.http.incoming.json_body import read_object
from flowcore_adapters.launching import Launcher
from flowcore_adapters.workflow_files import MAX_FILE, FolderError, WorkflowFolders

from .start_request import StartRequest, UploadedFile, read_form, read_json

_FORM: Final = "multipart/form-data"
_MOST_PARTS: Final = 10_000
_LONGEST_FIELD: Final = 1024 * 1024


@attrs.frozen
class Starting:
    """What starting takes.

    Attributes:
        catalog: The sources that flows from requests may use.
        folders: The folders that requests may name.
    """

    launcher: Launcher
    catalog: Catalog
    folders: WorkflowFolders


class ExecuteResource:
    """`POST /api/workflows/execute`."""

    def __init__(self, starting: Starting) -> None:
        """Start runs and batches through *starting*."""
        self._starting = starting

    @operation(
        "Start a workflow, or a batch of them",
        answers={200: OBJECT, 400: Answer("It cannot be started.", OBJECT)},
        body=OBJECT,
        body_required=True,
    )
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Start what the body asks for, and answer how it is called."""
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        wanted = _read_form(request) if kind == _FORM else read_json(read_object(request))
        if wanted.workflow is not None:
            response.media = self._start_run(wanted)
        else:
            self._start_batch(wanted, response)

    def _start_run(self, wanted: StartRequest) -> dict[str, Json]:
        try:
            workflow = read_workflow(wanted.workflow)
        except FlowDocumentError as error:
            raise falcon.HTTPBadRequest(title=f"Invalid workflow format: {'; '.join(messages(error)[:10])}") from error
        flow = compile_workflow(workflow, overrides=wanted.overrides, catalog=self._starting.catalog)
        run_id = self._starting.launcher.start_run(
            flow, labels=wanted.labels, trace=wanted.trace, breakpoints=wanted.breakpoints
        )
        return {"executionId": execution_id(run_id), "status": "running", "executionMode": "single"}

    def _start_batch(self, wanted: StartRequest, response: falcon.Response) -> None:
        found = self._candidates(wanted)
        good = items(found, wanted.labels)
        invalid: list[Json] = [
            {"fileName": each.name, "errors": list(each.errors)} for each in found if each.flow is None
        ]
        if not good:
            response.status = falcon.HTTP_400
            response.media = {"error": "No valid workflows found", "validationErrors": invalid}
            return
        if len(good) > MAX_ITEMS:
            raise falcon.HTTPBadRequest(title=f"a batch has at most {MAX_ITEMS} workflows")
        source = (
            BatchSource.FOLDER
            if wanted.folder is not None
            else BatchSource.WORKFLOWS
            if wanted.files is None
            else BatchSource.FILES
        )
        folder = None if wanted.folder is None else wanted.folder.rstrip("/")
        batch_id = self._starting.launcher.start_batch(
            NewBatch(
                source=source,
                items=good,
                workers=wanted.workers,
                priority=wanted.priority,
                folder=folder,
                trace=wanted.trace,
                labels=wanted.labels,
            )
        )
        response.media = {
            "batchId": batch_id_text(batch_id),
            "executionMode": "parallel",
            "sourceType": str(source),
            **({} if folder is None else {"folderPath": folder}),
            "totalWorkflows": len(found),
            "validWorkflows": len(good),
            "invalidWorkflows": len(invalid),
            "validationErrors": invalid,
            "executions": [_execution(batch_id, number, item.name, item.path) for number, item in enumerate(good, 1)],
        }

    def _candidates(self, wanted: StartRequest) -> Sequence[Candidate]:
        candidates = Candidates(self._starting.catalog, wanted.overrides)
        if wanted.folder is not None:
            try:
                files = self._starting.folders.files(wanted.folder, wanted.pattern, recursive=wanted.recursive)
                return candidates.of_files(files)
            except FolderError as error:
                raise falcon.HTTPBadRequest(title=str(error)) from error
        if wanted.files is not None:
            return [candidates.of_bytes(file.name, file.data) for file in wanted.files]
        return [candidates.of_document(name, document) for name, document in wanted.workflows or ()]


class ScanResource:
    """`GET /api/workflows/scan?folderPath=&recursive=&pattern=`: what a folder holds, and whether it can run."""

    def __init__(self, starting: Starting) -> None:
        """Look into the folders of *starting*."""
        self._starting = starting

    @operation(
        "The workflows of a folder, each checked",
        query=(
            Parameter("folderPath", "The folder, from the workflows root.", TEXT, required=True),
            Parameter("recursive", "Whether to look into its folders too.", FLAG),
            Parameter("pattern", "A file name with `*` and `?`; `*.json` when left out.", TEXT),
        ),
        answers={
            200: {"type": "array", "items": OBJECT},
            400: Answer("The folder may not be named.", OBJECT),
            404: Answer("There is no such folder.", OBJECT),
        },
    )
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the files, sorted by their ways from the folder."""
        folder = request.get_param("folderPath")
        if not folder:
            raise falcon.HTTPBadRequest(title="'folderPath' is required")
        recursive = (request.get_param("recursive") or "false").lower()
        if recursive not in {"true", "false"}:
            raise falcon.HTTPBadRequest(title="'recursive' must be true or false")
        pattern = request.get_param("pattern") or "*.json"
        try:
            files = self._starting.folders.files(folder, pattern, recursive=recursive == "true")
            found = Candidates(self._starting.catalog).of_files(files)
        except FolderError as error:
            if error.code == "folder-not-found":
                raise falcon.HTTPNotFound(title=str(error)) from error
            raise falcon.HTTPBadRequest(title=str(error)) from error
        response.media = [_scanned(each) for each in found]

    on_head = on_get


def _execution(batch_id: BatchId, number: int, name: str, path: str | None) -> dict[str, Json]:
    return {
        "executionId": item_id_text(batch_id, number),
        "workflowFileName": name,
        "workflowPath": name if path is None else path,
        "status": "queued",
        "validationErrors": [],
    }


def _scanned(candidate: Candidate) -> dict[str, Json]:
    document: dict[str, Json] = {
        "fileName": candidate.name,
        "filePath": candidate.path,
        "isValid": candidate.flow is not None,
    }
    if candidate.flow is None:
        document["validationErrors"] = list(candidate.errors)
    elif candidate.document is not None:
        document["workflow"] = candidate.document
    return document


def _read_form(request: falcon.Request) -> StartRequest:
    """Return what a form asks for.

    Raises:
        HTTPBadRequest: It is no form, or one with a field that cannot be.
    """
    fields: dict[str, str] = {}
    files: list[UploadedFile] = []
    try:
        form = request.get_media()
        for count, part in enumerate(form, 1):
            if count > _MOST_PARTS:
                raise falcon.HTTPBadRequest(title=f"the form has more than {_MOST_PARTS} parts")
            name = part.name or ""
            if name == "files":
                files.append(UploadedFile(name=_bare(part.filename), data=part.stream.read(MAX_FILE + 1)))
                part.stream.exhaust()
            elif part.filename is not None:
                raise falcon.HTTPBadRequest(title=f"files go into the field 'files', not '{name[:40]}'")
            else:
                data = part.stream.read(_LONGEST_FIELD + 1)
                if len(data) > _LONGEST_FIELD:
                    most = f"at most {_LONGEST_FIELD} bytes are allowed"
                    raise falcon.HTTPBadRequest(title=f"form field '{name[:40]}' is too long: {most}")
                if name in fields:
                    raise falcon.HTTPBadRequest(title=f"form field '{name[:40]}' is given more than once")
                fields[name] = _text(name, data)
    except falcon.MediaMalformedError as error:
        raise falcon.HTTPBadRequest(title=f"the form cannot be read: {error.description or error.title}") from error
    except falcon.HTTPInvalidHeader as error:
        raise falcon.HTTPBadRequest(title="the form cannot be read: its Content-Type names no boundary") from error
    return read_form(fields, files)


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise falcon.HTTPBadRequest(title=f"form field '{name[:40]}' is no UTF-8 text: byte {error.start}") from error


def _bare(name: str | None) -> str:
    """Return the name of a file without any path in it."""
    bare = (name or "").replace("\\", "/").rpartition("/")[2]
    return bare[:255] or "workflow.json"
