"""Datasets: announced, sent straight to Storage, completed, and nobody else's business."""

import hashlib

import httpx
import pytest

from tests.conftest import User

CONTENT = b"length,species\n1,Adelie\n2,Gentoo\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def announce(api: httpx.Client, headers: dict[str, str], **order) -> dict:
    """Announce a dataset."""
    order = {"filename": "pen guins.csv", "size_bytes": len(CONTENT), **order}
    answer = api.post("/api/datasets", json=order, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def upload(api: httpx.Client, headers: dict[str, str], content: bytes = CONTENT) -> dict:
    """Announce, send and complete a dataset as a client does."""
    made = announce(api, headers, size_bytes=len(content))
    order = made["upload"]
    sent = httpx.request(order["method"], order["url"], headers=order["headers"], content=content, trust_env=False)
    assert sent.status_code == 200, sent.text
    body = {"sha256": hashlib.sha256(content).hexdigest()}
    completed = api.post(f"/api/datasets/{made['dataset']['id']}/complete", json=body, headers=headers)
    assert completed.status_code == 200, completed.text
    return completed.json()


def test_upload_goes_straight_to_storage(api: httpx.Client, analyst: User):
    """Announce, PUT, complete: the dataset is ready, and completing again changes nothing."""
    dataset = upload(api, analyst.headers)

    assert (dataset["status"], dataset["sha256"], dataset["size_bytes"]) == ("ready", DIGEST, len(CONTENT))
    assert dataset["name"] == "pen guins.csv"
    again = api.post(f"/api/datasets/{dataset['id']}/complete", json={"sha256": DIGEST}, headers=analyst.headers)
    assert again.json() == dataset
    other = api.post(f"/api/datasets/{dataset['id']}/complete", json={"sha256": "0" * 64}, headers=analyst.headers)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


def test_key_with_scope_train_uploads_for_its_owner(api: httpx.Client, analyst: User, stranger: User):
    """A machine brings data in its owner's name."""
    order = {"name": "ci", "scopes": ["train"]}
    key = api.post("/api/keys", json=order, headers=analyst.headers).json()["key"]

    dataset = upload(api, {"x-api-key": key})

    assert api.get(f"/api/datasets/{dataset['id']}", headers=analyst.headers).status_code == 200
    assert api.get(f"/api/datasets/{dataset['id']}", headers=stranger.headers).status_code == 404
    mine = {each["id"] for each in api.get("/api/datasets", headers={"x-api-key": key}).json()["datasets"]}
    assert dataset["id"] in mine


def test_complete_before_the_bytes_is_a_conflict(api: httpx.Client, analyst: User):
    """Nothing becomes ready that is not there."""
    made = announce(api, analyst.headers)

    answer = api.post(
        f"/api/datasets/{made['dataset']['id']}/complete", json={"sha256": DIGEST}, headers=analyst.headers
    )

    assert answer.status_code == 409


def test_datasets_are_found_by_a_part_of_their_name(api: httpx.Client, analyst: User, unique: str):
    """In any case, with signs of patterns standing for themselves; a page goes on behind the last id."""
    named = {
        name: announce(api, analyst.headers, name=f"{unique} {name}")["dataset"]["id"] for name in ("50%", "a_b", "AXB")
    }

    def found(search: str, **more: str) -> list[str]:
        params = {"search": search, **more}
        listed = api.get("/api/datasets", params=params, headers=analyst.headers).raise_for_status().json()["datasets"]
        return [each["name"].removeprefix(f"{unique} ") for each in listed]

    assert found(f" {unique.upper()} ") == ["AXB", "a_b", "50%"]
    assert found(f"{unique} a_b") == ["a_b"]
    assert found(f"{unique} 50%") == ["50%"]
    assert found(f"{unique} %B") == []
    assert found(f"{unique} ax") == ["AXB"]
    assert found(unique, before=named["a_b"]) == ["50%"]
    assert api.get("/api/datasets", params={"search": "x" * 121}, headers=analyst.headers).status_code == 422


def test_datasets_are_nobody_elses(api: httpx.Client, analyst: User, stranger: User, viewer: User, admin: User):
    """Strangers do not see a dataset, admins do, nobody signs in first, and viewers bring none."""
    made = announce(api, analyst.headers)["dataset"]
    address = f"/api/datasets/{made['id']}"

    assert api.get(address).status_code == 401
    assert api.get(address, headers=stranger.headers).status_code == 404
    assert api.get(address, headers=admin.headers).status_code == 200
    body = {"sha256": DIGEST}
    assert api.post(f"{address}/complete", json=body, headers=stranger.headers).status_code == 404
    order = {"filename": "x.csv", "size_bytes": 1}
    assert api.post("/api/datasets", json=order).status_code == 401
    assert api.post("/api/datasets", json=order, headers=viewer.headers).status_code == 403


def test_datasets_are_listed_in_pages(api: httpx.Client, analyst: User):
    """Newest first; `before` leads on."""
    first, second = (announce(api, analyst.headers)["dataset"]["id"] for _ in range(2))

    newest = api.get("/api/datasets", params={"limit": 1}, headers=analyst.headers).json()["datasets"]
    older = api.get("/api/datasets", params={"limit": 1, "before": second}, headers=analyst.headers).json()["datasets"]

    assert [newest[0]["id"], older[0]["id"]] == [second, first]


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"filename": "x.csv"},
        {"filename": "x.csv", "size_bytes": 0},
        {"filename": "x.csv", "size_bytes": 51 * 1024 * 1024},
        {"filename": "../x.csv", "size_bytes": 1},
        {"filename": "", "size_bytes": 1},
        {"filename": "...", "size_bytes": 1},
        {"filename": "x.csv", "size_bytes": 1, "name": "  "},
        {"filename": "x.csv", "size_bytes": 1, "owner_id": "0"},
        {"filename": "x\u0000.csv", "size_bytes": 1},
    ],
)
def test_bad_orders(api: httpx.Client, analyst: User, order):
    """Each ends in a 422 that says what to change."""
    answer = api.post("/api/datasets", json=order, headers=analyst.headers)

    assert answer.status_code == 422, answer.text
    assert "violates" not in answer.text


@pytest.mark.parametrize("dataset_id", ["none", "0", "00000000-0000-0000-0000-00000000000g", "%27"])
def test_bad_ids(api: httpx.Client, analyst: User, dataset_id):
    """An id that cannot be one never reaches the database."""
    assert api.get(f"/api/datasets/{dataset_id}", headers=analyst.headers).status_code == 422
