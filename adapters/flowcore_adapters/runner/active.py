"""One run while it is being driven: its session, its plans and its attempts in the air."""

from collections.abc import Mapping
from math import inf
from threading import Event as Flag
from types import MappingProxyType
from typing import Final

from flowcore.artifacts import Resources
from flowcore.ids import InstanceId
from flowcore.model import Step
from flowcore.run.commands import HoldStep, ReportFailure, ReportLines, ReportSuccess
from flowcore.run.state import InstanceState
from flowcore.service import RunSession
from flowcore.values import Instant, Json
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.registry import Registry

from .context import RunContext
from .handing import HandedFiles, Handing
from .lines import Tracing, decision
from .perform import Attempt, make_attempt
from .plan import Planner, StepPlan

_NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
"""What an attempt sees for which nothing is rendered."""
_NEVER: Final = Cancellation()
"""The token of attempts that run on the loop: they are over before anybody could cancel them."""


class ActiveRun:
    """What the engine keeps of a run that it drives; the engine's thread owns it.

    Attributes:
        run_id: The run's id.
        ended: Set when the run is driven no more, and everything about it is committed and told.
        alarm: The moment for which the engine's alarm is set, or None.
        not_before: The moment of the last alarm: it has come, whatever the clock of the day says.
    """

    def __init__(
        self, session: RunSession, registry: Registry, tracing: Tracing, handing: Handing | None = None
    ) -> None:
        """Get ready to drive the run of *session*.

        Its lines are kept as *tracing* says; *handing* gives its attempts their artifacts.

        Raises:
            FlowDocumentError: A secret of its flow is not to be found.
        """
        self.run_id = session.run_id
        self.session = session
        self.tracing = tracing
        tracing.follow(session.state)
        self._handing = handing
        self.context = RunContext(session.state, registry)
        self.ended = Flag()
        self.alarm: Instant | None = None
        self.not_before = Instant(0.0)
        self._planner = Planner(session.state.flow, registry)
        self._attempts: dict[InstanceId, Attempt] = {}
        self._inline: list[Attempt] = []
        self._outgoing: list[Attempt] = []
        self._prepared_in = session.state

    def plan(self, instance: InstanceState, step: Step) -> StepPlan:
        """Return what to do for *instance*, which is an instance of *step*."""
        return self._planner.plan(instance.path, step)

    def prepare(
        self, instance: InstanceState, step: Step, plan: StepPlan, started: float, granted: Resources | None = None
    ) -> None:
        """Make the attempt that has just been recorded as started; it goes out after the commit.

        Args:
            instance: Whose attempt it is.
            step: The step that it is an instance of.
            plan: What to do.
            started: When it started, on the monotonic clock.
            granted: What it may use of this machine; None when nobody has said.
        """
        blocking = plan.source.blocking
        context = self.context
        attempt = make_attempt(
            self.run_id,
            instance.id,
            instance.attempt,
            step,
            plan,
            _NOTHING if plan.fixed else context.roots(instance, plan),
            started + plan.timeout_s,
            Cancellation() if blocking else _NEVER,
            context.redactor,
            self.tracing,
            None,
            None if self._handing is None else self._files(step),
            granted,
        )
        if blocking:
            self._attempts[instance.id] = attempt
            self._outgoing.append(attempt)
            self._prepared_in = self.session.state
        else:
            self._inline.append(attempt)

    def _files(self, step: Step) -> HandedFiles | None:
        state = self.session.state
        if self._handing is None or not (step.artifact_inputs or step.artifact_outputs):
            return None
        return self._handing(self.run_id, state.flow, state.created_at or Instant(0.0), step, dict(state.artifacts))

    def hold(self, instance: InstanceId, reason: str, at: Instant) -> None:
        """Have it recorded, once, why *instance* does not start though it may."""
        self.session.execute(HoldStep(instance=instance, reason=reason, at=at))

    def report(self, attempt: Attempt, command: ReportSuccess | ReportFailure) -> None:
        """Take in what *attempt* has written and come to."""
        if self.tracing.enabled and isinstance(command, ReportFailure):
            attempt.trace(decision(command, self.session.state))
        if attempt.lines is not None:
            self.report_lines(attempt, command.at)
        self.session.execute(command)

    def take_inline(self) -> list[Attempt]:
        """Return the attempts to be made on the loop, once."""
        taken, self._inline = self._inline, []
        return taken

    def take_outgoing(self) -> list[Attempt]:
        """Return the attempts for the pool, once."""
        taken, self._outgoing = self._outgoing, []
        return taken

    @property
    def rewritten(self) -> bool:
        """Whether the run was folded anew since attempts were prepared: a request came first, or a report was bad."""
        return self._prepared_in is not self.session.state

    def started(self, attempt: Attempt) -> bool:
        """Return whether the log says that *attempt* has started: what came first may have prevented it."""
        state = self.session.state
        return attempt.instance in state.in_the_air and state.instances[attempt.instance].attempt == attempt.number

    def report_lines(self, attempt: Attempt, at: Instant) -> bool:
        """Stage what *attempt*, which is in the air, has written; return whether there was anything."""
        portions = [] if attempt.lines is None else attempt.lines.take()
        for first, lines in portions:
            command = ReportLines(instance=attempt.instance, attempt=attempt.number, first=first, lines=lines, at=at)
            self.session.execute(command)
        return bool(portions)

    def talking(self) -> list[Attempt]:
        """Return the attempts in the air that have written something."""
        return [attempt for attempt in self._attempts.values() if attempt.lines is not None and attempt.lines.waiting]

    def land(self, attempt: Attempt) -> bool:
        """Take *attempt* out of the air; return False when it was not there any more."""
        if self._attempts.get(attempt.instance) is not attempt:
            return False
        del self._attempts[attempt.instance]
        return True

    def cancel(self, instance: InstanceId) -> Attempt | None:
        """Cancel the attempt of *instance*; return it the first time, None afterwards."""
        found = self._attempts.get(instance)
        if found is None or found.cancel.cancelled:
            return None
        found.cancel.cancel()
        return found

    def cancel_all(self) -> None:
        """Cancel every attempt: nobody will take their reports."""
        for attempt in self._attempts.values():
            attempt.cancel.cancel()

    @property
    def busy(self) -> bool:
        """Whether an attempt is in the air."""
        return bool(self._attempts)

    def overdue(self, now: float) -> list[Attempt]:
        """Return the attempts in the air whose last moment is over."""
        return [attempt for attempt in self._attempts.values() if attempt.last_moment <= now]

    def next_moment(self) -> float:
        """Return the earliest last moment of the attempts in the air; infinity when there is none."""
        return min((attempt.last_moment for attempt in self._attempts.values()), default=inf)
