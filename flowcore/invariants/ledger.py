"""What the checker knows of a run, and the checks that several kinds of events share."""

from flowcore.model import Flow
from flowcore.run.events import Event
from flowcore.run.machine import STEP_TRANSITIONS, RunStatus, StepStatus

from .rows import Page, Row, lets
from .violation import Violation


class Ledger:
    """The books of one run.

    Attributes:
        found: What the event that is being checked violates.
        rows: Every instance that there is, by its path.
        root: The steps of the flow.
        paused: The row at which the run has paused, or None.
        arrived: The edges whose artifacts have arrived.
    """

    def __init__(self) -> None:
        """Start before the first event."""
        self.status = RunStatus.NEW
        self.found: list[Violation] = []
        self.position = 0
        self.flow = Flow()
        self.max_workers = 0
        self.rows: dict[str, Row] = {}
        self.root = Page(())
        self.in_the_air = 0
        self.stop_requested = False
        self.paused: Row | None = None
        self.arrived: set[str] = set()

    def say(self, invariant: str, message: str) -> None:
        """Note a violation."""
        self.found.append(Violation(invariant, message, self.position))

    def row(self, event: Event, path: str) -> Row | None:
        """Return the row of an instance; None, and a violation, when there is no such instance."""
        row = self.rows.get(path)
        if row is None:
            self.say("I18", f"{type(event).__name__} of '{path}', which the flow does not have")
        return row

    def open_page(self, page: Page) -> None:
        """Know the rows of *page* from here on."""
        self.rows.update((row.path, row) for row in page.rows.values())

    def move(self, row: Row, kind: type[Event], after: StepStatus) -> bool:
        """Take *row* to *after* if the tables have it; a step that is pending may be ready by now."""
        before = row.status
        allowed = STEP_TRANSITIONS[before].get(kind, frozenset())
        if before is StepStatus.PENDING:
            allowed |= STEP_TRANSITIONS[StepStatus.READY].get(kind, frozenset())
        if after not in allowed:
            self.say("I6" if before is StepStatus.SUCCEEDED else "I4", f"{kind.__name__}: '{row.path}' is {before}")
            return False
        row.status = after
        return True

    def may_start(self, row: Row) -> None:
        """See that something new may begin, and that the step is due by its dependencies (I5, I11, I13)."""
        name = row.path
        if self.status is not RunStatus.RUNNING:
            self.say("I13", f"'{name}' starts while the run is {self.status}")
        if self.stop_requested:
            self.say("I11", f"'{name}' starts after the run was asked to stop")
        elif row.page.given_up:
            self.say("I5", f"'{name}' starts after a failure has halted the run")
        if row.parent is None and row.attempt == 0:
            for need in row.page.needs[row.step.name]:
                if not lets(self.flow, need, row.step):
                    self.say("I5", f"'{name}' starts though '{need.path}' is {need.status}")
            for edge in row.step.awaits:
                if edge not in self.arrived:
                    self.say("I5", f"'{name}' starts though '{edge}' has not arrived")

    def begin_item(self, row: Row) -> None:
        """Count an item of a fan-out from its beginning until it is settled, pauses between attempts included."""
        parent = row.parent
        if parent is None:
            return
        parent.unsettled += 1
        limit = parent.step.max_parallel
        if limit is not None and parent.unsettled > limit:
            self.say("I8", f"{parent.unsettled} items of '{parent.path}' go on at once, at most {limit} may")

    def fail(self, row: Row) -> None:
        """Take in that *row* failed for good."""
        row.page.fail(self.flow, row)
