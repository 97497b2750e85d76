"""What a run takes over from the run that it goes on from: a fork from a chosen step, or a retry of what went wrong.

The parent stays as it is, for terminal states absorb and recorded outputs never change (invariants I4, I6): a new run
imports the outputs that it can use.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

import attrs

from .artifacts import Artifact, WellSource
from .errors import CommandRejectedError, FlowDocumentError, Problem
from .graph import dependents
from .ids import InstanceId, RunId, StepName, top_step
from .model import Flow, Step
from .run.commands import CreateRun
from .run.events import NO_ARTIFACTS
from .run.machine import StepStatus
from .run.state import RunState
from .values import Json

_DECISIVE: Final = {
    "input": "input",
    "outputs": "outputs",
    "when": "when",
    "for_each": "for_each",
    "body": "body",
    "loop": "loop",
    "artifact_inputs": "artifacts",
    "artifact_outputs": "artifacts",
}
"""The fields of a step that decide what comes out of it, in words; the others say when and how often it is tried."""


@attrs.frozen(kw_only=True)
class Descent:
    """What a new run takes over.

    Attributes:
        forked_from: The step from which everything is done anew; None when only what did not succeed is.
        imports: The outputs of the steps that are not run again.
        inner: The outputs of the steps of their bodies, by path id.
        artifacts: What there was on the edges of the parent.
    """

    parent: RunId
    forked_from: StepName | None
    imports: Mapping[StepName, Mapping[str, Json]]
    inner: Mapping[InstanceId, Mapping[str, Json]] = attrs.field(factory=dict[InstanceId, Mapping[str, Json]])
    artifacts: Mapping[str, Artifact] = NO_ARTIFACTS

    def given_to(self, command: CreateRun) -> CreateRun:
        """Return *command* for a run that takes all this over."""
        return attrs.evolve(
            command,
            parent=self.parent,
            forked_from=self.forked_from,
            imports=self.imports,
            inner=self.inner,
            artifacts=self.artifacts,
        )


def retry(state: RunState) -> Descent:
    """Return what a run takes over that does again what failed and what was skipped in the run of *state*.

    Raises:
        CommandRejectedError: `run-live`: it has not ended; `nothing-to-retry`: every step has succeeded.
    """
    if not state.ended:
        raise CommandRejectedError(
            "run-live", f"run {state.run_id} is {state.status}: only what has ended can be retried"
        )
    imports = _recorded(state, (step.name for step in state.flow.steps))
    if len(imports) == len(state.flow.steps):
        raise CommandRejectedError(
            "nothing-to-retry", f"every step of run {state.run_id} has succeeded: there is nothing to retry"
        )
    return _descent(state, None, imports, dict(state.artifacts))


def fork(state: RunState, start: StepName, flow: Flow) -> Descent:
    """Return what a run of *flow* takes over that does everything anew from the step *start* on.

    That is what every step that does not depend on *start* has come to in the run of *state*; such a step must be the
    same in both flows. One that did not succeed there, or that is new, is run.

    Raises:
        FlowDocumentError: *flow* does not fit: `unknown-step` for *start*, `fork-misfit` for each step whose recorded
            outputs and artifacts do not belong to what *flow* says of it.
    """
    names = [step.name for step in flow.steps]
    if start not in names:
        close = get_close_matches(start, names, 1)
        message = f"there is no step '{start}' to fork from; there are: {', '.join(names) or 'none'}"
        hint = f"did you mean `{close[0]}`?" if close else None
        raise FlowDocumentError([Problem(code="unknown-step", message=message, hint=hint)])
    anew = _downstream(flow, start)
    imports = _recorded(state, (name for name in names if name not in anew))
    steps = {step.name: step for step in state.flow.steps}
    artifacts = _carried(state, flow)
    problems = [
        Problem(
            code="fork-misfit",
            path=("flow", number),
            message=f"step '{step.name}' would take over what it came to in run {state.run_id},"
            f" but its {changed} changed since",
            hint=f"fork from `{step.name}` or from a step before it",
        )
        for number, step in enumerate(flow.steps)
        if step.name in imports and (changed := _changed(state, steps[step.name], flow, step, artifacts))
    ]
    if problems:
        raise FlowDocumentError(problems)
    return _descent(state, start, imports, artifacts)


def _descent(
    state: RunState,
    start: StepName | None,
    imports: Mapping[StepName, Mapping[str, Json]],
    artifacts: Mapping[str, Artifact],
) -> Descent:
    # Steps of bodies have path ids; those of the flow do not.
    recorded = ((InstanceId(path), outputs) for path, outputs in state.outputs.items())
    return Descent(
        parent=state.run_id,
        forked_from=start,
        imports=imports,
        inner={path: left for path, left in recorded if "/" in path and top_step(path) in imports},
        artifacts=artifacts,
    )


def _recorded(state: RunState, names: Iterable[StepName]) -> dict[StepName, Mapping[str, Json]]:
    instances = state.instances
    return {
        name: state.outputs[name]
        for name in names
        if (found := instances.get(InstanceId(name))) is not None and found.status is StepStatus.SUCCEEDED
    }


def _downstream(flow: Flow, start: StepName) -> set[StepName]:
    """Return *start* and every step that depends on it, directly or not."""
    numbers = {step.name: number for number, step in enumerate(flow.steps)}
    followers = dependents([[numbers[name] for name in step.depends_on] for step in flow.steps])
    found: set[int] = set()
    rest = [numbers[start]]
    while rest:
        number = rest.pop()
        if number not in found:
            found.add(number)
            rest += followers[number]
    return {flow.steps[number].name for number in found}


def _carried(state: RunState, flow: Flow) -> dict[str, Artifact]:
    """Return the artifacts of a run, by edge, that a run of *flow* has in the same place and from the same hand."""
    old, stores = state.flow, flow.stores
    before, now = _makers(old), _makers(flow)
    return {
        edge: artifact
        for edge, artifact in state.artifacts.items()
        if old.stores.get(artifact.store) == stores.get(artifact.store)
        and before.get(edge) == now.get(edge)
        and (edge in now or _feed(old, edge) == _feed(flow, edge))
    }


def _makers(flow: Flow) -> dict[str, StepName]:
    """Return the step that makes the artifact of each edge that is not fed from outside."""
    return {port.edge: step.name for step in flow.steps for port in step.artifact_outputs}


def _feed(flow: Flow, edge: str) -> tuple[str, WellSource | None, str | None] | None:
    """Return what decides which object comes in at *edge*."""
    well = flow.wells.get(edge)
    return None if well is None else (well.store, well.source, well.key)


def _changed(state: RunState, old: Step, flow: Flow, new: Step, artifacts: Mapping[str, Artifact]) -> str:
    """Return what is different and decides what comes out of the step, for people; nothing when nothing is.

    *artifacts* are those of the run that are as good in a run of *flow*.
    """
    fields = [*dict.fromkeys(word for name, word in _DECISIVE.items() if getattr(old, name) != getattr(new, name))]
    if state.flow.sources[old.source] != flow.sources[new.source]:
        fields.append("source")
    ports = (*new.artifact_inputs, *new.artifact_outputs)
    lost = {port.edge for port in ports if port.edge in state.artifacts and port.edge not in artifacts}
    if lost and "artifacts" not in fields:
        fields += [f"edge '{edge}'" for edge in sorted(lost)]
    return " and ".join(fields) + (" has" if len(fields) == 1 else " have") if fields else ""
