"""What a key may reach: every operation of the API, by the scopes and the model that the key was made for."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from api._lib import openapi
from api._lib.app import create_app
from api._lib.routers import load_routers
from tests.conftest import User

DESCRIPTION = openapi.describe(create_app(*load_routers()))
OPERATIONS = [
    (method.upper(), path)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
    if operation.get("security") and path not in {"/api/cron", "/api/hooks/{hook_id}"}
]
"""Those that name somebody by a token or a key; the schedule and the senders of webhooks have secrets of their own."""

OF_MODELS = ("/api/models/", "/api/predict/", "/v2/models/", "/invocations/", "/api/metrics/")
TO_READ = {
    ("GET", "/api/models"),
    ("GET", "/api/models/{slug}"),
    ("GET", "/api/models/{slug}/versions"),
    ("GET", "/api/models/{slug}/versions/{number}"),
    ("GET", "/api/models/{slug}/card"),
    ("GET", "/api/models/{slug}/openapi.json"),
    ("GET", "/api/models/{slug}/artifact"),
    ("GET", "/api/models/{slug}/promotions"),
    ("GET", "/api/models/{slug}/compare"),
    ("GET", "/api/models/{slug}/history"),
    ("GET", "/api/models/{slug}/readme"),
}
FOR_EVERY_KEY = {("GET", "/api/me"), ("POST", "/api/feedback")}
OVER_ALL_MODELS = {("GET", "/api/metrics"), ("GET", "/api/overview")}
"""How models stand: whoever may read the figures of one may read these, and a key for one model reads of that one."""

type MakeKey = Callable[..., dict[str, str]]


@pytest.fixture
def make_key(api: httpx.Client, analyst: User) -> MakeKey:
    """Return a way to make a key of the analyst's and get its headers."""

    def make(*scopes: str, model: str | None = None) -> dict[str, str]:
        order = {"name": "k", "scopes": scopes, "model": model}
        answer = api.post("/api/keys", json=order, headers=analyst.headers)
        assert answer.status_code == 201, answer.text
        return {"x-api-key": answer.json()["key"]}

    return make


def _ask(api: httpx.Client, method: str, path: str, slug: str, headers: dict[str, str]) -> httpx.Response:
    """Ask an operation about a model, and about ids that nothing has."""
    for part in [part for part in path.split("/") if part.startswith("{")]:
        known = {"{slug}": slug, "{model}": slug, "{name}": "champion", "{number}": "1", "{version}": "1"}
        path = path.replace(part, known.get(part, str(uuid4())))
    body = {"json": {}} if method in {"POST", "PUT", "PATCH"} else {}
    return api.request(method, path, headers=headers, **body)


def _code(answer: httpx.Response) -> str:
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return str(answer.json()["code"]) if is_problem else ""


def test_key_for_one_model_reaches_nothing_else(
    api: httpx.Client, make_key: MakeKey, public_model: str, private_model: str
):
    """Neither another model of its owner's, nor anything that no model is named for, whatever its scopes."""
    headers = make_key("predict", "feedback", "train", model=public_model)

    answers = {
        (method, path): _ask(api, method, path, private_model, headers).status_code
        for method, path in OPERATIONS
        if (method, path) not in FOR_EVERY_KEY | OVER_ALL_MODELS
    }

    assert {operation for operation, status in answers.items() if status != 403} == set()


def test_key_for_one_model_works_at_all_its_addresses(api: httpx.Client, make_key: MakeKey, private_model: str):
    """It reads, predicts and promotes there as its owner would."""
    headers = make_key("predict", "train", model=private_model)

    refused = [
        (method, path)
        for method, path in OPERATIONS
        if path.startswith(OF_MODELS) and "members" not in path and method != "DELETE"
        # Makes a model of another name.
        if path != "/api/models/import"
        if _code(_ask(api, method, path, private_model, headers)) in {"not_allowed", "model_not_found"}
    ]

    assert refused == []


def test_key_for_feedback_reaches_nothing_else(api: httpx.Client, make_key: MakeKey, private_model: str):
    """It cannot even read about a model."""
    headers = make_key("feedback")

    answers = {
        (method, path): _ask(api, method, path, private_model, headers).status_code
        for method, path in OPERATIONS
        if (method, path) not in FOR_EVERY_KEY
    }

    assert {operation for operation, status in answers.items() if status != 403} == set()


def test_key_for_predictions_changes_and_lists_nothing(api: httpx.Client, make_key: MakeKey, private_model: str):
    """It reads about models and predicts; whatever makes or changes something asks for another scope."""
    headers = make_key("predict")

    reached = {
        (method, path)
        for method, path in OPERATIONS
        if not path.startswith(OF_MODELS[1:])
        if _ask(api, method, path, private_model, headers).status_code != 403
    }

    assert reached - FOR_EVERY_KEY == (TO_READ | OVER_ALL_MODELS) & set(OPERATIONS)
    assert (
        api.post("/api/feedback", json={"prediction_id": str(uuid4()), "actual": "x"}, headers=headers).status_code
        == 403
    )
