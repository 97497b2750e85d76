"""Looking at `when`, `for_each` and the conditions of loops."""

from typing import Final, TypeAlias

from flowcore.cleaning import clean
from flowcore.errors import ExpressionError, SourceError
from flowcore.ids import InstanceId, StepName
from flowcore.model import Dialect, Step
from flowcore.ports import Clock
from flowcore.run.commands import ReportGuard, ReportGuardFailure, ReportIteration
from flowcore.run.effects import Iterate, Resolve
from flowcore.run.state import InstanceState, RunState
from flowcore.secrets import Redactor
from flowcore.values import Json

from .context import RunContext
from .perform import note
from .plan import recorded_template, steps_used

Guarded: TypeAlias = ReportGuard | ReportGuardFailure
MAX_ITEMS: Final = 100_000
"""How many items a fan-out may have: each is an instance with a state of its own."""


def look(state: RunState, effect: Resolve | Iterate, context: RunContext, clock: Clock) -> Guarded | ReportIteration:
    """Return what a guard comes to, or whether a loop goes on. Never raises."""
    instance = state.instances[InstanceId(effect.step)]
    step = state.step_of(instance)
    if isinstance(effect, Resolve):
        return _look_at_guard(instance, step, context, clock, state.flow.dialect)
    condition = None if step.loop is None else step.loop.condition
    return _look_at_loop(instance, effect.number, condition, context, clock)


def _look_at_guard(instance: InstanceState, step: Step, context: RunContext, clock: Clock, dialect: Dialect) -> Guarded:
    name = StepName(instance.id)
    try:
        met = step.when is None or bool(_value(step.when, instance, context))
        if not met or step.for_each is None:
            return ReportGuard(step=name, met=met, at=clock.now())
        value = _value(step.for_each, instance, context)
        if dialect is Dialect.WORKFLOW:
            _check_list(value, step.for_each)
        items = _items(value, context.redactor)
        return ReportGuard(step=name, met=True, items=items, at=clock.now())
    except (ExpressionError, SourceError) as error:
        told = note(str(error), context.redactor)
        return ReportGuardFailure(step=name, code=error.code, error=told, at=clock.now())


def _look_at_loop(
    instance: InstanceState, number: int, condition: Json, context: RunContext, clock: Clock
) -> ReportIteration:
    name, error, again = StepName(instance.id), None, False
    try:
        template = recorded_template(condition)
        again = bool(template.render(context.iteration_roots(instance, number, steps_used(template))))
    except (ExpressionError, SourceError) as fault:
        error = note(str(fault), context.redactor)
    return ReportIteration(step=name, number=number, again=again, error=error, at=clock.now())


def _value(expression: Json, instance: InstanceState, context: RunContext) -> Json:
    template = recorded_template(expression)
    return template.render(context.guard_roots(instance, steps_used(template)))


def _check_list(value: Json, expression: Json) -> None:
    """Refuse what is no list in the words of workflows, which know variables and no `for_each`."""
    if not isinstance(value, (list, tuple)):
        # The front end of workflows is not needed to run anything else.
        from flowcore.documents.workflows.loops import not_a_list, variable_of

        raise ExpressionError(not_a_list(variable_of(str(expression)), value))


def _items(value: Json, redactor: Redactor) -> tuple[Json, ...]:
    """Return the list that `for_each` gave, fit for the log."""
    if not isinstance(value, (list, tuple)):
        raise ExpressionError("'for_each' gave no list", hint="give it a list, or an expression whose value is a list")
    if len(value) > MAX_ITEMS:
        raise ExpressionError(f"'for_each' gave {len(value)} items; at most {MAX_ITEMS} are allowed")
    cleaned, _notes = clean(value)
    items = cleaned if isinstance(cleaned, list) else []
    return tuple(redactor.hide(item) for item in items) if redactor else tuple(items)
