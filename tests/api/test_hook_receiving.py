"""Messages to a hook, signed by the real Standard Webhooks library: each counts once, and a bad one leaves a count."""

import concurrent.futures
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.hooks import ROW, Opener
from tests.api.tiny import expected
from tests.conftest import RunningStack, User

NOWHERE = "00000000-0000-7000-8000-000000000000"


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
