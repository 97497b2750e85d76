"""What can be asked of a resource: said beside each responder, for people and for `/openapi.json`.

Every responder (`on_get`, `on_post`, ...) of a route carries one::

    @operation("The events of a run", query=(Parameter("limit", "How many", {"type": "integer"}),), answers={200: PAGE})
    def on_get(self, request, response, run_id): ...

What the guard and the routing answer (400, 401, 403, 404 below a variable, 413, 415, 421) is added by `openapi`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import attrs

from flowcore.values import Json

_Responder = TypeVar("_Responder", bound=Callable[..., object])
_ATTRIBUTE: Final = "openapi_operation"


@attrs.frozen
class Parameter:
    """A parameter in the query.

    Attributes:
        schema: Its values, as JSON Schema.
    """

    name: str
    about: str
    schema: Json
    required: bool = False


@attrs.frozen
class Answer:
    """What an operation may answer with one status.

    Attributes:
        about: When, or what.
        schema: The body, as JSON Schema; None when there is none.
        media: What the body is.
    """

    about: str
    schema: Json = None
    media: str = "application/json"


@attrs.frozen
class Operation:
    """One method of one route.

    Attributes:
        about: What it does, in a line.
        answers: Every status that the resource itself answers with.
        query: The parameters that it reads.
        body: The JSON body that it takes, as JSON Schema; None when it takes none.
        body_required: Whether it refuses a request without one.
    """

    about: str
    answers: Mapping[int, Answer]
    query: Sequence[Parameter] = ()
    body: Json = None
    body_required: bool = False


UNCHANGED: Final = Answer("The caller has seen it already (If-None-Match, or `after`).")


def operation(
    about: str,
    *,
    answers: "Mapping[int, Answer | Json]",
    query: Sequence[Parameter] = (),
    body: Json = None,
    body_required: bool = False,
) -> Callable[[_Responder], _Responder]:
    """Describe the responder below (see `Operation`); an answer may be its schema alone."""
    described = Operation(
        about,
        {status: answer if isinstance(answer, Answer) else Answer(about, answer) for status, answer in answers.items()},
        query,
        body,
        body_required,
    )

    def describe(responder: _Responder) -> _Responder:
        setattr(responder, _ATTRIBUTE, described)
        return responder

    return describe


def operations(resource: object) -> dict[str, Operation | None]:
    """Return what each method of *resource* does; None for one that nobody has described; HEAD is GET."""
    found: dict[str, Operation | None] = {}
    for method in ("get", "post", "put", "patch", "delete"):
        responder = getattr(resource, f"on_{method}", None)
        if responder is not None:
            described = getattr(responder, _ATTRIBUTE, None)
            found[method] = described if isinstance(described, Operation) else None
    return found
