"""`GET /openapi.json`: everything that can be asked of this server, generated from its routes."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

import falcon

from flowcore.json_text import to_json
from flowcore.values import Json
from flowcore_adapters.http.routing import Route, Scope

from .operations import Answer, Operation, operation, operations
from .schemas import ERROR, OBJECT, TEXT, object_of

_VARIABLE: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_REFUSALS: Final = {
    400: "The request is malformed.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site, or may not do this.",
    413: "The body is too large.",
    415: "There is a body, and it is not of a kind that is taken here.",
    421: "The Host header does not name this server.",
}
"""What the guard answers, whatever is asked for."""
_ABOUT: Final = {
    "run_id": "A run, in any spelling: `1733524800000`, `exec-1733524800000`, `run_1733524800000`.",
    "other": "Another run, in any spelling.",
}


class OpenApiResource:
    """The description of the server, made once."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Describe *routes*, and itself."""
        own = Route("/openapi.json", self, Scope.READ)
        self._body = to_json(describe((*routes, own))).encode()

    @operation("What can be asked of this server, as OpenAPI 3.1", answers={200: OBJECT})
    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer with the document."""
        response.set_header("Cache-Control", "no-cache")
        response.content_type = falcon.MEDIA_JSON
        response.data = self._body

    on_head = on_get


def described(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return *routes* and one that describes them all."""
    return (*routes, Route("/openapi.json", OpenApiResource(routes), Scope.READ))


def describe(routes: Sequence[Route]) -> dict[str, Json]:
    """Return the OpenAPI document of *routes*; what nobody has described is left out."""
    paths: dict[str, Json] = {}
    for route in routes:
        methods = {
            method: _operation(route, found)
            for method, found in operations(route.resource).items()
            if found is not None
        }
        if methods:
            variables = _VARIABLE.findall(route.path)
            parameters: Json = [
                {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "description": _ABOUT.get(name, name.replace("_", " ")),
                    "schema": {"type": "string", "minLength": 1},
                }
                for name in variables
            ]
            paths[_VARIABLE.sub(r"{\1}", route.path)] = {**methods, **({"parameters": parameters} if variables else {})}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "flowcore",
            "version": "1",
            "description": "Runs of flows, as their event log tells of them.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": object_of({"error": TEXT})},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic", "description": "Any name, and the token as password."},
            },
        },
    }


def _operation(route: Route, found: Operation) -> dict[str, Json]:
    refusals = {status: Answer(about, ERROR) for status, about in _REFUSALS.items()}
    if _VARIABLE.search(route.path):
        refusals[404] = Answer("There is no such thing.", ERROR)
    answers = {**refusals, **found.answers}
    document: dict[str, Json] = {
        "summary": found.about,
        "x-scope": str(route.scope),
        "responses": {str(status): _answer(status, answers[status]) for status in sorted(answers)},
    }
    if found.query:
        document["parameters"] = [
            {
                "name": parameter.name,
                "in": "query",
                "description": parameter.about,
                "required": parameter.required,
                "schema": parameter.schema,
            }
            for parameter in found.query
        ]
    if found.body is not None:
        document["requestBody"] = {
            "required": found.body_required,
            "content": {"application/json": {"schema": found.body}},
        }
    if route.scope not in {Scope.OPEN, Scope.SIGNED}:
        # Without a token, a server of this machine answers this machine.
        document["security"] = [{"token": []}, {"password": []}, {}]
    return document


def _answer(status: int, answer: Answer) -> dict[str, Json]:
    about = answer.about or HTTPStatus(status).phrase
    if answer.schema is None:
        return {"description": about}
    return {"description": about, "content": {answer.media: {"schema": answer.schema}}}
