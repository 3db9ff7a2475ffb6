"""The same rules through the data API and Storage, as people's browsers meet them."""

import json
from typing import Any

import httpx
import pytest

CSV = b"species,mass\nAdelie,3700\n"


@pytest.fixture
def dataset(stack: Any, analyst: Any, unique: str) -> dict[str, Any]:
    """Announce an upload as an analyst."""
    with stack.client(user=analyst) as client:
        body = {"name": unique, "filename": "my table.csv"}
        answer = client.post("/rest/v1/datasets", json=body, headers={"Prefer": "return=representation"})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()[0]
    return created


def upload(client: httpx.Client, path: str) -> httpx.Response:
    """Upload as the site does: ask for a signed address, then put the bytes there."""
    signed = client.post(f"/storage/v1/object/upload/sign/datasets/{path}")
    if not signed.is_success:
        return signed
    address = signed.json().get("signedUrl") or signed.json()["url"]
    return httpx.put(f"{client.base_url}{address}", content=CSV, headers={"content-type": "text/csv"}, trust_env=False)


def test_analyst_uploads_where_the_row_says(stack: Any, analyst: Any, dataset: dict[str, Any]) -> None:
    """The path comes from the database; owner and server read it back, nobody else."""
    path = f"/storage/v1/object/datasets/{dataset['object_path']}"
    with stack.client(user=analyst) as client:
        assert upload(client, dataset["object_path"]).is_success
        assert client.get(path).content == CSV

    with stack.client(is_service=True) as client:
        assert client.get(path).content == CSV
    with stack.client() as client:
        assert not client.get(path).is_success


def test_uploads_into_other_folders_are_refused(
    stack: Any, viewer: Any, analyst: Any, stranger: Any, dataset: dict[str, Any]
) -> None:
    """Neither a stranger, nor a viewer in a folder of their own, nor anybody in the bucket of artefacts."""
    with stack.client(user=stranger) as client:
        assert not upload(client, dataset["object_path"]).is_success
        assert not client.get(f"/storage/v1/object/datasets/{dataset['object_path']}").is_success
    with stack.client(user=viewer) as client:
        assert not upload(client, f"{viewer.id}/x/x.csv").is_success
    with stack.client(user=analyst) as client:
        answer = client.post(f"/storage/v1/object/models/{'a' * 64}/model.onnx", content=b"x")
        assert not answer.is_success
    with stack.client() as client:
        assert not upload(client, "rowcast/x/x.csv").is_success


def test_visitor_reads_only_the_published_face(anonymous_client: httpx.Client) -> None:
    """Without an account there are public models, and nothing else."""
    face = "/rest/v1/models?select=slug,title,versions(number,digest),aliases(name,versions(number))"
    assert anonymous_client.get(face).status_code == 200

    for table in ("datasets", "runs", "run_events", "promotions", "api_keys", "models?select=owner_id"):
        answer = anonymous_client.get(f"/rest/v1/{table}")
        assert (answer.status_code, answer.json()["code"]) == (401, "42501"), table


def test_private_schema_cannot_be_named(stack: Any, admin: Any) -> None:
    """Not even an admin reaches the tables behind the functions."""
    with stack.client(user=admin) as client:
        answer = client.get("/rest/v1/user_roles", headers={"Accept-Profile": "private"})

    assert not answer.is_success


def test_refusals_of_functions_keep_status_and_words(stack: Any, analyst: Any) -> None:
    """What the database raises arrives as an HTTP status with a sentence for people."""
    with stack.client(user=analyst) as client:
        body = {"model_slug": "nothing", "alias": "champion", "version_number": 1, "reason": "x"}
        missing = client.post("/rest/v1/rpc/promote", json=body)
        forbidden = client.post("/rest/v1/rpc/find_api_key", json={"key_hash": "a" * 64})

    assert (missing.status_code, missing.json()["message"]) == (404, 'There is no model "nothing".')
    assert forbidden.status_code == 403


def test_everybody_is_told_their_role(stack: Any, anonymous_client: httpx.Client, admin: Any) -> None:
    """The data API passes the caller on."""
    with stack.client(user=admin) as client:
        assert client.post("/rest/v1/rpc/current_user_role").json() == "admin"
    assert anonymous_client.post("/rest/v1/rpc/current_user_role").json() == "anonymous"


def test_service_promotes_in_the_name_of_a_key_owner(
    stack: Any, service_client: httpx.Client, analyst: Any, dataset: dict[str, Any], unique: str
) -> None:
    """Structured evidence survives the way through the data API, and the person is written down."""
    card = {"digest": "d" * 64, "name": unique, "title": "T", "target": "t", "task": "binary", "size_bytes": 5}
    with stack.connect() as connection:
        connection.execute(
            "update public.datasets set status = 'ready', size_bytes = 1, sha256 = repeat('a', 64) where id = %s",
            (dataset["id"],),
        )
        statement = "insert into public.runs (dataset_id, model_slug, target) values (%s, %s, 't') returning id"
        (run,) = connection.execute(statement, (dataset["id"], unique)).fetchone()
        connection.execute("update public.runs set status = 'running', attempt = 1 where id = %s", (run,))
        arguments = (run, "d" * 64, json.dumps(card | {"parity": {"passed": True}}))
        connection.execute("select public.register_version(%s, 1, %s, %s, 5)", arguments)

    body = {"model_slug": unique, "alias": "canary", "version_number": 1, "reason": "x", "evidence": {"flips": [3]}}
    answer = service_client.post("/rest/v1/rpc/promote", json={**body, "actor": analyst.id})

    assert answer.status_code == 200, answer.text
    assert (answer.json()["evidence"]["flips"], answer.json()["promoted_by"]) == ([3], analyst.id)
