"""What a step needs to be performed, compiled once: its source, its templates, its outputs."""

from collections.abc import Mapping

import attrs

from flowcore.catalog import SLOW, SourceType
from flowcore.errors import ExpressionError, FlowcoreError, SourceError
from flowcore.expressions import Expression, Template, compile_search, compile_template, constant
from flowcore.model import Dialect, Flow, OutputType, Source, Step
from flowcore.ports import SourceAdapter, SourceCall, SourceResult
from flowcore.values import Json
from flowcore_adapters.registry import Registry
from flowcore_adapters.sources.patterns import evaluation_search


@attrs.frozen
class SourcePlan:
    """A source of the flow: its adapter and its configuration.

    Attributes:
        fixed: What the configuration renders to when there is no expression in it, else None.
        uses_payload: Whether the configuration may refer to `input` and `json`.
        grace_s: How long after its deadline a call is given up, in seconds.
    """

    adapter: SourceAdapter
    configuration: Template
    fixed: Mapping[str, Json] | None
    uses_payload: bool
    blocking: bool
    grace_s: float
    steps_used: tuple[str, ...]


class _Unplanned:
    """In the place of a source, for a step that cannot be planned: each of its attempts fails, and nothing else."""

    type = SourceType(name="unplanned", about="A step that cannot be planned.", parameters={}, blocking=False)

    def __init__(self, error: FlowcoreError) -> None:
        """Say *error* when called."""
        self._error = error

    def call(self, call: SourceCall) -> SourceResult:  # noqa: ARG002 - its name is the port's
        """Say what is wrong.

        Raises:
            FlowcoreError: That.
        """
        # The same one each time: it must not keep the frames of all attempts before.
        raise self._error.with_traceback(None)


@attrs.frozen
class OutputPlan:
    """One output: the expression that takes it from the data, or None for the data itself."""

    name: str
    expression: Expression | None
    required: bool

    def take(self, data: Json) -> Json:
        """Return the output's value.

        Raises:
            SourceError: The value is missing and required.
            ExpressionError: The expression cannot be applied to *data*.
        """
        value = data if self.expression is None else self.expression.evaluate_on(data)
        if value is None and self.required:
            raise SourceError(f"output '{self.name}' is required, but the data has none", code="output-missing")
        return value


@attrs.frozen
class StepPlan:
    """What a step does, ready to be done any number of times.

    Attributes:
        payload: Its input, or None when it has none.
        fixed: The configuration of its source, when it has no input and nothing of it is to be rendered; else None.
        timeout_s: How long an attempt may take, in seconds.
    """

    source: SourcePlan
    payload: Template | None
    outputs: tuple[OutputPlan, ...]
    steps_used: tuple[str, ...]
    fixed: Mapping[str, Json] | None
    timeout_s: float


class Planner:
    """Makes the plans of one flow, each when it is first asked for."""

    def __init__(self, flow: Flow, registry: Registry) -> None:
        """Plan for *flow* with the adapters of *registry*."""
        self._flow = flow
        self._registry = registry
        self._sources: dict[str, SourcePlan] = {}
        self._plans: dict[str, StepPlan] = {}
        self._plain: dict[tuple[str, float], StepPlan] = {}
        self._workflow = flow.dialect is Dialect.WORKFLOW
        # Documents of nodes know no limit: it is the operator's word, that of whoever drives the run now.
        self._timeout_s = registry.node_timeout_s if flow.dialect is Dialect.NODES else None
        # What the nodes of a workflow share is what their sources are given.
        self._shared = compile_template({"data": "{{ data }}", "variables": "{{ variables }}"})

    def plan(self, path: str, step: Step) -> StepPlan:
        """Return the plan of *step*, all of whose instances have the same *path*."""
        if step.input is None and not step.outputs and not self._workflow:
            # Nothing is the step's own, and there may be thousands of its kind.
            kind = (step.source, step.timeout_s)
            plan = self._plain.get(kind)
            if plan is None:
                plan = self._plain[kind] = self._make(step)
            return plan
        plan = self._plans.get(path)
        if plan is None:
            plan = self._plans[path] = self._make(step)
        return plan

    def _make(self, step: Step) -> StepPlan:
        """Return the plan of *step*; what is wrong with it, in a flow of another version, is its own failure."""
        try:
            return self._planned(step)
        except (ExpressionError, SourceError) as error:
            adapter = _Unplanned(error)
            source = SourcePlan(
                adapter,
                constant({}),
                None,
                uses_payload=False,
                blocking=adapter.type.blocking,
                grace_s=adapter.type.grace_s,
                steps_used=(),
            )
            return StepPlan(source, None, (), (), None, self._timeout_s or step.timeout_s)

    def _planned(self, step: Step) -> StepPlan:
        source = self._source(step.source)
        payload = self._payload(step)
        outputs = tuple(
            OutputPlan(
                output.name,
                _search(output.value or "@") if output.type is OutputType.JMESPATH else None,
                output.required,
            )
            for output in step.outputs
        )
        used = source.steps_used if payload is None else (*source.steps_used, *steps_used(payload))
        fixed = source.fixed if payload is None and not source.uses_payload else None
        return StepPlan(source, payload, outputs, used, fixed, self._timeout_s or step.timeout_s)

    def _payload(self, step: Step) -> Template | None:
        if self._workflow:
            return self._shared
        return None if step.input is None else recorded_template(step.input)

    def _source(self, key: str) -> SourcePlan:
        plan = self._sources.get(key)
        if plan is None:
            plan = self._sources[key] = self._make_source(self._flow.sources[key])
        return plan

    def _make_source(self, source: Source) -> SourcePlan:
        adapter = self._registry.adapter(source.type)
        if self._workflow:
            # No braces mean anything here, and a node with a pause before it waits.
            return SourcePlan(
                adapter,
                constant(source.configuration),
                mapping(source.configuration),
                uses_payload=False,
                blocking=adapter.type.blocking or SLOW in source.configuration,
                grace_s=adapter.type.grace_s,
                steps_used=(),
            )
        when = adapter.type.template_when
        uses_payload = when is not None and source.configuration.get(when[0]) == when[1]
        # Only flows of steps have expressions: what looks like one elsewhere is a stranger's text.
        flow = self._flow.dialect is Dialect.FLOW
        written = source.configuration
        configuration = recorded_template(written) if flow else constant(written)
        return SourcePlan(
            adapter,
            configuration,
            mapping(configuration.render({})) if configuration.constant else None,
            uses_payload,
            adapter.type.blocking,
            adapter.type.grace_s,
            steps_used(configuration),
        )


def recorded_template(value: Json) -> Template:
    """Return the template that *value* is in the flow of a run.

    Raises:
        ExpressionError: It cannot be read.
    """
    return compile_template(value, evaluation_search, recorded=True)


def _search(text: str) -> Expression:
    return compile_search(text, evaluation_search, recorded=True)


def steps_used(template: Template) -> tuple[str, ...]:
    """Return the steps whose outputs *template* reads."""
    found = (reference.names[0] for reference in template.references if reference.root == "flows" and reference.names)
    return tuple(dict.fromkeys(found))


def mapping(value: Json) -> Mapping[str, Json]:
    """Return *value*, a rendered configuration, as the mapping it is."""
    if isinstance(value, dict):
        return value
    raise SourceError("the configuration is no mapping", code="bad-configuration", retryable=False)
