"""Providers written for flowtoy (contract status, section 3): the envelope, and a return without one."""

import sys
from collections.abc import Callable
from threading import Lock
from typing import cast

import pytest

from flowcore.errors import SourceError
from flowcore.values import Json
from flowcore_adapters.sources.legacy import LegacyProvider
from tests.calls import fail, give


class Provider:
    """Answers with what its function makes of configuration and input."""

    def __init__(self, configuration: dict[str, Json], answer: Callable[[dict[str, Json], object], object]) -> None:
        self._configuration = configuration
        self._answer = answer

    def call(self, input_payload: object = None) -> object:
        """Return the envelope."""
        return self._answer(self._configuration, input_payload)


def legacy(answer: Callable[[dict[str, Json], object], object]) -> LegacyProvider:
    """Return the source of a provider that answers like this."""
    return LegacyProvider("old", lambda configuration: Provider(configuration, answer))


def always(answer: object) -> LegacyProvider:
    """Return the source of a provider that always answers the same."""
    return legacy(lambda _configuration, _payload: answer)


def test_the_type_takes_any_configuration() -> None:
    kind = always(None).type
    assert (kind.name, kind.open, dict(kind.parameters)) == ("old", True, {})


def test_it_sees_its_configuration_and_the_input() -> None:
    source = legacy(lambda configuration, payload: [configuration, payload])
    assert give(source, {"a": 1}, [2]).data == [{"a": 1}, [2]]
    assert give(source, {}).data == [{}, None]


@pytest.mark.parametrize("answer", [None, "text", [1], {"data": 1}, {"status": "fine", "data": 1}])
def test_a_return_without_status_is_the_data(answer: object) -> None:
    result = give(always(answer), {})
    assert (result.data, dict(result.meta), result.notes) == (answer, {}, ())


@pytest.mark.parametrize(
    ("notes", "found"),
    [(None, ()), ("one", ("one",)), (["one", 2], ("one", "2")), ([], ()), (("a",), ("a",)), (5, ("5",))],
)
def test_an_envelope_is_unpacked(notes: object, found: tuple[str, ...]) -> None:
    envelope = {"status": {"success": True, "code": 0, "notes": notes}, "data": [1], "meta": {"took": 2}}
    result = give(always(envelope), {})
    assert (result.data, dict(result.meta), result.notes) == ([1], {"took": 2}, found)


def test_an_envelope_may_say_little() -> None:
    result = give(always({"status": {}}), {})
    assert (result.data, dict(result.meta), result.notes) == (None, {}, ())


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        ({"success": False}, "the provider reported a failure", "source-failed"),
        ({"success": False, "code": 404, "notes": ["not", "there"]}, "not; there", "404"),
        ({"success": False, "code": "E1", "notes": "no"}, "no", "E1"),
        ({"success": 0, "notes": ""}, "the provider reported a failure", "source-failed"),
    ],
)
def test_a_failure_is_one(status: object, said: str, code: str) -> None:
    error = fail(always({"status": status, "data": 1}), {})
    assert (str(error), error.code, error.retryable) == (said, code, True)


@pytest.mark.parametrize("meta", [None, 5, {"a": object()}, {1: 2}])
def test_meta_that_is_no_json_is_left_out(meta: object) -> None:
    assert dict(give(always({"status": {"success": True}, "meta": meta}), {}).meta) == {}


def test_it_cannot_change_what_others_hold() -> None:
    def spoil(configuration: dict[str, Json], payload: object) -> object:
        for given in (configuration["list"], payload):
            cast("list[Json]", given).append("spoilt")
        return None

    configuration: dict[str, Json] = {"list": [1]}
    payload: list[Json] = [1]
    give(legacy(spoil), configuration, payload)
    assert (configuration, payload) == ({"list": [1]}, [1])


def test_what_it_raises_fails_the_step() -> None:
    def divide(_configuration: dict[str, Json], payload: object) -> object:
        assert isinstance(payload, int)
        return 1 / payload

    error = fail(legacy(divide), {}, 0)
    assert (str(error), error.code) == ("ZeroDivisionError: division by zero", "exception")


def test_it_may_not_end_the_program() -> None:
    error = fail(legacy(lambda _configuration, _payload: sys.exit("bye")), {})
    assert str(error) == "SystemExit: bye"


def test_its_constructor_may_fail_too() -> None:
    def make(configuration: dict[str, Json]) -> Provider:
        raise KeyError(str(configuration))

    assert str(fail(LegacyProvider("old", make), {})).startswith("KeyError: ")


def test_an_error_of_ours_is_taken_as_it_is() -> None:
    def refuse(_configuration: dict[str, Json], _payload: object) -> object:
        raise SourceError("later", code="busy", retry_after_s=3)

    assert fail(legacy(refuse), {}).retry_after_s == 3


def test_what_cannot_be_copied_is_none_of_its_business() -> None:
    # A lock cannot be copied; an answer need not be, what is no JSON is refused behind the source.
    lock = Lock()
    assert give(always(lock), {}).data is lock
