"""Conditions of `switch` and `loop`: what they compare, as far as that needs no JavaScript and no browser."""

import math
from collections.abc import Mapping
from typing import Final

from flowcore.values import Json

from .matching import DEFAULT_KEY, Expectation, Finding, Search, check_answer
from .numbers import number_of
from .references import Scope, to_text

JAVASCRIPT: Final = "javascript"
"""The type of condition that a JavaScript engine must look at."""
_ORDERS: Final = ("greaterThan", "lessThan", "greaterThanOrEqual", "lessThanOrEqual")
OPERATORS: Final = ("equals", *_ORDERS)


def check_condition(condition: Mapping[str, Json], scope: Scope, search: Search) -> Finding:
    """Return whether *condition* holds; one that makes no sense does not hold, and says why (contract executions, 8).

    Args:
        condition: ``{type: variable | api-status | api-json-path, ...}``, its references filled in.
    """
    try:
        match condition.get("type"):
            case "variable":
                return _variable(condition, scope)
            case "api-status":
                return _status(condition, scope, search)
            case "api-json-path":
                return _json_path(condition, scope, search)
            case other:
                return Finding(met=False, message=f"there is no condition of the type '{to_text(other)}' here")
    except ValueError as error:
        return Finding(met=False, message=str(error))


def _variable(condition: Mapping[str, Json], scope: Scope) -> Finding:
    name = to_text(condition.get("variableName"))
    if not name or name not in scope.variables:
        return Finding(met=False, message=f"there is no variable '{name}'")
    wanted = condition.get("comparisonValue")
    if wanted is None:
        return Finding(met=False, message="the condition has no 'comparisonValue'")
    operator = to_text(condition.get("comparisonOperator")) or "equals"
    if operator not in OPERATORS:
        return Finding(met=False, message=f"there is no comparison '{operator}'; allowed: {', '.join(OPERATORS)}")
    value = scope.variables[name]
    met = to_text(value) == to_text(wanted) if operator == "equals" else _ordered(value, wanted, operator)
    holds = "holds" if met else "does not hold"
    return Finding(met=met, message=f"{name} ({to_text(value):.200}) {operator} {to_text(wanted):.200} {holds}")


def _ordered(value: Json, wanted: Json, operator: str) -> bool:
    """Return whether two numbers stand in that order; what is no number stands in none."""
    left, right = number_of(value), number_of(wanted)
    if left is None or right is None or not (math.isfinite(left) and math.isfinite(right)):
        return False
    match operator:
        case "greaterThan":
            return left > right
        case "lessThan":
            return left < right
        case "greaterThanOrEqual":
            return left >= right
        case _:
            return left <= right


def _status(condition: Mapping[str, Json], scope: Scope, search: Search) -> Finding:
    wanted = condition.get("statusCode", condition.get("expectedStatus"))
    if wanted is None:
        return Finding(met=False, message="the condition has no 'statusCode'")
    key = _key(condition)
    return check_answer(scope.data.get(key), Expectation(key=key, part="status", value=wanted), search)


def _json_path(condition: Mapping[str, Json], scope: Scope, search: Search) -> Finding:
    path = to_text(condition.get("jsonPath"))
    if not path or condition.get("expectedValue") is None:
        return Finding(met=False, message="the condition needs 'jsonPath' and 'expectedValue'")
    key = _key(condition)
    expectation = Expectation(
        key=key,
        part="body-path",
        name=path,
        value=condition.get("expectedValue"),
        match_type=to_text(condition.get("matchType")) or "equals",
    )
    return check_answer(scope.data.get(key), expectation, search)


def _key(condition: Mapping[str, Json]) -> str:
    return to_text(condition.get("apiContextKey") or condition.get("contextKey")) or DEFAULT_KEY
