"""Hooks as their owners have them: opened, changed, tried, closed, and nobody else's."""

from typing import Any

import httpx
import pytest

from tests.api.hooks import ROW, Opener, change
from tests.api.tiny import expected
from tests.conftest import RunningStack, User


def test_disabled_hook_tells_only_who_can_sign(open_hook: Opener, api: httpx.Client, analyst: User):
    """And works again once it is enabled."""
    sender = open_hook()
    api.patch(sender.path, json={"enabled": False}, headers=analyst.headers)

    assert api.post(sender.path, json=ROW).status_code == 401
    answer = sender.send(ROW)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert "disabled" in answer.json()["detail"]
    api.patch(sender.path, json={"enabled": True}, headers=analyst.headers)
    assert sender.send(ROW).status_code == 200


def test_secret_rotates_with_an_overlap(open_hook: Opener, api: httpx.Client, analyst: User):
    """Both are good for a while; without overlap the old one ends at once. No answer repeats a secret."""
    sender = open_hook()
    first = sender.secret
    rotated = api.post(f"{sender.path}/rotate", json={"overlap_seconds": 600}, headers=analyst.headers).json()

    assert sender.send(ROW, "msg_1").status_code == 200
    sender.secret = rotated["secret"]
    assert sender.send(ROW, "msg_2").status_code == 200
    last = api.post(
        f"{sender.path}/rotate", json={"overlap_seconds": 0, "secret": "v1," + first}, headers=analyst.headers
    )
    assert last.json()["secret"] == first
    assert sender.send(ROW, "msg_3").status_code == 401
    sender.secret = first
    assert sender.send(ROW, "msg_4").status_code == 200
    shown = api.get(sender.path, headers=analyst.headers).text + api.get("/api/hooks", headers=analyst.headers).text
    assert "whsec_" not in shown


def test_mapping_is_checked_when_the_hook_is_opened(api: httpx.Client, analyst: User, public_model: str):
    """Against the card, each wrong place named."""
    mapping = {
        "rows": "$..lines",
        "features": {"lenght": "$.a", "width": "$.a[", "length": {"constant": "long"}, "island": ""},
        "key": {"id": "@"},
    }
    answer = api.post(
        "/api/hooks", json={"name": "h", "model": public_model, "mapping": mapping}, headers=analyst.headers
    )

    assert answer.status_code == 422
    assert sorted(each["pointer"] for each in answer.json()["errors"]) == [
        "#/mapping/features/island",
        "#/mapping/features/lenght",
        "#/mapping/features/length/constant",
        "#/mapping/features/width",
        "#/mapping/rows",
    ]
    assert "did you mean 'length'" in answer.text


def test_bad_orders(
    api: httpx.Client, analyst: User, viewer: User, private_model: str, stranger: User, public_model: str
):
    """Each is refused with what to change."""
    cases = [
        ({"model": "no-such-model"}, analyst, 404),
        ({"model": f"{public_model}@nine"}, analyst, 404),
        ({"model": private_model}, stranger, 404),
        ({}, viewer, 403),
        ({"name": " "}, analyst, 422),
        ({"kind": "telepathy"}, analyst, 422),
        ({"mode": "write_back"}, analyst, 422),
        ({"secret": "whsec_short"}, analyst, 422),
        ({"owner_id": viewer.id}, analyst, 422),
        ({"prefix": "Robert'); drop table"}, analyst, 422),
    ]
    for changes, person, status in cases:
        order = {"name": "h", "model": public_model, **changes}
        answer = api.post("/api/hooks", json=order, headers=person.headers)
        assert answer.status_code == status, (changes, answer.text)
        assert answer.json()["detail"]
    assert api.post("/api/hooks", json={"name": "h", "model": public_model}).status_code == 401


def test_hooks_are_nobody_elses(open_hook: Opener, api: httpx.Client, stranger: User, admin: User):
    """Strangers neither read, change, rotate, try nor close a hook; admins do. The owner's key may, if it may train."""
    sender = open_hook()
    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/rotate", {}),
        ("POST", "/test", {"payload": ROW}),
        ("GET", "/deliveries", None),
    ]:
        assert api.request(method, sender.path + path, json=body).status_code == 401
        assert api.request(method, sender.path + path, json=body, headers=stranger.headers).status_code == 404
    assert sender.hook["id"] not in api.get("/api/hooks", headers=stranger.headers).text
    assert api.get(sender.path, headers=admin.headers).status_code == 200


def test_keys_with_train_manage_hooks(
    open_hook: Opener, api: httpx.Client, analyst: User, stranger: User, public_model: str
):
    """For their owner, and for nobody else."""
    sender = open_hook()

    def key(person: User, scope: str) -> dict[str, str]:
        made = api.post("/api/keys", json={"name": "ci", "scopes": [scope]}, headers=person.headers).json()
        return {"x-api-key": made["key"]}

    mine, theirs, weak = key(analyst, "train"), key(stranger, "train"), key(analyst, "predict")
    made = api.post("/api/hooks", json={"name": "by key", "model": public_model}, headers=mine)
    assert made.status_code == 201, made.text
    assert api.get(sender.path, headers=mine).status_code == 200
    assert api.get(f"{sender.path}/deliveries", headers=mine).status_code == 200
    assert api.get(sender.path, headers=theirs).status_code == 404
    assert api.get(sender.path, headers=weak).status_code == 403
    assert api.delete(f"/api/hooks/{made.json()['id']}", headers=mine).status_code == 204
    assert api.get(f"/api/hooks/{made.json()['id']}", headers=mine).status_code == 404


def test_deleted_hook_is_closed(open_hook: Opener, api: httpx.Client, analyst: User):
    """At once through this process."""
    sender = open_hook()
    assert sender.send(ROW).status_code == 200

    assert api.delete(sender.path, headers=analyst.headers).status_code == 204
    assert sender.send(ROW, "msg_2").status_code == 404
    assert api.delete(sender.path, headers=analyst.headers).status_code == 404


def test_creating_again_under_one_key_opens_one_hook(api: httpx.Client, analyst: User, public_model: str, unique: str):
    """With its secret, so that a lost answer loses nothing."""
    order = {"name": unique, "model": public_model}
    headers = {**analyst.headers, "idempotency-key": unique}

    answers = [api.post("/api/hooks", json=order, headers=headers).json() for _ in range(2)]

    assert answers[0] == answers[1]
    names = [each["name"] for each in api.get("/api/hooks", headers=analyst.headers).json()["hooks"]]
    assert names.count(unique) == 1


def test_prediction_must_not_feed_on_itself(api: httpx.Client, analyst: User, public_model: str):
    """A feature cannot be taken from a column that the hook writes."""
    order = {"name": "loop", "model": public_model, "mode": "write_back", "table": "public.flowers"}
    order["mapping"] = {"features": {"length": "$.record.score"}}

    answer = api.post("/api/hooks", json=order, headers=analyst.headers)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/mapping/features/length"]


def test_trying_changes_nothing(
    open_hook: Opener, api: httpx.Client, analyst: User, deliveries: Any, stack: RunningStack
):
    """It says what each row would become and where it comes from; nothing is recorded."""
    sender = open_hook()
    with stack.connect() as connection:
        before = connection.execute("select count(*) from public.predictions").fetchone()

    tried = api.post(
        f"{sender.path}/test", json={"payload": {"type": "x", "data": ROW}}, headers=analyst.headers
    ).json()

    assert (tried["outcome"], tried["version"]) == ("predicted", 1)
    assert tried["sources"] == {"length": "@.length", "width": "@.width", "island": "@.island"}
    (row,) = tried["rows"]
    assert (row["place"], row["features"]) == ("#/data", ROW)
    assert row["prediction"]["probabilities"] == pytest.approx(expected(1.0, 2, "Biscoe"), abs=1e-6)
    assert deliveries(sender) == []
    with stack.connect() as connection:
        assert connection.execute("select count(*) from public.predictions").fetchone() == before


def test_trying_says_what_is_wrong(api: httpx.Client, analyst: User, public_model: str):
    """A draft is tried before it is opened; a refusal and its places are the answer, not an error."""
    draft = {"model": public_model, "kind": "supabase", "mapping": {"features": {"length": "$.record.size"}}}

    def try_it(payload: Any, **changes: Any) -> dict[str, Any]:
        body = {**draft, **changes, "payload": payload}
        answer = api.post("/api/hooks/draft/test", json=body, headers=analyst.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert try_it(change("INSERT", {"size": 1, "width": 2}))["outcome"] == "predicted"
    assert try_it(change("DELETE", None, {"size": 1}))["outcome"] == "ignored"
    assert [each["pointer"] for each in try_it(change("INSERT", {"width": 2}))["errors"]] == ["#/record/size"]
    odd = try_it(change("INSERT", {"size": "x", "width": 1}))
    assert (odd["outcome"], [each["pointer"] for each in odd["errors"]]) == ("refused", ["#/record/size"])
    assert odd["rows"][0]["features"] == {"length": "x", "width": 1}
    assert try_it({"size": 1})["errors"][0]["pointer"] == "#/type"
    wrong = {**draft, "mapping": {"features": {"length": "$["}}, "payload": {}}
    assert api.post("/api/hooks/draft/test", json=wrong, headers=analyst.headers).status_code == 422
