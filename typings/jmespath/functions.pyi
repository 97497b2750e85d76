from collections.abc import Callable, Sequence
from typing import ClassVar, NotRequired, ParamSpec, TypedDict, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

class _Argument(TypedDict):
    # Names of JMESPath types ("string", "array-number", ...); empty allows every type.
    types: Sequence[str]
    variadic: NotRequired[bool]

class _Specification(TypedDict):
    function: Callable[..., object]
    signature: tuple[_Argument, ...]

TYPES_MAP: dict[str, str]
REVERSE_TYPES_MAP: dict[str, tuple[str, ...]]

def signature(*arguments: _Argument) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...

class FunctionRegistry(type):
    FUNCTION_TABLE: dict[str, _Specification]

class Functions(metaclass=FunctionRegistry):
    FUNCTION_TABLE: ClassVar[dict[str, _Specification]]
    def call_function(self, function_name: str, resolved_args: Sequence[object]) -> object: ...
