"""The artifacts of attempts: taken from the stores, looked at, and put into them (contract flow-runs, section 6)."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import attrs

from flowcore.artifacts import Artifact, ArtifactPort
from flowcore.documents.nodes.object_names import encode_segment, name_on_edge
from flowcore.errors import SourceError
from flowcore.ids import RunId, flow_run_id
from flowcore.model import Flow, Step
from flowcore.stores import DEFAULT_STORE, InputFile, ObjectReader, OutputFile
from flowcore.values import Instant
from flowcore_adapters.content_type import HEAD, content_type_of, extension_of

from .book import StoreBook
from .chunks import split_head
from .fitness import misfit

_LONGEST_EXTENSION = 12


class StoredFiles:
    """The artifacts of one attempt."""

    def __init__(
        self,
        book: StoreBook,
        run_id: RunId,
        flow: Flow,
        created_at: Instant,
        *,
        step: Step,
        artifacts: Mapping[str, Artifact],
    ) -> None:
        """Hand *artifacts* (by edge) to an attempt of *step*, with the stores of *book*."""
        self._book = book
        self._run_id = run_id
        self._flow = flow
        self._created_at = created_at
        self._in = {port.port: port for port in step.artifact_inputs if port.edge in artifacts}
        self._out = {port.port: port for port in step.artifact_outputs}
        self._artifacts = artifacts
        self._left: dict[str, Artifact] = {}
        self.inputs = {
            name: InputFile(artifact=artifacts[port.edge], extension=_extension(artifacts[port.edge]))
            for name, port in self._in.items()
        }
        self.outputs = {
            name: OutputFile(extension=_only_extension(port), required=port.required)
            for name, port in self._out.items()
        }

    def check(self) -> None:
        """See that every input is of a type that its port takes."""
        for name, port in self._in.items():
            if port.types:
                artifact = self.inputs[name].artifact
                found = artifact.content_type or self._looked_at(artifact)
                _fit(f"input '{name}'", port, found, code="input-type")

    def _looked_at(self, artifact: Artifact) -> str:
        reader = self._book.of(self._run_id, self._flow, artifact.store).open(artifact.name, length=HEAD)
        try:
            return content_type_of(b"".join(reader), artifact.name)
        finally:
            reader.close()

    def open(self, port: str) -> ObjectReader:
        """Open an input."""
        artifact = self.inputs[port].artifact
        return self._book.of(self._run_id, self._flow, artifact.store).open(artifact.name)

    def keep(self, port: str, chunks: Iterable[bytes]) -> None:
        """Keep an output, under a name that says what it is."""
        wanted = self._out[port]
        head, whole = split_head(chunks, HEAD)
        content = content_type_of(head, f"{port}{self.outputs[port].extension}")
        _fit(f"output '{port}'", wanted, content, code="output-type")
        edge = wanted.edge
        well = self._flow.wells.get(edge)
        extension = extension_of(content) or self.outputs[port].extension
        if well is None:
            store, name = DEFAULT_STORE, f"{flow_run_id(self._run_id)}/{encode_segment(edge)}{extension}"
        else:
            store, name = (
                well.store,
                name_on_edge(self._flow, edge, self._run_id, self._created_at, extension=extension),
            )
        stored = self._book.of(self._run_id, self._flow, store).put(name, whole)
        self._left[edge] = Artifact(store=store, name=name, size_bytes=stored.size_bytes, content_type=content)

    def left(self) -> Mapping[str, Artifact]:
        """Return what was kept, by edge."""
        for name, port in self._out.items():
            if port.required and port.edge not in self._left:
                raise SourceError(
                    f"output '{name}' was not left: the file that it should be in is not there", code="output-missing"
                )
        return self._left


@attrs.frozen
class Handing:
    """Gives attempts their artifacts, out of the stores of a book."""

    book: StoreBook

    def __call__(
        self, run_id: RunId, flow: Flow, created_at: Instant, step: Step, artifacts: Mapping[str, Artifact]
    ) -> StoredFiles:
        """Return those of an attempt of *step*."""
        return StoredFiles(self.book, run_id, flow, created_at, step=step, artifacts=artifacts)


def _fit(what: str, port: ArtifactPort, content: str, *, code: str) -> None:
    why = misfit(what, port, content)
    if why is not None:
        raise SourceError(why, code=code, retryable=False)


def _extension(artifact: Artifact) -> str:
    suffix = PurePosixPath(artifact.name).suffix
    if 1 < len(suffix) <= _LONGEST_EXTENSION and suffix[1:].isalnum() and suffix.isascii():
        return suffix
    return extension_of(artifact.content_type) if artifact.content_type else ""


def _only_extension(port: ArtifactPort) -> str:
    """Return the extension of the only type that may be left; empty when there are several."""
    return extension_of(port.types[0]) if len(port.types) == 1 and "*" not in port.types[0] else ""
