"""The description of the API, made from the routes: every path, with the one problem body and the two credentials."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api._lib import VERSION
from api._lib.problems import Problem, problems
from api._lib.settings import settings

_DESCRIPTION = """Row in, prediction out. Tables become certified models behind a prediction endpoint.

Public models answer anyone. For everything else send `Authorization: Bearer` with the access token of a signed-in
person, or an API key (`rc_…`) in `Authorization: Bearer` or `x-api-key`. Every failure has the same body
(`application/problem+json`); `code` is its fixed name.
"""
_TAGS = [
    {"name": "predict", "description": "Rows in, predictions out"},
    {"name": "inference", "description": "The same models over the Open Inference Protocol V2 and MLflow's protocol"},
    {"name": "models", "description": "What is served: models, versions, aliases, cards, files"},
    {"name": "datasets", "description": "Tables that models are trained on"},
    {"name": "batches", "description": "Whole datasets scored in the background"},
    {"name": "hooks", "description": "Webhooks in: a row comes in, a prediction goes back"},
    {"name": "runs", "description": "Training runs, live"},
    {"name": "subscriptions", "description": "Webhooks out: who is told of what, and how that went"},
    {"name": "keys", "description": "API keys for machines"},
    {"name": "people", "description": "Who may sign in, with whom models are shared, what was done to access"},
    {"name": "me", "description": "Who is calling"},
    {"name": "health", "description": "Is it alive, is it ready, what can it do"},
]
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Access token of a person, or an API key (rc_…)"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "API key (rc_…)"},
}


ANYONE: dict[str, Any] = {"security": [{}, {"bearer": []}, {"apiKey": []}]}
SOMEBODY: dict[str, Any] = {"security": [{"bearer": []}, {"apiKey": []}]}
PERSON: dict[str, Any] = {"security": [{"bearer": []}]}
"""Who may call, for a route's `openapi_extra`."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Describe the app's routes as OpenAPI 3.1."""
    description = get_openapi(
        title="Rowcast",
        version=VERSION,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=_TAGS,
        servers=[{"url": settings().site_url}],
    )
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    description["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for operations in description["paths"].values():
        for operation in operations.values():
            _add_common_answers(operation)
    return description


def _add_common_answers(operation: dict[str, Any]) -> None:
    """Add what the frame around every operation may answer: the caller asks too often, or sends what cannot be read."""
    statuses = (400, 413, 429) if "requestBody" in operation else (429,)
    common = {str(status): answer for status, answer in problems(*statuses).items()}
    operation["responses"] = dict(sorted({**common, **operation["responses"]}.items()))
