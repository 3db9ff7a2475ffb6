"""Hooks without signatures: API keys, database webhooks, and predictions written back into their rows."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.hooks import ROW, Opener, Sender, change
from tests.api.tiny import expected
from tests.conftest import RunningStack, User


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


@pytest.fixture
def flowers(stack: RunningStack, unique: str) -> Iterator[str]:
    """Make a table of somebody's, with two rows, for as long as the test takes."""
    with stack.connect() as connection:
        connection.execute(
            f"create table public.{unique} (id bigint primary key, length float8, width int, island text, "
            "ml_score float8, ml_label text, ml_version int, ml_predicted_at timestamptz)"
        )
        connection.execute(f"insert into public.{unique} values (1, 1.0, 2, 'Biscoe'), (2, 3.0, 1, 'Dream')")
    yield unique
    with stack.connect() as connection:
        connection.execute(f"drop table public.{unique}")


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
