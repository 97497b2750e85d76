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
from flowcore.run import consequences, decide, effects, evolve, readiness, scopes, settlement, state, takeover


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
    Mutant("what is not worth it is tried again", decide, "_fail", "command.retryable and ", ""),
    Mutant(
        "what is given up is tried again",
        state,
        "RunState.gives_up",
        "self.scopes[instance.scope].given_up is not None or ",
        "",
    ),
    Mutant("a retry starts before its time", decide, "_start_attempt", " or command.at < instance.due", ""),
    Mutant("a condition is not looked at", decide, "_start_attempt", "instance.guarded or ", ""),
    Mutant(
        "more attempts than workers", decide, "_start_attempt", "len(state.in_the_air) >= state.max_workers", "False"
    ),
    Mutant("steps start in a paused run", decide, "_start_attempt", " or state.status is not RunStatus.RUNNING", ""),
    Mutant(
        "conditions are looked at in a paused run", decide, "_guard", "state.status is not RunStatus.RUNNING", "False"
    ),
    Mutant("what is given up starts all the same", decide, "_start_attempt", "state.gives_up(instance) or ", ""),
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
    Mutant("a lost attempt of a stopped run is tried again", takeover, "_lose", "not state.gives_up(instance)", "True"),
    Mutant("a doomed step is skipped twice", consequences, "_close", "doomed.index not in skipped and ", ""),
    Mutant("a doomed step is not skipped", consequences, "_close", "is StepStatus.PENDING", "is StepStatus.RUNNING"),
    Mutant(
        "a waiting retry survives the end", consequences, "_drop", "instance.status is StepStatus.RETRYING", "False"
    ),
    Mutant("what is ready survives the end", consequences, "_drop", "in _NOT_BEGUN", "is StepStatus.PENDING"),
    Mutant("a broken fan-out succeeds", consequences, "_join", "and all(", "and any("),
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
        "passes_skip(event.cause, state.specs[number])",
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
    Mutant("the epoch is not sent", service, "RunSession.append", "self.staged, self.epoch", "self.staged, 0"),
    Mutant("what is committed is committed again", service, "RunSession.settle", "self.staged = []", "pass"),
    Mutant("a breakpoint is passed by", readiness, "make_ready", "if cause is not None:", "if False:"),
    Mutant("a step that is held starts", decide, "_start_attempt", "early or held or ", "early or "),
    Mutant(
        "a step is skipped when it is done",
        decide,
        "_continue",
        "is PauseCause.BREAKPOINT_PRE",
        "is PauseCause.BREAKPOINT_POST",
    ),
    Mutant("a run that goes on pauses there again", readiness, "go_on", "(*instance.passed, cause)", "()"),
    Mutant("an artifact is delivered twice", decide, "_deliver", "command.edge in state.artifacts", "False"),
    Mutant("one artifact is as good as another", readiness, "take_artifact", "missing.discard(event.edge)", "pass"),
    Mutant("what has arrived is waited for", scopes, "open_scope", "if edge not in state.artifacts", "if True"),
    Mutant("nobody gives up waiting", consequences, "_miss_artifacts", "at < until", "True"),
    Mutant("a body ends well in spite of a failure", consequences, "_end_body", "not scope.failed and", ""),
    Mutant("a body never ends", settlement, "close_step", "if not scope.open and", "if False and"),
    Mutant("a body is tried", decide, "_start_attempt", " or instance.bodied", ""),
    Mutant("a loop has no limit", decide, "_iterate", "command.number + 1 >= loop.max_iterations", "False"),
    Mutant("what is nested is not given up", scopes, "give_up", "rest.extend(", "list("),
    Mutant("the bodies of a broken fan-out go on", scopes, "break_fan_out", "instance.body is not None", "False"),
    Mutant(
        "a body that was taken over begins",
        settlement,
        "take_import",
        "state.entering.pop((instance.index, instance.item), None)",
        "pass",
    ),
    Mutant(
        "a run pauses at what was taken over",
        settlement,
        "take_import",
        "state.breaks.pop(instance.index, None)",
        "pass",
    ),
    Mutant("a failure in a body halts the run", settlement, "halt", "scope.owner is None", "True"),
)
