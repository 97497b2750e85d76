"""What the expressions of an instance see of its run: outputs, and the item that it runs for.

A step of a body sees the steps of its own body first, then those around it; and the innermost item.
"""

from collections.abc import Iterable, Mapping

import attrs

from flowcore.ids import InstanceId, StepName, child_id, item_id
from flowcore.values import Json

from .state import InstanceState, RunState


@attrs.frozen
class Place:
    """The item that an instance runs for.

    Attributes:
        index: Counted from 0; in a loop that is the number of the iteration.
        item: The item; null in a loop.
    """

    index: int
    item: Json


def outputs_seen(state: RunState, instance: InstanceState, names: Iterable[str]) -> dict[str, Json]:
    """Return the outputs of the steps *names*, as *instance* sees them; those that left none are missing."""
    found: dict[str, Json] = {}
    for name in names:
        step = _visible(state, instance, name)
        if step is not None and step.id in state.outputs:
            found[name] = state.outputs[step.id]
    return found


def outputs_left(state: RunState, loop: InstanceState, number: int, names: Iterable[str]) -> dict[str, Json]:
    """Return the outputs of the steps *names*, as the condition of *loop* sees them after iteration *number*."""
    found = outputs_seen(state, loop, names)
    around = item_id(StepName(loop.id), number)
    for name in names:
        path = child_id(around, StepName(name))
        if path in state.outputs:
            found[name] = state.outputs[path]
    return found


def place_of(state: RunState, instance: InstanceState) -> Place | None:
    """Return the innermost item that *instance* runs for, or None when it runs for none."""
    index, item, scope = instance.index, instance.item, state.scopes[instance.scope]
    while item < 0 and scope.owner is not None:
        (index, item), scope = scope.owner, state.scopes[scope.parent]
    if item < 0:
        return None
    items = state.fan_outs[index].items
    return Place(item, items[item] if items else None)


def shared(state: RunState) -> Mapping[str, Json]:
    """Return what the steps of a workflow share, by root; nothing for other flows. Follow it, never change it."""
    return state.context or {}


def _visible(state: RunState, instance: InstanceState, name: str) -> InstanceState | None:
    scope = state.scopes[instance.scope]
    while scope.owner is not None:
        owner = state.instance_at(*scope.owner)
        found = state.instances.get(child_id(owner.id, StepName(name)))
        if found is not None:
            return found
        scope = state.scopes[scope.parent]
    return state.instances.get(InstanceId(name))
