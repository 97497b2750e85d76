"""Planted bugs: one change each to the rules of a run, which the simulator must find (contract reliability)."""

import inspect
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

import attrs

from flowcore import service
from flowcore.run import consequences, decide, effects, evolve, readiness, settlement, takeover


@attrs.frozen
class Mutant:
    """A bug: in *function* of *module*, *old* has become *new*."""

    about: str
    module: ModuleType
    function: str
    old: str
    new: str

    @contextmanager
    def planted(self) -> Generator[None]:
        """Live with the bug for a while."""
        owner: object = self.module
        *path, name = self.function.split(".")
        for part in path:
            owner = getattr(owner, part)
        right = getattr(owner, name)
        source = textwrap.dedent(inspect.getsource(right))
        assert source.count(self.old) >= 1, f"{self.about}: {self.old!r} is not in {self.function} any more"
        spoiled: dict[str, object] = {}
        # In the namespace of the module, so that it calls what the right one calls.
        exec(compile(source.replace(self.old, self.new, 1), self.about, "exec"), vars(self.module), spoiled)  # noqa: S102 - that is what planting is
        # Whoever has imported it by name must meet the bug too.
        places = [owner, *(each for each in tuple(sys.modules.values()) if vars(each).get(name) is right)]
        for place in places:
            setattr(place, name, spoiled[name])
        try:
            yield
        finally:
            for place in places:
                setattr(place, name, right)


MUTANTS: Final = (
    Mutant("a late report counts", decide, "_in_the_air", "and state.instances[name].attempt == attempt", ""),
    Mutant("a report counts twice", decide, "_in_the_air", "name in state.in_the_air and ", ""),
    Mutant("one attempt too many", decide, "retry_at", "attempt >= policy", "attempt > policy"),
    Mutant(
        "one attempt too few",
        decide,
        "retry_at",
        "attempt >= policy.max_attempts",
        "attempt >= policy.max_attempts - 1",
    ),
    Mutant("lost attempts use up the policy", decide, "_fail", "command.attempt - instance.lost", "command.attempt"),
    Mutant("what is not worth it is tried again", decide, "_fail", "not command.retryable or ", ""),
    Mutant("a stopped run tries again", takeover, "gives_up", "state.giving_up or ", ""),
    Mutant("a retry starts before its time", decide, "_start_attempt", " or command.at < instance.due", ""),
    Mutant("a condition is not looked at", decide, "_start_attempt", "instance.guarded or ", ""),
    Mutant(
        "more attempts than workers", decide, "_start_attempt", "len(state.in_the_air) >= state.max_workers", "False"
    ),
    Mutant("steps start in a paused run", decide, "_start_attempt", " or state.status is not RunStatus.RUNNING", ""),
    Mutant(
        "conditions are looked at in a paused run", decide, "_guard", "state.status is not RunStatus.RUNNING", "False"
    ),
    Mutant("steps start in a run that is being stopped", decide, "_start_attempt", "state.giving_up", "False"),
    Mutant("a stopped run succeeds", consequences, "_end", "if state.stop_requested:", "if False:"),
    Mutant("a failed run succeeds", consequences, "_end", "if state.failed", "if False"),
    Mutant("a run is stopped twice", decide, "_stop", "or state.stop_requested", ""),
    Mutant("a run that is over is stopped", decide, "_stop", "state.ended or ", ""),
    Mutant(
        "a pause is recorded in a run that is being stopped", decide, "_decide_run", "and not state.stop_requested", ""
    ),
    Mutant(
        "a run that is over is taken over",
        takeover,
        "resume",
        "state.status not in {RunStatus.RUNNING, RunStatus.PAUSED} or ",
        "",
    ),
    Mutant("what was in the air stays there", takeover, "_lose_all", "for name in state.in_the_air", "for name in ()"),
    Mutant(
        "only one of those in the air is lost",
        takeover,
        "_lose_all",
        "for name in state.in_the_air",
        "for name in list(state.in_the_air)[:1]",
    ),
    Mutant(
        "a lost attempt of a stopped run is tried again", takeover, "_lose", "not gives_up(state, instance)", "True"
    ),
    Mutant("a doomed step is skipped twice", consequences, "settle", "doomed.index not in skipped and ", ""),
    Mutant("a doomed step is not skipped", consequences, "settle", "is StepStatus.PENDING", "is StepStatus.RUNNING"),
    Mutant(
        "a waiting retry survives the end", consequences, "_drop", "instance.status is StepStatus.RETRYING", "False"
    ),
    Mutant("what is ready survives the end", consequences, "_drop", "in _NOT_BEGUN", "is StepStatus.PENDING"),
    Mutant("a broken fan-out succeeds", consequences, "_join", "all(instance.status", "any(instance.status"),
    Mutant("a fan-out is joined too early", settlement, "close_item", "if not fan_out.open:", "if fan_out.open <= 1:"),
    Mutant(
        "max_parallel is forgotten", settlement, "take_fan_out", "if limit is None else min(limit, len(instances))", ""
    ),
    Mutant("the next item is never let in", settlement, "close_item", "elif not fan_out.broken and", "elif False and"),
    Mutant("a step starts when one dependency is met", readiness, "meet", "if not instance.unmet and", "if"),
    Mutant(
        "a step starts when all but one are met", readiness, "meet", "not instance.unmet and", "instance.unmet <= 1 and"
    ),
    Mutant(
        "a failure counts as a success for those who wait",
        settlement,
        "take_failure",
        "case OnError.CONTINUE:",
        "case OnError.CONTINUE | OnError.SKIP:",
    ),
    Mutant("a failure halts nothing", settlement, "take_failure", "if stops_run(flow, step, waiting):", "if False:"),
    Mutant(
        "a failure does not count", settlement, "take_failure", "if not tolerated(flow, step, waiting):", "if False:"
    ),
    Mutant(
        "a failure counts though it is tolerated",
        settlement,
        "take_failure",
        "if not tolerated(flow, step, waiting):",
        "if True:",
    ),
    Mutant("a skip is not handed on", settlement, "take_skip", "doom(state, number", "print and (state, number"),
    Mutant(
        "an attempt that failed stays in the air",
        evolve,
        "_miss",
        "instance = _land(state, event.instance)",
        "instance = state.instances[event.instance]",
    ),
    Mutant("a failed step keeps its worker", evolve, "_land", "state.in_the_air.pop(name, None)", "None"),
    Mutant(
        "the outputs of another attempt are kept",
        settlement,
        "take_success",
        "state.outputs[instance.id] = outputs",
        "state.outputs.setdefault(instance.id, {**outputs, 'v': 0})",
    ),
    Mutant(
        "a retry is forgotten",
        evolve,
        "_miss",
        "heapq.heappush(state.retries, (event.retry_at, instance.index, instance.item))",
        "pass",
    ),
    Mutant("lost attempts are not counted", evolve, "_miss", "instance.lost += 1", "pass"),
    Mutant(
        "the skips of a condition count as failures",
        settlement,
        "take_skip",
        "passes_skip(event.cause, state.flow.steps[number])",
        "False",
    ),
    Mutant(
        "retries are done when the workers are busy",
        effects,
        "_startable",
        "state.max_workers - len(state.in_the_air)",
        "state.max_workers",
    ),
    Mutant(
        "nothing is cancelled", effects, "pending", "tuple(Cancel(instance) for instance in state.in_the_air)", "()"
    ),
    Mutant(
        "a paused run goes on by itself",
        effects,
        "pending",
        "        if state.status is RunStatus.RUNNING:",
        "        if True:",
    ),
    Mutant("a conflict loses what was decided", service, "RunSession.rebase", "self.execute(command)", "pass"),
    Mutant(
        "a conflict keeps the old state", service, "RunSession.rebase", "self.state = load(log, self.run_id)", "pass"
    ),
    Mutant(
        "whoever was fenced goes on",
        service,
        "RunSession.refresh",
        "self.fenced or self.state.epoch > self.epoch",
        "self.fenced",
    ),
    Mutant("the epoch is not sent", service, "_append", "session.staged, session.epoch", "session.staged, 0"),
    Mutant("what is committed is committed again", service, "RunSession.settle", "self.staged = []", "pass"),
)
