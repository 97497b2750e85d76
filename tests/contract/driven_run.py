"""A run that goes on when it is told to, so that every moment of it can be looked at."""

import itertools
from typing import Final

from flowcore.ids import InstanceId, StepName
from flowcore.model import Breakpoints, Flow, Output, Source, Step
from flowcore.ports import EventLog
from flowcore.run.commands import Command, ReportFailure, ReportSuccess, Settle, StartAttempt, StartRun
from flowcore.service import RunSession, commit, create_run
from flowcore.values import Instant, Json

T0: Final = 1733524800.0
RUN: Final = 1733524800000


def step(name: str, *outputs: str, needs: tuple[str, ...] = ()) -> Step:
    return Step(
        name=StepName(name),
        source="source",
        depends_on=tuple(StepName(need) for need in needs),
        outputs=tuple(Output(name=output) for output in outputs),
    )


USERS: Final = (step("fetch_users", "users", "count"), step("process_data", "result", needs=("fetch_users",)))


class Driven:
    """A run that goes on when it is told to; its clock shows a second more with every command."""

    def __init__(self, log: EventLog, *steps: Step, breakpoints: Breakpoints | None = None, at: float = T0) -> None:
        self._log = log
        self._clock = itertools.count(1)
        flow = Flow(sources={"source": Source(type="value")}, steps=steps or USERS)
        self.run_id = create_run(log, flow, at=Instant(at), breakpoints=breakpoints)
        self._session = RunSession(log, self.run_id)

    def now(self) -> Instant:
        return Instant(T0 + next(self._clock))

    def do(self, command: Command, *, at: Instant) -> int:
        """Execute *command*, draw all consequences, commit, and return the log's position."""
        self._session.refresh(self._log)
        self._session.execute(command)
        while self._session.execute(Settle(at=at)):
            pass
        commit(self._log, [self._session])
        return self._log.position()

    def settle(self) -> int:
        """Take in what others have asked for, and draw the consequences."""
        at = self.now()
        return self.do(Settle(at=at), at=at)

    def start(self) -> int:
        at = self.now()
        return self.do(StartRun(at=at), at=at)

    def begin(self, name: str) -> int:
        at = self.now()
        return self.do(StartAttempt(instance=InstanceId(name), at=at), at=at)

    def succeed(self, name: str, **outputs: Json) -> int:
        at = self.now()
        report = ReportSuccess(instance=InstanceId(name), attempt=1, outputs=outputs, at=at)
        return self.do(report, at=at)

    def fail(self, name: str, error: str) -> int:
        at = self.now()
        report = ReportFailure(instance=InstanceId(name), attempt=1, code="source-failed", error=error, at=at)
        return self.do(report, at=at)
