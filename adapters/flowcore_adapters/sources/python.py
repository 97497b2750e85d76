"""`python`: a function of this program, or of a module that can be imported."""

import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Final, TypeAlias

import attrs

from flowcore.catalog import Kind, SourceType
from flowcore.errors import SourceError
from flowcore.ports import SourceCall, SourceResult, make_source_result
from flowcore.values import Json, own_copy

from .configuration import Reader, bad_configuration, parameter, parameters

_SHOWN: Final = 200
Function: TypeAlias = Callable[..., object]


@attrs.frozen(kw_only=True)
class PythonConfiguration:
    """What a `python` source is told."""

    callable: str = parameter(
        Kind.TEXT, "`package.module:function`, or a name that the program has registered.", required=True
    )
    arguments: Mapping[str, Json] | None = parameter(Kind.MAPPING, "Keyword arguments beside the input.")


_TYPE: Final = SourceType(
    name="python",
    about="Calls a Python function; what it returns is the data, what it raises fails the step.",
    parameters=parameters(PythonConfiguration),
    # A function that does not look at its token cannot be ended, however long it is waited for.
    grace_s=0.5,
)
_read: Final = Reader(_TYPE, PythonConfiguration)


@attrs.frozen
class _Target:
    """A function that can be called.

    Attributes:
        wants_call: Whether it takes the `SourceCall`.
    """

    function: Function
    wants_call: bool


class PythonSource:
    """Calls functions. The step's input, when there is one, is the only positional argument.

    A function with a keyword argument called `call` is given the `SourceCall`: the idempotency key, the deadline, the
    cancel token and the log. Python cannot end a function that goes on: one that ignores its deadline is given up.
    """

    type: SourceType

    def __init__(self, functions: Mapping[str, Function] | None = None) -> None:
        """Know *functions* by name, beside everything that can be imported."""
        self._targets = {name: _target(name, function) for name, function in (functions or {}).items()}
        # Without any of its own it cannot know what the program that runs the flow has registered.
        known = _misspelt(tuple(self._targets)) if self._targets else None
        declared = attrs.evolve(_TYPE.parameters["callable"], flaw=known)
        self.type = attrs.evolve(_TYPE, parameters={**_TYPE.parameters, "callable": declared})

    def call(self, call: SourceCall) -> SourceResult:
        """Call the function and return what it returned."""
        configuration = _read(call.configuration)
        target = self._targets.get(configuration.callable) or self._find(configuration.callable)
        keywords: dict[str, object] = {}
        if configuration.arguments:
            keywords = {name: own_copy(value) for name, value in configuration.arguments.items()}
        if target.wants_call:
            keywords["call"] = call
        payload = call.payload
        try:
            if payload is None:
                return make_source_result(data=target.function(**keywords) if keywords else target.function())
            return make_source_result(data=target.function(own_copy(payload), **keywords))
        except SourceError:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Also what is no Exception: `sys.exit()` in a function must not end the thread that it happens to run on.
            call.log(f"{type(error).__name__} {_place(error.__traceback__)}")
            raise SourceError(_said(error), code="exception") from error

    def _find(self, name: str) -> _Target:
        module, colon, path = name.partition(":")
        if not colon:
            raise bad_configuration(f"'callable' {_no_function(name, tuple(self._targets))}")
        try:
            found: object = importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise bad_configuration(f"module '{module}' cannot be imported: {_said(error)}") from error
        for part in path.split("."):
            found = getattr(found, part, None)
        if not callable(found):
            raise bad_configuration(f"module '{module}' has no function '{path}'")
        target = self._targets[name] = _target(name, found)
        return target


def _misspelt(registered: Collection[str]) -> Callable[[str], str | None]:
    """Return what finds names that can be no function's. It imports nothing: to import is to run."""

    def flaw(name: str) -> str | None:
        return None if ":" in name or name in registered else _no_function(name, registered)

    return flaw


def _no_function(name: str, registered: Collection[str]) -> str:
    known = f"a name that is registered here ({', '.join(sorted(registered))})" if registered else ""
    return f"must be `package.module:function`{' or ' if known else ''}{known}, not '{name[:_SHOWN]}'"


def _target(name: str, function: Function) -> _Target:
    if inspect.iscoroutinefunction(function):
        raise bad_configuration(f"'{name}' is a coroutine function; give one that runs it, such as with `asyncio.run`")
    try:
        wanted = inspect.signature(function).parameters.get("call")
    except (TypeError, ValueError):
        # Functions written in C may have no signature.
        return _Target(function, wants_call=False)
    wants = wanted is not None and wanted.kind in {wanted.KEYWORD_ONLY, wanted.POSITIONAL_OR_KEYWORD}
    return _Target(function, wants_call=wants)


def _said(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(traceback: TracebackType | None) -> str:
    """Return where an exception was raised: its last frame."""
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"in {code.co_filename}:{traceback.tb_lineno} ({code.co_name})"
