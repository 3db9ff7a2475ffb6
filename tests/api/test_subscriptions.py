"""Subscriptions through the API: made, changed, tested, read, and nobody else's business. The sending: tests/jobs."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api import cron, subscriptions
from api._lib import upstream
from api._lib.settings import settings
from tests.conftest import RunningStack, User
from tests.receiver import Receiver

NOWHERE = "00000000-0000-7000-8000-000000000000"


def call(app: Any, method: str, path: str, **request: Any) -> httpx.Response:
    """Call a function in this process, with this process's settings."""

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://function.test") as client:
            answer = await client.request(method, path, **request)
        await upstream.client().aclose()
        return answer

    settings.cache_clear()
    return asyncio.run(run())


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Run a receiver for these tests."""
    with Receiver() as started:
        yield started


@pytest.fixture
def made(api: httpx.Client, analyst: User, receiver: Receiver) -> Iterator[dict[str, Any]]:
    """Subscribe the receiver to something that does not happen here by itself."""
    body = {"url": receiver.url("/in"), "event_types": ["drift.detected"], "description": "on call"}
    answer = api.post("/api/subscriptions", json=body, headers=analyst.headers)
    assert answer.status_code == 201, answer.text
    yield answer.json()
    api.delete(f"/api/subscriptions/{answer.json()['id']}", headers=analyst.headers)


def test_subscription_is_made_listed_and_changed(api: httpx.Client, analyst: User, made: dict[str, Any]):
    """The secret is in the first answer only."""
    address = f"/api/subscriptions/{made['id']}"
    secret = made.pop("secret")

    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert (made["is_enabled"], made["waiting"], made["dead"], made["model"]) == (True, 0, 0, None)
    assert api.get(address, headers=analyst.headers).json() == made
    assert made in api.get("/api/subscriptions", headers=analyst.headers).json()["subscriptions"]
    changes = {"event_types": ["run.failed", "run.succeeded"], "is_enabled": False}
    changed = api.patch(address, json=changes, headers=analyst.headers).json()
    assert changed["event_types"] == ["run.failed", "run.succeeded"]
    assert (changed["is_enabled"], changed["disabled_reason"]) == (False, "Switched off")
    assert api.patch(address, json={}, headers=analyst.headers).status_code == 422
    assert api.delete(address, headers=analyst.headers).status_code == 204
    assert api.get(address, headers=analyst.headers).status_code == 404


def test_creating_is_idempotent(api: httpx.Client, analyst: User, receiver: Receiver):
    """The same key brings the same subscription, with its secret."""
    headers = {**analyst.headers, "idempotency-key": receiver.url("/idempotent")}
    body = {"url": receiver.url("/in"), "event_types": ["quota.near"]}

    first, second = (api.post("/api/subscriptions", json=body, headers=headers) for _ in range(2))

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"


def test_test_message_arrives_and_is_logged(api: httpx.Client, analyst: User, made: dict[str, Any], receiver: Receiver):
    """Needs no worker; the answer holds what was sent and what came back."""
    sent = api.post(f"/api/subscriptions/{made['id']}/test", headers=analyst.headers).json()

    received = receiver.requests[-1]
    assert received.verify(made["secret"])["type"] == "subscription.test"
    assert (sent["state"], sent["event_id"]) == ("delivered", received.headers["webhook-id"])
    assert sent["body"] == received.body.decode()
    (attempt,) = sent["log"]
    assert (attempt["status"], attempt["response_body"], attempt["reason"]) == (200, "answered 200", None)
    detail = f"/api/subscriptions/{made['id']}/deliveries/{sent['id']}"
    assert api.get(detail, headers=analyst.headers).json() == sent
    listed = api.get(f"/api/subscriptions/{made['id']}/deliveries", headers=analyst.headers).json()["deliveries"]
    assert [each["id"] for each in listed] == [sent["id"]]
    older = api.get(
        f"/api/subscriptions/{made['id']}/deliveries", params={"before": sent["id"]}, headers=analyst.headers
    )
    assert older.json() == {"deliveries": []}


def test_failed_test_says_why_and_can_be_replayed(
    api: httpx.Client, analyst: User, made: dict[str, Any], receiver: Receiver
):
    """A broken receiver is no failure of the call."""
    address = f"/api/subscriptions/{made['id']}"
    api.patch(address, json={"url": receiver.url("/500")}, headers=analyst.headers)

    answer = api.post(f"{address}/test", headers=analyst.headers)

    assert answer.status_code == 200
    sent = answer.json()
    assert (sent["state"], sent["attempts"]) == ("failed", 1)
    assert "answered 500" in sent["reason"]
    assert api.get(address, headers=analyst.headers).json()["failing_since"]
    for body, count in (({"deliveries": [sent["id"]]}, 1), ({"dead_since": "2026-01-01T00:00:00Z"}, 0)):
        assert api.post(f"{address}/replay", json=body, headers=analyst.headers).json() == {"replayed": count}
    for body in ({}, {"deliveries": [], "dead_since": None}, {"deliveries": ["x"]}, {"dead_since": "yesterday"}):
        assert api.post(f"{address}/replay", json=body, headers=analyst.headers).status_code == 422


def test_secret_rotates(api: httpx.Client, analyst: User, made: dict[str, Any], receiver: Receiver):
    """Messages carry two signatures for a while."""
    address = f"/api/subscriptions/{made['id']}"

    new = api.post(f"{address}/secret", json={"overlap_hours": 1}, headers=analyst.headers).json()["secret"]
    api.post(f"{address}/test", headers=analyst.headers)

    for secret in (made["secret"], new):
        assert receiver.requests[-1].verify(secret)


def test_subscriptions_are_nobody_elses(
    api: httpx.Client, analyst: User, stranger: User, viewer: User, admin: User, made: dict[str, Any]
):
    """Strangers see none of it; visitors sign in first; viewers make none; a key acts for its owner within its scope."""
    address = f"/api/subscriptions/{made['id']}"
    body = {"url": made["url"], "event_types": ["run.failed"]}
    scoped = {
        scope: api.post("/api/keys", json={"name": scope, "scopes": [scope]}, headers=analyst.headers).json()["key"]
        for scope in ("train", "predict")
    }
    others = api.post("/api/keys", json={"name": "k", "scopes": ["train"]}, headers=stranger.headers).json()["key"]

    for path in (address, f"{address}/deliveries"):
        assert api.get(path).status_code == 401
        assert api.get(path, headers=admin.headers).status_code == 200
        assert api.get(path, headers={"x-api-key": scoped["train"]}).status_code == 200
        assert api.get(path, headers={"x-api-key": scoped["predict"]}).status_code == 403
        for headers in (stranger.headers, {"x-api-key": others}):
            assert api.get(path, headers=headers).status_code == 404
    for headers in (stranger.headers, {"x-api-key": others}):
        assert made["id"] not in api.get("/api/subscriptions", headers=headers).text
        assert api.patch(address, json={"is_enabled": False}, headers=headers).status_code == 404
        assert api.delete(address, headers=headers).status_code == 404
        for call, sent in (("test", None), ("secret", {}), ("replay", {"deliveries": [NOWHERE]})):
            assert api.post(f"{address}/{call}", json=sent, headers=headers).status_code == 404, call
    assert api.post("/api/subscriptions", json=body, headers=viewer.headers).status_code == 403
    sent = api.post(f"{address}/test", headers=analyst.headers).json()
    for headers in (stranger.headers, {"x-api-key": others}):
        assert api.get(f"{address}/deliveries/{sent['id']}", headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"url": "ftp://example.com"}, 422, "must begin with https"),
        ({"url": "https://user:word@example.com/"}, 422, "user name"),
        ({"url": "http://169.254.169.254/latest/"}, 422, "not an address that receivers have"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, 422, "not an address that receivers have"),
        ({"url": ""}, 422, ""),
        ({"event_types": []}, 422, ""),
        ({"event_types": ["run.started"]}, 422, ""),
        ({"model": "no-such-model"}, 404, "no model"),
        ({"secret": "mine"}, 422, ""),
    ],
)
def test_bad_orders(
    api: httpx.Client, analyst: User, receiver: Receiver, changes: dict[str, Any], status: int, words: str
):
    """Each is refused with what to change."""
    body = {"url": receiver.url("/in"), "event_types": ["run.failed"], **changes}

    answer = api.post("/api/subscriptions", json=body, headers=analyst.headers)

    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


def test_private_receivers_are_refused_where_strangers_subscribe(
    stack: RunningStack, analyst: User, monkeypatch: pytest.MonkeyPatch
):
    """Without the setting for one's own machine, nothing private and nothing in the clear is taken."""
    for name, value in stack.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ROWCAST_PRIVATE_RECEIVERS", "0")
    for url in ("http://example.com/", "https://127.0.0.1/", "https://10.0.0.1:8443/", "https://localhost/"):
        body = {"url": url, "event_types": ["run.failed"]}
        answer = call(subscriptions.app, "POST", "/api/subscriptions", json=body, headers=analyst.headers)
        assert answer.status_code == 422, url
        assert answer.json()["errors"][0]["pointer"] == "#/url"
    settings.cache_clear()


def test_cron_sweeps_for_whoever_knows_the_secret(
    stack: RunningStack, analyst: User, made: dict[str, Any], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """A deployment without a worker sends by the platform's timer; without a secret the door stays shut."""
    for name, value in stack.environ.items():
        monkeypatch.setenv(name, value)
    with stack.connect() as connection:
        connection.execute("select private.emit_event('drift.detected', null, %s, '{\"share\": 0.5}')", (analyst.id,))
    for secret, shown, status in (
        ("", "Bearer ", 401),
        ("s3cret", "Bearer other", 401),
        ("s3cret", "Bearer s3cret", 200),
    ):
        monkeypatch.setenv("CRON_SECRET", secret)
        answer = call(cron.app, "GET", "/api/cron", headers={"authorization": shown})
        assert answer.status_code == status
    settings.cache_clear()

    assert answer.json()["delivered"] >= 1
    with stack.connect() as connection:
        statement = "select task_name from procrastinate.procrastinate_jobs where lock ^@ 'chore:' order by id"
        asked = [row[0] for row in connection.execute(statement).fetchall()]
    assert asked[:6] == [
        "count_predictions",
        "join_actuals",
        "watch_drift",
        "watch_quotas",
        "drop_old_predictions",
        "sweep",
    ]
    assert answer.json()["waiting"] >= len(asked)
    assert receiver.requests[-1].verify(made["secret"])["data"] == {"share": 0.5}
