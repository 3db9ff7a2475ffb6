"""Training runs over HTTP: asked for, watched by polling, server-sent events and WebSocket, cancelled, and private."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.test_datasets import upload
from tests.conftest import RunningStack, User


@pytest.fixture(scope="module")
def dataset_id(site_url: str, analyst: User) -> str:
    """Upload one dataset for the runs of this module."""
    with httpx.Client(base_url=site_url, timeout=30, trust_env=False) as api:
        return upload(api, analyst.headers)["id"]


@pytest.fixture
def run(api: httpx.Client, analyst: User, dataset_id: str, unique: str) -> Iterator[dict[str, Any]]:
    """Ask for a run that no worker takes up."""
    order = {"dataset_id": dataset_id, "model": unique, "target": "species", "options": {"seed": 7, "drop": ["id"]}}
    answer = api.post("/api/runs", json=order, headers=analyst.headers)
    assert answer.status_code == 201, answer.text
    yield answer.json()
    api.post(f"/api/runs/{answer.json()['id']}/cancel", headers=analyst.headers)


class Trainer:
    """Does to a run what a worker does, by hand."""

    def __init__(self, stack: RunningStack, run_id: str) -> None:
        self._stack = stack
        self._run_id = run_id

    def say(self, kind: str, **data: Any) -> None:
        """Record an event."""
        with self._stack.connect() as connection:
            row = connection.execute(
                "update public.runs set last_seq = last_seq + 1 where id = %s returning last_seq", (self._run_id,)
            ).fetchone()
            connection.execute(
                "insert into public.run_events (run_id, seq, kind, data) values (%s, %s, %s, %s)",
                (self._run_id, row[0], kind, json.dumps(data)),
            )

    def fail(self, reason: str) -> None:
        """End the run."""
        with self._stack.connect() as connection:
            connection.execute(
                "update public.runs set status = 'failed', reason = %s, finished_at = now() where id = %s",
                (reason, self._run_id),
            )


def test_new_run_waits_for_a_worker(
    api: httpx.Client, run: dict[str, Any], dataset_id: str, analyst: User, unique: str
):
    """A run says what was asked for and where it stands."""
    assert (run["status"], run["kind"], run["heartbeat_at"]) == ("queued", "train", None)
    assert (run["model"], run["dataset_id"], run["options"]) == (unique, dataset_id, {"seed": 7, "drop": ["id"]})
    assert (run["version"], run["visibility"], run["progress"]) == (None, "private", 0)
    assert api.get(f"/api/runs/{run['id']}", headers=analyst.headers).json() == run


def test_runs_are_listed_and_filtered(
    api: httpx.Client, run: dict[str, Any], analyst: User, stranger: User, unique: str
):
    """The list shows one's own runs, newest first, by model and state."""
    listed = api.get("/api/runs", headers=analyst.headers).json()["runs"]
    assert listed[0]["id"] == run["id"]
    assert [each["id"] for each in api.get(f"/api/runs?model={unique}", headers=analyst.headers).json()["runs"]] == [
        run["id"]
    ]
    assert api.get(f"/api/runs?model={unique}&status=failed", headers=analyst.headers).json()["runs"] == []
    assert api.get(f"/api/runs?before={run['id']}&model={unique}", headers=analyst.headers).json()["runs"] == []
    for dataset, count in ((run["dataset_id"], 1), (run["id"], 0)):
        address = f"/api/runs?dataset_id={dataset}&model={unique}"
        assert len(api.get(address, headers=analyst.headers).json()["runs"]) == count
    assert run["id"] not in {each["id"] for each in api.get("/api/runs", headers=stranger.headers).json()["runs"]}


def test_runs_are_nobody_elses(api: httpx.Client, run: dict[str, Any], stranger: User, viewer: User, admin: User):
    """Strangers do not see a run; admins do; nobody signs in first."""
    address = f"/api/runs/{run['id']}"

    assert api.get(address).status_code == 401
    for path in (address, f"{address}/events"):
        assert api.get(path, headers=stranger.headers).json()["code"] == "not_found"
        assert api.get(path, headers=viewer.headers).status_code == 404
        assert api.get(path, headers=admin.headers).status_code == 200
    assert api.post(f"{address}/cancel", headers=stranger.headers).status_code == 404
    assert api.post(f"{address}/cancel").status_code == 401


def test_cancel_ends_a_run_and_can_be_repeated(api: httpx.Client, run: dict[str, Any], analyst: User):
    """Cancelling answers with the ended run, as often as it is asked."""
    for _ in range(2):
        answer = api.post(f"/api/runs/{run['id']}/cancel", headers=analyst.headers)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_ended_run_cannot_be_cancelled(api: httpx.Client, stack: RunningStack, run: dict[str, Any], analyst: User):
    """What failed stays failed, and says why."""
    Trainer(stack, run["id"]).fail("The target is constant")

    answer = api.post(f"/api/runs/{run['id']}/cancel", headers=analyst.headers)

    assert answer.status_code == 409
    assert api.get(f"/api/runs/{run['id']}", headers=analyst.headers).json()["reason"] == "The target is constant"


def test_events_are_resumed_by_number(api: httpx.Client, stack: RunningStack, run: dict[str, Any], analyst: User):
    """Asking with the last number brings what is new and nothing twice."""
    trainer = Trainer(stack, run["id"])
    address = f"/api/runs/{run['id']}/events"
    first = api.get(address, headers=analyst.headers).json()
    assert [event["kind"] for event in first["events"]] == ["queued"]
    trainer.say("trial", score=0.9)

    news = api.get(address, params={"after": first["events"][-1]["seq"]}, headers=analyst.headers).json()

    assert [(event["seq"], event["kind"], event["data"]) for event in news["events"]] == [(2, "trial", {"score": 0.9})]
    assert news["run"]["last_seq"] == 2


def test_stream_tells_events_as_they_happen_and_ends_with_the_run(
    api: httpx.Client, stack: RunningStack, run: dict[str, Any], analyst: User
):
    """Server-sent events carry the number that a client comes back with, and stop when the run does."""
    trainer = Trainer(stack, run["id"])
    headers = {**analyst.headers, "accept": "text/event-stream", "last-event-id": "1"}
    with api.stream("GET", f"/api/runs/{run['id']}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        threading.Thread(target=lambda: (trainer.say("trial", best=1), trainer.fail("no"))).start()
        told = [line for line in answer.iter_lines() if line.startswith(("id:", "event:"))]

    assert told == ["id: 2", "event: trial", "id: 3", "event: failed"]


def test_websocket_tells_events_as_they_happen(
    site_url: str, api: httpx.Client, stack: RunningStack, run: dict[str, Any], analyst: User
):
    """The same events over a WebSocket, from behind the number the listener knows."""
    trainer = Trainer(stack, run["id"])
    with connect(f"{site_url.replace('http', 'ws')}/api/runs/{run['id']}/events", proxy=None) as socket:
        socket.send(json.dumps({"access_token": analyst.access_token, "after": 1}))
        trainer.say("stage", name="search")
        first = json.loads(socket.recv(timeout=10))
        trainer.fail("no")
        second = json.loads(socket.recv(timeout=10))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)

    assert (first["seq"], first["kind"], first["data"]) == (2, "stage", {"name": "search"})
    assert (second["kind"], closed.value.rcvd.code) == ("failed", 1000)


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        ({"access_token": "x.y.z"}, "credential_rejected"),
        ({"after": 1}, "request_malformed"),
        ("hello", "request_malformed"),
        ({"access_token": "stranger"}, "not_found"),
        ({"ticket": "x.y.z"}, "credential_rejected"),
    ],
)
def test_websocket_refuses_who_may_not_listen(site_url: str, run: dict[str, Any], stranger: User, greeting, code):
    """A bad greeting, a bad token and a stranger each hear the one problem body and are sent away."""
    if isinstance(greeting, dict) and greeting.get("access_token") == "stranger":
        greeting = {"access_token": stranger.access_token}
    with connect(f"{site_url.replace('http', 'ws')}/api/runs/{run['id']}/events", proxy=None) as socket:
        socket.send(json.dumps(greeting))
        answer = json.loads(socket.recv(timeout=10))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)

    assert answer["code"] == code
    assert closed.value.rcvd.code == 1008


def test_key_with_scope_train_runs_for_its_owner(
    api: httpx.Client, dataset_id: str, analyst: User, stranger: User, unique: str
):
    """A machine starts and cancels runs in its owner's name, on its owner's data only."""
    order = {"dataset_id": dataset_id, "model": unique, "target": "species"}
    key = api.post("/api/keys", json={"name": "ci", "scopes": ["train"]}, headers=analyst.headers).json()["key"]
    other = api.post("/api/keys", json={"name": "ci", "scopes": ["train"]}, headers=stranger.headers).json()["key"]

    made = api.post("/api/runs", json=order, headers={"x-api-key": key})

    assert made.status_code == 201, made.text
    address = f"/api/runs/{made.json()['id']}"
    assert api.get(address, headers=analyst.headers).status_code == 200
    assert api.get(address, headers={"x-api-key": other}).status_code == 404
    assert api.get(f"{address}/events", headers={"x-api-key": other}).status_code == 404
    assert api.post("/api/runs", json=order, headers={"x-api-key": other}).status_code == 404
    assert api.post(f"{address}/cancel", headers={"x-api-key": other}).status_code == 404
    assert api.post(f"{address}/cancel", headers={"x-api-key": key}).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"dataset_id": "none"}, 422),
        ({"dataset_id": "00000000-0000-7000-8000-000000000000"}, 404),
        ({"model": "Upper"}, 422),
        ({"model": "x"}, 422),
        ({"target": ""}, 422),
        ({"options": {"time_budget_seconds": 0}}, 422),
        ({"options": {"speed": 1}}, 422),
        ({"options": {"seed": -1}}, 422),
        ({"options": {"drop": "id"}}, 422),
        ({"visibility": "secret"}, 422),
        ({"created_by": "somebody"}, 422),
    ],
)
def test_bad_orders(api: httpx.Client, dataset_id: str, analyst: User, unique: str, changes, status):
    """What cannot be trained ends in one answer that says what to change."""
    order = {"dataset_id": dataset_id, "model": unique, "target": "species", **changes}

    assert api.post("/api/runs", json=order, headers=analyst.headers).status_code == status


def test_model_name_of_somebody_else_is_taken(api: httpx.Client, public_model: str, stranger: User):
    """Nobody adds versions to a model that is not theirs."""
    dataset = upload(api, stranger.headers)
    order = {"dataset_id": dataset["id"], "model": public_model, "target": "species"}

    answer = api.post("/api/runs", json=order, headers=stranger.headers)

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_run_needs_a_complete_dataset(api: httpx.Client, analyst: User, unique: str):
    """A run on bytes that have not arrived is a conflict."""
    made = api.post("/api/datasets", json={"filename": "x.csv", "size_bytes": 9}, headers=analyst.headers).json()
    order = {"dataset_id": made["dataset"]["id"], "model": unique, "target": "species"}

    assert api.post("/api/runs", json=order, headers=analyst.headers).status_code == 409


def test_listener_who_leaves_is_forgotten(api: httpx.Client, run: dict[str, Any], analyst: User):
    """Leaving a stream early leaves a healthy server."""
    headers = {**analyst.headers, "accept": "text/event-stream"}
    with api.stream("GET", f"/api/runs/{run['id']}/events", headers=headers) as answer:
        next(answer.iter_lines())

    time.sleep(0.5)
    assert api.get("/api/health").status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "pointer", "words"),
    [
        (
            {"options": {"holdout": {"by": "time", "column": "when"}}},
            422,
            "#/options/holdout/column",
            'no column "when"',
        ),
        ({"options": {"drop": ["nothing"]}}, 422, "#/options/drop", 'no column "nothing"'),
        ({"options": {"types": {"nothing": "number"}}}, 422, "#/options/types", 'no column "nothing"'),
        ({"target": "colour"}, 422, "#/target", 'no column "colour"'),
        ({"dataset_id": "019ad000-0000-7000-8000-000000000000"}, 404, "#/dataset_id", "upload one first"),
        ({"model": "tiny-public", "target": "length"}, 409, "#/target", "choose another model name"),
    ],
)
def test_what_the_database_refuses_points_at_the_field(
    api: httpx.Client,
    stack: RunningStack,
    analyst: User,
    dataset_id: str,
    public_model: str,
    changes: dict[str, Any],
    status: int,
    pointer: str,
    words: str,
):
    """Rules that only SQL knows name the field and what to do, like those of the API."""
    profile = json.dumps({"columns": [{"name": "length"}, {"name": "species"}]})
    with stack.connect() as connection:
        connection.execute("update public.datasets set profile = %s where id = %s", (profile, dataset_id))
    order = {"dataset_id": dataset_id, "model": "any-name", "target": "species", **changes}

    answer = api.post("/api/runs", json=order, headers=analyst.headers)

    assert answer.status_code == status, answer.text
    (wrong,) = answer.json()["errors"]
    assert wrong["pointer"] == pointer
    assert words in wrong["detail"]
