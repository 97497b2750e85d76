"""What reaches the event loop."""

from typing import TypeAlias

import attrs

from flowcore.ids import BatchId, RunId
from flowcore.run.commands import Command

from .active import ActiveRun
from .batches import ActiveBatch


@attrs.frozen
class Request:
    """A command from outside for a run that is being driven."""

    run_id: RunId
    command: Command


@attrs.frozen
class Adopt:
    """A run to drive."""

    run: ActiveRun


@attrs.frozen
class AdoptBatch:
    """A batch to drive."""

    batch: ActiveBatch


@attrs.frozen
class Noticed:
    """Somebody else has appended something for these runs and batches."""

    run_ids: tuple[RunId, ...]
    batch_ids: tuple[BatchId, ...] = ()


@attrs.frozen
class Close:
    """The end of the loop."""


Item: TypeAlias = Request | Adopt | AdoptBatch | Noticed | Close | None
"""What comes from outside; None only rouses the loop's thread."""
