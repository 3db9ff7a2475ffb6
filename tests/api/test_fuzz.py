"""Every route, with good and odd requests about somebody's real things, as nobody and as a stranger: nothing of theirs changes."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from api._lib import openapi
from api._lib.app import create_app
from api._lib.routers import load_routers
from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

DESCRIPTION = openapi.describe(create_app(*load_routers()))
OPERATIONS = sorted(
    (
        (method.upper(), path, operation)
        for path, operations in DESCRIPTION["paths"].items()
        for method, operation in operations.items()
    ),
    key=lambda each: each[0] in {"PATCH", "DELETE"},
)
"""What archives and deletes comes last: before that there is something to be done with things."""
TRIES = 3
"""Requests per operation beyond the one that fits its description."""

WRITTEN_BY_ANYBODY = {
    "public.predictions": "the log of what public models were asked, and what is added up from it",
    "public.refusals": "the log of what was refused",
    "public.traffic_hours": "added up from the logs",
    "public.value_days": "added up from the logs",
    "private.uncounted": "what of the logs is not added up yet",
}
COUNTED_FOR_ANYBODY = {"public.hooks": ["refused_count", "refused_at", "refused_reason", "ignored_count"]}
"""Columns that count what was turned away; its sender chooses nothing of it."""

_TABLES = """
select format('%I.%I', namespace.nspname, class.relname)
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.relkind = 'r' and (
  namespace.nspname in ('public', 'private')
  or (namespace.nspname, class.relname) in (('auth', 'users'), ('storage', 'objects'), ('storage', 'buckets'))
)
"""


@dataclass
class Victim:
    """Somebody with one of everything, and how to name each in a request."""

    person: User
    public: str
    private: str
    ids: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def victim(stack: RunningStack, site_url: str, publisher: Publisher, stranger: User) -> Victim:
    """Sign somebody up and give them everything that the API knows."""
    person = stack.create_user("analyst")
    names = f"fuzz-{uuid4().hex[:8]}", f"fuzz-{uuid4().hex[:8]}"
    publisher.publish(names[0], build(names[0], seed=5), build(names[0], seed=6), owner=person)
    publisher.publish(names[1], build(names[1], seed=7), build(names[1], seed=8), owner=person, visibility="private")
    made = Victim(person, *names)
    with httpx.Client(base_url=site_url, headers=person.headers, timeout=30, trust_env=False) as client:

        def create(path: str, **order: Any) -> dict[str, Any]:
            answer = client.post(path, json=order)
            assert answer.status_code == 201, answer.text
            return answer.json()

        made.ids["key_id"] = create("/api/keys", name="theirs", scopes=["predict", "train"])["id"]
        dataset = create("/api/datasets", filename="theirs.csv", size_bytes=10)["dataset"]
        made.ids["hook_id"] = create("/api/hooks", name="theirs", model=names[0])["id"]
        made.ids["subscription_id"] = create(
            "/api/subscriptions", url="https://example.com/in", event_types=["run.succeeded"]
        )["id"]
        answered = client.post(f"/api/predict/{names[1]}", json={"length": 1})
        made.ids["prediction_id"] = answered.json()["id"]
    made.ids |= {"dataset_id": dataset["id"], "user_id": person.id}
    with stack.connect() as connection:
        made.ids |= _add_jobs(connection, made, names[1])
    return made


def _add_jobs(connection: psycopg.Connection[Any], made: Victim, model: str) -> dict[str, str]:
    """Add a run and a batch that have ended, so that no worker touches them."""
    connection.execute(
        "update public.datasets set status = 'ready', size_bytes = 10, sha256 = repeat('a', 64) where id = %s",
        (made.ids["dataset_id"],),
    )
    statement = "insert into public.runs (dataset_id, model_slug, target) values (%s, %s, 'species') returning id"
    run = connection.execute(statement, (made.ids["dataset_id"], model)).fetchone()
    version = "(select id from public.versions where model_id = (select id from public.models where slug = %s) limit 1)"
    statement = f"insert into public.batches (dataset_id, version_id) values (%s, {version}) returning id"
    batch = connection.execute(statement, (made.ids["dataset_id"], model)).fetchone()
    assert run is not None
    assert batch is not None
    connection.execute("update public.runs set status = 'cancelled' where id = %s", run)
    connection.execute("update public.batches set status = 'cancelled' where id = %s", batch)
    return {"run_id": str(run[0]), "batch_id": str(batch[0])}


class Composer:
    """Makes requests for an operation: one that fits its description and names real things, others that are odd."""

    def __init__(self, victim: Victim, seed: int) -> None:
        self._victim = victim
        self._chance = random.Random(seed)

    def requests(self, method: str, path: str, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Compose the keyword arguments of `httpx.Client.request`."""
        for slug in (self._victim.private, self._victim.public):
            for number in range(1 + TRIES):
                is_odd = number > 0
                composed: dict[str, Any] = {"method": method, "url": self._fill(path, slug, is_odd=number > 1)}
                composed["params"] = self._query(operation, is_odd=is_odd)
                if body := operation.get("requestBody"):
                    composed |= self._body(body, slug, is_odd=is_odd)
                yield composed

    def _fill(self, path: str, slug: str, *, is_odd: bool) -> str:
        known = {"slug": slug, "model": slug, "name": "champion", "number": "1", "version": "1", **self._victim.ids}
        known |= {"delivery_id": str(uuid4()), "id": str(uuid4())}
        for part in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
            value = known.get(part, str(uuid4()))
            if is_odd and part not in {"slug", "model"}:
                value = self._chance.choice([value, str(uuid4()), "0", "%00", "..", "x" * 300])
            path = path.replace(f"{{{part}}}", value)
        return path

    def _query(self, operation: dict[str, Any], *, is_odd: bool) -> dict[str, str]:
        query = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        return {
            each["name"]: self._chance.choice(["", "0", "-1", "x" * 300, "'"])
            if is_odd
            else str(_example(each["schema"]))
            for each in query
            if is_odd or each.get("required")
        }

    def _body(self, body: dict[str, Any], slug: str, *, is_odd: bool) -> dict[str, Any]:
        schema = body["content"].get("application/json", {}).get("schema", {})
        if not is_odd:
            return {"json": self._value(schema, slug)}
        fitting = self._value(schema, slug)
        if isinstance(fitting, dict) and fitting and self._chance.random() < 0.5:
            bent = self._chance.choice(sorted(fitting))
            return {"json": {**fitting, bent: self._chance.choice([None, -1, "", [], {}, "x" * 3000, True])}}
        raw = self._chance.choice(["", "{}", "[]", "null", "{", '{"rows":[{}]}', "\x00", "9" * 400])
        return {"content": raw, "headers": {"content-type": "application/json"}}

    def _value(self, schema: dict[str, Any], slug: str, name: str = "") -> Any:
        """Compose a value that fits a schema; where the name says what is meant, the victim's own thing."""
        known = {"model": slug, "slug": slug, "email": self._victim.person.email, **self._victim.ids}
        if name in known:
            return known[name]
        if "$ref" in schema:
            schema = DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            return self._value(choices[0], slug, name)
        if given := schema.get("examples") if schema.get("type") == "object" else None:
            return {**given[0], **{each: value for each, value in known.items() if each in given[0]}}
        if schema.get("type") == "object":
            return {each: self._value(part, slug, each) for each, part in schema.get("properties", {}).items()}
        if schema.get("type") == "array" and "examples" not in schema:
            return [self._value(schema.get("items", {}), slug)]
        return _example(schema)


def _example(schema: dict[str, Any]) -> Any:
    """Take what the description itself gives as an example, else a small value of the type."""
    for given in (*schema.get("examples", ()), schema.get("default"), *schema.get("enum", ()), schema.get("const")):
        if given is not None:
            return given
    kind = schema.get("type") or next((each.get("type") for each in schema.get("anyOf", ())), "string")
    return {"integer": schema.get("minimum", 1), "number": 1.0, "boolean": True, "array": [], "object": {}}.get(
        kind, "x"
    )


def _rows(stack: RunningStack) -> dict[str, Counter[str]]:
    """Take the digest of every row of every table that not just anybody writes to."""
    with stack.connect() as connection:
        tables = {row[0] for row in connection.execute(_TABLES).fetchall()} - WRITTEN_BY_ANYBODY.keys()
        found = {}
        for table in sorted(tables):
            digest = f"select md5((to_jsonb(held) - %s::text[])::text) from {table} as held"
            rows = connection.execute(digest, (COUNTED_FOR_ANYBODY.get(table, []),)).fetchall()
            found[table] = Counter(row[0] for row in rows)
        return found


def _ask_everything(
    site_url: str, victim: Victim, headers: dict[str, str], *, hidden: str = ""
) -> Counter[tuple[str, str, int]]:
    """Send every request and count the answers by operation and status; no good answer tells what is hidden by itself."""
    seen: Counter[tuple[str, str, int]] = Counter()
    composer = Composer(victim, seed=1)
    with httpx.Client(base_url=site_url, timeout=30, trust_env=False) as client:
        for method, path, operation in OPERATIONS:
            for request in composer.requests(method, path, operation):
                sent = {**request, "headers": {**request.pop("headers", {}), **headers}}
                with client.stream(**sent) as answer:
                    text = next(answer.iter_text(), "")
                    assert answer.status_code < 500 or answer.status_code == 503, (sent, text)
                    seen[method, path, answer.status_code] += 1
                    if hidden and answer.is_success and hidden not in json.dumps(sent):
                        assert hidden not in text, sent
    return seen


def test_nobody_changes_nothing(stack: RunningStack, site_url: str, victim: Victim):
    """As an anonymous visitor: not one row of one table differs afterwards, but the logs of what was asked."""
    before = _rows(stack)

    seen = _ask_everything(site_url, victim, {}, hidden=victim.private)

    assert _rows(stack) == before
    assert {path for _, path, _ in seen} == set(DESCRIPTION["paths"])
    made = {(method, path) for method, path, status in seen if status in {201, 204} and method != "GET"}
    assert made == set()


def test_a_stranger_changes_nothing_of_others(stack: RunningStack, site_url: str, victim: Victim):
    """As somebody with an account of their own: every row that was there is there unchanged, and new ones are theirs."""
    stranger = stack.create_user("analyst")
    before = _rows(stack)

    seen = _ask_everything(site_url, victim, stranger.headers, hidden=victim.private)

    gone = {table: rows - after[table] for after in [_rows(stack)] for table, rows in before.items()}
    assert {table: sorted(rows) for table, rows in gone.items() if rows} == {}
    assert any(status == 201 for _, _, status in seen), "what is everybody's to make was made"


def test_the_same_requests_change_much_for_their_owner(stack: RunningStack, site_url: str, victim: Victim):
    """They are requests that work: what keeps the others out is who they are."""
    before = _rows(stack)

    _ask_everything(site_url, victim, victim.person.headers)

    after = _rows(stack)
    changed = {table for table in before if before[table] != after[table]}
    theirs = ("aliases", "api_keys", "batches", "datasets", "hooks", "models", "promotions", "runs", "subscriptions")
    assert {f"public.{table}" for table in theirs} <= changed
