"""How the events of any stream follow one another (contract reliability, I1 and I15)."""

from collections.abc import Iterator

from flowcore.ports import AnyRecorded


class Order:
    """The places of the events of one stream.

    Attributes:
        position: The log position of the last event.
    """

    def __init__(self) -> None:
        """Start before the first event."""
        self.position = 0
        self._version = 0
        self._epoch = 0

    def check(self, recorded: AnyRecorded) -> Iterator[tuple[str, str]]:
        """Take the place of *recorded* in, and yield the invariants that it violates, with what is wrong."""
        version, self._version = self._version, recorded.version
        position, self.position = self.position, recorded.position
        if recorded.version != version + 1:
            yield "I1", f"version {recorded.version} follows version {version}"
        if recorded.position <= position:
            yield "I1", f"position {recorded.position} follows position {position}"
        if recorded.epoch:
            if recorded.epoch < self._epoch:
                yield "I15", f"an owner of epoch {recorded.epoch} appended after one of epoch {self._epoch}"
            self._epoch = max(self._epoch, recorded.epoch)
