"""API keys: shown once, scoped, revoked within seconds, never more than their owner."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api._lib.auth import KEY_FRESH_SECONDS
from tests.conftest import RunningStack, User

ROW = {"length": 1}


def _create(api: httpx.Client, user: User, **order) -> dict:
    answer = api.post("/api/keys", json={"name": "test", **order}, headers=user.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_key_reads_and_predicts_for_its_owner(
    api: httpx.Client, public_model: str, private_model: str, analyst: User, header
):
    """A key may use its owner's private model, in either header."""
    key = _create(api, analyst)["key"]
    headers = {header: f"Bearer {key}" if header == "authorization" else key}

    assert key.startswith("rc_")
    assert api.post(f"/api/predict/{private_model}", json=ROW, headers=headers).status_code == 200
    assert api.post(f"/api/predict/{public_model}", json=ROW, headers=headers).status_code == 200
    assert api.get(f"/api/models/{private_model}/card", headers=headers).status_code == 200
    assert private_model in {model["slug"] for model in api.get("/api/models", headers=headers).json()["models"]}


def test_key_of_somebody_else_does_not_see_it(api: httpx.Client, private_model: str, stranger: User):
    """A key has its owner's view and no more, although it is looked up with the secret key."""
    headers = {"x-api-key": _create(api, stranger)["key"]}

    assert api.post(f"/api/predict/{private_model}", json=ROW, headers=headers).status_code == 404
    assert api.get(f"/api/models/{private_model}", headers=headers).status_code == 404
    assert private_model not in {model["slug"] for model in api.get("/api/models", headers=headers).json()["models"]}


def test_key_is_kept_as_a_hash(api: httpx.Client, stack: RunningStack, analyst: User):
    """Neither the list nor the table knows the key; the list knows enough to recognise it."""
    made = _create(api, analyst, name="hashed")

    listed = next(
        key for key in api.get("/api/keys", headers=analyst.headers).json()["keys"] if key["id"] == made["id"]
    )
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert made["prefix"] in made["key"]
    with stack.connect() as connection:
        row = connection.execute(
            "select to_jsonb(held)::text from public.api_keys as held where id = %s", (made["id"],)
        )
        assert made["key"].rpartition("_")[2] not in row.fetchone()[0]


def test_revoked_key_stops_within_five_seconds(api: httpx.Client, private_model: str, analyst: User):
    """After the revocation the key works for a moment at most, then never again."""
    made = _create(api, analyst)
    headers = {"x-api-key": made["key"]}
    assert api.post(f"/api/predict/{private_model}", json=ROW, headers=headers).status_code == 200

    assert api.delete(f"/api/keys/{made['id']}", headers=analyst.headers).status_code == 204

    time.sleep(KEY_FRESH_SECONDS + 0.1)
    refused = api.post(f"/api/predict/{private_model}", json=ROW, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "credential_rejected")
    assert api.delete(f"/api/keys/{made['id']}", headers=analyst.headers).status_code == 404


def test_key_for_one_model_works_for_no_other(api: httpx.Client, public_model: str, private_model: str, analyst: User):
    """A key bound to a model is refused at every other one, public ones included."""
    headers = {"x-api-key": _create(api, analyst, model=private_model)["key"]}

    assert api.post(f"/api/predict/{private_model}", json=ROW, headers=headers).status_code == 200
    assert api.post(f"/api/predict/{public_model}", json=ROW, headers=headers).status_code == 403


def test_scopes_bound_a_key(api: httpx.Client, public_model: str, analyst: User):
    """A key for predictions cannot train, one for feedback cannot predict, and none makes keys."""
    predicts = {"x-api-key": _create(api, analyst)["key"]}
    feeds = {"x-api-key": _create(api, analyst, scopes=["feedback"])["key"]}
    trains = {"x-api-key": _create(api, analyst, scopes=["train", "predict"])["key"]}

    assert api.get("/api/runs", headers=predicts).json()["code"] == "not_allowed"
    assert api.post(f"/api/predict/{public_model}", json=ROW, headers=feeds).status_code == 403
    assert api.get("/api/runs", headers=trains).status_code == 200
    assert api.get("/api/keys", headers=trains).status_code == 403


def test_expired_key_is_refused(api: httpx.Client, public_model: str, analyst: User):
    """A key stops at its time, even while it is remembered as good."""
    expires_at = datetime.now(UTC) + timedelta(seconds=1)
    headers = {"x-api-key": _create(api, analyst, expires_at=expires_at.isoformat())["key"]}
    assert api.post(f"/api/predict/{public_model}", json=ROW, headers=headers).status_code == 200

    time.sleep(1.1)

    assert api.post(f"/api/predict/{public_model}", json=ROW, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"name": ""}, 422),
        ({}, 422),
        ({"name": "x", "scopes": []}, 422),
        ({"name": "x", "scopes": ["root"]}, 422),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"name": "x", "expires_at": "2099-01-01T00:00:00"}, 422),
        ({"name": "x", "model": "no-such-model"}, 404),
        ({"name": "x", "scopes": ["admin"]}, 403),
        ({"name": "x", "key": "rc_mine"}, 422),
    ],
)
def test_bad_orders(api: httpx.Client, analyst: User, order, status):
    """A key beyond its owner, or beyond sense, is not made."""
    assert api.post("/api/keys", json=order, headers=analyst.headers).status_code == status


def test_viewers_make_keys_but_not_for_training(api: httpx.Client, viewer: User):
    """The database bounds a key by its owner's role."""
    assert api.post("/api/keys", json={"name": "x"}, headers=viewer.headers).status_code == 201
    assert api.post("/api/keys", json={"name": "x", "scopes": ["train"]}, headers=viewer.headers).status_code == 403


def test_strangers_and_nobody_cannot_revoke(api: httpx.Client, analyst: User, stranger: User):
    """Somebody else's key is not there."""
    made = _create(api, analyst)

    assert api.delete(f"/api/keys/{made['id']}").status_code == 401
    assert api.delete(f"/api/keys/{made['id']}", headers=stranger.headers).status_code == 404
    assert api.delete("/api/keys/none", headers=analyst.headers).status_code == 422
    assert made["id"] not in {key["id"] for key in api.get("/api/keys", headers=stranger.headers).json()["keys"]}


@pytest.mark.parametrize("key", ["rc_", "rc_x_y", "rc_" + "a" * 5000, "rc_ü_x", "other"])
def test_unknown_keys_are_refused(api: httpx.Client, public_model: str, key):
    """A key that is none is 401, also where nobody could have asked."""
    headers = {"x-api-key": key.encode()}

    assert api.post(f"/api/predict/{public_model}", json=ROW, headers=headers).status_code == 401
