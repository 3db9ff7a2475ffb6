"""Hooks over HTTP: opened, called by the real Standard Webhooks library, by database webhooks and with keys; each counts once."""

import concurrent.futures
import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.api.tiny import expected
from tests.conftest import RunningStack, User

ROW = {"length": 1.0, "width": 2, "island": "Biscoe"}
NOWHERE = "00000000-0000-7000-8000-000000000000"


class Sender:
    """Somebody who sends to one hook, with the reference library."""

    def __init__(self, api: httpx.Client, hook: dict[str, Any]) -> None:
        self.api, self.hook = api, hook
        self.path = f"/api/hooks/{hook['id']}"
        self.secret = hook["secret"]

    def sign(self, name: str, body: bytes, *, at: datetime | None = None) -> dict[str, str]:
        """Make the headers of a message."""
        at = at or datetime.now(UTC)
        signature = Webhook(self.secret).sign(name, at, body.decode())
        timestamp = str(int(at.timestamp()))
        return {"webhook-id": name, "webhook-timestamp": timestamp, "webhook-signature": signature}

    def send(self, payload: Any, name: str = "msg_1", **options: Any) -> httpx.Response:
        """Sign and send a message."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.api.post(self.path, content=body, headers=self.sign(name, body, **options))


Opener = Callable[..., Sender]


@pytest.fixture
def open_hook(api: httpx.Client, analyst: User, public_model: str) -> Opener:
    """Open hooks of the analyst's."""

    def open_one(**changes: Any) -> Sender:
        order = {"name": "Orders", "model": public_model, **changes}
        answer = api.post("/api/hooks", json=order, headers=analyst.headers)
        assert answer.status_code == 201, answer.text
        return Sender(api, answer.json())

    return open_one


@pytest.fixture
def deliveries(api: httpx.Client, analyst: User) -> Callable[[Sender], list[dict[str, Any]]]:
    """Read the log of a hook as its owner."""

    def read(sender: Sender) -> list[dict[str, Any]]:
        return list(api.get(f"{sender.path}/deliveries", headers=analyst.headers).json()["deliveries"])

    return read


def logged(stack: RunningStack, prediction_id: str) -> list[Any]:
    """Read a prediction from the log."""
    with stack.connect() as connection:
        statement = "select source, rows, outputs from public.predictions where id = %s"
        return connection.execute(statement, (prediction_id,)).fetchall()


def test_row_in_prediction_out(open_hook: Opener, deliveries: Any, stack: RunningStack):
    """A signed message is answered, logged as a prediction of the source hook, and listed."""
    sender = open_hook()

    answer = sender.send({"type": "customer.created", "data": ROW})

    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["predictions"][0]["probabilities"] == pytest.approx(expected(1.0, 2, "Biscoe"), abs=1e-6)
    assert (said["version"], said["alias"], said["delivery_id"]) == (1, "champion", "msg_1")
    assert logged(stack, said["id"]) == [("hook", [ROW], said["predictions"])]
    (kept,) = deliveries(sender)
    assert (kept["event"], kept["state"], kept["row_count"], kept["attempt"]) == ("customer.created", "answered", 1, 1)
    assert (kept["prediction_id"], kept["answer"]) == (said["id"], answer.text)


def test_repeated_message_is_answered_from_what_is_kept(open_hook: Opener, deliveries: Any, stack: RunningStack):
    """Byte by byte, under a new signature too; the work is not done again."""
    sender = open_hook()
    first = sender.send(ROW)

    again = sender.send(ROW, at=datetime.now(UTC) - timedelta(seconds=60))

    assert (again.status_code, again.content) == (200, first.content)
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert len(logged(stack, first.json()["id"])) == 1
    assert [each["duplicate_count"] for each in deliveries(sender)] == [1]


def test_concurrent_messages_of_one_id_are_one_prediction(open_hook: Opener, deliveries: Any, stack: RunningStack):
    """However many arrive at the same time: one is worked on, the others wait their turn or get its answer."""
    sender = open_hook()
    body = json.dumps(ROW).encode()

    def send(_: int) -> httpx.Response:
        with httpx.Client(base_url=sender.api.base_url, timeout=30, trust_env=False) as client:
            return client.post(sender.path, content=body, headers=sender.sign("msg_same", body))

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(24)))

    assert {each.status_code for each in answers} <= {200, 409}
    answered = {each.content for each in answers if each.status_code == 200}
    assert len(answered) == 1
    assert all("retry-after" in each.headers for each in answers if each.status_code == 409)
    (kept,) = deliveries(sender)
    assert kept["attempt"] == 1
    assert len(logged(stack, kept["prediction_id"])) == 1


def test_changed_payload_under_the_same_id_is_refused(open_hook: Opener):
    """A new message needs a new id."""
    sender = open_hook()
    assert sender.send(ROW).status_code == 200

    answer = sender.send({**ROW, "length": 2})

    assert (answer.status_code, answer.json()["code"]) == (422, "delivery_changed")


def test_claim_of_a_dead_process_is_taken_over(open_hook: Opener, deliveries: Any, stack: RunningStack):
    """Between claim and answer a process may be killed: until the lease is over others wait, then one goes on."""
    sender = open_hook()
    body = json.dumps(ROW).encode()
    claim = {
        "hook_id": sender.hook["id"],
        "delivery_id": "msg_1",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "prediction_id": "01939bb6-0000-7000-8000-000000000001",
        "lease_seconds": 30,
        "keep_seconds": 600,
    }
    with stack.client(is_service=True) as client:
        assert client.post("/rest/v1/rpc/claim_hook_delivery", json={"claim": claim}).json()["state"] == "claimed"

    waiting = sender.send(body)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "conflict")
    with stack.connect() as connection:
        connection.execute(
            "update public.hook_deliveries set claimed_until = now() where hook_id = %s", (sender.hook["id"],)
        )
    taken = sender.send(body)

    assert (taken.status_code, taken.json()["id"]) == (200, claim["prediction_id"])
    assert [each["attempt"] for each in deliveries(sender)] == [2]
    assert len(logged(stack, claim["prediction_id"])) == 1


@pytest.mark.parametrize("seconds", [-301, 302])
def test_stale_messages_are_refused(open_hook: Opener, deliveries: Any, seconds: int):
    """A replay beyond five minutes, or a sender whose clock is far ahead, is refused with the reason."""
    sender = open_hook()

    answer = sender.send(ROW, at=datetime.now(UTC) + timedelta(seconds=seconds))

    assert (answer.status_code, answer.json()["code"]) == (401, "signature_rejected")
    assert "too" in answer.json()["detail"]
    assert deliveries(sender) == []


def test_bad_messages_are_refused_and_only_counted(
    open_hook: Opener, deliveries: Any, api: httpx.Client, analyst: User
):
    """Unsigned, wrongly signed, truncated, no JSON, without the columns: each a 4xx, and nothing is kept but the count."""
    sender = open_hook()
    body = json.dumps({"type": "x", "data": ROW}).encode()
    good = sender.sign("msg_1", body)
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (body, {}, 401),
        (body[:-5], good, 401),
        (body, {**good, "webhook-id": "msg_2"}, 401),
        (body, {**good, "webhook-signature": "v1,AAAA"}, 401),
        (body, {**good, "webhook-signature": "v1"}, 401),
        (body, {**good, "webhook-signature": "=,=,="}, 401),
        (body, {**good, "webhook-timestamp": "soon"}, 400),
        (body, {**good, "webhook-timestamp": "1" * 30}, 400),
        (body, {**good, "webhook-id": "a.b"}, 400),
        (b"\xff", {**good}, 400),
        (b"{", sender.sign("msg_3", b"{"), 400),
        (b"", sender.sign("msg_4", b""), 400),
        (b"[]", sender.sign("msg_5", b"[]"), 422),
        (b"7", sender.sign("msg_6", b"7"), 422),
        (b'{"data": {"age": 3}}', sender.sign("msg_7", b'{"data": {"age": 3}}'), 422),
        (b'{"length": "long"}', sender.sign("msg_8", b'{"length": "long"}'), 422),
    ]

    answers = [api.post(sender.path, content=content, headers=headers) for content, headers, _ in cases]

    assert [answer.status_code for answer in answers] == [status for _, _, status in cases]
    assert all(answer.json()["detail"] for answer in answers)
    assert deliveries(sender) == []

    def count() -> int:
        return int(api.get(sender.path, headers=analyst.headers).json()["refused_count"])

    ends_at = time.monotonic() + 10
    while count() < len(cases) and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert count() == len(cases)
    # What was refused for its content can be sent again under the same id.
    assert sender.send({"data": ROW}, "msg_7").status_code == 200


def test_refusals_point_into_the_payload(open_hook: Opener):
    """Whoever sends learns which place of what they sent is wrong."""
    sender = open_hook(mapping={"features": {"length": "$.data.size.mm"}})

    missing = sender.send({"type": "x", "data": {"width": 2}}, "msg_1").json()
    wrong = sender.send({"type": "x", "data": {"width": 2, "size": {"mm": "long"}}}, "msg_2").json()
    many = sender.send({"records": [ROW | {"size": 1}, {"width": 2.5}], "data": {"size": {"mm": 1}}}, "msg_3").json()

    assert [each["pointer"] for each in missing["errors"]] == ["#/data/size/mm"]
    assert [each["pointer"] for each in wrong["errors"]] == ["#/data/size/mm"]
    assert [each["pointer"] for each in many["errors"]] == ["#/records/1/width"]


def test_five_megabytes_are_refused(open_hook: Opener):
    """As everywhere else."""
    sender = open_hook()

    answer = sender.send(b'{"length": "' + b"x" * 5_000_000 + b'"}')

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_unknown_hooks_do_not_exist(api: httpx.Client):
    """Whatever the id looks like."""
    for name in (NOWHERE, "none", "a" * 300):
        answer = api.post(f"/api/hooks/{name}", json={})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


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


def test_mapping_takes_picks_constants_and_lists(open_hook: Opener):
    """Paths from the payload, paths from the row, constants; several rows of one message are one prediction."""
    mapping = {
        "rows": "$.order.lines[*]",
        "features": {"length": "@.size['in mm']", "width": "order.boxes[1].width", "island": {"constant": "Dream"}},
    }
    sender = open_hook(mapping=mapping)
    lines = [{"size": {"in mm": each}} for each in (1.5, None)]

    said = sender.send({"order": {"lines": lines, "boxes": [{}, {"width": 3}]}}).json()

    probabilities = [each["probabilities"] for each in said["predictions"]]
    assert probabilities[0] == pytest.approx(expected(1.5, 3, "Dream"), abs=1e-6)
    assert probabilities[1] == pytest.approx(expected(None, 3, "Dream"), abs=1e-6)


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


# API keys -----------------------------------------------------------------------------------------------------


def test_plain_json_with_an_api_key(
    open_hook: Opener, api: httpx.Client, analyst: User, stranger: User, deliveries: Any
):
    """The owner's key is let in, others' are not; an id is kept if one is sent, else each request is its own delivery."""
    sender = open_hook(kind="key")
    assert sender.secret is None

    def key(person: User, **changes: Any) -> dict[str, str]:
        made = api.post(
            "/api/keys", json={"name": "shop", "scopes": ["predict"], **changes}, headers=person.headers
        ).json()
        return {"x-api-key": made["key"]}

    mine = key(analyst)
    for _ in range(2):
        assert api.post(sender.path, json=ROW, headers=mine).status_code == 200
    named = [api.post(sender.path, json=ROW, headers={**mine, "idempotency-key": '"order-7"'}) for _ in range(2)]

    assert named[0].content == named[1].content
    assert len(deliveries(sender)) == 3
    assert api.post(sender.path, json=ROW).status_code == 401
    assert api.post(sender.path, json=ROW, headers={"x-api-key": "rc_wrong_key"}).status_code == 401
    assert api.post(sender.path, json=ROW, headers=analyst.headers).status_code == 401
    assert api.post(sender.path, json=ROW, headers=key(stranger)).status_code == 403
    assert api.post(sender.path, json=ROW, headers=key(analyst, scopes=["feedback"])).status_code == 403
    assert api.post(f"{sender.path}/rotate", json={}, headers=analyst.headers).status_code == 422


# Database webhooks --------------------------------------------------------------------------------------------


def change(kind: str, record: Any = None, old_record: Any = None) -> dict[str, Any]:
    """Compose what Supabase sends."""
    return {"type": kind, "table": "flowers", "schema": "public", "record": record, "old_record": old_record}


def test_database_webhooks(open_hook: Opener, api: httpx.Client, deliveries: Any):
    """A shared secret in a header; the id is made of the content, so the same change is handled once."""
    sender = open_hook(kind="supabase")
    secret = {"x-rowcast-secret": sender.secret}
    record = {"id": 7, **ROW}

    first = api.post(sender.path, json={**change("INSERT", record), "user_id": None}, headers=secret)
    again = api.post(sender.path, json=change("INSERT", record), headers={"authorization": f"Bearer {sender.secret}"})
    other = api.post(sender.path, json=change("INSERT", {**record, "id": 8}), headers=secret)

    assert first.status_code == again.status_code == other.status_code == 200, first.text
    assert first.content == again.content
    assert [each["event"] for each in deliveries(sender)] == ["INSERT", "INSERT"]
    assert api.post(sender.path, json=change("INSERT", record)).status_code == 401
    assert (
        api.post(sender.path, json=change("INSERT", record), headers={"x-rowcast-secret": "é".encode()}).status_code
        == 401
    )
    assert (
        api.post(sender.path, json=change("INSERT", record), headers={"x-rowcast-secret": "whsec_"}).status_code == 401
    )
    for wrong in (
        change("TRUNCATE"),
        change("INSERT"),
        change("UPDATE", record),
        [],
        {},
        {**change("INSERT", record), "table": 7},
    ):
        assert api.post(sender.path, json=wrong, headers=secret).status_code == 422


def test_changes_that_ask_for_no_prediction(open_hook: Opener, api: httpx.Client, deliveries: Any):
    """A deleted row, and an update of what the model does not read: answered, not predicted."""
    sender = open_hook(kind="supabase")
    secret = {"x-rowcast-secret": sender.secret}
    record = {"id": 7, "note": "a", **ROW}

    answers = [
        api.post(sender.path, json=payload, headers=secret)
        for payload in (
            change("DELETE", None, record),
            change("UPDATE", {**record, "note": "b"}, record),
            change("UPDATE", {**record, "length": 5}, record),
        )
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert ["ignored" in answer.json() for answer in answers] == [True, True, False]
    assert len(deliveries(sender)) == 1


# Writing back -------------------------------------------------------------------------------------------------


@pytest.fixture
def flowers(stack: RunningStack, unique: str) -> str:
    """Make a table of somebody's, with two rows."""
    with stack.connect() as connection:
        connection.execute(
            f"create table public.{unique} (id bigint primary key, length float8, width int, island text, "
            "ml_score float8, ml_label text, ml_version int, ml_predicted_at timestamptz)"
        )
        connection.execute(f"insert into public.{unique} values (1, 1.0, 2, 'Biscoe'), (2, 3.0, 1, 'Dream')")
    return unique


def allow(stack: RunningStack, sender: Sender, table: str) -> None:
    """List a table for a hook, as its migration does."""
    with stack.connect() as connection:
        connection.execute(
            "insert into private.hook_targets (hook_id, relation, key_columns, prefix) values (%s, %s, '{id}', 'ml_')",
            (sender.hook["id"], f"public.{table}"),
        )


def test_prediction_is_written_back(
    open_hook: Opener, api: httpx.Client, stack: RunningStack, flowers: str, analyst: User
):
    """Only once the table is listed for this hook, only into the row that asked, and never because of our own hand."""
    sender = open_hook(kind="supabase", mode="write_back", table=f"public.{flowers}", prefix="ml_")
    secret = {"x-rowcast-secret": sender.secret}
    record = {"id": 1, **ROW, "ml_predicted_at": None}
    refused = api.post(sender.path, json=change("INSERT", record), headers=secret)
    assert (refused.status_code, sender.hook["is_writable"]) == (409, False)
    allow(stack, sender, flowers)
    api.patch(sender.path, json={"name": "Flowers"}, headers=analyst.headers)

    answer = api.post(sender.path, json=change("INSERT", record), headers=secret)

    assert (answer.status_code, answer.json()["written"]) == (200, 1), answer.text
    best = max(expected(1.0, 2, "Biscoe").items(), key=lambda each: each[1])
    with stack.connect() as connection:
        columns = "ml_label, ml_score, ml_version, ml_predicted_at is null"
        rows = connection.execute(f"select {columns} from public.{flowers} order by id").fetchall()
    assert rows == [(best[0], pytest.approx(best[1], abs=1e-6), 1, False), (None, None, None, True)]
    ours = change("UPDATE", {**record, "length": 9, "ml_predicted_at": "2026-11-23T10:00:00"}, record)
    assert "written back" in api.post(sender.path, json=ours, headers=secret).json()["ignored"]
    assert api.get(sender.path, headers=analyst.headers).json()["is_writable"] is True


def test_update_of_a_row_without_prediction_is_predicted(
    open_hook: Opener, api: httpx.Client, stack: RunningStack, flowers: str
):
    """Touching rows that were there before the hook gets them their predictions; a second touch does not."""
    sender = open_hook(kind="supabase", mode="write_back", table=f"public.{flowers}", prefix="ml_")
    allow(stack, sender, flowers)
    secret = {"x-rowcast-secret": sender.secret}
    new = {"id": 2, **ROW, "ml_predicted_at": None}
    done = {**new, "ml_predicted_at": "2026-11-23T10:00:00"}

    assert api.post(sender.path, json=change("UPDATE", new, new), headers=secret).json()["written"] == 1
    assert "ignored" in api.post(sender.path, json=change("UPDATE", done, done), headers=secret).json()


def test_prediction_must_not_feed_on_itself(api: httpx.Client, analyst: User, public_model: str):
    """A feature cannot be taken from a column that the hook writes."""
    order = {"name": "loop", "model": public_model, "mode": "write_back", "table": "public.flowers"}
    order["mapping"] = {"features": {"length": "$.record.score"}}

    answer = api.post("/api/hooks", json=order, headers=analyst.headers)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/mapping/features/length"]


# Trying -------------------------------------------------------------------------------------------------------


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
