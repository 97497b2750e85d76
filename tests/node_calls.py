"""Calls of nodes with artifacts, as the runner would make them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from flowcore.artifacts import Artifact, Resources
from flowcore.ports import SourceCall
from flowcore.stores import InputFile, ObjectReader, OutputFile, StoredObject
from flowcore.values import Instant, Json
from flowcore_adapters.cancel import Cancellation
from tests.calls import make_call


@attrs.define
class BytesReader:
    """Bytes as an open object."""

    stored: StoredObject
    data: bytes
    closed: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), 100_000):
            yield self.data[start : start + 100_000]

    def close(self) -> None:
        self.closed = True


@attrs.define
class MemoryFiles:
    """The artifacts of an attempt, in memory.

    Attributes:
        contents: What comes in, by port and extension.
        kept: What was left, by port.
    """

    contents: Mapping[str, tuple[str, bytes]] = attrs.field(factory=dict[str, tuple[str, bytes]])
    outputs: Mapping[str, OutputFile] = attrs.field(factory=dict[str, OutputFile])
    kept: dict[str, bytes] = attrs.field(factory=dict[str, bytes])
    readers: list[BytesReader] = attrs.field(factory=list[BytesReader])

    @property
    def inputs(self) -> Mapping[str, InputFile]:
        return {
            port: InputFile(artifact=Artifact(store="default", name=port), extension=extension)
            for port, (extension, _) in self.contents.items()
        }

    def open(self, port: str) -> ObjectReader:
        data = self.contents[port][1]
        stored = StoredObject(name=port, size_bytes=len(data), modified_at=Instant(0.0))
        reader = BytesReader(stored, data)
        self.readers.append(reader)
        return reader

    def keep(self, port: str, chunks: Iterable[bytes]) -> None:
        self.kept[port] = b"".join(chunks)


def node_call(
    configuration: Mapping[str, Json],
    files: MemoryFiles | None = None,
    *,
    deadline_s: float = 60.0,
    cancel: Cancellation | None = None,
    log: Callable[[str, str], None] | None = None,
    resources: Resources | None = None,
) -> SourceCall:
    """Return an attempt of a node."""

    def sink(message: str, *, stream: str = "source") -> None:
        if log is not None:
            log(message, stream)

    call = make_call(configuration, deadline_s=deadline_s, cancel=cancel, instance="resize-1")
    return attrs.evolve(call, files=files, log=sink, resources=resources)
