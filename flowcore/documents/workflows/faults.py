"""What keeps a workflow from running at all: such a run is recorded, and ends at once in an error that says so."""

from collections.abc import Iterable

import attrs


@attrs.frozen
class Fault:
    """One thing that is wrong.

    Attributes:
        message: What, for people.
        node: The id of the node that it is about, or None.
    """

    message: str
    node: str | None = None


class FaultError(Exception):
    """A workflow that cannot run; *faults* holds everything that was found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep *faults*, of which there is at least one."""
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))
