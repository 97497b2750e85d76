"""The `python` source: functions, and what becomes of what they raise."""

import asyncio
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import pytest

from flowcore.documents.flow_document import compile_flow
from flowcore.errors import FlowDocumentError, SourceError
from flowcore.ports import SourceCall
from flowcore.values import Json
from flowcore_adapters.sources.python import PythonSource
from tests.calls import fail, give, make_call

NO_FUNCTION = "'callable' must be `package.module:function` or a name that is registered here (f)"


def shown(*arguments: object, **keywords: object) -> list[object]:
    """Return what it was called with."""
    return [list(arguments), keywords]


def leave() -> NoReturn:
    """End the program, or so it thinks."""
    sys.exit("bye")


def refuse() -> NoReturn:
    """Raise an error that says itself what it is."""
    raise SourceError("later", code="busy", retry_after_s=3)


def garble() -> object:
    """Read what cannot be read."""
    return json.loads("{")


def silent() -> NoReturn:
    """Raise an error without a word."""
    raise ValueError


def interrupted() -> NoReturn:
    """Act as Ctrl-C does."""
    raise KeyboardInterrupt


async def slow() -> None:
    """Take some time, if anybody awaits it."""
    await asyncio.sleep(0)


class Tools:
    """Holds a function."""

    @staticmethod
    def double(number: int) -> int:
        """Return it doubled."""
        return 2 * number


def source(function: Callable[..., object]) -> PythonSource:
    """Return a source that knows *function* as `f`."""
    return PythonSource({"f": function})


def test_the_input_is_the_only_positional_argument() -> None:
    assert give(source(shown), {"callable": "f"}, {"a": 1}).data == [[{"a": 1}], {}]


@pytest.mark.parametrize("payload", ["", 0, False, []])
def test_an_empty_input_is_an_input(payload: Json) -> None:
    assert give(source(shown), {"callable": "f"}, payload).data == [[payload], {}]


def test_without_an_input_there_is_none() -> None:
    assert give(source(shown), {"callable": "f"}).data == [[], {}]


def test_arguments_are_keywords() -> None:
    assert give(source(shown), {"callable": "f", "arguments": {"a": [1]}}, 2).data == [[2], {"a": [1]}]


def test_a_function_of_a_module() -> None:
    assert give(PythonSource(), {"callable": "json:dumps", "arguments": {"indent": 0}}, []).data == "[]"


def test_a_function_within_a_class() -> None:
    assert give(PythonSource(), {"callable": f"{__name__}:Tools.double"}, 4).data == 8


def test_what_is_no_plain_function() -> None:
    assert give(source(partial(shown, 1)), {"callable": "f"}, 2).data == [[1, 2], {}]
    assert give(PythonSource(), {"callable": "builtins:max"}, [1, 3, 2]).data == 3


def test_a_function_may_ask_for_its_call() -> None:
    def key(text: str, *, call: SourceCall) -> str:
        call.log("asked")
        return f"{text} {call.idempotency_key}"

    lines: list[str] = []
    result = source(key).call(make_call({"callable": "f"}, "key", log=lines.append))
    assert (result.data, lines) == ("key 7/step/2", ["asked"])


def test_a_function_that_takes_anything_did_not_ask() -> None:
    assert give(source(shown), {"callable": "f"}).data == [[], {}]


def test_a_function_cannot_change_what_others_hold() -> None:
    items: list[Json] = [3, 1, 2]
    configuration: dict[str, Json] = {"callable": "f", "arguments": {"more": items}}

    def sort(given: list[int], more: list[int]) -> list[list[int]]:
        given.sort()
        more.sort()
        return [given, more]

    assert give(source(sort), configuration, items).data == [[1, 2, 3], [1, 2, 3]]
    assert items == [3, 1, 2]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (garble, "JSONDecodeError: Expecting property name"),
        (Tools.double, "TypeError: "),
        (silent, "ValueError"),
        (leave, "SystemExit: bye"),
    ],
)
def test_what_it_raises_fails_the_step(function: Callable[..., object], said: str) -> None:
    error = fail(source(function), {"callable": "f"})
    assert str(error).startswith(said)
    assert (error.code, error.retryable) == ("exception", True)


def test_the_log_says_where_it_was_raised() -> None:
    lines: list[str] = []
    with pytest.raises(SourceError):
        source(silent).call(make_call({"callable": "f"}, log=lines.append))
    assert len(lines) == 1
    assert lines[0].startswith(f"ValueError in {__file__}:")
    assert lines[0].endswith("(silent)")


def test_its_own_error_is_taken_as_it_is() -> None:
    error = fail(source(refuse), {"callable": "f"})
    assert (str(error), error.code, error.retry_after_s) == ("later", "busy", 3)


def test_ctrl_c_is_nobodys_error() -> None:
    with pytest.raises(KeyboardInterrupt):
        give(source(interrupted), {"callable": "f"})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("g", f"{NO_FUNCTION}, not 'g'"),
        ("json.dumps", f"{NO_FUNCTION}, not 'json.dumps'"),
        ("no_such_module:f", "module 'no_such_module' cannot be imported: "),
        (":f", "module '' cannot be imported: "),
        (".json:f", "module '.json' cannot be imported: "),
        ("json:", "module 'json' has no function ''"),
        ("json:no.such", "module 'json' has no function 'no.such'"),
        ("json:__name__", "module 'json' has no function '__name__'"),
        (f"{__name__}:slow", f"'{__name__}:slow' is a coroutine function"),
    ],
)
def test_a_name_that_names_no_function(name: str, said: str) -> None:
    error = fail(source(shown), {"callable": name})
    assert str(error).startswith(said)
    assert (error.code, error.retryable) == ("bad-configuration", False)


def test_a_name_that_can_be_no_functions_is_told_before_anything_is_imported() -> None:
    flow: dict[str, Json] = {
        "flow": [{"name": "a", "source": {"type": "python", "configuration": {"callable": "nomodule"}}}]
    }

    def told(python: PythonSource) -> str:
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow(flow, {"python": python.type})
        return str(caught.value.problems[0])

    at = "flow[0].source.configuration.callable: 'callable' must be `package.module:function`"
    assert told(source(shown)) == f"{at} or a name that is registered here (f), not 'nomodule'"
    compile_flow(flow, {"python": PythonSource({"nomodule": shown}).type})
    # What registers none cannot know what the program that runs the flow will.
    compile_flow(flow, {"python": PythonSource().type})


def test_a_coroutine_function_cannot_be_registered() -> None:
    with pytest.raises(SourceError, match="is a coroutine function"):
        source(slow)
