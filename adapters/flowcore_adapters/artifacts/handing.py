"""The artifacts of attempts: taken from the stores, looked at, and put into them (contract flow-runs, section 6)."""

from collections.abc import Iterable, Mapping
from contextlib import closing
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
        # Of a port that is there twice the last one counts.
        wanted = {port.port: port for port in step.artifact_inputs}
        self._in = {name: port for name, port in wanted.items() if port.edge in artifacts}
        self._missing = tuple(port for port in step.artifact_inputs if port.required and port.edge not in artifacts)
        self._out: dict[str, list[ArtifactPort]] = {}
        for port in step.artifact_outputs:
            self._out.setdefault(port.port, []).append(port)
        self._left: dict[str, Artifact] = {}
        self.inputs = {
            name: InputFile(artifact=artifacts[port.edge], extension=_extension(artifacts[port.edge]))
            for name, port in self._in.items()
        }
        self.outputs = {
            name: OutputFile(extension=_only_extension(ports[0]), required=any(port.required for port in ports))
            for name, ports in self._out.items()
        }

    def check(self) -> None:
        """See that every input that must be there is, and that each is of a type that its port takes."""
        for port in self._missing:
            raise SourceError(
                f"input '{port.port}' has no artifact: nothing was left on the edge '{port.edge}'",
                code="input-missing",
                retryable=False,
            )
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
        """Keep an output, under a name that says what it is, once for each edge that it goes to."""
        first, *others = self._out[port]
        head, whole = split_head(chunks, HEAD)
        content = content_type_of(head, f"{port}{self.outputs[port].extension}")
        _fit(f"output '{port}'", first, content, code="output-type")
        extension = extension_of(content) or self.outputs[port].extension
        kept = self._put(self._place(first.edge, extension), whole, content)
        self._left[first.edge] = kept
        for other in others:
            self._left[other.edge] = self._copied(kept, self._place(other.edge, extension))

    def _place(self, edge: str, extension: str) -> tuple[str, str]:
        """Return the store and the name of what is left on *edge*."""
        well = self._flow.wells.get(edge)
        if well is None:
            return DEFAULT_STORE, f"{flow_run_id(self._run_id)}/{encode_segment(edge)}{extension}"
        return well.store, name_on_edge(self._flow, edge, self._run_id, self._created_at, extension=extension)

    def _put(self, place: tuple[str, str], chunks: Iterable[bytes], content: str) -> Artifact:
        store, name = place
        stored = self._book.of(self._run_id, self._flow, store).put(name, chunks)
        return Artifact(store=store, name=name, size_bytes=stored.size_bytes, content_type=content)

    def _copied(self, artifact: Artifact, place: tuple[str, str]) -> Artifact:
        if place == (artifact.store, artifact.name):
            # The keys of two edges may say the same.
            return artifact
        with closing(self._book.of(self._run_id, self._flow, artifact.store).open(artifact.name)) as reader:
            return self._put(place, reader, artifact.content_type)

    def left(self) -> Mapping[str, Artifact]:
        """Return what was kept, by edge."""
        for name, ports in self._out.items():
            for port in ports:
                if port.required and port.edge not in self._left:
                    message = f"output '{name}' was not left: the file that it should be in is not there"
                    reader = self._reader(port.edge)
                    raise SourceError(
                        message if reader is None else f"{message}, and node '{reader}' needs it", code="output-missing"
                    )
        return self._left

    def _reader(self, edge: str) -> str | None:
        """Return the first node that cannot do without the artifact on *edge*."""
        return next(
            (
                step.name
                for step in self._flow.steps
                if any(port.required and port.edge == edge for port in step.artifact_inputs)
            ),
            None,
        )


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
