"""The `wait` source: time passes, and no more of it than is wanted."""

import pytest

from flowcore.errors import SourceError
from flowcore.values import Json, is_mapping
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.sources.configuration import time_limit
from flowcore_adapters.sources.wait import WaitSource
from tests.calls import at_most, cancelled_after, fail, give, make_call

SOURCE = WaitSource()


def waited(configuration: dict[str, Json], payload: Json = None) -> float:
    """Return how long a call says that it has waited, in seconds."""
    data = give(SOURCE, configuration, payload).data
    assert is_mapping(data)
    seconds = data["waited_s"]
    assert isinstance(seconds, float)
    return seconds


@pytest.mark.parametrize("seconds", [0.02, "0.02"])
def test_the_configuration_says_how_long(seconds: Json) -> None:
    assert 0.02 <= waited({"seconds": seconds}, 20) < 1


@pytest.mark.parametrize("payload", [0.02, "0.02"])
def test_or_else_the_input(payload: Json) -> None:
    assert 0.02 <= waited({}, payload) < 1


def test_an_input_may_be_nothing_at_all() -> None:
    assert waited({}, 0) < 0.1


@pytest.mark.parametrize("payload", ["soon", -1, [1], True, "nan", "inf", 10**400])
def test_an_input_that_is_no_time(payload: Json) -> None:
    error = fail(SOURCE, {}, payload)
    assert (error.code, error.retryable) == ("bad-configuration", False)


@pytest.mark.parametrize("seconds", [0, -1, "nan", "soon"])
def test_a_configuration_that_is_no_time(seconds: Json) -> None:
    assert fail(SOURCE, {"seconds": seconds}).code == "bad-configuration"


def test_somebody_must_say_how_long() -> None:
    assert str(fail(SOURCE, {})) == "a `wait` source needs 'seconds', or an input that is a number"


def test_the_deadline_is_kept() -> None:
    with at_most(1):
        error = fail(SOURCE, {"seconds": 20}, deadline_s=0.1)
    assert (str(error), error.code, error.retryable) == ("timeout after 0.1 s", "timeout", True)


def test_a_wait_of_years_can_be_cancelled() -> None:
    code, taken = cancelled_after(0.05, SOURCE, {"seconds": 1e300})
    assert code == "cancelled"
    assert taken < 0.3


def test_a_call_that_was_cancelled_before_does_not_wait() -> None:
    cancel = Cancellation()
    cancel.cancel()
    with at_most(0.5), pytest.raises(SourceError, match="stopped"):
        SOURCE.call(make_call({"seconds": 20}, cancel=cancel))


def test_a_step_that_had_to_wait_for_its_turn_names_its_limit_and_not_the_rest_of_it() -> None:
    with pytest.raises(SourceError) as caught:
        SOURCE.call(make_call({"seconds": 20}, deadline_s=0.1, timeout_s=2.0))
    assert str(caught.value) == "timeout after 2 s"


def test_a_limit_of_its_own_that_is_over_first_is_the_one_that_is_named() -> None:
    call = make_call({}, deadline_s=10.0, timeout_s=10.0)
    assert time_limit(call, 0.3).shown == "0.3"
    assert time_limit(call, 20.0).shown == "10"
