"""Loops: what their data say, and what that means for the core's loops."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from flowcore.documents.fields import type_name
from flowcore.ids import StepName
from flowcore.model import Loop, Output, OutputType, Source, Step
from flowcore.values import Json

from .branches import quoted
from .document import Node
from .numbers import whole_number_of
from .references import to_text, whole_reference

LOOP: Final = "loop"
_ITERATIONS: Final = 1_000
_MOST_ITERATIONS: Final = 1_000_000
_MEMBER: Final = re.compile(r'"([^"\\]*)"')


@attrs.frozen
class ForEach:
    """A loop over a list.

    Attributes:
        items: The expression that gives the list.
    """

    items: str


@attrs.frozen
class DoWhile:
    """A loop that goes on as long as its condition holds, which is looked at before each iteration.

    Attributes:
        max_iterations: How many are allowed; one more is an error.
    """

    max_iterations: int

    def when(self, check: StepName) -> str:
        """Return the condition to begin at all, which the step *check* has looked at."""
        return f"{{{{ flows.{quoted(check)}.again }}}}"

    def again(self, last: StepName) -> Loop:
        """Return the core's loop, given the last step of its body, which looks at the condition."""
        return Loop(condition=f"{{{{ flows.{quoted(last)}.again }}}}", max_iterations=self.max_iterations)


def helping(step: Step, name: StepName, source: str) -> Step:
    """Return the step *name* that looks at the condition of the loop *step*, and leaves whether to go on as `again`."""
    outputs = (*step.outputs, Output(name="again", type=OutputType.JMESPATH, value="again"))
    return attrs.evolve(step, name=name, source=source, outputs=outputs, unbroken=True)


def phase_of(source: Source, phase: str) -> Source:
    """Return *source* for one of the two moments: `check` before the first iteration, `next` after each."""
    return attrs.evolve(source, configuration={**source.configuration, "phase": phase})


def read_loop(node: Node, inputs: Mapping[str, str]) -> ForEach | DoWhile | str:
    """Return what the loop *node* says, or what is wrong with it.

    Args:
        inputs: The properties that take their value from another node, and the id of that node.
    """
    mode = node.data.get("mode")
    if mode == "forEach":
        name = to_text(node.data.get("arrayVariable")).strip()
        if "arrayVariable" in inputs:
            return ForEach(expression("variables", (inputs["arrayVariable"],)))
        if not name:
            return "Array variable is required for forEach mode"
        root, names = whole_reference(name) or ("data", tuple(part for part in name.split(".") if part))
        return ForEach(expression(root, names))
    if mode == "doWhile":
        if not isinstance(node.data.get("condition"), Mapping):
            return "Condition is required for doWhile mode"
        most = whole_number_of(node.data.get("maxIterations"))
        return DoWhile(_ITERATIONS if most is None or most < 1 else min(most, _MOST_ITERATIONS))
    if mode is None:
        return 'Loop mode is required. Must be either "forEach" or "doWhile"'
    return f'Invalid loop mode: {_short(mode)}. Must be either "forEach" or "doWhile"'


def not_a_list(variable: str, value: Json) -> str:
    """Return what to say when a loop is to run over *variable*, and that is *value* and no list."""
    if value is None:
        return f"Variable {variable} is not an array: there is none, or it is null"
    if isinstance(value, Mapping):
        return f"Variable {variable} is not an array but an object"
    return f"Variable {variable} is not an array but {type_name(value)}: {_short(value)}"


def variable_of(items: str) -> str:
    """Return the variable that an expression of `ForEach` leads to, as the document writes it: `data.users.list`."""
    return _MEMBER.sub(r"\1", items.removeprefix("{{").removesuffix("}}").strip())


def _short(value: Json) -> str:
    return to_text(value)[:100]


def expression(root: str, names: Sequence[str]) -> str:
    """Return the expression for what *names* lead to from *root*."""
    path = "".join(
        f"[{name}]" if name.isdecimal() and place else f".{quoted(name)}" for place, name in enumerate(names)
    )
    return f"{{{{ {root}{path} }}}}"
