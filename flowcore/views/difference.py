"""What is different between two runs: the flow, what came out, how long it took, and where their histories part."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Final

import attrs

from flowcore.ids import RunId
from flowcore.model import Flow, Step
from flowcore.ports import Recorded
from flowcore.run.events import CallAccepted, Event, ReportRejected, RunCreated, RunResumed, StepHeld
from flowcore.values import Json, is_list, is_mapping

from .outputs import OutputsView
from .status import StatusView, StepReport

_PASSED_OVER: Final = ("at", "retry_at", "run_id", "parent", "error", "notes", "outputs", "owner", "epoch", "flow")
"""What is not compared when histories are: times, ids, and what is compared elsewhere."""
_BESIDE: Final = (RunResumed, ReportRejected, CallAccepted, StepHeld)
"""Events that say nothing of what the run does: who drives it, what was free there, and who has asked for what."""


@attrs.frozen(kw_only=True)
class StepDifference:
    """One thing about a step that is different.

    Attributes:
        field: What: `source`, `input`, an output, `state`, ...
        first: What it is in the first run; None when it is not there.
        second: What it is in the second run; None when it is not there.
    """

    step: str
    field: str
    first: Json
    second: Json


@attrs.frozen(kw_only=True)
class Timing:
    """How long a step took in both runs, in seconds; None where it did not run."""

    step: str
    first: float | None
    second: float | None


@attrs.frozen(kw_only=True)
class Parting:
    """Where two histories part: the first event that is not of the same kind about the same step.

    Attributes:
        version: The place of the event in both runs.
        first: What happened in the first run, `AttemptFailed fetch`; None when it was over.
        second: What happened in the second run.
    """

    version: int
    first: str | None
    second: str | None


@attrs.frozen(kw_only=True)
class Difference:
    """Everything that is different between two runs.

    Attributes:
        flow: Steps and sources that are declared otherwise.
        states: Steps that ended otherwise.
        outputs: Outputs that are others.
        timings: All steps that ran in either, the largest difference first; that times differ is no difference.
    """

    first: RunId
    second: RunId
    flow: tuple[StepDifference, ...]
    states: tuple[StepDifference, ...]
    outputs: tuple[StepDifference, ...]
    timings: tuple[Timing, ...]
    parting: Parting | None

    @property
    def equal(self) -> bool:
        """Whether flow, states and outputs are the same."""
        return not (self.flow or self.states or self.outputs)


def difference(first: Sequence[Recorded], second: Sequence[Recorded]) -> Difference:
    """Return what is different between two runs, of which these are all events; each has at least one."""
    ours, theirs = _Run(first), _Run(second)
    return Difference(
        first=ours.run_id,
        second=theirs.run_id,
        flow=tuple(_of_flows(ours.flow, theirs.flow)),
        states=tuple(_of_states(ours.steps, theirs.steps)),
        outputs=tuple(_of_outputs(ours.outputs, theirs.outputs)),
        timings=tuple(sorted(_timings(ours.steps, theirs.steps), key=_gap, reverse=True)),
        parting=_parting(first, second),
    )


class _Run:
    """What is compared of a run."""

    def __init__(self, events: Sequence[Recorded]) -> None:
        status, outputs = StatusView(), OutputsView()
        self.flow = Flow()
        for recorded in events:
            status.evolve(recorded)
            outputs.evolve(recorded)
            if isinstance(recorded.event, RunCreated):
                self.flow = recorded.event.flow
        report = status.report()
        self.run_id = RunId(report.run_id)
        self.steps: Mapping[str, StepReport] = report.steps
        self.outputs = outputs.render()


def _of_flows(first: Flow, second: Flow) -> Iterable[StepDifference]:
    ours = {step.name: step for step in first.steps}
    theirs = {step.name: step for step in second.steps}
    for name in dict.fromkeys([*ours, *theirs]):
        one, two = ours.get(name), theirs.get(name)
        if one is None or two is None:
            yield StepDifference(step=name, field="step", first=_presence(one), second=_presence(two))
            continue
        for field in attrs.fields(Step):
            old, new = getattr(one, field.name), getattr(two, field.name)
            if field.name == "source":
                old, new = first.sources[one.source], second.sources[two.source]
            if old != new:
                yield StepDifference(step=name, field=field.name, first=_shown(old), second=_shown(new))


def _presence(step: Step | None) -> str | None:
    return None if step is None else "declared"


def _shown(value: object) -> Json:
    """Return a part of a flow as JSON, for people."""
    kind = type(value)
    if attrs.has(kind):
        return {field.name: _shown(getattr(value, field.name)) for field in attrs.fields(kind)}
    if is_mapping(value):
        return {str(key): _shown(item) for key, item in value.items()}
    if is_list(value):
        return [_shown(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _of_states(first: Mapping[str, StepReport], second: Mapping[str, StepReport]) -> Iterable[StepDifference]:
    for name in dict.fromkeys([*first, *second]):
        one, two = (None if report is None else report.state for report in (first.get(name), second.get(name)))
        if one != two:
            yield StepDifference(step=name, field="state", first=one, second=two)


def _of_outputs(
    first: Mapping[str, Mapping[str, Json]], second: Mapping[str, Mapping[str, Json]]
) -> Iterable[StepDifference]:
    for name in dict.fromkeys([*first, *second]):
        ours, theirs = first.get(name, {}), second.get(name, {})
        for output in dict.fromkeys([*ours, *theirs]):
            if output not in ours or output not in theirs or ours[output] != theirs[output]:
                yield StepDifference(step=name, field=output, first=ours.get(output), second=theirs.get(output))


def _timings(first: Mapping[str, StepReport], second: Mapping[str, StepReport]) -> Iterable[Timing]:
    for name in dict.fromkeys([*first, *second]):
        one, two = _took(first.get(name)), _took(second.get(name))
        if one is not None or two is not None:
            yield Timing(step=name, first=one, second=two)


def _took(report: StepReport | None) -> float | None:
    if report is None or report.started_at is None or report.ended_at is None:
        return None
    return report.ended_at - report.started_at


def _gap(timing: Timing) -> float:
    return abs((timing.first or 0.0) - (timing.second or 0.0))


def _parting(first: Sequence[Recorded], second: Sequence[Recorded]) -> Parting | None:
    ours = [recorded.event for recorded in first if not isinstance(recorded.event, _BESIDE)]
    theirs = [recorded.event for recorded in second if not isinstance(recorded.event, _BESIDE)]
    for version, (one, two) in enumerate(zip_longest(ours, theirs), 1):
        if _meaning(one) != _meaning(two):
            return Parting(version=version, first=_called(one), second=_called(two))
    return None


def _meaning(event: Event | None) -> object:
    if event is None:
        return None
    fields = attrs.fields(type(event))
    return type(event), [getattr(event, field.name) for field in fields if field.name not in _PASSED_OVER]


def _called(event: Event | None) -> str | None:
    if event is None:
        return None
    who: str = getattr(event, "instance", "") or getattr(event, "step", "")
    return f"{type(event).__name__} {who}".rstrip()
