"""Nodes that look at conditions: `switch`, and the steps that a loop is made of."""

from collections.abc import Mapping

from flowcore.documents.workflows.loops import not_a_list
from flowcore.documents.workflows.references import Missing, interpolate, look_up, to_text
from flowcore.values import Json

from .node import NodeCall, Patch, unfit
from .settings import DEFAULT_SETTINGS, WorkflowSettings
from .source import NodeSource
from .truth import holds

_CODE = frozenset({"javascriptExpression"})


def switch(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what runs `switch.switch` nodes."""
    return NodeSource("switch.switch", "Takes the first branch whose condition holds.", _switch, settings)


def loop(settings: WorkflowSettings = DEFAULT_SETTINGS) -> NodeSource:
    """Return what looks at the condition of `loop` nodes."""
    return NodeSource("loop", "Says whether a loop goes on.", _loop, settings)


def _filled(node: NodeCall, condition: Json) -> Mapping[str, Json]:
    if not isinstance(condition, Mapping):
        return {}
    return {key: value if key in _CODE else interpolate(value, node.scope) for key, value in condition.items()}


def _switch(node: NodeCall) -> Patch:
    cases = node.raw("cases")
    if not isinstance(cases, (list, tuple)) or not cases:
        raise unfit("Switch node must have at least one case configured")
    default = node.mapping("defaultCase")
    if not default.get("label"):
        raise unfit("Switch node must have a default case configured")
    for case in cases:
        if not isinstance(case, Mapping) or not case.get("condition"):
            continue
        found = holds(node, _filled(node, case.get("condition")), Patch())
        node.call.log(f"case '{to_text(case.get('label'))}': {found.message}")
        if found.met:
            return _taken(to_text(case.get("id")), case.get("label"))
    return _taken("default", default.get("label"))


def _taken(branch: str, label: Json) -> Patch:
    return Patch(data={"switchOutput": branch, "switchOutputLabel": label}, more={"branch": branch})


def _loop(node: NodeCall) -> Patch:
    phase = node.call.configuration.get("phase")
    if phase is None:
        return _list(node)
    patch = _update(node) if phase == "next" else Patch()
    found = holds(node, _filled(node, node.raw("condition")), patch)
    node.call.log(f"the loop {'goes on' if found.met else 'ends'}: {found.message}")
    return Patch(data=patch.data, variables=patch.variables, more={"again": found.met})


def _update(node: NodeCall) -> Patch:
    """Do what is to be done after each iteration, written in JavaScript."""
    code = to_text(node.raw("updateStep"))
    if not code.strip():
        return Patch()
    from .scripts import Script, evaluate

    ended = evaluate(node, Script(code=code, data=node.scope.data, variables=node.scope.variables))
    return Patch(data=ended.data, variables=ended.variables)


def _list(node: NodeCall) -> Patch:
    """See that a loop over a list has one, though it has nothing to run for its items."""
    name = node.text("arrayVariable")
    found = node.get("arrayVariable")
    if isinstance(found, str):
        at = look_up(node.scope.data, name)
        found = None if isinstance(at, Missing) else at
    if not isinstance(found, (list, tuple)):
        raise unfit(not_a_list(name, found))
    return Patch()
