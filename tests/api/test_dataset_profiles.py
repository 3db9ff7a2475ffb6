"""What a table holds, over HTTP: found by a job, corrected, taken from the database as its reader, deleted."""

import time

import httpx

from tests.api.test_datasets import upload
from tests.conftest import RunningStack, User

TABLE = b"zip,amount,species\n" + b"".join(b"0%d,%d,%s\n" % (1000 + n % 7, n, b"ab"[n % 2 :][:1]) for n in range(60))
MAX_SECONDS = 60


def _profile(api: httpx.Client, dataset: str, user: User) -> dict:
    ends_at = time.monotonic() + MAX_SECONDS
    path = f"/api/datasets/{dataset}/profile"
    while (found := api.get(path, headers=user.headers).json())["status"] == "queued":
        assert time.monotonic() < ends_at, found
        time.sleep(0.2)
    return dict(found)


def _pointers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [each["pointer"] for each in answer.json()["errors"]]


def test_profile_is_made_and_corrected(api: httpx.Client, analyst: User, stranger: User, worker: None):
    """It comes by itself; corrections make a new one; unknown columns and types are pointed at."""
    dataset = upload(api, analyst.headers, TABLE)["id"]
    found = _profile(api, dataset, analyst)
    assert (found["status"], found["profile"]["rows"]) == ("ready", 60)
    path = f"/api/datasets/{dataset}"
    assert api.get(f"{path}/profile", headers=stranger.headers).status_code == 404

    changed = api.patch(path, json={"types": {"zip": "text"}, "drop": ["amount"]}, headers=analyst.headers)

    assert (changed.status_code, changed.json()["profile_status"]) == (200, "queued")
    columns = {column["name"]: column for column in _profile(api, dataset, analyst)["profile"]["columns"]}
    assert (columns["zip"]["type"], columns["amount"]["used"]) == ("text", False)
    for body, pointer in (
        ({"types": {"nope": "text"}}, "#/types/nope"),
        ({"types": {"zip": "colour"}}, "#/types/zip"),
        ({"drop": ["nope"]}, "#/drop/0"),
    ):
        assert _pointers(api.patch(path, json=body, headers=analyst.headers)) == [pointer]


def test_needed_dataset_stays(api: httpx.Client, analyst: User, unique: str):
    """A queued run holds it; once that is cancelled it goes."""
    dataset = upload(api, analyst.headers)["id"]
    order = {"dataset_id": dataset, "model": unique, "target": "species"}
    run = api.post("/api/runs", json=order, headers=analyst.headers).json()["id"]
    path = f"/api/datasets/{dataset}"
    assert api.delete(path, headers=analyst.headers).status_code == 409
    api.post(f"/api/runs/{run}/cancel", headers=analyst.headers)

    assert api.delete(path, headers=analyst.headers).status_code == 204
    assert api.get(path, headers=analyst.headers).status_code == 404


def test_table_is_read_as_its_reader(
    api: httpx.Client, stack: RunningStack, analyst: User, stranger: User, unique: str
):
    """Row security decides: another person's rows never come along, and a key reads no table."""
    with stack.connect() as connection:
        connection.execute(f"create table public.{unique} (owner_id uuid, amount int)")
        connection.execute(f"alter table public.{unique} enable row level security")
        connection.execute(f"create policy own on public.{unique} using (owner_id = (select auth.uid()))")
        connection.execute(f"grant select on public.{unique} to authenticated")
        connection.execute(
            f"insert into public.{unique} values (%s, 1), (%s, 2), (%s, 3)", (analyst.id, analyst.id, stranger.id)
        )
    order = {"table": f"public.{unique}"}
    try:
        made = api.post("/api/datasets", json=order, headers=analyst.headers)
        key = api.post("/api/keys", json={"name": "t", "scopes": ["train"]}, headers=analyst.headers).json()["key"]
        refused = api.post("/api/datasets", json=order, headers={"x-api-key": key})
    finally:
        with stack.connect() as connection:
            connection.execute(f"drop table public.{unique}")

    assert made.status_code == 201, made.text
    assert made.json()["dataset"]["status"] == "ready"
    with stack.connect() as connection:
        statement = "select object_path from public.datasets where id = %s"
        path = connection.execute(statement, (made.json()["dataset"]["id"],)).fetchone()[0]
    with stack.client(is_service=True) as storage:
        content = storage.get(f"/storage/v1/object/datasets/{path}").text
    assert content.count(analyst.id) == 2
    assert stranger.id not in content
    assert refused.status_code == 403


def test_run_options_are_kept_or_pointed_at(api: httpx.Client, analyst: User, unique: str, worker: None):
    """What a run may be asked for is written down; what cannot be says where."""
    dataset = upload(api, analyst.headers, TABLE)["id"]
    _profile(api, dataset, analyst)
    order = {"dataset_id": dataset, "model": unique, "target": "species"}
    options = {"metric": "accuracy", "class_weights": "balanced", "types": {"zip": "category"}, "workers": 2}
    made = api.post("/api/runs", json={**order, "options": options}, headers=analyst.headers)
    assert made.status_code == 201, made.text
    api.post(f"/api/runs/{made.json()['id']}/cancel", headers=analyst.headers)
    assert made.json()["options"] == options

    for changes, pointer in (({"options": {"metric": "beauty"}}, "#/options/metric"),):
        refused = api.post("/api/runs", json={**order, **changes}, headers=analyst.headers)
        assert _pointers(refused) == [pointer], changes
