"""How often a node is tried: the retry fields of its data (contract executions, section 8)."""

from collections.abc import Mapping
from typing import Final

import attrs

from flowcore.documents.fields import LONGEST_S
from flowcore.model import NO_RETRY, RetryPolicy
from flowcore.values import Json

from .numbers import number_of, whole_number_of

UNTIL: Final = "untilCondition"
_COUNT: Final = 3
_DELAY_MS: Final = 1000.0
_UNTIL_MS: Final = 30_000.0
_MOST: Final = 100_000


def retry_policy(data: Mapping[str, Json]) -> RetryPolicy:
    """Return how often a node with *data* is tried.

    `retryCount` is the number of further tries. Until a condition holds, a node is tried as often as its pauses fit
    into the condition's timeout, and no try begins when that has passed since the first one began.
    """
    if data.get("retryEnabled") is not True:
        return NO_RETRY
    exponential = data.get("retryDelayStrategy") == "exponential"
    delay_s = _positive(data.get("retryDelay"), _DELAY_MS) / 1000
    longest_s = min(LONGEST_S, _positive(data.get("retryMaxDelay"), LONGEST_S * 1000) / 1000)
    factor = 2.0 if exponential else 1.0
    policy = RetryPolicy(
        delay_s=min(delay_s, LONGEST_S),
        factor=factor,
        max_delay_s=longest_s if exponential else LONGEST_S,
        jitter=0.0,
    )
    condition = until_condition(data)
    if condition is None:
        return attrs.evolve(policy, max_attempts=1 + _count(data))
    within_s = _within_s(condition)
    return attrs.evolve(policy, max_attempts=1 + _until(within_s, policy), within_s=within_s)


def until_condition(data: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """Return the condition that ends the tries of a node with *data*, or None when they are counted."""
    if data.get("retryEnabled") is not True or data.get("retryStrategy") != UNTIL:
        return None
    condition = data.get("retryUntilCondition")
    if not isinstance(condition, Mapping):
        return {}
    # Contract executions, section 8: 30000 where nothing is said; one try alone takes no longer either.
    return {**condition, "timeout": _within_s(condition) * 1000}


def _count(data: Mapping[str, Json]) -> int:
    count = whole_number_of(data.get("retryCount"))
    return _COUNT if count is None else min(max(count, 0), _MOST)


def _within_s(condition: Mapping[str, Json]) -> float:
    return min(LONGEST_S, _positive(condition.get("timeout"), _UNTIL_MS) / 1000)


def _until(left_s: float, policy: RetryPolicy) -> int:
    """Return how many pauses fit into *left_s*, the condition's timeout."""
    pause_s, count = min(policy.delay_s, policy.max_delay_s), 0
    while pause_s <= left_s and count < _MOST:
        left_s -= pause_s
        count += 1
        pause_s = min(pause_s * policy.factor, policy.max_delay_s)
    return count


def _positive(value: Json, default: float) -> float:
    number = number_of(value)
    return default if number is None or number <= 0 else number
