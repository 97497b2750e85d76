"""Objects that runs wait for: what they are called, and how the run hears that they are there."""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from flowcore.artifacts import Artifact
from flowcore.documents.nodes.object_names import name_on_edge
from flowcore.errors import CommandRejectedError, RunNotFoundError
from flowcore.ids import RunId, parse_run_id
from flowcore.ports import Clock, EventLog
from flowcore.run.commands import DeliverArtifact, RefuseArtifact
from flowcore.run.state import RunState
from flowcore.service import load, request
from flowcore.stores import StoredObject
from flowcore_adapters.content_type import content_type_of, extension_of

from .book import Declared, StoreBook
from .fitness import misfits
from .ownership import is_of_one_run
from .signed_urls import Ticket

NOT_AWAITED: Final = "artifact-not-awaited"
UNFIT: Final = "artifact-type"


class RunArrivals:
    """Tells runs of objects, by an event in their log: whoever drives the run acts on it at once."""

    def __init__(self, log: EventLog, clock: Clock, book: StoreBook) -> None:
        """Append to *log*."""
        self._log = log
        self._clock = clock
        self._book = book

    def place(self, ticket: Ticket, beginning: bytes) -> str:
        """Return the name to keep an object under that begins with *beginning*: its type gives it an extension.

        Raises:
            CommandRejectedError: The run does not wait for it (code `artifact-not-awaited`), or it is not of a type
                that all who wait for it take (code `artifact-type`): these fail, if the run goes on.
        """
        run_id, declared, state = self._awaited(ticket)
        content = content_type_of(beginning, ticket.name)
        errors = misfits(state, ticket.edge, content)
        if errors:
            with suppress(CommandRejectedError):
                refusal = RefuseArtifact(edge=ticket.edge, errors=errors, at=self._clock.now())
                request(self._log, run_id, refusal)
            why = "; ".join(f"{error} (node '{step}')" for step, error in errors.items())
            raise CommandRejectedError(UNFIT, f"the object is refused: {why}")
        extension = extension_of(content)
        return name_on_edge(declared.flow, ticket.edge, run_id, declared.created_at, extension=extension)

    def arrived(self, ticket: Ticket, stored: StoredObject, beginning: bytes) -> None:
        """Tell the run; only the first object for an edge counts.

        Raises:
            CommandRejectedError: It does not wait for it any more (code `artifact-not-awaited`).
        """
        artifact = Artifact(
            store=ticket.store,
            name=stored.name,
            size_bytes=stored.size_bytes,
            content_type=content_type_of(beginning, stored.name),
        )
        try:
            run_id, _, _ = self._awaited(ticket)
            self.deliver(run_id, ticket.edge, artifact)
        except CommandRejectedError:
            # Somebody who looks for what comes may have seen it first, and told of it.
            if artifact not in self._taken(ticket):
                raise

    def unclaimed(self, ticket: Ticket, name: str) -> bool:
        """Return whether the object *name* can only be the run's own, and the run has not taken it."""
        run_id = parse_run_id(ticket.run)
        declared = None if run_id is None else self._book.declared(run_id)
        well = None if declared is None else declared.flow.wells.get(ticket.edge)
        if run_id is None or well is None or not is_of_one_run(well.key):
            return False
        return all((each.store, each.name) != (ticket.store, name) for each in self._taken(ticket))

    def _taken(self, ticket: Ticket) -> Collection[Artifact]:
        run_id = parse_run_id(ticket.run)
        try:
            return () if run_id is None else load(self._log, run_id).artifacts.values()
        except RunNotFoundError:
            return ()

    def deliver(self, run_id: RunId, edge: str, artifact: Artifact) -> None:
        """Have it recorded that *artifact* is there.

        Raises:
            CommandRejectedError: The run does not wait for it any more (code `artifact-not-awaited`).
        """
        try:
            events = request(self._log, run_id, DeliverArtifact(edge=edge, artifact=artifact, at=self._clock.now()))
        except (CommandRejectedError, RunNotFoundError) as error:
            raise CommandRejectedError(NOT_AWAITED, str(error)) from None
        if not events:
            raise CommandRejectedError(NOT_AWAITED, f"the run has an object for '{edge}' already")

    def refuse(self, run_id: RunId, edge: str, why: str, *, code: str) -> bool:
        """Have those fail that wait for an object which nobody can take; return whether some do."""
        state = load(self._log, run_id)
        waiting = (index for index in state.readers.get(edge, ()) if edge in state.awaiting.get(index, ()))
        errors = {state.specs[index].name: why for index in waiting}
        refusal = RefuseArtifact(edge=edge, errors=errors, code=code, at=self._clock.now())
        return bool(request(self._log, run_id, refusal))

    def _awaited(self, ticket: Ticket) -> tuple[RunId, Declared, RunState]:
        run_id = parse_run_id(ticket.run)
        declared = None if run_id is None else self._book.declared(run_id)
        if run_id is None or declared is None or ticket.edge not in declared.flow.wells:
            raise CommandRejectedError(NOT_AWAITED, f"there is no run {ticket.run[:40]} that waits for this object")
        state = load(self._log, run_id)
        if state.ended or ticket.edge in state.artifacts:
            why = "has ended" if state.ended else f"has an object for '{ticket.edge}' already"
            raise CommandRejectedError(NOT_AWAITED, f"the run {why}")
        return run_id, declared, state
