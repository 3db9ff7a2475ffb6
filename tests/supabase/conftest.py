"""The database as each role: people, things of theirs, and a way to become somebody within one rolled-back transaction."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from uuid_utils import uuid7

PEOPLE = {"viewer": "viewer", "reader": "viewer", "editor": "analyst", "stranger": "analyst"}
PEOPLE |= {"owner": "analyst", "admin": "admin"}
"""Their roles. The owner's models are shared with `reader` as a viewer and with `editor` as an editor."""
ROLES = {"anon": "anon", **dict.fromkeys(PEOPLE, "authenticated"), "service": "service_role"}


class World:
    """A small, full registry: one analyst (the owner) with one of everything, and other people beside."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        # Models that other tests have left take no name away here; it is all rolled back.
        connection.execute("update public.models set slug = 'other-' || id")
        self.people = {name: self.add_person(name) for name in PEOPLE}
        for name, role in PEOPLE.items():
            if role != "viewer":
                self.value("insert into private.user_roles values (%s, %s) returning role", self.people[name], role)

    def value(self, statement: str, *parameters: Any) -> Any:
        """Execute and return the first column of the first row."""
        row = self.connection.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def row(self, statement: str, *parameters: Any) -> tuple[Any, ...]:
        """Execute and return the first row."""
        row = self.connection.execute(statement, parameters).fetchone()
        assert row is not None
        return tuple(row)

    def column(self, statement: str, *parameters: Any) -> list[Any]:
        """Execute and return the first column."""
        return [row[0] for row in self.connection.execute(statement, parameters).fetchall()]

    @contextmanager
    def acting_as(self, name: str) -> Iterator[None]:
        """Be this person (or anon, or service) as the data API does it, until the block ends."""
        person = self.people.get(name)
        claims = {"role": ROLES[name], **({"sub": str(person)} if person else {})}
        with self.connection.transaction():
            self.connection.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true), "
                "set_config('role', %s, true)",
                (json.dumps(claims), claims.get("sub", ""), ROLES[name]),
            )
            yield
            self.connection.execute(
                "select set_config('role', 'none', true), set_config('request.jwt.claims', '', true), "
                "set_config('request.jwt.claim.sub', '', true)"
            )

    @contextmanager
    def refused(self, code: str, words: str = "") -> Iterator[None]:
        """Expect the database to refuse with this SQLSTATE and a message containing these words."""
        with pytest.raises(psycopg.Error) as caught, self.connection.transaction():
            yield
        assert caught.value.sqlstate == code, str(caught.value)
        assert words in str(caught.value)

    def add_person(self, name: str) -> UUID:
        """Add somebody who can sign in."""
        return self.value(
            "insert into auth.users (id, email) values (gen_random_uuid(), %s) returning id", f"{name}@x.test"
        )

    def add_dataset(self, owner: str | None = "owner") -> UUID:
        """Add an uploaded dataset."""
        return self.value(
            "insert into public.datasets (owner_id, name, filename, size_bytes, sha256, status) "
            "values (%s, 'Penguins', 'penguins.csv', 10, %s, 'ready') returning id",
            self.people[owner] if owner else None,
            "a" * 64,
        )

    def add_run(self, slug: str, dataset: UUID, **columns: Any) -> UUID:
        """Queue a run by a plain SQL insert."""
        named = {"dataset_id": dataset, "model_slug": slug, "target": "species", **columns}
        names, marks = ", ".join(named), ", ".join(["%s"] * len(named))
        return self.value(f"insert into public.runs ({names}) values ({marks}) returning id", *named.values())

    def finish(self, run: UUID, digest: str = "b" * 64) -> UUID:
        """Do what a worker does at the end of a good run, and return the version."""
        self.value("update public.runs set status = 'running', attempt = attempt + 1 where id = %s returning id", run)
        slug, target, attempt = self.row("select model_slug, target, attempt from public.runs where id = %s", run)
        card = {"digest": digest, "name": slug, "title": slug, "target": target, "task": "multiclass", "size_bytes": 5}
        card["parity"] = {"passed": True}
        return self.value(
            "select id from public.register_version(%s, %s, %s, %s, 5)", run, attempt, digest, json.dumps(card)
        )

    def add_version(self, slug: str, *, owner: str | None = "owner", visibility: str = "private") -> UUID:
        """Train one version of a model, from its dataset on."""
        return self.finish(self.add_run(slug, self.add_dataset(owner), visibility=visibility))

    def share(self, slug: str, name: str, role: str) -> None:
        """Share a model with somebody, as its owner or the house would."""
        self.value("select user_id from public.set_member(%s, %s, %s)", slug, f"{name}@x.test", role)

    def add_batch(self, dataset: UUID, version: UUID, **columns: Any) -> UUID:
        """Queue a batch by a plain SQL insert."""
        named = {"dataset_id": dataset, "version_id": version, **columns}
        names, marks = ", ".join(named), ", ".join(["%s"] * len(named))
        return self.value(f"insert into public.batches ({names}) values ({marks}) returning id", *named.values())

    def add_replay(self, version: UUID, against: UUID, **columns: Any) -> UUID:
        """Queue a replay by a plain SQL insert."""
        named = {"version_id": version, "against_id": against, **columns}
        names, marks = ", ".join(named), ", ".join(["%s"] * len(named))
        return self.value(f"insert into public.replays ({names}) values ({marks}) returning id", *named.values())

    def log(self, version: UUID, **facts: Any) -> dict[str, Any]:
        """Describe a prediction as the API logs it."""
        known = {"id": str(uuid7()), "version_id": str(version), "at": "2026-11-23T10:00:00Z", "source": "api"}
        known |= {"caller_kind": "anonymous", "row_count": 1, "rows": [{"mass": 1}], "outputs": [{"label": "a"}]}
        return {**known, **facts}

    def write_log(self, *predictions: dict[str, Any]) -> int:
        """Write predictions to the log and return how many were new."""
        return self.value("select public.log_predictions(%s)", json.dumps({"predictions": predictions}))

    def monitor(self, version: UUID) -> None:
        """Put one of everything that monitoring keeps beside a version."""
        named = "model_id, version_id", "select model_id, id", "from public.versions where id = %s"
        for table, columns, values in (
            (
                "traffic_hours",
                "hour, source, requests, row_count, cached, latency_counts, inference_counts, parse_ms, infer_ms, total_ms",
                "'2026-11-23', 'api', 1, 1, 0, '{1}', '{1}', 1, 1, 1",
            ),
            (
                "value_days",
                "day, feature, seen, missing, unseen, counts, fine_counts",
                "'2026-11-23', 'a', 1, 0, 0, '{1}', '{}'",
            ),
            (
                "actuals",
                "prediction_id, row_index, value, predicted, predicted_at, observed_at, source",
                "gen_random_uuid(), 0, '1', '{}', now(), now(), 'api'",
            ),
            ("opinions", "prediction_id, row_index, is_good", "gen_random_uuid(), 0, true"),
            ("drift_checks", "feature, since, until, rows, is_beyond", "'a', '2026-11-22', '2026-11-23', 1, false"),
            ("drift_states", "feature, state", "'a', 'stable'"),
        ):
            statement = f"insert into public.{table} ({named[0]}, {columns}) {named[1]}, {values} {named[2]}"
            self.connection.execute(statement, [version])

    def add_subscription(self, owner: str | None = "owner", **asked: Any) -> UUID:
        """Subscribe an address to events, as a server does it for somebody."""
        named = {"event_types": ["version.promoted"], "url": "https://receiver.test/in", **asked}
        statement = "select id from public.create_subscription(%s, 'whsec_bWFkZSB1cCBmb3IgdGVzdHM=', %s)"
        return self.value(statement, json.dumps(named), self.people[owner] if owner else None)

    def add_delivery(self, subscription: UUID) -> UUID:
        """Send a test event and let the first attempt fail."""
        delivery = self.value("select public.test_subscription(%s)", subscription)
        claimed = self.value("select public.claim_deliveries(1, 60, 1, %s)", delivery)["due"][0]
        named = {key: claimed[key] for key in ("delivery_id", "lease_id", "url")}
        attempt = {**named, "at": "2026-11-23T10:00:00Z", "is_delivered": False, "retry_seconds": 5, "reason": "no"}
        self.value("select public.record_attempts(%s)", json.dumps({"attempts": [attempt]}))
        return delivery

    def add_hook(self, model: str, owner: str = "owner", **columns: Any) -> UUID:
        """Open a hook to a model, by default a signed one, with a secret."""
        known = self.value("select id from public.models where slug = %s", model)
        named = {"owner_id": self.people[owner], "model_id": known, "name": "Orders", "kind": "standard", **columns}
        names, marks = ", ".join(named), ", ".join(["%s"] * len(named))
        hook = self.value(f"insert into public.hooks ({names}) values ({marks}) returning id", *named.values())
        self.value("select public.set_hook_secret(%s, 'whsec_bWFkZSB1cCBmb3IgdGVzdHM=')", hook)
        return hook

    def claim(self, hook: UUID, name: str = "msg_1", **changes: Any) -> dict[str, Any]:
        """Claim a delivery as the API does."""
        asked = {"hook_id": str(hook), "delivery_id": name, "payload_hash": "a" * 64, "prediction_id": str(uuid7())}
        asked |= {"event": "INSERT", "lease_seconds": 30, "keep_seconds": 600, **changes}
        return self.value("select public.claim_hook_delivery(%s)", json.dumps(asked))

    def add_key(self, owner: str = "owner", **columns: Any) -> UUID:
        """Add an API key."""
        number = self.value("select count(*) from public.api_keys")
        named = {
            "owner_id": self.people[owner],
            "name": "k",
            "prefix": f"prefix{number}",
            "hash": f"{number:064x}",
            **columns,
        }
        names, marks = ", ".join(named), ", ".join(["%s"] * len(named))
        return self.value(f"insert into public.api_keys ({names}) values ({marks}) returning id", *named.values())


@dataclass(frozen=True)
class Things:
    """What the owner has: the ids by table."""

    dataset: UUID
    spare: UUID
    run: UUID
    key: UUID
    version: UUID
    rival: UUID
    replay: UUID
    batch: UUID
    subscription: UUID
    delivery: UUID
    hook: UUID


@pytest.fixture
def world(database: psycopg.Connection[Any]) -> World:
    """Put people into the database, for one test."""
    return World(database)


@pytest.fixture
def things(world: World) -> Things:
    """Give the owner a private model `secret`, a public model `shown`, both shared, and what they came from."""
    dataset = world.add_dataset()
    run = world.add_run("secret", dataset)
    versions = world.finish(run), world.add_version("shown", visibility="public")
    refusal = {"id": str(uuid7()), "model": "secret", "status": 422, "code": "rows_invalid", "count": 1}
    world.write_log(*(world.log(version) for version in versions), {"refusal": refusal})
    for slug in ("secret", "shown"):
        world.share(slug, "reader", "viewer")
        world.share(slug, "editor", "editor")
    world.monitor(versions[0])
    subscription = world.add_subscription(model="secret")
    hook = world.add_hook("secret")
    world.claim(hook)
    rival = world.finish(world.add_run("secret", dataset), "c" * 64)
    world.value("select public.describe_version('secret', 1, 'the first')")
    return Things(
        dataset=dataset,
        spare=world.add_dataset(),
        run=run,
        rival=rival,
        replay=world.add_replay(versions[0], rival),
        key=world.add_key(),
        version=versions[0],
        batch=world.add_batch(dataset, versions[0]),
        subscription=subscription,
        delivery=world.add_delivery(subscription),
        hook=hook,
    )


@pytest.fixture
def three_versions(world: Any) -> None:
    """Give the owner a model with three versions; the first is champion, the third challenger."""
    for _ in range(3):
        world.add_version("penguins")
