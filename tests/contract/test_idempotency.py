"""`Idempotency-Key` on creating calls: once made, however often it is sent."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from api._lib.app import create_app
from api._lib.errors import RequestMalformed
from api._lib.idempotency import read_key
from api._lib.openapi import describe
from api._lib.routers import load_routers
from tests.conftest import User

ORDER = {"filename": "penguins.csv", "size_bytes": 10}


def announce(api: httpx.Client, user: User, key: str, **changes: Any) -> httpx.Response:
    """Announce a dataset under a key."""
    headers = {**user.headers, "idempotency-key": key}
    return api.post("/api/datasets", json={**ORDER, **changes}, headers=headers)


def count(database: psycopg.Connection[Any], name: str) -> int:
    """Count the datasets of a name."""
    row = database.execute("select count(*) from public.datasets where name = %s", (name,)).fetchone()
    assert row is not None
    return int(row[0])


def change(database: psycopg.Connection[Any], user: User, assignments: str) -> None:
    """Change what is kept of the person's calls, as time or an accident would."""
    database.execute(f"update private.idempotency_keys set {assignments} where caller_id = %s", (user.id,))
    database.commit()


def test_same_request_again_is_answered_again(api, database, contract_owner: User, unique: str):
    """The first answer comes again, to the letter, and says so; there is one thing."""
    first = announce(api, contract_owner, f'"{unique}"', name=unique)
    again = [announce(api, contract_owner, key, name=unique) for key in (f'"{unique}"', unique)]

    assert first.status_code == 201, first.text
    assert "idempotency-replayed" not in first.headers
    for answer in again:
        assert (answer.status_code, answer.content) == (201, first.content)
        assert answer.headers["idempotency-replayed"] == "true"
        assert answer.headers["content-type"] == first.headers["content-type"]
    assert count(database, unique) == 1


def test_without_a_key_everything_is_made_twice(api, database, contract_owner: User, unique: str):
    """No header, no promise."""
    for _ in range(2):
        answer = api.post("/api/datasets", json={**ORDER, "name": unique}, headers=contract_owner.headers)
        assert answer.status_code == 201

    assert count(database, unique) == 2


def test_key_belongs_to_its_first_request(api, contract_owner: User, unique: str):
    """Another payload, or another path, under the same key is refused."""
    announce(api, contract_owner, unique, name=unique)

    other = announce(api, contract_owner, unique, name=f"{unique}-other")
    headers = {**contract_owner.headers, "idempotency-key": unique}
    elsewhere = api.post("/api/keys", json={**ORDER, "name": unique}, headers=headers)

    for answer in (other, elsewhere):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_keys_are_their_callers_own(api, database, contract_owner: User, stranger: User, unique: str):
    """The same key of somebody else is another one: nothing of the first is seen."""
    first, second = (announce(api, user, unique, name=unique) for user in (contract_owner, stranger))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["dataset"]["id"] != second.json()["dataset"]["id"]
    assert announce(api, stranger, unique, name=unique).content == second.content


def test_an_api_key_shares_the_keys_of_its_owner(api, contract_owner: User, contract_key: str, unique: str):
    """What a machine began, its owner can repeat."""
    first = announce(api, contract_owner, unique, name=unique)
    headers = {"x-api-key": contract_key, "idempotency-key": unique}

    assert api.post("/api/datasets", json={**ORDER, "name": unique}, headers=headers).content == first.content


def test_many_at_once_make_one(api, database, contract_owner: User, unique: str):
    """Whoever comes while the first is at work is asked to come again, or gets the first's answer."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: announce(api, contract_owner, unique, name=unique), range(8)))

    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 409)
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert count(database, unique) == 1


def test_request_that_was_refused_frees_its_key(api, contract_owner: User, unique: str):
    """Nothing was made: the mended request may keep the key."""
    assert announce(api, contract_owner, unique, size_bytes=0).status_code == 422

    assert announce(api, contract_owner, unique).status_code == 201


def test_running_request_is_not_begun_again(api, database, contract_owner: User, unique: str):
    """409 with a time to come back, until the claim runs out."""
    announce(api, contract_owner, unique, name=unique)
    running = "status = null, answer = null, locked_until = now() + interval '1 minute'"
    change(database, contract_owner, running)

    answer = announce(api, contract_owner, unique, name=unique)

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert 1 <= int(answer.headers["retry-after"]) <= 5


def test_lost_answer_makes_nothing_twice(api, database, contract_owner: User, unique: str):
    """The first attempt made it and died: the second says so and names it, instead of making another."""
    first = announce(api, contract_owner, unique, name=unique).json()["dataset"]["id"]
    change(database, contract_owner, "status = null, answer = null, locked_until = now()")

    for _ in range(2):
        answer = announce(api, contract_owner, unique, name=unique)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert first in answer.json()["detail"]
    assert count(database, unique) == 1


def test_attempt_that_died_early_is_made_good(api, database, contract_owner: User, unique: str):
    """The first attempt died before it made anything: the second one does, under the same id."""
    first = announce(api, contract_owner, unique, name=unique).json()["dataset"]["id"]
    database.execute("delete from public.datasets where id = %s", (first,))
    change(database, contract_owner, "status = null, answer = null, locked_until = now()")

    answer = announce(api, contract_owner, unique, name=unique)

    assert (answer.status_code, answer.json()["dataset"]["id"]) == (201, first)


def test_key_is_free_again_after_a_day(api, database, contract_owner: User, unique: str):
    """What is published is kept, not longer."""
    query = "select extract(epoch from expires_at - created_at) from private.idempotency_keys where caller_id = %s"
    announce(api, contract_owner, unique, name=unique)
    assert {row[0] for row in database.execute(query, (contract_owner.id,))} == {86_400}

    change(database, contract_owner, "expires_at = now()")

    assert announce(api, contract_owner, unique, name=f"{unique}-other").status_code == 201


def test_secrets_in_answers_are_sealed(api, database, contract_owner: User, unique: str):
    """A new API key is shown to who asks again, and to nobody who reads the database."""
    headers = {**contract_owner.headers, "idempotency-key": unique}
    first, again = (api.post("/api/keys", json={"name": unique}, headers=headers) for _ in range(2))

    assert first.json()["key"] == again.json()["key"]
    query = "select answer, key_hash from private.idempotency_keys where caller_id = %s"
    kept = str(database.execute(query, (contract_owner.id,)).fetchall())
    assert "rc_" not in kept
    assert unique not in kept


@pytest.mark.parametrize("given", ["", " ", '""', '"open', "a b", "ä", "x" * 256, f'"{"x" * 256}"', '"a"b"', '"\\n"'])
def test_what_is_no_key_is_refused(given: str):
    """400 says how to write it."""
    with pytest.raises(RequestMalformed, match="quoted text"):
        read_key(given)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ('"a b"', "a b"),
        ("8e03978e", "8e03978e"),
        (' "x" ', "x"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("a'b", "a'b"),
        ('"; drop"', "; drop"),
    ],
)
def test_keys_are_read_as_structured_texts(given: str, key: str):
    """Quoted as the draft has it, or bare."""
    assert read_key(given) == key


def test_malformed_key_is_400(api, contract_owner: User):
    """Before anything is looked at."""
    answer = announce(api, contract_owner, '"open')

    assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")


def test_nobody_is_asked_who_they_are_first(api, unique: str):
    """A key without a caller changes nothing about the refusal."""
    assert api.post("/api/datasets", json=ORDER, headers={"idempotency-key": unique}).status_code == 401


def test_every_creating_call_reads_the_header():
    """Whatever answers 201 can be sent again: the routers take `route_class=IdempotentRoute`."""
    paths = describe(create_app(*load_routers()))["paths"]
    creating = {
        path: each["post"] for path, each in paths.items() if "201" in each.get("post", {}).get("responses", {})
    }
    deaf = [
        path
        for path, operation in creating.items()
        if "Idempotency-Key" not in {each["name"] for each in operation.get("parameters", ())}
    ]

    assert {"/api/datasets", "/api/runs", "/api/batches", "/api/keys"} <= set(creating)
    assert deaf == []
