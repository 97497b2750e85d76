"""Checks of answers and conditions, and how often a node is tried: contract executions, section 8."""

import re
from typing import Final

import pytest

from flowcore.documents.workflows.conditions import check_condition
from flowcore.documents.workflows.matching import Expectation, Finding, check_answer, matches
from flowcore.documents.workflows.references import Scope
from flowcore.documents.workflows.retries import retry_policy, until_condition
from flowcore.model import NO_RETRY, RetryPolicy
from flowcore.values import Json

ANSWER: Final[dict[str, Json]] = {
    "status": 200,
    "headers": {"Content-Type": "application/json"},
    "body": {"user": {"name": "Ada", "age": 36}, "empty": None},
}


def search(pattern: str, text: str, *, case_sensitive: bool) -> bool:
    """Look for *pattern*."""
    return re.search(pattern, text, 0 if case_sensitive else re.IGNORECASE) is not None


@pytest.mark.parametrize(
    ("actual", "expected", "match_type", "met"),
    [
        (200, "200", "equals", True),
        ("Ada", "ada", "equals", False),
        ("Ada", "d", "contains", True),
        ("Ada", "Ad", "startsWith", True),
        ("Ada", "da", "endsWith", True),
        ("Ada", "^A.a$", "regex", True),
        ("Ada", "^a", "regex", False),
        (True, "true", "equals", True),
    ],
)
def test_match_types(actual: Json, expected: Json, match_type: str, met: object) -> None:
    assert matches(actual, expected, match_type, search) is met


@pytest.mark.parametrize("match_type", ["equals", "contains", "startsWith", "endsWith", "regex"])
def test_matching_can_pass_over_upper_and_lower_case(match_type: str) -> None:
    assert matches("ADA", "ada", match_type, search, case_sensitive=False)


def test_an_unknown_match_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no match type 'like'; allowed: equals, contains"):
        matches("a", "a", "like", search)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Expectation(part="status", value=200), Finding(met=True, message="the status is '200'")),
        (
            Expectation(part="status", value="404"),
            Finding(met=False, message="the status must match (equals) '404', but is '200'"),
        ),
        (
            Expectation(part="header", name="content-TYPE", value="json", match_type="contains"),
            Finding(met=True, message="the header 'content-TYPE' is 'application/json'"),
        ),
        (
            Expectation(part="header", name="etag", value="x"),
            Finding(met=False, message="the header 'etag' is not in the response"),
        ),
        (
            Expectation(part="body-path", name="user.name", value="Ada"),
            Finding(met=True, message="'user.name' is 'Ada'"),
        ),
        (
            Expectation(part="body-path", name="user.pet", value="cat"),
            Finding(met=False, message="the path 'user.pet' is not in the response body"),
        ),
        (
            Expectation(part="body-value", value='"age":36', match_type="contains"),
            Finding(met=True, message='the response body is \'{"user":{"name":"Ada","age":36},"empty":null}\''),
        ),
    ],
)
def test_checks_of_an_answer(wanted: Expectation, expected: Finding) -> None:
    assert check_answer(ANSWER, wanted, search) == expected


def test_a_check_without_an_answer_or_of_an_unknown_part() -> None:
    wanted = Expectation(key="login", part="status", value=1)
    assert check_answer(None, wanted, search) == Finding(
        met=False, message="no API response is found under the key 'login'"
    )
    with pytest.raises(ValueError, match="there is no check 'colour'"):
        check_answer(ANSWER, Expectation(part="colour", value=1), search)
    headless = check_answer({"status": 1}, Expectation(part="header", name="a", value=1), search)
    assert headless == Finding(met=False, message="the header 'a' is not in the response")


def test_long_values_are_cut_in_messages() -> None:
    found = check_answer({"body": "x" * 300}, Expectation(part="body-value", value="y"), search)
    assert found.message.endswith(f"but is '{'x' * 200}...'")


SCOPE: Final = Scope(data={"apiResponse": ANSWER, "other": {"status": 500}}, variables={"n": 5, "t": "five", "s": "7"})


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"type": "variable", "variableName": "n", "comparisonValue": "5"}, True),
        ({"type": "variable", "variableName": "n", "comparisonOperator": "equals", "comparisonValue": 6}, False),
        ({"type": "variable", "variableName": "n", "comparisonOperator": "greaterThan", "comparisonValue": "4"}, True),
        ({"type": "variable", "variableName": "n", "comparisonOperator": "lessThan", "comparisonValue": 5}, False),
        (
            {"type": "variable", "variableName": "n", "comparisonOperator": "lessThanOrEqual", "comparisonValue": 5},
            True,
        ),
        (
            {"type": "variable", "variableName": "s", "comparisonOperator": "greaterThanOrEqual", "comparisonValue": 7},
            True,
        ),
        ({"type": "variable", "variableName": "t", "comparisonOperator": "lessThan", "comparisonValue": 9}, False),
        ({"type": "variable", "variableName": "n", "comparisonOperator": "like", "comparisonValue": 5}, False),
        ({"type": "variable", "variableName": "nobody", "comparisonValue": 5}, False),
        ({"type": "variable", "comparisonValue": 5}, False),
        ({"type": "variable", "variableName": "n"}, False),
        ({"type": "api-status", "statusCode": 200}, True),
        ({"type": "api-status", "expectedStatus": "500", "contextKey": "other"}, True),
        ({"type": "api-status", "statusCode": 200, "apiContextKey": "other"}, False),
        ({"type": "api-status"}, False),
        ({"type": "api-json-path", "jsonPath": "user.name", "expectedValue": "Ada"}, True),
        ({"type": "api-json-path", "jsonPath": "user.age", "expectedValue": "^3", "matchType": "regex"}, True),
        ({"type": "api-json-path", "jsonPath": "user.age", "expectedValue": 1, "matchType": "like"}, False),
        ({"type": "api-json-path", "jsonPath": "user.age"}, False),
        ({"type": "api-json-path", "expectedValue": 1}, False),
        ({"type": "ui-element", "selector": "#a"}, False),
        ({}, False),
    ],
)
def test_conditions(condition: dict[str, Json], met: object) -> None:
    found = check_condition(condition, SCOPE, search)
    assert found.met is met
    assert found.message


class TestRetry:
    """Retry: count (3 more tries) or until a condition; fixed or exponential pauses; a longest pause."""

    @pytest.mark.parametrize("data", [{}, {"retryEnabled": False, "retryCount": 5}, {"retryEnabled": "yes"}])
    def test_nothing_is_tried_again_unless_the_node_says_so(self, data: dict[str, Json]) -> None:
        assert retry_policy(data) == NO_RETRY
        assert until_condition({**data, "retryStrategy": "untilCondition"}) is None

    @pytest.mark.parametrize(
        ("data", "attempts"),
        [({}, 4), ({"retryCount": 0}, 1), ({"retryCount": "2"}, 3), ({"retryCount": -1}, 1)],
    )
    def test_the_count_is_that_of_further_tries(self, data: dict[str, Json], attempts: int) -> None:
        assert retry_policy({"retryEnabled": True, **data}).max_attempts == attempts

    def test_fixed_and_exponential_pauses(self) -> None:
        fixed = retry_policy({"retryEnabled": True, "retryDelay": 250, "retryMaxDelay": 100})
        assert fixed == RetryPolicy(max_attempts=4, delay_s=0.25, factor=1.0, max_delay_s=fixed.max_delay_s, jitter=0.0)
        assert fixed.max_delay_s > 1_000_000
        growing: dict[str, Json] = {
            "retryEnabled": True,
            "retryDelayStrategy": "exponential",
            "retryMaxDelay": "5000",
        }
        assert retry_policy(growing) == RetryPolicy(
            max_attempts=4, delay_s=1.0, factor=2.0, max_delay_s=5.0, jitter=0.0
        )

    def test_until_a_condition_holds_as_many_tries_as_fit_into_its_timeout(self) -> None:
        data: dict[str, Json] = {
            "retryEnabled": True,
            "retryStrategy": "untilCondition",
            "retryUntilCondition": {"type": "api-status", "expectedStatus": 200, "timeout": 2000},
            "retryDelay": 500,
        }
        assert until_condition(data) == {"type": "api-status", "expectedStatus": 200, "timeout": 2000}
        assert retry_policy(data).max_attempts == 5
        assert retry_policy({**data, "retryDelayStrategy": "exponential"}).max_attempts == 3
        assert retry_policy({**data, "retryUntilCondition": None, "retryDelay": 0}).max_attempts == 31
        assert until_condition({**data, "retryUntilCondition": None}) == {}
