"""How attempts come by their artifacts: said here, done by whoever has the stores."""

from collections.abc import Mapping
from typing import Protocol

from flowcore.artifacts import Artifact
from flowcore.ids import RunId
from flowcore.model import Flow, Step
from flowcore.stores import AttemptFiles
from flowcore.values import Instant


class HandedFiles(AttemptFiles, Protocol):
    """The artifacts of one attempt, and what became of them."""

    def check(self) -> None:
        """See that what is handed in may be handed in, before anything is started.

        Raises:
            SourceError: An artifact is not of a type that its port takes; trying again cannot help.
            StoreError: A store does not do its work.
        """
        ...

    def left(self) -> Mapping[str, Artifact]:
        """Return what the attempt has left, by edge.

        Raises:
            SourceError: Something is missing that must be there.
        """
        ...


class Handing(Protocol):
    """Gives attempts their artifacts."""

    def __call__(
        self, run_id: RunId, flow: Flow, created_at: Instant, step: Step, artifacts: Mapping[str, Artifact]
    ) -> HandedFiles:
        """Return those of an attempt of *step*; *artifacts* are those of the run so far, by edge."""
        ...
