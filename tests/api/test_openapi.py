"""The description of the API: whole, documented, and true about failures."""

import json
import re

import httpx
import pytest

from api._lib.app import create_app
from api._lib.openapi import describe
from api._lib.routers import load_routers
from tests.conftest import User

DESCRIPTION = describe(create_app(*load_routers()))
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
]
OURS = [each for each in OPERATIONS if " /api/" in str(each.id)]


def test_served_description_is_the_whole_api(api: httpx.Client):
    """One function describes them all; asking again costs nothing."""
    answer = api.get("/api/openapi.json")

    assert set(answer.json()["paths"]) >= set(DESCRIPTION["paths"])
    assert {
        "/api/predict/{model}",
        "/api/models",
        "/api/datasets",
        "/api/runs",
        "/api/keys",
        "/api/me",
        "/api/health",
    } <= set(answer.json()["paths"])
    assert api.get("/api/openapi.json", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_documented(operation):
    """Each says what it does, and each parameter what it means."""
    assert operation["description"]
    assert operation["tags"]
    assert all(parameter.get("description") for parameter in operation.get("parameters", []))


@pytest.mark.parametrize("operation", OURS)
def test_every_failure_is_the_one_problem(operation):
    """No operation documents another error body than ours."""
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
            assert list(answer["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("operation", OURS)
def test_what_needs_somebody_says_so(operation):
    """An operation that answers 401 tells how to be somebody."""
    if "401" in operation["responses"]:
        assert operation["security"]


def test_every_reference_leads_somewhere():
    """No schema refers to one that is not there, nor to a place within itself that a reader cannot find from outside."""
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DESCRIPTION))):
        place = DESCRIPTION
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def test_operation_ids_are_unique():
    """A client generator makes one function of each."""
    ids = [each.values[0]["operationId"] for each in OPERATIONS]

    assert len(set(ids)) == len(ids)


def test_fields_are_described():
    """Every field of ours that its name and type do not explain has a description or an example."""
    problem = DESCRIPTION["components"]["schemas"]["Problem"]

    assert set(problem["required"]) == {"type", "title", "status", "detail", "code", "error", "errors"}


@pytest.mark.parametrize(
    ("who", "kind", "role"), [("viewer", "user", "viewer"), ("analyst", "user", "analyst"), ("admin", "user", "admin")]
)
def test_me_names_the_caller(api: httpx.Client, request, who, kind, role):
    """The API says who it takes one for."""
    user: User = request.getfixturevalue(who)

    assert api.get("/api/me", headers=user.headers).json() == {
        "kind": kind,
        "id": user.id,
        "email": user.email,
        "role": role,
        "scopes": [],
        "model": None,
    }


def test_me_names_nobody_and_keys(api: httpx.Client, analyst: User):
    """Nobody is anonymous; a key is its owner's, with its scopes."""
    key = api.post("/api/keys", json={"name": "me", "scopes": ["train", "predict"]}, headers=analyst.headers).json()[
        "key"
    ]

    assert api.get("/api/me").json() == {
        "kind": "anonymous",
        "id": None,
        "email": None,
        "role": "anonymous",
        "scopes": [],
        "model": None,
    }
    assert api.get("/api/me", headers={"x-api-key": key}).json() == {
        "kind": "key",
        "id": analyst.id,
        "email": None,
        "role": "analyst",
        "scopes": ["predict", "train"],
        "model": None,
    }


def test_health_and_readiness(api: httpx.Client):
    """Alive says what it is made of; ready names every part."""
    health = api.get("/api/health").json()
    ready = api.get("/api/ready").json()

    assert health["status"] == "pass"
    assert health["libraries"]["onnxruntime"]
    assert set(ready["checks"]) == {"database", "storage", "queue", "kv"}
    assert {check["status"] for name, check in ready["checks"].items() if name != "queue"} == {"pass"}
