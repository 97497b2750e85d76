"""The `value` source: what is written is what comes out."""

import pytest

from flowcore.values import Json
from flowcore_adapters.sources.value import ValueSource
from tests.calls import give

SOURCE = ValueSource()


@pytest.mark.parametrize("value", [None, "", "text", 0, 1.5, False, [], {"a": [None, "{{ item }}"]}])
def test_the_configured_value_wins_over_the_input(value: Json) -> None:
    assert give(SOURCE, {"value": value}, "input").data == value


@pytest.mark.parametrize("payload", [None, "", [1], {"a": 1}])
def test_without_one_the_input_is_the_value(payload: Json) -> None:
    assert give(SOURCE, {}, payload).data == payload


def test_it_may_run_on_the_loop() -> None:
    assert not SOURCE.type.blocking
