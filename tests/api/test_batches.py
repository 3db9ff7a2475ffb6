"""Batches through the API: asked for, watched, cancelled, and nobody else's business. The scoring itself: tests/jobs."""

import httpx
import pytest

from tests.api.test_datasets import announce, upload
from tests.conftest import User


def order(api: httpx.Client, headers: dict[str, str], model: str, **changes) -> httpx.Response:
    """Upload a table and ask for it to be scored."""
    body = {"dataset_id": upload(api, headers)["id"], "model": model, **changes}
    return api.post("/api/batches", json=body, headers=headers)


def test_batch_is_queued_for_the_version_meant_now(api: httpx.Client, analyst: User, public_model: str):
    """An alias is followed once, when the batch is asked for."""
    first = order(api, analyst.headers, public_model)
    other = order(api, analyst.headers, f"{public_model}@challenger")

    assert first.status_code == 201, first.text
    batch = first.json()
    assert (batch["model"], batch["version"], other.json()["version"]) == (public_model, 1, 2)
    assert (batch["status"], batch["progress"], batch["rows_total"], batch["rows_done"]) == ("queued", 0, None, 0)
    assert api.get(f"/api/batches/{batch['id']}", headers=analyst.headers).json() == batch
    newest = api.get("/api/batches", params={"limit": 2}, headers=analyst.headers).json()["batches"]
    assert [each["id"] for each in newest] == [other.json()["id"], batch["id"]]


def test_batch_can_be_cancelled_twice(api: httpx.Client, analyst: User, public_model: str):
    """Cancelling is final and harmless to repeat; there is no result."""
    made = order(api, analyst.headers, public_model).json()["id"]

    for _ in range(2):
        assert api.post(f"/api/batches/{made}/cancel", headers=analyst.headers).json()["status"] == "cancelled"
    answer = api.get(f"/api/batches/{made}/result", headers=analyst.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "cancelled" in answer.json()["detail"]


def test_batches_are_nobody_elses(
    api: httpx.Client, analyst: User, stranger: User, viewer: User, admin: User, public_model: str
):
    """Strangers neither see nor cancel a batch; visitors sign in first; viewers start none; a key acts for its owner."""
    made = order(api, analyst.headers, public_model).json()
    address = f"/api/batches/{made['id']}"
    key = api.post("/api/keys", json={"name": "ci", "scopes": ["train"]}, headers=analyst.headers).json()["key"]
    weak = api.post("/api/keys", json={"name": "weak", "scopes": ["predict"]}, headers=analyst.headers).json()["key"]
    body = {"dataset_id": made["dataset_id"], "model": public_model}

    assert api.get(address).status_code == 401
    assert api.get(address, headers=admin.headers).status_code == 200
    assert api.get(address, headers={"x-api-key": key}).status_code == 200
    for path in (address, f"{address}/result"):
        assert api.get(path, headers=stranger.headers).status_code == 404
    assert api.post(f"{address}/cancel", headers=stranger.headers).status_code == 404
    assert api.post("/api/batches", json=body, headers=stranger.headers).status_code == 404
    assert api.post("/api/batches", json=body, headers=viewer.headers).status_code == 403
    assert api.post("/api/batches", json=body, headers={"x-api-key": weak}).status_code == 403
    assert api.post("/api/batches", json=body, headers={"x-api-key": key}).status_code == 201


def test_private_model_scores_for_its_owner_only(api: httpx.Client, analyst: User, stranger: User, private_model: str):
    """Somebody else's private model does not exist."""
    assert order(api, analyst.headers, private_model).status_code == 201
    assert order(api, stranger.headers, private_model).status_code == 404


def test_bad_orders(api: httpx.Client, analyst: User, public_model: str):
    """Each is refused with what to change."""
    pending = announce(api, analyst.headers)["dataset"]["id"]
    nowhere = "00000000-0000-7000-8000-000000000000"
    cases = [
        ({"dataset_id": pending, "model": public_model}, 409),
        ({"dataset_id": nowhere, "model": public_model}, 404),
        ({"dataset_id": pending, "model": "no-such-model"}, 404),
        ({"dataset_id": pending, "model": f"{public_model}@9"}, 404),
        ({"dataset_id": "none", "model": public_model}, 422),
        ({"model": public_model}, 422),
        ({"dataset_id": pending, "model": "x" * 101}, 422),
        ({"dataset_id": pending, "model": public_model, "status": "succeeded"}, 422),
    ]

    answers = [api.post("/api/batches", json=body, headers=analyst.headers) for body, _ in cases]

    assert [answer.status_code for answer in answers] == [status for _, status in cases]
    assert all(answer.json()["detail"] for answer in answers)


@pytest.mark.parametrize("path", ["/api/batches/none", "/api/batches/none/result"])
def test_bad_ids(api: httpx.Client, analyst: User, path: str):
    """An id that cannot be one never reaches the database."""
    assert api.get(path, headers=analyst.headers).status_code == 422
