"""Whether a condition holds, in a language that the core knows or in JavaScript."""

from collections.abc import Mapping

from flowcore.documents.workflows.conditions import JAVASCRIPT, check_condition
from flowcore.documents.workflows.matching import DEFAULT_KEY, Finding
from flowcore.documents.workflows.references import Scope, interpolate, to_text
from flowcore.errors import SourceError
from flowcore.values import Json
from flowcore_adapters.sources.patterns import search

from .node import NodeCall, Patch, node_error, unfit


def holds(node: NodeCall, condition: Mapping[str, Json], patch: Patch) -> Finding:
    """Return whether *condition* holds when *patch* has been taken in; one that cannot be looked at does not hold."""
    scope = Scope(data={**node.scope.data, **patch.data}, variables={**node.scope.variables, **patch.variables})
    if condition.get("type") != JAVASCRIPT:
        return check_condition(condition, scope, search)
    # Few conditions are written in JavaScript.
    from .scripts import Script, evaluate

    key = to_text(condition.get("contextKey") or condition.get("apiContextKey")) or DEFAULT_KEY
    script = Script(
        expression=to_text(condition.get("javascriptExpression")),
        data=scope.data,
        variables=scope.variables,
        response=scope.data.get(key),
    )
    try:
        met = evaluate(node, script).value is True
    except SourceError as error:
        if node.call.cancel.cancelled:
            raise
        return Finding(met=False, message=str(error))
    return Finding(met=met, message=f"'{script.expression:.200}' is {'true' if met else 'not true'}")


def see_to_it(node: NodeCall, until: Mapping[str, Json], patch: Patch) -> None:
    """See that what a node is tried for has come about."""
    condition = {key: value if key == "value" else interpolate(value, node.scope) for key, value in until.items()}
    kind = to_text(condition.get("type"))
    if kind not in {"api-status", "api-json-path", "api-javascript"}:
        raise unfit(f"a node cannot be tried until a condition of the type '{kind}' holds: that needs a browser")
    if kind == "api-javascript":
        condition.update(type=JAVASCRIPT, javascriptExpression=condition.get("value"))
    found = holds(node, condition, patch)
    if not found.met:
        raise node_error(f"the condition is not met: {found.message}", code="condition-not-met")
