"""`GET /openapi.json` is made of the routes: whoever adds one describes it."""

from collections.abc import Mapping
from typing import Final

import pytest
from jsonschema import Draft202012Validator

from flowcore.testing import ManualClock, MemoryEventLog
from flowcore_adapters.artifacts.signed_urls import UrlSigner
from flowcore_adapters.artifacts.url_keys import new_keys, parse_keys
from flowcore_adapters.http.app import create_app, routes
from flowcore_adapters.http.description.openapi import described
from flowcore_adapters.http.description.operations import operations
from flowcore_adapters.http.routing import Route
from flowcore_adapters.http.uploads.resources import Uploads
from tests.contract.wsgi_client import call
from tests.upload_server import NoStores

METHODS: Final = ("get", "post", "put", "patch", "delete")
LOG: Final = MemoryEventLog()
UPLOADS: Final = Uploads(signer=UrlSigner(parse_keys(new_keys(), "here"), ManualClock().now), stores=NoStores())
ROUTES: Final = described(routes(LOG, uploads=UPLOADS))
OPERATIONS: Final = [(route, method) for route in ROUTES for method in operations(route.resource)]


@pytest.mark.parametrize(("route", "method"), OPERATIONS, ids=lambda each: getattr(each, "path", each))
def test_every_responder_is_described(route: Route, method: str) -> None:
    name = f"{type(route.resource).__name__}.on_{method}"
    assert operations(route.resource)[method] is not None, (
        f"{method.upper()} {route.path} is not in /openapi.json: put `@operation(about, answers={{200: SCHEMA}})`"
        f" above {name} (see flowcore_adapters/http/description/operations.py)"
    )


@pytest.mark.parametrize(("route", "method"), OPERATIONS, ids=lambda each: getattr(each, "path", each))
def test_schemas_are_schemas(route: Route, method: str) -> None:
    found = operations(route.resource)[method]
    assert found is not None
    assert found.about
    assert min(found.answers) < 400, "something is answered when all is well"
    schemas = [found.body, *(answer.schema for answer in found.answers.values())]
    for schema in schemas:
        assert schema is None or isinstance(schema, Mapping)
        Draft202012Validator.check_schema(schema or {})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_what_is_not_described_is_not_allowed(route: Route) -> None:
    application = create_app(LOG, uploads=UPLOADS)
    for method in METHODS:
        if method not in operations(route.resource):
            answer = call(application, route.path.replace("{", "").replace("}", ""), method=method.upper())
            assert (answer.status, set(answer.document)) == (405, {"error"})


def test_the_document() -> None:
    answer = call(create_app(LOG, uploads=UPLOADS), "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    document = answer.document
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {route.path.replace(":path", "") for route in ROUTES}
    assert document["paths"]["/api/runs/{run_id}/explain"] == {
        "parameters": [
            {
                "name": "run_id",
                "in": "path",
                "required": True,
                "description": ("A run, in any spelling: `1733524800000`, `exec-1733524800000`, `run_1733524800000`."),
                "schema": {"type": "string", "minLength": 1},
            }
        ],
        "get": {
            "summary": "Why a step stands where it stands",
            "x-scope": "read",
            "security": [{"token": []}, {"password": []}, {}],
            "parameters": [
                {
                    "name": "step",
                    "in": "query",
                    "required": True,
                    "description": "Its name, or an item of its list: `fetch/3`.",
                    "schema": {"type": "string"},
                },
                {
                    "name": "at",
                    "in": "query",
                    "required": False,
                    "description": "Why it stood so at this position.",
                    "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
                },
            ],
            "responses": document["paths"]["/api/runs/{run_id}/explain"]["get"]["responses"],
        },
    }
    responses = document["paths"]["/api/runs/{run_id}/explain"]["get"]["responses"]
    assert set(responses) == {"200", "304", "400", "401", "403", "404", "413", "415", "421"}
    assert call(create_app(LOG, uploads=UPLOADS), "/openapi.json", method="HEAD").body == b""
